"""The composition root: settings in, a node out, with its parts opened in their order and closed in the reverse."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from adapters.health import Component
from adapters.line_sink import LineSink
from adapters.logs import Log, bridge, open_log
from adapters.node import Node, Parts
from adapters.policy_folder import PolicyFolder
from adapters.settings import Settings, Unusable
from adapters.sqlite_file import StoreRefused
from adapters.sqlite_reader import SqliteReader
from adapters.sqlite_store import SqliteStore
from adapters.store_lock import StoreLock
from adapters.system_clock import SystemClock
from engine.engine import EngineSettings
from engine.ports import Clock
from sim.broker import BrokerSink, MemoryBroker

if TYPE_CHECKING:
    from adapters.http_server import HttpServer


def open_node(
    settings: Settings,
    *,
    log: Log | None = None,
    sink: BrokerSink | None = None,
    clock: Clock | None = None,
    limits: EngineSettings | None = None,
) -> Node:
    """A node that has not started yet. ``sink`` takes what leaves (``out.file`` or the standard output).

    ``limits`` are the engine's, instead of those in the settings.

    Raises `Unusable`, `PolicyError`, or OSError; then nothing is left open.
    """
    if log is None:
        log = open_log(settings.log_level, settings.log_format)
        bridge(log)
    with ExitStack() as undo:
        parts = _embedded(settings, log, sink, clock or SystemClock(), undo)
        node = Node(settings, log, parts, limits)
        node.http = _http(node)
        parts.closing = undo.pop_all()
    return node


def _embedded(settings: Settings, log: Log, sink: BrokerSink | None, clock: Clock, undo: ExitStack) -> Parts:
    """A SQLite file and an in-process broker: one process, which nobody shares anything with."""
    if settings.workers > 1:
        log.warn("one worker is all that SQLite takes", workers=settings.workers)
    if settings.out_batch > 1:
        log.warn("a JSON line holds one event: out.batch is for brokers", batch=settings.out_batch)
    policies = PolicyFolder(settings.policy, log)
    lock = StoreLock(settings.store_path)
    undo.callback(lock.release)
    if sink is None:
        sink = LineSink(settings.out_file, sys.stdout.buffer)
        undo.callback(sink.close)
    store = _sqlite(settings)
    undo.callback(store.close)
    reader = SqliteReader(settings.store_path)
    undo.callback(reader.close)
    broker = MemoryBroker(sink)
    return Parts(
        store=store,
        reader=reader,
        broker=broker,
        mailbox=broker,
        policies=policies,
        clock=clock,
        sink=sink,
        beside=[policies],
        quarantined=reader.quarantine_size,
        components=[Component("sqlite", lambda: _asked(reader))],
    )


def _asked(reader: SqliteReader) -> None:
    """Raises where the store does not answer."""
    reader.wake_at("")


def migrate_store(settings: Settings) -> None:
    """Makes the store, or brings its schema up to this release. Raises `Unusable`."""
    lock = StoreLock(settings.store_path)
    try:
        _sqlite(settings).close()
    finally:
        lock.release()


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
def open_reader(settings: Settings) -> Iterator[SqliteReader]:
    """The store to look at, also beside a node that works on it. Raises `Unusable` where there is none."""
    path = settings.store_path
    if not path.is_file():
        raise Unusable(f"{path}: no such store (dms run makes one; --config or DMS_STORE says where)")
    try:
        reader = SqliteReader(path)
    except StoreRefused as refused:
        raise Unusable(str(refused)) from None
    try:
        yield reader
    finally:
        reader.close()
