"""`dms replay`: recorded events on a virtual clock, through the same engine that production runs."""

import gc
from bisect import bisect_left
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import date
from operator import attrgetter
from typing import Final, NamedTuple, cast

from adapters.cloud_events import decode, rfc3339
from adapters.json_lines import InputError
from adapters.letters import CODEC
from domain.calendar import DAY, NEVER
from domain.messages import AccountClosed, AccountUpdated, GroupAssigned, ManagerAssigned
from domain.policy import Policy
from engine.codec import Decode, no_letter
from engine.desks import Desks, MakeDesks
from engine.engine import Engine, EngineSettings
from engine.envelope import Envelope, Unreadable
from engine.ports import Delivery, OutgoingEvent
from engine.tally import Tally
from sim.broker import MemoryBroker
from sim.clock import VirtualClock
from sim.replay_store import ReplayStore

EVENTS_AT_ONCE: Final = 50_000
"""A turn has several events for most profiles, each of which then comes into the processor's caches once: half as many
again in a second as with 5,000 at a million events of 50,000 accounts. What waits takes 2 KB an event."""
_LAST_INSTANT: Final = date.max.toordinal() * DAY - date(1970, 1, 1).toordinal() * DAY
"""The beginning of the last day: a time zone to the east has no later one."""

_OF_MANAGERS: Final = frozenset({AccountUpdated, AccountClosed, ManagerAssigned, GroupAssigned})
"""What desks answer to, and what their answers change."""


# A tuple: making one costs 0.2 µs, as a frozen dataclass four times that.
class Line(NamedTuple):
    """A recorded line and where it stands."""

    source: str
    number: int
    body: bytes


class Recorded(NamedTuple):
    """The events of a line, or of whatever else has a place, in order of time."""

    source: str
    number: int
    events: list[Envelope]


def recorded(lines: Iterable[Line], decode: Decode = decode) -> Iterator[Recorded]:
    """The lines read. Raises `InputError` for one that is no event."""
    for source, number, body in lines:
        events = decode(body)
        for event in events:
            if isinstance(event, Unreadable):
                raise InputError(source, number, f"is no event: {event.reason}")
        yield Recorded(source, number, cast(list[Envelope], events))


class FixedPolicy:
    """A policy that does not change."""

    def __init__(self, policy: Policy) -> None:
        self._policy: Final = policy

    def current(self) -> Policy:
        """The policy."""
        return self._policy


class Turn(NamedTuple):
    """What the engine plays at once: these events, and every timer ``before`` an instant."""

    events: list[Envelope]
    before: int


class Turns:
    """Cuts a history into turns. Raises `InputError` for what has no time, steps back in time, or lies before 1970.

    A turn ends before the next event where there are enough, or where that one must come after the desks' answers:
    whoever asks waits for the answer, and whoever is in a desk's books comes alone.
    """

    def __init__(self, policy: Policy, answered: set[str], events_at_once: int) -> None:
        """``answered`` are the profiles that desks have answered: whoever plays the turns adds them."""
        self._answered: Final = answered
        self._events_at_once: Final = events_at_once
        self._of_managers: Final[frozenset[object]] = _OF_MANAGERS if asks_desks(policy) else frozenset()
        self._asking: Final[set[str]] = set()
        self._makes_room = False
        self._last_at = 0

    def cut(self, history: Iterable[Recorded], until: int | None) -> Iterator[Turn]:
        """The turns of a history, up to and including ``until`` (None: its last event's instant)."""
        waiting: list[Envelope] = []
        try:
            for each in history:
                events = self._played(each, NEVER if until is None else until)
                for event in events:
                    if len(waiting) >= self._events_at_once or self._comes_after_answers(event):
                        yield self._turn(waiting, cast(int, event.time))
                        waiting = []
                    if event.kind in self._of_managers:
                        self._note(event)
                    waiting.append(event)
                if len(events) < len(each.events):
                    break
        except InputError:
            # What stands before it is played all the same, however much of it there is.
            yield self._turn(waiting, self._last_at + 1)
            raise
        yield self._turn(waiting, (self._last_at if until is None else until) + 1)

    def _turn(self, events: list[Envelope], before: int) -> Turn:
        self._asking.clear()
        self._makes_room = False
        return Turn(events, before)

    def _comes_after_answers(self, event: Envelope) -> bool:
        if event.kind not in self._of_managers:
            return False
        return self._makes_room or event.subject in self._asking or event.subject in self._answered

    def _note(self, event: Envelope) -> None:
        """Whoever is in the books may make room for others; anybody else may ask."""
        subject = cast(str, event.subject)
        if event.kind is ManagerAssigned:
            self._answered.add(subject)
        if subject in self._answered:
            self._makes_room = True
        else:
            self._asking.add(subject)

    def _played(self, of: Recorded, until: int) -> list[Envelope]:
        """Its events up to and including ``until``; what comes later may be anything."""
        for number, event in enumerate(of.events):
            at = event.time
            if at is None:
                raise InputError(of.source, of.number, "has no time (RFC 3339), so it cannot be replayed")
            if at > until:
                return of.events[:number]
            if at >= _LAST_INSTANT:
                raise InputError(of.source, of.number, "is of a time from 9999-12-31 on, which is not supported")
            if at < self._last_at:
                raise InputError(of.source, of.number, _too_early(at, self._last_at))
            self._last_at = at
        return of.events


@contextmanager
def uncollected() -> Iterator[None]:
    """Nothing of a replay makes cycles, and the collector would visit millions of objects again and again: half the
    time."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def asks_desks(policy: Policy) -> bool:
    """Whether managers' desks have answers to give to profiles."""
    return policy.managers is not None and any(each.personal is not None for each in policy.service_segments)


class Replay:
    """One replay. ``run`` yields the outgoing events in order of time; of one instant, by profile, as decided."""

    def __init__(
        self,
        policy: Policy,
        confirm: bool = True,
        *,
        knows_doubles: bool = True,
        make_desks: MakeDesks = Desks,
    ) -> None:
        """Without ``knows_doubles`` there are none: somebody else has taken them out."""
        self._policy: Final = policy
        self._decoded: list[Envelope] = []
        self._waiting: Final[list[OutgoingEvent]] = []
        self._turns = 0
        self._store: Final = ReplayStore(knows_doubles)
        self.engine: Final = Engine(
            self._store,
            MemoryBroker(_nowhere),
            VirtualClock(),
            FixedPolicy(policy),
            replace(CODEC, decode=self._take_decoded, unseal=no_letter),
            EngineSettings(keeps=False, confirms=confirm, pipelined=False, active_max=0, timers_max=1_000_000),
            make_desks=make_desks,
        )

    @property
    def tally(self) -> Tally:
        """What was counted."""
        return self.engine.tally

    def run(self, lines: Iterable[Line], until: int | None = None) -> Generator[OutgoingEvent, None, None]:
        """Plays the lines up to and including ``until`` (None: the last event's instant).

        Raises `InputError` for a line that is no event, has no time, steps back in time, or is of one before 1970.
        """
        return self.play(recorded(lines), until)

    def bodies(self, lines: Iterable[Line], until: int | None = None) -> Generator[bytes, None, None]:
        """The same, of each event its bytes alone."""
        with closing(self.run(lines, until)) as events:
            for event in events:
                yield event.body

    def play(self, history: Iterable[Recorded], until: int | None = None) -> Generator[OutgoingEvent, None, None]:
        """The same of events that are read already."""
        with self.begun():
            for turn in Turns(self._policy, self.engine.answered, EVENTS_AT_ONCE).cut(history, until):
                yield from self.turn(turn.events, turn.before)

    @contextmanager
    def begun(self) -> Iterator[None]:
        """Within it turns are played."""
        self.engine.begin()
        try:
            with uncollected():
                yield
        finally:
            self.engine.end()

    def turn(self, events: list[Envelope], before: int) -> list[OutgoingEvent]:
        """Plays the events and every timer ``before`` an instant; what leaves before it, in order."""
        self._decoded = events
        self._turns += 1
        # One delivery, and decoded already, since its instants had to be known.
        self.engine.turn([Delivery(self._turns, b"")], before)
        waiting = self._waiting
        waiting.extend(self._store.take_outbox())
        waiting.sort(key=_place)
        # What belongs to an instant that is still to come may get company from the next turn.
        due = bisect_left(waiting, before, key=_instant)
        ready = waiting[:due]
        del waiting[:due]
        return ready

    def _take_decoded(self, body: bytes) -> list[Envelope | Unreadable]:
        taken, self._decoded = self._decoded, []
        return cast(list[Envelope | Unreadable], taken)


def _too_early(at: int, last_at: int) -> str:
    # The virtual clock begins in 1970, and the year 1 has days that no calendar here knows.
    if at < 0:
        return "is of a time before 1970, which is not supported"
    return f"steps back in time: {rfc3339(at)} after {rfc3339(last_at)}"


# Sorting is stable: what one profile decided at one instant keeps its order.
_place: Final = attrgetter("at", "profile_id")
_instant: Final = attrgetter("at")


def _nowhere(events: object) -> None:
    """Replayed commands are written, not published."""
