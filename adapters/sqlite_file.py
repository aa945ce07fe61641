"""A store's SQLite file: how it is opened, and what is refused."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import NullPool

from adapters.migrations import SchemaRefused, migrate, schema_version
from adapters.schema import VERSION

_PATIENCE_SECONDS: Final = 30
_CACHE_KIB: Final = 64 * 1024
# The log is folded into the file every 40 MB. At SQLite's 4 MB a third of the commits of 1,000 profiles would wait
# for that: 17,000 rows/s instead of 26,000.
_CHECKPOINT_PAGES: Final = 10_000
_AT_ONCE: Final = 250


class StoreRefused(Exception):
    """The file cannot be used as a store; the message is one line that says what to do."""


def path_of(where: str | os.PathLike[str]) -> Path:
    """The file of ``sqlite:///dms.db``, or of a plain path. Raises `StoreRefused`."""
    if not isinstance(where, str) or "://" not in where:
        return Path(where)
    url = make_url(where)
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        raise StoreRefused(f"{where}: name a file, as in sqlite:///dms.db")
    return Path(url.database)


def engine_of(path: Path, *, writes: bool) -> Engine:
    """An engine over the file, each of whose connections is set up for durable commits beside readers."""
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        poolclass=NullPool,
        # Transactions begin when we say so, not when the driver guesses.
        connect_args={"check_same_thread": False, "isolation_level": None, "timeout": _PATIENCE_SECONDS},
    )

    def set_up(connection: sqlite3.Connection, _record: object) -> None:
        if writes:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        else:
            connection.execute("PRAGMA query_only = ON")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")

    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    event.listen(engine, "connect", set_up)
    event.listen(engine, "begin", begin)
    return engine


def prepare(engine: Engine, path: Path) -> None:
    """Makes the tables of a new file, brings an older one up to date. Raises `StoreRefused`."""
    with _refusals(path), engine.begin() as connection:
        migrate(connection)


def check(engine: Engine, path: Path) -> None:
    """Raises `StoreRefused` unless the file's schema is the one that this program reads."""
    if not path.exists():
        raise StoreRefused(f"{path}: there is no such file")
    with _refusals(path), engine.connect() as connection:
        version = schema_version(connection)
    if version is None:
        raise StoreRefused(f"{path}: there is no store in it yet")
    if version < VERSION:
        raise StoreRefused(f"{path}: its schema is {version}, not {VERSION}: run dms store migrate")
    if version > VERSION:
        raise StoreRefused(f"{path}: its schema is {version}, this version of dms knows up to {VERSION}")


@contextmanager
def _refusals(path: Path) -> Iterator[None]:
    try:
        yield
    except SchemaRefused as refusal:
        raise StoreRefused(f"{path}: {refusal}") from None
    except DatabaseError as error:
        raise StoreRefused(f"{path}: {error.orig}") from error


def driver_connection(engine: Engine) -> sqlite3.Connection:
    """A connection of the driver, set up like all of the engine's; who asks closes it.

    `executemany` on it takes 1.0 µs a row beside SQLite's own work, SQLAlchemy's Core 6.
    """
    connection = engine.raw_connection()
    driver = cast(sqlite3.Connection, connection.driver_connection)
    connection.detach()
    return driver


def select_in(connection: sqlite3.Connection, sql: str, keys: Sequence[str], *before: str) -> Iterator[tuple[Any, ...]]:
    """The rows of ``sql`` for all keys, where ``{keys}`` stands for a list of them.

    In portions of a fixed size, so that SQLite has to prepare two statements and not one for each number of keys.
    """
    position = 0
    while position < len(keys):
        size = _AT_ONCE if len(keys) - position > 8 else 8
        some = list(keys[position : position + size])
        position += size
        some.extend([some[-1]] * (size - len(some)))
        yield from connection.execute(sql.format(keys=",".join("?" * size)), (*before, *some))
