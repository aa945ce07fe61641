"""The ledger of one profile: items, what paid them, what is left over, what is disputed.

The rules are the policy language's: payments pay items oldest due date first, then in order of arrival; a prepayment
pays an open item at once; a reversal undoes exactly what that payment paid; what is left of an item never falls below
zero. With ledger ``balance`` the account is one item with the empty id, kept in step with the balance.
"""

from typing import Final

from domain import settled
from domain.settled import CLAIM, ITEM, PAYMENT, REVERSED

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
    """Money that came in, and the ``rest`` of it that waits as a prepayment; from a credit note it has no id.

    ``paid`` says, in pairs, the arrivals of the items that it paid and how much of each.
    """

    __slots__ = ("amount", "arrival", "paid", "payment_id", "rest", "reversed")

    def __init__(
        self,
        payment_id: str | None,
        arrival: int,
        amount: int,
        rest: int,
        paid: tuple[int, ...] = (),
        reversed: bool = False,
    ) -> None:
        self.payment_id: Final[str | None] = payment_id
        self.arrival: Final[int] = arrival
        self.amount: Final[int] = amount
        self.rest: int = rest
        self.paid: tuple[int, ...] = paid
        self.reversed: bool = reversed


class Claim:
    """An open dispute of ``amount`` of an item."""

    __slots__ = ("amount", "item")

    def __init__(self, item: Item, amount: int) -> None:
        self.item: Final[Item] = item
        self.amount: Final[int] = amount


class Ledger:
    """What is open: unpaid items, prepayments, disputes; the rest is ``settled``, in lines (`domain.settled`).

    ``open_items`` has the oldest due date first, then the order of arrival; ``credits`` are in order of arrival. A
    paid item that is still disputed is held by its claims alone. The sum of all: ``prepaid() - debt()``.
    """

    __slots__ = ("arrivals", "claims", "credits", "open_items", "settled")

    def __init__(self) -> None:
        self.open_items: tuple[Item, ...] = ()
        self.credits: list[Payment] | None = None
        self.claims: dict[str, Claim] | None = None
        self.settled: str = ""
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

    def knows_item(self, item_id: str) -> bool:
        """Whether an item of this id ever arrived."""
        return settled.place(self.settled, ITEM, item_id) >= 0 or self.live_item(item_id) is not None

    def knows_claim(self, claim_id: str) -> bool:
        """Whether a claim of this id was ever opened."""
        if self.claims is not None and claim_id in self.claims:
            return True
        return settled.place(self.settled, CLAIM, claim_id) >= 0

    def knows_payment(self, payment_id: str) -> bool:
        """Whether a payment of this id ever came, reversed or not."""
        return self.payment(payment_id) is not None or settled.place(self.settled, REVERSED, payment_id) >= 0

    def payment(self, payment_id: str) -> Payment | None:
        """The payment of this id, unless it was reversed; of one that is spent, a copy."""
        for payment in self.credits or ():
            if payment.payment_id == payment_id:
                return payment
        at = settled.place(self.settled, PAYMENT, payment_id)
        return _payment_of(settled.fields(self.settled, at)) if at >= 0 else None

    def live_item(self, item_id: str) -> Item | None:
        """The item of this id if it is unpaid or disputed."""
        for item in self.open_items:
            if item.item_id == item_id:
                return item
        for claim in (self.claims or {}).values():
            if claim.item.item_id == item_id:
                return claim.item
        return None

    def live_items(self) -> list[Item]:
        """The unpaid items, then those that are only disputed."""
        items = list(self.open_items)
        for claim in (self.claims or {}).values():
            if claim.item not in items:
                items.append(claim.item)
        return items

    @property
    def items(self) -> dict[str, Item]:
        """Every item that ever arrived, in order of arrival; of settled ones, copies."""
        items = [*self.live_items(), *[_item_of(each) for each in settled.lines(self.settled, ITEM)]]
        return {item.item_id: item for item in sorted(items, key=_arrival_of_item)}

    @property
    def payments(self) -> dict[str, Payment]:
        """Every payment that ever came, in order of arrival; of spent and reversed ones, copies."""
        payments = {each.payment_id: each for each in self.credits or () if each.payment_id is not None}
        for each in settled.lines(self.settled, PAYMENT):
            payments[each[0]] = _payment_of(each)
        for each in settled.lines(self.settled, REVERSED):
            payments[each[0]] = Payment(each[0], int(each[2]), int(each[1]), 0, (), True)
        return dict(sorted(payments.items(), key=_arrival_of_payment))

    def open(self, item_id: str, amount: int, due: int, at: int) -> None:
        """A new item arrives; prepayments pay it at once."""
        self.arrivals += 1
        # A reminder due at this very instant is for items that arrived before it: strictly later ones only.
        self._insert(Item(item_id, due, self.arrivals, amount, at + 1))
        if self.credits:
            self._use_credits()

    def pay(self, payment_id: str, amount: int) -> None:
        """A payment (or netting) arrives and pays what is open; the rest waits."""
        self.arrivals += 1
        payment = Payment(payment_id, self.arrivals, amount, amount)
        if self.open_items:
            self._spend(payment)
        if payment.rest > 0:
            self._add_credit(payment)

    def count_only(self, payment_id: str, amount: int) -> None:
        """A payment of a ``balance`` account: remembered for its reversal; the balance says what is owed."""
        self.arrivals += 1
        self.settled += settled.line(PAYMENT, payment_id, amount, self.arrivals)

    def reverse(self, payment_id: str, at: int) -> Payment:
        """Undoes what a payment paid, the prepayment it left included; returns it as it was. KeyError if unknown."""
        payment = self.payment(payment_id)
        if payment is None:
            raise KeyError(payment_id)
        place = settled.place(self.settled, PAYMENT, payment_id)
        if place >= 0:
            self.settled = settled.without(self.settled, place)
        else:
            assert self.credits is not None
            self.credits.remove(payment)
        self.settled += settled.line(REVERSED, payment_id, payment.amount, payment.arrival)
        for n in range(0, len(payment.paid), 2):
            self._raise(self._item_that_arrived(payment.paid[n]), payment.paid[n + 1], at)
        if self.credits:
            self._use_credits()
        return payment

    def adjust(self, item_id: str, delta: int, at: int) -> None:
        """Changes what is left of an item; what would fall below zero becomes a prepayment."""
        self._adjust(self._item(item_id), delta, at)

    def remind(self, item_id: str, rule: str) -> None:
        """The rule has fired for the item, or never will; nothing if there is no such item (a balance restored)."""
        if self.knows_item(item_id):
            item = self._item(item_id)
            item.reminded = (*item.reminded, rule)
            self._settle(item)

    def dispute(self, claim_id: str, item_id: str, amount: int) -> None:
        """Opens a claim: ``amount`` of the item is not collectible meanwhile."""
        item = self._item(item_id)
        item.claimed += amount
        if self.claims is None:
            self.claims = {}
        self.claims[claim_id] = Claim(item, amount)

    def settle_claim(self, claim_id: str, upheld: bool, at: int) -> None:
        """Ends a claim; upheld, the item is credited with the amount that was opened."""
        assert self.claims is not None
        claim = self.claims.pop(claim_id)
        self.claims = self.claims or None
        self.settled += settled.line(CLAIM, claim_id)
        claim.item.claimed -= claim.amount
        if upheld:
            self._adjust(claim.item, -claim.amount, at)
        else:
            self._settle(claim.item)

    def set_balance(self, balance: int, due: int | None, at: int) -> None:
        """The account's one item follows the balance; ``due`` is needed when it falls below zero just now."""
        owed = -balance if balance < 0 else 0
        if self.open_items:
            self.open_items[0].left = owed
            if owed == 0:
                self.open_items = ()
        elif owed > 0:
            assert due is not None, "a balance falling below zero has a due date"
            self.open(BALANCE_ITEM, owed, due, at)

    def _item(self, item_id: str) -> Item:
        """The item of this id, taken out of what is settled: the caller settles it again where nothing is left."""
        item = self.live_item(item_id)
        if item is not None:
            return item
        place = settled.place(self.settled, ITEM, item_id)
        if place < 0:
            raise KeyError(item_id)
        return self._taken_out(place)

    def _item_that_arrived(self, arrival: int) -> Item:
        for item in self.live_items():
            if item.arrival == arrival:
                return item
        return self._taken_out(settled.place_of_arrival(self.settled, arrival))

    def _taken_out(self, place: int) -> Item:
        item = _item_of(settled.fields(self.settled, place))
        self.settled = settled.without(self.settled, place)
        return item

    def _settle(self, item: Item) -> None:
        """An item of which nothing is left and nothing disputed becomes a line."""
        if item.left == 0 and item.claimed == 0:
            self.settled += settled.item_line(item.item_id, item.arrival, item.due, item.since, item.reminded)

    def _adjust(self, item: Item, delta: int, at: int) -> None:
        if delta >= 0:
            self._raise(item, delta, at)
            self._settle(item)
        else:
            rest = self._lower(item, -delta)
            self._settle(item)
            if rest > 0:
                self.arrivals += 1
                self._add_credit(Payment(None, self.arrivals, rest, rest))
        if self.credits:
            self._use_credits()

    def _insert(self, item: Item) -> None:
        items = self.open_items
        index = len(items)
        while index > 0:
            before = items[index - 1]
            if before.due < item.due or (before.due == item.due and before.arrival < item.arrival):
                break
            index -= 1
        self.open_items = (*items[:index], item, *items[index:])

    def _raise(self, item: Item, amount: int, at: int) -> None:
        if item.left == 0 and amount > 0:
            item.left = amount
            item.since = max(item.since, at)
            self._insert(item)
        else:
            item.left += amount

    def _lower(self, item: Item, amount: int) -> int:
        """Takes the amount from what is left; returns what goes beyond it."""
        if item.left > amount:
            item.left -= amount
            return 0
        rest = amount - item.left
        if item.left > 0:
            item.left = 0
            self.open_items = tuple([each for each in self.open_items if each is not item])
        return rest

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
        self.credits = self.credits or None

    def _spend(self, payment: Payment) -> None:
        """Pays open items with what the payment has left; what it settles becomes lines, itself among them."""
        rest = payment.rest
        cleared = 0
        for item in self.open_items:
            if rest == 0:
                break
            part = item.left if item.left < rest else rest
            rest -= part
            item.left -= part
            payment.paid = (*payment.paid, item.arrival, part)
            if item.left == 0:
                cleared += 1
                self._settle(item)
        if cleared > 0:
            self.open_items = self.open_items[cleared:]  # payments clear from the front
        payment.rest = rest
        if rest == 0 and payment.payment_id is not None:
            self.settled += settled.line(PAYMENT, payment.payment_id, payment.amount, payment.arrival, *payment.paid)


def _item_of(fields: list[str]) -> Item:
    item_id, arrival, due, since = fields[:4]
    return Item(item_id, int(due), int(arrival[1:]), 0, int(since), 0, tuple([settled.read(f) for f in fields[4:]]))


def _payment_of(fields: list[str]) -> Payment:
    payment_id, amount, arrival = fields[:3]
    return Payment(payment_id, int(arrival), int(amount), 0, tuple([int(field) for field in fields[3:]]))


def _arrival_of_item(item: Item) -> int:
    return item.arrival


def _arrival_of_payment(entry: tuple[str, Payment]) -> int:
    return entry[1].arrival
