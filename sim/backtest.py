"""The same history under two policies: which commands appear, which vanish, which move to another time.

Commands are compared by what the debtor meets: the same measure of the same profile is the same command, wherever in
whichever plan it stands. Of those that both policies send, the ones that lie nearest in time belong together.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from domain.calendar import DAY

APPEARS: Final = "appears"
VANISHES: Final = "vanishes"
MOVES: Final = "moves"
STAYS: Final = "stays"

NO_SEGMENT: Final = "(none)"


class Sent(NamedTuple):
    """A command as it left: instants in microseconds, ``overdue`` in minor units."""

    at: int
    measure: str
    kind: str
    target: str
    reason: str
    overdue: int


class Difference(NamedTuple):
    """A command under the policy ``before`` (None: it is not sent there) and under the policy ``after``.

    ``segment`` is the policy segment that the profile was in under the first policy.
    """

    profile_id: str
    segment: str
    before: Sent | None
    after: Sent | None

    @property
    def what(self) -> str:
        """`APPEARS`, `VANISHES`, `MOVES` or `STAYS`."""
        if self.before is None:
            return APPEARS
        if self.after is None:
            return VANISHES
        return STAYS if self.before.at == self.after.at else MOVES

    @property
    def sent(self) -> Sent:
        """The command, as the second policy sends it if it does."""
        sent = self.after or self.before
        assert sent is not None
        return sent

    @property
    def days(self) -> float:
        """By how many days it moves: above 0 later, below 0 earlier."""
        if self.before is None or self.after is None:
            return 0.0
        return (self.after.at - self.before.at) / DAY


@dataclass(slots=True)
class Course:
    """What one policy did with a history: commands by profile, each profile's segments since when, and rejections.

    ``answers`` are recorded confirmations and failures, ``beheaded`` the profiles whose beginning is not known: they
    were left out, under every policy alike.
    """

    commands: dict[str, list[Sent]] = field(default_factory=dict)
    segments: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    rejected: int = 0
    answers: int = 0
    beheaded: int = 0

    def segment(self, profile_id: str, at: int) -> str:
        """The policy segment of a profile at an instant; before it had one, the first that it got."""
        known = self.segments.get(profile_id)
        if known is None:
            return NO_SEGMENT
        return known[max(0, bisect_right(known, at, key=_since) - 1)][1]


def _since(entry: tuple[int, str]) -> int:
    return entry[0]


def differences(before: Course, after: Course, moved_within: int = 15 * DAY) -> Iterator[Difference]:
    """Every command of both courses once, profile by profile, in order of time within one.

    What lies further apart than ``moved_within`` (microseconds) are two commands: one vanishes, the other appears.
    """
    for profile_id in sorted(before.commands.keys() | after.commands.keys()):
        theirs, ours = before.commands.get(profile_id, []), after.commands.get(profile_id, [])
        found = []
        for name in {_name(sent) for sent in [*theirs, *ours]}:
            old_ones = [sent for sent in theirs if _name(sent) == name]
            found += _paired(old_ones, [sent for sent in ours if _name(sent) == name], moved_within)
        found.sort(key=_first_at)
        for old, new in found:
            at = _first_at((old, new))[0]
            yield Difference(profile_id, before.segment(profile_id, at), old, new)


Pair = tuple[Sent | None, Sent | None]


def _name(sent: Sent) -> tuple[str, str]:
    return sent.measure, sent.kind


def _first_at(pair: Pair) -> tuple[int, str, str]:
    first = min((sent for sent in pair if sent is not None), key=lambda sent: sent.at)
    return first.at, first.measure, first.kind


def _paired(theirs: Sequence[Sent], ours: Sequence[Sent], moved_within: int) -> list[Pair]:
    """What both begin and end with stays; what lies in between is aligned."""
    shorter = min(len(theirs), len(ours))
    head = 0
    while head < shorter and theirs[head].at == ours[head].at:
        head += 1
    tail = 0
    while tail < shorter - head and theirs[-1 - tail].at == ours[-1 - tail].at:
        tail += 1
    end, other_end = len(theirs) - tail, len(ours) - tail
    return [
        *zip(theirs[:head], ours[:head], strict=True),
        *_aligned(theirs[head:end], ours[head:other_end], moved_within),
        *zip(theirs[end:], ours[other_end:], strict=True),
    ]


_PAIRS_BITS: Final = 24
"""A microsecond outweighs so many pairs, in bits."""


def _shift(old: Sent, new: Sent) -> int:
    return (2 * abs(new.at - old.at) << _PAIRS_BITS) - 1


def _aligned(theirs: Sequence[Sent], ours: Sequence[Sent], moved_within: int) -> list[Pair]:
    """The alignment in order of time with the least sum of shifts, where each command without a partner counts as half
    of ``moved_within`` (Needleman and Wunsch 1970: O(n m)); of equal sums, that with the most pairs, so that the other
    way round it is the same."""
    gap = moved_within << _PAIRS_BITS
    costs = [[gap * column for column in range(len(ours) + 1)]]
    for row, old in enumerate(theirs, 1):
        above, line = costs[-1], [gap * row]
        for column, new in enumerate(ours, 1):
            line.append(min(above[column - 1] + _shift(old, new), above[column] + gap, line[-1] + gap))
        costs.append(line)
    pairs: list[Pair] = []
    row, column = len(theirs), len(ours)
    while row or column:
        cost = costs[row][column]
        if row and column:
            old, new = theirs[row - 1], ours[column - 1]
            if cost == costs[row - 1][column - 1] + _shift(old, new):
                pairs.append((old, new))
                row, column = row - 1, column - 1
                continue
        if row and cost == costs[row - 1][column] + gap:
            pairs.append((theirs[row - 1], None))
            row -= 1
        else:
            pairs.append((None, ours[column - 1]))
            column -= 1
    return pairs


@dataclass(slots=True)
class Count:
    """The differences of one measure in one segment. ``earlier`` and ``later`` hold by how many days each moved."""

    stays: int = 0
    appears: int = 0
    vanishes: int = 0
    earlier: list[float] = field(default_factory=list)
    later: list[float] = field(default_factory=list)

    def add(self, difference: Difference) -> None:
        """Counts one more."""
        what = difference.what
        if what == STAYS:
            self.stays += 1
        elif what == APPEARS:
            self.appears += 1
        elif what == VANISHES:
            self.vanishes += 1
        elif difference.days < 0:
            self.earlier.append(-difference.days)
        else:
            self.later.append(difference.days)

    @property
    def changed(self) -> int:
        """How many did not stay."""
        return self.appears + self.vanishes + len(self.earlier) + len(self.later)


Counts = dict[tuple[str, str, str], Count]
"""By segment, measure and kind, in that order."""


def counted(found: Iterable[Difference]) -> Counts:
    """The differences counted."""
    counts: Counts = {}
    for difference in found:
        sent = difference.sent
        counts.setdefault((difference.segment, sent.measure, sent.kind), Count()).add(difference)
    return dict(sorted(counts.items()))
