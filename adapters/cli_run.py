"""`dms run`: the production engine, until it is told to stop."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Condition, Event, Thread
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

from cyclopts import Parameter

from adapters.cli import FAILED, FINE, STANDARD, Failure, WrongUse, explain, file_named

if TYPE_CHECKING:
    from concurrent.futures import Future

    from adapters.logs import Log
    from adapters.node import Node
    from adapters.settings import Settings

UNDER_WAY_BYTES_MAX: Final = 64 << 20


def run(
    *,
    config: Annotated[Path | None, Parameter(help="The settings, a TOML file.")] = None,
    workers: Annotated[int | None, Parameter(help="How many processes work at once.")] = None,
    input: Annotated[str | None, Parameter(help="Events to take in, JSON lines; - for standard input.")] = None,
) -> int:
    """Run the production engine: take events in, work them, send commands, serve HTTP.

    Without settings: a SQLite file dms.db, an in-process broker, the packaged policy, HTTP on 127.0.0.1:8080. What
    leaves is written to standard output as JSON lines, the log to standard error. With --input, the events of the file
    are fed in order; then it goes on serving. With --workers, so many processes share the work, each with HTTP on a
    port of its own, one above the other: for a store in PostgreSQL and events from RabbitMQ. SIGTERM or Ctrl-C end it
    within 15 seconds, and nothing is lost; a second one ends it at once. SIGUSR1 and SIGUSR2 have more or less logged.

    For example:

        dms run --config dms.toml --input events.jsonl > commands.jsonl
    """
    from adapters.json_lines import opened
    from adapters.settings import load_settings

    settings = load_settings(config, {"workers": workers})
    file = file_named(input) if input is not None else None
    if file is not None and file != STANDARD and not _is_pipe(file):
        with opened(file):  # better known now than in a thread
            pass
    if settings.workers > 1:
        return _run_workers(settings, file)
    return serve(settings, file)


def _run_workers(settings: "Settings", file: str | None) -> int:
    from adapters.logs import open_log
    from adapters.policy_files import load_policy
    from adapters.workers import Workers

    if settings.store_kind != "postgresql" or settings.broker_kind != "amqp":
        raise WrongUse(
            f"workers = {settings.workers} needs what processes can share: a store in PostgreSQL, and RabbitMQ"
        )
    if file is not None:
        raise WrongUse("--input feeds one process: without --workers, or by POST /api/v1/events")
    if settings.policy_kind == "files":
        load_policy(settings.policy)  # better told once than by every worker
    log = open_log(settings.log_level, settings.log_format)
    stopping = Event()
    workers = Workers(settings, work, log)
    with _told_to_stop(stopping), _told_how_much_to_log(log, workers.signal):
        stopped = workers.run(stopping)
    _leave(FINE if stopped else FAILED)


def work(settings: "Settings") -> int:
    """The life of one worker; its exit status."""
    try:
        return serve(settings, None)
    except Exception as error:
        return explain("run", error)


def serve(settings: "Settings", file: str | None) -> int:
    """Runs a node until it is told to stop; does not return where that goes well. ``file`` is fed to it."""
    from adapters.bootstrap import open_node  # half a second, which a mistake above need not wait for
    from adapters.collector import collected_in_passing
    from adapters.json_lines import InputError

    node = open_node(settings)
    stopping = Event()
    gone = _when_nobody_reads(node, stopping)
    feeder = Feeder(node, file) if file is not None else None
    with _told_to_stop(stopping), _told_how_much_to_log(node.log), collected_in_passing():
        node.start()
        if feeder is not None:
            feeder.start()
        node.log.info("working", store=settings.store, policy=str(settings.policy))
        node.wait(stopping)
        node.log.info("stopping")
        stopped = node.stop()
    if not stopped:
        node.log.error("something hangs: ended without waiting for it")
        _leave(FAILED)
    node.log.info("stopped")
    if gone.is_set():
        raise Failure("nobody reads the standard output any more, and what leaves has nowhere to go")
    if node.service.failure is not None:
        raise Failure("the engine gave up; the log says why")
    if feeder is not None and isinstance(feeder.failure, InputError):
        raise feeder.failure
    _leave(FINE)


def _when_nobody_reads(node: "Node", stopping: Event) -> Event:
    """Stops where what leaves goes to a closed pipe. It stays in the store, and leaves when there is a reader again."""
    from adapters.line_sink import LineSink

    gone = Event()

    def stop() -> None:
        gone.set()
        stopping.set()

    if isinstance(node.sink, LineSink):
        node.sink.on_gone = stop
    return gone


class Budget:
    """Bytes that may be under way at once: lines may be long, and the broker counts bodies only."""

    def __init__(self, most: int) -> None:
        self._most: Final = most
        self._changed: Final = Condition()
        self._taken = 0

    def take(self, size: int, wanted: Callable[[], bool]) -> bool:
        """Waits until there is room, which there always is for one; False as soon as it is not ``wanted`` any more."""
        with self._changed:
            while self._taken and self._taken + size > self._most:
                if not wanted():
                    return False
                self._changed.wait(0.2)
            self._taken += size
        return True

    def give(self, size: int) -> None:
        """These have arrived."""
        with self._changed:
            self._taken -= size
            self._changed.notify_all()


class Feeder:
    """Feeds the lines of a file to the broker, in order, as fast as the engine takes them."""

    def __init__(self, node: "Node", file: str) -> None:
        self.failure: Exception | None = None
        self._node: Final = node
        self._file: Final = file
        self._budget: Final = Budget(UNDER_WAY_BYTES_MAX)
        self._thread: Final = Thread(target=self._run, name="input", daemon=True)

    def start(self) -> None:
        """Feeds, in a thread."""
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether it still reads, or waits for more."""
        return self._thread.is_alive()

    def _run(self) -> None:
        from adapters.json_lines import read_lines
        from sim.broker import BrokerFull

        lines = 0
        last: Future[None] | None = None
        try:
            for _, body in read_lines(self._file):
                size = len(body)
                if not self._budget.take(size, lambda: self._node.is_working):
                    return
                last = self._node.offer(body, block=True)
                last.add_done_callback(lambda _, size=size: self._budget.give(size))  # type: ignore[misc]
                lines += 1
        except BrokerFull:  # the node stops
            return
        except Exception as failure:
            self.failure = failure
            self._node.log.failure("the input cannot be read on", failure, lines=lines)
            return
        if last is not None:
            # Bodies are worked in order: when the last one is durable, all are.
            last.result()
        self._node.log.info("the input is taken in", file=self._file, lines=lines)


@contextmanager
def _told_to_stop(stopping: Event) -> Iterator[None]:
    """The first signal stops gracefully; the next one finds the handlers of before."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def stop(number: int, frame: FrameType | None) -> None:
        stopping.set()
        restore()

    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        restore()


@contextmanager
def _told_how_much_to_log(log: "Log", also: "Callable[[signal.Signals], None] | None" = None) -> Iterator[None]:
    """SIGUSR1 has one level more logged, SIGUSR2 one less; for where HTTP is off or not to be reached. ``also`` is told
    of the signal."""
    steps = {signal.SIGUSR1: -1, signal.SIGUSR2: 1}
    before = {number: signal.getsignal(number) for number in steps}

    def step(number: int, frame: FrameType | None) -> None:
        log.level.step(steps[signal.Signals(number)])
        if also is not None:
            also(signal.Signals(number))

    for number in steps:
        signal.signal(number, step)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_pipe(file: str) -> bool:
    """Whether opening it once would take something out of it."""
    return Path(file).exists() and not Path(file).is_file()


def _leave(status: int) -> NoReturn:
    """Ends the process without taking it apart, which takes 5 s for 50,000 profiles. Threads may hang, or wait for an
    input that never comes; all that counts is on the disk."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
