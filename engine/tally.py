"""The tally: what the engine has done, counted. Telemetry and the demo read it; nothing decides by it."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from domain.calendar import NEVER
from engine.envelope import UNKNOWN_TYPE

SECONDS_BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
EVENTS_BOUNDS: Final = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 20_000.0)

_KEYS_MAX: Final = 500
"""An event with a fault may name any type: beyond so many pairs of type and outcome they are counted together."""


class Spread:
    """How values are spread: ``counts`` of those up to each bound and above the one before, the last beyond all."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds: Final = tuple(bounds)
        self.counts: Final = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float, times: int = 1) -> None:
        """The same value so many times, for the price of one: 0.3 µs."""
        self.counts[bisect_left(self.bounds, value)] += times
        self.total += value * times


@dataclass(slots=True)
class Tally:
    """Counts since the engine began.

    Written by the engine's threads without a lock, read by others: a reader copies a counter at once (``dict(…)``),
    which no other thread can interrupt.
    """

    events: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By (type, outcome); types that the engine does not know are counted as one."""
    measures: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """Commands by (kind, target, ``requested`` or ``retried``)."""
    endings: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Commands by (measure, ``completed``, ``failed``, ``unknown`` or ``withdrawn``): of an outcome only the command's
    id is known, and a measure's kind and target are in the policy."""
    facts: Counter[type] = field(default_factory=Counter)
    """By kind, with those that are only reported: attributes ignored, rules that failed."""
    batches: int = 0
    commits: int = 0
    failures: int = 0
    """Errands that failed and were tried again."""
    restarts: int = 0
    """Turns that failed: the engine began again from the store."""
    publish_failures: int = 0
    """Times that committed events could not leave."""
    event_seconds: Spread = field(default_factory=lambda: Spread(SECONDS_BOUNDS))
    """From the door to durable and acknowledged, for each event."""
    commit_seconds: Spread = field(default_factory=lambda: Spread(SECONDS_BOUNDS))
    commit_events: Spread = field(default_factory=lambda: Spread(EVENTS_BOUNDS))
    timer_due_at: int = NEVER
    """The earliest timer that has not been worked, or the end of what is known of them, as the last turn left it: in
    the past it is late."""

    def count(self, type: str, outcome: str) -> None:
        """One event; for what may name a type that nobody knows."""
        key = type, outcome
        if key not in self.events and len(self.events) >= _KEYS_MAX:
            key = UNKNOWN_TYPE, outcome
        self.events[key] += 1

    def committed(self, events: int, seconds: float) -> None:
        """A transaction is durable; it took in so many events."""
        self.commits += 1
        self.commit_seconds.add(seconds)
        self.commit_events.add(events)

    def outcomes(self) -> Counter[str]:
        """Events by outcome: accepted, duplicate, stale, rejected, held, quarantined, unreadable."""
        totals: Counter[str] = Counter()
        for (_, outcome), count in dict(self.events).items():
            totals[outcome] += count
        return totals
