"""Why an event cannot be applied."""

from typing import Any

from .envelope import REQUIRED_THE_FIRST_TIME, Event, is_known_type, is_well_formed
from .profile import Profile

# Where several apply, the first in this order.
ORDER = (
    "invalid",
    "unknown_type",
    "unknown_subject",
    "unknown_reference",
    "id_reused",
    "closed_profile",
    "wrong_ledger",
    "wrong_currency",
    "no_run",
    "not_changeable",
    "not_allowed",
)
ONLY_WITH_INVOICES = (
    "dms.invoice.issued.v1",
    "dms.invoice.adjusted.v1",
    "dms.claim.opened.v1",
    "dms.claim.closed.v1",
)
NEED_A_RUN = ("dms.plan.amended.v1", "dms.restriction.lifted.v1")


def reject(p: Profile, event: Event, reason: str, now: Any) -> None:
    p.publish(
        "dms.message.rejected.v1", now, reason=reason, detail=reason, id=event.id, source=event.source, type=event.type
    )


def reason_at_arrival(p: Profile, event: Event) -> str | None:
    """What is rejected at once, whether the profile is known or not."""
    if not is_well_formed(event):
        return "invalid"
    if not is_known_type(event):
        return "unknown_type"
    if event.type == "dms.account.updated.v1":
        if not p.known and any(event.data.get(name) is None for name in REQUIRED_THE_FIRST_TIME):
            return "invalid"
        if not _attributes_fit(p, event):
            return "invalid"
    return None


def reason_for_rejection(p: Profile, event: Event) -> str | None:
    """The first reason that applies to an event of a known profile (or to the account event that would create it)."""
    reasons = set()
    if _refers_to_unknown(p, event):
        reasons.add("unknown_reference")
    if _reuses_an_id(p, event):
        reasons.add("id_reused")
    if p.closed:
        reasons.add("closed_profile")
    if p.ledger_kind == "balance" and event.type in ONLY_WITH_INVOICES:
        reasons.add("wrong_ledger")
    if event.type == "dms.account.updated.v1":
        currency, ledger = event.data.get("currency"), event.data.get("ledger")
        if currency is not None and currency != p.policy.currency:
            reasons.add("wrong_currency")
        if p.known and ledger is not None and ledger != p.ledger_kind:
            reasons.add("not_changeable")
    if event.type in NEED_A_RUN and p.run is None and not _lifts_a_loose_restriction(p, event):
        reasons.add("no_run")
    if _comes_too_late(p, event):
        reasons.add("not_changeable")
    if not _is_allowed(p, event):
        reasons.add("not_allowed")
    return next((reason for reason in ORDER if reason in reasons), None)


def _attributes_fit(p: Profile, event: Event) -> bool:
    """A declared attribute has a value of its type, or null; undeclared ones are ignored."""
    for name, value in (event.data.get("attributes") or {}).items():
        declared = p.policy.attributes.get(name)
        if declared is not None and value is not None and not declared.accepts(value):
            return False
    return True


def _refers_to_unknown(p: Profile, event: Event) -> bool:
    data = event.data
    match event.type:
        case "dms.invoice.adjusted.v1" | "dms.claim.opened.v1":
            return data["invoice_id"] not in p.invoices.invoices
        case "dms.payment.reversed.v1":  # unknown or already reversed
            payment = p.payments.get(data["payment_id"])
            return payment is None or payment.reversed
        case "dms.claim.closed.v1":
            claim = p.claims.get(data["claim_id"])
            return claim is None or not claim.open
        case "dms.hold.lifted.v1":
            return data["hold_id"] not in p.holds
        case "dms.instalments.cancelled.v1":
            return p.schedule is None or p.schedule.schedule_id != data["schedule_id"]
        case "dms.measure.completed.v1" | "dms.measure.failed.v1":
            return data["command_id"] not in p.commands
        case "dms.measure.approved.v1" | "dms.measure.rejected.v1":
            return all(not w.for_approval or w.command_id != data["command_id"] for w in p.waiting)
        case "dms.task.done.v1":
            return data["task_id"] not in p.tasks
        case "dms.measure.ordered.v1":
            return p.policy.find_measure(data["measure"], None) is None
        case "dms.restriction.lifted.v1":
            if p.run is None:
                return p.policy.find_measure(data["measure"], None) is None
            return all(restriction.measure.name != data["measure"] for restriction in p.open_restrictions())
        case "dms.plan.assigned.v1":
            return data["plan"] is not None and data["plan"] not in p.policy.plans
        case "dms.plan.amended.v1":
            plan = p.plan if p.run is None else p.run.plan
            return any(plan.find(change["measure"]) is None for change in data["changes"])
    return False


def _reuses_an_id(p: Profile, event: Event) -> bool:
    """A business id in another event. (The same `hold_id` again moves the hold.)"""
    data = event.data
    match event.type:
        case "dms.invoice.issued.v1":
            return data["invoice_id"] in p.invoices.invoices
        case "dms.payment.received.v1":
            return data["payment_id"] in p.payments
        case "dms.netting.agreed.v1":
            return data["netting_id"] in p.payments
        case "dms.claim.opened.v1":
            return data["claim_id"] in p.claims
        case "dms.promise.made.v1":
            return data["promise_id"] in p.promise_ids
        case "dms.instalments.agreed.v1":
            return data["schedule_id"] in p.schedule_ids
    return False


def _lifts_a_loose_restriction(p: Profile, event: Event) -> bool:
    return event.type == "dms.restriction.lifted.v1" and any(
        restriction.measure.name == event.data["measure"] for restriction in p.open_restrictions()
    )


def _comes_too_late(p: Profile, event: Event) -> bool:
    """What was decided otherwise, or waits for another decision already, is not changed by this event."""
    data = event.data
    match event.type:
        case "dms.measure.ordered.v1":
            measure = p.policy.find_measure(data["measure"], p.plan if p.run is None else p.run.plan)
            return any(waiting.for_approval and waiting.measure is measure for waiting in p.waiting)
        case "dms.plan.amended.v1":
            return p.run is not None and any(change["measure"] in p.run.fired for change in data["changes"])
        case "dms.task.done.v1":
            task = p.tasks.get(data["task_id"])
            return task is not None and task.why == "approval"
    return False


def _is_allowed(p: Profile, event: Event) -> bool:
    """With `managers.toml`, an approval needs its role; an administrator may what a head may."""
    if p.policy.roles is None or event.type not in ("dms.measure.approved.v1", "dms.measure.rejected.v1"):
        return True
    role = p.policy.roles.get(event.data["actor"])
    for waiting in p.waiting:
        if waiting.for_approval and waiting.command_id == event.data["command_id"]:
            return role == waiting.measure.approval or role == "administrator"
    return True
