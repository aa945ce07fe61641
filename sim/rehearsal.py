"""A rehearsal: what an engine would send if it started on a store now, without that anything of the store changes.

The engine is production's, whole. Its store reads what is stored and keeps to itself what it would have written; of
the store it takes the shards alone, so that no engine can start meanwhile. Its clock is moved by hand: messages that
wait take effect first, in their order, then what is due.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from time import monotonic
from typing import Final

from domain.calendar import DAY
from domain.policy import Policy
from domain.profile import Profile
from domain.snapshot import thaw
from engine.codec import Codec
from engine.engine import Engine, EngineSettings
from engine.ports import Delivery, Loaded, OutgoingEvent, ProfileRow, Store, Transaction
from sim.broker import MemoryBroker
from sim.store import MemoryStore

_BODIES_AT_ONCE: Final = 500
_OUTBOX_MAX: Final = 10_000_000


class StoreAtWork(Exception):
    """Engines own shards of the store."""


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What would leave now, in order, and ``later``, within a day in which nothing comes; the ids that wait for their
    account, and the profiles in quarantine.

    ``profile`` is how a profile would be after that day (None: unknown).
    """

    left: Sequence[OutgoingEvent]
    later: Sequence[OutgoingEvent]
    waiting: Collection[str]
    quarantined: Collection[str]
    profile: Callable[[str], Profile | None]


def rehearse(
    store: Store,
    policy: Policy,
    bodies: Iterable[bytes],
    now: int,
    codec: Codec,
    hold_unknown_us: int,
    progress: Callable[[int], None] = lambda done: None,
) -> Rehearsed:
    """Works ``bodies``, which wait in the queues, then what is due at the instant ``now``, and then a day: whatever has
    its hour is decided again in it.

    ``progress`` is told how many bodies were worked. Raises `StoreAtWork`.
    """
    overlay = _Overlay(store)
    left: list[OutgoingEvent] = []
    settings = EngineSettings(pipelined=False, hold_unknown_us=hold_unknown_us)
    clock = _StandingClock(now)
    engine = Engine(overlay, MemoryBroker(left.extend), clock, _Holds(policy), codec, settings)
    try:
        engine.begin()
        if len(engine.owned) < store.shards:
            raise StoreAtWork(f"{store.shards - len(engine.owned)} of {store.shards} shards are worked by engines")
        done = 0
        for deliveries in _portions(bodies):
            engine.tend()
            engine.turn(deliveries, backlog=True)
            done += len(deliveries)
            progress(done)
        _pass(engine, clock, now)
        at_once = len(left)
        waiting = overlay.waiting_for_account()
        _pass(engine, clock, now + DAY)
        return Rehearsed(left[:at_once], left[at_once:], waiting, overlay.put_aside(), overlay.profile)
    finally:
        engine.end()


def _pass(engine: Engine, clock: "_StandingClock", until: int) -> None:
    """Time passes, and what becomes due is worked at its instant."""
    while engine.is_due(until):
        clock.reach(min(engine.next_at(), until))
        engine.tend()
        engine.turn([])
    engine.rest()


def _portions(bodies: Iterable[bytes]) -> Iterator[list[Delivery]]:
    numbered = (Delivery(number, body) for number, body in enumerate(bodies, 1))
    while portion := list(islice(numbered, _BODIES_AT_ONCE)):
        yield portion


class _Holds:
    def __init__(self, policy: Policy) -> None:
        self._policy: Final = policy

    def current(self) -> Policy:
        return self._policy


class _StandingClock:
    """It is the same instant until somebody says otherwise; what is accepted has one of its own all the same."""

    def __init__(self, now: int) -> None:
        self._now = now

    def now(self) -> int:
        return self._now

    def elapsed(self) -> int:
        """Leases end by the clock on the wall."""
        return int(monotonic() * 1e6)

    def stamp(self, recorded: int | None) -> int:
        self._now += 1
        return self._now

    def reach(self, instant: int) -> None:
        self._now = max(self._now, instant)


class _Overlay(MemoryStore):
    """A store in memory over a store that does not change: what is asked for is copied, what is written stays here."""

    def __init__(self, store: Store) -> None:
        super().__init__("rehearsal", shards=store.shards, lease_seconds=float("inf"))
        self._store: Final = store
        self._copied: Final[set[str]] = set()
        # Worked here, so that what is stored of their timers and versions counts no more.
        self._worked: Final[set[str]] = set()

    def claim(self, shards: Collection[int]) -> frozenset[int]:
        gained = self._store.claim(shards)
        tables = self.tables
        tables.last_instant = max(tables.last_instant, self._store.last_instant())
        for event in chain(self._store.pending(_OUTBOX_MAX), self._store.withheld()):
            tables.outbox[event.event_id] = event
        tables.desks.update(self._store.desks())
        return super().claim(gained)

    def renew(self) -> frozenset[int]:
        return super().renew() & self._store.renew()

    def hand_over(self, shards: Collection[int]) -> None:
        self._store.hand_over(shards)
        super().hand_over(shards)

    def seen(self, keys: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        return super().seen(keys) | self._store.seen(keys)

    def load(self, profile_ids: Sequence[str]) -> Mapping[str, Loaded]:
        new = [each for each in profile_ids if each not in self._copied]
        if new:
            self._copied.update(new)
            for profile_id, found in self._store.load(new).items():
                self._copy(profile_id, found)
        return super().load(profile_ids)

    def commit(self, transaction: Transaction) -> None:
        super().commit(transaction)
        self._worked.update(row.profile_id for row in transaction.profiles)

    def due(self, until: int, limit: int) -> list[tuple[str, int]]:
        stored = self._store.due(until, limit + len(self._worked))
        ours = super().due(until, limit)
        both = [each for each in stored if each[0] not in self._worked] + ours
        return sorted(both, key=lambda each: (each[1], each[0]))[:limit]

    def segment_sizes(self) -> Mapping[str | None, int]:
        return self._store.segment_sizes()

    def profile_ids(self) -> list[str]:
        return self._store.profile_ids()

    def outdated(self, version: int) -> list[str]:
        return [each for each in self._store.outdated(version) if each not in self._worked]

    def waiting_for_account(self) -> list[str]:
        stored = [each for each in self._store.waiting_for_account() if each not in self._copied]
        return sorted([*stored, *super().waiting_for_account()])

    def put_aside(self) -> list[str]:
        """The profiles that were looked at, and are in quarantine."""
        return sorted(self.tables.quarantined)

    def profile(self, profile_id: str) -> Profile | None:
        """A profile as it is here."""
        found = self.load([profile_id]).get(profile_id)
        return thaw(profile_id, found.state) if found is not None and found.state is not None else None

    def _copy(self, profile_id: str, found: Loaded) -> None:
        tables = self.tables
        if found.state is not None:
            # Its timer and its place among others are the store's, until it is worked.
            tables.rows[profile_id] = ProfileRow(profile_id, found.version, found.state, None, None, None, False, None)
        if found.held:
            tables.held[profile_id] = {each.number: each for each in found.held}
        if found.is_quarantined:
            tables.quarantined[profile_id] = {each.number: each for each in self._store.quarantined(profile_id)}
