"""The single events of a random history: what is said, and what it makes likely later."""

from datetime import date, timedelta
from typing import Any

from .answers import Draft
from .world import Data, Debtor, World

Said = tuple[str | None, Data]

BY_HAND = {"actor": "ivanova", "note": "by hand"}


def happen(h: World, debtor: Debtor, kind: str, data: Data) -> Said:
    """The type and data of an event of this kind now; no type if there is nothing to say."""
    match kind:
        case "account" | "attributes":
            return "dms.account.updated.v1", account(h, debtor, first=kind == "account")
        case "close":
            return "dms.account.closed.v1", {"reason": "moved"}
        case "invoice":
            return "dms.invoice.issued.v1", invoice(h, debtor)
        case "payment":
            return "dms.payment.received.v1", payment(h, debtor, data)
        case "netting":
            netting_id = h.new_id("N")
            return "dms.netting.agreed.v1", {"netting_id": netting_id, "amount": h.amount(), "document": "act 7"}
        case "balance" | "stale":
            return "dms.balance.changed.v1", balance(h, debtor)
        case "promise":
            return "dms.promise.made.v1", promise(h, debtor)
        case "instalments":
            return "dms.instalments.agreed.v1", instalments(h, debtor)
        case "hold":
            return "dms.hold.placed.v1", hold(h, debtor)
        case "contact":
            return "dms.contact.made.v1", contact(h)
        case "order":
            measure = h.rng.choice(h.measures).name
            return "dms.measure.ordered.v1", {"measure": measure, **BY_HAND}
        case "lift":
            restrictions = [m.name for m in h.measures if m.kind == "restrict"]
            return "dms.restriction.lifted.v1", {"measure": h.rng.choice(restrictions or ["none"]), **BY_HAND}
        case "assign":
            plan = h.rng.choice([*h.policy.plans, None, None])
            return "dms.plan.assigned.v1", {"plan": plan, **BY_HAND}
        case "amend":
            return "dms.plan.amended.v1", amendment(h)
        case "manager":
            if h.chance(0.5):
                return "dms.manager.assigned.v1", {"manager": h.rng.choice(["petrov", None]), **BY_HAND}
            return "dms.group.assigned.v1", {"group": h.rng.choice(["key-managers", None]), **BY_HAND}
        case "broken" | "duplicate" | "stranger":
            return happen(
                h, debtor, h.rng.choice(["payment", "hold", "promise", "contact", "instalments", "invoice"]), {}
            )
        case "wrong":
            return "dms.account.updated.v1", wrong_account(h, debtor)
    return reference(h, debtor, kind, data)


def reference(h: World, debtor: Debtor, kind: str, data: Data) -> Said:
    """Events that refer to an earlier one; `reference` refers to nothing that is there."""
    invoice_ids = [invoice_id for invoice_id, _ in debtor.invoices]
    match kind:
        case "reference":
            kind = h.rng.choice(["adjust", "reversal", "claim", "close-claim", "lift-hold", "cancel", "none"])
            return reference(
                h, Debtor(debtor.subject, "", [("I-none", 5)], ["P-none"], ["C-none"], ["H-none"]), kind, data
            )
        case "none":
            command = f"{debtor.subject}/{h.rng.randint(0, 3)}/{h.rng.choice(h.measures).name}"
            type_ = h.rng.choice(["completed", "failed", "approved", "rejected", "ordered"])
            if type_ == "ordered":
                return "dms.measure.ordered.v1", {"measure": "no-such-measure", **BY_HAND}
            return f"dms.measure.{type_}.v1", {"command_id": command, "detail": "?", **BY_HAND}
        case "adjust" if invoice_ids:
            delta = h.rng.choice([-h.amount(), -h.amount(), h.amount(), 0])
            return "dms.invoice.adjusted.v1", {"invoice_id": pick(h, invoice_ids), "delta": delta, "reason": "error"}
        case "claim" if invoice_ids:
            claim_id = h.new_id("C")
            debtor.claims.append(claim_id)
            invoice_id, amount = h.rng.choice(debtor.invoices)
            amount = h.rng.choice([amount, max(1, amount // 2), amount + 1000])
            return "dms.claim.opened.v1", {"claim_id": claim_id, "invoice_id": invoice_id, "amount": amount}
        case "close-claim" if debtor.claims:
            outcome = h.rng.choice(["upheld", "rejected"])
            return "dms.claim.closed.v1", {"claim_id": pick(h, debtor.claims), "outcome": outcome}
        case "reversal" if debtor.payments:
            payment_id = data.get("payment_id") or pick(h, debtor.payments)
            return "dms.payment.reversed.v1", {"payment_id": payment_id, "reason": "bank"}
        case "lift-hold" if debtor.holds:
            return "dms.hold.lifted.v1", {"hold_id": pick(h, debtor.holds)}
        case "cancel" if debtor.schedules:
            return "dms.instalments.cancelled.v1", {"schedule_id": pick(h, debtor.schedules)}
    return None, {}


def pick(h: World, ids: list[str]) -> str:
    """Mostly one of the last."""
    return h.rng.choice(ids[-3:] if h.chance(0.8) else ids)


def account(h: World, debtor: Debtor, *, first: bool) -> Data:
    data: Data = {}
    if first:
        data = {"currency": h.policy.currency, "projection": "account", "party": "person"}
        if debtor.ledger == "balance" or h.chance(0.3):
            data["ledger"] = debtor.ledger
    if h.chance(0.4 if first else 0.2):
        data["party"] = h.rng.choice(["person", "organisation"])
    if h.chance(0.3 if first else 0.1):
        data["projection"] = h.rng.choice(["account", "contract", "customer"])
    attributes = {name: value(h, name) for name in h.policy.attributes if h.chance(0.6)}
    if h.chance(0.1):
        attributes["undeclared"] = 7
    if not first or h.chance(0.9):
        data["attributes"] = attributes
    return data


def value(h: World, name: str) -> Any:
    declared = h.policy.attributes[name]
    if h.chance(0.1):
        return None
    if declared.type == "boolean":
        return h.chance(0.2)
    if declared.type == "number":
        return h.rng.choice([0, 1.5, 2.0, 2.5, 3])
    if declared.type == "date":
        return h.rng.choice(["2020-02-29", "2023-12-31", "2024-01-01", "2026-07-01"])
    if declared.type == "integer":
        return h.rng.choice([0, 5, 6, 10, 11, 29, 30, 80])
    if declared.type == "enum":
        return h.rng.choice(declared.values)
    return h.rng.choice(["SPB", "MUR", "MSK", "BE", "HH", "Berlin"])


def wrong_account(h: World, debtor: Debtor) -> Data:
    name = next(iter(h.policy.attributes), None)
    other_ledger = "balance" if debtor.ledger == "invoices" else "invoices"
    choices: list[Data] = [{"currency": "USD"}, {"ledger": other_ledger}, {"party": "cat"}]
    choices += [{"ledger": other_ledger, "currency": "USD"}]
    choices += [{"attributes": {name: ["a list"]}}] if name else []
    return h.rng.choice(choices)


def invoice(h: World, debtor: Debtor) -> Data:
    invoice_id = h.new_id("I")
    if debtor.invoices and h.chance(0.03):
        invoice_id = debtor.invoices[-1][0]
    amount = h.amount()
    today = h.policy.zone.date_of(h.now)
    issued_on = today - timedelta(days=h.rng.choice([0, 0, 0, 1, 10, 70]))
    data: Data = {"invoice_id": invoice_id, "amount": amount, "issued_on": issued_on.isoformat()}
    due = issued_on
    if h.chance(0.5):
        due = issued_on + timedelta(days=h.rng.choice([0, 1, 3, 10, 14, 30]))
        data["due_on"] = due.isoformat()
    debtor.invoices.append((invoice_id, amount))
    zone = h.policy.zone
    if debtor.pays and h.chance(0.3):  # paid as its due date passes, or as a measure comes due
        measure = h.rng.choice(h.measures)
        borders = [zone.end_of(due), zone.at(due + timedelta(days=measure.day), measure.at)]
        moment = h.rng.choice(borders) + h.rng.choice([0, 0, -1, 1])
        h.plan(moment, debtor, "payment", {"amount": h.rng.choice([amount, amount, amount - 1, amount + 100])})
    elif debtor.pays and h.chance(0.4):
        h.plan(h.moment(today + timedelta(days=h.rng.randint(5, 60))), debtor, "payment", {"amount": amount})
    return data


def payment(h: World, debtor: Debtor, data: Data) -> Data:
    payment_id = h.new_id("P")
    if debtor.payments and h.chance(0.03):
        payment_id = debtor.payments[-1]
    amount = max(1, data.get("amount") or (h.amount() if debtor.pays else h.rng.randint(1, 900)))
    debtor.payments.append(payment_id)
    debtor.balance += amount
    if h.chance(0.12):
        later = h.moment(h.policy.zone.date_of(h.now) + timedelta(days=h.rng.randint(0, 20)))
        for _ in range(h.rng.choice([1, 1, 2])):
            h.plan(later, debtor, "reversal", {"payment_id": payment_id})
    return {"payment_id": payment_id, "amount": amount}


def balance(h: World, debtor: Debtor) -> Data:
    thresholds = [0, *(rule.balance_below or 0 for rule in h.policy.preventions)]
    thresholds += [rule.rearm_at or 0 for rule in h.policy.preventions]
    if h.chance(0.4 if debtor.pays else 0.1):
        debtor.balance = h.rng.choice(thresholds) + h.rng.choice([0, -1, 1])
    elif not debtor.pays or h.chance(0.6):
        debtor.balance = -h.amount()
    else:
        debtor.balance = h.rng.randint(-60000, 30000)
    if debtor.pays and debtor.balance < 0 and h.chance(0.5):
        later = h.moment(h.policy.zone.date_of(h.now) + timedelta(days=h.rng.randint(0, 40)))
        h.plan(later, debtor, "payment", {"amount": -debtor.balance + h.rng.choice([0, 0, -1, 100])})
    return {"balance": debtor.balance}


def promise(h: World, debtor: Debtor) -> Data:
    pay_by = soon(h, (-2, 0, 0, 1, 3, 7))
    amount = h.amount()
    if h.chance(0.7 if debtor.pays else 0.2):
        moment = h.policy.zone.end_of(pay_by) + h.rng.choice([0, 0, -1, 1, -3600, -90000, 40000])
        h.plan(moment, debtor, "payment", {"amount": amount + h.rng.choice([0, 0, -1, 50])})
    return {"promise_id": h.new_id("PR"), "amount": amount, "pay_by": pay_by.isoformat()}


def instalments(h: World, debtor: Debtor) -> Data:
    schedule_id = h.new_id("S")
    debtor.schedules.append(schedule_id)
    parts = []
    pay_by = soon(h, (-1, 0, 1, 5))
    for _ in range(h.rng.randint(1, 4)):
        amount = h.amount()
        parts.append({"pay_by": pay_by.isoformat(), "amount": amount})
        if h.chance(0.75 if debtor.pays else 0.3):
            moment = h.policy.zone.end_of(pay_by) + h.rng.choice([0, -1, -40000, -86400, 1])
            h.plan(moment, debtor, "payment", {"amount": amount})
        pay_by += timedelta(days=h.rng.choice([0, 1, 7, 30]))
    if h.chance(0.15):
        h.rng.shuffle(parts)
    return {"schedule_id": schedule_id, "parts": parts}


def hold(h: World, debtor: Debtor) -> Data:
    hold_id = h.new_id("H")
    if debtor.holds and h.chance(0.3):
        hold_id = debtor.holds[-1]
    debtor.holds.append(hold_id)
    return {"hold_id": hold_id, "until": soon(h, (-1, 0, 1, 2, 10, 25)).isoformat(), "reason": "illness"}


def soon(h: World, days: tuple[int, ...]) -> date:
    return h.policy.zone.date_of(h.now) + timedelta(days=h.rng.choice(days))


def contact(h: World) -> Data:
    kind = h.rng.choice(["call", "notify", "visit"])
    direction = h.rng.choice(["out", "out", "in"])
    return {"kind": kind, "direction": direction, "outcome": "spoke", **BY_HAND}


def amendment(h: World) -> Data:
    plan = h.rng.choice(list(h.policy.plans.values()))
    changes: list[Data] = []
    for measure in h.rng.sample(plan.measures, k=min(len(plan.measures), h.rng.choice([1, 1, 2]))):
        change: Data = {"measure": measure.name}
        if h.chance(0.5):
            change["skip"] = True
        else:
            change["day"] = max(0, measure.day + h.rng.choice([-3, -1, 1, 2, 10]))
        changes.append(change)
    return {"changes": changes, **BY_HAND}


def spoil(h: World, draft: Draft) -> None:
    """Make an event invalid, or of an unknown type."""
    name = h.rng.choice(list(draft.data))
    how = h.rng.choice(["missing", "ill-typed", "unknown-type", "no-data", "zero"])
    if how == "missing" and name != "due_on":
        del draft.data[name]
    elif how == "unknown-type":
        draft.type = "dms.nothing.happened.v1"
    elif how == "no-data":
        draft.data = None
    elif how == "zero" and "amount" in draft.data:
        draft.data["amount"] = h.rng.choice([0, -5, "100", 1.5, True])
    else:
        draft.data[name] = h.rng.choice([["x"], {"y": 1}, 2.5])
