"""A laboratory's history as production would have received it: CloudEvents, one a line, in order of time."""

import json
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

from adapters.cloud_events import parse_instant, rfc3339
from adapters.event_types import INCOMING
from adapters.letters import CODEC
from adapters.replay import FixedPolicy
from adapters.sqlite_store import SqliteStore
from domain import messages as m
from domain.policy import Policy
from domain.record import Record
from engine.engine import Engine, EngineSettings
from engine.ports import Delivery, OutgoingEvent
from sim.broker import MemoryBroker
from sim.clock import VirtualClock

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


def worked_by_engine(lines: Sequence[bytes], policy: Policy, path: Path, until: int) -> list[OutgoingEvent]:
    """What production's engine sends of a history, on a store of its own at ``path`` that keeps 20 profiles awake."""
    published: list[OutgoingEvent] = []
    store, clock = SqliteStore(path), VirtualClock()
    settings = EngineSettings(confirms=False, pipelined=False, active_max=20, timers_max=100_000, late_us=10**18)
    engine = Engine(store, MemoryBroker(published.extend), clock, FixedPolicy(policy), CODEC, settings)
    engine.begin()
    try:
        for number, line in enumerate(lines):
            # What is due before the event has left by then, as in a life that is lived: no last look withdraws it.
            at = parse_instant(json.loads(line)["time"])
            engine.turn([], at)
            engine.turn([Delivery(number, line)], at)
        clock.reach(until)
        engine.turn([], until + 1)
        engine.settle()
    finally:
        engine.end()
        store.close()
    return published
