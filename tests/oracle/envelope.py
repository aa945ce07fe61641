"""Incoming events: the envelope, the fields of each type, duplicates.

The table `FIELDS` stands beside the table of incoming types in the specification. What is no CloudEvent at all (no JSON
object, no `id`, `source`, `type` or `time`) is none of the oracle's business: it raises.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from .instants import Instant, parse_date, parse_instant

Check = Callable[[Any], bool]
Fields = dict[str, Check]


@dataclass(frozen=True, eq=False)
class Event:
    id: str
    source: str
    type: str
    subject: str
    time: Instant
    sequence: Any
    data: Any
    number: int  # position in the input


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _positive(value: Any) -> bool:
    return _integer(value) and value > 0


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _object(value: Any) -> bool:
    return isinstance(value, dict)


def _date(value: Any) -> bool:
    try:
        parse_date(value)
    except ValueError:
        return False
    return True


def _one_of(*words: str) -> Check:
    return lambda value: isinstance(value, str) and value in words


def _or_null(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _parts(value: Any) -> bool:
    fields: Fields = {"pay_by": _date, "amount": _positive}
    return isinstance(value, list) and len(value) > 0 and all(_fits(part, fields) for part in value)


def _changes(value: Any) -> bool:
    fields: Fields = {"measure": _text, "skip?": _flag, "day?": _integer}
    return isinstance(value, list) and all(_fits(change, fields) for change in value)


def _digits(value: Any) -> bool:
    return isinstance(value, str) and value.isascii() and value.isdigit()


# A field whose name ends in "?" may be missing or null.
FIELDS: dict[str, Fields] = {
    "dms.account.updated.v1": {
        "projection?": _one_of("account", "contract", "customer"),
        "party?": _one_of("person", "organisation"),
        "currency?": _text,
        "ledger?": _one_of("invoices", "balance"),
        "customer_id?": _text,
        "attributes?": _object,
    },
    "dms.account.closed.v1": {"reason": _text},
    "dms.invoice.issued.v1": {"invoice_id": _text, "amount": _positive, "issued_on": _date, "due_on?": _date},
    "dms.invoice.adjusted.v1": {"invoice_id": _text, "delta": _integer, "reason": _text},
    "dms.payment.received.v1": {"payment_id": _text, "amount": _positive},
    "dms.payment.reversed.v1": {"payment_id": _text, "reason": _text},
    "dms.balance.changed.v1": {"balance": _integer},
    "dms.claim.opened.v1": {"claim_id": _text, "invoice_id": _text, "amount": _positive},
    "dms.claim.closed.v1": {"claim_id": _text, "outcome": _one_of("upheld", "rejected")},
    "dms.hold.placed.v1": {"hold_id": _text, "until": _date, "reason": _text},
    "dms.hold.lifted.v1": {"hold_id": _text},
    "dms.promise.made.v1": {"promise_id": _text, "amount": _positive, "pay_by": _date},
    "dms.instalments.agreed.v1": {"schedule_id": _text, "parts": _parts},
    "dms.instalments.cancelled.v1": {"schedule_id": _text},
    "dms.contact.made.v1": {
        "kind": _one_of("call", "notify", "visit"),
        "direction": _one_of("out", "in"),
        "actor": _text,
        "outcome": _text,
        "note": _text,
    },
    "dms.restriction.lifted.v1": {"measure": _text, "actor": _text, "note": _text},
    "dms.task.done.v1": {"task_id": _text, "actor": _text, "outcome": _text, "note": _text},
    "dms.netting.agreed.v1": {"netting_id": _text, "amount": _positive, "document": _text},
    "dms.measure.completed.v1": {"command_id": _text, "detail": _text},
    "dms.measure.failed.v1": {"command_id": _text, "detail": _text},
    "dms.measure.ordered.v1": {"measure": _text, "actor": _text, "note": _text},
    "dms.measure.approved.v1": {"command_id": _text, "actor": _text, "note": _text},
    "dms.measure.rejected.v1": {"command_id": _text, "actor": _text, "note": _text},
    "dms.plan.assigned.v1": {"plan": _or_null(_text), "actor": _text, "note": _text},
    "dms.plan.amended.v1": {"changes": _changes, "actor": _text, "note": _text},
    "dms.manager.assigned.v1": {"manager": _or_null(_text), "actor": _text, "note": _text},
    "dms.group.assigned.v1": {"group": _or_null(_text), "actor": _text, "note": _text},
}
REQUIRED_THE_FIRST_TIME = ("projection", "party", "currency")


def _fits(data: Any, fields: Fields) -> bool:
    """No field missing, none ill-typed; unknown ones are ignored."""
    if not isinstance(data, dict):
        return False
    for name, check in fields.items():
        optional = name.endswith("?")
        name = name.removesuffix("?")
        if optional and data.get(name) is None:
            continue
        if name not in data or not check(data[name]):
            return False
    return True


def is_known_type(event: Event) -> bool:
    return event.type in FIELDS


def is_well_formed(event: Event) -> bool:
    """All that can be said of an event without knowing its profile and the policy."""
    if event.subject == "":
        return False
    if event.type == "dms.balance.changed.v1" and event.sequence is None:
        return False
    if event.sequence is not None and not _digits(event.sequence):
        return False
    return not is_known_type(event) or _fits(event.data, FIELDS[event.type])


def read_events(lines: Iterable[str]) -> list[Event]:
    """The events of JSON lines, in order; ValueError for a line that is no event or steps back in time."""
    events: list[Event] = []
    for line in lines:
        if not line.strip():
            continue
        raw = json.loads(line)
        needed = ("id", "source", "type", "time")
        if not isinstance(raw, dict) or not all(isinstance(raw.get(name), str) for name in needed):
            raise ValueError(f"not an event: {line[:200]}")
        subject = raw.get("subject")
        event = Event(
            id=raw["id"],
            source=raw["source"],
            type=raw["type"],
            subject=subject if isinstance(subject, str) else "",
            time=parse_instant(raw["time"]),
            sequence=raw.get("sequence"),
            data=raw.get("data"),
            number=len(events),
        )
        if events and event.time < events[-1].time:
            raise ValueError(f"steps back in time: {line[:200]}")
        events.append(event)
    return events


def without_duplicates(events: list[Event]) -> list[Event]:
    """A second event with the same id and source has no effect; within a replay nothing is forgotten."""
    first: dict[tuple[str, str], Event] = {}
    for event in events:
        first.setdefault((event.id, event.source), event)
    return list(first.values())
