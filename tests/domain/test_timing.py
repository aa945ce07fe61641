"""When the next measure fires: every clause of the rule, alone and against the others.

The invoice of most stories is due on Monday the 2nd of March 2026: day 1 is Tuesday the 3rd, day 5 Saturday the 7th.
"""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from domain import messages as m
from domain.calendar import BusinessCalendar, Zone
from domain.policy import Cap, Manager
from tests.domain.world import (
    ACCEPTED,
    Story,
    at,
    block,
    contact,
    file,
    on,
    overdue_of,
    plan,
    policy,
    remind,
    ring,
    terminate,
)

# Its day, and its time of day.


@pytest.mark.parametrize(
    ("day", "time", "expected"),
    [
        (1, "10:00", "03-03 10:00"),
        (1, "00:00", "03-03 00:00"),
        (1, "23:59", "03-03 23:59"),
        (10, "10:00", "03-12 10:00"),
        (61, "10:00", "05-02 10:00"),
        (0, "10:00", "03-03 10:00"),  # the run has not opened before
    ],
)
def test_a_measure_fires_at_its_time_on_its_day_after_the_due_date(day: int, time: str, expected: str) -> None:
    story = Story(policy(file(day, time))).owes().until("06-01")
    assert story.commands == [f"{expected} file"]


def test_the_day_counts_from_the_oldest_overdue_item_and_moves_on_when_that_is_paid() -> None:
    story = Story(policy(block(1), file(15))).owes(100, due="03-02", invoice="I1").owes(100, due="03-12", invoice="I2")
    story.until("03-14 12:00").pays(100).until("04-30")
    assert story.commands == ["03-03 10:00 block", "03-27 10:00 file"]


def test_the_day_moves_back_when_an_older_item_becomes_collectible_again() -> None:
    story = Story(policy(block(1), file(15))).owes(100, due="03-02", invoice="I1").owes(100, due="03-12", invoice="I2")
    story.until("03-14 12:00").pays(100, "P").until("03-20 12:00")
    assert story.tell(m.PaymentReversed, "P", "bounced") == ACCEPTED
    assert story.until("04-30").commands == ["03-03 10:00 block", "03-20 12:00 file"]


def test_what_became_due_before_its_day_goes_at_the_message_if_its_time_has_come() -> None:
    """An old debt that arrives at three in the afternoon: at once; at three in the morning: at ten."""
    for when, expected in (("06-03 15:00", "06-03 15:00"), ("06-03 03:00", "06-03 10:00")):
        story = Story(policy(block(1)), since=when).owes().until("06-10")
        assert story.commands == [f"{expected} block"]


def test_a_message_at_the_very_second_of_a_measure_comes_first() -> None:
    story = Story(policy(block(1))).owes().until("03-03 10:00").pays().until("03-10")
    assert story.runs == ["03-03 00:00 run 1 opens", "03-03 10:00 run 1 cured"]


def test_a_payment_a_microsecond_later_comes_too_late_and_is_answered_by_a_reversal() -> None:
    story = Story(policy(block(1))).owes().until("03-03 10:00:00.000001").pays().until("03-10")
    assert story.commands == ["03-03 10:00 block", "03-03 10:00:00.000001 unblock (cured)"]


# The gap.


@pytest.mark.parametrize(
    ("gap", "expected"),
    [
        (0, ["03-03 10:00 block", "03-03 10:00 file", "03-03 18:00 last"]),
        (1, ["03-03 10:00 block", "03-04 10:00 file", "03-05 18:00 last"]),
        (3, ["03-03 10:00 block", "03-06 10:00 file", "03-09 18:00 last"]),
    ],
)
def test_the_gap_is_counted_in_days_from_the_measure_before(gap: int, expected: list[str]) -> None:
    measures = block(1), file(1), file(1, "18:00", name="last")
    assert Story(policy(*measures, gap=gap)).owes().until("04-01").commands == expected


def test_a_skipped_measure_leaves_no_gap() -> None:
    measures = block(1), file(4, name="big-debt", when=overdue_of(50_000)), file(4)
    story = Story(policy(*measures, gap=3)).owes().until("04-01")
    assert story.commands == ["03-03 10:00 block", "03-06 10:00 file"]


def test_of_two_measures_of_one_day_the_second_is_looked_at_at_once_when_the_first_is_skipped() -> None:
    measures = file(1, "10:00", name="big-debt", when=overdue_of(50_000)), block(1, "10:00")
    assert Story(policy(*measures)).owes().until("04-01").commands == ["03-03 10:00 block"]


def test_a_debt_that_arrives_90_days_old_catches_up_one_measure_a_day() -> None:
    measures = remind(1), ring(5), block(10), file(30), terminate(61)
    story = Story(policy(*measures), since="05-31 15:00").owes(due="03-02").until("07-01")
    assert story.commands == [
        "05-31 15:00 remind",
        "06-01 10:00 ring",
        "06-02 10:00 block",
        "06-03 10:00 file",
        "06-04 10:00 terminate",
    ]


def test_the_condition_is_looked_at_when_the_measure_would_fire() -> None:
    """Not when it was planned: by then enough was paid."""
    story = Story(policy(file(5, when=overdue_of(1_000)), block(6))).owes(1_000)
    assert story.until("03-06 12:00").pays(1).until("04-01").commands == ["03-08 10:00 block"]


# Holds.


def test_a_moratorium_holds_until_the_end_of_its_date_and_then_until_the_time_of_day() -> None:
    story = Story(policy(block(1))).owes()
    assert story.tell(m.HoldPlaced, "H", on("03-10"), "flood") == ACCEPTED
    assert story.until("04-01").runs == ["03-03 00:00 run 1 opens", "03-11 10:00 block"]


def test_a_lifted_moratorium_frees_the_measure_at_that_very_instant_but_not_at_night() -> None:
    for when, expected in (("03-05 15:00", "03-05 15:00 block"), ("03-05 03:00", "03-05 10:00 block")):
        story = Story(policy(block(1))).owes()
        story.tell(m.HoldPlaced, "H", on("03-10"), "flood")
        assert story.until(when).tell(m.HoldLifted, "H") == ACCEPTED
        assert story.until("04-01").commands == [expected]


def test_a_hold_in_the_gap_changes_nothing_and_the_longest_hold_counts() -> None:
    story = Story(policy(block(1), file(2))).owes()
    story.tell(m.HoldPlaced, "H1", on("03-02"), "flood")
    story.tell(m.HoldPlaced, "H2", on("03-05"), "fire")
    assert story.until("04-01").commands == ["03-06 10:00 block", "03-07 10:00 file"]


# Business days.


def test_a_measure_for_business_days_waits_for_monday() -> None:
    """Day 5 is Saturday the 7th."""
    story = Story(policy(file(5, "11:00", business_days=True))).owes().until("04-01")
    assert story.commands == ["03-09 11:00 file"]


def test_the_next_business_day_is_the_countrys_own() -> None:
    class WomensDay:
        def is_day_off(self, day: int) -> bool:
            return day == on("03-09") or (date.fromordinal(day).weekday() >= 5 and day != on("03-14"))

    calendar = BusinessCalendar(WomensDay())
    measures = file(5, business_days=True), file(12, name="moved", business_days=True)
    story = Story(policy(*measures, calendar=calendar)).owes().until("04-01")
    assert story.commands == ["03-10 10:00 file", "03-14 10:00 moved"], "a moved Saturday is worked"


# Contact hours.


HOURS = contact("09:00-18:00", "12:00-16:00")


@pytest.mark.parametrize(
    ("day", "time", "expected"),
    [
        (1, "10:00", "03-03 10:00"),
        (1, "08:00", "03-03 09:00"),  # opens, inclusive
        (1, "09:00", "03-03 09:00"),
        (1, "17:59", "03-03 17:59"),
        (5, "10:00", "03-07 12:00"),  # Saturday opens later
        (5, "16:00", "03-09 16:00"),  # closes, exclusive: Sunday has closed by then too, Monday has not
    ],
)
def test_a_contact_keeps_the_hours_of_its_local_day(day: int, time: str, expected: str) -> None:
    story = Story(policy(ring(day, time), contact=HOURS)).owes().until("04-01")
    assert story.commands == [f"{expected} ring"]


@pytest.mark.parametrize("which", [block, file, terminate])
def test_what_is_no_contact_goes_at_any_hour(which: object) -> None:
    assert callable(which)
    story = Story(policy(which(1, "23:00"), contact=HOURS)).owes().until("04-01")
    assert [line[:11] for line in story.commands] == ["03-03 23:00"]


def test_only_protected_parties_have_hours_and_caps() -> None:
    rules = contact("09:00-18:00", "12:00-16:00", caps=[Cap(kind="call", per_month=1)])
    measures = ring(1, "20:00"), ring(2, "20:00", name="again")
    organisation = Story(policy(*measures, contact=rules), party="organisation").owes().until("04-01")
    assert organisation.commands == ["03-03 20:00 ring", "03-04 20:00 again"]
    person = Story(policy(*measures, contact=rules)).owes().until("03-20")
    assert person.commands == []


def test_a_message_after_hours_leaves_the_contact_for_tomorrow_at_its_time() -> None:
    story = Story(policy(ring(1), contact=HOURS), since="03-04 18:00").owes().until("04-01")
    assert story.commands == ["03-05 10:00 ring"]


# Caps.


def contacts(*measures: str, **caps: int) -> list[str]:
    """What becomes of calls on these days (1 is the 3rd of March), at most so many."""
    rules = contact(caps=[Cap(kind="call", **caps)])
    calls = [ring(int(day), name=f"call-{number}") for number, day in enumerate(measures, start=1)]
    return [line[:11] for line in Story(policy(*calls, gap=0, contact=rules)).owes().until("06-01").commands]


def test_a_cap_on_the_day_counts_the_local_calendar_day() -> None:
    assert contacts("1", "1", "1", per_day=2) == ["03-03 10:00", "03-03 10:00", "03-04 10:00"]


def test_a_cap_on_the_week_counts_any_seven_consecutive_days() -> None:
    assert contacts("1", "5", "6", "8", per_week=2) == ["03-03 10:00", "03-07 10:00", "03-10 10:00", "03-14 10:00"]


def test_a_cap_on_the_month_counts_any_thirty_consecutive_days() -> None:
    assert contacts("1", "2", "3", per_month=2) == ["03-03 10:00", "03-04 10:00", "04-02 10:00"]


def test_caps_count_each_kind_alone() -> None:
    rules = contact(caps=[Cap(kind="call", per_week=1), Cap(kind="notify", per_week=1)])
    measures = ring(1), remind(1), ring(2, name="again")
    story = Story(policy(*measures, gap=0, contact=rules)).owes().until("04-01")
    assert story.commands == ["03-03 10:00 ring", "03-03 10:00 remind", "03-10 10:00 again"]


def test_an_outgoing_contact_by_hand_counts_an_incoming_one_and_a_visit_do_not() -> None:
    rules = contact(caps=[Cap(kind="call", per_day=1)])
    for kind, direction, expected in (
        ("call", "out", "03-04 10:00 ring"),
        ("call", "in", "03-03 10:00 ring"),
        ("visit", "out", "03-03 10:00 ring"),
        ("notify", "out", "03-03 10:00 ring"),
    ):
        story = Story(policy(ring(1), contact=rules)).owes().until("03-03 09:00")
        assert story.tell(m.ContactMade, kind, direction, "anna", "reached", "") == ACCEPTED
        assert story.until("04-01").commands == [expected]


def test_a_contact_counts_whoever_made_it() -> None:
    """A call centre's people stand in no list of managers, nor does the debtor."""
    nobody_listed: dict[str, Manager] = {}
    rules = policy(ring(1), contact=contact(caps=[Cap(kind="call", per_day=1)]), managers=nobody_listed)
    story = Story(rules).owes().until("03-03 09:00")
    assert story.tell(m.ContactMade, "call", "in", "debtor", "will pay", "") == ACCEPTED
    assert story.tell(m.ContactMade, "call", "out", "agent-17", "spoke", "") == ACCEPTED
    assert story.until("04-01").commands == ["03-04 10:00 ring"]


def test_caps_go_on_counting_over_runs() -> None:
    rules = contact(caps=[Cap(kind="call", per_week=1)])
    story = Story(policy(ring(1), contact=rules)).owes(invoice="I1").until("03-04").pays().owes(invoice="I2")
    assert story.until("04-01").commands == ["03-03 10:00 ring", "03-10 10:00 ring"]


def test_a_measure_whose_cap_is_zero_never_goes_and_later_ones_wait_behind_it() -> None:
    rules = contact(caps=[Cap(kind="call", per_day=0)])
    assert Story(policy(ring(1), block(2), contact=rules)).owes().until("2026-12-31").commands == []


def test_waiting_for_a_cap_a_contact_still_keeps_hours_and_business_days() -> None:
    """The week is free again on Saturday the 14th; Monday the 16th is the next business day."""
    rules = contact("09:00-18:00", "12:00-16:00", caps=[Cap(kind="call", per_week=1)])
    story = Story(policy(ring(5, "13:00"), ring(6, "08:00", name="again", business_days=True), contact=rules))
    assert story.owes().until("04-01").commands == ["03-07 13:00 ring", "03-16 09:00 again"]


# Clocks.


@pytest.mark.parametrize("name", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca"])
@pytest.mark.parametrize("time", ["00:00", "02:30", "10:00"])
def test_whatever_the_clocks_do_a_measure_fires_once_at_its_local_time(name: str, time: str) -> None:
    """Due dates of a year and a half, 29 February and two changes of clocks included; none missed, none doubled."""
    rules = policy(file(1, time), zone=Zone(name))
    zone = ZoneInfo(name)
    first = date(2027, 12, 20)
    for number in range(0, 540, 3):
        due = first + timedelta(days=number)
        story = Story(rules, since=str(due)).owes(due=str(due)).until(str(due + timedelta(days=9)))
        [command] = story.sent
        hours, minutes = map(int, time.split(":"))
        expected = datetime(due.year, due.month, due.day, hours, minutes, tzinfo=zone) + timedelta(days=1)
        assert command.at == at(f"{expected:%Y-%m-%d %H:%M}", name)
        assert (command.dpd, command.on) == (1, due.toordinal() + 1)


def test_the_hour_that_comes_twice_is_in_hours_twice_and_the_one_left_out_never() -> None:
    """In Berlin the 25th of October has 25 hours: contacts from two to three, exclusive, have from 00:00Z to 02:00Z."""
    rules = policy(ring(1, "02:30"), zone=Zone("Europe/Berlin"), contact=contact("02:00-03:00", "02:00-03:00"))
    autumn = Story(rules, since="10-25 01:00").owes(due="10-20").until("10-27")
    assert [command.at for command in autumn.sent] == [at("10-25 00:30", "UTC")]
    spring = Story(rules, since="03-29 01:00").owes(due="03-20").until("04-02")
    assert [command.at for command in spring.sent] == [at("03-30 00:30", "UTC")], "no such hour on the 29th"


def test_a_switch_waits_for_the_gap_of_the_new_plan_after_the_old_plans_last_measure() -> None:
    rules = policy(block(1), plans=[plan("slow", file(2), gap=5)])
    story = Story(rules).owes().until("03-03 12:00")
    assert story.tell(m.PlanAssigned, "slow", "anna", "asked for") == ACCEPTED
    assert story.until("04-01").commands == ["03-03 10:00 block", "03-08 10:00 file"]
