"""Readings: what the engine of a process shows at one moment, as plain data.

Taken from the engine's tally when somebody looks, from another thread than the engine's: single attributes, and copies
of counters that no other thread can interrupt.
"""

from collections import Counter

from msgspec import Struct, field

from domain.calendar import NEVER, SECOND
from domain.events import AttributeIgnored, ConditionReported, ServiceRestoreOverdue
from domain.policy import Policy
from engine.engine import Engine
from engine.ports import Clock
from engine.tally import EVENTS_BOUNDS, SECONDS_BOUNDS, Spread


class SpreadReading(Struct):
    """A `Spread`, copied."""

    bounds: tuple[float, ...]
    counts: list[int]
    total: float = 0.0


def _empty(bounds: tuple[float, ...]) -> SpreadReading:
    return SpreadReading(bounds, [0] * (len(bounds) + 1))


class Readings(Struct):
    """Counts since the process began, then how things stand; ``measures`` is by (kind, target, outcome)."""

    events: dict[tuple[str, str], int] = field(default_factory=dict)
    measures: dict[tuple[str, str, str], int] = field(default_factory=dict)
    restores_overdue: int = 0
    attributes_ignored: int = 0
    conditions_failed: int = 0
    restarts: int = 0
    publish_failures: int = 0
    event_seconds: SpreadReading = field(default_factory=lambda: _empty(SECONDS_BOUNDS))
    commit_seconds: SpreadReading = field(default_factory=lambda: _empty(SECONDS_BOUNDS))
    commit_events: SpreadReading = field(default_factory=lambda: _empty(EVENTS_BOUNDS))
    timer_lag_seconds: float = 0.0
    outbox_pending: int = 0
    outbox_oldest_seconds: float = 0.0
    profiles_active: int = 0
    shards_owned: int = 0
    breakers_blown: list[str] = field(default_factory=list)


def readings_of(engine: Engine, clock: Clock, dead_letters: int = 0) -> Readings:
    """What one engine shows now; ``dead_letters`` are those of the doors beside it."""
    tally = engine.tally
    events = dict(tally.events)
    if dead_letters > 0:
        events["", "unreadable"] = events.get(("", "unreadable"), 0) + dead_letters
    now = clock.now()
    oldest_at = engine.outbox.oldest_at()
    return Readings(
        events=events,
        measures=_measures(dict(tally.measures), dict(tally.endings), engine.policy),
        restores_overdue=tally.facts[ServiceRestoreOverdue],
        attributes_ignored=tally.facts[AttributeIgnored],
        conditions_failed=tally.facts[ConditionReported],
        restarts=tally.restarts,
        publish_failures=tally.publish_failures,
        event_seconds=_copied(tally.event_seconds),
        commit_seconds=_copied(tally.commit_seconds),
        commit_events=_copied(tally.commit_events),
        timer_lag_seconds=max(0, now - tally.timer_due_at) / SECOND if tally.timer_due_at < NEVER else 0.0,
        outbox_pending=len(engine.outbox),
        outbox_oldest_seconds=max(0, now - oldest_at) / SECOND if oldest_at is not None else 0.0,
        profiles_active=engine.active,
        shards_owned=len(engine.owned),
        breakers_blown=sorted(set(engine.blown)),
    )


def _copied(spread: Spread) -> SpreadReading:
    return SpreadReading(spread.bounds, list(spread.counts), spread.total)


def _measures(
    sendings: dict[tuple[str, str, str], int], endings: dict[tuple[str, str], int], policy: Policy
) -> dict[tuple[str, str, str], int]:
    """Sendings know their kind and target; of what ended, the policy tells (empty for a name that it has no more)."""
    measures: Counter[tuple[str, str, str]] = Counter(sendings)
    known = _kinds_and_targets(policy)
    for (name, outcome), count in endings.items():
        kind, target = known.get(name, ("", ""))
        measures[kind, target, outcome] += count
    return dict(measures)


def _kinds_and_targets(policy: Policy) -> dict[str, tuple[str, str]]:
    """By the measure's name. Where two plans disagree about one, the first counts."""
    known: dict[str, tuple[str, str]] = {}
    for plan in policy.plans.values():
        for measure in plan.measures:
            known.setdefault(measure.name, (measure.kind, measure.target))
            if measure.reverse is not None:
                known.setdefault(measure.reverse, ("restore", measure.target))
    for rule in policy.preventions:
        known.setdefault(rule.name, (rule.measure.kind, rule.measure.target))
    return known
