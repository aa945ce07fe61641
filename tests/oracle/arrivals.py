"""What each incoming event does to a profile. Every handler may take the event as applicable."""

from typing import Any

from .envelope import Event
from .instants import Instant, parse_date
from .ledger import Item
from .profile import Claim, Payment, Profile, Promise, Schedule, Waiting
from .runs import (
    ask_approval,
    change_plan,
    close_approval,
    close_run,
    close_task,
    close_tasks,
    drop,
    fire,
    give_back_if_cured,
    not_done,
    reverse,
    review,
)
from .timers import balance_moved, repeat_if_allowed, waiting_instant


def take_effect(p: Profile, event: Event, now: Instant) -> None:
    data = event.data
    match event.type:
        case "dms.account.updated.v1":
            update_account(p, data, now)
        case "dms.account.closed.v1":
            close_account(p, now)
        case "dms.invoice.issued.v1":
            issue_invoice(p, data, event.number, now)
        case "dms.invoice.adjusted.v1":
            p.invoices.adjust(data["invoice_id"], data["delta"])
        case "dms.payment.received.v1":
            pay(p, data["payment_id"], data["amount"], event.number, now)
        case "dms.netting.agreed.v1":
            pay(p, data["netting_id"], data["amount"], event.number, now)
        case "dms.payment.reversed.v1":
            reverse_payment(p, p.payments[data["payment_id"]], event.number, now)
        case "dms.balance.changed.v1":
            change_balance(p, event, now)
        case "dms.claim.opened.v1":
            p.claims[data["claim_id"]] = Claim(data["invoice_id"], data["amount"])
        case "dms.claim.closed.v1":
            close_claim(p, p.claims[data["claim_id"]], data["outcome"])
        case "dms.hold.placed.v1":
            p.holds[data["hold_id"]] = parse_date(data["until"])
        case "dms.hold.lifted.v1":
            del p.holds[data["hold_id"]]
        case "dms.promise.made.v1":
            promise_id, pay_by = data["promise_id"], parse_date(data["pay_by"])
            p.promise_ids.add(promise_id)
            p.promise = Promise(promise_id, data["amount"], pay_by, now, event.number)
        case "dms.instalments.agreed.v1":
            parts = [(parse_date(part["pay_by"]), part["amount"]) for part in data["parts"]]
            p.schedule_ids.add(data["schedule_id"])
            p.schedule = Schedule(data["schedule_id"], parts, now, event.number)
        case "dms.instalments.cancelled.v1":
            p.schedule = None
        case "dms.contact.made.v1":
            if data["direction"] == "out":
                p.contacts.append((p.policy.zone.date_of(now), data["kind"]))
        case "dms.restriction.lifted.v1":
            lift_restriction(p, data["measure"], now)
        case "dms.task.done.v1":
            close_task(p, p.tasks[data["task_id"]], data["outcome"], now, data["actor"])
        case "dms.measure.completed.v1":
            complete(p, data["command_id"], now)
        case "dms.measure.failed.v1":
            fail(p, data["command_id"], now)
        case "dms.measure.ordered.v1":
            order_measure(p, data["measure"], now)
        case "dms.measure.approved.v1":
            approve(p, data["command_id"], data["actor"], now)
        case "dms.measure.rejected.v1":
            reject_measure(p, data["command_id"], data["actor"], now)
        case "dms.plan.assigned.v1":
            p.assigned_plan = data["plan"]
            change_plan(p, now)
        case "dms.plan.amended.v1":
            amend(p, data["changes"], data["actor"], now)
        case "dms.manager.assigned.v1":
            p.manager = data["manager"]
            p.publish("dms.manager.changed.v1", now, manager=p.manager, group=p.group, how="hand")
        case "dms.group.assigned.v1":
            by_hand = data["group"] is not None
            p.group = data["group"] if by_hand else p.group_by_rule
            how = "hand" if by_hand else "rule"
            p.publish("dms.manager.changed.v1", now, manager=p.manager, group=p.group, how=how)
    if not p.closed:
        review(p, now)


# The account.


def update_account(p: Profile, data: dict[str, Any], now: Instant) -> None:
    """Creates the profile, or merges into it; a null attribute removes that attribute."""
    if not p.known and data.get("ledger") is not None:
        p.ledger_kind = data["ledger"]
    p.known = True
    if data.get("party") is not None:
        p.party = data["party"]
    if data.get("projection") is not None:
        p.projection = data["projection"]
    for name, value in (data.get("attributes") or {}).items():
        if value is None:
            p.own_attributes.pop(name, None)
        elif name in p.policy.attributes:
            p.own_attributes[name] = value
    choose_segments(p, now)
    change_plan(p, now)


def choose_segments(p: Profile, now: Instant) -> None:
    """The first rule that is true wins; the last policy segment has no rule."""
    names = p.names_for_segments()
    before = (p.segment, p.service_segment)
    p.segment = next(s.name for s in p.policy.segments if s.when is None or s.when.true(names))
    p.service_segment = next((s.name for s in p.policy.service_segments if s.when is None or s.when.true(names)), None)
    if (p.segment, p.service_segment) != before:
        p.publish(
            "dms.segment.changed.v1",
            now,
            policy_segment=p.segment,
            service_segment=p.service_segment,
            previous_policy_segment=before[0],
            previous_service_segment=before[1],
        )


def close_account(p: Profile, now: Instant) -> None:
    """The run ends, nothing more is sent; what was promised ends without an event."""
    if p.run is not None:
        close_run(p, "closed", now)
    for waiting in list(p.waiting):
        drop(p, waiting, "closed", now)
    close_tasks(p, None, "closed", now)
    p.promise = None
    p.schedule = None
    p.closed = True


# Money.


def issue_invoice(p: Profile, data: dict[str, Any], number: int, now: Instant) -> None:
    issued_on = parse_date(data["issued_on"])
    due_on = data.get("due_on")
    due = p.policy.due(p.party, issued_on) if due_on is None else parse_date(due_on)
    p.invoices.issue(Item(data["invoice_id"], due, now, number, data["amount"]))


def pay(p: Profile, payment_id: str, amount: int, number: int, now: Instant) -> None:
    """A payment or netting pays items, or raises a known balance; and it counts for promises and instalments."""
    money = None
    if p.ledger_kind == "invoices":
        money = p.invoices.pay(amount)
    elif p.account.balance is not None:
        set_balance(p, p.account.balance + amount, number, now)
    p.payments[payment_id] = Payment(amount, number, money)
    if p.promise is not None and p.paid_since(p.promise.number) >= p.promise.amount:
        p.publish("dms.promise.kept.v1", now, promise_id=p.promise.promise_id)
        p.promise = None
    if p.schedule is not None and p.paid_since(p.schedule.number) >= p.schedule.total:
        p.publish("dms.instalments.completed.v1", now, schedule_id=p.schedule.schedule_id)
        p.schedule = None


def reverse_payment(p: Profile, payment: Payment, number: int, now: Instant) -> None:
    payment.reversed = True
    if payment.money is not None:
        p.invoices.undo(payment.money)
    elif p.account.balance is not None:
        set_balance(p, p.account.balance - payment.amount, number, now)


def change_balance(p: Profile, event: Event, now: Instant) -> None:
    """Becomes the state of the account, or is only compared; without effect if a higher sequence was seen."""
    sequence, reported = int(event.sequence), event.data["balance"]
    if sequence < p.sequences.get(event.source, sequence):
        return
    p.sequences[event.source] = sequence
    if p.ledger_kind == "balance":
        set_balance(p, reported, event.number, now)
    elif p.invoices.balance != reported:
        p.publish("dms.ledger.mismatch.v1", now, ledger=p.invoices.balance, reported=reported)


def set_balance(p: Profile, balance: int, number: int, now: Instant) -> None:
    before = p.account.balance
    due = p.policy.due(p.party, p.policy.zone.date_of(now))
    p.account.becomes(balance, due, now, number)
    balance_moved(p, before, now)


def close_claim(p: Profile, claim: Claim, outcome: str) -> None:
    claim.open = False
    if outcome == "upheld":
        p.invoices.adjust(claim.invoice_id, -claim.amount)


# Measures.


def complete(p: Profile, command_id: str, now: Instant) -> None:
    command = p.commands[command_id]
    had_failed = command.reported_failed
    command.confirmed = True
    command.is_to_be_repeated = False
    command.reported_failed = False
    if had_failed:
        give_back_if_cured(p, command, now)


def fail(p: Profile, command_id: str, now: Instant) -> None:
    """Counts for a command whose outcome is not settled yet."""
    command = p.commands[command_id]
    if command.confirmed:
        return
    command.reported_failed = True
    if not command.given_up and not command.is_to_be_repeated:
        not_done(p, command, now)
        repeat_if_allowed(p, command, now)


def lift_restriction(p: Profile, measure: str, now: Instant) -> None:
    for restriction in p.open_restrictions():
        if restriction.measure.name == measure:
            of_run = p.run is not None and restriction in p.run.restrictions
            reverse(p, restriction, p.run if of_run else None, "ordered", now)
            return


def order_measure(p: Profile, name: str, now: Instant) -> None:
    """Sends a measure now; it waits for contact rules only, and one that needs approval asks for it first."""
    plan = p.run.plan if p.run is not None else p.plan
    measure = p.policy.find_measure(name, plan)
    assert measure is not None
    waiting = Waiting(measure, p.run, "ordered")
    if measure.approval is not None:
        ask_approval(p, waiting, now)
    else:
        fire_or_wait(p, waiting, now)


def fire_or_wait(p: Profile, waiting: Waiting, now: Instant) -> None:
    if waiting_instant(p, waiting, now) == now:
        fire(p, waiting, now)
    else:
        p.waiting.append(waiting)


def _asked(p: Profile, command_id: str) -> Waiting:
    return next(waiting for waiting in p.waiting if waiting.for_approval and waiting.command_id == command_id)


def approve(p: Profile, command_id: str, actor: str, now: Instant) -> None:
    """It fires at the instant of the approval; contact rules still hold, a hold is waited for."""
    waiting = _asked(p, command_id)
    close_approval(p, waiting, "approved", now, actor)
    p.waiting.remove(waiting)
    fire_or_wait(p, waiting, now)


def reject_measure(p: Profile, command_id: str, actor: str, now: Instant) -> None:
    """Rejected counts as skipped."""
    waiting = _asked(p, command_id)
    drop(p, waiting, "rejected", now, actor)
    run = waiting.run
    if run is not None and run.has_in_its_plan(waiting.measure) and waiting.measure.name not in run.fired:
        run.skipped.add(waiting.measure.name)


def amend(p: Profile, changes: list[dict[str, Any]], actor: str, now: Instant) -> None:
    """Skips measures of this debtor's run, or moves their day."""
    run = p.run
    assert run is not None
    for change in changes:
        name = change["measure"]
        if change.get("day") is not None:
            run.amended_days[name] = change["day"]
        if change.get("skip") is False:
            run.amended_skips.discard(name)
        if change.get("skip"):
            run.amended_skips.add(name)
            for waiting in list(p.waiting):
                if waiting.run is run and waiting.measure is run.plan.find(name):
                    drop(p, waiting, "skipped", now, actor)
