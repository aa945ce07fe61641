"""Commands on their way out: held back by a breaker, let go, or withdrawn before they ever left."""

from typing import Any

from domain import events as e
from domain import messages as m
from domain.calendar import HOUR, NEVER
from domain.events import PUBLISHED
from domain.journal import rebuild, same
from tests.domain.world import ACCEPTED, Story, block, file, plan, policy


def blocking(retries: int = 1, **more: Any) -> Story:
    """A run whose block of 10:00 must be confirmed within the hour."""
    rules = policy(block(1, confirm_within=HOUR, retries=retries), file(9), restore_within=4 * HOUR, **more)
    return Story(rules).owes().until("03-03 10:30")


def hold(story: Story, command_id: str = "A/1/block") -> str:
    return story.tell(m.HoldCommand, command_id, "restrictions")


def withdraw(story: Story, *command_ids: str, why: str = "decided") -> str:
    return story.tell(m.WithdrawCommands, command_ids, why)


def test_what_is_held_back_is_not_missed() -> None:
    story = blocking()
    assert hold(story) == ACCEPTED
    assert story.until("03-09").commands == ["03-03 10:00 block"]
    assert story.tasks == []


def test_what_is_let_go_has_its_whole_time_for_a_confirmation() -> None:
    story = blocking()
    hold(story)
    assert story.until("03-05 09:15").tell(m.ReleaseCommand, "A/1/block") == ACCEPTED
    assert story.until("03-06").commands == ["03-03 10:00 block", "03-05 10:15 block (attempt 2)"]
    assert story.tasks == ["03-05 11:15 failed task A/1/block opens"]


def test_what_has_no_deadline_has_none_when_it_is_let_go() -> None:
    story = Story(policy(block(1, retries=3))).owes().until("03-03 10:30")
    hold(story)
    story.tell(m.ReleaseCommand, "A/1/block")
    assert story.until("04-01").commands == ["03-03 10:00 block"]
    assert story.profile.wake_at == NEVER


def test_what_has_lost_its_reason_while_it_was_held_is_not_missed_when_it_is_let_go() -> None:
    story = blocking()
    hold(story)
    story.pays()
    story.tell(m.ReleaseCommand, "A/1/block")
    assert story.until("03-05").commands == ["03-03 10:00 block", "03-03 10:30 unblock (cured)"]


def test_a_service_is_missed_for_its_whole_time_after_its_reversal_was_let_go() -> None:
    story = blocking().pays()
    hold(story, "A/1/unblock")
    story.until("03-05 09:00").tell(m.ReleaseCommand, "A/1/unblock")
    assert story.until("03-06").told(e.ServiceRestoreOverdue) == ["03-05 13:00 unblock is overdue"]


def test_a_command_withdrawn_at_the_cure_is_not_sent_again_and_neither_is_its_reversal_missed() -> None:
    story = blocking().pays()
    assert withdraw(story, "A/1/block", "A/1/unblock", why="cured") == ACCEPTED
    assert story.profile.outstanding is None
    assert story.until("04-01").told(e.ServiceRestoreOverdue) == []
    assert story.commands == ["03-03 10:00 block", "03-03 10:30 unblock (cured)"]


def test_a_restriction_that_never_left_is_not_reversed() -> None:
    story = blocking()
    withdraw(story, "A/1/block")
    assert story.lift("block") == "unknown_reference"
    assert story.until("03-04").pays().commands == ["03-03 10:00 block"]
    assert story.profile.run is None


def test_a_restriction_of_which_one_command_has_left_is_reversed() -> None:
    story = blocking()
    story.order("block")
    withdraw(story, "A/1/block/2")
    assert story.pays().commands[2:] == ["03-03 10:30 unblock (cured)"]


def test_a_restriction_of_which_one_command_failed_and_one_never_left_comes_back_with_a_late_confirmation() -> None:
    story = blocking(retries=0)
    story.fail("A/1/block")
    story.confirm("A/1/block")
    story.order("block")
    story.fail("A/1/block/2")
    withdraw(story, "A/1/block")
    assert story.confirm("A/1/block/2") == ACCEPTED
    assert story.pays().commands[2:] == ["03-03 10:30 unblock (cured)"]


def test_what_was_restricted_without_a_run_and_never_left_cannot_be_lifted() -> None:
    story = Story(policy(block(9)))
    story.order("block")
    withdraw(story, "A/0/block")
    assert story.lift("block") == "no_run"
    assert story.profile.loose is None


def test_after_a_switch_what_never_left_is_not_taken_over() -> None:
    story = blocking(plans=[plan("other", file(9))])
    story.tell(m.PlanAssigned, "other", "anna", "asked for")
    withdraw(story, "A/1/block", why="switched")
    assert story.until("03-04").pays().commands == ["03-03 10:00 block"]


def test_the_journal_says_what_never_left_of_a_closed_account() -> None:
    story = blocking()
    story.tell(m.AccountClosed, "left")
    assert withdraw(story, "A/1/block", "A/1/dance", why="closed") == ACCEPTED
    assert [fact for fact in story.facts if isinstance(fact, e.CommandWithdrawn)] == [
        e.CommandWithdrawn(story.now, "A/1/block", "closed")
    ]


def test_what_is_confirmed_or_was_never_sent_is_neither_held_nor_let_go_nor_withdrawn() -> None:
    story = blocking()
    story.confirm("A/1/block")
    told = len(story.facts)
    for command_id in ("A/1/block", "A/1/dance", ""):
        assert hold(story, command_id) == ACCEPTED
        assert story.tell(m.ReleaseCommand, command_id) == ACCEPTED
        assert withdraw(story, command_id, command_id) == ACCEPTED
    assert len(story.facts) == told


def test_each_command_is_withdrawn_once() -> None:
    story = blocking()
    withdraw(story, "A/1/block", "A/1/block")
    withdraw(story, "A/1/block")
    assert len(story.told(e.CommandWithdrawn)) == 1


def test_the_journal_knows_it_and_the_world_does_not() -> None:
    story = blocking()
    hold(story)
    story.tell(m.ReleaseCommand, "A/1/block")
    withdraw(story, "A/1/block")
    assert same(rebuild("A", story.facts), story.profile)
    assert not PUBLISHED & {e.CommandHeld, e.CommandReleased, e.CommandWithdrawn}
