"""Connections to PostgreSQL: made when they are needed, made anew when they are lost, and never waiting for ever."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import RLock
from typing import Any, Final

import psycopg
from psycopg.conninfo import make_conninfo

from adapters.part_urls import Server
from adapters.postgres_arrays import register

Rows = psycopg.Connection[tuple[Any, ...]]

_CONNECT_SECONDS: Final = 5
# Of a server that is there: one that does not answer at all is noticed by TCP.
_STATEMENT_SECONDS: Final = 30
_LOCK_SECONDS: Final = 10
# Whoever is frozen within a transaction must not keep others from taking over what is his.
_IDLE_SECONDS: Final = 5
_SILENCE_MS: Final = 15_000
# Rows come as columns of arrays: looking each up by its key is always right, whatever the planner thinks of their
# number, and planning once is enough.
PLANS: Final = "-c enable_hashjoin=off -c enable_mergejoin=off -c plan_cache_mode=force_generic_plan -c jit=off"


def conninfo(server: Server, tag: str = "") -> str:
    """What libpq wants to know; ``tag`` is shown by PostgreSQL's own tools, after the application's name."""
    options = dict(server.options)
    name = options.pop("application_name", "dms")
    password = server.password.reveal() if server.password is not None else None
    known: dict[str, Any] = {
        "host": server.host or None,
        "port": server.port,
        "dbname": server.name,
        "user": server.user,
        "password": password,
        "connect_timeout": _CONNECT_SECONDS,
        "application_name": f"{name[:40]} {tag}".strip(),
        "keepalives_idle": 5,
        "keepalives_interval": 3,
        "keepalives_count": 3,
        "tcp_user_timeout": _SILENCE_MS,
    }
    return make_conninfo(**{name: value for name, value in {**known, **options}.items() if value})


class PostgresLink:
    """One connection, for one caller at a time. What it raises ends it where it is lost; the next call makes another.

    ``options`` are settings of the session (``-c name=value``). Statements commit by themselves but within
    `transaction`.
    """

    def __init__(self, server: Server, options: str = "", tag: str = "") -> None:
        self.turn: Final = RLock()
        self._conninfo: Final = conninfo(server, tag)
        self._options: Final = (
            f"-c statement_timeout={_STATEMENT_SECONDS}s -c lock_timeout={_LOCK_SECONDS}s -c synchronous_commit=on "
            f"-c idle_in_transaction_session_timeout={_IDLE_SECONDS}s -c timezone=UTC {options}"
        )
        self._connection: Rows | None = None

    @contextmanager
    def use(self) -> Iterator[Rows]:
        """The connection, alone; raises `psycopg.Error`."""
        with self.turn:
            connection = self._connection
            if connection is None or connection.closed:
                connection = self._connection = psycopg.connect(
                    self._conninfo, options=self._options, autocommit=True, prepare_threshold=2
                )
                register(connection)
            try:
                yield connection
            except BaseException:
                if connection.broken or connection.closed:
                    self._drop()
                raise

    @contextmanager
    def transaction(self) -> Iterator[Rows]:
        """All of it, or nothing and the exception. An answer that is lost leaves open which.

        Statements are sent without waiting for each other's answers, until one is asked for.
        """
        with self.use() as connection:
            try:
                with connection.pipeline(), connection.transaction():
                    yield connection
            except (psycopg.OperationalError, psycopg.InterfaceError):
                self._drop()  # nobody knows in what state it is
                raise

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What a query finds."""
        with self.use() as connection:
            return connection.execute(query, values or None, binary=True).fetchall()

    def close(self) -> None:
        """Ends the connection."""
        with self.turn:
            self._drop()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):
                connection.close()


def said_by_database(error: psycopg.Error) -> str:
    """What PostgreSQL said, without the values that it puts into details."""
    said = error.diag.message_primary or (str(error).splitlines() or [""])[0]
    return " ".join(said.split())
