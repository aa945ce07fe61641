"""Membership in ZooKeeper when it is slow, away, wiped, or takes members for dead."""

import io
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import msgspec
import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import NoAuthError
from kazoo.security import make_digest_acl

from adapters.logs import bridge, open_log
from adapters.lookout import Unreachable
from adapters.part_urls import Ensemble, Secret
from adapters.zookeeper_members import Member, ZooKeeperCoordination
from adapters.zookeeper_session import ZooKeeperSession
from tests.contracts.coordination_contract import eventually
from tests.services.zookeeper import ZooKeeperServer, need_zookeeper

pytestmark = pytest.mark.services

SHARDS = 64
SESSION_SECONDS = 1.0
ROOTS = count(1)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZooKeeperServer]:
    """A server that every test leaves running and unspoilt."""
    need_zookeeper()
    server = ZooKeeperServer(tmp_path_factory.mktemp("shared"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ZooKeeperServer]:
    """A server to be treated badly."""
    need_zookeeper()
    server = ZooKeeperServer(tmp_path / "zookeeper")
    server.start()
    yield server
    server.kill()


class Nodes:
    """Members with a session each, and what they have logged."""

    def __init__(self, server: ZooKeeperServer) -> None:
        self.ensemble = Ensemble(hosts=(server.host,), root=f"/dms-{next(ROOTS)}")
        self.settle_seconds = 0.2
        self.said = io.StringIO()
        self.log = open_log("DEBUG", "json", self.said)
        self.sessions: dict[str, ZooKeeperSession] = {}
        self.members: dict[str, ZooKeeperCoordination] = {}

    def join(self, *names: str) -> None:
        for name in names:
            session = ZooKeeperSession(self.ensemble, self.log, SESSION_SECONDS)
            session.start()
            self.sessions[name] = session
            self.members[name] = ZooKeeperCoordination(
                session, name, SHARDS, self.log, settle_seconds=self.settle_seconds, return_seconds=1.5
            )

    def wanted(self) -> dict[str, frozenset[int] | None]:
        return {name: member.wanted() for name, member in self.members.items()}

    def has_settled(self) -> bool:
        loads = [wanted or frozenset() for wanted in self.wanted().values()]
        return (
            sorted(shard for load in loads for shard in load) == list(range(SHARDS))
            and max(map(len, loads)) - min(map(len, loads)) <= 1
        )

    def settled(self) -> dict[str, frozenset[int] | None]:
        eventually(self.has_settled)
        return self.wanted()

    def expire(self, name: str) -> None:
        """Ends the session as the servers would: another client takes it up and closes it."""
        known = self.sessions[name]._client.client_id
        thief = KazooClient(hosts=self.ensemble.hosts[0], client_id=known, timeout=SESSION_SECONDS)
        thief.start(10)
        thief.stop()
        thief.close()

    def close(self) -> None:
        for name, member in self.members.items():
            member.close()
            self.sessions[name].close()


@pytest.fixture
def joined(shared: ZooKeeperServer) -> Iterator[Nodes]:
    """Nodes on the shared server."""
    nodes = Nodes(shared)
    yield nodes
    nodes.close()


@pytest.fixture
def doomed(server: ZooKeeperServer) -> Iterator[Nodes]:
    """Nodes on the server to be treated badly."""
    nodes = Nodes(server)
    yield nodes
    nodes.close()


def during(seconds: float, look: Callable[[], bool]) -> bool:
    """Whether it is so all the time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not look():
            return False
        time.sleep(0.02)
    return True


def test_a_member_whose_session_ended_joins_again_and_keeps_its_shards(joined: Nodes) -> None:
    """The others wait a moment before they share out what it had."""
    joined.join("a", "b")
    before = joined.settled()
    connections = joined.sessions["a"].connections
    joined.expire("a")
    eventually(lambda: joined.sessions["a"].connections > connections and joined.has_settled())
    assert joined.sessions["a"].sessions == 1
    assert list(map(len, joined.settled().values())) == [32, 32]  # type: ignore[arg-type]
    assert set(before) == set(joined.wanted())


def test_a_node_left_by_an_earlier_session_of_this_member_is_cleared_away(joined: Nodes) -> None:
    """It would vanish by itself, and take the member with it."""
    joined.join("earlier")
    joined.settled()
    session = ZooKeeperSession(joined.ensemble, joined.log, SESSION_SECONDS)
    member = ZooKeeperCoordination(session, "a", SHARDS, joined.log, settle_seconds=0.2, return_seconds=1.5)
    joined.sessions["a"], joined.members["a"] = session, member
    path = session.path("members", "a")
    earlier = joined.sessions["earlier"]
    earlier.ask("create", path, msgspec.json.encode(member._member), ephemeral=True)
    session.start()
    joined.settled()
    assert session.ask("exists", path).ephemeralOwner == session.owner_id()
    joined.members.pop("earlier").close()
    joined.sessions.pop("earlier").close()
    assert joined.settled() == {"a": frozenset(range(SHARDS))}


def test_while_zookeeper_is_silent_nobody_can_tell(doomed: Nodes, server: ZooKeeperServer) -> None:
    """The answer is None, and afterwards the same shards as before, whoever spoke first."""
    doomed.join("a", "b")
    before = doomed.settled()
    server.stop_still()
    eventually(lambda: set(doomed.wanted().values()) == {None})
    assert during(2.5 * SESSION_SECONDS, lambda: set(doomed.wanted().values()) == {None})
    server.go_on()
    assert doomed.settled() == before
    assert "ZooKeeper does not answer" in doomed.said.getvalue()
    eventually(lambda: "ZooKeeper answers again" in doomed.said.getvalue())


def test_a_server_that_dies_and_comes_back_moves_no_shard(doomed: Nodes, server: ZooKeeperServer) -> None:
    """Killed, longer away than any session lasts, and started again."""
    doomed.join("a", "b")
    before = doomed.settled()
    server.kill()
    eventually(lambda: set(doomed.wanted().values()) == {None})
    time.sleep(2.5 * SESSION_SECONDS)
    server.start()
    assert doomed.settled() == before


def test_a_wiped_server_moves_no_shard(doomed: Nodes, server: ZooKeeperServer) -> None:
    """It has forgotten who had what, its members have not; and it refuses clients that have seen later days."""
    doomed.join("a", "b", "c")
    before = doomed.settled()
    server.kill()
    server.wipe()
    server.start()
    seen: list[dict[str, frozenset[int] | None]] = []

    def is_back() -> bool:
        wanted = doomed.wanted()
        seen.append(wanted)
        return all(wanted.values()) and doomed.has_settled()

    eventually(is_back)
    assert doomed.wanted() == before
    assert all(wanted is None or wanted == before[name] for each in seen for name, wanted in each.items())
    assert during(2.0, lambda: doomed.wanted() == before)


def test_a_member_that_cannot_be_reached_loses_its_shards_and_hears_of_it(joined: Nodes) -> None:
    """None as long as it hears nothing; then what is left to it, which the others have agreed on without it."""
    joined.join("a", "b")
    joined.settled()
    session = joined.sessions["a"]
    # Its socket is closed under it, and its way back is blocked.
    client = session._client
    hosts, client.hosts = client.hosts, [("127.0.0.1", 1)]
    client._connection._socket.shutdown(2)
    eventually(lambda: joined.members["a"].wanted() is None)
    eventually(lambda: joined.members["b"].wanted() == frozenset(range(SHARDS)))
    assert joined.members["a"].wanted() is None
    client.hosts = hosts
    joined.settled()


def test_a_member_that_flaps_moves_no_shard(joined: Nodes) -> None:
    """Ten sessions lost in a row, each for less than it takes until members count as settled."""
    joined.settle_seconds = 1.5
    joined.join("a", "b", "c")
    before = joined.settled()
    for lost in range(1, 11):
        joined.expire("a")
        eventually(lambda lost=lost: joined.sessions["a"].sessions == lost and joined.members["a"].wanted())  # type: ignore[misc]
    assert joined.settled() == before
    assert during(2.0, lambda: joined.wanted() == before)


def test_who_leaves_in_order_is_not_waited_for(joined: Nodes) -> None:
    """Its shards are the others' before its node is gone."""
    joined.settle_seconds = 60.0
    joined.join("a")
    joined.settled()
    joined.settle_seconds = 0.0
    joined.join("b")
    joined.settled()
    joined.members.pop("b").close()
    joined.sessions.pop("b").close()
    eventually(lambda: joined.wanted() == {"a": frozenset(range(SHARDS))}, seconds=2)


def test_a_start_while_zookeeper_is_away_waits_for_it(tmp_path: Path) -> None:
    """Nobody can tell until it answers."""
    need_zookeeper()
    server = ZooKeeperServer(tmp_path / "zookeeper")
    nodes = Nodes(server)
    nodes.join("a")
    assert during(0.5, lambda: nodes.wanted() == {"a": None})
    with pytest.raises(Unreachable, match="no connection to zookeeper://"):
        nodes.sessions["a"].ask("get", "/")
    try:
        server.start()
        assert nodes.settled() == {"a": frozenset(range(SHARDS))}
    finally:
        nodes.close()
        server.kill()


def test_what_members_say_of_themselves_can_be_read(joined: Nodes) -> None:
    """Where each runs, since when, and in which version."""
    joined.join("a")
    joined.settled()
    body, stat = joined.sessions["a"].ask("get", f"{joined.ensemble.root}/members/a")
    member = msgspec.json.decode(body, type=Member)
    assert (stat.ephemeralOwner, member.process > 0) == (joined.sessions["a"].owner_id(), True)
    assert member.started_at.endswith("+00:00")


def test_with_a_user_nobody_else_may_look_or_change(shared: ZooKeeperServer) -> None:
    """Digest authentication, and nodes that are the user's alone; the password is in no log."""
    nodes = Nodes(shared)
    nodes.ensemble = Ensemble(
        hosts=nodes.ensemble.hosts, root=nodes.ensemble.root, user="dms", password=Secret("hunter2")
    )
    said = io.StringIO()
    bridge(open_log("ALL", "console", said))
    nodes.join("a", "b")
    nodes.settled()
    bridge(open_log("OFF"))
    stranger = KazooClient(hosts=shared.host)
    stranger.start(10)
    try:
        for path in ("", "/members", "/members/a", "/shards"):
            (acl,), _ = nodes.sessions["a"].ask("get_acls", nodes.ensemble.root + path)
            assert acl == make_digest_acl("dms", "hunter2", all=True)
            with pytest.raises(NoAuthError):
                stranger.get(nodes.ensemble.root + path)
        with pytest.raises(NoAuthError):
            stranger.set(f"{nodes.ensemble.root}/shards", b"")
    finally:
        stranger.stop()
        stranger.close()
        nodes.close()
    assert said.getvalue()
    assert "hunter2" not in said.getvalue() + nodes.said.getvalue() + repr(nodes.ensemble)


def test_a_wrong_password_is_told_and_not_shown(shared: ZooKeeperServer) -> None:
    """Once the nodes are somebody's, another password opens nothing."""
    nodes = Nodes(shared)
    root, hosts = nodes.ensemble.root, nodes.ensemble.hosts
    nodes.ensemble = Ensemble(hosts=hosts, root=root, user="dms", password=Secret("hunter2"))
    nodes.join("a")
    nodes.settled()
    nodes.ensemble = Ensemble(hosts=hosts, root=root, user="dms", password=Secret("hunter3"))
    nodes.join("b")
    eventually(lambda: "NoAuthError" in nodes.said.getvalue())
    assert nodes.members["b"].wanted() is None
    nodes.close()
    assert "hunter" not in nodes.said.getvalue()


def test_what_is_not_an_assignment_is_replaced(joined: Nodes) -> None:
    """Somebody's mistake in the node that all agree on is put right from memory."""
    joined.join("a", "b")
    before = joined.settled()
    for body in (b"", b"rubbish", b'{"members":["a"],"shards":[7]}', b'{"members":["a"],"shards":[0]}'):
        joined.sessions["a"].ask("set", f"{joined.ensemble.root}/shards", body)
        time.sleep(0.5)
        after = joined.settled()
        assert after == before
