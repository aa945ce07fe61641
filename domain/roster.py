"""The roster of a desk: its managers, what each of them has here and elsewhere, who is present, and who is next.

One person may serve several groups and is full only once: what managers have at other desks is heard as `LoadReported`.
"""

from collections.abc import Mapping
from typing import Final

from domain.policy import Manager
from domain.record import Record

PROFILES: Final = 0
TASKS: Final = 1
_WORDS: Final = ("profiles", "tasks")

# Steps down from a role: (role, whether only in the group). The first step on which anybody stands is the pool.
_LADDERS: Final = {
    "specialist": (("specialist", True), ("head", True)),
    "head": (("head", True), ("administrator", True), ("administrator", False)),
    "administrator": (("administrator", True), ("administrator", False)),
}


class LoadReported(Record):
    """What ``manager`` has of one desk's work now: personal profiles and open tasks, as absolute numbers."""

    __slots__ = ("manager", "profiles", "service_segment", "tasks")
    __match_args__ = ("at", "service_segment", "manager", "profiles", "tasks")

    def __init__(self, at: int, service_segment: str, manager: str, profiles: int, tasks: int) -> None:
        self.at = at
        self.service_segment: Final = service_segment
        self.manager: Final = manager
        self.profiles: Final = profiles
        self.tasks: Final = tasks


class Roster:
    """The people as one desk sees them: who there is, who is present, how much each has, and whose turn it is."""

    def __init__(self, service_segment: str) -> None:
        self.service_segment: Final[str] = service_segment
        self.managers: Mapping[str, Manager] = {}
        self.today: int = -1
        # Round robin: who was last, by kind of work and pool.
        self.turns: Final[dict[str, str]] = {}
        self._own: Final[dict[str, list[int]]] = {}
        self._elsewhere: Final[dict[str, dict[str, LoadReported]]] = {}
        self._moved: dict[str, None] = {}
        self._pools: Final[dict[tuple[str, str], list[Manager]]] = {}
        # Pools found without room, and why: room only shrinks while work is being spread.
        self._full: Final[dict[tuple[int, str, str], str]] = {}
        self._new_room: Final[list[bool]] = [False, False]

    def adopt(self, managers: Mapping[str, Manager]) -> None:
        """From now on these are the people."""
        self.managers = managers
        self._pools.clear()
        self._freed(PROFILES)
        self._freed(TASKS)

    def begin_day(self, today: int) -> bool:
        """Absences begin and end at local midnight; whether it is another day than before."""
        if today == self.today:
            return False
        self.today = today
        self._freed(PROFILES)
        self._freed(TASKS)
        return True

    def back_on(self) -> int:
        """The first day after today on which somebody who is away now may be back; 0 where nobody is away."""
        days = [
            last + 1
            for manager in self.managers.values()
            for first, last in manager.away
            if first <= self.today <= last
        ]
        return min(days, default=0)

    def count(self, manager: str | None, kind: int, change: int) -> None:
        """Somebody got (1) or lost (-1) a profile or a task of this desk."""
        if manager is None:
            return
        own = self._own.setdefault(manager, [0, 0])
        own[kind] += change
        assert own[kind] >= 0, "nobody loses what they do not have"
        if own == [0, 0]:
            del self._own[manager]
        self._moved[manager] = None
        if change < 0:
            self._freed(kind)

    def hear(self, fact: LoadReported, more_only: bool = False) -> None:
        """What another desk has given; an older report than the last one heard changes nothing."""
        elsewhere = self._elsewhere.setdefault(fact.manager, {})
        before = elsewhere.get(fact.service_segment)
        if before is None:
            elsewhere[fact.service_segment] = fact
        elif before.at <= fact.at:
            profiles, tasks = max(before.profiles, fact.profiles), max(before.tasks, fact.tasks)
            if more_only:
                fact = LoadReported(fact.at, fact.service_segment, fact.manager, profiles, tasks)
            elsewhere[fact.service_segment] = fact
            if fact.profiles < before.profiles:
                self._freed(PROFILES)
            if fact.tasks < before.tasks:
                self._freed(TASKS)

    def expect(self, at: int, service_segment: str, manager: str) -> None:
        """A profile goes to another desk and its manager with it: no room until that desk has said so itself."""
        elsewhere = self._elsewhere.setdefault(manager, {})
        before = elsewhere.get(service_segment)
        profiles, tasks = (before.profiles, before.tasks) if before is not None else (0, 0)
        if before is None or before.at < at:
            elsewhere[service_segment] = LoadReported(at, service_segment, manager, profiles + 1, tasks)

    def load(self, manager: str, kind: int) -> int:
        """How many profiles or open tasks ``manager`` has, at all desks."""
        own = self._own.get(manager)
        load = own[kind] if own is not None else 0
        elsewhere = self._elsewhere.get(manager)
        if elsewhere is not None:
            for each in elsewhere.values():
                load += each.profiles if kind == PROFILES else each.tasks
        return load

    def loads(self, at: int) -> list[LoadReported]:
        """What each has of this desk's work."""
        return [LoadReported(at, self.service_segment, name, *own) for name, own in sorted(self._own.items())]

    def take_moved(self, at: int) -> list[LoadReported]:
        """The same of those for whom it has changed since this was last asked for."""
        moved, self._moved = self._moved, {}
        return [LoadReported(at, self.service_segment, name, *self._own.get(name, (0, 0))) for name in sorted(moved)]

    def has_room(self, manager: Manager, kind: int) -> bool:
        """Whether a rule may give ``manager`` more today."""
        if manager.is_away(self.today):
            return False
        return manager.capacity is None or self.load(manager.id, kind) < manager.capacity

    def pick(self, kind: int, role: str, group: str, rule: str) -> tuple[str | None, str]:
        """Whom ``rule`` names among those of the pool who are present and have room, and why; None: nobody has."""
        full = self._full.get((kind, role, group))
        if full is not None:
            return None, full
        pool = self._pool(role, group)
        free = [each for each in pool if self.has_room(each, kind)]
        if not free:
            away = len([each for each in pool if each.is_away(self.today)])
            reason = f"none of {len(pool)} has room, {away} away" if pool else f"no {role} in group {group}"
            self._full[kind, role, group] = reason
            return None, reason
        if rule == "round-robin":
            turn = f"{_WORDS[kind]}/{role}/{group}"
            last = self.turns.get(turn, "")
            after = [each.id for each in free if each.id > last]
            chosen = after[0] if after else free[0].id
            self.turns[turn] = chosen
            return chosen, f"round robin of {len(free)}"
        load, chosen = min([(self.load(each.id, kind), each.id) for each in free])
        return chosen, f"least loaded of {len(free)}: {load} {_WORDS[kind]}"

    def _pool(self, role: str, group: str) -> list[Manager]:
        """Who may get the work of ``role`` in ``group``, in order of id."""
        pool = self._pools.get((role, group))
        if pool is None:
            pool = []
            for rung, is_local in _LADDERS[role]:
                ids = [
                    each.id
                    for each in self.managers.values()
                    if each.role == rung and (group in each.groups or not is_local)
                ]
                if ids:
                    pool = [self.managers[each] for each in sorted(ids)]
                    break
            self._pools[role, group] = pool
        return pool

    def take_new_room(self, kind: int) -> bool:
        """Whether anybody may have got room since this was last asked."""
        is_new = self._new_room[kind]
        self._new_room[kind] = False
        return is_new

    def _freed(self, kind: int) -> None:
        self._new_room[kind] = True
        for key in [key for key in self._full if key[0] == kind]:
            del self._full[key]
