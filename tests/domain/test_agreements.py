"""What a debtor and a manager agree on: moratoria, promises to pay, instalments."""

from typing import Any

import pytest

from domain import events as e
from domain import messages as m
from domain.timing import standing
from tests.domain.world import ACCEPTED, Story, block, file, on, plan, policy

PROMISES = (e.PromiseKept, e.PromiseBroken)
SCHEDULES = (e.InstalmentsBroken, e.InstalmentsCompleted)


def debtor(**more: Any) -> Story:
    """Owes 1,000 since the 2nd; a block on day 1, documents on day 5."""
    return Story(policy(block(1), file(5), **more)).owes()


def promise(story: Story, pay_by: str, amount: int = 1_000, name: str = "PR1") -> Story:
    assert story.tell(m.PromiseMade, name, amount, on(pay_by)) == ACCEPTED
    return story


def agree(story: Story, *parts: tuple[str, int], name: str = "S1") -> Story:
    days = tuple((on(pay_by), amount) for pay_by, amount in parts)
    assert story.tell(m.InstalmentsAgreed, name, days) == ACCEPTED
    return story


def overdue(story: Story) -> int:
    return standing(story.profile, story.policy.zone.day(story.now))[0]


# Moratoria.


def test_a_moratorium_stops_measures_but_neither_runs_nor_prevention_nor_what_was_taken() -> None:
    story = debtor().until("03-04")
    assert story.tell(m.HoldPlaced, "H", on("03-20"), "flood") == ACCEPTED
    assert story.until("03-20 23:59").runs == ["03-03 00:00 run 1 opens", "03-03 10:00 block"]
    assert story.until("04-01").commands[1:] == ["03-21 10:00 file"]


def test_a_run_may_open_in_a_moratorium() -> None:
    story = debtor()
    story.tell(m.HoldPlaced, "H", on("03-20"), "flood")
    assert story.until("03-10").runs == ["03-03 00:00 run 1 opens"]


def test_the_same_moratorium_again_moves_it_also_to_an_earlier_day() -> None:
    for until, expected in (("03-10", "03-11 10:00 file"), ("04-10", "04-11 10:00 file")):
        story = debtor().until("03-04")
        story.tell(m.HoldPlaced, "H", on("03-20"), "flood")
        assert story.tell(m.HoldPlaced, "H", on(until), "moved") == ACCEPTED
        assert story.until("05-01").commands[1:] == [expected]


def test_only_a_moratorium_that_was_placed_is_lifted_and_only_once() -> None:
    story = debtor()
    story.tell(m.HoldPlaced, "H", on("03-20"), "flood")
    assert [story.tell(m.HoldLifted, name) for name in ("X", "H", "H")] == [
        "unknown_reference",
        ACCEPTED,
        "unknown_reference",
    ]


# Promises.


def test_a_promise_holds_until_the_end_of_its_day_and_is_broken_at_the_midnight_after() -> None:
    story = promise(debtor().until("03-04"), "03-10").until("04-01")
    assert story.told(*PROMISES, e.MeasureRequested) == [
        "03-03 10:00 block",
        "03-11 00:00 PR1 broken",
        "03-11 10:00 file",
    ]
    assert story.profile.broken_promises == 1


def test_a_promise_is_kept_when_enough_has_come_since_it_was_made_and_the_hold_ends() -> None:
    """Payments from before do not count; nettings do; the rest of the debt is worked on."""
    story = promise(debtor().pays(100).until("03-08 12:00"), "03-20", amount=500)
    assert story.pays(499).told(*PROMISES) == []
    story.tell(m.NettingAgreed, "N", 1, "act 7")
    assert story.told(*PROMISES) == ["03-08 12:00 PR1 kept"]
    assert story.until("04-01").commands[1:] == ["03-07 10:00 file"]


def test_the_measure_that_waited_goes_when_a_kept_promise_leaves_a_debt() -> None:
    story = promise(debtor().until("03-04"), "03-20", amount=500).until("03-09 15:00").pays(500)
    assert story.until("04-01").commands[1:] == ["03-09 15:00 file"]


def test_a_reversed_payment_does_not_count_and_kept_stays_kept() -> None:
    story = promise(debtor().until("03-04"), "03-10", amount=500).pays(300, "P")
    story.tell(m.PaymentReversed, "P", "bounced")
    assert story.pays(300, "P2").told(*PROMISES) == []
    story.pays(200, "P3")
    story.tell(m.PaymentReversed, "P3", "bounced")
    assert story.until("04-01").told(*PROMISES) == ["03-04 00:00 PR1 kept"]


def test_reversing_a_payment_from_before_the_promise_takes_nothing_from_it() -> None:
    story = promise(debtor().pays(100, "P").until("03-04"), "03-10", amount=500).pays(499)
    story.tell(m.PaymentReversed, "P", "bounced")
    assert story.pays(1).told(*PROMISES) == ["03-04 00:00 PR1 kept"]


@pytest.mark.parametrize(("when", "expected"), [("03-11 00:00", "kept"), ("03-11 00:00:00.000001", "broken")])
def test_a_payment_at_the_midnight_after_the_day_is_in_time(when: str, expected: str) -> None:
    story = promise(debtor().until("03-04"), "03-10").until(when).pays().until("03-12")
    assert story.told(*PROMISES) == [f"03-11 00:00 PR1 {expected}"]


def test_a_new_promise_replaces_the_one_before_which_is_then_neither() -> None:
    story = promise(promise(debtor().until("03-04"), "03-10"), "03-20", name="PR2").until("04-01")
    assert story.told(*PROMISES, e.MeasureRequested)[1:] == ["03-21 00:00 PR2 broken", "03-21 10:00 file"]
    assert story.profile.broken_promises == 1


def test_a_promise_for_a_day_that_has_passed_is_broken_at_the_next_midnight_and_holds_nothing() -> None:
    story = promise(debtor().until("03-06 12:00"), "03-01").until("03-20")
    assert story.told(*PROMISES, e.MeasureRequested)[1:] == ["03-07 00:00 PR1 broken", "03-07 10:00 file"]


def test_a_promise_outlives_the_run_and_is_known_by_its_id_for_ever() -> None:
    story = promise(debtor().until("03-04"), "03-10", amount=5_000).pays().until("04-01")
    assert story.told(*PROMISES) == ["03-11 00:00 PR1 broken"]
    assert story.tell(m.PromiseMade, "PR1", 1, on("04-10")) == "id_reused"


def test_a_promise_and_a_schedule_may_have_the_same_id() -> None:
    story = agree(promise(debtor(), "03-10", name="1"), ("03-10", 1_000), name="1")
    assert story.tell(m.InstalmentsAgreed, "1", ((on("03-12"), 1),)) == "id_reused"


def test_what_a_closed_account_had_promised_ends_without_an_event() -> None:
    story = agree(promise(debtor(), "03-10"), ("03-10", 500))
    assert story.tell(m.AccountClosed, "left") == ACCEPTED
    assert story.until("04-01").told(*PROMISES, *SCHEDULES) == []


# Instalments.


def test_a_schedule_covers_its_parts_less_what_came_since_the_oldest_items_first() -> None:
    story = debtor().owes(400, due="03-04", invoice="I2").until("03-10")
    agree(story, ("04-01", 700), ("05-01", 500))
    assert overdue(story) == 200
    assert standing(story.profile, on("03-10"))[1] == on("03-04"), "what is left belongs to the younger item"
    assert overdue(story.pays(300)) == 200


def test_a_schedule_over_all_that_is_owed_cures_the_run_and_opens_none_while_it_is_kept() -> None:
    story = agree(debtor().until("03-04"), ("03-20", 600), ("04-20", 400))
    assert story.until("03-20").pays(600).until("04-20").pays(400).until("06-01").runs[2:] == [
        "03-04 00:00 run 1 cured",
        "03-04 00:00 unblock (cured)",
    ]
    assert story.told(*SCHEDULES) == ["04-20 00:00 S1 completed"]


def test_a_missed_part_breaks_the_schedule_at_midnight_and_a_new_run_opens_with_all_of_it() -> None:
    story = agree(debtor().until("03-04"), ("03-20", 600), ("04-20", 400)).until("03-15").pays(599).until("05-01")
    assert story.told(*SCHEDULES, e.RunOpened)[1:] == ["03-21 00:00 S1 broken", "03-21 00:00 run 2 opens"]
    [opened] = [fact for fact in story.facts if isinstance(fact, e.RunOpened) and fact.number == 2]
    assert opened.overdue == 401


def test_parts_are_counted_in_order_of_their_days_and_what_is_paid_early_counts_for_later_ones() -> None:
    story = agree(debtor().until("03-04"), ("05-20", 300), ("03-20", 300), ("04-20", 400)).pays(700)
    assert story.until("05-20 12:00").told(*SCHEDULES) == []
    assert story.until("06-01").told(*SCHEDULES) == ["05-21 00:00 S1 broken"]


def test_parts_of_one_day_are_due_together() -> None:
    story = agree(debtor().until("03-04"), ("03-20", 300), ("03-20", 300), ("05-20", 400)).pays(500)
    assert story.until("04-01").told(*SCHEDULES) == ["03-21 00:00 S1 broken"]


@pytest.mark.parametrize(("when", "expected"), [("03-21 00:00", []), ("03-21 00:00:01", ["03-21 00:00 S1 broken"])])
def test_a_part_paid_at_the_midnight_after_its_day_is_in_time(when: str, expected: list[str]) -> None:
    story = agree(debtor().until("03-04"), ("03-20", 600), ("04-20", 400)).until(when).pays(600)
    assert story.until("03-25").told(*SCHEDULES) == expected


def test_a_reversal_takes_a_part_back_before_its_midnight_and_counts_at_the_next_one_after() -> None:
    story = agree(debtor().until("03-04"), ("03-20", 300), ("04-20", 700)).pays(300, "P").until("03-25")
    story.tell(m.PaymentReversed, "P", "bounced")
    assert overdue(story) == 0, "the schedule covers what is not paid, as long as it is kept"
    assert story.until("05-01").told(*SCHEDULES) == ["04-21 00:00 S1 broken"]


def test_a_schedule_agreed_after_one_of_its_days_is_looked_at_by_the_next_midnight() -> None:
    story = agree(debtor().until("03-10 12:00"), ("03-05", 300), ("04-20", 700))
    assert overdue(story) == 0
    assert story.until("03-20").told(*SCHEDULES) == ["03-11 00:00 S1 broken"]


def test_a_second_schedule_replaces_the_first_and_a_cancelled_one_covers_nothing() -> None:
    story = agree(agree(debtor().until("03-04"), ("03-10", 1_000)), ("03-20", 400), name="S2")
    assert overdue(story) == 600
    assert story.tell(m.InstalmentsCancelled, "S1") == "unknown_reference"
    assert story.tell(m.InstalmentsCancelled, "S2") == ACCEPTED
    assert overdue(story) == 1_000
    assert story.until("05-01").told(*SCHEDULES) == []
    assert story.tell(m.InstalmentsAgreed, "S1", ((on("06-01"), 1),)) == "id_reused"


def test_a_schedule_does_not_hold_measures_of_what_it_does_not_cover() -> None:
    story = agree(debtor().until("03-04"), ("03-20", 400)).until("03-10")
    assert story.commands == ["03-03 10:00 block", "03-07 10:00 file"]


def test_a_promise_and_a_schedule_count_the_same_payment() -> None:
    story = promise(agree(debtor().until("03-04"), ("03-20", 300)), "03-20", amount=300).pays(300)
    assert story.told(*PROMISES, *SCHEDULES) == ["03-04 00:00 PR1 kept", "03-04 00:00 S1 completed"]


def test_a_promise_stops_a_run_that_was_switched_meanwhile_too() -> None:
    story = promise(debtor(plans=[plan("other", file(6))]).until("03-04"), "03-10")
    story.tell(m.PlanAssigned, "other", "anna", "asked for")
    assert story.until("04-01").commands[1:] == ["03-11 10:00 file"]
