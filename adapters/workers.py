"""Worker processes of one node: one for each core, each a member with shards of its own.

Python works on one core at a time, so a node with four of them runs four processes. The first process only looks after
the others: it starts them, starts again what died, and tells them to stop.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.process import BaseProcess
from threading import Event, Thread
from time import monotonic
from typing import Final

from adapters.logs import Log
from adapters.settings import Settings

LOOK_SECONDS: Final = 0.2
AGAIN_SECONDS_MAX: Final = 30.0
HEALTHY_SECONDS: Final = 60.0
"""A worker that has lived so long is started again at once."""
GRACE_SECONDS: Final = 6.0
"""How much longer than their own time to drain workers get before they are killed."""

Work = Callable[[Settings], int]
"""What a worker does with its settings, in a process of its own, until it is told to stop; its exit status."""


def of_worker(settings: Settings, worker: int) -> Settings:
    """The settings of one worker: a name of its own, and the HTTP port so many above the node's."""
    http = settings.http
    address = settings.http_address
    if address is not None and address[1] > 0:
        host = http.rpartition(":")[0]
        http = f"{host}:{address[1] + worker}"
    return replace(settings, node=f"{settings.node or settings.node_name()}-{worker}", http=http, workers=1)


@dataclass(slots=True)
class _Worker:
    settings: Settings
    process: BaseProcess | None = None
    started_at: float = 0.0
    again_at: float = 0.0
    deaths: int = field(default=0)


class Workers:
    """Looks after the workers of a node, until ``stopping`` is set."""

    def __init__(self, settings: Settings, work: Work, log: Log) -> None:
        self._work: Final = work
        self._log: Final = log
        self._drain_seconds: Final = settings.drain / 1_000_000 + GRACE_SECONDS
        self._workers: Final = [_Worker(of_worker(settings, number)) for number in range(settings.workers)]
        # Spawned, not forked: libraries' threads and connections do not survive a fork.
        self._context: Final = multiprocessing.get_context("spawn")

    def run(self, stopping: Event) -> bool:
        """Keeps all of them running; False where one had to be killed in the end."""
        for worker in self._workers:
            self._start(worker)
        while not stopping.wait(LOOK_SECONDS):
            for worker in self._workers:
                self._look(worker)
        return self._stop()

    @property
    def pids(self) -> list[int]:
        """The processes that live."""
        return [each.process.pid for each in self._workers if each.process is not None and each.process.pid]

    def signal(self, number: signal.Signals) -> None:
        """Passes a signal on to all workers."""
        for pid in self.pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _start(self, worker: _Worker) -> None:
        process = self._context.Process(
            target=_worked, args=(self._work, worker.settings, os.getpid()), name=worker.settings.node
        )
        process.start()
        worker.process, worker.started_at = process, monotonic()
        self._log.info("a worker starts", worker=worker.settings.node, pid=process.pid)

    def _look(self, worker: _Worker) -> None:
        process = worker.process
        if process is None:
            if monotonic() >= worker.again_at:
                self._start(worker)
            return
        if process.is_alive():
            return
        lived = monotonic() - worker.started_at
        worker.deaths = 0 if lived > HEALTHY_SECONDS else worker.deaths + 1
        delay = min(AGAIN_SECONDS_MAX, 0.5 * 2 ** (worker.deaths - 1)) if worker.deaths else 0.0
        worker.process, worker.again_at = None, monotonic() + delay
        self._log.error(
            "a worker has ended and starts again",
            worker=worker.settings.node,
            status=process.exitcode,
            in_seconds=delay,
        )
        process.close()

    def _stop(self) -> bool:
        living = [worker.process for worker in self._workers if worker.process is not None]
        for process in living:
            process.terminate()
        until = monotonic() + self._drain_seconds
        for process in living:
            process.join(max(0.0, until - monotonic()))
        hanging = [process for process in living if process.is_alive()]
        for process in hanging:
            self._log.error("a worker hangs and is killed", worker=process.name)
            process.kill()
            process.join()
        return not hanging


def _worked(work: Work, settings: Settings, parent: int) -> None:
    """A worker's life. It ends with its parent: nobody would start it again, or tell it to stop."""
    Thread(target=_end_with, args=(parent,), name="parent", daemon=True).start()
    os._exit(work(settings))


def _end_with(parent: int) -> None:
    pause = Event()
    while os.getppid() == parent:
        pause.wait(1.0)
    os.kill(os.getpid(), signal.SIGTERM)
