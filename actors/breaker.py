"""Breakers: a rule gone wild is stopped before it has reached everybody."""

from collections import Counter, deque
from collections.abc import Iterable
from typing import Final

from domain.calendar import HOUR
from domain.events import MeasureRequested
from domain.policy import Breaker, Policy
from domain.profile import Profile
from domain.record import Record


class Fuse:
    """Counts the commands of one kind of one segment over an hour; once too many, it lets none through until reset."""

    def __init__(self, rule: Breaker, segment: str) -> None:
        self.rule: Final = rule
        self.name: Final = f"{rule.kind}@{segment}"
        self.is_blown: bool = False
        self._passed: Final[deque[int]] = deque()

    def lets_through(self, at: int, profiles: int, share: float, is_retry: bool) -> bool:
        """Whether one more command may leave at ``at``, of a segment with so many ``profiles``; it is counted then.

        ``share`` of the store's shards are worked here, and that much of a number per hour is ours to use. A retry is
        the command that was counted already. A share of a small segment is at least one command: else nobody could
        ever be worked there.
        """
        if self.is_blown or is_retry:
            return not self.is_blown
        while self._passed and self._passed[0] <= at - HOUR:
            self._passed.popleft()
        if len(self._passed) >= self._limit(profiles, share):
            self.is_blown = True
            return False
        self._passed.append(at)
        return True

    def reset(self) -> None:
        """People have decided: it counts from nothing again."""
        self.is_blown = False
        self._passed.clear()

    def _limit(self, profiles: int, share: float) -> int:
        limits = []
        if self.rule.per_hour is not None:
            limits.append(max(1, int(self.rule.per_hour * share)))
        if self.rule.share_per_hour is not None:
            limits.append(max(1, int(self.rule.share_per_hour * profiles)))
        return min(limits)


class Panel:
    """The fuses of a lane, by policy segment. ``profiles_in`` counts each segment's profiles, active or not."""

    def __init__(self) -> None:
        self.profiles_in: Counter[str | None] = Counter()
        self.share = 1.0
        """How much of the store's shards is worked here: engines that share a store share a breaker's number so."""
        self._fuses: Final[dict[tuple[Breaker, str], Fuse]] = {}
        self._blown: Final[set[str]] = set()

    def held_back(self, policy: Policy, profile: Profile, facts: Iterable[Record]) -> dict[str, str] | None:
        """Commands that must wait in the outbox, with the breaker of each; what was decided stays decided."""
        held: dict[str, str] = {}
        segment = profile.policy_segment
        if segment is None:
            return None
        for fact in facts:
            if isinstance(fact, MeasureRequested):
                for rule in policy.breakers:
                    if rule.kind == fact.kind and rule.segment in (None, segment):
                        fuse = self._fuse(rule, segment)
                        if not fuse.lets_through(fact.at, self.profiles_in[segment], self.share, fact.attempt > 1):
                            held[fact.command_id] = fuse.name
                            break
        return held or None

    def set(self, name: str, is_blown: bool) -> None:
        """Blows a fuse, since the store holds commands behind it from before; or has it count from nothing again."""
        (self._blown.add if is_blown else self._blown.discard)(name)
        for fuse in self._fuses.values():
            if fuse.name == name:
                fuse.reset()
                fuse.is_blown = is_blown

    def _fuse(self, rule: Breaker, segment: str) -> Fuse:
        fuse = self._fuses.get((rule, segment))
        if fuse is None:
            fuse = self._fuses[rule, segment] = Fuse(rule, segment)
            fuse.is_blown = fuse.name in self._blown
        return fuse
