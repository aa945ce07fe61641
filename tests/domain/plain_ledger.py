"""A plain ledger, written down from the spec, and the law that the domain's says the same."""

from domain import messages as m
from domain.record import Record
from tests.domain.lives import Life


class PlainLedger:
    """What is owed, from the spec: amounts left by invoice, and money with what it paid, settled one by one."""

    def __init__(self) -> None:
        self.left: dict[str, int] = {}
        self.due: dict[str, int] = {}
        self.rest: list[int] = []
        self.paid: list[dict[str, int]] = []
        self.payments: dict[str, int] = {}
        self.claims: dict[str, tuple[str, int]] = {}
        self.sum = 0

    def learn(self, fact: Record) -> None:
        match fact:
            case m.InvoiceIssued():
                assert fact.due_on is not None
                self.left[fact.invoice_id], self.due[fact.invoice_id] = fact.amount, fact.due_on
                self.sum -= fact.amount
            case m.PaymentReceived():
                self._money(fact.payment_id, fact.amount)
            case m.NettingAgreed():
                self._money(fact.netting_id, fact.amount)
            case m.PaymentReversed():
                self._undo(self.payments[fact.payment_id])
            case m.InvoiceAdjusted():
                self._adjust(fact.invoice_id, fact.delta)
            case m.ClaimOpened():
                self.claims[fact.claim_id] = fact.invoice_id, fact.amount
            case m.ClaimClosed():
                invoice, amount = self.claims.pop(fact.claim_id)
                if fact.outcome == "upheld":
                    self._adjust(invoice, -amount)
            case _:
                return
        self._settle()

    def _money(self, name: str, amount: int) -> None:
        self.payments[name] = len(self.rest)
        self.rest.append(amount)
        self.paid.append({})
        self.sum += amount

    def _undo(self, number: int) -> None:
        for invoice, part in self.paid[number].items():
            self.left[invoice] += part
        self.sum -= self.rest[number] + sum(self.paid[number].values())
        self.rest[number], self.paid[number] = 0, {}

    def _adjust(self, invoice: str, delta: int) -> None:
        left = self.left[invoice] + delta
        self.left[invoice] = max(0, left)
        self.rest.append(max(0, -left))
        self.paid.append({})
        self.sum -= delta

    def _settle(self) -> None:
        """The first money that has something left pays the invoice due first, until one of the two is used up."""
        while any(self.rest) and any(self.left.values()):
            number = next(n for n, rest in enumerate(self.rest) if rest)
            invoice = min((each for each, left in self.left.items() if left), key=lambda each: self.due[each])
            part = min(self.rest[number], self.left[invoice])
            self.rest[number] -= part
            self.left[invoice] -= part
            self.paid[number][invoice] = self.paid[number].get(invoice, 0) + part


def money_adds_up(life: Life) -> None:
    """What is left of each item is what a plain ledger says; the sum is payments less reversed, invoices and deltas."""
    ledger = life.profile.ledger
    if life.ledger == "balance":
        _balance_adds_up(life)
        return
    plain = PlainLedger()
    for fact in life.facts:
        plain.learn(fact)
    assert {name: item.left for name, item in ledger.items.items()} == plain.left
    assert {item.item_id for item in ledger.open_items} == {name for name, left in plain.left.items() if left}
    assert ledger.prepaid() == sum(plain.rest)
    assert ledger.prepaid() - ledger.debt() == plain.sum == life.profile.account_balance()
    claimed = dict.fromkeys(plain.left, 0)
    for invoice, amount in plain.claims.values():
        claimed[invoice] += amount
    assert {name: item.claimed for name, item in ledger.items.items()} == claimed


def _balance_adds_up(life: Life) -> None:
    """The last snapshot, raised by payments and lowered by their reversals since."""
    balance = 0
    amounts: dict[str, int] = {}
    for fact in life.facts:
        match fact:
            case m.BalanceChanged():
                balance = fact.balance
            case m.PaymentReceived(_, name, amount) | m.NettingAgreed(_, name, amount, _):
                amounts[name] = amount
                balance += amount
            case m.PaymentReversed():
                balance -= amounts[fact.payment_id]
    assert life.profile.balance == balance
    assert life.profile.ledger.debt() == max(0, -balance)
