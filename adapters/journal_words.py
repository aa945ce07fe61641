"""The journal in words: what happened, who did it, and why."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from domain import events as e
from domain import messages as m
from domain.calendar import date_of
from domain.forecast import counted, money, reason
from domain.policy import Policy
from domain.record import Record

ENGINE: Final = "engine"
OUTSIDE: Final = "outside"
"""An event that names no actor: billing, the shop, the network."""


class Told(NamedTuple):
    """A fact in words. ``who`` is a person's id, `ENGINE` or `OUTSIDE`; ``why`` may be empty."""

    what: str
    who: str
    why: str


def told(fact: Record, policy: Policy) -> Told:
    """A fact of the journal in words; one of a kind that has none is told by its class and fields."""
    teller = _TELLERS.get(type(fact))
    what, why = teller(fact, policy) if teller is not None else (repr(fact), "")
    return Told(what, _who(fact), why)


def _who(fact: Record) -> str:
    actor = getattr(fact, "actor", None)
    if actor:
        return str(actor)
    return ENGINE if type(fact).__module__ == e.__name__ else OUTSIDE


# A fact's own fields are checked by mypy where it is made; here a table of a line each is easier to read than fifty
# functions with a type each.
_Teller = Callable[[Any, Policy], tuple[str, str]]


def _account(fact: m.AccountUpdated, policy: Policy) -> tuple[str, str]:
    named = [f"{each}={value}" for each in ("projection", "party", "ledger") if (value := getattr(fact, each))]
    named.extend(f"{name}={'(gone)' if value is None else value}" for name, value in fact.attributes.items())
    return f"account updated: {', '.join(named) or 'nothing new'}", ""


def _invoice(fact: m.InvoiceIssued, policy: Policy) -> tuple[str, str]:
    due = f", due {date_of(fact.due_on)}" if fact.due_on is not None else ""
    return f"invoice {fact.invoice_id} of {money(fact.amount, policy)}{due}", f"issued on {date_of(fact.issued_on)}"


def _instalments(fact: m.InstalmentsAgreed, policy: Policy) -> tuple[str, str]:
    total = sum(amount for _, amount in fact.parts)
    last = max((day for day, _ in fact.parts), default=0)
    said = f"{len(fact.parts)} instalments of {money(total, policy)} in all, the last by {date_of(last)}"
    return f"{said} ({fact.schedule_id})", ""


def _amended(fact: m.PlanAmended, policy: Policy) -> tuple[str, str]:
    changes = []
    for measure, skip, day in fact.changes:
        said = [] if skip is None else ["skipped" if skip else "not skipped"]
        said += [] if day is None else [f"day {day}"]
        changes.append(f"{measure}: {', '.join(said) or 'as it was'}")
    return f"run amended: {'; '.join(changes)}", fact.note


def _segment(fact: e.SegmentChanged, policy: Policy) -> tuple[str, str]:
    moves = []
    for what, now, before in (
        ("segment", fact.policy_segment, fact.previous_policy_segment),
        ("service segment", fact.service_segment, fact.previous_service_segment),
    ):
        if now != before:
            moves.append(f"{what} {now or 'none'}" + (f" (was {before})" if before else ""))
    return ", ".join(moves) or "segments as they were", "the first rule that is true for its attributes"


def _requested(fact: e.MeasureRequested, policy: Policy) -> tuple[str, str]:
    return f"{fact.measure} ({fact.kind} to {fact.target}), command {fact.command_id}", reason(fact, policy)


def _skipped(fact: e.MeasureSkipped, policy: Policy) -> tuple[str, str]:
    return f"{fact.measure} skipped", "its condition is false" if fact.why == "condition" else fact.why


def _prevention(fact: e.PreventionSettled, policy: Policy) -> tuple[str, str]:
    of = f" of {fact.item}" if fact.item else ""
    return f"{fact.rule}{of} {'sent' if fact.sent else 'dropped'}", "" if fact.sent else "it is not true any more"


def _plan(fact: m.PlanAssigned, policy: Policy) -> tuple[str, str]:
    return f"plan {fact.plan} by hand" if fact.plan else "plan by rule again", fact.note


def _restore_overdue(fact: e.ServiceRestoreOverdue, policy: Policy) -> tuple[str, str]:
    return f"{fact.measure} not confirmed in time by {fact.target}", f"command {fact.command_id}"


def _run_opened(fact: e.RunOpened, policy: Policy) -> tuple[str, str]:
    why = f"{money(fact.overdue, policy)} overdue, {counted(fact.dpd, 'day')} past due"
    return f"run {fact.run_id} of plan {fact.plan}, version {fact.plan_version}, opens", why


_WHY_TASKS: Final = {
    "approval": "the plan wants it decided by a person",
    "measure": "it is work for a person",
    "failed": "its command failed",
}
_WHY_RUNS_CLOSE: Final = {
    "cured": "nothing is overdue any more",
    "closed": "the account was closed",
    "switched": "another plan holds now",
    "terminated": "the contract ends",
    "written_off": "the debt is written off",
    "placed": "an agency has it now",
}

_TELLERS: Final[dict[type, _Teller]] = {
    m.AccountUpdated: _account,
    m.AccountClosed: lambda f, p: ("account closed", f.reason),
    m.InvoiceIssued: _invoice,
    m.InvoiceAdjusted: lambda f, p: (f"invoice {f.invoice_id} adjusted by {money(f.delta, p)}", f.reason),
    m.PaymentReceived: lambda f, p: (f"payment {f.payment_id} of {money(f.amount, p)}", ""),
    m.PaymentReversed: lambda f, p: (f"payment {f.payment_id} reversed", f.reason),
    m.BalanceChanged: lambda f, p: (f"balance {money(f.balance, p)}", f"snapshot {f.sequence} of {f.source}"),
    m.ClaimOpened: lambda f, p: (f"claim {f.claim_id} of {money(f.amount, p)} against invoice {f.invoice_id}", ""),
    m.ClaimClosed: lambda f, p: (f"claim {f.claim_id} closed: {f.outcome}", ""),
    m.HoldPlaced: lambda f, p: (f"moratorium {f.hold_id} until the end of {date_of(f.until)}", f.reason),
    m.HoldLifted: lambda f, p: (f"moratorium {f.hold_id} lifted", ""),
    m.PromiseMade: lambda f, p: (f"promise {f.promise_id} of {money(f.amount, p)} by {date_of(f.pay_by)}", ""),
    m.InstalmentsAgreed: _instalments,
    m.InstalmentsCancelled: lambda f, p: (f"instalments {f.schedule_id} cancelled", "by agreement"),
    m.ContactMade: lambda f, p: (f"{f.kind} {'to' if f.direction == 'out' else 'by'} the debtor: {f.outcome}", f.note),
    m.RestrictionLifted: lambda f, p: (f"{f.measure} lifted by hand", f.note),
    m.TaskDone: lambda f, p: (f"task {f.task_id} done: {f.outcome}", f.note),
    m.NettingAgreed: lambda f, p: (f"netting {f.netting_id} of {money(f.amount, p)}", f"document {f.document}"),
    m.MeasureCompleted: lambda f, p: (f"command {f.command_id} confirmed", f.detail),
    m.MeasureFailed: lambda f, p: (f"command {f.command_id} reported as failed", f.detail),
    m.MeasureOrdered: lambda f, p: (f"{f.measure} ordered by hand", f.note),
    m.MeasureApproved: lambda f, p: (f"command {f.command_id} approved", f.note),
    m.MeasureRejected: lambda f, p: (f"command {f.command_id} turned down", f.note),
    m.PlanAssigned: _plan,
    m.PlanAmended: _amended,
    m.ManagerAssigned: lambda f, p: (f"personal manager {f.manager or 'none'}", f.note),
    m.GroupAssigned: lambda f, p: (f"group {f.group} by hand" if f.group else "group by rule again", f.note),
    e.SegmentChanged: _segment,
    e.PersonalManagerDue: lambda f, p: (
        f"is due a personal manager in {f.service_segment}",
        "its attributes have changed",
    ),
    e.ManagerChanged: lambda f, p: (f"manager {f.manager or 'none'}, group {f.group or 'none'}", f"by {f.how}"),
    e.PolicyAdopted: lambda f, p: (f"goes on under version {f.version} of the policy", "it was published"),
    e.RunOpened: _run_opened,
    e.RunClosed: lambda f, p: (f"run {f.run_id} closes: {f.outcome}", _WHY_RUNS_CLOSE.get(f.outcome, "")),
    e.OverdueCleared: lambda f, p: ("a run may open again", "the debt has been cleared once"),
    e.MeasureRequested: _requested,
    e.MeasureSkipped: _skipped,
    e.AttributeIgnored: lambda f, p: (f"attribute {f.name} ignored", "the policy does not declare it"),
    e.ConditionReported: lambda f, p: (f"rule counted as false: {f.expression}", f.error),
    e.TaskOpened: lambda f, p: (f"task {f.task_id} opened", _WHY_TASKS.get(f.why, f.why)),
    e.TaskClosed: lambda f, p: (f"task {f.task_id} closed: {f.outcome}", ""),
    e.PromiseKept: lambda f, p: (f"promise {f.promise_id} kept", "the amount has come"),
    e.PromiseBroken: lambda f, p: (f"promise {f.promise_id} broken", "its day has passed without the amount"),
    e.InstalmentMet: lambda f, p: (f"instalment {f.part} of {f.schedule_id} met", "enough was paid by its day"),
    e.InstalmentsBroken: lambda f, p: (f"instalments {f.schedule_id} broken", "less was paid than was due by then"),
    e.InstalmentsCompleted: lambda f, p: (f"instalments {f.schedule_id} completed", "all parts are paid"),
    e.LedgerMismatch: lambda f, p: (
        "ledger differs from billing's",
        f"{money(f.ledger, p)} here, {money(f.reported, p)} reported",
    ),
    e.WarningRaised: lambda f, p: (f"warning {f.rule} raised", "the balance fell below its threshold"),
    e.WarningRearmed: lambda f, p: (f"warning {f.rule} armed again", "the balance is high enough"),
    e.ReminderDue: lambda f, p: (f"reminder {f.rule} of {f.item} waits", "the contact hours are over"),
    e.PreventionSettled: _prevention,
    e.CommandFailed: lambda f, p: (
        f"command {f.command_id} given up",
        "the executing system said that it failed" if f.reported else "no confirmation came",
    ),
    e.CommandHeld: lambda f, p: (f"command {f.command_id} held back", f"by the breaker {f.breaker}"),
    e.CommandReleased: lambda f, p: (f"command {f.command_id} let go", "people decided so"),
    e.CommandWithdrawn: lambda f, p: (
        f"command {f.command_id} withdrawn: it never left",
        "people decided so" if f.why == "decided" else _WHY_RUNS_CLOSE.get(f.why, f.why),
    ),
    e.ServiceRestoreOverdue: _restore_overdue,
}
