"""A payment history as events: a table of invoices and when they were paid becomes what billing would have sent."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Literal

from msgspec.json import Encoder

from adapters.cloud_events import TYPE_OF, rfc3339
from adapters.event_types import NAME_MAX
from adapters.faults import shown
from adapters.history_rows import AmountUnit, OptionError, Row, read_rows
from adapters.json_lines import InputError
from domain import messages as m
from domain.calendar import Zone
from domain.messages import AttributeValue
from domain.record import Record

ROWS_MAX: Final = 2_000_000
"""They are sorted in memory, at about 2 KB a row."""
FAULTS_MAX: Final = 1_000
_PROGRESS_ROWS: Final = 1_000

# Times of day, in seconds: a payment comes after everything else of its day.
_ISSUED_AT: Final = 9 * 3_600
_DISPUTED_AT: Final = 10 * 3_600
_PAID_AT: Final = 12 * 3_600
_MINUTE: Final = 60

Data = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryOptions:
    """What the table does not say. Raises `OptionError`."""

    timezone: str = "Europe/Moscow"
    currency: str = "RUB"
    party: Literal["person", "organisation"] = "organisation"
    projection: Literal["account", "contract", "customer"] = "customer"
    source: str = "import"
    amount_unit: AmountUnit = "minor"

    def __post_init__(self) -> None:
        if not re.fullmatch("[A-Z]{3}", self.currency):
            raise OptionError(f"--currency {shown(self.currency)}: expected three capital letters such as RUB")
        if not self.source or len(self.source) > NAME_MAX or not self.source.isprintable():
            raise OptionError(f"--source: expected 1 to {NAME_MAX} printable characters")


@dataclass(slots=True)
class History:
    """What became of a table: ``events`` (JSON, in order of time) of its sound rows, and a fault for each other row.

    ``faults`` holds the first `FAULTS_MAX` of ``refused``.
    """

    events: list[bytes] = field(default_factory=list)
    faults: list[InputError] = field(default_factory=list)
    rows: int = 0
    refused: int = 0


def import_history(
    file: str,
    mapping: Sequence[str],
    options: HistoryOptions | None = None,
    progress: Callable[[int], None] | None = None,
) -> History:
    """Turns a CSV of invoices (`adapters.history_rows`; ``mapping`` holds ``COLUMN=FIELD``) into events.

    A customer's account comes with its first event, and again where an attribute changes; an invoice is issued at 09:00
    local time, paid in full at 12:00 of its settlement day if it has one. A disputed one is claimed in full at 10:00 of
    the day after issue (or just before the claim closes, if that is earlier), and the claim is rejected a minute before
    the payment; unsettled, it stays open. ``progress`` hears the number of rows read so far. Raises `InputError` where
    the file cannot be read on, `OptionError` for a mapping or another option that cannot be used.
    """
    history = History()

    def refuse(line: int, message: str) -> None:
        history.refused += 1
        if len(history.faults) < FAULTS_MAX:
            history.faults.append(InputError(file, line, message))

    options = options or HistoryOptions()
    writer = _Writer(options)
    rows: list[Row] = []
    seen: dict[tuple[str, str], int] = {}
    for row in read_rows(file, mapping, options.currency, options.amount_unit, refuse):
        first = seen.setdefault((row.subject, row.invoice_id), row.line)
        if first != row.line:
            refuse(row.line, f"invoice_id: {row.invoice_id} of {row.subject} stands on line {first} already")
            continue
        rows.append(row)
        if len(rows) > ROWS_MAX:
            raise InputError(file, row.line, f"more than {ROWS_MAX} rows: split the table by customer")
        if progress is not None and len(rows) % _PROGRESS_ROWS == 0:
            progress(len(rows) + history.refused)
    for row in rows:
        writer.invoice(row)
    writer.accounts(rows)
    history.events = writer.sorted_bodies()
    history.rows = len(rows) + history.refused
    if progress is not None:
        progress(history.rows)
    return history


def _zone(name: str) -> Zone:
    try:
        return Zone(name)
    except (KeyError, ValueError, OSError):  # of an unknown name, a path, a folder of the time zone database
        raise OptionError(f"--timezone {shown(name)}: no such time zone; expected one such as Europe/Moscow") from None


class _Writer:
    """Gathers events with their sort keys: the instant, the rank within it, the line of the row."""

    def __init__(self, options: HistoryOptions) -> None:
        self._options: Final = options
        self._zone: Final = _zone(options.timezone)
        self._encode: Final = Encoder().encode
        self._found: Final[list[tuple[int, int, int, bytes]]] = []
        self._first: Final[dict[str, int]] = {}

    def invoice(self, row: Row) -> None:
        """The invoice of a row, its claim and its payment."""
        issued_at = self._zone.instant(row.issued_on, _ISSUED_AT)
        issued: Data = {
            "invoice_id": row.invoice_id,
            "amount": row.amount,
            "issued_on": _date(row.issued_on),
        }
        if row.due_on is not None:
            issued["due_on"] = _date(row.due_on)
        self._add(row, issued_at, 1, "issued", m.InvoiceIssued, issued)
        if row.disputed:
            self._claim(row)
        if row.settled_on is not None:
            paid: Data = {"payment_id": f"PAY-{row.invoice_id}", "amount": row.amount}
            self._add(row, self._zone.instant(row.settled_on, _PAID_AT), 4, "paid", m.PaymentReceived, paid)

    def _claim(self, row: Row) -> None:
        claim_id = f"CLM-{row.invoice_id}"
        opened_at = self._zone.instant(row.issued_on + 1, _DISPUTED_AT)
        if row.settled_on is not None:
            # Paid on the day of issue or early on the next, it was disputed before that.
            opened_at = min(opened_at, self._zone.instant(row.settled_on, _PAID_AT - 2 * _MINUTE))
            closed_at = self._zone.instant(row.settled_on, _PAID_AT - _MINUTE)
            closed: Data = {"claim_id": claim_id, "outcome": "rejected"}
            self._add(row, closed_at, 3, "claim-closed", m.ClaimClosed, closed)
        opened: Data = {"claim_id": claim_id, "invoice_id": row.invoice_id, "amount": row.amount}
        self._add(row, opened_at, 2, "claim-opened", m.ClaimOpened, opened)

    def accounts(self, rows: list[Row]) -> None:
        """The accounts, after the invoices: an account is there from its customer's first event on."""
        known: dict[str, dict[str, AttributeValue]] = {}
        for row in sorted(rows, key=lambda row: (row.issued_on, row.line)):
            before = known.get(row.subject)
            if before is None:
                attributes = {name: value for name, value in row.attributes.items() if value is not None}
                account: Data = {
                    "projection": self._options.projection,
                    "party": self._options.party,
                    "currency": self._options.currency,
                    "ledger": "invoices",
                    "attributes": attributes,
                }
                self._add(row, self._first[row.subject], 0, "account", m.AccountUpdated, account)
            else:
                changed = {name: value for name, value in row.attributes.items() if before[name] != value}
                if changed:
                    at = self._zone.instant(row.issued_on, _ISSUED_AT)
                    self._add(row, at, 0, "attributes", m.AccountUpdated, {"attributes": changed})
            known[row.subject] = row.attributes

    def _add(self, row: Row, at: int, rank: int, what: str, kind: type[Record], data: Data) -> None:
        first = self._first.get(row.subject)
        if first is None or at < first:
            self._first[row.subject] = at
        event = {
            "specversion": "1.0",
            "id": f"{row.subject}/{row.invoice_id}/{what}",
            "source": self._options.source,
            "type": TYPE_OF[kind],
            "subject": row.subject,
            "time": rfc3339(at),
            "datacontenttype": "application/json",
            "data": data,
        }
        self._found.append((at, rank, row.line, self._encode(event)))

    def sorted_bodies(self) -> list[bytes]:
        """All events in order of time; at one instant accounts come first, then invoices, claims, payments."""
        self._found.sort(key=lambda found: found[:3])
        return [body for _, _, _, body in self._found]


def _date(day: int) -> str:
    return date.fromordinal(day).isoformat()
