"""Exact instants and local dates.

An instant is the exact number of seconds since 1970-01-01T00:00:00Z, as a fraction: a `time` may carry any number of
decimal digits. A clock time is a number of minutes after midnight (1440 is the end of the day).
"""

import re
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

Instant = Fraction
Minutes = int

_RFC3339 = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:([Zz])|([+-])(\d\d):(\d\d))")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_DURATION = re.compile(r"(\d+)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_instant(text: str) -> Instant:
    """The instant of an RFC 3339 text; ValueError if it is none."""
    found = _RFC3339.fullmatch(text)
    if found is None:
        raise ValueError(f"not an RFC 3339 instant: {text!r}")
    year, month, day, hour, minute, second = (int(part) for part in found.group(1, 2, 3, 4, 5, 6))
    whole = datetime(year, month, day, hour, minute, second, tzinfo=UTC) - _EPOCH
    instant = Fraction(whole.days * 86400 + whole.seconds)
    if found.group(7):
        instant += Fraction(int(found.group(7)), 10 ** len(found.group(7)))
    if found.group(9):
        offset_seconds = int(found.group(10)) * 3600 + int(found.group(11)) * 60
        instant -= offset_seconds if found.group(9) == "+" else -offset_seconds
    return instant


def format_instant(instant: Instant) -> str:
    """RFC 3339 in UTC, with as many decimals as the instant has and no more."""
    whole = instant.numerator // instant.denominator
    rest = instant - whole
    text = (_EPOCH + timedelta(seconds=whole)).strftime("%Y-%m-%dT%H:%M:%S")
    digits = ""
    while rest:
        rest *= 10
        digit = rest.numerator // rest.denominator
        digits += str(digit)
        rest -= digit
    return f"{text}.{digits}Z" if digits else f"{text}Z"


def parse_date(text: object) -> date:
    """The date of a `YYYY-MM-DD` text; ValueError for anything else."""
    if not isinstance(text, str) or _DATE.fullmatch(text) is None:
        raise ValueError(f"not a date: {text!r}")
    return date.fromisoformat(text)


def parse_duration(text: str) -> Fraction:
    """Seconds of a duration such as `10m`, `4h` or `1h30m`."""
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"not a duration: {text!r}")
    return Fraction(sum(int(number) * _SECONDS[unit] for number, unit in parts))


def parse_clock(text: str) -> Minutes:
    """Minutes after midnight of `HH:MM`."""
    hour, minute = text.split(":")
    return int(hour) * 60 + int(minute)


class Zone:
    """The policy's time zone: from local dates and clock times to instants, and back."""

    def __init__(self, name: str) -> None:
        self._zone = ZoneInfo(name)

    def date_of(self, instant: Instant) -> date:
        """The local date at an instant."""
        whole = instant.numerator // instant.denominator
        return (_EPOCH + timedelta(seconds=whole)).astimezone(self._zone).date()

    def at(self, day: date, clock: Minutes) -> Instant:
        """The instant of a local clock time: the first of two when it comes twice."""
        day, clock = day + timedelta(days=clock // 1440), clock % 1440
        local = datetime(day.year, day.month, day.day, clock // 60, clock % 60, tzinfo=self._zone, fold=0)
        passed = local.astimezone(UTC) - _EPOCH
        return Fraction(passed.days * 86400 + passed.seconds)

    def midnight(self, day: date) -> Instant:
        """The instant at which a local date begins."""
        return self.at(day, 0)

    def end_of(self, day: date) -> Instant:
        """The midnight after a local date."""
        return self.at(day, 1440)
