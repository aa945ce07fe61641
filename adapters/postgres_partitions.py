"""The partitions of PostgreSQL's large tables, and the months of the journal that are made ahead and dropped.

Profiles and timers lie in up to eight ranges of shards, the inbox in eight parts by the hash of the id: more would make
every commit open more tables, fewer would make one table's vacuum long. The journal lies by month of the instant at
which a fact came about, because that is how it is dropped; what is of no month yet goes into ``journal_rest``.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from psycopg import Connection
from psycopg.errors import CheckViolation, DuplicateTable
from psycopg.sql import SQL, Identifier, Literal

PARTS: Final = 8
_MONTHS_AHEAD: Final = 2
# State changes with every event, and no index with it: there is room on the page for the next version of the row.
_PROFILE_OPTIONS: Final = SQL("WITH (fillfactor = 75, autovacuum_vacuum_scale_factor = 0.05)")
_TIMER_OPTIONS: Final = SQL("WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05)")
_MONTH: Final = "journal_%04d_%02d"


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


def make_months_ahead(connection: Connection[tuple[object, ...]], now: int) -> list[str]:
    """Partitions for the month of ``now`` and the next ones; returns those that were made.

    The connection commits each statement by itself. A month whose facts lie in ``journal_rest`` already stays there.
    """
    made = []
    at = datetime.fromtimestamp(now // 1_000_000, UTC)
    for ahead in range(_MONTHS_AHEAD + 1):
        year, month = divmod(at.year * 12 + at.month - 1 + ahead, 12)
        name = _MONTH % (year, month + 1)
        if connection.execute("SELECT to_regclass(%s)", (name,)).fetchone() != (None,):
            continue
        try:
            connection.execute(
                SQL("CREATE TABLE {} PARTITION OF journal FOR VALUES FROM ({}) TO ({})").format(
                    Identifier(name), Literal(_start_of(year, month + 1)), Literal(_start_of(year, month + 2))
                )
            )
        except (CheckViolation, DuplicateTable):
            continue  # it has facts elsewhere, or another engine was quicker
        made.append(name)
    return made


def months(connection: Connection[tuple[object, ...]]) -> Iterator[tuple[str, int]]:
    """The journal's months with the instant at which each ends, the oldest first."""
    rows = connection.execute(
        "SELECT relid::regclass::text FROM pg_partition_tree('journal') WHERE isleaf ORDER BY 1"
    ).fetchall()
    for (name,) in rows:
        parts = str(name).split("_")
        if len(parts) == 3:
            yield str(name), _start_of(int(parts[1]), int(parts[2]) + 1)


def drop_months(connection: Connection[tuple[object, ...]], before: int) -> list[str]:
    """Drops the months of the journal that end at ``before`` or earlier; returns their names.

    Engines go on meanwhile: a month is detached first, without waiting for those who read it.
    """
    dropped = []
    for name, end in list(months(connection)):
        if end <= before:
            connection.execute(SQL("ALTER TABLE journal DETACH PARTITION {}").format(Identifier(name)))
            connection.execute(SQL("DROP TABLE {}").format(Identifier(name)))
            dropped.append(name)
    return dropped


def _start_of(year: int, month: int) -> int:
    """The first instant of a month; the 13th is the next year's first."""
    year, month = (year + 1, 1) if month == 13 else (year, month)
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp()) * 1_000_000
