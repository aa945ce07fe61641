"""Masking: whatever is logged, telephone numbers, e-mail addresses, names and rows of a database are not; ids are."""

import json
import logging
import sqlite3
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError

from adapters.logs import Bridge, open_log
from adapters.masking import MASK, masked, masked_text

PHONES = st.builds(
    lambda form, digits: form.format(*digits),
    st.sampled_from(
        [
            "+7{}{}{}{}{}{}{}{}{}{}", "+7 ({}{}{}) {}{}{}-{}{}-{}{}", "8 {}{}{} {}{}{} {}{} {}{}",
            "8-{}{}{}-{}{}{}-{}{}-{}{}", "8({}{}{}){}{}{}{}{}{}{}", "7{}{}{}{}{}{}{}{}{}{}",
            "+375 {}{} {}{}{}-{}{}-{}{}", "+1-{}{}{}-{}{}{}-{}{}{}{}", "+44 {}{}{}{} {}{}{}{}{}{}",
            "9{}{} {}{}{} {}{} {}{}", "({}{}{}) {}{}{}-{}{}-{}{}",
        ]
    ),
    st.lists(st.integers(0, 9), min_size=10, max_size=10),
)  # fmt: skip
WORDS = st.text(st.characters(categories=["L", "Zs"]), max_size=20)
GAPS = st.sampled_from([" ", ": ", "=", " (", "\n", "'", '"', ", "])
SAFE_KEYS = st.sampled_from(["event_time", "error", "why", "url", "said", "message", "x"])
IDS = st.builds(
    lambda prefix, number, rest: f"{prefix}{number}{rest}",
    st.sampled_from(["ACC-", "C/", "I-", "лс-", ""]),
    st.integers(0, 10**12),
    st.sampled_from(["", "/1/block", "/0/due-soon/2"]),
)


def nested(value: object) -> st.SearchStrategy[object]:
    """The value somewhere in plain data."""
    return st.recursive(
        st.just(value),
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=3),
            st.dictionaries(SAFE_KEYS, inner, min_size=1, max_size=3),
            inner.map(lambda each: (each,)),
        ),
        max_leaves=4,
    )


def logged(values: dict[str, Any], format: str = "json") -> str:
    """What an entry with these values looks like."""
    stream = StringIO()
    open_log("ALL", format, stream).info("said", **values)
    return stream.getvalue()


def digits_of(said: str) -> str:
    return "".join(c for c in said if c.isdigit())


@given(PHONES, WORDS, GAPS, WORDS, st.data())
def test_no_telephone_number_gets_into_a_log(
    phone: str, before: str, gap: str, after: str, data: st.DataObject
) -> None:
    """Written in any of the usual ways, anywhere in a text, however deep, as JSON or for people."""
    value = data.draw(nested(f"{before}{gap}{phone} {after}"))
    for format in ("json", "console"):
        values: dict[str, Any] = {data.draw(SAFE_KEYS): value}
        said = logged(values, format).split("said", 1)[1]
        assert phone not in said
        assert digits_of(phone)[-7:] not in digits_of(said)


@given(st.emails(), WORDS, GAPS, st.data())
def test_no_email_address_gets_into_a_log(email: str, before: str, gap: str, data: st.DataObject) -> None:
    """Nor what stands before its sign."""
    value = data.draw(nested(f"{before}{gap}{email} wrote"))
    assert email not in json.dumps(json.loads(logged({data.draw(SAFE_KEYS): value})), ensure_ascii=False)


@given(
    st.sampled_from(
        [
            "name", "full_name", "lastName", "phone", "phone_number", "contactPhone", "e_mail", "email", "EMAIL",
            "postal_address", "address", "passport", "фио", "телефон_абонента", "params", "attributes", "data", "body",
            "password", "api_token", "Authorization",
        ]
    ),
    st.one_of(st.text("абвгд xyz", min_size=4), st.lists(st.text("абвгд", min_size=4), min_size=1)),
    st.booleans(),
)  # fmt: skip
def test_what_is_personal_by_its_name_is_not_shown_at_all(key: str, value: object, is_deep: bool) -> None:
    """Whatever is in it."""
    values: dict[str, Any] = {"customer": {key: value}} if is_deep else {key: value}
    entry = json.loads(logged(values))
    assert (entry["customer"] if is_deep else entry)[key] == MASK


@given(IDS, st.sampled_from(["profile", "profile_id", "command_id", "correlation", "event_id", "subject", "run_id"]))
def test_ids_stay_as_they_are(id: str, key: str) -> None:
    """An operator's account number may well look like a telephone number."""
    assert json.loads(logged({key: id}))[key] == id


@given(st.integers(), st.datetimes(), st.uuids(), st.ip_addresses(v=4), st.integers(1, 65_535), st.floats())
def test_what_is_no_personal_data_stays(number: int, at: Any, uuid: Any, host: Any, port: int, seconds: float) -> None:
    """Numbers, instants, UUIDs, addresses of machines."""
    assert masked(number, "count") == number
    for said in (at.isoformat(), f"{at.isoformat()}+03:00", str(uuid), f"http://{host}:{port}/readyz"):
        assert masked_text(f"at {said} it was") == f"at {said} it was"
    assert (
        masked_text(f"restrict@everyone after {abs(seconds):.6f} s") == f"restrict@everyone after {abs(seconds):.6f} s"
    )


@pytest.mark.parametrize(
    "url", ["postgresql://dms:s3c@r:et@db.local:5432/dms", "amqp://guest:p%40ss@mq/v", "zookeeper://u:p@a:1,b:2/dms"]
)
def test_a_password_in_a_url_is_taken_out(url: str) -> None:
    """With the user it belongs to; where it leads stays."""
    said = masked_text(f"cannot reach {url}: refused")
    assert said == f"cannot reach {url.partition('://')[0]}://{MASK}@{url.rpartition('@')[2]}: refused"


class Diagnosis:
    """What psycopg knows of an error."""

    def __init__(self, primary: str) -> None:
        self.message_primary = primary


class DatabaseError(Exception):
    """An error as psycopg raises it: its text has the details, too."""

    def __init__(self, said: str, sqlstate: str) -> None:
        super().__init__(said)
        self.sqlstate = sqlstate
        self.diag = Diagnosis(said.partition("\n")[0])


DETAILED = [
    (
        'duplicate key value violates unique constraint "uq_debtors"\nDETAIL:  Key (name)=(Иван Петров) exists.',
        "23505",
        'duplicate key value violates unique constraint "uq_debtors"',
    ),
    (
        'null value in column "x" violates not-null constraint\nDETAIL:  Failing row contains (1, Иван\nПетров, null).',
        "23502",
        'null value in column "x" violates not-null constraint',
    ),
    ('invalid input syntax for type bigint: "Иван Петров"', "22P02", 'invalid input syntax for type bigint: ***'),
    ('value "Петров" is out of range', "22003", 'value "***" is out of range'),
    (
        'extra data after last expected column\nCONTEXT:  COPY profiles, line 1: "ACC-1 Иван Петров"',
        "22P04",
        "extra data after last expected column",
    ),
    ("syntax error\nLINE 1: INSERT INTO x VALUES ('Петров')\n                 ^", "42601", "syntax error"),
    ("повторяющееся значение\nПОДРОБНОСТИ:  Ключ (name)=(Петров) уже есть.", "23505", "повторяющееся значение"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "sqlstate", "shown"), DETAILED)
def test_a_database_error_says_what_failed_and_not_on_which_row(said: str, sqlstate: str, shown: str) -> None:
    """As an exception, in its traceback, and in what a library logs of it."""
    stream = StringIO()
    log = open_log("ALL", "json", stream)
    try:
        try:
            raise DatabaseError(said, sqlstate)
        except DatabaseError as error:
            raise RuntimeError("the batch failed") from error
    except RuntimeError as failure:
        cause = failure.__cause__
        assert isinstance(cause, DatabaseError)
        log.failure("commit", cause)
        log.failure("turn", failure)
        log.warn("as a value", why=cause)
    record = logging.LogRecord(
        "psycopg", logging.WARNING, __file__, 1, "lost: %s", (DatabaseError(said, sqlstate),), None
    )
    Bridge(log).emit(record)
    assert "Петров" not in stream.getvalue()
    assert "Иван" not in stream.getvalue()
    assert json.loads(stream.getvalue().splitlines()[0])["error"] == f"DatabaseError: {shown}"
    traceback = json.loads(stream.getvalue().splitlines()[3])["traceback"]
    assert "which came of:" in traceback
    assert 'raise RuntimeError("the batch failed") from error' in traceback


def test_sqlalchemy_tells_neither_statement_nor_parameters(tmp_path: Path) -> None:
    """Its own text has both."""
    engine = create_engine(f"sqlite:///{tmp_path}/x.db")
    parameters = {"name": "Иван Петров"}
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE debtor (name TEXT PRIMARY KEY)"))
        insert = text("INSERT INTO debtor VALUES (:name)")
        connection.execute(insert, parameters)
        with pytest.raises(IntegrityError) as caught:
            connection.execute(insert, parameters)
    assert "Петров" in str(caught.value)
    assert isinstance(caught.value.orig, sqlite3.IntegrityError)
    stream = StringIO()
    open_log("ALL", "json", stream).failure("commit", caught.value, as_text=str(caught.value))
    engine.dispose()
    first = json.loads(stream.getvalue().splitlines()[0])
    assert first["error"] == "IntegrityError: UNIQUE constraint failed: debtor.name"
    assert "Петров" not in stream.getvalue()


class Debtor:
    """An object with a life of its own."""

    def __init__(self) -> None:
        self.surname = "Петров"

    def __repr__(self) -> str:
        return f"Debtor({self.surname})"


def test_what_is_no_plain_data_is_named_and_not_shown() -> None:
    """Objects by their class, bytes by their number, what is nested too deep not at all."""
    deep: object = "Петров"
    for _ in range(20):
        deep = [deep]
    entry = json.loads(logged({"one": Debtor(), "raw": b"Petrov", "deep": deep, "many": list(range(1_000))}))
    assert (entry["one"], entry["raw"]) == ("<Debtor>", "<6 bytes>")
    assert "Петров" not in json.dumps(entry, ensure_ascii=False)
    assert len(entry["many"]) == 100
