"""Instants, days and where they meet: the policy's time zone and its business days.

An instant is an integer number of microseconds since 1970-01-01T00:00:00Z. A day is a proleptic Gregorian ordinal
(``date.toordinal``). A time of day is an integer number of seconds since local midnight. All three are plain integers:
they add and compare for 30 ns interpreted and for nothing compiled, where ``datetime`` costs ten times as much.
"""

from bisect import bisect_right
from datetime import UTC, date, datetime, timedelta
from typing import Final, Protocol
from zoneinfo import ZoneInfo

SECOND: Final = 1_000_000
MINUTE: Final = 60_000_000
HOUR: Final = 3_600_000_000
DAY: Final = 86_400_000_000
NEVER: Final = (1 << 62) - 1
"""Later than every instant: the wake-up of a profile that waits for nothing.

One less than a round number: it is the greatest that compiled code keeps in a register, and not as an object.
"""

EPOCH_DAY: Final = 719_163  # date(1970, 1, 1).toordinal()
_LAST: Final = date.max
_LAST_DAY: Final = _LAST.toordinal()  # a due date may lie beyond it: days are integers
_FIRST_YEAR: Final = 1970
_LAST_YEAR: Final = 2100


class Zone:
    """A time zone as a table of its offsets, so that a conversion is arithmetic and one comparison.

    Before 1970 the first offset holds, after 2100 the last one. A local time that does not exist (spring) is read with
    the offset before the gap, one that exists twice (autumn) means the first: ``datetime`` with ``fold=0``.
    """

    def __init__(self, name: str) -> None:
        """``name`` is an IANA key such as ``Europe/Moscow``; raises what ``ZoneInfo`` raises for an unknown one."""
        self.name: Final[str] = name
        starts, offsets = _transitions(ZoneInfo(name))
        self._starts: Final[list[int]] = starts
        self._offsets: Final[list[int]] = offsets
        self._last_start: Final[int] = starts[-1]
        self._last_offset: Final[int] = offsets[-1]
        self._irregular: Final[set[int]] = {
            (start + offset) // DAY + EPOCH_DAY + k
            for start, offset in zip(starts[1:], offsets[1:], strict=True)
            for k in (-1, 0, 1)
        }
        # Midnights of days without a change of offset. The same few hundred days are asked for again and again.
        self._regular: Final[dict[int, int]] = {}

    def day(self, instant: int) -> int:
        """The local day on which ``instant`` falls."""
        if instant >= self._last_start:
            return (instant + self._last_offset) // DAY + EPOCH_DAY
        return (instant + self._offset(instant)) // DAY + EPOCH_DAY

    def time_of_day(self, instant: int) -> int:
        """Seconds since local midnight on the clock at ``instant``, rounded down."""
        return (instant + self._offset(instant)) % DAY // SECOND

    def midnight(self, day: int) -> int:
        """The instant at which local ``day`` begins."""
        known = self._regular.get(day)
        return known if known is not None else self._found(day, 0)

    def instant(self, day: int, time_of_day: int) -> int:
        """The instant at which the local clock shows ``time_of_day`` (seconds) on ``day``."""
        known = self._regular.get(day)
        return known + time_of_day * SECOND if known is not None else self._found(day, time_of_day)

    def _found(self, day: int, time_of_day: int) -> int:
        if day in self._irregular:
            return self._instant(day, time_of_day)
        if len(self._regular) >= 40_000:  # a century; beyond that somebody feeds us nonsense
            self._regular.clear()
        midnight = self._regular[day] = self._instant(day, 0)
        return midnight + time_of_day * SECOND

    def _offset(self, instant: int) -> int:
        if instant >= self._last_start:
            return self._last_offset
        return self._offsets[max(0, bisect_right(self._starts, instant) - 1)]

    def _instant(self, day: int, time_of_day: int) -> int:
        wall = (day - EPOCH_DAY) * DAY + time_of_day * SECOND
        # An offset is at most a day: the transitions that matter lie within a day of the wall time read as UTC.
        after = self._offset(wall + DAY)
        before = self._offset(wall - DAY)
        if before == after:
            return wall - before
        # fold=0: the earlier reading where there are two, and the offset before the gap where there is none.
        if self._offset(wall - before) == before:
            return wall - before
        if self._offset(wall - after) == after:
            return wall - after
        return wall - before


def _transitions(zone: ZoneInfo) -> tuple[list[int], list[int]]:
    """Instants from which an offset (microseconds east) holds, ascending; the first is before every instant we meet."""
    starts: list[int] = [-NEVER]
    offsets: list[int] = []
    probe = datetime(_FIRST_YEAR, 1, 1, tzinfo=UTC)
    last = datetime(_LAST_YEAR, 1, 1, tzinfo=UTC)
    step = timedelta(days=7)  # no zone has changed its offset twice within a week since 1970
    current = _offset_at(zone, probe)
    offsets.append(current)
    while probe < last:
        following = _offset_at(zone, probe + step)
        if following != current:
            starts.append(_first_with(zone, following, probe, probe + step))
            offsets.append(following)
            current = following
        probe += step
    return starts, offsets


def _offset_at(zone: ZoneInfo, moment: datetime) -> int:
    offset = moment.astimezone(zone).utcoffset()
    assert offset is not None
    return offset // timedelta(microseconds=1)


def _first_with(zone: ZoneInfo, offset: int, low: datetime, high: datetime) -> int:
    """Bisects for the second at which ``offset`` begins; ``low`` has another one, ``high`` has it."""
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) // 2
        middle = middle.replace(microsecond=0)
        if middle <= low:
            break
        if _offset_at(zone, middle) == offset:
            high = middle
        else:
            low = middle
    return int(high.timestamp()) * SECOND


class DaysOff(Protocol):
    """Who knows a country's public holidays and moved days; the adapters bring one."""

    def is_day_off(self, day: int) -> bool:
        """Whether nobody works on ``day`` (an ordinal)."""


class BusinessCalendar:
    """Business days: Mondays to Fridays, or what a country's calendar says."""

    def __init__(self, country: DaysOff | None = None) -> None:
        self._country: Final[DaysOff | None] = country
        self._known: Final[dict[int, bool]] = {}

    @property
    def country(self) -> DaysOff | None:
        """Whose holidays these are; None where only weekends are days off."""
        return self._country

    def is_business_day(self, day: int) -> bool:
        """Whether local ``day`` is a working day."""
        if self._country is None:
            return (day + 6) % 7 < 5  # ordinal 1 was a Monday
        known = self._known.get(day)
        if known is None:
            if len(self._known) >= 40_000:
                self._known.clear()
            known = self._known[day] = not self._country.is_day_off(day)
        return known


def month_day(day: int, day_of_month: int) -> int:
    """The first day from ``day`` on that is the ``day_of_month``-th of its month, or its last where it is shorter."""
    if day > _LAST_DAY:
        return day
    at = date.fromordinal(day)
    candidate = _clipped(at.year, at.month, day_of_month)
    if candidate >= day:
        return candidate
    if at.month < 12:
        return _clipped(at.year, at.month + 1, day_of_month)
    return _LAST_DAY + day_of_month if at.year == _LAST.year else _clipped(at.year + 1, 1, day_of_month)


def _clipped(year: int, month: int, day_of_month: int) -> int:
    first = date(year, month, 1).toordinal()
    last = date(year, month + 1, 1).toordinal() - 1 if month < 12 else date(year, 12, 31).toordinal()
    return min(first + day_of_month - 1, last)


def date_of(day: int) -> str:
    """A day as ``YYYY-MM-DD``; beyond the calendar's end as a plain number of days."""
    return date.fromordinal(day).isoformat() if 0 < day <= date.max.toordinal() else f"day {day}"


def time_of(time_of_day: int) -> str:
    """A time of day as ``HH:MM``."""
    return f"{time_of_day // 3600:02}:{time_of_day // 60 % 60:02}"


def duration_in_words(duration: int) -> str:
    """A duration in its greatest whole unit: ``2d``, ``90m``."""
    for unit, name in ((DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (SECOND, "s")):
        if duration % unit == 0:
            return f"{duration // unit}{name}"
    return f"{duration}us"
