"""`dms replay`: recorded events on a virtual clock, through the same engine that production runs."""

import gc
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Final

from adapters.cloud_events import decode, rfc3339
from adapters.json_lines import InputError
from adapters.letters import CODEC
from domain.calendar import NEVER
from domain.policy import Policy
from engine.codec import no_letter
from engine.engine import Engine, EngineSettings
from engine.envelope import Envelope, Unreadable
from engine.ports import Delivery, OutgoingEvent
from sim.broker import MemoryBroker
from sim.clock import VirtualClock
from sim.replay_store import ReplayStore

_EVENTS_AT_ONCE: Final = 5_000


@dataclass(frozen=True, slots=True)
class Line:
    """A recorded line and where it stands."""

    source: str
    number: int
    body: bytes


class FixedPolicy:
    """A policy that does not change."""

    def __init__(self, policy: Policy) -> None:
        self._policy: Final = policy

    def current(self) -> Policy:
        """The policy."""
        return self._policy


class Replay:
    """One replay. ``run`` yields the outgoing events in order of time; of one instant, by profile, as decided."""

    def __init__(self, policy: Policy, confirm: bool = True, progress: Callable[[int], None] | None = None) -> None:
        self._decoded: Final[deque[list[Envelope | Unreadable]]] = deque()
        self._clock: Final = VirtualClock()
        self._progress: Final = progress
        self._store: Final = ReplayStore()
        self.engine: Final = Engine(
            self._store,
            MemoryBroker(_nowhere),
            self._clock,
            FixedPolicy(policy),
            replace(CODEC, decode=self._next_decoded, unseal=no_letter),
            EngineSettings(keeps=False, confirms=confirm, pipelined=False, active_max=0, timers_max=1_000_000),
        )
        self._last_at = 0

    def run(self, lines: Iterable[Line], until: int | None = None) -> Generator[OutgoingEvent, None, None]:
        """Plays the lines up to and including ``until`` (None: the last event's instant).

        Raises `InputError` for a line that is no event, has no time, or steps back in time.
        """
        self.engine.begin()
        waiting: list[OutgoingEvent] = []
        # Nothing here makes cycles, and the collector would visit millions of profiles again and again: half the time.
        collects = gc.isenabled()
        gc.disable()
        try:
            for deliveries in self._chunks(lines, NEVER if until is None else until):
                self.engine.turn(deliveries, self._last_at)
                waiting.extend(self._store.take_outbox())
                waiting.sort(key=_place)
                # What belongs to the last instant may still get company from the next chunk.
                ready = _count_before(waiting, self._last_at)
                yield from waiting[:ready]
                del waiting[:ready]
            end = self._last_at if until is None else until
            self.engine.turn([], end + 1)
            waiting.extend(self._store.take_outbox())
            waiting.sort(key=_place)
            yield from waiting
        finally:
            if collects:
                gc.enable()
            self.engine.end()

    def _next_decoded(self, body: bytes) -> list[Envelope | Unreadable]:
        return self._decoded.popleft()

    def _chunks(self, lines: Iterable[Line], until: int) -> Iterator[list[Delivery]]:
        deliveries: list[Delivery] = []
        for line in lines:
            events = decode(line.body)
            at = self._check(line, events)
            if at > until:
                break
            self._decoded.append(events)
            deliveries.append(Delivery(line.number, line.body))
            if len(deliveries) == _EVENTS_AT_ONCE:
                yield deliveries
                if self._progress is not None:
                    self._progress(len(deliveries))
                deliveries = []
        if deliveries:
            yield deliveries
            if self._progress is not None:
                self._progress(len(deliveries))

    def _check(self, line: Line, events: list[Envelope | Unreadable]) -> int:
        for event in events:
            if isinstance(event, Unreadable):
                raise InputError(line.source, line.number, f"is no event: {event.reason}")
            if event.time is None:
                raise InputError(line.source, line.number, "has no time (RFC 3339), so it cannot be replayed")
            if event.time < self._last_at:
                raise InputError(
                    line.source,
                    line.number,
                    f"steps back in time: {rfc3339(event.time)} after {rfc3339(self._last_at)}",
                )
            self._last_at = event.time
        return self._last_at


# Sorting is stable: what one profile decided at one instant keeps its order.
_place: Final = attrgetter("at", "profile_id")


def _count_before(events: list[OutgoingEvent], instant: int) -> int:
    for index, event in enumerate(events):
        if event.at >= instant:
            return index
    return len(events)


def _nowhere(events: object) -> None:
    """Replayed commands are written, not published."""
