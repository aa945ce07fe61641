"""What a message decides: the fact it becomes, or the refusal it meets.

One function for each message, each in the order of the refusals' precedence. What follows from the fact is the business
of `follow`; `work` puts the two together.
"""

from collections.abc import Callable
from datetime import date
from typing import Final

from domain import events as e
from domain import messages as m
from domain.commands import BY_ORDER, closed_task, given_up, is_sent, next_command_id, reversal
from domain.decision import STALE, Decision, refused
from domain.follow import ALL, DEADLINES, current_plan, follow
from domain.messages import AttributeValue
from domain.policy import Attribute, Policy
from domain.profile import Pending, Profile
from domain.record import Record
from domain.rules import Account, account_of, classified
from domain.timing import standing

_INTEGER_MAX: Final = 2**63 - 1
"""What an attribute may hold: what a rule can compare and a store can keep."""


def decide(profile: Profile, message: Record, policy: Policy) -> Decision:
    """What ``message`` changes, by itself. The profile is not touched; KeyError for a record that is no message."""
    return _DECIDERS[type(message)](profile, message, policy)


def _closed(profile: Profile) -> Decision:
    return refused("closed_profile", f"profile {profile.profile_id} is closed")


def _unknown(what: str, name: str) -> Decision:
    return refused("unknown_reference", f"{what} {name!r} is not known")


def _reused(what: str, name: str) -> Decision:
    return refused("id_reused", f"{what} {name!r} was used in another event")


def _not_allowed(actor: str, what: str) -> Decision:
    return refused("not_allowed", f"{actor!r} may not {what}")


def _wake(profile: Profile, message: m.Wake, policy: Policy) -> Decision:
    return follow(profile, policy, message.at, ALL)


def _lapse(profile: Profile, message: m.Lapse, policy: Policy) -> Decision:
    return follow(profile, policy, message.at, DEADLINES)


def _policy_published(profile: Profile, message: m.PolicyPublished, policy: Policy) -> Decision:
    if not profile.is_known or profile.closed:
        return Decision([])
    events = classified(profile, account_of(profile), policy, message.at)
    return Decision([*events, *_served(profile, policy, events), *_passed_reminders(profile, policy, message.at)])


def _passed_reminders(profile: Profile, policy: Policy, at: int) -> list[Record]:
    """A version reminds of nothing whose instant had passed before it came."""
    events: list[Record] = []
    for rule in policy.reminders:
        before = rule.days_before_due
        assert before is not None
        for item in profile.ledger.open_items:
            instant = policy.zone.instant(item.due - before, rule.measure.at)
            waits = profile.reminders is not None and (rule.name, item.item_id) in profile.reminders
            if item.since <= instant < at and rule.name not in item.reminded and not waits:
                events.append(e.PreventionSettled(at, rule.name, item.item_id, False))
    return events


def _account_updated(profile: Profile, message: m.AccountUpdated, policy: Policy) -> Decision:
    if not profile.is_known:
        for field, given in (
            ("projection", message.projection),
            ("party", message.party),
            ("currency", message.currency),
        ):
            if given is None:
                return refused("invalid", f"{field} is required in the first event of an account")
    ignored: list[Record] = []
    attributes: dict[str, AttributeValue] = {}
    for name, value in message.attributes.items():
        declared = policy.attributes.get(name)
        if declared is None:
            ignored.append(e.AttributeIgnored(message.at, name))
        elif value is not None and not _fits(value, declared):
            return refused("invalid", f"attribute {name!r} is {value!r}, which is no {_type_in_words(declared)}")
        else:
            attributes[name] = value
    if profile.closed:
        return _closed(profile)
    if message.currency is not None and message.currency != policy.currency:
        return refused("wrong_currency", f"{message.currency} is not the policy's {policy.currency}")
    if profile.is_known and message.ledger is not None and message.ledger != profile.ledger_kind:
        return refused("not_changeable", f"the ledger is {profile.ledger_kind} and cannot change")
    fact = m.AccountUpdated(
        message.at,
        message.projection,
        message.party,
        message.currency,
        message.ledger,
        message.customer_id,
        attributes,
    )
    merged = dict(profile.attributes) if profile.attributes is not None else {}
    for name, value in attributes.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = value
    account = Account(
        message.projection or profile.projection,
        message.party or profile.party,
        message.currency or profile.currency,
        message.ledger or profile.ledger_kind,
        merged,
    )
    segments = classified(profile, account, policy, message.at)
    return Decision([fact, *ignored, *segments, *_served(profile, policy, segments)])


def _fits(value: object, declared: Attribute) -> bool:
    if declared.type == "enum":
        return isinstance(value, str) and value in declared.values
    if declared.type == "boolean":
        return isinstance(value, bool)
    if isinstance(value, bool):
        return False
    if declared.type == "integer":
        return isinstance(value, int) and -_INTEGER_MAX <= value <= _INTEGER_MAX
    if declared.type == "number":
        return isinstance(value, float) or (isinstance(value, int) and -_INTEGER_MAX <= value <= _INTEGER_MAX)
    if declared.type == "date":
        return isinstance(value, str) and _is_date(value)
    return isinstance(value, str)


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _type_in_words(declared: Attribute) -> str:
    return f"one of {', '.join(declared.values)}" if declared.type == "enum" else declared.type


def _served(profile: Profile, policy: Policy, events: list[Record]) -> list[Record]:
    """The group of managers follows the service segment; a personal manager is the segment supervisor's to choose."""
    if policy.managers is None or profile.hand_group:
        return []
    group = _rule_group(profile, policy)
    awaits_choice = False
    for event in events:
        if isinstance(event, e.SegmentChanged):
            group = event.group
            awaits_choice = event.personal and profile.manager is None
    if group == profile.group or awaits_choice or not events:
        return []
    return [e.ManagerChanged(events[-1].at, profile.manager, group, "rule")]


def _account_closed(profile: Profile, message: m.AccountClosed, policy: Policy) -> Decision:
    if profile.closed:
        return _closed(profile)
    events: list[Record] = [message]
    run = profile.run
    if run is not None:
        events.append(e.RunClosed(message.at, run.run_id, run.plan, "closed"))
    # Not only the run's: nobody could close them any more.
    tasks = profile.tasks.values() if profile.tasks is not None else ()
    events.extend([closed_task(task, message.at, None, "closed") for task in tasks])
    return Decision(events)


def _invoice_issued(profile: Profile, message: m.InvoiceIssued, policy: Policy) -> Decision:
    if message.invoice_id in profile.ledger.items:
        return _reused("invoice", message.invoice_id)
    if profile.closed:
        return _closed(profile)
    if profile.ledger_kind != "invoices":
        return refused("wrong_ledger", "an account with ledger balance takes no invoices")
    if message.due_on is not None:
        return Decision([message])
    due_on = policy.due_day(profile.party, message.issued_on)
    return Decision([m.InvoiceIssued(message.at, message.invoice_id, message.amount, message.issued_on, due_on)])


def _invoice_adjusted(profile: Profile, message: m.InvoiceAdjusted, policy: Policy) -> Decision:
    if profile.ledger_kind != "invoices" or message.invoice_id not in profile.ledger.items:
        return _unknown("invoice", message.invoice_id)
    return _closed(profile) if profile.closed else Decision([message])


def _payment_received(profile: Profile, message: m.PaymentReceived, policy: Policy) -> Decision:
    return _money_came(profile, policy, message, message.payment_id, message.amount, message.at)


def _netting_agreed(profile: Profile, message: m.NettingAgreed, policy: Policy) -> Decision:
    return _money_came(profile, policy, message, message.netting_id, message.amount, message.at)


def _money_came(profile: Profile, policy: Policy, message: Record, payment_id: str, amount: int, at: int) -> Decision:
    if payment_id in profile.ledger.payments:
        return _reused("payment", payment_id)
    if profile.closed:
        return _closed(profile)
    if profile.ledger_kind == "balance" and profile.balance is not None and policy.warnings:
        return Decision([message, *_crossings(profile, policy, profile.balance + amount, at)])
    return Decision([message])


def _payment_reversed(profile: Profile, message: m.PaymentReversed, policy: Policy) -> Decision:
    payment = profile.ledger.payments.get(message.payment_id)
    if payment is None or payment.reversed:
        return _unknown("payment", message.payment_id)
    if profile.closed:
        return _closed(profile)
    if profile.ledger_kind != "balance" or profile.balance is None:
        return Decision([message])
    balance = profile.balance - payment.amount
    due_on = _due_below_zero(profile, policy, balance, message.at)
    fact = m.PaymentReversed(message.at, message.payment_id, message.reason, due_on)
    return Decision([fact, *_crossings(profile, policy, balance, message.at)])


def _balance_changed(profile: Profile, message: m.BalanceChanged, policy: Policy) -> Decision:
    if profile.closed:
        return _closed(profile)
    if profile.sequences is not None and profile.sequences.get(message.source, -1) > message.sequence:
        return refused(STALE, f"a snapshot later than {message.sequence} was seen")
    if profile.ledger_kind == "invoices":
        ours = profile.account_balance()
        if ours == message.balance:
            return Decision([message])
        return Decision([message, e.LedgerMismatch(message.at, ours, message.balance)])
    due_on = _due_below_zero(profile, policy, message.balance, message.at)
    fact = m.BalanceChanged(message.at, message.balance, message.sequence, message.source, due_on)
    return Decision([fact, *_crossings(profile, policy, message.balance, message.at)])


def _due_below_zero(profile: Profile, policy: Policy, balance: int, at: int) -> int | None:
    """The due date fixed at the moment at which the balance falls below zero; None while it does not."""
    if balance >= 0 or profile.ledger.open_items:
        return None
    return policy.due_day(profile.party, policy.zone.day(at))


def _crossings(profile: Profile, policy: Policy, balance: int, at: int) -> list[Record]:
    """Balance warnings raised and armed again by the step to ``balance``; the first snapshot crosses nothing."""
    events: list[Record] = []
    before = profile.balance
    for rule in policy.warnings:
        threshold = rule.balance_below
        assert threshold is not None
        is_disarmed = profile.disarmed is not None and rule.name in profile.disarmed
        if is_disarmed and balance >= rule.rearm_at:
            events.append(e.WarningRearmed(at, rule.name))
        elif not is_disarmed and before is not None and before >= threshold > balance:
            events.append(e.WarningRaised(at, rule.name))
    return events


def _claim_opened(profile: Profile, message: m.ClaimOpened, policy: Policy) -> Decision:
    if profile.ledger_kind != "invoices" or message.invoice_id not in profile.ledger.items:
        return _unknown("invoice", message.invoice_id)
    if profile.ledger.claims is not None and message.claim_id in profile.ledger.claims:
        return _reused("claim", message.claim_id)
    return _closed(profile) if profile.closed else Decision([message])


def _claim_closed(profile: Profile, message: m.ClaimClosed, policy: Policy) -> Decision:
    claim = profile.ledger.claims.get(message.claim_id) if profile.ledger.claims is not None else None
    if claim is None or not claim.is_open:
        return _unknown("claim", message.claim_id)
    return _closed(profile) if profile.closed else Decision([message])


def _hold_placed(profile: Profile, message: m.HoldPlaced, policy: Policy) -> Decision:
    return _closed(profile) if profile.closed else Decision([message])


def _hold_lifted(profile: Profile, message: m.HoldLifted, policy: Policy) -> Decision:
    if profile.holds is None or message.hold_id not in profile.holds:
        return _unknown("hold", message.hold_id)
    return _closed(profile) if profile.closed else Decision([message])


def _promise_made(profile: Profile, message: m.PromiseMade, policy: Policy) -> Decision:
    if profile.ids is not None and message.promise_id in profile.ids:
        return _reused("promise", message.promise_id)
    if profile.closed:
        return _closed(profile)
    zone = policy.zone
    ends = zone.midnight(message.pay_by + 1)
    breaks_at = ends if ends >= message.at else zone.midnight(zone.day(message.at) + 1)
    return Decision([m.PromiseMade(message.at, message.promise_id, message.amount, message.pay_by, ends, breaks_at)])


def _instalments_agreed(profile: Profile, message: m.InstalmentsAgreed, policy: Policy) -> Decision:
    if profile.ids is not None and message.schedule_id in profile.ids:
        return _reused("schedule", message.schedule_id)
    if profile.closed:
        return _closed(profile)
    parts = tuple(sorted(message.parts, key=_pay_by))
    # A day that has passed already is looked at by the next midnight, which may be this very instant.
    checked_from = policy.zone.midnight(policy.zone.day(message.at - 1) + 1)
    return Decision([m.InstalmentsAgreed(message.at, message.schedule_id, parts, checked_from)])


def _pay_by(part: tuple[int, int]) -> int:
    return part[0]


def _instalments_cancelled(profile: Profile, message: m.InstalmentsCancelled, policy: Policy) -> Decision:
    schedule = profile.schedule
    if schedule is None or schedule.schedule_id != message.schedule_id:
        return _unknown("schedule", message.schedule_id)
    return _closed(profile) if profile.closed else Decision([message])


def _contact_made(profile: Profile, message: m.ContactMade, policy: Policy) -> Decision:
    if profile.closed:
        return _closed(profile)
    if not policy.has_role(message.actor, "specialist"):
        return _not_allowed(message.actor, "contact debtors")
    return Decision(
        [
            m.ContactMade(
                message.at,
                message.kind,
                message.direction,
                message.actor,
                message.outcome,
                message.note,
                policy.zone.day(message.at),
            )
        ]
    )


def _restriction_lifted(profile: Profile, message: m.RestrictionLifted, policy: Policy) -> Decision:
    run = profile.run
    if policy.measure(message.measure, run.plan if run is not None else None) is None:
        return _unknown("measure", message.measure)
    if profile.closed:
        return _closed(profile)
    restriction = profile.liftable(message.measure)
    if restriction is None and run is None:
        return refused("no_run", "there is no run, and nothing is restricted without one")
    if restriction is None:
        return _unknown("restriction in force", message.measure)
    if not policy.has_role(message.actor, "specialist"):
        return _not_allowed(message.actor, "give a service back")
    today = policy.zone.day(message.at)
    overdue, oldest = standing(profile, today)
    dpd = today - oldest if oldest > 0 else 0
    # Ordered without a run, it is given back without one.
    of_run = None if profile.loose is not None and restriction in profile.loose else run
    command = reversal(profile, policy, of_run, restriction, BY_ORDER, message.at, today, overdue, dpd, 0)
    return Decision([message, command])


def _task_done(profile: Profile, message: m.TaskDone, policy: Policy) -> Decision:
    task = profile.tasks.get(message.task_id) if profile.tasks is not None else None
    if task is None:
        return _unknown("task", message.task_id)
    if profile.closed:
        return _closed(profile)
    if task.why == "approval":
        return refused("not_changeable", "an approval is closed by approving or rejecting the measure")
    if not policy.has_role(message.actor, "specialist"):
        return _not_allowed(message.actor, "close tasks")
    return Decision([message, closed_task(task, message.at, message.actor, message.outcome)])


def _measure_completed(profile: Profile, message: m.MeasureCompleted, policy: Policy) -> Decision:
    if not is_sent(profile, message.command_id):
        return _unknown("command", message.command_id)
    return _closed(profile) if profile.closed else Decision([message])


def _measure_failed(profile: Profile, message: m.MeasureFailed, policy: Policy) -> Decision:
    if not is_sent(profile, message.command_id):
        return _unknown("command", message.command_id)
    if profile.closed:
        return _closed(profile)
    sent = profile.outstanding.get(message.command_id) if profile.outstanding is not None else None
    if sent is not None and not sent.settled and sent.command.kind == "restore":
        _, opened = given_up(profile, sent, message.at)
        return Decision([message, e.CommandFailed(message.at, message.command_id, True), opened])
    return Decision([message])


def _hold_command(profile: Profile, message: m.HoldCommand, policy: Policy) -> Decision:
    if not _has_outstanding(profile, message.command_id):
        return Decision([])
    return Decision([e.CommandHeld(message.at, message.command_id, message.breaker)])


def _release_command(profile: Profile, message: m.ReleaseCommand, policy: Policy) -> Decision:
    if not _has_outstanding(profile, message.command_id):
        return Decision([])
    return Decision([e.CommandReleased(message.at, message.command_id)])


def _withdraw_commands(profile: Profile, message: m.WithdrawCommands, policy: Policy) -> Decision:
    # An account that is closed waits for no outcome any more; that its last commands never left is told all the same.
    return Decision(
        [
            e.CommandWithdrawn(message.at, command_id, message.why)
            for command_id in dict.fromkeys(message.command_ids)
            if (is_sent(profile, command_id) if profile.closed else _has_outstanding(profile, command_id))
        ]
    )


def _has_outstanding(profile: Profile, command_id: str) -> bool:
    return profile.outstanding is not None and command_id in profile.outstanding


def _measure_ordered(profile: Profile, message: m.MeasureOrdered, policy: Policy) -> Decision:
    run = profile.run
    found = policy.measure(message.measure, run.plan if run is not None else profile.hand_plan or profile.rule_plan)
    if found is None:
        return _unknown("measure", message.measure)
    if profile.closed:
        return _closed(profile)
    plan, index = found
    if _awaiting(profile, plan.name, message.measure) is not None:
        return refused("not_changeable", f"measure {message.measure!r} awaits its approval already")
    if not policy.has_role(message.actor, "specialist"):
        return _not_allowed(message.actor, "apply measures")
    measure = plan.measures[index]
    awaits = measure.approval is not None
    fact = m.MeasureOrdered(message.at, message.measure, message.actor, message.note, plan.name, awaits)
    if not awaits:
        return Decision([fact])
    command_id = next_command_id(profile, run, measure.name)
    in_run = run is not None
    opened = e.TaskOpened(message.at, command_id, measure.name, command_id, "approval", plan.name, True, in_run)
    return Decision([fact, opened])


def _awaiting(profile: Profile, plan: str, measure: str) -> Pending | None:
    if profile.pending is not None:
        for pending in profile.pending:
            if not pending.granted and pending.plan == plan and pending.measure == measure:
                return pending
    return None


def _measure_approved(profile: Profile, message: m.MeasureApproved, policy: Policy) -> Decision:
    answer = _approval_answered(profile, policy, message.command_id, message.actor)
    if answer is not None:
        return answer
    return Decision([message, *_approval_closed(profile, message.command_id, message.at, message.actor, "approved")])


def _measure_rejected(profile: Profile, message: m.MeasureRejected, policy: Policy) -> Decision:
    answer = _approval_answered(profile, policy, message.command_id, message.actor)
    if answer is not None:
        return answer
    pending = _pending_of(profile, message.command_id)
    assert pending is not None
    events = [message, *_approval_closed(profile, message.command_id, message.at, message.actor, "rejected")]
    run = profile.run
    plan = policy.plans.get(pending.plan)
    step = plan.step(pending.measure) if plan is not None else None
    if run is not None and run.plan == pending.plan and step is not None and pending.measure not in run.fired:
        events.append(e.MeasureSkipped(message.at, pending.measure, step, "rejected"))
    return Decision(events)


def _pending_of(profile: Profile, command_id: str) -> Pending | None:
    if profile.pending is not None:
        for pending in profile.pending:
            if pending.command_id == command_id and not pending.granted:
                return pending
    return None


def _approval_answered(profile: Profile, policy: Policy, command_id: str, actor: str) -> Decision | None:
    """The refusal of a head's decision, if there is one."""
    pending = _pending_of(profile, command_id)
    if pending is None:
        return _unknown("command that awaits approval", command_id)
    if profile.closed:
        return _closed(profile)
    plan = policy.plans.get(pending.plan)
    step = plan.step(pending.measure) if plan is not None else None
    role = plan.measures[step - 1].approval if plan is not None and step is not None else None
    if not policy.has_role(actor, role or "head"):
        return _not_allowed(actor, f"decide on {pending.measure!r}")
    return None


def _approval_closed(profile: Profile, command_id: str, at: int, actor: str, outcome: str) -> list[Record]:
    if profile.tasks is None:
        return []
    return [
        closed_task(task, at, actor, outcome)
        for task in profile.tasks.values()
        if task.why == "approval" and task.command_id == command_id
    ]


def _plan_assigned(profile: Profile, message: m.PlanAssigned, policy: Policy) -> Decision:
    if message.plan is not None and message.plan not in policy.plans:
        return _unknown("plan", message.plan)
    if profile.closed:
        return _closed(profile)
    if not policy.has_role(message.actor, "specialist"):
        return _not_allowed(message.actor, "change the plan")
    return Decision([message])


def _plan_amended(profile: Profile, message: m.PlanAmended, policy: Policy) -> Decision:
    run = profile.run
    for measure, _, _ in message.changes:
        plan = policy.plans.get((run.plan if run is not None else current_plan(profile, policy)) or "")
        if plan is None or plan.step(measure) is None:
            return _unknown("measure", measure)
    if profile.closed:
        return _closed(profile)
    if run is None:
        return refused("no_run", "there is no run to amend")
    events: list[Record] = [message]
    for measure, skip, _ in message.changes:
        if measure in run.fired:
            return refused("not_changeable", f"measure {measure!r} has fired already")
        if skip:
            events.extend(_no_longer_waiting(profile, run.plan, measure, message.at, message.actor))
    if not policy.has_role(message.actor, "specialist"):
        return _not_allowed(message.actor, "amend the plan")
    return Decision(events)


def _no_longer_waiting(profile: Profile, plan: str, measure: str, at: int, actor: str) -> list[Record]:
    """A measure that is skipped waits for nothing any more: neither for a head nor for contact hours."""
    events: list[Record] = []
    for pending in profile.pending or ():
        if pending.in_run and pending.plan == plan and pending.measure == measure:
            if pending.granted:
                events.append(e.MeasureSkipped(at, measure, 0, "amended"))
            else:
                events.extend(_approval_closed(profile, pending.command_id, at, actor, "skipped"))
    return events


def _manager_assigned(profile: Profile, message: m.ManagerAssigned, policy: Policy) -> Decision:
    if message.manager is not None and policy.managers is not None and message.manager not in policy.managers:
        return _unknown("manager", message.manager)
    if profile.closed:
        return _closed(profile)
    if not policy.has_role(message.actor, "head"):
        return _not_allowed(message.actor, "assign a personal manager")
    return Decision([message, e.ManagerChanged(message.at, message.manager, profile.group, "hand")])


def _group_assigned(profile: Profile, message: m.GroupAssigned, policy: Policy) -> Decision:
    if profile.closed:
        return _closed(profile)
    if not policy.has_role(message.actor, "head"):
        return _not_allowed(message.actor, "assign a group")
    if message.group is not None:
        return Decision([message, e.ManagerChanged(message.at, profile.manager, message.group, "hand")])
    return Decision([message, e.ManagerChanged(message.at, profile.manager, _rule_group(profile, policy), "rule")])


def _rule_group(profile: Profile, policy: Policy) -> str | None:
    for service in policy.service_segments:
        if service.name == profile.service_segment:
            return service.group
    return None


def _manager_chosen(profile: Profile, message: m.ManagerChosen, policy: Policy) -> Decision:
    """The supervisor's answer counts only while nobody was chosen by hand meanwhile."""
    if profile.closed or profile.manager is not None:
        return Decision([])
    group = profile.group if profile.hand_group else _rule_group(profile, policy)
    if message.manager is None and group == profile.group:
        return Decision([])
    return Decision([e.ManagerChanged(message.at, message.manager, group, "rule")])


_DECIDERS: Final[dict[type, Callable[..., Decision]]] = {
    m.Wake: _wake,
    m.Lapse: _lapse,
    m.PolicyPublished: _policy_published,
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
    m.TaskDone: _task_done,
    m.NettingAgreed: _netting_agreed,
    m.MeasureCompleted: _measure_completed,
    m.MeasureFailed: _measure_failed,
    m.HoldCommand: _hold_command,
    m.ReleaseCommand: _release_command,
    m.WithdrawCommands: _withdraw_commands,
    m.MeasureOrdered: _measure_ordered,
    m.MeasureApproved: _measure_approved,
    m.MeasureRejected: _measure_rejected,
    m.PlanAssigned: _plan_assigned,
    m.PlanAmended: _plan_amended,
    m.ManagerAssigned: _manager_assigned,
    m.GroupAssigned: _group_assigned,
    m.ManagerChosen: _manager_chosen,
}
