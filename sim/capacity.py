"""Limited capacity: so many servers (people, lines) with opening hours, and the queue before them, under SimPy's clock.

A server is free or serves one job; jobs are taken first come, first served, and a job begun is finished. Instead of a
process for each job there is one SimPy event for the end of each service: five times as many customers a second.
"""

from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from simpy import Environment, Event

NO_TIME: Final = -1
"""A job's answer that it is moot: nobody serves it."""


class Job(Protocol):
    """Something to be served."""

    def begin(self, at: int) -> int:
        """A server turns to it at ``at``; answers how long that takes, or `NO_TIME`."""

    def end(self, at: int) -> None:
        """It is served."""


def always(at: int) -> int:
    """The hours of servers that never close."""
    return at


class Servers:
    """``count`` servers. ``opens`` answers for an instant the first one from it on at which a service may begin.

    Jobs may be asked ahead of the environment's clock, in order of time, but never past its next event: ``announces``
    is called with the instant of each new one.
    """

    def __init__(
        self,
        env: Environment,
        count: int,
        opens: Callable[[int], int] = always,
        announces: Callable[[int], None] | None = None,
    ) -> None:
        self.count: Final = count
        self.busy = 0
        self.served_time = 0
        """How long all servers together have served, by the services that have begun."""
        self.waiting: Final[deque[tuple[int, Job]]] = deque()
        self._env: Final = env
        self._opens: Final = opens
        self._announces: Final = announces
        self._opening = -1

    def ask(self, at: int, job: Job) -> None:
        """A job arrives at ``at``."""
        if self.busy < self.count and not self.waiting and self._opens(at) <= at:
            self._begin(at, job)
            return
        self.waiting.append((at, job))
        if self.busy < self.count:
            self._wait_for_opening(at)

    def _begin(self, at: int, job: Job) -> bool:
        duration = job.begin(at)
        if duration == NO_TIME:
            return False
        self.busy += 1
        self.served_time += duration

        def ended(_: Event) -> None:
            self.busy -= 1
            job.end(at + duration)
            if self.waiting:
                self._serve(at + duration)

        self._schedule(at + duration, ended)
        return True

    def _serve(self, at: int) -> None:
        while self.waiting and self.busy < self.count:
            if self._opens(at) > at:
                self._wait_for_opening(at)
                return
            _, job = self.waiting.popleft()
            self._begin(at, job)

    def _wait_for_opening(self, at: int) -> None:
        opening = self._opens(at)
        if self._opening >= at:
            return  # somebody waits for it already
        self._opening = opening

        def opened(_: Event) -> None:
            self._opening = -1
            self._serve(opening)

        self._schedule(opening, opened)

    def _schedule(self, at: int, then: Callable[[Event], None]) -> None:
        event = self._env.timeout(at - self._env.now)
        assert event.callbacks is not None
        event.callbacks.append(then)
        if self._announces is not None:
            self._announces(at)
