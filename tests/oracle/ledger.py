"""What is owed: items and the money that pays them, in the two kinds of ledger."""

from dataclasses import dataclass, field
from datetime import date

from .instants import Instant


@dataclass(eq=False)
class Item:
    """Something owed with one due date: an invoice, or a balance below zero."""

    item_id: str
    due: date
    arrived: Instant
    arrival: int  # number of the event that opened it: the order of arrival
    left: int

    @property
    def is_open(self) -> bool:
        return self.left > 0


@dataclass(eq=False)
class Money:
    """What came in by one payment, netting or credit: what it paid, and what of it is still a prepayment."""

    prepayment: int
    paid: list[tuple[Item, int]] = field(default_factory=list)


def oldest_first(items: list[Item]) -> list[Item]:
    """Oldest due date first, then in order of arrival."""
    return sorted(items, key=lambda item: (item.due, item.arrival))


class InvoiceLedger:
    """Ledger `invoices`: an invoice is an item."""

    def __init__(self) -> None:
        self.invoices: dict[str, Item] = {}
        self.money: list[Money] = []  # in order of arrival

    @property
    def items(self) -> list[Item]:
        return list(self.invoices.values())

    @property
    def balance(self) -> int:
        """Prepayments less what is left of items."""
        return sum(money.prepayment for money in self.money) - sum(item.left for item in self.items)

    def issue(self, item: Item) -> None:
        self.invoices[item.item_id] = item
        self._settle()

    def adjust(self, invoice_id: str, delta: int) -> None:
        """Changes what is left of the item, never below zero: the rest becomes a prepayment."""
        item = self.invoices[invoice_id]
        rest = max(0, -(item.left + delta))
        item.left = max(0, item.left + delta)
        if rest:
            self.money.append(Money(rest))
        self._settle()

    def pay(self, amount: int) -> Money:
        money = Money(amount)
        self.money.append(money)
        self._settle()
        return money

    def undo(self, money: Money) -> None:
        """Undoes exactly what that payment paid, its used prepayment included."""
        for item, amount in money.paid:
            item.left += amount
        money.paid = []
        money.prepayment = 0
        self._settle()

    def _settle(self) -> None:
        """While there is a prepayment and an open item, the prepayment pays it at once."""
        while True:
            with_rest = [money for money in self.money if money.prepayment > 0]
            still_open = oldest_first([item for item in self.items if item.is_open])
            if not with_rest or not still_open:
                return
            money, item = with_rest[0], still_open[0]
            amount = min(money.prepayment, item.left)
            money.prepayment -= amount
            item.left -= amount
            money.paid.append((item, amount))


class BalanceLedger:
    """Ledger `balance`: the account is one item while its balance is below zero."""

    def __init__(self) -> None:
        self.balance: int | None = None  # unknown before the first snapshot
        self.item: Item | None = None

    @property
    def items(self) -> list[Item]:
        return [] if self.item is None else [self.item]

    def becomes(self, balance: int, due: date, now: Instant, arrival: int) -> None:
        """The balance is now this; `due` is what the terms say for a balance that falls below zero today."""
        self.balance = balance
        if balance >= 0:
            self.item = None
        elif self.item is None:
            self.item = Item("balance", due, now, arrival, -balance)
        else:
            self.item.left = -balance
