"""Connections to PostgreSQL: made when they are needed, made anew when they are lost, and never waiting for ever.

The server ends statements that take too long, and transactions whose client has fallen silent. A server that has fallen
silent itself is noticed by TCP, and one behind something that answers in its place and swallows what is sent (a proxy,
say) by a watch of our own, which cuts the connection.

What PostgreSQL says of a failure may quote the row at hand. Errors leave this module with their first line only.
"""

import socket
from collections.abc import Generator, Iterator
from contextlib import contextmanager, nullcontext, suppress
from os import dup
from select import POLLIN, poll
from threading import Event, Lock, RLock, Thread
from time import monotonic
from typing import Any, Final

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.pq import TransactionStatus
from psycopg.waiting import Ready, Wait

from adapters.part_urls import Server
from adapters.postgres_arrays import register

Rows = psycopg.Connection[tuple[Any, ...]]

_CONNECT_SECONDS: Final = 5
# Of a server that is there: one that does not answer at all is noticed by TCP.
_STATEMENT_SECONDS: Final = 15
_LOCK_SECONDS: Final = 10
CUT_SECONDS: Final = 20.0
"""After so long without an answer our side cuts the connection: later than a server that lives ends the statement."""
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


class _Connection(psycopg.Connection[tuple[Any, ...]]):
    """In a pipeline psycopg waits for answers while libpq may still hold bytes of the last statements, more than the
    sockets' buffers take: the server waits for them, and both would wait for ever."""

    def execute(self, *args: Any, **kwargs: Any) -> psycopg.Cursor[tuple[Any, ...]]:
        """As psycopg's; when it returns, all of the statement is on its way."""
        cursor = super().execute(*args, **kwargs)
        if self.pgconn.flush():
            self.wait(self._send_rest())
        return cursor

    def _send_rest(self) -> Generator[Wait, Ready | int, None]:
        while self.pgconn.flush():
            if (yield Wait.RW) & Ready.R:
                self.pgconn.consume_input()


class Watch:
    """Cuts connections on which an answer is waited for too long. One thread for all that it watches."""

    def __init__(self, patience_seconds: float = CUT_SECONDS) -> None:
        self._patience: Final = patience_seconds
        self._lock: Final = Lock()
        self._waiting: Final[dict[object, tuple[float, Rows]]] = {}
        self._closing: Final = Event()
        self._thread: Final = Thread(target=self._look, name="postgresql watch", daemon=True)
        self._thread.start()

    @contextmanager
    def over(self, connection: Rows) -> Iterator[None]:
        """What is done within must not take longer than the patience."""
        key = object()
        self._waiting[key] = (monotonic() + self._patience, connection)
        try:
            yield
        finally:
            # Not while it is being cut: the number of its socket may be another's soon.
            with self._lock:
                del self._waiting[key]

    def close(self) -> None:
        """Watches no longer."""
        self._closing.set()
        self._thread.join(1)

    def _look(self) -> None:
        while not self._closing.wait(min(1.0, self._patience / 4)):
            with self._lock:
                for deadline, connection in list(self._waiting.values()):
                    if deadline < monotonic():
                        _cut(connection)


def _has_ended(connection: Rows) -> bool:
    """Whether the server has something to say while nobody has asked it: that it ends the connection."""
    wire = poll()
    wire.register(connection.fileno(), POLLIN)
    return bool(wire.poll(0))


def _cut(connection: Rows) -> None:
    with suppress(psycopg.Error, OSError), socket.socket(fileno=dup(connection.fileno())) as wire:
        wire.shutdown(socket.SHUT_RDWR)


class PostgresLink:
    """One connection, for one caller at a time. What it raises ends it where it is lost; the next call makes another.

    ``options`` are settings of the session (``-c name=value``). Statements commit by themselves but within
    `transaction`.
    """

    def __init__(self, server: Server, options: str = "", tag: str = "", watch: Watch | None = None) -> None:
        """``tag`` is what others find the connection by (`conninfo`). Without a ``watch`` an answer may take as long as
        the session's settings allow."""
        self.turn: Final = RLock()
        self._watch: Final = watch
        self._conninfo: Final = conninfo(server, tag)
        self._options: Final = (
            f"-c statement_timeout={_STATEMENT_SECONDS}s -c lock_timeout={_LOCK_SECONDS}s -c synchronous_commit=on "
            f"-c idle_in_transaction_session_timeout={_IDLE_SECONDS}s -c timezone=UTC {options}"
        )
        self._connection: Rows | None = None

    @contextmanager
    def use(self) -> Iterator[Rows]:
        """The connection, alone; raises `psycopg.Error` without the data that it went wrong with."""
        with self.turn:
            try:
                connection = self._live()
                with self._watch.over(connection) if self._watch is not None else nullcontext():
                    yield connection
            except psycopg.Error as error:
                raise without_details(error) from None
            finally:
                if self._connection is not None and (self._connection.broken or self._connection.closed):
                    self._drop()

    def _live(self) -> Rows:
        connection = self._connection
        # Within a transaction of our own it may well have something to say.
        is_asked = connection is not None and connection.pgconn.transaction_status != TransactionStatus.IDLE
        if connection is None or connection.closed or (not is_asked and _has_ended(connection)):
            self._drop()
            connection = self._connection = _Connection.connect(
                self._conninfo, options=self._options, autocommit=True, prepare_threshold=2
            )
            register(connection)
        return connection

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


def without_details(error: psycopg.Error) -> psycopg.Error:
    """The same failure in one line, without the values that PostgreSQL puts into its details."""
    return type(error)(said_by_database(error))


def said_by_database(error: psycopg.Error) -> str:
    """What PostgreSQL said, without the values that it puts into details."""
    said = error.diag.message_primary or (str(error).splitlines() or [""])[0]
    return " ".join(said.split())
