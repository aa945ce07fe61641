"""Coordination in memory: the twin of the ones in adapters/, with the faults that the real ones have.

The group knows at once who lives. A member learns of it at once too, unless its news are late, and knows nothing at all
while it is cut off: as with ZooKeeper, its shards fall to the others when its session has ended, which `expire` says.
"""

from threading import Lock
from typing import Final

from engine.assignment import Assignment, assignment, shards_of


class MemoryMembers:
    """A group of members over the shards of one store. All of it may be called from any thread."""

    def __init__(self, shards: int) -> None:
        self._shards: Final = shards
        self._lock: Final = Lock()
        self._living: Final[dict[str, MemoryCoordination]] = {}
        self._waiting: Final[list[MemoryCoordination]] = []
        self._cut_off: Final[set[MemoryCoordination]] = set()
        self._late: Final[set[MemoryCoordination]] = set()
        self._seen: Final[dict[MemoryCoordination, Assignment]] = {}
        self._assignment: Assignment = ()

    def join(self, name: str) -> "MemoryCoordination":
        """A member; one whose name is taken waits until it is free, and has nothing meanwhile."""
        member = MemoryCoordination(self, name)
        with self._lock:
            self._waiting.append(member)
            self._settle()
        return member

    def leave(self, member: "MemoryCoordination") -> None:
        """It is gone, and the others know."""
        with self._lock:
            self._drop(member)
            for known in (self._cut_off, self._late):
                known.discard(member)

    def cut_off(self, member: "MemoryCoordination") -> None:
        """It hears nothing any more; the others do not know of that yet."""
        with self._lock:
            self._cut_off.add(member)

    def expire(self, member: "MemoryCoordination") -> None:
        """Its session ends: to the others it is gone."""
        with self._lock:
            self._drop(member)

    def heal(self, member: "MemoryCoordination") -> None:
        """It hears again, and joins again if its session had ended."""
        with self._lock:
            self._cut_off.discard(member)
            if self._living.get(member.name) is not member and member not in self._waiting:
                self._waiting.append(member)
            self._settle()

    def hold_news(self, member: "MemoryCoordination") -> None:
        """From now on it goes by what it has heard so far."""
        with self._lock:
            self._late.add(member)

    def tell(self, member: "MemoryCoordination") -> None:
        """It hears what it has missed."""
        with self._lock:
            self._late.discard(member)
            self._settle()

    def wanted_by(self, member: "MemoryCoordination") -> frozenset[int] | None:
        """What `MemoryCoordination.wanted` answers."""
        with self._lock:
            if member in self._cut_off:
                return None
            return shards_of(self._seen.get(member, ()), member.name)

    def _drop(self, member: "MemoryCoordination") -> None:
        if member in self._waiting:
            self._waiting.remove(member)
        if self._living.get(member.name) is member:
            del self._living[member.name]
        self._seen.pop(member, None)
        self._settle()

    def _settle(self) -> None:
        for member in list(self._waiting):
            if member.name not in self._living and member not in self._cut_off:
                self._waiting.remove(member)
                self._living[member.name] = member
        self._assignment = assignment(self._living, self._shards, self._assignment) or self._assignment
        for member in self._living.values():
            if member not in self._late and member not in self._cut_off:
                self._seen[member] = self._assignment


class MemoryCoordination:
    """One member of a group; `MemoryMembers.join` makes it."""

    def __init__(self, group: MemoryMembers, name: str) -> None:
        self.name: Final = name
        self._group: Final = group

    def wanted(self) -> frozenset[int] | None:
        """The shards that fall to it; None while it is cut off."""
        return self._group.wanted_by(self)

    def close(self) -> None:
        """Leaves at once."""
        self._group.leave(self)
