"""The policy that was published, in running nodes: it takes effect everywhere, and what is wrong changes nothing."""

import json
import shutil
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest

from adapters.logs import open_log
from adapters.lookout import Unreachable
from adapters.part_urls import Ensemble
from adapters.policy_press import drafted, publish, redrafted
from adapters.publication import Publication
from adapters.published_policies import PublishedPolicies
from adapters.settings import Unusable
from adapters.shelf import FolderShelf, Shelf
from adapters.zookeeper_session import ZooKeeperSession
from adapters.zookeeper_shelf import ZooKeeperShelf
from tests.adapters.policy_texts import MINIMAL
from tests.contracts.coordination_contract import eventually
from tests.services.zookeeper import ZooKeeperServer, need_zookeeper


def text(version: int, minimum: int | None = None) -> str:
    """A policy of a version; ``minimum`` is what differs in it."""
    entry = f"[entry]\nmin_overdue = {minimum}\n" if minimum else ""
    return MINIMAL.replace("version = 1", f"version = {version}") + entry


def publish_text(shelf: Shelf, folder: Path, said: str) -> None:
    """As the command does."""
    file = folder / "to-publish.toml"
    file.write_text(said)
    publish(shelf, drafted(shelf, file, "analyst", "", 0))


def put(shelf: Shelf, said: str, version: int) -> None:
    """Past the checks of the command."""
    publication = Publication(name="x", version=version, author="", at=0, note="", files={"policy.toml": said.encode()})
    shelf.put(shelf.current() + 1, publication.packed())


class Nodes:
    """A shelf in a folder, and nodes that look at it by hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shelf = FolderShelf(folder / "shelf")
        self.cache = folder / "cache" / "policy"
        self.stream = StringIO()

    def publish(self, version: int, minimum: int | None = None) -> None:
        publish_text(self.shelf, self.folder, text(version, minimum))

    def start(self) -> PublishedPolicies:
        return PublishedPolicies(self.shelf, self.cache, open_log("INFO", "json", self.stream))

    def said(self, level: str) -> list[dict[str, object]]:
        entries = [json.loads(line) for line in self.stream.getvalue().splitlines()]
        return [entry for entry in entries if entry["level"] == level]


@pytest.fixture
def nodes(tmp_path: Path) -> Nodes:
    return Nodes(tmp_path)


def test_a_node_begins_with_what_is_published(nodes: Nodes) -> None:
    """The last issue."""
    nodes.publish(1)
    nodes.publish(2, 500)
    policy = nodes.start().current()
    assert (policy.version, policy.min_overdue) == (2, 500)


def test_without_any_policy_a_node_does_not_begin(nodes: Nodes) -> None:
    """It says what to do."""
    with pytest.raises(Unusable, match=r"no policy is published \(dms policy publish PATH\)"):
        nodes.start()


def test_another_policy_takes_effect_once(nodes: Nodes) -> None:
    """It shows as another object, and stays the same one until the next."""
    nodes.publish(1)
    source = nodes.start()
    before = source.current()
    assert (source.look(), source.current() is before) == (False, True)
    nodes.publish(2, 500)
    assert (source.look(), source.look()) == (True, False)
    assert source.current().min_overdue == 500
    assert [entry["event"] for entry in nodes.said("INFO")] == ["another policy holds"]


def test_a_policy_that_came_back_has_the_version_it_was_published_under(nodes: Nodes) -> None:
    """Whatever its files say."""
    nodes.publish(1)
    nodes.publish(2, 500)
    source = nodes.start()
    publish(nodes.shelf, redrafted(nodes.shelf, 1, "head", "", 0))
    assert source.look()
    assert (source.current().version, source.current().min_overdue) == (3, 1)


@pytest.mark.parametrize("how", ["rubbish", "wrong", "same version"])
def test_what_cannot_hold_is_refused_and_told_once(nodes: Nodes, how: str) -> None:
    """Whoever put it there went past the command; the policy that holds goes on to hold, and so does the kept one."""
    nodes.publish(1)
    source = nodes.start()
    before = source.current()
    if how == "rubbish":
        nodes.shelf.put(2, b"rubbish")
    else:
        put(nodes.shelf, "[policy]" if how == "wrong" else text(1, 500), 1)
    assert [source.look() for _ in range(3)] == [False, False, False]
    assert source.current() is before
    assert {entry["event"] for entry in nodes.said("ERROR")} == {
        "the published policy is refused; the one that holds goes on"
    }
    told = len(nodes.said("ERROR"))
    source.look()
    assert len(nodes.said("ERROR")) == told
    assert nodes.start().current().version == 1
    nodes.publish(2, 700)
    assert source.look()
    assert source.current().min_overdue == 700


def test_a_node_begins_with_the_last_good_one_where_nothing_is_published_any_more(nodes: Nodes) -> None:
    """The shelf was wiped, or is out of reach."""
    nodes.publish(1)
    nodes.publish(2, 500)
    running = nodes.start()
    shutil.rmtree(nodes.folder / "shelf")
    assert not running.look()
    assert (running.current().version, nodes.start().current().version) == (2, 2)
    assert [entry["event"] for entry in nodes.said("WARN")] == [
        "no policy is published any more; the one that holds goes on",
        "the policy of last time holds",
    ]
    nodes.publish(3, 600)
    assert running.look()
    assert running.current().version == 3


def test_a_kept_policy_that_is_spoilt_is_not_used(nodes: Nodes) -> None:
    """Better no start than a start with half a policy."""
    nodes.publish(1)
    nodes.start()
    shutil.rmtree(nodes.folder / "shelf")
    nodes.cache.write_bytes(b"rubbish")
    with pytest.raises(Unusable, match="the one that was kept cannot be used: not a published policy"):
        nodes.start()


def test_a_policy_that_cannot_be_kept_holds_all_the_same(nodes: Nodes) -> None:
    """It is told: a start without the shelf would fail."""
    nodes.publish(1)
    nodes.cache.parent.write_text("a file")
    assert nodes.start().current().version == 1
    assert "could not be kept" in str(nodes.said("ERROR")[0]["event"])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ZooKeeperServer]:
    need_zookeeper()
    server = ZooKeeperServer(tmp_path / "zookeeper")
    server.start()
    yield server
    server.kill()


def connected(server: ZooKeeperServer) -> tuple[ZooKeeperSession, ZooKeeperShelf]:
    """A node's session, and the shelf of policies in it."""
    session = ZooKeeperSession(Ensemble(hosts=(server.host,)), open_log("OFF"), 1.0)
    session.start()
    session.wait(5)
    return session, ZooKeeperShelf(session, "policies", "policy")


@pytest.mark.services
def test_in_zookeeper_every_node_sees_a_policy_as_it_is_published(server: ZooKeeperServer, tmp_path: Path) -> None:
    """By a watch, not by the next look; also after the connection was lost meanwhile, and when it was wiped."""
    opened = [connected(server) for _ in range(3)]
    shelf = opened[0][1]
    publish_text(shelf, tmp_path, text(1))
    sources = [
        PublishedPolicies(each, tmp_path / str(number), open_log("OFF")) for number, (_, each) in enumerate(opened)
    ]
    for source in sources:
        source.start()
    publish_text(shelf, tmp_path, text(2, 500))
    eventually(lambda: all(source.current().version == 2 for source in sources), seconds=3)
    held = [source.current() for source in sources]
    server.kill()
    server.start()
    eventually(lambda: all(session.is_connected for session, _ in opened))
    publish_text(shelf, tmp_path, text(3, 600))
    eventually(lambda: all(source.current().version == 3 for source in sources), seconds=3)
    server.kill()
    assert [source.current() is policy for source, policy in zip(sources, held, strict=True)] == [False] * 3
    server.wipe()
    server.start()
    eventually(lambda: all(session.is_connected for session, _ in opened))
    assert all(source.current().version == 3 for source in sources)
    publish_text(shelf, tmp_path, text(4, 700))
    eventually(lambda: all(source.current().min_overdue == 700 for source in sources))
    for source, (session, _) in zip(sources, opened, strict=True):
        source.stop()
        session.close()


@pytest.mark.services
def test_a_node_starts_while_zookeeper_is_away(server: ZooKeeperServer, tmp_path: Path) -> None:
    """With the last good policy, and takes up what was published meanwhile when it is back."""
    session, shelf = connected(server)
    publish_text(shelf, tmp_path, text(1))
    PublishedPolicies(shelf, tmp_path / "cache", open_log("OFF"))
    publish_text(shelf, tmp_path, text(2, 500))
    session.close()
    server.kill()
    session, shelf = connected(server)
    with pytest.raises(Unreachable):
        shelf.current()
    source = PublishedPolicies(shelf, tmp_path / "cache", open_log("OFF"))
    source.start()
    assert source.current().version == 1
    server.start()
    eventually(lambda: source.current().version == 2)
    source.stop()
    session.close()
