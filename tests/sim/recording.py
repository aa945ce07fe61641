"""A laboratory's history as production would have received it: CloudEvents, one a line, in order of time."""

import json
from collections.abc import Iterable
from datetime import date

from adapters.cloud_events import rfc3339
from adapters.event_types import INCOMING
from domain import messages as m
from domain.record import Record

_NAMES = {each.kind: each.name for each in INCOMING}
_DATES = {"issued_on", "due_on", "pay_by"}
# What a fact knows and a message does not.
_FACTS_ONLY = {"at", "holds_until", "breaks_at", "on"}


def lines_of(heard: Iterable[tuple[str, Record]]) -> list[bytes]:
    """Messages with the profiles that heard them, as lines; of one instant, in the order given."""
    ordered = sorted(heard, key=lambda each: each[1].at)
    return [_line(number, profile_id, message) for number, (profile_id, message) in enumerate(ordered)]


def _line(number: int, profile_id: str, message: Record) -> bytes:
    fields = {name: getattr(message, name) for name in message.__match_args__ if name not in _FACTS_ONLY}
    event: dict[str, object] = {
        "specversion": "1.0",
        "id": str(number),
        "source": "laboratory",
        "type": _NAMES[type(message)],
        "subject": profile_id,
        "time": rfc3339(message.at),
    }
    if isinstance(message, m.BalanceChanged):
        event["sequence"] = str(fields.pop("sequence"))
        fields.pop("source")
        fields.pop("due_on")
    event["data"] = {
        name: date.fromordinal(value).isoformat() if name in _DATES and value is not None else value
        for name, value in fields.items()
    }
    return json.dumps(event).encode()
