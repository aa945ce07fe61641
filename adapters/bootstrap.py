"""The composition root: settings in, a node out, with its parts opened in their order and closed in the reverse."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from adapters.health import Component
from adapters.line_sink import LineSink
from adapters.live_settings import LiveSettings
from adapters.local_members import LocalCoordination, SoloCoordination, members_folder
from adapters.logs import Log, bridge, open_log
from adapters.node import Node, Parts
from adapters.policy_folder import PolicyFolder
from adapters.published import CONFIG, CONNECT_SECONDS, POLICY, folder_shelf, kept_policy, shelf_in
from adapters.published_policies import PublishedPolicies
from adapters.settings import Settings, Unusable, runtime_folder
from adapters.shelf import Shelf
from adapters.sqlite_file import StoreRefused
from adapters.sqlite_reader import SqliteReader
from adapters.sqlite_store import SqliteStore
from adapters.store_lock import StoreLock
from adapters.system_clock import SystemClock
from domain.calendar import SECOND
from engine.engine import EngineSettings
from engine.ports import Clock, Store
from sim.broker import BrokerSink, MemoryBroker

if TYPE_CHECKING:
    from adapters.http_server import HttpServer
    from adapters.postgres_reader import PostgresReader
    from adapters.rabbit_broker import RabbitBroker
    from adapters.zookeeper_session import ZooKeeperSession

BROKER_SECONDS: Final = 3.0
"""So long a node waits for RabbitMQ before it starts without, and goes on trying."""


def open_node(
    settings: Settings,
    *,
    log: Log | None = None,
    sink: BrokerSink | None = None,
    clock: Clock | None = None,
    limits: EngineSettings | None = None,
) -> Node:
    """A node that has not started yet. ``sink`` takes what leaves the in-process broker, instead of ``out.file`` or the
    standard output; ``limits`` are the engine's, instead of those in the settings.

    Raises `Unusable`, `PolicyError`, or OSError; then nothing is left open.
    """
    if log is None:
        log = open_log(settings.log_level, settings.log_format)
        bridge(log)
    with ExitStack() as undo:
        parts = Parts(clock=clock or SystemClock(), closing=undo)
        session = _zookeeper(settings, log, parts)
        _open_policies(settings, log, session, parts)
        _open_store(settings, log, session, parts)
        rabbit = _open_broker(settings, log, sink, parts)
        node = Node(settings, log, parts, limits)
        live = LiveSettings(_shelf(settings, session, CONFIG), settings, log)
        live.listen(lambda changed: _follow(node, rabbit, changed))
        parts.beside.append(live)
        node.http = _http(node)
        parts.closing = undo.pop_all()
    return node


def _follow(node: Node, rabbit: "RabbitBroker | None", settings: Settings) -> None:
    """What is published holds from now on."""
    if settings.log_level != node.settings.log_level:  # or what somebody has asked of this process alone stays
        node.log.set_level(settings.log_level)
    node.settings = settings
    node.engine.limit(settings.active_max, settings.hold_unknown)
    if rabbit is not None:
        rabbit.out_batch = settings.out_batch


def _zookeeper(settings: Settings, log: Log, parts: Parts) -> "ZooKeeperSession | None":
    if settings.coordination_kind != "zookeeper":
        return None
    from adapters.zookeeper_session import ZooKeeperSession

    session = ZooKeeperSession(settings.ensemble, log, settings.session / SECOND)
    session.start()
    parts.closing.callback(session.close)
    if not session.wait(CONNECT_SECONDS):
        log.warn("ZooKeeper does not answer: what was published last holds", zookeeper=str(settings.ensemble))
    silent = f"{settings.ensemble} does not answer"
    # Work goes on without it, under the store's leases.
    parts.components.append(Component("zookeeper", lambda: None if session.is_connected else silent, is_needed=False))
    return session


def _shelf(settings: Settings, session: "ZooKeeperSession | None", what: str) -> Shelf:
    return shelf_in(session, what) if session is not None else folder_shelf(settings, what)


def _open_policies(settings: Settings, log: Log, session: "ZooKeeperSession | None", parts: Parts) -> None:
    if settings.policy_kind == "published":
        policies: PublishedPolicies | PolicyFolder = PublishedPolicies(
            _shelf(settings, session, POLICY), kept_policy(settings), log
        )
    else:
        policies = PolicyFolder(settings.policy, log)
    parts.policies = policies
    parts.beside.append(policies)


def _open_store(settings: Settings, log: Log, session: "ZooKeeperSession | None", parts: Parts) -> None:
    """The store, and who shares it."""
    if settings.store_kind == "sqlite":
        _open_sqlite(settings, parts)
    else:
        _open_postgresql(settings, parts)
    if settings.store_kind == "sqlite" or settings.broker_kind == "memory":
        # A file, or a broker of one's own: nobody else could work what comes here.
        parts.coordination = SoloCoordination(parts.store.shards)
    elif session is not None:
        from adapters.zookeeper_members import ZooKeeperCoordination

        parts.coordination = ZooKeeperCoordination(session, settings.node_name(), parts.store.shards, log, _version())
    else:
        folder = members_folder(runtime_folder(), settings.store)
        parts.coordination = LocalCoordination(folder, settings.node_name(), parts.store.shards, log)


def _open_sqlite(settings: Settings, parts: Parts) -> None:
    lock = StoreLock(settings.store_path)
    parts.closing.callback(lock.close)
    store = _sqlite(settings)
    parts.closing.callback(store.close)
    reader = SqliteReader(settings.store_path)
    parts.closing.callback(reader.close)
    parts.store, parts.reader, parts.quarantined = store, reader, reader.quarantine_size
    parts.components.append(Component("sqlite", lambda: _asked(reader)))


def _open_postgresql(settings: Settings, parts: Parts) -> None:
    from adapters.postgres_reader import PostgresReader
    from adapters.postgres_store import PostgresStore

    # Each life is an owner of its own: one that was frozen must not find its shards still its own.
    owner = f"{settings.node_name()}/{token_hex(4)}"
    with _postgresql(settings):
        store = PostgresStore(settings.store_server, owner, settings.shards, settings.lease)
        parts.closing.callback(store.close)
        reader = PostgresReader(settings.store_server)
    parts.closing.callback(reader.close)
    parts.store, parts.reader, parts.quarantined = store, reader, reader.quarantine_size
    parts.components.append(Component("postgresql", lambda: _asked(reader)))


@contextmanager
def _postgresql(settings: Settings) -> Iterator[None]:
    """What goes wrong before there is anything to work with, in one line."""
    from psycopg import Error

    from adapters.migrations import SchemaRefused
    from adapters.postgres_connection import said_by_database

    try:
        yield
    except SchemaRefused as refused:
        raise Unusable(f"{settings.store}: {refused}") from None
    except Error as error:
        raise Unusable(f"{settings.store}: {said_by_database(error)}") from None


def _asked(reader: "SqliteReader | PostgresReader") -> None:
    """Raises where the store does not answer."""
    reader.wake_at("")


def _open_broker(settings: Settings, log: Log, sink: BrokerSink | None, parts: Parts) -> "RabbitBroker | None":
    if settings.broker_kind == "amqp":
        return _open_rabbitmq(settings, log, parts)
    if settings.out_batch > 1:
        log.warn("a JSON line holds one event: out.batch is for brokers", batch=settings.out_batch)
    if sink is None:
        lines = LineSink(settings.out_file, sys.stdout.buffer)
        parts.closing.callback(lines.close)
        sink = lines
    broker = MemoryBroker(sink)
    parts.broker, parts.mailbox, parts.sink = broker, broker, sink
    return None


def _open_rabbitmq(settings: Settings, log: Log, parts: Parts) -> "RabbitBroker":
    from adapters.forwarding import ForwardingMailbox
    from adapters.rabbit_broker import RabbitBroker
    from adapters.rabbit_link import RabbitAddress, RabbitUnavailable
    from adapters.rabbit_log import RabbitLog
    from adapters.rabbit_splitter import Splitter

    if settings.out_file is not None:
        log.warn("what leaves goes to RabbitMQ: out.file is for the in-process broker", file=str(settings.out_file))
    server, shards, watch = settings.broker_server, parts.store.shards, RabbitLog(log)
    host = f"[{server.host}]" if ":" in server.host else server.host
    address = RabbitAddress(
        url=f"{server.scheme}://{host}:{server.port}/{quote(server.name, safe='')}",
        user=server.user,
        password=server.password.reveal() if server.password is not None else None,
    )
    broker = RabbitBroker(address, shards, out_batch=settings.out_batch, watch=watch)
    parts.closing.callback(broker.disconnect)
    try:
        broker.start(BROKER_SECONDS)
    except RabbitUnavailable as failure:
        log.failure("no RabbitMQ yet", failure)
    mailbox = ForwardingMailbox(broker, shards)
    splitter = Splitter(
        address, shards, watch=watch, on_failure=lambda failure: log.failure("the open door stands still", failure)
    )
    parts.broker, parts.mailbox = broker, mailbox
    parts.beside += [mailbox, splitter]
    parts.dead_letters = lambda: mailbox.dead_letters + splitter.dead_letters
    parts.components.append(Component("rabbitmq", lambda: _trouble_of(broker)))
    return broker


def _trouble_of(broker: "RabbitBroker") -> str | None:
    if not broker.is_connected:
        return "no connection"
    return "takes nothing in: its memory or its disk is full" if broker.is_blocked else None


def _version() -> str:
    from importlib.metadata import version

    return version("dms")


def migrate_store(settings: Settings) -> None:
    """Makes the store, or brings its schema up to this release. Raises `Unusable`."""
    if settings.store_kind == "postgresql":
        from adapters.postgres_schema import migrate_server

        with _postgresql(settings):
            migrate_server(settings.store_server, settings.shards, SystemClock().now())
        return
    lock = StoreLock(settings.store_path)
    try:
        _sqlite(settings).close()
    finally:
        lock.close()


@contextmanager
def open_idle_store(settings: Settings) -> Iterator[Store]:
    """The store as an engine has it, for a command that takes its shards. Raises `Unusable` where there is none, or
    where a process works on a SQLite file."""
    if settings.store_kind == "postgresql":
        from adapters.postgres_store import PostgresStore

        owner = f"{settings.node_name()}/{token_hex(4)}"
        with _postgresql(settings):
            shared = PostgresStore(settings.store_server, owner, settings.shards, settings.lease)
            with closing(shared):
                yield shared
        return
    with closing(StoreLock(_existing(settings.store_path))), closing(_sqlite(settings)) as store:
        yield store


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise Unusable(f"{path}: no such store (dms run makes one; --config or DMS_STORE says where)")
    return path


def verify_store(settings: Settings, quick: bool = False) -> tuple[list[str], Mapping[str, int]]:
    """What does not hold in the stored data, a line each, and its rows by table, at one moment. ``quick``: as far as
    SQL can tell. Raises `Unusable`."""
    from adapters.verify import listed, verify

    with open_reader(settings) as reader, reader.standing_still():
        if isinstance(reader, SqliteReader):
            if quick:
                raise Unusable("a SQLite file is checked as a whole: leave out --quick")
            return verify(reader), reader.counts()
        from adapters.postgres_audit import ReadAhead, quick_findings

        with _postgresql(settings):
            is_trimmed = reader.journal_begins() > 0
            found = listed(quick_findings(reader)) if quick else verify(ReadAhead(reader), is_trimmed=is_trimmed)
            return found, reader.counts()


def trim_store(settings: Settings, keep_months: int) -> list[str]:
    """Drops the months of the journal before the last ``keep_months``; their names. Raises `Unusable`."""
    if settings.store_kind != "postgresql":
        raise Unusable("a SQLite file has its journal in one piece: this is for PostgreSQL")
    from adapters.postgres_schema import trim_server

    with _postgresql(settings):
        return trim_server(settings.store_server, SystemClock().now(), keep_months)


def _sqlite(settings: Settings) -> SqliteStore:
    try:
        return SqliteStore(settings.store_path, shards=settings.shards)
    except StoreRefused as refused:
        raise Unusable(str(refused)) from None


def _http(node: Node) -> "HttpServer | None":
    address = node.settings.http_address
    if address is None:
        return None
    # Half a second of imports, which a node without HTTP is spared.
    from adapters.http_server import HttpServer, is_loopback

    if not is_loopback(address[0]):
        node.log.warn("HTTP has no sign-in: everyone who reaches it may post events", http=node.settings.http)
    return HttpServer(address, node, node.log)


@contextmanager
def open_reader(settings: Settings) -> "Iterator[SqliteReader | PostgresReader]":
    """The store to look at, also beside a node that works on it. Raises `Unusable` where there is none."""
    if settings.store_kind == "postgresql":
        from adapters.postgres_reader import PostgresReader

        with _postgresql(settings):
            shared = PostgresReader(settings.store_server)
        with closing(shared):
            yield shared
        return
    try:
        reader = SqliteReader(_existing(settings.store_path))
    except StoreRefused as refused:
        raise Unusable(str(refused)) from None
    try:
        yield reader
    finally:
        reader.close()
