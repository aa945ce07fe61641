"""Policies out of TOML files: what they come to, from one file, from several, and with managers beside them."""

import pickle
from datetime import date
from pathlib import Path

import pytest

from adapters.holidays_calendar import CountryDaysOff
from adapters.policy_files import load_policy
from domain.calendar import DAY, HOUR
from domain.policy import Cap, ContactHours, Measure, Terms
from tests.adapters.policy_texts import EXAMPLES, MINIMAL, WHOLE, load, marked, refused

# --- what a policy comes to -------------------------------------------------------------------------------------------


def test_a_whole_policy_is_read_as_it_is_written(tmp_path: Path) -> None:
    policy = load(tmp_path, WHOLE)
    assert (policy.name, policy.version, policy.currency, policy.zone.name) == ("telecom", 3, "RUB", "Europe/Moscow")
    assert policy.terms == {"organisation": Terms(days_after=5), "person": Terms(day_of_month=5)}
    assert (policy.min_overdue, policy.max_overdue, policy.restore_within) == (10_000, 0, 4 * HOUR)
    assert policy.contact.workday == ContactHours(opens=8 * 3600, closes=22 * 3600)
    assert policy.contact.dayoff == ContactHours(opens=9 * 3600, closes=20 * 3600)
    assert policy.contact.caps[0] == Cap(kind="call", per_day=1, per_week=2, per_month=8)
    assert policy.contact.parties == {"person"}
    assert policy.attributes["revenue_class"].values == ("A", "B", "C")
    assert policy.attributes["revenue_class"].default == "C"
    assert [(each.name, each.plan, each.when is None) for each in policy.segments] == [
        ("key-organisations", "soft", False),
        ("everyone", "internet", True),
    ]
    assert policy.plans["soft"].measures == ()
    assert policy.plans["internet"].min_gap_days == 2
    service = policy.service_segments[0]
    assert (service.group, service.assign, service.escalate_after) == ("nw-managers", "least-loaded", DAY)
    assert (policy.breakers[0].per_hour, policy.breakers[0].share_per_hour) == (20_000, 0.05)
    assert policy.managers is None


def test_a_measure_has_the_defaults_of_its_kind(tmp_path: Path) -> None:
    block, warn, terminate = load(tmp_path, WHOLE).plans["internet"].measures
    assert block == Measure(
        name="block-internet",
        kind="restrict",
        target="network",
        day=1,
        at=10 * 3600 + 1800,
        reverse="unblock-internet",
        confirm_within=HOUR // 2,
        retries=2,
        params={"speed": 512, "since": "2026-01-01"},
    )
    assert (warn.target, warn.at, warn.channel, warn.cost) == ("messaging", 36_000, "autodial", 6.0)
    assert warn.when is not None
    assert warn.when.source == "overdue >= 30000"
    assert (terminate.target, terminate.approval, terminate.business_days) == ("billing", "head", True)


def test_prevention_takes_its_time_from_the_rule_or_from_its_measure(tmp_path: Path) -> None:
    text = WHOLE.replace('template = "balance-low" }', 'template = "balance-low", at = "12:00" }')
    low, soon = load(tmp_path, text).preventions
    assert (low.measure.name, low.measure.at, low.balance_below, low.rearm_at) == (
        "balance-low",
        43_200,
        10_000,
        15_000,
    )
    assert (soon.measure.name, soon.measure.at, soon.days_before_due) == ("due-soon", 39_600, 3)


def test_a_warning_of_the_balance_has_no_time_of_day_that_contact_hours_could_leave_out(tmp_path: Path) -> None:
    hours = '[contact]\nhours = { workday = "00:00-06:00", dayoff = "00:00-06:00" }\n'
    warning = '[[prevention]]\nname = "low"\nmeasure = { kind = "notify", channel = "sms" }\n'
    assert load(tmp_path, f"{MINIMAL}{hours}{warning}balance_below = 100").preventions[0].balance_below == 100
    for rule in ("days_before_due = 3", 'balance_below = 100\nat = "10:00"'):
        (tmp_path / "policy.toml").write_text(f"{MINIMAL}{hours}{warning}{rule}")
        assert "at 10:00 is outside the contact hours" in str(refused(tmp_path / "policy.toml"))


def test_a_threshold_is_armed_again_where_it_fires_unless_told_otherwise(tmp_path: Path) -> None:
    low = load(tmp_path, WHOLE.replace("rearm_at = 15000\n", "")).preventions[0]
    assert low.rearm_at == 10_000


def test_little_is_needed_and_the_rest_has_defaults(tmp_path: Path) -> None:
    policy = load(tmp_path, MINIMAL)
    assert (policy.min_overdue, policy.max_overdue, policy.restore_within) == (1, 0, None)
    assert policy.contact.workday is None
    assert policy.plans["internet"].min_gap_days == 1
    assert policy.calendar.is_business_day(date(2025, 11, 3).toordinal())  # a Monday


def test_days_off_are_those_of_the_country_moved_days_included(tmp_path: Path) -> None:
    calendar = load(tmp_path, WHOLE).calendar
    saturday_worked, monday_off = date(2025, 11, 1), date(2025, 11, 3)
    assert calendar.is_business_day(saturday_worked.toordinal())
    assert not calendar.is_business_day(monday_off.toordinal())


@pytest.mark.parametrize(("year", "expected"), [(1900, True), (2999, True)])
def test_in_years_without_a_calendar_days_off_are_weekends(tmp_path: Path, year: int, expected: bool) -> None:
    calendar = load(tmp_path, WHOLE).calendar
    days = range(date(year, 1, 1).toordinal(), date(year, 1, 15).toordinal())
    weekdays = [calendar.is_business_day(day) == (date.fromordinal(day).weekday() < 5) for day in days]
    assert all(weekdays) is expected


@pytest.mark.parametrize("name", ["telecom", "soft", "fz230"])
def test_the_examples_are_in_order(name: str) -> None:
    folder = load_policy(EXAMPLES / name)
    file = load_policy(EXAMPLES / name / "policy.toml")
    assert folder.name == file.name == name
    assert folder.plans == file.plans
    assert folder.managers == file.managers


def test_every_group_of_the_telecom_example_has_people_and_a_head() -> None:
    policy = load_policy(EXAMPLES / "telecom")
    assert policy.managers is not None
    for segment in policy.service_segments:
        roles = {each.role for each in policy.managers.values() if segment.group in each.groups}
        assert {"head", "specialist"} <= roles
    assert {each.role for each in policy.managers.values()} == {"specialist", "head", "administrator"}


def test_a_day_beyond_the_calendars_end_is_off_at_the_weekend() -> None:
    """A hold until 9999-12-31 is one for ever, and the day after it is asked about."""
    assert date.max.weekday() == 4
    days_off = CountryDaysOff("RU")
    assert [days_off.is_day_off(date.max.toordinal() + after) for after in range(4)] == [False, True, True, False]


def test_days_off_travel_to_another_process() -> None:
    days_off = pickle.loads(pickle.dumps(CountryDaysOff("RU")))
    assert days_off.is_day_off(date(2025, 11, 3).toordinal())
    assert str(days_off) == "RU"


# --- several files ----------------------------------------------------------------------------------------------------


def test_a_folder_is_read_as_one_policy(tmp_path: Path) -> None:
    head, plans = WHOLE.split("[plans.soft]")
    (tmp_path / "10-rules.toml").write_text(head, encoding="utf-8")
    (tmp_path / "20-plans.toml").write_text("[plans.soft]" + plans, encoding="utf-8")
    (tmp_path / "dms.toml").write_text('store = "sqlite:///dms.db"', encoding="utf-8")
    folder = load_policy(tmp_path)
    whole = load(tmp_path, WHOLE)
    assert folder.plans == whole.plans
    assert folder.segments == whole.segments
    assert folder.preventions == whole.preventions


def test_segments_of_several_files_follow_the_order_of_the_files_names(tmp_path: Path) -> None:
    key = '[[segment]]\nname = "key"\nwhen = "party == \'organisation\'"\nplan = "internet"\n'
    (tmp_path / "a.toml").write_text(key, encoding="utf-8")
    (tmp_path / "b.toml").write_text(MINIMAL, encoding="utf-8")
    assert [each.name for each in load_policy(tmp_path).segments] == ["key", "everyone"]


def test_two_files_must_not_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(MINIMAL, encoding="utf-8")
    again = '[plans.internet]\nmin_gap_days = 3\n[policy]\nname = "other"\ncalendar = "RU"\n'
    (tmp_path / "b.toml").write_text(again, encoding="utf-8")
    error = refused(tmp_path)
    assert [(Path(fault.file).name, fault.line) for fault in error.faults] == [("b.toml", 1), ("b.toml", 4)]
    assert "a.toml:12" in error.faults[0].message
    assert "a.toml:3" in error.faults[1].message


def test_faults_of_all_files_are_reported_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(MINIMAL.replace("version = 1", "version = 0"), encoding="utf-8")
    (tmp_path / "b.toml").write_text("[entry]\nmin_overdue = -1\n", encoding="utf-8")
    (tmp_path / "managers.toml").write_text('[[manager]]\nid = "a"\nrole = "boss"\n', encoding="utf-8")
    found = [(Path(fault.file).name, fault.line) for fault in refused(tmp_path).faults]
    assert found == [("a.toml", 4), ("b.toml", 2), ("managers.toml", 3)]


# --- managers ---------------------------------------------------------------------------------------------------------


def test_managers_stand_beside_the_policy(tmp_path: Path) -> None:
    (tmp_path / "managers.toml").write_text(
        """
[[manager]]
id = "m1"
name = "Vera Orlova"
role = "head"
groups = ["nw-managers"]
capacity = 40
away = [["2026-07-06", "2026-07-19"], 2026-03-02, [2026-05-04, 2026-05-08], "2026-01-12"]

[[manager]]
id = "m2"
role = "specialist"
""",
        encoding="utf-8",
    )
    managers = load(tmp_path, MINIMAL).managers
    assert managers is not None
    assert list(managers) == ["m1", "m2"]
    vera = managers["m1"]
    assert (vera.name, vera.role, vera.groups, vera.capacity) == ("Vera Orlova", "head", ("nw-managers",), 40)
    absences = [(date.fromordinal(first).isoformat(), date.fromordinal(last).isoformat()) for first, last in vera.away]
    assert absences == [
        ("2026-01-12", "2026-01-12"),
        ("2026-03-02", "2026-03-02"),
        ("2026-05-04", "2026-05-08"),
        ("2026-07-06", "2026-07-19"),
    ]
    assert managers["m2"].capacity is None


def test_what_is_wrong_with_managers_has_its_line_too(tmp_path: Path) -> None:
    text = """
[[manager]]
id = "m1"
role = "analyst"  # !
capacity = -1  # !
away = [
    "2026-02-30",  # !
    ["2026-02-02", "2026-02-01"],  # !
    ["2026-02-01", "2026-02-02", "2026-02-03"],  # !
    7,  # !
]

[[manager]]
id = "m1"  # !
role = "head"
group = "nw-managers"  # !
groups = "nw-managers"  # !

[[manager]]  # !
role = "head"
"""
    (tmp_path / "policy.toml").write_text(MINIMAL, encoding="utf-8")
    (tmp_path / "managers.toml").write_text(text, encoding="utf-8")
    assert [fault.line for fault in refused(tmp_path).faults] == marked(text)


def test_managers_are_no_policy(tmp_path: Path) -> None:
    (tmp_path / "managers.toml").write_text('[[manager]]\nid = "a"\nrole = "head"\n', encoding="utf-8")
    assert "these are the managers" in str(refused(tmp_path / "managers.toml"))
