"""The life of a run: it opens, goes on under another plan or version, amended or not, and ends."""

from dataclasses import replace

import pytest

from domain import events as e
from domain import messages as m
from domain.policy import Attribute, Segment
from domain.snapshot import freeze, thaw
from tests.domain.world import (
    ACCEPTED,
    Story,
    attribute,
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
from tests.domain.world import measure as any_measure

# It opens and is cured.


def test_midnight_opens_a_run_with_no_message() -> None:
    story = Story(policy()).owes(due="03-02").until("03-03 12:00")
    assert story.runs == ["03-03 00:00 run 1 opens"]


def test_a_run_opens_with_the_message_that_makes_enough_overdue_and_not_before() -> None:
    story = Story(policy(min_overdue=1_000)).owes(999, invoice="I1").until("03-05 12:00")
    assert story.runs == []
    assert story.owes(1, invoice="I2").runs == ["03-05 12:00 run 1 opens"]


def test_a_run_ends_when_overdue_is_at_most_the_exit_and_not_before() -> None:
    story = Story(policy(min_overdue=1_000, max_overdue=300)).owes(1_000).until("03-05")
    assert story.pays(699).runs == ["03-03 00:00 run 1 opens"]
    assert story.pays(1).runs[1:] == ["03-05 00:00 run 1 cured"]
    assert story.until("04-01").runs[2:] == [], "300 are not enough to open another"


def test_a_cure_drops_what_waited_and_reverses_restrictions_the_last_first() -> None:
    story = Story(policy(block(1), block(2, name="phone"), file(3), block(4, name="tv"), gap=1)).owes()
    story.until("03-06 12:00").pays().until("04-01")
    assert story.runs[1:] == [
        "03-03 10:00 block",
        "03-04 10:00 phone",
        "03-05 10:00 file",
        "03-06 10:00 tv",
        "03-06 12:00 run 1 cured",
        "03-06 12:00 untv (cured)",
        "03-06 12:00 unphone (cured)",
        "03-06 12:00 unblock (cured)",
    ]


def test_a_claim_a_credit_note_or_a_schedule_cures_like_a_payment() -> None:
    for make, values in (
        (m.ClaimOpened, ("C", "I1", 1_000)),
        (m.InvoiceAdjusted, ("I1", -1_000, "wrong tariff")),
        (m.InstalmentsAgreed, ("S", ((on("04-01"), 1_000),))),
        (m.NettingAgreed, ("N", 1_000, "act 7")),
    ):
        story = Story(policy(block(1))).owes().until("03-04")
        assert story.tell(make, *values) == ACCEPTED
        assert story.commands == ["03-03 10:00 block", "03-04 00:00 unblock (cured)"]


def test_contact_hours_do_not_matter_at_a_cure_and_unconfirmed_restrictions_are_reversed_too() -> None:
    rules = policy(block(1, confirm_within=10**9), contact=contact("09:00-18:00", "12:00-16:00"))
    story = Story(rules).owes().until("03-08 03:00").pays()
    assert story.commands[-1] == "03-08 03:00 unblock (cured)"


def test_a_new_debt_after_a_cure_is_a_new_run_from_the_first_measure() -> None:
    story = Story(policy(block(1), file(2))).owes(due="03-02", invoice="I1").until("03-10").pays()
    story.owes(due="03-15", invoice="I2").until("04-01")
    assert story.runs[5:] == ["03-16 00:00 run 2 opens", "03-16 10:00 block", "03-17 10:00 file"]
    assert story.names()[-2:] == ["A/2/block", "A/2/file"]


def test_a_payment_that_is_reversed_opens_a_new_run_at_that_instant() -> None:
    story = Story(policy(block(1))).owes().until("03-03 12:00").pays(payment="P").until("03-05 12:00")
    assert story.tell(m.PaymentReversed, "P", "bounced") == ACCEPTED
    assert story.until("03-20").runs[4:] == ["03-05 12:00 run 2 opens", "03-05 12:00 block"]


# A payment against a suspension that is about to happen.


def test_whenever_the_payment_comes_the_service_ends_up_on() -> None:
    """Before, at and after the instant: cancelled, or suspended and resumed."""
    for when, expected in (
        ("03-02 12:00", []),
        ("03-03 00:00", []),
        ("03-03 09:59:59.999999", []),
        ("03-03 10:00", []),
        ("03-03 10:00:00.000001", ["block", "unblock"]),
        ("03-04 00:00", ["block", "unblock"]),
    ):
        story = Story(policy(block(1))).owes().until(when).pays().until("04-01")
        assert [command.measure for command in story.sent] == expected


# It ends for good.


@pytest.mark.parametrize(
    ("kind", "outcome"), [("terminate", "terminated"), ("write_off", "written_off"), ("place", "placed")]
)
def test_an_ending_measure_closes_the_run_and_gives_nothing_back(kind: str, outcome: str) -> None:
    story = Story(policy(block(1), any_measure("end", kind, 3), file(4))).owes().until("06-01")
    assert story.runs[1:] == ["03-03 10:00 block", "03-05 10:00 end", f"03-05 10:00 run 1 {outcome}"]


def test_after_the_end_no_run_opens_until_overdue_has_once_been_cleared() -> None:
    story = Story(policy(terminate(1))).owes(1_000).until("03-04").owes(500, invoice="I2").until("03-10")
    assert story.pays(1_499).until("03-20").runs[3:] == []
    story.pays(1).owes(100, due="03-20", invoice="I3").until("03-30")
    assert story.runs[3:] == ["03-21 00:00 run 2 opens", "03-21 10:00 terminate", "03-21 10:00 run 2 terminated"]


def test_what_a_terminated_run_took_away_is_not_given_back_by_a_late_payment() -> None:
    story = Story(policy(block(1), terminate(2))).owes().until("03-10").pays().until("04-01")
    assert [command.measure for command in story.sent] == ["block", "terminate"]


# Under another plan.


def switching() -> Story:
    """Three measures of the plan, and a strict plan for those who are told to have it."""
    strict = plan("strict", remind(1), ring(2), block(4, name="all"), file(9))
    return Story(policy(block(1), file(3), terminate(30), plans=[strict])).owes()


def test_a_switch_keeps_restrictions_skips_what_is_not_after_the_greatest_day_and_counts_the_gap() -> None:
    story = switching().until("03-05 12:00")
    assert story.tell(m.PlanAssigned, "strict", "anna", "asked for") == ACCEPTED
    story.until("03-15").pays()
    assert story.runs[1:] == [
        "03-03 10:00 block",
        "03-05 10:00 file",
        "03-05 12:00 run 1 switched",
        "03-05 12:00 run 2 opens under strict",
        "03-06 10:00 all",
        "03-11 10:00 file",
        "03-15 00:00 run 2 cured",
        "03-15 00:00 unall (cured)",
        "03-15 00:00 unblock (cured)",
    ]
    assert story.names()[-2:] == ["A/2/unall", "A/2/unblock"]


def test_a_second_switch_remembers_the_greatest_day_of_all_runs_before() -> None:
    story = switching().until("03-05 12:00")
    story.tell(m.PlanAssigned, "strict", "anna", "asked for")
    story.tell(m.PlanAssigned, None, "anna", "taken back")
    assert story.until("04-10").commands == ["03-03 10:00 block", "03-05 10:00 file", "04-01 10:00 terminate"]


def test_attributes_that_change_the_segment_switch_the_run_at_once() -> None:
    segments = (
        Segment(name="vip", plan="soft", when=attribute("class", "A")),
        Segment(name="everyone", plan="plan"),
    )
    declared = {"class": Attribute(name="class", type="string")}
    rules = policy(block(1), plans=[plan("soft", file(20))], segments=segments, attributes=declared)
    story = Story(rules).owes().until("03-04")
    assert story.tell(m.AccountUpdated, None, None, None, None, None, {"class": "A"}) == ACCEPTED
    assert story.runs[2:] == ["03-04 00:00 run 1 switched", "03-04 00:00 run 2 opens under soft"]
    assert story.until("04-01").commands == ["03-03 10:00 block", "03-22 10:00 file"]


def test_a_switch_drops_an_ordered_measure_that_waited_and_closes_a_pending_approval() -> None:
    hours = contact("09:00-18:00", "09:00-18:00")
    rules = policy(terminate(1, approval="head"), ring(9), plans=[plan("strict", file(5))], contact=hours)
    story = Story(rules).owes().until("03-03 20:00")
    assert story.order("ring") == ACCEPTED
    story.tell(m.PlanAssigned, "strict", "anna", "asked for")
    assert story.until("04-01").commands == ["03-07 10:00 file"]
    assert story.tasks == [
        "03-03 10:00 approval task A/1/terminate opens",
        "03-03 20:00 approval task A/1/terminate switched",
    ]


def test_assigning_the_plan_that_already_works_it_switches_nothing() -> None:
    story = switching().until("03-04")
    assert story.tell(m.PlanAssigned, "plan", "anna", "to be sure") == ACCEPTED
    assert story.told(e.RunClosed) == []


# Under another version.


def test_a_new_version_goes_on_after_the_greatest_day_that_has_fired_by_names_that_have_not() -> None:
    story = Story(policy(block(1), file(5))).owes().until("03-08")
    story.under(policy(remind(2), block(8), file(9), ring(10), version=2)).tell(m.PolicyPublished)
    assert story.until("04-01").runs == [
        "03-03 00:00 run 1 opens",
        "03-03 10:00 block",
        "03-07 10:00 file",
        "03-12 10:00 ring",
    ]


def test_a_version_goes_by_the_days_that_a_manager_has_given_and_so_does_the_profile_that_comes_back() -> None:
    """The block was moved from day 1 to 12, the papers from 5 to 20: both are still to come after the block."""
    rules = policy(block(1), file(5), ring(30))
    story = Story(rules).owes().until("03-02")
    assert story.amend("block", day=12) == "no_run"
    story.until("03-03 09:00")
    assert (story.amend("block", day=12), story.amend("file", day=20)) == (ACCEPTED, ACCEPTED)
    story.until("03-15").under(replace(rules, version=2)).tell(m.PolicyPublished)
    story.profile = thaw("A", freeze(story.profile))
    assert story.until("04-02").commands == ["03-14 10:00 block", "03-22 10:00 file", "04-01 10:00 ring"]


def test_what_a_version_skipped_is_looked_at_again_by_the_next() -> None:
    story = Story(policy(block(1), file(5, when=overdue_of(5_000)), ring(30))).owes().until("03-08")
    assert story.told(e.MeasureSkipped) == ["03-07 10:00 file skipped: condition"]
    story.under(policy(block(1), file(5), ring(30), version=2)).until("03-08 12:00").pays(1)
    assert story.until("03-20").commands == ["03-03 10:00 block", "03-08 12:00 file"]


def test_a_version_is_adopted_with_the_next_message_or_timer_and_commands_name_it() -> None:
    story = Story(policy(block(1), file(5))).owes().until("03-04")
    story.under(policy(block(1), file(5), version=7)).until("03-10")
    assert [command.plan_version for command in story.sent] == [1, 7]


def test_a_version_with_another_plan_for_the_segment_switches_the_run() -> None:
    story = Story(policy(block(1), file(5))).owes().until("03-04")
    segments = (Segment(name="everyone", plan="soft"),)
    story.under(policy(plans=[plan("soft", ring(3))], segments=segments, version=2))
    assert story.tell(m.PolicyPublished) == ACCEPTED
    assert story.until("03-20").runs[2:] == [
        "03-04 00:00 run 1 switched",
        "03-04 00:00 run 2 opens under soft",
        "03-05 10:00 ring",
    ]


def test_a_version_with_other_borders_cures_and_opens_at_once() -> None:
    lenient = policy(block(1), min_overdue=2_000, max_overdue=1_000, version=2)
    story = Story(policy(block(1))).owes(1_000).until("03-04").under(lenient)
    assert story.tell(m.PolicyPublished) == ACCEPTED
    assert story.runs[2:] == ["03-04 00:00 run 1 cured", "03-04 00:00 unblock (cured)"]


def test_an_ordered_measure_is_the_one_of_the_segments_plan_where_a_version_has_dropped_the_chosen_one() -> None:
    ours, others = block(1), replace(block(1), target="voice")
    story = Story(policy(file(1), plans=[plan("mine", ours)]))
    assert story.tell(m.PlanAssigned, "mine", "anna", "") == ACCEPTED
    segments = (Segment(name="everyone", plan="late"),)
    story.under(policy(ring(1), plans=[plan("early", others), plan("late", ours)], segments=segments, version=2))
    assert story.order("block") == ACCEPTED
    story.until("03-01 12:01")
    assert [command.target for command in story.sent] == ["network"]


def test_a_hand_chosen_plan_that_a_version_drops_gives_way_to_the_segments() -> None:
    story = switching().until("03-04")
    story.tell(m.PlanAssigned, "strict", "anna", "asked for")
    story.under(policy(block(1), file(3), version=2)).tell(m.PolicyPublished)
    assert story.told(e.RunOpened)[-1] == "03-04 00:00 run 3 opens"


# Amendments.


def test_an_amendment_skips_a_measure_or_moves_its_day_in_this_run_only() -> None:
    story = Story(policy(block(1), file(5), ring(6))).owes(invoice="I1").until("03-04")
    assert (story.amend("file", skip=True), story.amend("ring", day=10)) == (ACCEPTED, ACCEPTED)
    assert story.until("03-20").commands == ["03-03 10:00 block", "03-12 10:00 ring"]
    story.pays().owes(due="03-20", invoice="I2").until("04-10")
    assert story.commands[3:] == ["03-21 10:00 block", "03-25 10:00 file", "03-26 10:00 ring"]


def test_an_amendment_is_taken_back_by_another() -> None:
    story = Story(policy(block(1), file(5))).owes().until("03-04")
    story.amend("file", skip=True, day=7)
    story.amend("file", skip=False)
    assert story.until("03-20").commands == ["03-03 10:00 block", "03-09 10:00 file"]


def test_an_amendment_that_moves_the_day_into_the_past_fires_at_once() -> None:
    story = Story(policy(block(1), file(30))).owes().until("03-05 15:00")
    assert story.amend("file", day=2) == ACCEPTED
    assert story.until("04-30").commands == ["03-03 10:00 block", "03-05 15:00 file"]


def test_an_amendment_needs_a_run_a_measure_of_its_plan_and_one_that_has_not_fired() -> None:
    story = Story(policy(block(1), file(5))).owes()
    assert (story.amend("file", skip=True), story.amend("nonsense", skip=True)) == ("no_run", "unknown_reference")
    assert story.until("03-04").amend("block", day=9) == "not_changeable"


def test_skipping_a_measure_that_awaits_approval_closes_its_task() -> None:
    story = Story(policy(terminate(1, approval="head"), file(2))).owes().until("03-04")
    assert story.amend("terminate", skip=True) == ACCEPTED
    assert story.tasks[1:] == ["03-04 00:00 approval task A/1/terminate skipped"]
    assert story.until("03-20").commands == ["03-04 10:00 file"]


# A closed account.


def test_a_closed_account_ends_its_run_its_tasks_and_all_sending() -> None:
    rules = policy(block(1), any_measure("visit", "task", 2), terminate(3, approval="head"))
    story = Story(rules).owes().until("03-06")
    assert story.tell(m.AccountClosed, "left") == ACCEPTED
    assert story.until("2026-12-31").runs[3:] == ["03-06 00:00 run 1 closed"]
    assert [line[12:] for line in story.tasks[2:]] == [
        "measure task A/1/visit closed",
        "approval task A/1/terminate closed",
    ]
    assert (story.profile.tasks, story.profile.ledger.debt()) == (None, 1_000)


def test_a_closed_account_leaves_no_task_open_that_nobody_could_close_any_more() -> None:
    """What was ordered without a run, and a service that could not be given back, included."""
    story = Story(policy(block(1), terminate(9, approval="head"))).owes().until("03-04").pays()
    assert (story.fail("A/1/unblock"), story.order("terminate")) == (ACCEPTED, ACCEPTED)
    assert story.tell(m.AccountClosed, "left") == ACCEPTED
    assert story.profile.tasks is None
