"""The schema of a store in PostgreSQL: made and brought up to date by one process at a time, while engines work."""

from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic, sleep
from typing import Final, TypeVar

import psycopg
from psycopg.errors import LockNotAvailable
from sqlalchemy import URL, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from adapters.migrations import SchemaRefused, migrate
from adapters.part_urls import Server
from adapters.postgres_connection import Rows, conninfo
from adapters.postgres_partitions import drop_months, make_months_ahead, make_partitions, start_of
from adapters.schema import SERVES, VERSION

_LOCK: Final = 0x646D73
"""The advisory lock of whoever changes the schema: "dms"."""
_SERVING: Final = """
INSERT INTO meta (name, value) VALUES ('serves', %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value"""
_PATIENCE_SECONDS: Final = 120.0
_PAUSE_SECONDS: Final = 1.0
T = TypeVar("T")


def check(connection: Rows, shards: int | None = None) -> None:
    """Raises `SchemaRefused` unless the schema is one that this program works with, and has so many shards.

    That is its own, and a newer one that says that it serves engines of this release.
    """
    if connection.execute("SELECT to_regclass('alembic_version')").fetchone() == (None,):
        raise SchemaRefused("there is no store in it yet: run dms store migrate")
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    version = row[0] if row is not None else ""
    if version < VERSION:
        raise SchemaRefused(f"its schema is {version}, not {VERSION}: run dms store migrate")
    if version > VERSION and not _serves_us(connection):
        raise SchemaRefused(f"its schema is {version}, this version of dms knows up to {VERSION}: use a newer dms")
    if shards is not None:
        _check_shards(connection, shards)


def _serves_us(connection: Rows) -> bool:
    """Whether a schema that we do not know has only been added to since ours."""
    row = connection.execute("SELECT value FROM meta WHERE name = 'serves'").fetchone()
    return row is not None and row[0] <= int(VERSION)


def _check_shards(connection: Rows, shards: int) -> None:
    row = connection.execute("SELECT value FROM meta WHERE name = 'shards'").fetchone()
    if row is None or row[0] != shards:
        raise SchemaRefused(f"it has {row[0] if row else 'no'} shards, which cannot become {shards}")


def migrate_server(server: Server, shards: int, now: int) -> bool:
    """Makes the store of an empty database, or brings an older one up to date; whether there was anything to do.

    Engines of the version before go on working. A migration that would have them wait for long gives way and is tried
    again. Raises `SchemaRefused`, or what psycopg raises.
    """
    # No time limit on statements: a migration may have to go through a table.
    with psycopg.connect(conninfo(server), autocommit=True, options="-c lock_timeout=2s -c timezone=UTC") as alone:
        _patiently(lambda: alone.execute("SELECT pg_advisory_lock(%s)", (_LOCK,)))
        is_changed = _patiently(lambda: _migrated(server, shards))
        made = _patiently(lambda: make_months_ahead(alone, now))
    return is_changed or bool(made)


def _patiently(work: Callable[[], T]) -> T:
    """Does it again where a lock was not to be had, so that engines that wait behind us have their turn."""
    deadline = monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return work()
        except LockNotAvailable:
            if monotonic() > deadline:
                raise
            sleep(_PAUSE_SECONDS)
        except DBAPIError as error:
            # SQLAlchemy wraps what the driver raises.
            if not isinstance(error.orig, LockNotAvailable) or monotonic() > deadline:
                raise (error.orig or error) from None
            sleep(_PAUSE_SECONDS)


def trim_server(server: Server, now: int, keep_months: int) -> list[str]:
    """Drops the journal's months before the last ``keep_months`` whole ones; returns their names.

    Raises what psycopg raises, `SchemaRefused` for what is no store of this release.
    """
    at = datetime.fromtimestamp(now // 1_000_000, UTC)
    year, month = divmod(at.year * 12 + at.month - 1 - keep_months, 12)
    with psycopg.connect(conninfo(server), autocommit=True, options="-c lock_timeout=2s -c timezone=UTC") as alone:
        check(alone)
        return drop_months(alone, start_of(year, month + 1))


def _migrated(server: Server, shards: int) -> bool:
    def connect() -> Rows:
        return psycopg.connect(conninfo(server), options="-c lock_timeout=2s -c timezone=UTC")

    engine = create_engine(URL.create("postgresql+psycopg"), creator=connect, poolclass=NullPool, hide_parameters=True)
    with engine.begin() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        is_new = driver.execute("SELECT to_regclass('alembic_version')").fetchone() == (None,)
        is_changed = migrate(connection)
        if is_new:
            make_partitions(driver, shards)
            driver.execute("INSERT INTO meta (name, value) VALUES ('shards', %s)", (shards,))
            driver.execute(
                "INSERT INTO shards (shard, epoch) SELECT shard, 0 FROM generate_series(0, %s - 1) AS shard", (shards,)
            )
        driver.execute(_SERVING, (int(SERVES),))
        _check_shards(driver, shards)
    return is_changed
