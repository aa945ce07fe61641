"""The ledger of one profile: items, what paid them, what is left over, what is disputed.

The rules are the policy language's: payments pay items oldest due date first, then in order of arrival; a prepayment
pays an open item at once; a reversal undoes exactly what that payment paid; what is left of an item never falls below
zero. With ledger ``balance`` the account is one item with the empty id, kept in step with the balance.
"""

from typing import Final

BALANCE_ITEM: Final = ""
"""The id of the one item of a profile whose ledger is ``balance``."""


class Item:
    """A receivable: ``left`` minor units of it are unpaid, ``claimed`` of them disputed.

    ``since`` is the earliest instant at which it can be reminded of: just after its arrival, or when it was reopened.
    ``reminded`` names the prevention rules that have fired for it.
    """

    __slots__ = ("arrival", "claimed", "due", "item_id", "left", "reminded", "since")

    def __init__(
        self,
        item_id: str,
        due: int,
        arrival: int,
        left: int,
        since: int,
        claimed: int = 0,
        reminded: tuple[str, ...] = (),
    ) -> None:
        self.item_id: Final[str] = item_id
        self.due: Final[int] = due
        self.arrival: Final[int] = arrival
        self.left: int = left
        self.since: int = since
        self.claimed: int = claimed
        self.reminded: tuple[str, ...] = reminded


class Payment:
    """Money that came in: what it paid, and the ``rest`` of it that waits as a prepayment."""

    __slots__ = ("amount", "arrival", "paid", "rest", "reversed")

    def __init__(
        self,
        arrival: int,
        amount: int,
        rest: int,
        paid: tuple[tuple[Item, int], ...] = (),
        reversed: bool = False,
    ) -> None:
        self.arrival: Final[int] = arrival
        self.amount: Final[int] = amount
        self.rest: int = rest
        self.paid: tuple[tuple[Item, int], ...] = paid
        self.reversed: bool = reversed


class Claim:
    """A dispute of ``amount`` of an item."""

    __slots__ = ("amount", "is_open", "item")

    def __init__(self, item: Item, amount: int, is_open: bool = True) -> None:
        self.item: Final[Item] = item
        self.amount: Final[int] = amount
        self.is_open: bool = is_open


class Ledger:
    """Items and payments. ``open_items`` holds what is unpaid, oldest due date first, then in order of arrival.

    ``credits`` are the prepayments with something left, in order of arrival; those without an id came from adjustments
    and claims. The sum of all that is kept here: ``prepaid() - debt()``.
    """

    __slots__ = ("arrivals", "claims", "credits", "items", "open_items", "payments")

    def __init__(self) -> None:
        self.items: Final[dict[str, Item]] = {}
        self.open_items: Final[list[Item]] = []
        self.payments: Final[dict[str, Payment]] = {}
        self.credits: list[Payment] | None = None
        self.claims: dict[str, Claim] | None = None
        self.arrivals: int = 0

    def debt(self) -> int:
        """What is left of all items."""
        total = 0
        for item in self.open_items:
            total += item.left
        return total

    def prepaid(self) -> int:
        """What is left of all prepayments."""
        total = 0
        if self.credits is not None:
            for payment in self.credits:
                total += payment.rest
        return total

    def open(self, item_id: str, amount: int, due: int, at: int) -> None:
        """A new item arrives; prepayments pay it at once."""
        self.arrivals += 1
        # A reminder due at this very instant is for items that arrived before it: strictly later ones only.
        item = Item(item_id, due, self.arrivals, amount, at + 1)
        self.items[item_id] = item
        self._insert(item)
        if self.credits:
            self._use_credits()

    def pay(self, payment_id: str, amount: int) -> None:
        """A payment (or netting) arrives and pays what is open; the rest waits."""
        self.arrivals += 1
        payment = Payment(self.arrivals, amount, amount)
        self.payments[payment_id] = payment
        if self.open_items:
            self._spend(payment)
        if payment.rest > 0:
            self._add_credit(payment)

    def count_only(self, payment_id: str, amount: int) -> None:
        """A payment of a ``balance`` account: remembered for its reversal; the balance says what is owed."""
        self.arrivals += 1
        self.payments[payment_id] = Payment(self.arrivals, amount, 0)

    def reverse(self, payment_id: str, at: int) -> None:
        """Undoes what a payment paid, the prepayment it left included."""
        payment = self.payments[payment_id]
        payment.reversed = True
        for item, amount in payment.paid:
            self._raise(item, amount, at)
        payment.paid = ()
        if payment.rest > 0:
            payment.rest = 0
            assert self.credits is not None
            self.credits.remove(payment)
        if self.credits:
            self._use_credits()

    def adjust(self, item: Item, delta: int, at: int) -> None:
        """Changes what is left of an item; what would fall below zero becomes a prepayment."""
        if delta >= 0:
            self._raise(item, delta, at)
        else:
            self._lower(item, -delta)
        if self.credits:
            self._use_credits()

    def dispute(self, claim_id: str, item: Item, amount: int) -> None:
        """Opens a claim: ``amount`` of the item is not collectible meanwhile."""
        if self.claims is None:
            self.claims = {}
        self.claims[claim_id] = Claim(item, amount)
        item.claimed += amount

    def settle_claim(self, claim_id: str, upheld: bool, at: int) -> None:
        """Ends a claim; upheld, the item is credited with the amount that was opened."""
        assert self.claims is not None
        claim = self.claims[claim_id]
        claim.is_open = False
        claim.item.claimed -= claim.amount
        if upheld:
            self.adjust(claim.item, -claim.amount, at)

    def set_balance(self, balance: int, due: int | None, at: int) -> None:
        """The account's one item follows the balance; ``due`` is needed when it falls below zero just now."""
        owed = -balance if balance < 0 else 0
        if self.open_items:
            item = self.open_items[0]
            if owed == 0:
                self.open_items.clear()
                self.items.clear()
            item.left = owed
        elif owed > 0:
            assert due is not None, "a balance falling below zero has a due date"
            self.open(BALANCE_ITEM, owed, due, at)

    def _insert(self, item: Item) -> None:
        items = self.open_items
        index = len(items)
        while index > 0:
            before = items[index - 1]
            if before.due < item.due or (before.due == item.due and before.arrival < item.arrival):
                break
            index -= 1
        items.insert(index, item)

    def _raise(self, item: Item, amount: int, at: int) -> None:
        if item.left == 0 and amount > 0:
            item.left = amount
            item.since = max(item.since, at)
            self._insert(item)
        else:
            item.left += amount

    def _lower(self, item: Item, amount: int) -> None:
        if item.left > amount:
            item.left -= amount
            return
        rest = amount - item.left
        if item.left > 0:
            item.left = 0
            self.open_items.remove(item)
        if rest > 0:
            self.arrivals += 1
            self._add_credit(Payment(self.arrivals, rest, rest))

    def _add_credit(self, payment: Payment) -> None:
        if self.credits is None:
            self.credits = []
        self.credits.append(payment)
        self._use_credits()

    def _use_credits(self) -> None:
        assert self.credits is not None
        while self.credits and self.open_items:
            first = self.credits[0]
            self._spend(first)
            if first.rest == 0:
                self.credits.pop(0)

    def _spend(self, payment: Payment) -> None:
        """Pays open items with what the payment has left."""
        rest = payment.rest
        cleared = 0
        for item in self.open_items:
            if rest == 0:
                break
            part = item.left if item.left < rest else rest
            rest -= part
            item.left -= part
            payment.paid = (*payment.paid, (item, part))
            if item.left == 0:
                cleared += 1
        if cleared > 0:
            del self.open_items[:cleared]  # payments clear from the front
        payment.rest = rest
