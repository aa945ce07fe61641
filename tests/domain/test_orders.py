"""What people decide in a run: approvals, measures ordered and services given back by hand, tasks."""

from typing import Any

from domain import events as e
from domain import messages as m
from domain.policy import Manager
from tests.domain.world import (
    ACCEPTED,
    Story,
    block,
    contact,
    file,
    on,
    overdue_of,
    plan,
    policy,
    ring,
    terminate,
)
from tests.domain.world import measure as any_measure

# Approval.


def approving(**more: Any) -> Story:
    rules = policy(block(1), terminate(3, approval="head"), file(4), **more)
    return Story(rules).owes()


def test_a_measure_with_approval_opens_a_task_and_all_later_ones_wait() -> None:
    story = approving().until("04-01")
    assert (story.commands, story.tasks) == (
        ["03-03 10:00 block"],
        ["03-05 10:00 approval task A/1/terminate opens"],
    )


def test_approved_it_fires_at_that_instant_whatever_the_time() -> None:
    story = approving().until("03-20 23:30")
    assert story.approve("A/1/terminate") == ACCEPTED
    assert story.runs[2:] == ["03-20 23:30 terminate", "03-20 23:30 run 1 terminated"]
    assert story.tasks[1:] == ["03-20 23:30 approval task A/1/terminate approved"]
    assert story.names() == ["A/1/block", "A/1/terminate"]


def test_rejected_it_counts_as_skipped() -> None:
    story = approving().until("03-20 12:00")
    assert story.reject("A/1/terminate") == ACCEPTED
    assert story.told(e.MeasureSkipped) == ["03-20 12:00 terminate skipped: rejected"]
    assert story.until("04-01").commands == ["03-03 10:00 block", "03-20 12:00 file"]


def test_approved_in_a_hold_it_waits_for_its_end_and_then_goes_without_regard_to_its_time() -> None:
    story = approving().until("03-06 12:00")
    story.tell(m.HoldPlaced, "H", on("03-10"), "flood")
    assert story.approve("A/1/terminate") == ACCEPTED
    assert story.until("04-01").commands[1:] == ["03-11 00:00 terminate"]


def test_an_approved_contact_waits_for_the_hours_and_its_condition_is_not_looked_at_again() -> None:
    hours = contact("09:00-18:00", "09:00-18:00")
    rules = policy(ring(1, approval="head", when=overdue_of(1_000)), contact=hours)
    story = Story(rules).owes(1_000).until("03-03 20:00")
    assert story.approve("A/1/ring") == ACCEPTED
    assert story.until("03-03 21:00").pays(500).until("04-01").commands == ["03-04 09:00 ring"]


def test_a_cure_closes_the_approval_and_it_can_be_given_no_more() -> None:
    story = approving().until("03-06 12:00").pays()
    assert story.tasks[1:] == ["03-06 12:00 approval task A/1/terminate cured"]
    assert story.approve("A/1/terminate") == "unknown_reference"


def test_a_decision_needs_someone_with_the_role() -> None:
    people = {
        who: Manager(id=who, name=who, role=role)
        for who, role in (("anna", "specialist"), ("hanna", "head"), ("adam", "administrator"))
    }
    rules = policy(terminate(1, approval="administrator"), managers=people)
    story = Story(rules).owes().until("03-04")
    for actor in ("nobody", "anna", "hanna"):
        assert story.approve("A/1/terminate", actor) == "not_allowed"
        assert story.reject("A/1/terminate", actor) == "not_allowed"
    assert story.approve("A/1/terminate", "adam") == ACCEPTED


# Ordered by hand.


def test_an_ordered_measure_goes_now_whatever_its_day_in_a_hold_too_and_counts_as_fired() -> None:
    story = Story(policy(block(1), file(2), ring(9))).owes()
    story.tell(m.HoldPlaced, "H", on("03-05"), "flood")
    assert story.until("03-04 03:00").order("ring") == ACCEPTED
    story.until("04-01")
    assert story.commands == ["03-04 03:00 ring (ordered)", "03-06 10:00 block", "03-07 10:00 file"]
    assert story.sent[0].run_id == "A/1"


def test_an_ordered_measure_of_the_plan_leaves_a_gap_one_of_another_plan_does_not() -> None:
    other = plan("other", file(50, name="special"))
    for name, expected in (("later", "03-05 10:00 file"), ("special", "03-04 10:00 file")):
        rules = policy(block(1), file(2), file(9, name="later"), plans=[other])
        story = Story(rules).owes().until("03-04 09:00")
        assert story.order(name) == ACCEPTED
        assert story.until("03-06").commands[2:] == [expected]


def test_a_fired_measure_ordered_again_has_a_number_and_is_reversed_once_in_its_latest_place() -> None:
    story = Story(policy(block(1), block(2, name="phone"))).owes().until("03-05 12:00")
    assert story.order("block") == ACCEPTED
    story.until("03-06").pays()
    assert story.names() == ["A/1/block", "A/1/phone", "A/1/block/2", "A/1/unblock", "A/1/unphone"]


def test_a_restriction_of_another_plan_is_reversed_with_the_run() -> None:
    story = Story(policy(file(9), plans=[plan("other", block(50, name="all"))])).owes().until("03-04")
    assert story.order("all") == ACCEPTED
    assert story.pays().names() == ["A/1/all", "A/1/unall"]


def test_ordered_without_a_run_a_restriction_stays_until_a_person_lifts_it() -> None:
    story = Story(policy(block(1)))
    assert story.order("block") == ACCEPTED
    story.owes().until("03-05").pays().until("04-01")
    assert story.names() == ["A/0/block", "A/1/block", "A/1/unblock"]
    assert story.lift("block") == ACCEPTED
    assert story.names()[3:] == ["A/0/unblock"]
    assert story.lift("block") == "no_run"


def test_an_ordered_contact_waits_for_the_hours_and_a_cure_drops_it() -> None:
    rules = policy(ring(9), contact=contact("09:00-18:00", "09:00-18:00"))
    story = Story(rules).owes().until("03-04 20:00")
    assert story.order("ring") == ACCEPTED
    assert Story(rules).owes().until("03-05 08:59").pays().until("04-01").commands == []
    assert story.until("03-05 12:00").commands == ["03-05 09:00 ring (ordered)"]


def test_an_ordered_measure_that_needs_approval_opens_its_task_and_does_not_hold_up_the_plan() -> None:
    story = Story(policy(block(1), file(2), terminate(60, approval="head"))).owes().until("03-03 12:00")
    assert story.order("terminate") == ACCEPTED
    assert story.order("terminate") == "not_changeable"
    assert story.until("03-10 12:00").approve("A/1/terminate") == ACCEPTED
    assert story.commands[1:] == ["03-04 10:00 file", "03-10 12:00 terminate (ordered)"]


def test_an_unknown_measure_is_not_ordered_and_an_ordered_ending_ends_the_run() -> None:
    story = Story(policy(block(1), terminate(60))).owes().until("03-04")
    assert (story.order("nonsense"), story.order("terminate")) == ("unknown_reference", ACCEPTED)
    assert story.runs[2:] == ["03-04 00:00 terminate (ordered)", "03-04 00:00 run 1 terminated"]


def test_ordered_again_while_its_approval_waits_each_keeps_its_own_id() -> None:
    story = Story(policy(block(1, approval="head"))).owes().until("03-03 12:00")
    story.tell(m.HoldPlaced, "H", on("03-05"), "flood")
    assert (story.approve("A/1/block"), story.order("block")) == (ACCEPTED, ACCEPTED)
    assert story.until("03-07").names() == ["A/1/block"]
    assert (story.confirm("A/1/block"), story.confirm("A/1/block/2")) == (ACCEPTED, "unknown_reference")
    assert story.approve("A/1/block/2") == ACCEPTED
    assert (story.names()[1:], story.confirm("A/1/block/2")) == (["A/1/block/2"], ACCEPTED)


def test_a_no_to_what_was_ordered_before_the_run_is_no_answer_to_the_plans_own_question() -> None:
    story = Story(policy(block(1, approval="head"), file(2)))
    assert story.order("block") == ACCEPTED
    story.owes().until("03-04")
    assert story.tasks[1:] == ["03-03 10:00 approval task A/1/block opens"]
    assert story.reject("A/0/block") == ACCEPTED
    assert story.until("03-10").commands == []
    assert story.reject("A/1/block") == ACCEPTED
    assert story.until("03-20").commands == ["03-10 10:00 file"]


def test_what_waits_is_told_apart_by_the_run_it_was_ordered_in() -> None:
    hours = contact("09:00-18:00", "09:00-18:00")
    story = Story(policy(ring(2, at="09:00"), contact=hours)).until("03-02 20:00")
    assert story.order("ring") == ACCEPTED
    story.owes().until("03-04 12:00")
    assert story.commands == ["03-03 09:00 ring (ordered)", "03-04 09:00 ring"]
    assert story.names() == ["A/0/ring", "A/1/ring"]


def test_the_plans_own_measure_does_not_take_the_place_of_one_of_the_same_name_that_waits() -> None:
    hours = contact("09:00-18:00", "09:00-18:00")
    early = policy(ring(3, name="act"), plans=[plan("other", block(1, at="07:00", name="act"))], contact=hours)
    story = Story(early).until("03-02 20:00")
    assert story.order("act") == ACCEPTED
    story.tell(m.PlanAssigned, "other", "anna", "")
    story.owes().until("03-05")
    assert story.commands == ["03-03 07:00 act", "03-03 09:00 act (ordered)"]
    assert [command.kind for command in story.sent] == ["restrict", "call"]


def test_skipping_a_measure_drops_what_waits_in_the_run_and_nothing_else_of_its_name() -> None:
    hours = contact("09:00-18:00", "09:00-18:00")
    story = Story(policy(ring(9), contact=hours)).until("03-01 20:00")
    assert story.order("ring") == ACCEPTED
    story.owes(due="02-27")
    assert story.order("ring") == ACCEPTED
    assert story.amend("ring", skip=True) == ACCEPTED
    assert story.until("04-01").names() == ["A/0/ring"]


def test_a_measure_that_is_named_twice_is_skipped_once_and_the_last_word_counts() -> None:
    for last, expected in ((True, ["03-03 12:00 approval task A/1/terminate skipped"]), (False, [])):
        story = Story(policy(terminate(1, approval="head"))).owes().until("03-03 12:00")
        changes = (("terminate", True, None), ("terminate", last, None))
        assert story.tell(m.PlanAmended, changes, "anna", "") == ACCEPTED
        assert story.tasks[1:] == expected


# Given back by hand.


def test_a_lifted_restriction_is_reversed_now_and_not_again_at_the_cure() -> None:
    story = Story(policy(block(1), block(2, name="phone"))).owes().until("03-05 12:00")
    assert story.lift("block") == ACCEPTED
    story.pays().until("04-01")
    assert story.commands[2:] == ["03-05 12:00 unblock (ordered)", "03-05 12:00 unphone (cured)"]


def test_a_service_that_was_not_taken_away_is_not_given_back() -> None:
    story = Story(policy(block(1), file(2))).owes()
    assert (story.lift("nonsense"), story.lift("block")) == ("unknown_reference", "no_run")
    story.until("03-05")
    assert (story.lift("file"), story.lift("block"), story.lift("block")) == (
        "unknown_reference",
        ACCEPTED,
        "unknown_reference",
    )


# Tasks.


def test_a_measure_of_kind_task_opens_one_beside_its_command_and_a_person_closes_it() -> None:
    story = Story(policy(any_measure("visit", "task", 1), file(2))).owes().until("03-05")
    assert story.commands == ["03-03 10:00 visit", "03-04 10:00 file"]
    assert story.tell(m.TaskDone, "A/1/visit", "anna", "nobody there", "") == ACCEPTED
    assert story.tasks == [
        "03-03 10:00 measure task A/1/visit opens",
        "03-05 00:00 measure task A/1/visit nobody there",
    ]
    assert story.tell(m.TaskDone, "A/1/visit", "anna", "again", "") == "unknown_reference"


def test_a_cure_closes_the_runs_tasks_and_an_approval_is_not_closed_as_done() -> None:
    story = Story(policy(any_measure("visit", "task", 1), terminate(2, approval="head"))).owes().until("03-05")
    assert story.tell(m.TaskDone, "A/1/terminate", "anna", "done", "") == "not_changeable"
    assert story.pays().tasks[2:] == [
        "03-05 00:00 measure task A/1/visit cured",
        "03-05 00:00 approval task A/1/terminate cured",
    ]
