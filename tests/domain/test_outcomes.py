"""What became of a command: confirmed, failed, or unknown; and what is then sent again, given up or reversed."""

from typing import Any

from domain import events as e
from domain import messages as m
from domain.calendar import HOUR, MINUTE
from tests.domain.world import ACCEPTED, Story, at, block, contact, file, on, plan, policy, ring, terminate


def blocking(retries: int = 2, **more: Any) -> Story:
    """A run whose block of 10:00 must be confirmed within the hour."""
    rules = policy(block(1, confirm_within=HOUR, retries=retries), file(2), **more)
    return Story(rules).owes().until("03-03 10:30")


def test_a_confirmed_command_is_not_sent_again() -> None:
    story = blocking()
    assert story.confirm("A/1/block") == ACCEPTED
    assert story.until("03-04").commands == ["03-03 10:00 block"]


def test_without_a_confirmation_it_is_sent_again_with_the_same_id_then_fails_and_opens_a_task() -> None:
    story = blocking().until("03-04")
    assert story.commands == [
        "03-03 10:00 block",
        "03-03 11:00 block (attempt 2)",
        "03-03 12:00 block (attempt 3)",
    ]
    assert set(story.names()) == {"A/1/block"}
    assert story.told(e.CommandFailed) == ["03-03 13:00 A/1/block failed?"]
    assert story.tasks == ["03-03 13:00 failed task A/1/block opens"]


def test_a_reported_failure_sends_it_again_at_once_and_the_deadline_begins_anew() -> None:
    story = blocking(retries=1)
    assert story.fail("A/1/block") == ACCEPTED
    assert story.commands == ["03-03 10:00 block", "03-03 10:30 block (attempt 2)"]
    assert story.until("03-04").told(e.CommandFailed) == ["03-03 11:30 A/1/block failed?"]


def test_without_a_deadline_a_command_waits_for_its_outcome_for_ever_and_may_still_fail() -> None:
    story = Story(policy(block(1, retries=1))).owes().until("03-20")
    assert story.commands == ["03-03 10:00 block"]
    assert (story.fail("A/1/block"), story.fail("A/1/block")) == (ACCEPTED, ACCEPTED)
    assert story.commands == ["03-03 10:00 block", "03-20 00:00 block (attempt 2)"]
    assert story.told(e.CommandFailed) == ["03-20 00:00 A/1/block failed"]


def test_a_failed_measure_counts_as_fired_and_later_ones_go_on() -> None:
    story = blocking(retries=0)
    story.fail("A/1/block")
    assert story.until("04-01").commands == ["03-03 10:00 block", "03-04 10:00 file"]


def test_a_restriction_that_was_reported_failed_is_not_reversed() -> None:
    story = blocking(retries=0)
    story.fail("A/1/block")
    assert story.pays().commands == ["03-03 10:00 block"]


def test_a_restriction_whose_outcome_is_unknown_is_reversed() -> None:
    story = blocking(retries=0).until("03-03 12:00").pays()
    assert story.told(e.CommandFailed) == ["03-03 11:00 A/1/block failed?"]
    assert story.commands[1:] == ["03-03 12:00 unblock (cured)"]


def test_a_failure_reported_after_it_was_given_up_is_known_and_one_confirmed_after_all_is_reversed() -> None:
    late = blocking(retries=0).until("03-03 12:00")
    assert late.fail("A/1/block") == ACCEPTED
    assert late.confirm("A/1/block") == ACCEPTED
    assert late.pays().commands[1:] == ["03-03 12:00 unblock (cured)"]
    failed = blocking(retries=0).until("03-03 12:00")
    failed.fail("A/1/block")
    assert failed.pays().commands[1:] == []


def test_a_failed_restriction_that_took_effect_after_the_cure_is_given_back_at_once_and_once() -> None:
    """Nobody who has paid stays blocked because the network reported too late."""
    story = blocking(retries=0, restore_within=HOUR)
    story.fail("A/1/block")
    story.pays().until("03-04")
    assert (story.confirm("A/1/block"), story.confirm("A/1/block")) == (ACCEPTED, ACCEPTED)
    assert story.commands[1:] == ["03-04 00:00 unblock (cured)"]
    assert story.names() == ["A/1/block", "A/1/unblock"]
    assert story.until("03-05").told(e.ServiceRestoreOverdue) == ["03-04 01:00 unblock is overdue"]
    assert story.confirm("A/1/unblock") == ACCEPTED


def test_a_failure_reported_after_the_command_was_given_up_may_be_taken_back_after_the_cure_too() -> None:
    story = blocking(retries=0).until("03-03 12:00")
    story.fail("A/1/block")
    story.pays()
    assert story.confirm("A/1/block") == ACCEPTED
    assert story.names() == ["A/1/block", "A/1/unblock"]


def test_a_late_confirmation_is_given_back_at_once_in_a_run_that_has_not_blocked_yet() -> None:
    story = blocking(retries=0)
    story.fail("A/1/block")
    story.pays().owes(invoice="I2", due="03-05").until("03-06 08:00")
    assert story.confirm("A/1/block") == ACCEPTED
    assert story.until("03-06 12:00").names() == ["A/1/block", "A/1/unblock", "A/2/block"]


def test_a_late_confirmation_of_a_service_that_this_run_takes_away_too_is_given_back_with_this_run() -> None:
    """Even if this run's own was reported failed: the service is off, and the debtor owes again."""
    story = blocking(retries=0)
    story.fail("A/1/block")
    story.pays().owes(invoice="I2").until("03-05")
    story.fail("A/2/block")
    assert story.confirm("A/1/block") == ACCEPTED
    assert story.names() == ["A/1/block", "A/2/block", "A/2/file"]
    assert story.pays().names()[3:] == ["A/2/unblock"]


def test_a_restriction_confirmed_late_after_the_relationship_ended_stays() -> None:
    """A run that ends terminated leaves its restrictions as they are, and so does the payment after it."""
    rules = policy(block(1, confirm_within=HOUR, retries=0), terminate(2))
    story = Story(rules).owes().until("03-03 10:30")
    story.fail("A/1/block")
    story.until("03-05").pays()
    assert story.confirm("A/1/block") == ACCEPTED
    assert story.names() == ["A/1/block", "A/1/terminate"]


def test_a_late_confirmation_from_before_a_switch_makes_the_restriction_reversible_again() -> None:
    """The restriction has gone over to the new run, and its command with it."""
    story = blocking(retries=0, plans=[plan("other", file(9))])
    story.fail("A/1/block")
    story.tell(m.PlanAssigned, "other", "anna", "asked for")
    assert story.confirm("A/1/block") == ACCEPTED
    assert story.pays().commands[1:] == ["03-03 10:30 unblock (cured)"]


def test_what_is_confirmed_after_a_switch_and_the_cure_is_given_back_in_the_run_to_which_it_had_gone_over() -> None:
    story = blocking(retries=0, plans=[plan("other", file(9))])
    story.fail("A/1/block")
    story.tell(m.PlanAssigned, "other", "anna", "asked for")
    assert story.pays().confirm("A/1/block") == ACCEPTED
    assert [(each.command_id, each.plan) for each in story.sent[1:]] == [("A/2/unblock", "other")]


def test_a_late_confirmation_of_what_was_ordered_without_a_run_counts_in_a_run_too() -> None:
    story = Story(policy(block(9)))
    story.order("block")
    story.fail("A/0/block")
    story.owes().until("03-05")
    assert (story.confirm("A/0/block"), story.lift("block")) == (ACCEPTED, ACCEPTED)


def test_of_two_commands_of_one_restriction_one_that_did_not_fail_is_enough() -> None:
    story = blocking(retries=0)
    assert (story.order("block"), story.fail("A/1/block/2")) == (ACCEPTED, ACCEPTED)
    assert story.pays().names() == ["A/1/block", "A/1/block/2", "A/1/unblock"]


def test_after_a_cure_nothing_of_the_run_is_sent_again_and_no_failure_matters() -> None:
    story = blocking().pays().until("03-04")
    assert story.commands == ["03-03 10:00 block", "03-03 10:30 unblock (cured)"]
    assert story.fail("A/1/block") == ACCEPTED
    assert (story.until("04-01").tasks, len(story.commands)) == ([], 2)


def test_a_lifted_restriction_is_not_taken_away_by_a_late_retry() -> None:
    story = blocking()
    assert story.lift("block") == ACCEPTED
    assert story.until("03-04").commands == ["03-03 10:00 block", "03-03 10:30 unblock (ordered)"]


def test_a_command_sent_before_a_switch_is_still_sent_again() -> None:
    story = blocking(retries=1, plans=[plan("other", file(9))])
    story.tell(m.PlanAssigned, "other", "anna", "asked for")
    assert story.until("03-04").commands == ["03-03 10:00 block", "03-03 11:00 block (attempt 2)"]
    assert story.tasks == ["03-03 12:00 failed task A/1/block opens"]
    assert story.pays().tasks[1:] == ["03-04 00:00 failed task A/1/block cured"]


def test_an_ending_measure_is_sent_again_until_overdue_has_been_cleared() -> None:
    rules = policy(terminate(1, confirm_within=HOUR, retries=5))
    story = Story(rules).owes().until("03-03 12:30").pays().until("03-04")
    assert [line[:11] for line in story.commands] == ["03-03 10:00", "03-03 11:00", "03-03 12:00"]


def test_a_contact_is_sent_again_within_the_hours_only() -> None:
    hours = contact("09:00-18:00", "12:00-16:00")
    rules = policy(ring(1, "17:30", confirm_within=HOUR, retries=2), contact=hours)
    story = Story(rules).owes().until("03-05")
    assert story.commands == [
        "03-03 17:30 ring",
        "03-04 09:00 ring (attempt 2)",
        "03-04 10:00 ring (attempt 3)",
    ]


def test_a_contact_that_failed_at_night_is_sent_again_after_the_messages_of_the_opening() -> None:
    """At one instant all messages come before timers: the payment at nine is in time."""
    hours = contact("09:00-18:00", "09:00-18:00")
    rules = policy(ring(1, "17:30", retries=2), contact=hours)
    story = Story(rules).owes().until("03-03 20:00")
    assert story.fail("A/1/ring") == ACCEPTED
    story.until("03-04 09:00")
    assert story.tell(m.HoldPlaced, "H", on("03-10"), "flood") == ACCEPTED
    assert story.pays().commands == ["03-03 17:30 ring"]


def test_what_waits_for_the_hours_is_not_looked_at_with_the_eyes_of_yesterday() -> None:
    """After a message in the night the next look is at the opening; at 20:00 the day before, I2 was not overdue yet."""
    hours = contact("09:00-18:00", "09:00-18:00")
    rules = policy(block(1), ring(2, "17:00", confirm_within=3 * HOUR, retries=1), contact=hours)
    story = Story(rules).owes(due="03-02", invoice="I1").owes(due="03-04", invoice="I2").until("03-05 00:30").pays()
    assert story.profile.wake_at == at("03-05 09:00")
    assert story.until("03-06").runs == [
        "03-03 00:00 run 1 opens",
        "03-03 10:00 block",
        "03-04 17:00 ring",
        "03-05 09:00 ring (attempt 2)",
    ]


# Services given back.


def test_a_service_not_confirmed_given_back_in_time_is_reported_once() -> None:
    story = Story(policy(block(1), restore_within=4 * HOUR)).owes().until("03-03 12:00").pays().until("04-01")
    assert story.told(e.ServiceRestoreOverdue) == ["03-03 16:00 unblock is overdue"]


def test_a_service_confirmed_given_back_in_time_is_not_reported() -> None:
    """At the very second of the limit is in time."""
    story = Story(policy(block(1), restore_within=4 * HOUR)).owes().until("03-03 12:00").pays().until("03-03 16:00")
    assert story.confirm("A/1/unblock") == ACCEPTED
    assert story.until("04-01").told(e.ServiceRestoreOverdue) == []


def test_a_service_that_could_not_be_given_back_is_somebodys_task_and_still_overdue_at_its_limit() -> None:
    story = Story(policy(block(1), restore_within=4 * HOUR)).owes().until("03-03 12:00").pays()
    assert (story.fail("A/1/unblock"), story.fail("A/1/unblock")) == (ACCEPTED, ACCEPTED)
    assert story.tasks == ["03-03 12:00 failed task A/1/unblock opens"]
    assert story.until("04-01").told(e.ServiceRestoreOverdue) == ["03-03 16:00 unblock is overdue"]
    assert story.commands == ["03-03 10:00 block", "03-03 12:00 unblock (cured)"]


def test_confirmed_at_the_very_second_of_the_limit_is_in_time_also_after_a_reported_failure() -> None:
    """At one instant all messages come before timers, whichever of them comes first."""
    story = Story(policy(block(1), restore_within=4 * HOUR)).owes().until("03-03 12:00").pays()
    story.fail("A/1/unblock")
    story.until("03-03 16:00")
    assert story.tell(m.HoldPlaced, "H", on("03-10"), "flood") == ACCEPTED
    assert story.confirm("A/1/unblock") == ACCEPTED
    assert story.until("04-01").told(e.ServiceRestoreOverdue) == []


def test_a_service_lifted_by_hand_has_the_same_limit() -> None:
    story = Story(policy(block(1), restore_within=30 * MINUTE)).owes().until("03-03 12:00")
    story.lift("block")
    assert story.until("03-04").told(e.ServiceRestoreOverdue) == ["03-03 12:30 unblock is overdue"]


# Which commands are known.


def test_an_outcome_of_a_command_that_was_never_sent_is_refused() -> None:
    story = Story(policy(block(1), terminate(2, approval="head"), file(9))).owes().until("03-05")
    for command_id in ("A/1/file", "A/2/block", "A/1/block/2", "B/1/block", "A/1/terminate", "A/0/block", "A/1", ""):
        assert story.confirm(command_id) == "unknown_reference", command_id
        assert story.fail(command_id) == "unknown_reference", command_id


def test_a_command_whose_approval_was_refused_or_dropped_was_never_sent() -> None:
    story = Story(policy(block(1), terminate(2, approval="head"), file(9))).owes().until("03-05")
    assert story.reject("A/1/terminate") == ACCEPTED
    assert story.confirm("A/1/terminate") == "unknown_reference"


def test_outside_of_runs_too_a_command_is_known_once_its_approval_has_sent_it() -> None:
    story = Story(policy(terminate(2, approval="head")))
    assert story.order("terminate") == story.reject("A/0/terminate") == story.order("terminate") == ACCEPTED
    for command_id in ("A/0/terminate", "A/0/terminate/2"):
        assert (story.confirm(command_id), story.fail(command_id)) == ("unknown_reference",) * 2
    assert story.approve("A/0/terminate/2") == ACCEPTED
    story.until("03-01 12:01")
    assert (story.confirm("A/0/terminate"), story.confirm("A/0/terminate/2")) == ("unknown_reference", ACCEPTED)


def test_a_late_outcome_of_a_command_of_a_closed_run_is_known() -> None:
    story = Story(policy(block(1))).owes(invoice="I1").until("03-04").pays().owes(invoice="I2").until("03-10")
    assert story.names() == ["A/1/block", "A/1/unblock", "A/2/block"]
    assert [story.confirm(name) for name in story.names()] == [ACCEPTED] * 3
    assert story.fail("A/1/unblock/2") == "unknown_reference"
