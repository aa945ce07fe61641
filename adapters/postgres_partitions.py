"""The partitions of PostgreSQL's large tables, and the months of the journal that are made ahead and dropped.

Profiles and timers lie in up to eight ranges of shards, the inbox in eight parts by the hash of the id: more would make
every commit open more tables, fewer would make one table's vacuum long. The journal lies by month of the instant at
which a fact came about, because that is how it is dropped; what is of no month yet goes into ``journal_rest``, and
moves when its month is made.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from time import sleep
from typing import Any, Final

from psycopg import Connection
from psycopg.errors import LockNotAvailable
from psycopg.sql import SQL, Identifier, Literal

PARTS: Final = 8
_MONTHS_AHEAD: Final = 2
_LOCK_TRIES: Final = 30
# State changes with every event, and no index with it: there is room on the page for the next version of the row.
_PROFILE_OPTIONS: Final = SQL("WITH (fillfactor = 75, autovacuum_vacuum_scale_factor = 0.05)")
_TIMER_OPTIONS: Final = SQL("WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05)")
_MONTH: Final = "journal_%04d_%02d"
_MONTHS: Final = """
SELECT child.relname FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid
WHERE inhparent = 'journal'::regclass AND child.relname ~ '^journal_[0-9]{4}_[0-9]{2}$' ORDER BY child.relname"""
_MOVE: Final = SQL("""
WITH moved AS (DELETE FROM journal_rest WHERE at >= {first} AND at < {end} RETURNING *)
INSERT INTO {month} SELECT * FROM moved""")
_ATTACH: Final = SQL("ALTER TABLE journal ATTACH PARTITION {month} FOR VALUES FROM ({first}) TO ({end})")


_BEGINS: Final = """
INSERT INTO meta (name, value) VALUES ('journal_begins', %s)
ON CONFLICT (name) DO UPDATE SET value = greatest(meta.value, excluded.value)"""


def make_partitions(connection: Connection[tuple[object, ...]], shards: int) -> None:
    """The partitions of an empty store, within the connection's transaction."""
    step = -(-shards // PARTS)
    for number, first in enumerate(range(0, shards, step)):
        for table, options in (("profiles", _PROFILE_OPTIONS), ("timers", _TIMER_OPTIONS)):
            connection.execute(
                SQL("CREATE TABLE {} PARTITION OF {} FOR VALUES FROM ({}) TO ({}) {}").format(
                    Identifier(f"{table}_{number}"), Identifier(table), Literal(first), Literal(first + step), options
                )
            )
    for number in range(PARTS):
        connection.execute(
            SQL("CREATE TABLE {} PARTITION OF inbox FOR VALUES WITH (MODULUS {}, REMAINDER {})").format(
                Identifier(f"inbox_{number}"), Literal(PARTS), Literal(number)
            )
        )
    connection.execute(SQL("CREATE TABLE journal_rest PARTITION OF journal DEFAULT"))
    # A queue that is nearly always empty: what was deleted must not be waded through.
    connection.execute(
        SQL("ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)")
    )
    connection.execute(SQL("ALTER TABLE owners SET (fillfactor = 10)"))


def make_months_ahead(connection: Connection[Any], now: int) -> list[str]:
    """Partitions for the month of ``now`` and the next ones; returns those that were made.

    The connection autocommits. A month is made beside the journal and then attached, which disturbs no commit. Raises
    `LockNotAvailable` where somebody keeps ``journal_rest``.
    """
    made = []
    there = {name for name, _ in months(connection)}
    at = datetime.fromtimestamp(now // 1_000_000, UTC)
    for ahead in range(_MONTHS_AHEAD + 1):
        year, month = divmod(at.year * 12 + at.month - 1 + ahead, 12)
        name = _MONTH % (year, month + 1)
        if name not in there and _make_month(connection, name, start_of(year, month + 1), start_of(year, month + 2)):
            made.append(name)
    return made


def _make_month(connection: Connection[Any], name: str, first: int, end: int) -> bool:
    month, since, until = Identifier(name), Literal(first), Literal(end)
    with connection.transaction():
        # Others who make it wait here, and then find it made.
        connection.execute("SELECT pg_advisory_xact_lock('journal'::regclass::oid::bigint)")
        if connection.execute("SELECT to_regclass(%s)", (name,)).fetchone() != (None,):
            return False
        connection.execute(SQL("CREATE TABLE {} (LIKE journal INCLUDING ALL)").format(month))
        connection.execute("LOCK TABLE journal_rest IN SHARE ROW EXCLUSIVE MODE")
        connection.execute(_MOVE.format(month=month, first=since, end=until))
        connection.execute(_ATTACH.format(month=month, first=since, end=until))
    return True


def months(connection: Connection[Any]) -> Iterator[tuple[str, int]]:
    """The journal's months with the instant at which each ends, the oldest first."""
    for (name,) in connection.execute(_MONTHS).fetchall():
        _, year, month = str(name).split("_")
        yield str(name), start_of(int(year), int(month) + 1)


def drop_months(connection: Connection[Any], before: int) -> list[str]:
    """Drops the months of the journal that end at ``before`` or earlier; returns their names.

    Engines go on meanwhile: where a month cannot be had for as long as the session's ``lock_timeout``, they have their
    turn, and it is tried again. Raises `LockNotAvailable` after many tries; what was dropped before stays so.
    """
    dropped = []
    for name, end in list(months(connection)):
        if end <= before:
            # Said first: whoever checks the store meanwhile does not miss what is about to go.
            connection.execute(_BEGINS, (end,))
            _drop(connection, name)
            dropped.append(name)
    return dropped


def _drop(connection: Connection[Any], name: str) -> None:
    for left in range(_LOCK_TRIES - 1, -1, -1):
        try:
            connection.execute(SQL("DROP TABLE {}").format(Identifier(name)))
            return
        except LockNotAvailable:
            if not left:
                raise
            sleep(1)


def start_of(year: int, month: int) -> int:
    """The first instant of a month; the 13th is the next year's first."""
    year, month = (year + 1, 1) if month == 13 else (year, month)
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp()) * 1_000_000
