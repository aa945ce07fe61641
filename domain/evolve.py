"""The fold: how each fact changes the profile. No policy, no clock, no choice; a fact is always accepted.

The journal's facts, folded in their order over an empty profile, give the profile again.
"""

from collections.abc import Callable
from sys import intern
from typing import Final

from domain import events as e
from domain import messages as m
from domain.calendar import NEVER
from domain.profile import RESERVED, Pending, Profile, Promise, Restriction, Run, Schedule, Sent, Task
from domain.record import Record

_DAYS_COUNTED: Final = 30


def evolve(profile: Profile, event: Record) -> Profile:
    """Folds one fact into the profile and returns it. Raises KeyError for a record that is no fact."""
    _FOLDS[type(event)](profile, event)
    return profile


def _account_updated(profile: Profile, event: m.AccountUpdated) -> None:
    # A million profiles share a handful of these words: interned, they are one object each.
    if event.projection is not None:
        profile.projection = intern(event.projection)
    if event.party is not None:
        profile.party = intern(event.party)
    if event.currency is not None:
        profile.currency = intern(event.currency)
    if event.ledger is not None:
        profile.ledger_kind = intern(event.ledger)
    if event.customer_id is not None:
        profile.customer_id = event.customer_id
    if event.attributes:
        merged = dict(profile.attributes) if profile.attributes is not None else {}
        for name, value in event.attributes.items():
            if value is None:
                merged.pop(name, None)
            else:
                merged[intern(name)] = intern(value) if isinstance(value, str) else value
        profile.attributes = merged or None


def _account_closed(profile: Profile, event: m.AccountClosed) -> None:
    profile.closed = True
    profile.outstanding = None
    profile.promise = None
    profile.schedule = None
    profile.warnings = None
    profile.reminders = None
    profile.pending = None


def _invoice_issued(profile: Profile, event: m.InvoiceIssued) -> None:
    assert event.due_on is not None
    profile.ledger.open(event.invoice_id, event.amount, event.due_on, event.at)


def _invoice_adjusted(profile: Profile, event: m.InvoiceAdjusted) -> None:
    profile.ledger.adjust(profile.ledger.items[event.invoice_id], event.delta, event.at)


def _payment_received(profile: Profile, event: m.PaymentReceived) -> None:
    _paid(profile, event.payment_id, event.amount, event.at)


def _netting_agreed(profile: Profile, event: m.NettingAgreed) -> None:
    _paid(profile, event.netting_id, event.amount, event.at)


def _paid(profile: Profile, payment_id: str, amount: int, at: int) -> None:
    if profile.ledger_kind == "balance":
        profile.ledger.count_only(payment_id, amount)
        if profile.balance is not None:
            _set_balance(profile, profile.balance + amount, None, at)
    else:
        profile.ledger.pay(payment_id, amount)
    if profile.promise is not None:
        profile.promise.paid += amount
    if profile.schedule is not None:
        profile.schedule.paid += amount


def _payment_reversed(profile: Profile, event: m.PaymentReversed) -> None:
    payment = profile.ledger.payments[event.payment_id]
    if profile.ledger_kind == "balance":
        payment.reversed = True
        if profile.balance is not None:
            _set_balance(profile, profile.balance - payment.amount, event.due_on, event.at)
    else:
        profile.ledger.reverse(event.payment_id, event.at)
    promise = profile.promise
    if promise is not None and payment.arrival > promise.since:
        promise.paid -= payment.amount
    schedule = profile.schedule
    if schedule is not None and payment.arrival > schedule.since:
        schedule.paid -= payment.amount


def _balance_changed(profile: Profile, event: m.BalanceChanged) -> None:
    if profile.sequences is None:
        profile.sequences = {}
    profile.sequences[event.source] = event.sequence
    if profile.ledger_kind == "balance":
        _set_balance(profile, event.balance, event.due_on, event.at)


def _set_balance(profile: Profile, balance: int, due_on: int | None, at: int) -> None:
    profile.balance = balance
    profile.ledger.set_balance(balance, due_on, at)


def _claim_opened(profile: Profile, event: m.ClaimOpened) -> None:
    profile.ledger.dispute(event.claim_id, profile.ledger.items[event.invoice_id], event.amount)


def _claim_closed(profile: Profile, event: m.ClaimClosed) -> None:
    profile.ledger.settle_claim(event.claim_id, event.outcome == "upheld", event.at)


def _hold_placed(profile: Profile, event: m.HoldPlaced) -> None:
    if profile.holds is None:
        profile.holds = {}
    profile.holds[event.hold_id] = event.until


def _hold_lifted(profile: Profile, event: m.HoldLifted) -> None:
    assert profile.holds is not None
    del profile.holds[event.hold_id]
    if not profile.holds:
        profile.holds = None


def _promise_made(profile: Profile, event: m.PromiseMade) -> None:
    _use_id(profile, event.promise_id)
    profile.promise = Promise(
        event.promise_id, event.amount, event.holds_until, event.breaks_at, profile.ledger.arrivals
    )


def _promise_kept(profile: Profile, event: e.PromiseKept) -> None:
    profile.promise = None
    profile.published += 1


def _promise_broken(profile: Profile, event: e.PromiseBroken) -> None:
    profile.promise = None
    profile.broken_promises += 1
    profile.published += 1


def _instalments_agreed(profile: Profile, event: m.InstalmentsAgreed) -> None:
    _use_id(profile, event.schedule_id)
    profile.schedule = Schedule(event.schedule_id, event.parts, event.checked_from, profile.ledger.arrivals)


def _instalment_met(profile: Profile, event: e.InstalmentMet) -> None:
    assert profile.schedule is not None
    profile.schedule.met = event.part


def _instalments_cancelled(profile: Profile, event: m.InstalmentsCancelled) -> None:
    profile.schedule = None


def _instalments_ended(profile: Profile, event: Record) -> None:
    profile.schedule = None
    profile.published += 1


def _use_id(profile: Profile, business_id: str) -> None:
    if profile.ids is None:
        profile.ids = set()
    profile.ids.add(business_id)


def _contact_made(profile: Profile, event: m.ContactMade) -> None:
    if event.direction == "out":
        _count_contact(profile, event.kind, event.on)


def _count_contact(profile: Profile, kind: str, on: int) -> None:
    if profile.contacts is None:
        profile.contacts = {}
    days = [day for day in profile.contacts.get(kind, ()) if day > on - _DAYS_COUNTED]
    profile.contacts[intern(kind)] = (*days, on)


def _restriction_lifted(profile: Profile, event: m.RestrictionLifted) -> None:
    restriction = profile.liftable(event.measure)
    assert restriction is not None
    restriction.lifted = True
    if profile.loose is not None:
        profile.loose = [each for each in profile.loose if not each.lifted] or None
    # A service that is given back is not taken away by a late retry.
    for command_id in restriction.command_ids:
        sent = profile.outstanding.get(command_id) if profile.outstanding is not None else None
        if sent is not None:
            sent.settled = True
            sent.deadline = NEVER


def _measure_completed(profile: Profile, event: m.MeasureCompleted) -> None:
    if profile.outstanding is None:
        return
    sent = profile.outstanding.pop(event.command_id, None)
    if not profile.outstanding:
        profile.outstanding = None
    if sent is not None and sent.settled and sent.reported:
        _took_effect(profile, event.command_id)


def _measure_failed(profile: Profile, event: m.MeasureFailed) -> None:
    sent = profile.outstanding.get(event.command_id) if profile.outstanding is not None else None
    if sent is None:
        return
    sent.reported = True
    if sent.settled:
        _never_took_effect(profile, event.command_id)
    elif sent.command.kind != "restore":
        sent.deadline = event.at


def _command_failed(profile: Profile, event: e.CommandFailed) -> None:
    assert profile.outstanding is not None
    sent = profile.outstanding[event.command_id]
    sent.settled = True
    if sent.command.kind != "restore":
        sent.deadline = NEVER
    if event.reported:
        _never_took_effect(profile, event.command_id)


def _command_held(profile: Profile, event: e.CommandHeld) -> None:
    assert profile.outstanding is not None
    profile.outstanding[event.command_id].deadline = NEVER


def _command_released(profile: Profile, event: e.CommandReleased) -> None:
    assert profile.outstanding is not None
    sent = profile.outstanding[event.command_id]
    command = sent.command
    # What has lost its reason meanwhile is not sent again, so that nothing is waited for.
    if command.confirm_by != NEVER and (not sent.settled or command.kind == "restore"):
        sent.deadline = event.at + command.confirm_by - command.at


def _command_withdrawn(profile: Profile, event: e.CommandWithdrawn) -> None:
    if profile.outstanding is not None:
        profile.outstanding.pop(event.command_id, None)
        profile.outstanding = profile.outstanding or None
    run = profile.run
    if run is not None and run.restrictions is not None:
        run.restrictions = _without(run.restrictions, event.command_id)
    if profile.loose is not None:
        profile.loose = _without(profile.loose, event.command_id)


def _without(restrictions: list[Restriction], command_id: str) -> list[Restriction] | None:
    """What is still restricted, or may be, where this command never left."""
    left: list[Restriction] = []
    for restriction in restrictions:
        if command_id in restriction.command_ids or command_id in restriction.failed_ids:
            restriction.command_ids = tuple([each for each in restriction.command_ids if each != command_id])
            restriction.failed_ids = tuple([each for each in restriction.failed_ids if each != command_id])
            if not restriction.command_ids and not restriction.failed_ids:
                continue
        left.append(restriction)
    return left or None


def _never_took_effect(profile: Profile, command_id: str) -> None:
    """A restriction whose every command was reported failed has nothing to give back."""
    for restriction in _restrictions(profile):
        if command_id in restriction.command_ids:
            restriction.command_ids = tuple([each for each in restriction.command_ids if each != command_id])
            restriction.failed_ids = (*restriction.failed_ids, command_id)


def _took_effect(profile: Profile, command_id: str) -> None:
    """Confirmed after all: it will be reversed."""
    for restriction in _restrictions(profile):
        if command_id in restriction.failed_ids:
            restriction.failed_ids = tuple([each for each in restriction.failed_ids if each != command_id])
            restriction.command_ids = (*restriction.command_ids, command_id)


def _restrictions(profile: Profile) -> list[Restriction]:
    in_run = profile.run.restrictions if profile.run is not None else None
    return [*(in_run or ()), *(profile.loose or ())]


def _service_restore_overdue(profile: Profile, event: e.ServiceRestoreOverdue) -> None:
    assert profile.outstanding is not None
    profile.outstanding[event.command_id].deadline = NEVER
    profile.published += 1


def _measure_ordered(profile: Profile, event: m.MeasureOrdered) -> None:
    if not event.awaits_approval:
        in_run = profile.run is not None
        _add_pending(profile, Pending(event.measure, event.plan, "", True, True, in_run, since=event.at))


def _add_pending(profile: Profile, pending: Pending) -> None:
    if profile.pending is None:
        profile.pending = []
    profile.pending.append(pending)


def _measure_approved(profile: Profile, event: m.MeasureApproved) -> None:
    assert profile.pending is not None
    for pending in profile.pending:
        if pending.command_id == event.command_id:
            pending.granted = True
            pending.since = event.at


def _measure_rejected(profile: Profile, event: m.MeasureRejected) -> None:
    _drop_pending(profile, event.command_id)


def _drop_pending(profile: Profile, command_id: str) -> None:
    if profile.pending is not None:
        profile.pending = [each for each in profile.pending if each.command_id != command_id] or None


def _plan_assigned(profile: Profile, event: m.PlanAssigned) -> None:
    profile.hand_plan = event.plan


def _plan_amended(profile: Profile, event: m.PlanAmended) -> None:
    run = profile.run
    assert run is not None
    if run.amendments is None:
        run.amendments = {}
    for measure, skip, day in event.changes:
        before = run.amendments.get(measure, (None, None))
        run.amendments[measure] = (skip if skip is not None else before[0], day if day is not None else before[1])


def _group_assigned(profile: Profile, event: m.GroupAssigned) -> None:
    profile.hand_group = event.group is not None


def _manager_changed(profile: Profile, event: e.ManagerChanged) -> None:
    profile.manager = event.manager
    profile.group = event.group
    profile.published += 1


def _segment_changed(profile: Profile, event: e.SegmentChanged) -> None:
    profile.policy_segment = event.policy_segment
    profile.service_segment = event.service_segment
    profile.rule_plan = event.plan
    profile.published += 1


def _policy_adopted(profile: Profile, event: e.PolicyAdopted) -> None:
    profile.policy_version = event.version
    profile.rule_plan = event.plan
    run = profile.run
    if run is not None and run.plan_version != event.version:
        run.plan_version = event.version
        run.floor_day = max(run.floor_day, run.fired_day)
        run.skipped = ()
        run.cursor = 0


def _run_opened(profile: Profile, event: e.RunOpened) -> None:
    run = Run(event.number, event.run_id, event.plan, event.plan_version, event.at)
    before = profile.run
    if before is not None:
        assert before.closed, "a profile has at most one run"
        run.floor_day = max(before.floor_day, before.fired_day)
        run.fired_day = run.floor_day
        run.last_fired_on = before.last_fired_on
        run.restrictions = before.restrictions
    profile.run = run
    profile.runs = event.number
    profile.published += 1


def _run_closed(profile: Profile, event: e.RunClosed) -> None:
    run = profile.run
    assert run is not None
    if profile.past_runs is None:
        profile.past_runs = []
    profile.past_runs.append(run.issued)
    profile.published += 1
    if profile.pending is not None:
        profile.pending = [each for each in profile.pending if not each.in_run] or None
    if event.outcome == "switched":
        run.closed = True
        return
    profile.run = None
    if event.outcome in ("cured", "closed"):
        _settle_commands(profile)
        return
    profile.blocked = True


def _settle_commands(profile: Profile) -> None:
    """The reason of the runs' commands is gone: none of them is sent again."""
    if profile.outstanding is not None:
        for sent in profile.outstanding.values():
            if sent.command.run_id is not None and sent.command.kind != "restore":
                sent.settled = True
                sent.deadline = NEVER


def _overdue_cleared(profile: Profile, event: e.OverdueCleared) -> None:
    profile.blocked = False
    _settle_commands(profile)


def _measure_requested(profile: Profile, event: e.MeasureRequested) -> None:
    profile.published += 1
    if profile.outstanding is None:
        profile.outstanding = {}
    profile.outstanding[event.command_id] = Sent(event, event.confirm_by)
    if event.attempt > 1:
        return
    run = profile.run
    if event.reason == "prevention":
        _count_outside(profile, event.measure)
        return
    reserved = profile.pending is not None and _drop_sent(profile, event)
    if event.contact:
        _count_contact(profile, event.kind, event.on)
    if not reserved:
        _count_issue(profile, event.run_id, event.measure)
    elif run is not None:
        run.issued = _sent_now(run.issued, event.measure)
    if event.kind == "restrict":
        _restrict(profile, event)
    if run is not None and event.counts:
        run.fired = (*run.fired, event.measure)
        if event.day > run.fired_day:
            run.fired_day = event.day
        run.last_fired_on = event.on
        if event.step == run.cursor + 1:
            run.cursor = event.step


def _count_issue(profile: Profile, run_id: str | None, name: str) -> None:
    """The name has been used for a command id once more: in the run, in the one just closed, or outside of runs."""
    if run_id is None:
        _count_outside(profile, name)
    elif profile.run is not None:
        profile.run.issued = (*profile.run.issued, name)
    else:  # a reversal at the cure
        assert profile.past_runs is not None
        profile.past_runs[-1] = (*profile.past_runs[-1], name)


def _sent_now(issued: tuple[str, ...], name: str) -> tuple[str, ...]:
    """The id that was kept last for this name is in use."""
    names = list(issued)
    for index in range(len(names) - 1, -1, -1):
        if names[index] == RESERVED + name:
            names[index] = name
            break
    return tuple(names)


def _drop_sent(profile: Profile, event: e.MeasureRequested) -> bool:
    """The pending measure that this command carries out waits no longer; whether its id was counted when it began."""
    reserved = False
    assert profile.pending is not None
    for pending in profile.pending:
        if pending.granted and pending.measure == event.measure and pending.command_id in ("", event.command_id):
            reserved = pending.command_id != ""
            profile.pending.remove(pending)
            break
    if not profile.pending:
        profile.pending = None
    return reserved


def _restrict(profile: Profile, event: e.MeasureRequested) -> None:
    """A service is taken away; one sent again stays one restriction, to be reversed once, in its latest place."""
    run = profile.run if event.run_id is not None else None
    before = (run.restrictions if run is not None else profile.loose) or []
    restrictions: list[Restriction] = []
    command_ids: tuple[str, ...] = ()
    failed_ids: tuple[str, ...] = ()
    for each in before:
        if each.measure != event.measure or each.target != event.target or each.reverse != event.reverse:
            restrictions.append(each)
        elif not each.lifted:
            command_ids = each.command_ids
            failed_ids = each.failed_ids
    command_ids = (*command_ids, event.command_id)
    restrictions.append(Restriction(event.measure, command_ids, event.target, event.reverse, False, failed_ids))
    if run is not None:
        run.restrictions = restrictions
    else:
        profile.loose = restrictions


def _count_outside(profile: Profile, name: str) -> None:
    if profile.outside is None:
        profile.outside = {}
    profile.outside[name] = profile.outside.get(name, 0) + 1


def _measure_skipped(profile: Profile, event: e.MeasureSkipped) -> None:
    if event.step == 0:
        if profile.pending is not None:
            profile.pending = [
                each for each in profile.pending if not (each.granted and each.measure == event.measure)
            ] or None
        return
    run = profile.run
    assert run is not None
    run.skipped = (*run.skipped, event.measure)
    if event.step == run.cursor + 1:
        run.cursor = event.step


def _task_opened(profile: Profile, event: e.TaskOpened) -> None:
    if profile.tasks is None:
        profile.tasks = {}
    profile.tasks[event.task_id] = Task(
        event.task_id, event.measure, event.command_id, event.why, event.at, event.in_run
    )
    profile.published += 1
    if event.why == "approval":
        assert event.plan is not None
        _add_pending(
            profile,
            Pending(event.measure, event.plan, event.command_id, event.ordered, granted=False, in_run=event.in_run),
        )
        if event.in_run and profile.run is not None:
            profile.run.issued = (*profile.run.issued, RESERVED + event.measure)
        else:
            _count_outside(profile, event.measure)


def _task_closed(profile: Profile, event: e.TaskClosed) -> None:
    if profile.tasks is not None:
        profile.tasks.pop(event.task_id, None)
        if not profile.tasks:
            profile.tasks = None
    profile.published += 1
    if event.why == "approval" and event.outcome not in ("approved", "rejected"):
        _drop_pending(profile, event.command_id)


def _warning_raised(profile: Profile, event: e.WarningRaised) -> None:
    profile.disarmed = [*(profile.disarmed or []), event.rule]
    if profile.warnings is None:
        profile.warnings = {}
    profile.warnings.setdefault(event.rule, event.at)


def _warning_rearmed(profile: Profile, event: e.WarningRearmed) -> None:
    assert profile.disarmed is not None
    profile.disarmed = [each for each in profile.disarmed if each != event.rule] or None


def _reminder_due(profile: Profile, event: e.ReminderDue) -> None:
    profile.reminders = [*(profile.reminders or ()), (event.rule, event.item)]


def _prevention_settled(profile: Profile, event: e.PreventionSettled) -> None:
    if event.item is None:
        assert profile.warnings is not None
        del profile.warnings[event.rule]
        if not profile.warnings:
            profile.warnings = None
        return
    if profile.reminders is not None:
        profile.reminders = [each for each in profile.reminders if each != (event.rule, event.item)] or None
    item = profile.ledger.items.get(event.item)
    if item is not None:  # a balance that is no longer below zero has none
        item.reminded = (*item.reminded, event.rule)


def _published(profile: Profile, event: Record) -> None:
    profile.published += 1


def _nothing(profile: Profile, event: Record) -> None:
    """A fact for the record only."""


_FOLDS: Final[dict[type, Callable[..., None]]] = {
    m.AccountUpdated: _account_updated,
    m.AccountClosed: _account_closed,
    m.InvoiceIssued: _invoice_issued,
    m.InvoiceAdjusted: _invoice_adjusted,
    m.PaymentReceived: _payment_received,
    m.PaymentReversed: _payment_reversed,
    m.BalanceChanged: _balance_changed,
    m.ClaimOpened: _claim_opened,
    m.ClaimClosed: _claim_closed,
    m.HoldPlaced: _hold_placed,
    m.HoldLifted: _hold_lifted,
    m.PromiseMade: _promise_made,
    m.InstalmentsAgreed: _instalments_agreed,
    m.InstalmentsCancelled: _instalments_cancelled,
    m.ContactMade: _contact_made,
    m.RestrictionLifted: _restriction_lifted,
    m.TaskDone: _nothing,
    m.NettingAgreed: _netting_agreed,
    m.MeasureCompleted: _measure_completed,
    m.MeasureFailed: _measure_failed,
    m.MeasureOrdered: _measure_ordered,
    m.MeasureApproved: _measure_approved,
    m.MeasureRejected: _measure_rejected,
    m.PlanAssigned: _plan_assigned,
    m.PlanAmended: _plan_amended,
    m.ManagerAssigned: _nothing,
    m.GroupAssigned: _group_assigned,
    e.SegmentChanged: _segment_changed,
    e.ManagerChanged: _manager_changed,
    e.PersonalManagerDue: _nothing,
    e.PolicyAdopted: _policy_adopted,
    e.RunOpened: _run_opened,
    e.RunClosed: _run_closed,
    e.OverdueCleared: _overdue_cleared,
    e.MeasureRequested: _measure_requested,
    e.MeasureSkipped: _measure_skipped,
    e.AttributeIgnored: _nothing,
    e.ConditionReported: _nothing,
    e.TaskOpened: _task_opened,
    e.TaskClosed: _task_closed,
    e.PromiseKept: _promise_kept,
    e.PromiseBroken: _promise_broken,
    e.InstalmentMet: _instalment_met,
    e.InstalmentsBroken: _instalments_ended,
    e.InstalmentsCompleted: _instalments_ended,
    e.LedgerMismatch: _published,
    e.WarningRaised: _warning_raised,
    e.WarningRearmed: _warning_rearmed,
    e.ReminderDue: _reminder_due,
    e.PreventionSettled: _prevention_settled,
    e.CommandFailed: _command_failed,
    e.CommandHeld: _command_held,
    e.CommandReleased: _command_released,
    e.CommandWithdrawn: _command_withdrawn,
    e.ServiceRestoreOverdue: _service_restore_overdue,
}
