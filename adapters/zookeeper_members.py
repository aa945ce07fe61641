"""Membership in ZooKeeper: who lives is an ephemeral node each, who has which shards is one node that all agree on.

The assignment is written by whoever first sees that it does not fit the members any more, on condition that nobody else
has written it meanwhile. All reckon alike, so it does not matter who that is. It says who should try; who may work a
shard is for the store's leases to say, also while two members believe different things.
"""

import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from secrets import token_hex
from time import monotonic
from typing import Final

import msgspec
from kazoo.exceptions import BadVersionError, NodeExistsError, NoNodeError
from kazoo.protocol.states import ZnodeStat

from adapters.logs import Log
from adapters.lookout import Lookout, Unreachable
from adapters.zookeeper_session import ZooKeeperSession
from engine.assignment import Assignment, Settling, assignment, shards_of

LOOK_SECONDS: Final = 5.0
"""Changes are told by watches; this is for the watch that never came."""
RETRY_SECONDS: Final = 0.2
SETTLE_SECONDS: Final = 1.0
"""Whoever lost a session and has another one within this time was never away. Who leaves in order is not waited for."""
RETURN_SECONDS: Final = 3.0
"""After a connection was lost, others may have lost theirs as well, and their sessions with them: they get so long to
come back before their shards go to those who were quicker."""


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """What a member says of itself. ``life`` is another one in each process, so that it knows its own earlier node."""

    life: str
    host: str
    process: int
    started_at: str
    version: str


class _Shared(msgspec.Struct, frozen=True, kw_only=True):
    """The assignment as it is stored: the members, and for each shard the place of its member among them."""

    members: tuple[str, ...]
    shards: tuple[int, ...]


class ZooKeeperCoordination:
    """A member among the nodes that share an ensemble and a root. The session is the caller's to close, after this."""

    def __init__(
        self,
        session: ZooKeeperSession,
        name: str,
        shards: int,
        log: Log,
        version: str = "",
        settle_seconds: float = SETTLE_SECONDS,
        return_seconds: float = RETURN_SECONDS,
    ) -> None:
        """Joins as soon as ZooKeeper answers; returns at once."""
        self._session: Final = session
        self._name: Final = name
        self._shards: Final = shards
        self._log: Final = log
        self._member: Final = Member(
            life=token_hex(8),
            host=socket.gethostname(),
            process=os.getpid(),
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
            version=version,
        )
        self._own_path: Final = session.path("members", name)
        self._return_seconds: Final = return_seconds
        self._settling: Final = Settling(settle_seconds)
        self._heard: frozenset[int] | None = None
        self._heard_in = -1
        self._before: Assignment = ()
        self._connections = max(1, session.connections)
        self._returning_until = 0.0
        self._is_taken = False
        self._lookout: Final = Lookout("members", self._look, self._failed)
        session.listen(self._lookout.poke)
        self._lookout.start()

    def wanted(self) -> frozenset[int] | None:
        """The shards that fall to this member; None while ZooKeeper does not answer, or has not yet."""
        if not self._session.is_connected or self._heard_in != self._session.connections:
            return None
        return self._heard

    def close(self) -> None:
        """Leaves at once, and says to whom its shards go."""
        self._lookout.stop()
        self._heard = frozenset()
        try:
            if self._is_ours(self._own_stat(watched=False)):
                with suppress(NoNodeError, BadVersionError):  # then the others see to it
                    self._bequeath()
                    return
                self._session.ask("delete", self._own_path)
        except (Unreachable, NoNodeError):
            self._log.debug("ZooKeeper could not be told: the others see it when the session ends", node=self._name)

    def _bequeath(self) -> None:
        """Leaves and hands on in one: a member seen alive and without shards would be given some."""
        path = self._session.path("shards")
        body, stat = self._session.ask("get", path)
        heirs = set(self._session.ask("get_children", self._session.path("members"))) - {self._name}
        found = assignment(heirs, self._shards, _shared(body) or self._before)
        leaving = ("delete", (self._own_path,))
        if found:
            self._session.together(("set_data", (path, _stored(found), stat.version)), leaving)
        else:
            self._session.together(leaving)

    def _look(self) -> float:
        connection = self._session.connections
        if connection > self._connections:
            self._connections = connection
            self._returning_until = monotonic() + self._return_seconds
        try:
            wanted, seconds = self._agreed() if self._has_joined() else (frozenset(), LOOK_SECONDS)
        except Unreachable:
            return RETRY_SECONDS if self._session.is_connected else LOOK_SECONDS
        except (NoNodeError, NodeExistsError, BadVersionError):
            return 0.0  # somebody else was quicker
        self._heard, self._heard_in = wanted, connection
        return seconds

    def _has_joined(self) -> bool:
        """Whether this member's node is there and its own, or now made; False where another process has the name."""
        stat = self._own_stat(watched=True)
        if stat is not None and not self._is_ours(stat):
            body, stat = self._session.ask("get", self._own_path)
            if _life(body) != self._member.life:
                if not self._is_taken:
                    self._log.warn("a node of this name works already; this one waits for its end", node=self._name)
                self._is_taken = True
                return False
            # Of a session of ours that ended for us before it did for the servers.
            self._session.ask("delete", self._own_path, version=stat.version)
            stat = None
        if stat is None:
            self._session.ask("ensure_path", self._session.path("members"))
            self._session.ask("create", self._own_path, msgspec.json.encode(self._member), ephemeral=True)
            self._own_stat(watched=True)
            self._log.info("this node is a member", node=self._name)
        self._is_taken = False
        return True

    def _agreed(self) -> tuple[frozenset[int], float]:
        """What falls to this member by what all agree on, and when to look again; agrees on it anew where need be."""
        poke = self._lookout.poke
        path = self._session.path("shards")
        body, version = b"", None
        try:
            body, stat = self._session.ask("get", path, watch=poke)
            version = stat.version
        except NoNodeError:
            self._session.ask("exists", path, watch=poke)
        # After the assignment: whoever left since has written it anew, and what is written here is refused.
        members = self._session.ask("get_children", self._session.path("members"), watch=poke)
        before = _shared(body)
        if len(before) != self._shards:
            before = self._before  # where ZooKeeper has forgotten everything, its members have not
        found = assignment(members, self._shards, before)
        now = monotonic()
        # Asked also where nothing is to be changed: who was away for a moment was away only then.
        seconds = self._settling.remaining(members, now)
        if found == before and version is not None:
            return self._keep(found), LOOK_SECONDS
        if set(members).isdisjoint(before):
            seconds = 0.0  # what nobody has, nobody is to be waited for
        seconds = max(seconds, self._returning_until - now)
        if seconds > 0:
            return self._keep(before), seconds
        self._write(path, found, version)
        self._log.info("shards are assigned anew", members=len(members), to_this=found.count(self._name))
        return self._keep(found), LOOK_SECONDS

    def _keep(self, found: Sequence[str]) -> frozenset[int]:
        self._before = tuple(found)
        return shards_of(found, self._name)

    def _write(self, path: str, found: Assignment, version: int | None) -> None:
        if version is None:
            self._session.ask("create", path, _stored(found))
        else:
            self._session.ask("set", path, _stored(found), version=version)

    def _own_stat(self, watched: bool) -> ZnodeStat | None:
        stat: ZnodeStat | None = self._session.ask(
            "exists", self._own_path, watch=self._lookout.poke if watched else None
        )
        return stat

    def _is_ours(self, stat: ZnodeStat | None) -> bool:
        return stat is not None and stat.ephemeralOwner == self._session.owner_id()

    def _failed(self, failure: Exception) -> None:
        self._log.failure("ZooKeeper refuses; shards stay where they are", failure, node=self._name)


def _life(body: bytes) -> str | None:
    try:
        return msgspec.json.decode(body, type=Member).life
    except msgspec.MsgspecError:
        return None


def _stored(found: Assignment) -> bytes:
    names = tuple(sorted(set(found)))
    places = {name: place for place, name in enumerate(names)}
    return msgspec.json.encode(_Shared(members=names, shards=tuple(places[name] for name in found)))


def _shared(body: bytes) -> Assignment:
    """What is stored, as an assignment; none where it cannot be read, so that a good one takes its place."""
    try:
        shared = msgspec.json.decode(body, type=_Shared)
        return tuple(shared.members[place] for place in shared.shards)
    except (msgspec.MsgspecError, IndexError):
        return ()
