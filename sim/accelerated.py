"""Accelerated time: a clock on which months pass in a minute, and the pace that keeps a world in step with it."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from threading import Lock
from typing import Final, Protocol

from domain.calendar import MINUTE
from engine.ports import OutgoingEvent
from sim.broker import MemoryBroker

STEP_US: Final = 10 * MINUTE
"""How long the world may wait for an answer: well below the half hour within which networks must confirm."""
STRIDE_US: Final = 30 * MINUTE
_NOTHING: Final = b"[]"
_BODIES_AT_ONCE: Final = 50
_LOOK_SECONDS: Final = 0.2
_PATIENCE_SECONDS: Final = 30.0


class AcceleratedClock:
    """Runs ``factor`` times as fast as the wall's, but never past its leash.

    Without a leash, five milliseconds for a commit would be ten minutes here, and every confirmation late. What is
    published carries its instant, and takes effect at that: two runs of one seed are the same world, whatever the
    machine.
    """

    def __init__(self, start: int, factor: float, wall: Callable[[], float] = time.monotonic) -> None:
        """``start`` and every other instant in microseconds; ``wall`` in seconds."""
        self._lock: Final = Lock()
        self._wall: Final = wall
        self._started = wall()
        self._start: Final = start
        self._factor: Final = factor
        self._last = start
        self._leash = start

    def begin(self) -> None:
        """Time passes from now on: what was done before has taken none."""
        self._started = self._wall()

    def free(self) -> int:
        """Where the clock would stand without its leash."""
        return self._start + int((self._wall() - self._started) * self._factor * 1_000_000)

    def seconds_until(self, instant: int) -> float:
        """How long that takes on the wall's clock, without the leash; below zero if it has passed."""
        return (instant - self._start) / self._factor / 1_000_000 - (self._wall() - self._started)

    def let(self, instant: int) -> None:
        """The clock may run up to ``instant``."""
        with self._lock:
            self._leash = max(self._leash, instant)

    def now(self) -> int:
        """The current instant, never before one that was given out."""
        with self._lock:
            return max(self._last, min(self.free(), self._leash))

    def elapsed(self) -> int:
        """The wall's own time."""
        return int(self._wall() * 1_000_000)

    def stamp(self, recorded: int | None) -> int:
        """The instant that the event carries, unless it is behind the clock or in the future: then it happens now."""
        with self._lock:
            free = self.free()
            at = min(free, self._leash) if recorded is None else min(free, recorded)
            self._last = max(at, self._last + 1)
            return self._last

    def reach(self, instant: int) -> None:
        """Goes on from what the store has seen."""
        with self._lock:
            self._last = max(self._last, instant)


class Outside(Protocol):
    """The world outside of the engine: publishes events, receives what the engine sends."""

    def events_until(self, instant: int) -> Sequence[bytes]:
        """What was published since the last call, up to and including ``instant``."""

    def receive(self, events: Sequence[OutgoingEvent]) -> None:
        """What the engine has sent, in order of time."""

    def answers_at(self) -> int | None:
        """When the first answer to what was received will be published; None where none is on its way."""


class EngineGone(Exception):
    """The engine does not answer any more, or nobody wants to wait for it."""


class Pace:
    """Moves the world and the engine's clock on, step by step: first what was published, then time itself.

    ``sent`` is filled by the broker's sink. ``is_alive`` is asked while the engine takes its time; where it says no, or
    after half a minute, `step` raises `EngineGone`.
    """

    def __init__(
        self,
        clock: AcceleratedClock,
        broker: MemoryBroker,
        sent: deque[OutgoingEvent],
        outside: Outside,
        start: int,
        is_alive: Callable[[], bool],
    ) -> None:
        self.at = start
        self.durable_seconds: Final[deque[float]] = deque(maxlen=20_000)
        """How long it took, on the wall's clock, until what a step published was stored."""
        self._began: Final = time.monotonic()
        self._clock: Final = clock
        self._broker: Final = broker
        self._sent: Final = sent
        self._outside: Final = outside
        self._is_alive: Final = is_alive
        clock.begin()

    def next_at(self) -> int:
        """The instant of the next step: a stride while all is quiet, else as soon as somebody has an answer."""
        answers_at = self._outside.answers_at()
        stride = self.at - self.at % STRIDE_US + STRIDE_US
        if answers_at is None or answers_at >= stride:
            return stride
        return max(self.at + STEP_US, -(-answers_at // STEP_US) * STEP_US)

    @property
    def seconds(self) -> float:
        """How long it has gone on, on the wall's clock."""
        return time.monotonic() - self._began

    def seconds_until_next(self) -> float:
        """How long until then on the wall's clock; below zero: so far behind is the world."""
        return self._clock.seconds_until(self.next_at())

    def step(self) -> list[OutgoingEvent]:
        """Takes the step; returns what the engine has sent in it, in order of time, as the world has received it."""
        self.at = self.next_at()
        bodies = self._outside.events_until(self.at)
        if bodies:
            offered_at = time.perf_counter()
            for first in range(0, len(bodies), _BODIES_AT_ONCE):
                # One body, so that the engine takes all of it in one turn, however fast it is.
                self._broker.offer(_merged(bodies[first : first + _BODIES_AT_ONCE]))
                self._wait()
            self.durable_seconds.append(time.perf_counter() - offered_at)
            # What came due until the last of these events fires while the clock stands there.
            self._wait()
        self._clock.let(self.at)
        self._wait()
        # The engine acknowledges first and publishes then; when it acknowledges again, everything has left.
        self._wait()
        events = sorted([self._sent.popleft() for _ in range(len(self._sent))], key=_place)
        self._outside.receive(events)
        return events

    def _wait(self) -> None:
        """Waits until the engine has worked and stored all that was offered, and its timers up to now."""
        worked: Future[None] = self._broker.offer(_NOTHING)
        patient_until = time.monotonic() + _PATIENCE_SECONDS
        while not worked.done():
            with suppress(TimeoutError):
                worked.result(_LOOK_SECONDS)
            if not worked.done() and not self._is_alive():
                raise EngineGone("the engine has stopped")
            if not worked.done() and time.monotonic() > patient_until:
                raise EngineGone(f"the engine has not answered for {_PATIENCE_SECONDS:.0f} seconds")


def _merged(bodies: Sequence[bytes]) -> bytes:
    """Events and batches of them as one batch."""
    return b"[" + b",".join([body[1:-1] if body[:1] == b"[" else body for body in bodies]) + b"]"


def _place(event: OutgoingEvent) -> tuple[int, str]:
    # Sorting is stable: what one profile decided at one instant keeps its order.
    return event.at, event.profile_id
