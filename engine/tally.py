"""The tally: what the engine has done, counted. Telemetry and the demo read it; nothing decides by it."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Tally:
    """Counts since the engine began. ``events`` by (type, outcome), ``measures`` by (kind, target, reason)."""

    events: Counter[tuple[str, str]] = field(default_factory=Counter)
    measures: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    facts: Counter[type] = field(default_factory=Counter)
    ignored_attributes: Counter[str] = field(default_factory=Counter)
    failed_conditions: Counter[str] = field(default_factory=Counter)
    batches: int = 0
    commits: int = 0
    failures: int = 0

    def outcomes(self) -> Counter[str]:
        """Events by outcome: accepted, duplicate, stale, rejected, held, quarantined, unreadable."""
        totals: Counter[str] = Counter()
        for (_, outcome), count in self.events.items():
            totals[outcome] += count
        return totals
