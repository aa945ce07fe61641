"""A payment history becomes the events that billing would have sent; every bad row is told, none is lost."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import payment_history
from adapters.cloud_events import decode
from adapters.history_rows import OptionError
from adapters.json_lines import InputError
from adapters.payment_history import History, HistoryOptions, import_history
from engine.envelope import Envelope

HEADER = "customer,number,issued,due,amount,disputed,settled,region,score"
MAPPING = [
    *("customer=subject", "number=invoice_id", "issued=issued_on", "due=due_on", "settled=settled_on"),
    *("region=attributes.region", "score=attributes.score:int"),
]


def table(folder: Path, *rows: str, header: str = HEADER) -> str:
    path = folder / "history.csv"
    path.write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")
    return str(path)


def history(folder: Path, *rows: str, mapping: list[str] = MAPPING, **options: Any) -> History:
    return import_history(table(folder, *rows), mapping, HistoryOptions(**options))


def told(found: History) -> list[str]:
    """Each event as one line: local-free time, subject, type, data."""
    lines = []
    for body in found.events:
        event = json.loads(body)
        data = ", ".join(f"{name} {value}" for name, value in event["data"].items())
        lines.append(f"{event['time']} {event['subject']} {event['type'][4:-3]}: {data}")
    return lines


ACCOUNT = "projection customer, party organisation, currency RUB, ledger invoices, attributes"


def test_an_invoice_is_issued_and_paid(tmp_path: Path) -> None:
    """The account comes first, the invoice at 09:00 Moscow time, the payment at 12:00."""
    assert told(history(tmp_path, "C1,I1,2026-03-01,2026-03-15,5000,0,2026-03-20,msk,7")) == [
        f"2026-03-01T06:00:00Z C1 account.updated: {ACCOUNT} {{'region': 'msk', 'score': 7}}",
        "2026-03-01T06:00:00Z C1 invoice.issued: invoice_id I1, amount 5000, issued_on 2026-03-01, due_on 2026-03-15",
        "2026-03-20T09:00:00Z C1 payment.received: payment_id PAY-I1, amount 5000",
    ]


def test_what_is_empty_is_left_out(tmp_path: Path) -> None:
    """No due date: the policy's terms; no settlement: no payment; no attribute: none."""
    assert told(history(tmp_path, "C1,I1,2026-03-01,,5000,,,,")) == [
        f"2026-03-01T06:00:00Z C1 account.updated: {ACCOUNT} {{}}",
        "2026-03-01T06:00:00Z C1 invoice.issued: invoice_id I1, amount 5000, issued_on 2026-03-01",
    ]


@pytest.mark.parametrize(
    ("settled_on", "opened", "closed"),
    [
        ("", "2026-03-02T07:00:00Z", None),
        ("2026-03-20", "2026-03-02T07:00:00Z", "2026-03-20T08:59:00Z"),
        ("2026-03-02", "2026-03-02T07:00:00Z", "2026-03-02T08:59:00Z"),
        ("2026-03-01", "2026-03-01T08:58:00Z", "2026-03-01T08:59:00Z"),
    ],
)
def test_a_dispute_ends_just_before_the_payment(
    tmp_path: Path, settled_on: str, opened: str, closed: str | None
) -> None:
    """Opened the day after issue, rejected in the end; without a payment it stays open."""
    lines = told(history(tmp_path, f"C1,I1,2026-03-01,,5000,1,{settled_on},,"))
    assert [line for line in lines if "claim" in line] == [
        f"{opened} C1 claim.opened: claim_id CLM-I1, invoice_id I1, amount 5000",
        *([f"{closed} C1 claim.closed: claim_id CLM-I1, outcome rejected"] if closed else []),
    ]


def test_events_come_in_order_of_time(tmp_path: Path) -> None:
    """Whatever the order of the rows; at one instant accounts before invoices before payments, then by line."""
    found = history(
        tmp_path,
        "C2,I3,2026-03-05,,1,0,2026-03-06,,",
        "C1,I2,2026-03-05,,2,0,,,",
        "C1,I1,2026-03-01,,3,1,2026-03-05,,",
    )
    assert [line.split(":  ")[0].split(": ")[0] for line in told(found)] == [
        "2026-03-01T06:00:00Z C1 account.updated",
        "2026-03-01T06:00:00Z C1 invoice.issued",
        "2026-03-02T07:00:00Z C1 claim.opened",
        "2026-03-05T06:00:00Z C2 account.updated",
        "2026-03-05T06:00:00Z C2 invoice.issued",
        "2026-03-05T06:00:00Z C1 invoice.issued",
        "2026-03-05T08:59:00Z C1 claim.closed",
        "2026-03-05T09:00:00Z C1 payment.received",
        "2026-03-06T09:00:00Z C2 payment.received",
    ]


def test_a_payment_in_advance_brings_the_account_with_it(tmp_path: Path) -> None:
    """It becomes a prepayment, so the account must be there."""
    lines = told(history(tmp_path, "C1,I1,2026-03-05,,5,0,2026-03-01,,"))
    assert [line.split(": ")[0] for line in lines] == [
        "2026-03-01T09:00:00Z C1 account.updated",
        "2026-03-01T09:00:00Z C1 payment.received",
        "2026-03-05T06:00:00Z C1 invoice.issued",
    ]


def test_an_attribute_that_changes_is_updated(tmp_path: Path) -> None:
    """With the invoice that shows it, and only what changed; what became empty is removed."""
    found = history(
        tmp_path, "C1,I1,2026-03-01,,1,0,,msk,7", "C1,I3,2026-05-01,,1,0,,msk,", "C1,I2,2026-04-01,,1,0,,spb,7"
    )
    assert [line for line in told(found) if "account" in line] == [
        f"2026-03-01T06:00:00Z C1 account.updated: {ACCOUNT} {{'region': 'msk', 'score': 7}}",
        "2026-04-01T06:00:00Z C1 account.updated: attributes {'region': 'spb'}",
        "2026-05-01T06:00:00Z C1 account.updated: attributes {'region': 'msk', 'score': None}",
    ]


def test_options_say_what_the_table_does_not(tmp_path: Path) -> None:
    """Time zone, currency, party, projection, source."""
    found = history(
        tmp_path,
        "C1,I1,2026-07-01,,1,0,,,",
        timezone="Europe/Berlin",
        currency="EUR",
        party="person",
        projection="account",
        source="erp",
    )
    event = json.loads(found.events[0])
    assert (event["time"], event["source"]) == ("2026-07-01T07:00:00Z", "erp")
    assert event["data"] == {
        "projection": "account",
        "party": "person",
        "currency": "EUR",
        "ledger": "invoices",
        "attributes": {},
    }


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [("55.37", "RUB", 5537), ("55.3", "RUB", 5530), ("55", "RUB", 5500), ("55", "JPY", 55), ("1.234", "KWD", 1234)],
)
def test_amounts_may_be_in_major_units(tmp_path: Path, text: str, currency: str, minor: int) -> None:
    """Each currency has its own number of decimals."""
    found = history(tmp_path, f"C1,I1,2026-03-01,,{text},0,,,", amount_unit="major", currency=currency)
    assert json.loads(found.events[1])["data"]["amount"] == minor


@pytest.mark.parametrize("pack", [False, True])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_tables_come_in_many_dresses(tmp_path: Path, separator: str, pack: bool) -> None:
    """Separated by commas, semicolons or tabs, quoted, with a byte order mark, gzipped."""
    rows = [HEADER, '"Рога и\nкопыта",I1,2026-03-01,,5,Да,,"мск",', "", ",,,,,,,,", "C2,I2,2026-03-01,,5,no,,,"]
    content = "\n".join(rows).replace(",", separator).encode("utf-8-sig")
    path = tmp_path / "history"
    path.write_bytes(gzip.compress(content) if pack else content)
    found = import_history(str(path), MAPPING)
    assert [str(fault) for fault in found.faults] == [f"{path}:3: subject: unprintable characters"]
    assert (found.rows, found.refused, len(found.events)) == (2, 1, 2)


def test_a_column_named_like_a_field_needs_no_mapping(tmp_path: Path) -> None:
    """Unless the field is mapped to another column."""
    path = table(tmp_path, "C1,I1,2026-03-01,5,7", header="subject,invoice_id,issued_on,amount,total")
    assert json.loads(import_history(path, []).events[1])["data"]["amount"] == 5
    assert json.loads(import_history(path, ["total=amount"]).events[1])["data"]["amount"] == 7


BAD_ROWS = [
    ("C1,I1,2026-03-01", "3 cells where the header has 9"),
    (",I1,2026-03-01,,5,0,,,", "subject: nothing there"),
    ("C1,,2026-03-01,,5,0,,,", "invoice_id: nothing there"),
    (f"{'C' * 200},{'I' * 200},2026-03-01,,5,0,,,", "subject and invoice_id: more than 242 characters together"),
    ("C1,I1,,,5,0,,,", 'issued_on: "" is not a date such as 2026-03-01'),
    ("C1,I1,20260301,,5,0,,,", 'issued_on: "20260301" is not a date such as 2026-03-01'),
    ("C1,I1,2026-03-01,2026-02-30,5,0,,,", 'due_on: "2026-02-30" is not a date such as 2026-03-01'),
    ("C1,I1,2026-03-01,,5,0,01.04.2026,,", 'settled_on: "01.04.2026" is not a date such as 2026-03-01'),
    ("C1,I1,9999-12-31,,5,1,,,", "issued_on: 9999-12-31 is not between 1970 and 2199"),
    ("C1,I1,2026-03-01,,five,0,,,", 'amount: "five" is not a number'),
    ("C1,I1,2026-03-01,,0,0,,,", 'amount: "0" is not between 1 and 1000000000000000 minor units'),
    ("C1,I1,2026-03-01,,-5,0,,,", 'amount: "-5" is not between 1 and 1000000000000000 minor units'),
    ("C1,I1,2026-03-01,,NaN,0,,,", 'amount: "NaN" is not between 1 and 1000000000000000 minor units'),
    ("C1,I1,2026-03-01,,1e999999,0,,,", 'amount: "1e999999" is not between 1 and 1000000000000000 minor units'),
    (
        "C1,I1,2026-03-01,,5.5,0,,,",
        'amount: "5.5" is not a whole number of minor units; if it is in major units, say --amount-unit major',
    ),
    ("C1,I1,2026-03-01,,5,maybe,,,", 'disputed: "maybe" is neither 1 nor 0 (nor yes, no, true, false)'),
    ("C1,I1,2026-03-01,,5,1,2026-02-28,,", "disputed, but settled before it was issued"),
    ("C1,I1,2026-03-01,,5,0,,,high", 'attributes.score: "high" is no int'),
    ("C0,I0,2026-03-01,,5,0,,,", "invoice_id: I0 of C0 stands on line 2 already"),
]


@pytest.mark.parametrize(("row", "said"), BAD_ROWS, ids=[row[1][:40] for row in BAD_ROWS])
def test_a_bad_row_is_told_and_the_others_stay(tmp_path: Path, row: str, said: str) -> None:
    """One line with the file, the line and what to put right."""
    sound = "C0,I0,2026-03-01,,5,0,,,"
    found = history(tmp_path, sound, row, "C2,I2,2026-03-01,,5,0,,,")
    assert [str(fault) for fault in found.faults] == [f"{tmp_path / 'history.csv'}:3: {said}"]
    assert (found.rows, found.refused, len(found.events)) == (3, 1, 4)


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ([], "no column for subject, invoice_id, issued_on: say --map COLUMN=subject; the columns are customer, "),
        (["customer"], '--map "customer": expected COLUMN=FIELD'),
        (["=subject"], '--map "=subject": expected COLUMN=FIELD'),
        (["client=subject"], '--map "client=subject": no column of that name; the columns are customer, number'),
        (["customer=client"], '--map "customer=client": no such field; expected one of subject, invoice_id'),
        ([*MAPPING, "number=subject"], '--map "number=subject": subject is mapped already, to column customer'),
        ([*MAPPING, "number=attributes.region"], "attributes.region is mapped already, to column region"),
        (["region=attributes."], "expected attributes.NAME or attributes.NAME:TYPE"),
        (["score=attributes.score:money"], "TYPE being one of string, int, float, bool"),
    ],
)
def test_a_mapping_that_cannot_be_used_is_refused(tmp_path: Path, mapping: list[str], said: str) -> None:
    """With what to write instead."""
    with pytest.raises(OptionError) as raised:
        history(tmp_path, mapping=mapping)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "options", [{"timezone": "Mars/Base"}, {"timezone": "../etc"}, {"timezone": "Europe"}, {"currency": "rub"},
                {"source": ""}, {"source": "a\0"}],
)  # fmt: skip
def test_an_option_that_cannot_be_used_is_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    """Before any row is read."""
    with pytest.raises(OptionError, match=r"^--"):
        history(tmp_path, **options)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no column for"),
        ("customer,сумма\n".encode("cp1251"), "history.csv:1: not UTF-8: save the table as CSV in UTF-8"),
        (b'subject,invoice_id,amount,issued_on\n"C1,I1', "history.csv:2: not CSV: unexpected end of data"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    """As a whole: what follows cannot be told apart."""
    path = tmp_path / "history.csv"
    path.write_bytes(content)
    with pytest.raises((InputError, OptionError)) as raised:
        import_history(str(path), [])
    assert said in str(raised.value)


def test_progress_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Now and then, and at the end."""
    monkeypatch.setattr(payment_history, "_PROGRESS_ROWS", 2)
    heard: list[int] = []
    rows = [f"C1,I{number},2026-03-01,,5,0,,," for number in range(5)]
    import_history(table(tmp_path, *rows), MAPPING, progress=heard.append)
    assert heard == [2, 4, 5]


days = st.dates().map(str) | st.sampled_from(["", "2026-03-01", "2026-03-02"])
cells = st.tuples(
    st.sampled_from(["C1", "C2", ""]), st.sampled_from("abcdef"), days, days,
    st.integers(-1, 10**16).map(str), st.sampled_from("01?"), days, st.text(max_size=5),
    st.sampled_from(["", "7", "x"]),
)  # fmt: skip


@given(st.lists(cells, max_size=8))
def test_every_row_is_events_or_a_fault(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, ...]]) -> None:
    """The events are sound, in order, each with its own id; every other row is told."""
    path = tmp_path_factory.getbasetemp() / "fuzz.csv"
    quoted = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    path.write_bytes("\n".join((HEADER, *quoted)).encode())
    found = import_history(str(path), MAPPING)
    assert found.rows == len(rows)
    assert found.refused == len(found.faults)
    events = [event for body in found.events for event in decode(body)]
    assert all(isinstance(event, Envelope) and event.fault is None for event in events)
    sound = [event for event in events if isinstance(event, Envelope)]
    assert len({event.key() for event in sound}) == len(sound)
    assert [event.time for event in sound] == sorted(event.time or 0 for event in sound)
    types = Counter(event.type for event in sound)
    assert types["dms.invoice.issued.v1"] == found.rows - found.refused
    assert sound == [] or sound[0].type == "dms.account.updated.v1"
