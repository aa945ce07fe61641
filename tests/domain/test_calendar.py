"""Instants, days and where they meet: our table of offsets against the standard library's zones, and business days."""

import random
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest

from domain.calendar import (
    DAY,
    EPOCH_DAY,
    HOUR,
    MINUTE,
    SECOND,
    BusinessCalendar,
    Zone,
    date_of,
    month_day,
    time_of,
)
from tests.domain.world import at, clock, on

# Half an hour of summer time, midnights that do not exist or come twice, a day that was left out, five zones in a
# country, sub-minute offsets, summer time of the southern half, and none at all.
ZONES = [
    "Europe/Moscow",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Asia/Beirut",
    "Asia/Kolkata",
    "Asia/Vladivostok",
    "Africa/Monrovia",
    "Africa/Casablanca",
    "Africa/Cairo",
    "Pacific/Apia",
    "UTC",
]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant_of(moment: datetime) -> int:
    return (moment.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)


@cache
def changes_of(zone: ZoneInfo) -> list[datetime]:
    """The hours in which clocks of ``zone`` were or will be changed, from 1970 to 2040."""
    moment, changes = _EPOCH, []
    while moment < datetime(2040, 1, 1, tzinfo=UTC):
        following = moment + timedelta(days=1)
        if moment.astimezone(zone).utcoffset() != following.astimezone(zone).utcoffset():
            changes.append(moment)
        moment = following
    return changes


def moments_for(name: str) -> list[datetime]:
    """Instants anywhere, and around each change of clocks."""
    chance = random.Random(name)
    span = int(timedelta(days=365 * 110).total_seconds())
    anywhere = [_EPOCH + timedelta(seconds=chance.randrange(span)) for _ in range(1_000)]
    near = [
        change + timedelta(seconds=chance.randrange(-86_400, 3 * 86_400))
        for change in changes_of(ZoneInfo(name))
        for _ in range(8)
    ]
    return anywhere + near


@pytest.mark.parametrize("name", ZONES)
def test_a_zone_tells_the_day_and_the_time_of_day_as_the_standard_library_does(name: str) -> None:
    zone, reference = Zone(name), ZoneInfo(name)
    for moment in moments_for(name):
        if moment.year >= 2100:
            continue
        local = moment.astimezone(reference)
        expected = local.toordinal(), local.hour * 3600 + local.minute * 60 + local.second
        instant = instant_of(moment)
        assert (zone.day(instant), zone.time_of_day(instant)) == expected, f"{moment} in {name}"


@pytest.mark.parametrize("name", ZONES)
def test_a_local_time_is_read_as_the_standard_library_reads_it_with_the_first_of_two_readings(name: str) -> None:
    zone, reference = Zone(name), ZoneInfo(name)
    for moment in moments_for(name):
        if moment.year >= 2100:
            continue
        local = moment.astimezone(reference).replace(tzinfo=None, microsecond=0, fold=0)
        # An hour on either side, so that times which do not exist, or exist twice, are asked for too.
        for wall in (local - timedelta(hours=1), local, local + timedelta(hours=1)):
            seconds = wall.hour * 3600 + wall.minute * 60 + wall.second
            expected = instant_of(wall.replace(tzinfo=reference))
            assert zone.instant(wall.toordinal(), seconds) == expected, f"{wall} in {name}"


@pytest.mark.parametrize("name", ZONES)
def test_a_day_begins_where_the_day_before_ends(name: str) -> None:
    """Midnights ascend, and between two of them it is one day; a day that was left out has no length."""
    zone = Zone(name)
    for day in range(on("2009-12-01"), on("2029-03-01")):
        begins, ends = zone.midnight(day), zone.midnight(day + 1)
        if name == "Pacific/Apia" and day == on("2011-12-30"):
            assert zone.day(begins) == day + 1, "nobody has seen this day"
            continue
        assert begins < ends, date_of(day)
        assert zone.day(begins) == day, date_of(day)
        assert zone.day(ends - 1) == day, date_of(day)


@pytest.mark.parametrize(
    ("zone", "wall", "expected"),
    [
        ("Europe/Berlin", "2026-03-29 02:30", "2026-03-29 01:30"),  # does not exist: an hour later by the new clock
        ("Europe/Berlin", "2026-10-25 02:30", "2026-10-25 00:30"),  # exists twice: the first
        ("America/Sao_Paulo", "2018-11-04 00:00", "2018-11-04 03:00"),  # a midnight that does not exist
        ("America/Sao_Paulo", "2018-02-17 23:30", "2018-02-18 01:30"),  # the hour before midnight comes twice
        ("Europe/Moscow", "2014-10-26 01:30", "2014-10-25 21:30"),  # the clocks were put back for good
    ],
)
def test_an_odd_local_time_has_one_instant(zone: str, wall: str, expected: str) -> None:
    day, time = wall.split()
    assert Zone(zone).instant(on(day), clock(time)) == at(expected, "UTC")


def test_asking_in_another_order_changes_no_answer() -> None:
    """Midnights are kept once they were found; that must not be seen."""
    days = list(range(on("2026-03-20"), on("2026-04-05")))
    one, other = Zone("Europe/Berlin"), Zone("Europe/Berlin")
    forwards = [(one.midnight(day), one.instant(day, clock("02:30"))) for day in days]
    backwards = [(other.instant(day, clock("02:30")), other.midnight(day)) for day in reversed(days)]
    assert [(midnight, half) for half, midnight in reversed(backwards)] == forwards


def test_before_1970_the_first_offset_holds_and_after_2100_the_last() -> None:
    berlin = Zone("Europe/Berlin")
    assert berlin.midnight(EPOCH_DAY - 10_000) == -10_000 * DAY - HOUR
    assert berlin.midnight(on("2150-07-01")) == at("2150-06-30 23:00", "UTC")


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(KeyError):
        Zone("Europe/Atlantis")


def test_units_are_made_of_each_other() -> None:
    assert (MINUTE, HOUR, DAY) == (60 * SECOND, 60 * MINUTE, 24 * HOUR)


# Days of the month.


@pytest.mark.parametrize(
    ("day", "day_of_month", "expected"),
    [
        ("2026-03-05", 5, "2026-03-05"),  # on the day itself
        ("2026-03-06", 5, "2026-04-05"),
        ("2026-12-06", 5, "2027-01-05"),
        ("2026-02-01", 31, "2026-02-28"),  # past the month's end: its last day
        ("2028-02-01", 30, "2028-02-29"),
        ("2026-02-28", 31, "2026-02-28"),
        ("2026-03-31", 30, "2026-04-30"),
        ("2026-01-31", 30, "2026-02-28"),
        ("2026-12-31", 31, "2026-12-31"),
    ],
)
def test_the_next_day_of_the_month_is_clipped_to_the_month(day: str, day_of_month: int, expected: str) -> None:
    assert date_of(month_day(on(day), day_of_month)) == expected


def test_beyond_the_calendars_end_there_are_no_months() -> None:
    assert month_day(date.max.toordinal() + 1, 5) == date.max.toordinal() + 1


def test_the_next_day_of_the_month_is_the_first_that_fits() -> None:
    """For every day of five years and every day of the month: no earlier day would have done."""
    for day in range(on("2024-01-01"), on("2029-01-01")):
        for wanted in (1, 5, 28, 29, 30, 31):
            found = month_day(day, wanted)
            fitting = (each for each in range(day, day + 32) if is_day_of_month(each, wanted))
            assert found == next(fitting), (date_of(day), wanted)


def is_day_of_month(day: int, wanted: int) -> bool:
    here, tomorrow = date.fromordinal(day), date.fromordinal(day + 1)
    return here.day == wanted or (here.day < wanted and tomorrow.day == 1)


# Business days.


class Holidays:
    """A country in which some days are off, whatever their weekday, and which counts how often it is asked."""

    def __init__(self, *days: str) -> None:
        self.days = {on(day) for day in days}
        self.asked = 0

    def is_day_off(self, day: int) -> bool:
        self.asked += 1
        return day in self.days


def test_without_a_country_saturdays_and_sundays_are_off() -> None:
    calendar = BusinessCalendar()
    week = range(on("2026-03-02"), on("2026-03-09"))
    assert [calendar.is_business_day(day) for day in week] == [True] * 5 + [False] * 2
    assert all(
        calendar.is_business_day(day) == (date.fromordinal(day).weekday() < 5)
        for day in range(on("1969-01-01"), on("2031-01-01"))
    )


def test_with_a_country_its_own_days_are_off_and_a_saturday_may_be_worked() -> None:
    calendar = BusinessCalendar(Holidays("2026-03-09"))
    assert not calendar.is_business_day(on("2026-03-09"))
    assert calendar.is_business_day(on("2026-03-07"))


def test_a_country_is_asked_once_for_each_day() -> None:
    country = Holidays("2026-03-09")
    calendar = BusinessCalendar(country)
    assert [calendar.is_business_day(on("2026-03-09")) for _ in range(3)] == [False] * 3
    assert (country.asked, calendar.country) == (1, country)


def test_days_and_times_are_shown_as_people_write_them() -> None:
    assert (date_of(on("2026-03-06")), time_of(clock("09:05"))) == ("2026-03-06", "09:05")
    assert date_of(10**9) == "day 1000000000"
