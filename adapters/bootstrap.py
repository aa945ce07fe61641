"""The composition root: settings in, a running node out.

A node is one process: a store, a broker, a clock, a policy that is read again when it changes, the engine that works
on them, and the doors through which others look in.
"""

import fcntl
import os
import sys
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Final

from adapters.letters import CODEC
from adapters.line_sink import LineSink
from adapters.logs import Log, bridge, in_one_line, open_log
from adapters.policy_folder import PolicyFolder
from adapters.profile_view import ProfileView, view_of
from adapters.settings import Settings, Unusable
from adapters.sqlite_file import StoreRefused
from adapters.sqlite_reader import SqliteReader
from adapters.sqlite_store import SqliteStore
from adapters.system_clock import SystemClock
from engine.engine import Engine, EngineSettings
from engine.ports import Clock
from engine.service import Service
from sim.broker import BrokerSink, MemoryBroker

if TYPE_CHECKING:
    from adapters.http_server import HttpServer

FORGETTING_SECONDS: Final = 3_600.0
LOOK_SECONDS: Final = 1.0
SAY_AGAIN_SECONDS: Final = 30.0
HTTP_STOP_SECONDS: Final = 4.0
ENGINE_STOP_SECONDS: Final = 9.0


class StoreLock:
    """One process at a time on a store: a lock that the system takes back from whoever dies."""

    def __init__(self, store: Path) -> None:
        """Raises `Unusable` where another process holds it, OSError where the folder cannot be written to."""
        self._file: Final = open(f"{store}.lock", "a+b")  # noqa: SIM115 (held for as long as the node lives)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.seek(0)
            who = self._file.read(20).decode("ascii", "replace").strip()
            self._file.close()
            raise Unusable(
                f"{store}: process {who or '?'} works on this store (stop it, or set another store)"
            ) from None
        self._file.truncate(0)
        self._file.write(b"%d\n" % os.getpid())
        self._file.flush()

    def release(self) -> None:
        """Lets others in. The file stays: removing it would let two processes lock two files of one name."""
        self._file.close()


class Node:
    """A node, as `open_node` has put it together. `start` it, then `stop` it; or use it as a context manager."""

    def __init__(
        self,
        settings: Settings,
        log: Log,
        lock: StoreLock,
        store: SqliteStore,
        reader: SqliteReader,
        policies: PolicyFolder,
        clock: Clock,
        sink: BrokerSink,
        limits: EngineSettings | None = None,
    ) -> None:
        self.settings: Final = settings
        self.log: Final = log
        self.store: Final = store
        self.reader: Final = reader
        self.sink: Final = sink
        self.policies: Final = policies
        self.clock: Final = clock
        self.broker: Final = MemoryBroker(sink)
        self.engine: Final = Engine(
            store,
            self.broker,
            clock,
            policies,
            CODEC,
            limits or EngineSettings(active_max=settings.active_max, hold_unknown_us=settings.hold_unknown),
        )
        self.service: Final = Service(self.engine, self.broker, clock, self._failed)
        self.http: HttpServer | None = None
        self._lock: Final = lock
        self._failures = 0
        self._said = ""
        self._say_again_at = 0.0
        self._stopping: Final = Event()
        self._housekeeper: Final = Thread(target=self._keep_house, name="housekeeping", daemon=True)

    def start(self) -> None:
        """Works from now on, in threads of its own; returns at once."""
        self.service.start()
        self.policies.start()
        self._housekeeper.start()
        if self.http is not None:
            self.http.start()
            self.log.info("HTTP answers", url=self.http.url)

    def wait(self, stopping: Event) -> None:
        """Returns when ``stopping`` is set, or when the engine has ended by itself."""
        while not stopping.wait(0.2) and self.service.failure is None:
            pass

    def stop(self) -> bool:
        """Answers what is under way, finishes what was begun, lets go of everything; False where that hangs.

        What waits in the broker is not worked any more: whoever offered it was not answered, and offers it again.
        """
        if self._stopping.is_set():
            return True
        self._stopping.set()
        ended = self.http is None or self.http.stop(HTTP_STOP_SECONDS)
        self.policies.stop()
        if self._housekeeper.is_alive():
            self._housekeeper.join(1)
        if not self.service.stop(ENGINE_STOP_SECONDS):
            return False
        self.reader.close()
        self.store.close()
        if isinstance(self.sink, LineSink):
            self.sink.close()
        self._lock.release()
        return ended

    def __enter__(self) -> "Node":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def is_working(self) -> bool:
        """Whether what is offered now will be worked: neither told to stop nor ended by itself."""
        return not self._stopping.is_set() and self.service.failure is None

    def offer(self, body: bytes, block: bool = False) -> "Future[None]":
        """Takes a body in; the future is done when it is durable. Raises `BrokerFull`, or waits."""
        return self.broker.offer(body, block)

    def failing(self) -> str | None:
        """Why the process is not worth keeping, in one line; None where it is."""
        if self.service.failure is not None:
            return f"the engine has ended: {type(self.service.failure).__name__}"
        return None

    def unready(self) -> str | None:
        """Why it cannot work events now, in one line; None where it can. Asks the store."""
        failing = self.failing()
        if failing is not None:
            return failing
        if self._stopping.is_set():
            return "stopping"
        if not self.service.is_ready:
            return "the engine begins"
        try:
            self.reader.wake_at("")
        except Exception as error:
            return f"the store does not answer: {type(error).__name__}"
        return None

    def profile(self, profile_id: str) -> ProfileView | None:
        """A profile as it is stored; None for one that is not known."""
        state = self.reader.state(profile_id)
        if state is None:
            return None
        return view_of(profile_id, state, self.policies.current(), self.clock.now())

    def blown(self) -> list[str]:
        """The breakers that hold commands back."""
        return sorted(self.engine.blown)

    def vote(self, breaker: str, actor: str, let_go: bool) -> None:
        """A head's voice on what a breaker holds. Raises `engine.engine.VoteRefused`."""
        self.engine.vote(breaker, actor, let_go)

    def _keep_house(self) -> None:
        """Tells of breakers that hold commands back; forgets ids of events that are too old to come again."""
        known: list[str] = []
        forget_at = 0.0
        while not self._stopping.wait(LOOK_SECONDS):
            blown = self.blown()
            for breaker in blown:
                if breaker not in known:
                    self.log.error("a breaker holds commands back until two heads have decided", breaker=breaker)
            for breaker in known:
                if breaker not in blown:
                    self.log.info("what a breaker held is decided", breaker=breaker)
            known = blown
            if monotonic() >= forget_at:
                forget_at = monotonic() + FORGETTING_SECONDS
                self._forget()

    def _forget(self) -> None:
        try:
            forgotten = self.store.forget(self.clock.now() - self.settings.ids_remembered)
        except Exception as failure:
            self.log.failure("old ids could not be forgotten", failure)
        else:
            self.log.debug("old ids are forgotten", ids=forgotten)

    def _failed(self, failure: BaseException) -> None:
        """A broken world fails with every turn: the same failure is told again after a while, and how often it came."""
        self._failures += 1
        said = in_one_line(failure)
        if said == self._said and monotonic() < self._say_again_at:
            return
        self._said, self._say_again_at = said, monotonic() + SAY_AGAIN_SECONDS
        self.log.failure("the engine begins again from the store", failure, times=self._failures)
        self._failures = 0


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
        bridge(log, settings.log_level)
    policies = PolicyFolder(settings.policy, log)
    with ExitStack() as undo:
        lock = StoreLock(settings.store_path)
        undo.callback(lock.release)
        store = _opened(settings)
        undo.callback(store.close)
        reader = SqliteReader(settings.store_path)
        undo.callback(reader.close)
        if sink is None:
            sink = LineSink(settings.out_file, sys.stdout.buffer)
        node = Node(settings, log, lock, store, reader, policies, clock or SystemClock(), sink, limits)
        node.http = _http(node)
        undo.pop_all()
    if settings.workers > 1:
        log.warn("one worker is all that SQLite takes", workers=settings.workers)
    if settings.out_batch > 1:
        log.warn("a JSON line holds one event: out.batch is for brokers", batch=settings.out_batch)
    return node


def migrate_store(settings: Settings) -> None:
    """Makes the store, or brings its schema up to this release. Raises `Unusable`."""
    lock = StoreLock(settings.store_path)
    try:
        _opened(settings).close()
    finally:
        lock.release()


def _opened(settings: Settings) -> SqliteStore:
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
        node.log.warn("HTTP has no sign-in: everyone who reaches it may post events", address=node.settings.http)
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
