"""The payment history in a store's journal: invoices, what paid them and when, parts, claims and their answers."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from adapters.invoice_table import ROWS_MAX, InvoiceTable
from domain import messages as m
from domain.calendar import Zone
from domain.ledger import Ledger
from domain.record import Record

if TYPE_CHECKING:
    from adapters.postgres_reader import PostgresReader
    from adapters.sqlite_reader import SqliteReader

_PROGRESS_PROFILES: Final = 500


class StoreHistory:
    """Reads journals into ``table``. ``with_balance`` counts the profiles that were left out because they have a
    balance and no invoices, ``last_day`` is the last of which the journals tell."""

    def __init__(self, zone: Zone) -> None:
        self._zone: Final = zone
        self.table: Final = InvoiceTable()
        self.profiles = 0
        self.with_balance = 0
        self.last_day = 0
        self.is_cut = False
        """There were more than `ROWS_MAX` invoices; those of the profiles that come first were read."""

    def read(self, reader: "SqliteReader | PostgresReader", progress: Callable[[int], None]) -> None:
        """Everything, as it is at one moment."""
        with reader.standing_still():
            for profile_id in reader.profile_ids():
                if len(self.table) >= ROWS_MAX:
                    self.is_cut = True
                    break
                _Journal(self._zone, self.table, profile_id).read(self, [e.fact for e in reader.journal(profile_id)])
                self.profiles += 1
                if self.profiles % _PROGRESS_PROFILES == 0:
                    progress(self.profiles)


class _Journal:
    """The ledger of one profile, led once more: its rules say which payment pays what (`domain.ledger`)."""

    def __init__(self, zone: Zone, table: InvoiceTable, profile_id: str) -> None:
        self._zone: Final = zone
        self._table: Final = table
        self._profile_id: Final = profile_id
        self._ledger: Final = Ledger()
        self._rows: Final[dict[str, int]] = {}
        self._claims: Final[dict[str, str]] = {}

    def read(self, history: StoreHistory, facts: list[Record]) -> None:
        """Facts in order; those of invoices from before the journal's beginning say nothing."""
        if any(isinstance(fact, m.BalanceChanged) for fact in facts):
            history.with_balance += 1
            return
        for fact in facts:
            day = self._zone.day(fact.at)
            history.last_day = max(history.last_day, day)
            self._take(fact, day)

    def _take(self, fact: Record, day: int) -> None:
        ledger = self._ledger
        match fact:
            case m.InvoiceIssued() if fact.due_on is not None and not ledger.knows_item(fact.invoice_id):
                self._rows[fact.invoice_id] = self._table.add(
                    self._profile_id, fact.issued_on, fact.due_on, 0, disputed=False
                )
                ledger.open(fact.invoice_id, fact.amount, fact.due_on, fact.at)
                self._note({}, day, is_paid=True, opened=fact)
            case m.PaymentReceived() if not ledger.knows_payment(fact.payment_id):
                self._paid(fact.payment_id, fact.amount, day)
            case m.NettingAgreed() if not ledger.knows_payment(fact.netting_id):
                self._paid(fact.netting_id, fact.amount, day)
            case m.PaymentReversed() if ledger.knows_payment(fact.payment_id):
                ledger.reverse(fact.payment_id, fact.at)
                for item in ledger.open_items:
                    # It was not paid after all: from here on nothing is known of when it would have been.
                    row = self._rows[item.item_id]
                    if self._table.settled[row]:
                        self._table.settled[row] = 0
                        self._table.known_until[row] = day
            case m.InvoiceAdjusted() if ledger.knows_item(fact.invoice_id):
                before = self._left()
                ledger.adjust(fact.invoice_id, fact.delta, fact.at)
                self._note(before, day, is_paid=False)
            case m.ClaimOpened() if fact.invoice_id in self._rows and not ledger.knows_claim(fact.claim_id):
                ledger.dispute(fact.claim_id, fact.invoice_id, fact.amount)
                self._claims[fact.claim_id] = fact.invoice_id
                self._table.disputed[self._rows[fact.invoice_id]] = True
            case m.ClaimClosed() if fact.claim_id in self._claims:
                self._answer(fact, day)
            case _:
                pass

    def _answer(self, fact: m.ClaimClosed, day: int) -> None:
        before = self._left()
        upheld = fact.outcome == "upheld"
        self._table.claims += 1
        self._table.claims_upheld += upheld
        self._table.answered[self._rows[self._claims.pop(fact.claim_id)]] = day
        self._ledger.settle_claim(fact.claim_id, upheld, fact.at)
        self._note(before, day, is_paid=False)

    def _paid(self, payment_id: str, amount: int, day: int) -> None:
        before = self._left()
        self._ledger.pay(payment_id, amount)
        self._note(before, day, is_paid=True)

    def _left(self) -> dict[str, int]:
        return {item.item_id: item.left for item in self._ledger.open_items}

    def _note(self, before: dict[str, int], day: int, *, is_paid: bool, opened: m.InvoiceIssued | None = None) -> None:
        """What has become of the items: paid, paid in part, or taken back, which ends what is known of them."""
        after = self._left()
        if opened is not None:
            before = {**before, **after, opened.invoice_id: opened.amount}
        for item_id, left in before.items():
            now = after.get(item_id, 0)
            row = self._rows[item_id]
            if now >= left or self._table.known_until[row]:
                continue
            if now == 0 and is_paid:
                self._table.settled[row] = day
            elif now == 0:
                self._table.known_until[row] = day
            elif is_paid:
                self._table.parts.append((row, day, (left - now) / left))
