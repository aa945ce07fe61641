"""The rows of a payment history: which column means what, and what a cell may hold."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final, Literal

from adapters.csv_table import Rows, table_rows
from adapters.event_faults import has_nul
from adapters.event_types import MONEY_MAX, NAME_MAX
from adapters.faults import one_of, shown
from domain.messages import AttributeValue

AmountUnit = Literal["minor", "major"]

FIELDS: Final = ("subject", "invoice_id", "amount", "issued_on", "due_on", "settled_on", "disputed")
REQUIRED: Final = ("subject", "invoice_id", "amount", "issued_on")
ATTRIBUTE: Final = "attributes."
ATTRIBUTE_TYPES: Final = ("string", "int", "float", "bool")
# Minor units in a major one, where it is not 100 (ISO 4217).
_EXPONENTS: Final = dict.fromkeys(("CLP", "ISK", "JPY", "KRW", "PYG", "RWF", "UGX", "VND", "XAF", "XOF"), 0) | (
    dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3)
)
_YES: Final = frozenset({"1", "true", "yes", "y", "да"})
_NO: Final = frozenset({"0", "false", "no", "n", "нет", ""})
_FIRST_YEAR: Final = 1970
_LAST_YEAR: Final = 2199
# The longest suffix that an event's id appends to subject and invoice.
_IDS_MAX: Final = NAME_MAX - len("//claim-closed")


class OptionError(Exception):
    """An option that cannot be used, mostly a mapping; the message says what to write instead."""


@dataclass(frozen=True, slots=True)
class Row:
    """One invoice of the history. Days are ordinals, money is in minor units."""

    line: int
    subject: str
    invoice_id: str
    amount: int
    issued_on: int
    due_on: int | None
    settled_on: int | None
    disputed: bool
    attributes: dict[str, AttributeValue]


@dataclass(frozen=True, slots=True)
class Columns:
    """Where the fields stand: places count from 0. ``attributes`` are ``(name, place, type)``."""

    places: dict[str, int]
    attributes: tuple[tuple[str, int, str], ...]
    width: int


def columns_of(header: Sequence[str], mapping: Sequence[str]) -> Columns:
    """Reads ``COLUMN=FIELD`` against the header; a column named like a field needs no mapping.

    FIELD is one of `FIELDS` or ``attributes.NAME``, the latter with ``:int``, ``:float`` or ``:bool`` where it is no
    string. Raises `OptionError`.
    """
    names = [name.strip() for name in header]
    places: dict[str, int] = {}
    attributes: dict[str, tuple[int, str]] = {}
    for pair in mapping:
        column, equals, field = (part.strip() for part in pair.rpartition("="))
        if not equals or not column or not field:
            raise OptionError(f"--map {shown(pair)}: expected COLUMN=FIELD")
        if names.count(column) != 1:
            many = "more than one column" if column in names else "no column"
            raise OptionError(f"--map {shown(pair)}: {many} of that name; the columns are {', '.join(names)}")
        place = names.index(column)
        taken = places.get(field)
        if field.startswith(ATTRIBUTE):
            name, _, type_ = field.removeprefix(ATTRIBUTE).partition(":")
            if not name or (type_ or "string") not in ATTRIBUTE_TYPES:
                raise OptionError(f"--map {shown(pair)}: expected attributes.NAME or attributes.NAME:TYPE, TYPE being "
                                   f"{one_of(ATTRIBUTE_TYPES)}")  # fmt: skip
            taken = attributes[name][0] if name in attributes else None
            attributes[name] = place, type_ or "string"
        elif field in FIELDS:
            places[field] = place
        else:
            raise OptionError(f"--map {shown(pair)}: no such field; expected {one_of(FIELDS)}, or attributes.NAME")
        if taken is not None:
            raise OptionError(f"--map {shown(pair)}: {field} is mapped already, to column {names[taken]}")
    for field in FIELDS:
        if field not in places and names.count(field) == 1:
            places[field] = names.index(field)
    missing = [field for field in REQUIRED if field not in places]
    if missing:
        raise OptionError(
            f"no column for {', '.join(missing)}: say --map COLUMN={missing[0]}; the columns are {', '.join(names)}"
        )
    return Columns(places, tuple((name, *of) for name, of in attributes.items()), len(names))


def read_rows(
    file: str, mapping: Sequence[str], currency: str, unit: AmountUnit, refuse: Callable[[int, str], None]
) -> Iterator[Row]:
    """The rows of a CSV file, plain or gzipped, in UTF-8, separated by commas, semicolons or tabs.

    A bad row goes to ``refuse`` with its line and what is wrong. Raises `InputError` for a file that cannot be read any
    further, `OptionError` for a mapping that does not fit it.
    """
    with closing(table_rows(file)) as rows:
        _, header = next(rows)
        yield from rows_under(header, rows, mapping, currency, unit, refuse)


def rows_under(
    header: Sequence[str],
    rows: Rows,
    mapping: Sequence[str],
    currency: str,
    unit: AmountUnit,
    refuse: Callable[[int, str], None],
) -> Iterator[Row]:
    """The same of a table whose header is read already."""
    scale = 10 ** _EXPONENTS.get(currency, 2) if unit == "major" else 1
    columns = columns_of(header, mapping)
    for line, cells in rows:
        try:
            row = _row(line, cells, columns, scale)
        except ValueError as error:
            refuse(line, str(error))
        else:
            yield row


def _row(line: int, cells: list[str], columns: Columns, scale: int) -> Row:
    if len(cells) != columns.width:
        raise ValueError(f"{len(cells)} cells where the header has {columns.width}")
    found = {field: cells[place].strip() for field, place in columns.places.items()}
    subject, invoice_id = found["subject"], found["invoice_id"]
    for field in ("subject", "invoice_id"):
        if not found[field] or not found[field].isprintable():
            raise ValueError(f"{field}: {'nothing there' if not found[field] else 'unprintable characters'}")
    if len(subject) + len(invoice_id) > _IDS_MAX:
        raise ValueError(f"subject and invoice_id: more than {_IDS_MAX} characters together")
    issued_on = _day("issued_on", found["issued_on"])
    settled_on = _day("settled_on", found["settled_on"]) if found.get("settled_on") else None
    disputed = _flag("disputed", found.get("disputed", ""))
    if disputed and settled_on is not None and settled_on < issued_on:
        raise ValueError("disputed, but settled before it was issued")
    return Row(
        line,
        subject,
        invoice_id,
        _amount(found["amount"], scale),
        issued_on,
        _day("due_on", found["due_on"]) if found.get("due_on") else None,
        settled_on,
        disputed,
        {name: _attribute(name, cells[place].strip(), type_) for name, place, type_ in columns.attributes},
    )


def _amount(text: str, scale: int) -> int:
    try:
        amount = Decimal(text) * scale
    except ArithmeticError:
        raise ValueError(f"amount: {shown(text)} is not a number") from None
    if not amount.is_finite() or not 0 < amount <= MONEY_MAX:
        raise ValueError(f"amount: {shown(text)} is not between 1 and {MONEY_MAX} minor units")
    if amount != int(amount):
        hint = "; if it is in major units, say --amount-unit major" if scale == 1 else ""
        raise ValueError(f"amount: {shown(text)} is not a whole number of minor units{hint}")
    return int(amount)


def _day(field: str, text: str) -> int:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or len(text) != 10:  # Python 3.11 also reads 20260301 and 2026-W09-7
        raise ValueError(f"{field}: {shown(text)} is not a date such as 2026-03-01")
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise ValueError(f"{field}: {text} is not between {_FIRST_YEAR} and {_LAST_YEAR}")
    return day.toordinal()


def _flag(field: str, text: str) -> bool:
    word = text.lower()
    if word not in _YES and word not in _NO:
        raise ValueError(f"{field}: {shown(text)} is neither 1 nor 0 (nor yes, no, true, false)")
    return word in _YES


def _attribute(name: str, text: str, type_: str) -> AttributeValue:
    if not text:
        return None
    try:
        match type_:
            case "int":
                value: AttributeValue = int(text)
                if not -(2**63) <= int(text) < 2**63:
                    raise ValueError
            case "float":
                value = float(text)
                if not -1e308 < value < 1e308:
                    raise ValueError
            case "bool":
                value = _flag(name, text)
            case _:
                value = text
                if has_nul(text):
                    raise ValueError
    except ValueError:
        raise ValueError(f"attributes.{name}: {shown(text)} is no {type_}") from None
    return value
