"""Databases on a PostgreSQL server that runs already: one for each test, copied from one with a store in it."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from time import time_ns

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from adapters.part_urls import Server, read_postgresql
from adapters.postgres_schema import migrate_server
from tests.services.missing import missing

_DEFAULT = "postgresql://postgres@127.0.0.1:5432/postgres"


_TABLES = ("inbox", "profiles", "journal", "timers", "outbox", "held", "quarantine", "desks", "owners")


def server_url() -> str:
    """Where the tests' PostgreSQL is: ``DMS_TEST_POSTGRES``, or the usual port on this machine."""
    return os.environ.get("DMS_TEST_POSTGRES", _DEFAULT)


class Databases:
    """A stock of databases; each new one is a copy of a store that was made once."""

    def __init__(self, admin: "psycopg.Connection[tuple[object, ...]]", shards: int) -> None:
        self._admin = admin
        self._made: list[str] = []
        self._free: list[str] = []
        self._template = self.empty()
        migrate_server(self.server(self._template), shards, time_ns() // 1_000)

    def empty(self) -> str:
        """The name of a database in which nothing is."""
        name = f"dms_test_{uuid.uuid4().hex[:12]}"
        self._admin.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        self._made.append(name)
        return name

    def store(self) -> str:
        """The name of a database with an empty store: one that was given back, or a new one."""
        if self._free:
            return self._free.pop()
        name = f"dms_test_{uuid.uuid4().hex[:12]}"
        self._admin.execute(SQL("CREATE DATABASE {} TEMPLATE {}").format(Identifier(name), Identifier(self._template)))
        self._made.append(name)
        return name

    def copy(self, name: str) -> str:
        """The name of a database that is as this one is now; nobody may be connected to it."""
        copied = f"dms_test_{uuid.uuid4().hex[:12]}"
        self._admin.execute(SQL("CREATE DATABASE {} TEMPLATE {}").format(Identifier(copied), Identifier(name)))
        self._made.append(copied)
        return copied

    def give_back(self, name: str) -> None:
        """Empties a store for whoever comes next: dropping a database takes the server a second."""
        with psycopg.connect(self.url(name)) as connection:
            connection.execute("SET LOCAL synchronous_commit = off")
            for table in _TABLES:
                connection.execute(SQL("DELETE FROM {}").format(Identifier(table)))
            connection.execute("UPDATE shards SET owner = NULL, epoch = 0")
        self._free.append(name)

    def drop(self, name: str) -> None:
        """Drops one of them, whoever is connected."""
        self._made.remove(name)
        self._admin.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(name)))

    def close(self) -> None:
        """Drops all that are left."""
        for name in list(self._made):
            self.drop(name)

    def url(self, name: str) -> str:
        """Of a database."""
        return f"{server_url().rpartition('/')[0]}/{name}"

    def server(self, name: str) -> Server:
        """The same, read."""
        return read_postgresql(self.url(name))


@contextmanager
def databases(shards: int = 64) -> Iterator[Databases]:
    """A stock of databases that is cleared away afterwards. Skips, or fails in CI, without a server."""
    try:
        admin = psycopg.connect(server_url(), autocommit=True, connect_timeout=5)
    except psycopg.OperationalError:
        missing("no PostgreSQL runs here")
    with admin:
        stock = Databases(admin, shards)
        try:
            yield stock
        finally:
            stock.close()


@pytest.fixture(scope="session")
def stock() -> Iterator[Databases]:
    with databases() as stock:
        yield stock
