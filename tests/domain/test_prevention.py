"""Warnings before anything is overdue: by the balance, and by days before the due date."""

from dataclasses import replace
from typing import Any

import pytest

from domain import events as e
from domain import messages as m
from domain.policy import Cap, Prevention
from tests.domain.world import ACCEPTED, Story, at, contact, measure, overdue_of, policy, remind, ring

HOURS = contact("09:00-18:00", "12:00-16:00")


def low(below: int = 100, rearm_at: int = 150, **more: Any) -> Prevention:
    """A text message when the balance falls below 100; again only after it has been at least 150."""
    return Prevention(name="low", measure=remind(**more), balance_below=below, rearm_at=rearm_at)


def due_soon(days: int = 3, at: str = "10:00", name: str = "due-soon", **more: Any) -> Prevention:
    """A text message three days before the due date."""
    return Prevention(name=name, measure=remind(at=at, **more), days_before_due=days)


def prepaid(*preventions: Prevention, **more: Any) -> Story:
    """An account with ledger balance, on Sunday the 1st of March at noon."""
    return Story(policy(preventions=preventions or (low(),), **more), ledger="balance")


def invoiced(*preventions: Prevention, since: str = "03-01 12:00", **more: Any) -> Story:
    return Story(policy(preventions=preventions or (due_soon(),), **more), since=since)


# Balances.


def test_a_warning_goes_at_once_when_the_balance_passes_the_threshold_downwards() -> None:
    story = prepaid().has(100).until("03-02 12:00").has(99)
    assert story.commands == ["03-02 12:00 low (prevention)"]


def test_the_first_snapshot_crosses_nothing() -> None:
    story = prepaid().has(50).has(20)
    assert story.commands == []
    assert story.has(100).has(99).commands == ["03-01 12:00 low (prevention)"]


def test_it_goes_once_until_the_balance_has_been_at_the_rearming_height() -> None:
    story = prepaid().has(200).has(99).has(149).has(50)
    assert len(story.commands) == 1
    assert len(story.has(150).has(50).commands) == 2
    assert story.names() == ["A/0/low", "A/0/low/2"]


def test_a_payment_arms_it_again_and_a_reversal_crosses_too() -> None:
    story = prepaid().has(200).has(90).pays(100, "P")
    assert story.tell(m.PaymentReversed, "P", "bounced") == ACCEPTED
    assert len(story.commands) == 2


def test_the_warnings_of_several_thresholds_are_told_apart() -> None:
    first = Prevention(name="low", measure=remind(), balance_below=100, rearm_at=100)
    second = Prevention(name="empty", measure=ring(), balance_below=0, rearm_at=0)
    story = prepaid(first, second).has(200).has(-1)
    assert story.commands == ["03-01 12:00 low (prevention)", "03-01 12:00 empty (prevention)"]


def test_one_that_waits_for_contact_hours_goes_at_their_opening() -> None:
    story = prepaid(contact=HOURS).has(200).until("03-02 20:00").has(50)
    assert story.commands == []
    assert story.until("03-05").commands == ["03-03 09:00 low (prevention)"]


@pytest.mark.parametrize(("balance", "later"), [(120, 0), (150, 1)], ids=["not rearmed", "rearmed"])
def test_one_that_waits_is_dropped_if_it_is_no_longer_true_then(balance: int, later: int) -> None:
    story = prepaid(contact=HOURS).has(200).until("03-02 20:00").has(50).until("03-02 21:00")
    assert story.has(balance).until("03-05").commands == []
    assert len(story.has(99).until("03-06").commands) == later


def test_one_that_is_true_again_at_the_opening_goes_once() -> None:
    story = prepaid(contact=HOURS).has(200).until("03-02 20:00").has(50).has(200).has(60)
    assert story.until("03-05").commands == ["03-03 09:00 low (prevention)"]


def test_the_opening_looks_at_the_balance_after_the_messages_of_that_instant() -> None:
    story = prepaid(contact=HOURS).has(200).until("03-02 20:00").has(50).until("03-03 09:00").has(200)
    assert story.until("03-05").commands == []


def test_contacts_of_prevention_are_not_counted_and_no_cap_stops_them() -> None:
    rules = contact(caps=[Cap(kind="notify", per_month=0)])
    story = prepaid(contact=rules).has(200).has(50)
    assert (len(story.commands), story.profile.contacts) == (1, None)


def test_a_threshold_means_nothing_for_a_ledger_of_invoices() -> None:
    story = invoiced(low()).pays(200).owes(500)
    assert story.commands == []


# Days before the due date.


def test_a_reminder_goes_at_its_time_of_that_day_for_each_item_that_is_unpaid_then() -> None:
    story = invoiced().owes(100, due="03-10", invoice="I1").owes(100, due="03-12", invoice="I2").until("03-07 11:00")
    story.pays(100).until("03-31")
    assert story.commands == ["03-07 10:00 due-soon (prevention)", "03-09 10:00 due-soon (prevention)"]
    settled = [fact for fact in story.facts if isinstance(fact, e.PreventionSettled)]
    assert [fact.item for fact in settled] == ["I1", "I2"]


def test_nothing_goes_for_an_item_that_was_paid_by_then_or_arrived_at_that_instant_or_later() -> None:
    assert invoiced().owes(due="03-10").until("03-07 10:00").pays().until("03-31").commands == []
    assert invoiced(since="03-07 10:00").owes(due="03-10").until("03-31 00:00").commands == []
    assert invoiced(since="03-07 09:59:59.999999").owes(due="03-10").until("03-31 00:00").commands == [
        "03-07 10:00 due-soon (prevention)"
    ]


def test_a_claim_does_not_matter_to_a_reminder() -> None:
    story = invoiced().owes(100, due="03-10")
    assert story.tell(m.ClaimOpened, "C", "I1", 100) == ACCEPTED
    assert len(story.until("03-31").commands) == 1


def test_items_of_one_day_have_a_message_each() -> None:
    story = invoiced()
    for number in range(3):
        story.owes(100, due="03-10", invoice=f"I{number}")
    assert story.until("03-31").names() == ["A/0/due-soon", "A/0/due-soon/2", "A/0/due-soon/3"]


def test_several_rules_remind_of_one_item_each_once() -> None:
    rules = due_soon(3), due_soon(1, "12:00", name="due-tomorrow"), due_soon(0, name="due-today")
    story = invoiced(*rules).owes(due="03-10").until("03-31")
    assert story.commands == [
        "03-07 10:00 due-soon (prevention)",
        "03-09 12:00 due-tomorrow (prevention)",
        "03-10 10:00 due-today (prevention)",
    ]


def test_an_item_opened_again_before_its_day_is_reminded_of_and_one_opened_after_is_not() -> None:
    for when, expected in (("03-06 12:00", 1), ("03-07 12:00", 0)):
        story = invoiced().owes(due="03-10").pays(payment="P").until(when)
        story.tell(m.PaymentReversed, "P", "bounced")
        assert len(story.until("03-31").commands) == expected


def test_a_reminder_waits_for_contact_hours_and_is_dropped_if_paid_meanwhile_or_overdue() -> None:
    """The 7th is a Saturday, on which contacts may begin at noon."""
    early = due_soon(at="08:00")
    assert invoiced(early, contact=HOURS).owes(due="03-10").until("03-31").commands == [
        "03-07 12:00 due-soon (prevention)"
    ]
    assert invoiced(early, contact=HOURS).owes(due="03-10").until("03-07 11:00").pays().until("03-31").commands == []
    late = due_soon(0, at="20:00")
    assert invoiced(late, contact=HOURS).owes(due="03-10").until("03-31").commands == []


def test_a_reminder_that_waits_goes_though_the_item_was_paid_for_a_while() -> None:
    """It was unpaid at its instant, 08:00, and is unpaid at the opening, at noon."""
    story = invoiced(due_soon(at="08:00"), contact=HOURS).owes(due="03-10").until("03-07 09:00").pays(payment="P")
    story.until("03-07 10:00").tell(m.PaymentReversed, "P", "bounced")
    assert story.until("03-31").commands == ["03-07 12:00 due-soon (prevention)"]


def test_a_rule_that_a_version_brings_reminds_of_nothing_whose_instant_had_passed() -> None:
    """Nor is anybody looked at with the eyes of that instant."""
    story = Story(policy()).owes(due="03-20", invoice="I1").owes(due="03-12", invoice="I2").until("03-15 12:00")
    story.under(policy(preventions=(due_soon(10),), version=2))
    assert story.tell(m.PolicyPublished) == ACCEPTED
    assert story.until("04-01").runs == ["03-13 00:00 run 1 opens"]


def test_a_reminder_that_was_due_while_the_engine_was_away_goes_under_the_version_of_its_return_too() -> None:
    rules = policy(preventions=(due_soon(),))
    for version in (1, 2):
        story = Story(rules).owes(due="03-10").until("03-07 08:00")
        story.now = at("03-07 12:00")
        story.under(replace(rules, version=version)).tell(m.Wake)
        assert story.commands == ["03-07 12:00 due-soon (prevention)"]


def test_prevention_goes_on_in_a_moratorium_and_beside_a_run() -> None:
    story = invoiced().owes(100, due="03-02", invoice="I1").owes(100, due="03-10", invoice="I2")
    story.tell(m.HoldPlaced, "H", story.policy.zone.day(story.now) + 30, "flood")
    assert story.until("03-31").runs == ["03-03 00:00 run 1 opens", "03-07 10:00 due-soon (prevention)"]


def test_the_balance_of_an_account_is_an_item_to_remind_of_too() -> None:
    story = prepaid(due_soon()).has(-100).until("03-31")
    assert story.commands == ["03-02 10:00 due-soon (prevention)"]
    assert len(story.until("04-01").has(0).has(-100).until("05-01").commands) == 2


def test_a_reminder_that_waits_for_one_debt_is_not_sent_for_the_next_which_has_its_own() -> None:
    """Contacts begin at 09:00; the second debt came after the instant of its own reminder, 08:00."""
    story = prepaid(due_soon(at="08:00"), contact=HOURS).has(-100).until("03-02 08:30")
    assert story.profile.reminders == [("due-soon", "")]
    assert story.has(0).has(-100).until("03-20").commands == []


def test_a_reminder_with_a_condition_that_is_false_is_dropped() -> None:
    story = invoiced(due_soon(when=overdue_of(1))).owes(due="03-10").until("03-31")
    assert story.commands == []


def test_prevention_that_is_no_contact_goes_at_any_hour() -> None:
    task = Prevention(name="visit", measure=measure("visit", "task", at="22:00"), days_before_due=3)
    story = invoiced(task, contact=HOURS).owes(due="03-10").until("03-31")
    assert story.commands == ["03-07 22:00 visit (prevention)"]


def test_prevention_of_kind_task_opens_its_task_which_outlives_every_run() -> None:
    task = Prevention(name="visit", measure=measure("visit", "task"), days_before_due=3)
    story = invoiced(task).owes(due="03-10").until("03-12").pays()
    assert story.tasks == ["03-07 10:00 measure task A/0/visit opens"]
    assert story.tell(m.TaskDone, "A/0/visit", "anna", "seen", "") == ACCEPTED


def test_the_command_bears_the_rules_name_no_run_and_no_step() -> None:
    [command] = invoiced().owes(due="03-10").until("03-31").sent
    assert (command.measure, command.run_id, command.step, command.dpd, command.overdue) == ("due-soon", None, 0, 0, 0)
