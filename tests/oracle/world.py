"""The debtors of a random history, and the instants at which something happens to them."""

import heapq
import random
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from .answers import Draft
from .instants import Instant
from .policy import Policy

# Each start is followed by months with a change of clocks, ends of months or a leap day.
STARTS = [
    date(2024, 1, 20),
    date(2023, 9, 25),
    date(2024, 3, 15),
    date(2024, 10, 10),
    date(2025, 2, 1),
    date(2024, 12, 1),
    date(2028, 2, 10),
]
OFFSETS = [Fraction(0)] * 4 + [Fraction(-1), Fraction(1), Fraction(1, 1000), Fraction(-1, 8)]

Data = dict[str, Any]


@dataclass
class Debtor:
    """What the generator remembers of one account, so that later events can refer to earlier ones."""

    subject: str
    ledger: str
    invoices: list[tuple[str, int]] = field(default_factory=list)
    payments: list[str] = field(default_factory=list)
    claims: list[str] = field(default_factory=list)
    holds: list[str] = field(default_factory=list)
    schedules: list[str] = field(default_factory=list)
    pays: bool = True
    sequence: int = 10
    balance: int = 0
    sent: list[Draft] = field(default_factory=list)


class World:
    """What a history is made from: its policy, its debtors, what is planned, and now."""

    def __init__(self, rng: random.Random, policy: Policy, accounts: int) -> None:
        self.rng = rng
        self.policy = policy
        self.start = rng.choice(STARTS)
        self.days = rng.randint(90, 200)
        self.debtors = [self._debtor(n) for n in range(1, accounts + 1)]
        self.queue: list[tuple[Instant, int, Debtor, str, Data]] = []
        self.drafts: list[Draft] = []
        self.counter = 0
        self.now = Fraction(0)
        self.measures = [m for plan in policy.plans.values() for m in plan.measures]

    def _debtor(self, n: int) -> Debtor:
        ledger = self.rng.choice(["invoices", "invoices", "balance"])
        return Debtor(f"ACC-{1000 + n}", ledger, pays=self.chance(0.5))

    # Times.

    def day(self) -> date:
        """A day of the horizon, now and then one at which calendars are odd."""
        days = [self.start + timedelta(days=n) for n in range(3, self.days)]
        odd = [day for day in days if _is_odd(day)]
        return self.rng.choice(odd if self.chance(0.15) else days)

    def moment(self, day: date) -> Instant:
        """An instant of a local day, often on a border or right beside it."""
        zone, rng = self.policy.zone, self.rng
        borders = [0, 0, 1440, *(measure.at for measure in self.measures)]
        for hours in (self.policy.workday_hours, self.policy.dayoff_hours):
            if hours is not None:
                borders += [hours.opens, hours.closes]
        if rng.random() < 0.5:
            return zone.at(day, rng.choice(borders)) + rng.choice(OFFSETS)
        return zone.at(day, rng.randrange(1440)) + rng.randrange(60) + Fraction(rng.choice([0, 0, 250]), 1000)

    def plan(self, time: Instant, debtor: Debtor, kind: str, data: Data | None = None) -> None:
        """An event to come; one that would lie in the past comes now."""
        self.counter += 1
        heapq.heappush(self.queue, (max(time, self.now), self.counter, debtor, kind, data or {}))

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def amount(self) -> int:
        """Money: often right at, below or above a threshold."""
        low, high = self.policy.min_overdue, self.policy.max_overdue
        near = [low - 1, low, low + 1, high, high + 1, 2 * low, 30000, 50001]
        return max(1, self.rng.choice([*near, *(self.rng.randint(1, 60000) for _ in range(6))]))

    def new_id(self, prefix: str) -> str:
        self.counter += 1
        return f"{prefix}-{self.counter}"


def _is_odd(day: date) -> bool:
    """The end of a month, its first day, or the last Sunday of a month with a change of clocks."""
    tomorrow = day + timedelta(days=1)
    clocks_change = day.month in (3, 10) and day.weekday() == 6 and (day + timedelta(days=7)).month != day.month
    return day.day == 1 or tomorrow.day == 1 or clocks_change
