"""Billing's books: accounts, the times of being overdue, and the totals by which the engine can be judged."""

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Final

HORIZON_DAYS: Final = 30
"""Days after the due date over which paying with measures is compared with paying without."""


@dataclass(slots=True)
class Account:
    """An account as billing knows it. ``balance`` below zero: the customer owes; ``invoices``: (due day, id, amount).

    ``off`` are the services that the networks have switched off, ``ordered`` those that they were told to.
    """

    id: str
    party: str
    ledger: str
    region: str
    revenue_class: str
    charge: int
    cycle: int
    temper: int
    balance: int = 0
    due: int = 0
    sequence: int = 0
    invoices: deque[tuple[int, str, int]] = field(default_factory=lambda: deque(maxlen=12))
    last_payment: tuple[str, int] | None = None
    claim: str | None = None
    agreed_until: int = 0
    ordered: dict[str, str] = field(default_factory=dict)
    off: set[str] = field(default_factory=set)
    busy_until: dict[str, int] = field(default_factory=dict)
    manager: str | None = None
    has_contract: bool = True
    is_closed: bool = False

    def overdue(self, today: int) -> int:
        """What is past due on local ``today``: payments pay the oldest first, so what is left is the newest."""
        if self.ledger == "balance":
            return -self.balance if self.balance < 0 and self.due < today else 0
        return max(0, -self.balance - sum([amount for due, _, amount in self.invoices if due >= today]))


@dataclass(slots=True)
class Episode:
    """One time of being overdue: the days on which it began, was paid, and would have been paid without measures."""

    account: int
    began: int
    paid: int = 0
    alone: int = 0


@dataclass(slots=True)
class Books:
    """What billing has booked since the start, in minor units, and what it has seen of the engine's work."""

    opening: int = 0
    billed: int = 0
    collected: int = 0
    reversed: int = 0
    credited: int = 0
    netted: int = 0
    payments: int = 0
    published: int = 0
    duplicates: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    episodes: list[Episode] = field(default_factory=list)

    def outstanding(self) -> int:
        """What customers must owe by now, less their prepayments."""
        return self.opening + self.billed + self.reversed - self.collected - self.credited - self.netted

    def days_unpaid(self, today: int) -> tuple[int, float, float]:
        """Episodes of which `HORIZON_DAYS` are seen: how many; days unpaid within them, with measures and without.

        The same customers with the same chance on the same days, so the difference is the measures' (in this model).
        """
        seen = [each for each in self.episodes if each.began <= today - HORIZON_DAYS]
        paid = [min(HORIZON_DAYS, each.paid - each.began if each.paid else HORIZON_DAYS) for each in seen]
        alone = [min(HORIZON_DAYS, each.alone - each.began if each.alone else HORIZON_DAYS) for each in seen]
        count = max(1, len(seen))
        return len(seen), sum(paid) / count, sum(alone) / count
