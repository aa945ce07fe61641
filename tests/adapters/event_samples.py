"""One sound event of every type, for the tests to send, to break and to write down."""

import json
from datetime import UTC, date, datetime
from typing import Any

Data = dict[str, Any]
NINE = int(datetime(2026, 3, 1, 9, tzinfo=UTC).timestamp()) * 1_000_000
BY_HAND = {"actor": "anna", "note": "called"}
MARCH_15 = date(2026, 3, 15).toordinal()
PAYMENT = {"payment_id": "P1", "amount": 100}


def event(type_: str, data: Any, **attributes: Any) -> Data:
    """An event as a publisher sends it; an attribute that is ``...`` is left out."""
    sent = {
        "specversion": "1.0",
        "id": "e1",
        "source": "billing",
        "type": f"dms.{type_}.v1",
        "subject": "ACC-1",
        "time": "2026-03-01T09:00:00Z",
        "datacontenttype": "application/json",
        "data": data,
    } | attributes
    return {name: value for name, value in sent.items() if value is not ...}


def body_of(sent: object) -> bytes:
    return json.dumps(sent).encode()


SOUND: list[tuple[str, Data, tuple[object, ...]]] = [
    (
        "account.updated",
        {
            "projection": "account",
            "party": "person",
            "currency": "RUB",
            "ledger": "balance",
            "customer_id": "C1",
            "attributes": {"region": "msk", "score": 5, "rate": 0.5, "vip": True, "tariff": None},
        },
        (
            *("account", "person", "RUB", "balance", "C1"),
            {"region": "msk", "score": 5, "rate": 0.5, "vip": True, "tariff": None},
        ),
    ),
    ("account.closed", {"reason": "left"}, ("left",)),
    (
        "invoice.issued",
        {"invoice_id": "I1", "amount": 5, "issued_on": "2026-03-14", "due_on": "2026-03-15"},
        ("I1", 5, MARCH_15 - 1, MARCH_15),
    ),
    ("invoice.adjusted", {"invoice_id": "I1", "delta": -5, "reason": "error"}, ("I1", -5, "error")),
    ("payment.received", PAYMENT, ("P1", 100)),
    ("payment.reversed", {"payment_id": "P1", "reason": "fraud"}, ("P1", "fraud")),
    ("balance.changed", {"balance": -500}, (-500, 17, "billing")),
    ("claim.opened", {"claim_id": "C1", "invoice_id": "I1", "amount": 5}, ("C1", "I1", 5)),
    ("claim.closed", {"claim_id": "C1", "outcome": "upheld"}, ("C1", "upheld")),
    ("hold.placed", {"hold_id": "H1", "until": "2026-03-15", "reason": "flood"}, ("H1", MARCH_15, "flood")),
    ("hold.lifted", {"hold_id": "H1"}, ("H1",)),
    ("promise.made", {"promise_id": "P1", "amount": 5, "pay_by": "2026-03-15"}, ("P1", 5, MARCH_15)),
    (
        "instalments.agreed",
        {"schedule_id": "S1", "parts": [{"pay_by": "2026-03-15", "amount": 5}, {"pay_by": "2026-03-16", "amount": 6}]},
        ("S1", ((MARCH_15, 5), (MARCH_15 + 1, 6))),
    ),
    ("instalments.cancelled", {"schedule_id": "S1"}, ("S1",)),
    (
        "contact.made",
        {"kind": "visit", "direction": "out", "outcome": "spoke", **BY_HAND},
        ("visit", "out", "anna", "spoke", "called"),
    ),
    ("restriction.lifted", {"measure": "block", **BY_HAND}, ("block", "anna", "called")),
    ("task.done", {"task_id": "T1", "outcome": "done", **BY_HAND}, ("T1", "anna", "done", "called")),
    ("netting.agreed", {"netting_id": "N1", "amount": 5, "document": "D1"}, ("N1", 5, "D1")),
    ("measure.completed", {"command_id": "A/1/sms", "detail": ""}, ("A/1/sms", "")),
    ("measure.failed", {"command_id": "A/1/sms", "detail": "no route"}, ("A/1/sms", "no route")),
    ("measure.ordered", {"measure": "sms", **BY_HAND}, ("sms", "anna", "called")),
    ("measure.approved", {"command_id": "A/1/sms", **BY_HAND}, ("A/1/sms", "anna", "called")),
    ("measure.rejected", {"command_id": "A/1/sms", **BY_HAND}, ("A/1/sms", "anna", "called")),
    ("plan.assigned", {"plan": None, **BY_HAND}, (None, "anna", "called")),
    (
        "plan.amended",
        {"changes": [{"measure": "sms", "skip": True}, {"measure": "call", "day": 0}, {"measure": "x"}], **BY_HAND},
        ((("sms", True, None), ("call", None, 0), ("x", None, None)), "anna", "called"),
    ),
    ("manager.assigned", {"manager": "boris", **BY_HAND}, ("boris", "anna", "called")),
    ("group.assigned", {"group": None, **BY_HAND}, (None, "anna", "called")),
]
OPTIONAL = {
    "account.updated": {"projection", "party", "currency", "ledger", "customer_id", "attributes"},
    "invoice.issued": {"due_on"},
}


def sequence_for(type_: str) -> Any:
    return "17" if type_ == "balance.changed" else ...
