"""The ports: what the engine needs of the world, each a contract that its twin in `sim/` and its adapters keep.

Two sides of one store: `Store` acts, `StoreReader` reads; nothing that only looks can change anything.
Instants are microseconds, as everywhere. A port raises what its technology raises; the engine treats every exception
of `commit` as "outcome unknown" and begins again from what the store then says.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from domain.policy import Policy
from domain.record import Record

State = tuple[object, ...]
"""A frozen profile (`domain.snapshot`): nested tuples of plain values."""


RECEIVE_BYTES_MAX: Final = 512 * 1024
"""With more in one batch, deciding, committing and publishing no longer overlap."""


class NothingLeft(Exception):
    """Raised by `Broker.publish` where the broker cannot be reached: of these events not a byte was sent."""


class StoreConflict(Exception):
    """The transaction contradicts what is stored: an event that was taken in before, a version that was overtaken.

    Nothing of it was written. Raised by `Store.commit` beside whatever the technology raises.
    """


class Fenced(StoreConflict):
    """A shard that the transaction touches is not ours any more: its lease ended and another owner took it over."""


@dataclass(frozen=True, slots=True)
class HeldEvent:
    """An event that waits for its account. ``body`` is the event as JSON; ``number`` orders a profile's held events."""

    profile_id: str
    number: int
    accepted_at: int
    body: bytes


@dataclass(frozen=True, slots=True)
class QuarantinedEvent:
    """An event that the engine could not work, or that waits behind one. ``number`` orders a profile's queue."""

    profile_id: str
    number: int
    accepted_at: int
    body: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class StandsStill:
    """A profile in quarantine: how many events wait, since when, and why the first of them could not be worked."""

    profile_id: str
    events: int
    since: int
    reason: str


# Not frozen: that would make it 1 µs dearer, and there is one for each event that leaves.
@dataclass(slots=True)
class OutgoingEvent:
    """An event on its way out, which nobody changes once it is written.

    ``event_id`` never changes, ``routing_key`` says to whom, ``body`` is the whole event. ``state`` is ``pending`` or
    ``held``, by the ``breaker`` named. A letter to the engine that works a shard has the routing key ``@<shard>``.
    """

    profile_id: str
    event_id: str
    at: int
    routing_key: str
    body: bytes
    state: str = "pending"
    breaker: str | None = None

    @property
    def to_shard(self) -> int | None:
        """The shard whose queue a letter goes to; None for everything that leaves."""
        return int(self.routing_key[1:]) if self.routing_key.startswith("@") else None


@dataclass(frozen=True, slots=True)
class ProfileRow:
    """What is written of a touched profile. ``wake_at`` None: no timer.

    ``version`` counts its facts: not below the stored one, and equal to it only where nothing but the timer moved.
    ``policy_version`` is that of the policy under which it was worked last; None where that is not known (a program of
    before wrote it) or does not matter any more (it is closed).
    """

    profile_id: str
    version: int
    state: State
    wake_at: int | None
    policy_segment: str | None
    service_segment: str | None
    is_closed: bool
    policy_version: int | None = None


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One fact of a profile; ``number`` counts a profile's facts from 1 without gaps."""

    profile_id: str
    number: int
    fact: Record


@dataclass(slots=True)
class Transaction:
    """All that one batch changes, written together or not at all."""

    inbox: list[tuple[str, str, int]] = field(default_factory=list)
    """``(source, id, accepted_at)`` of the events taken in; a pair that is there already fails the commit."""
    profiles: list[ProfileRow] = field(default_factory=list)
    journal: list[JournalEntry] = field(default_factory=list)
    outbox: list[OutgoingEvent] = field(default_factory=list)
    held: list[HeldEvent] = field(default_factory=list)
    released: list[tuple[str, int]] = field(default_factory=list)
    """``(profile_id, number)`` of held events that took effect or expired."""
    quarantined: list[QuarantinedEvent] = field(default_factory=list)
    desks: dict[str, State] = field(default_factory=dict)
    """The state of manager supervisors, by service segment."""
    withdrawn: list[str] = field(default_factory=list)
    """Ids of outbox events, committed before, that lost their reason before they left: they never will."""
    let_go: list[str] = field(default_factory=list)
    """Ids of outbox events that a breaker held back: they are pending from now on."""
    unquarantined: list[tuple[str, int]] = field(default_factory=list)
    """``(profile_id, number)`` of quarantined events that were worked after all."""

    def __bool__(self) -> bool:
        return bool(
            self.inbox or self.profiles or self.journal or self.outbox or self.held
            or self.released or self.quarantined or self.desks or self.withdrawn or self.let_go or self.unquarantined
        )  # fmt: skip

    def followed(self) -> dict[str, tuple[ProfileRow, int]]:
        """The last row of each profile, and the version that must be stored for it to follow (0: none yet)."""
        facts: dict[str, int] = {}
        for entry in self.journal:
            facts[entry.profile_id] = facts.get(entry.profile_id, 0) + 1
        return {row.profile_id: (row, row.version - facts.get(row.profile_id, 0)) for row in self.profiles}

    def subjects(self) -> set[str]:
        """Whose shards it touches: profiles by id, desks by service segment, and ``""`` for what names nobody."""
        return {
            *(row.profile_id for row in self.profiles),
            *(event.profile_id for event in self.outbox),
            *(event.profile_id for event in self.held),
            *(profile_id for profile_id, _ in self.released),
            *(event.profile_id for event in self.quarantined),
            *(profile_id for profile_id, _ in self.unquarantined),
            *self.desks,
        }

    def latest(self) -> int:
        """The latest instant in it (0 where there is none)."""
        return max(
            max([at for _, _, at in self.inbox], default=0),
            max([entry.fact.at for entry in self.journal], default=0),
            max([event.at for event in self.outbox], default=0),
        )


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the store holds of one profile: its state, its held events in order, whether it is in quarantine."""

    state: State | None
    version: int = 0
    held: tuple[HeldEvent, ...] = ()
    is_quarantined: bool = False


class Store(Protocol):
    """The only truth. Used by one engine thread at a time; `commit` may run in another one than the rest.

    A store is opened by one owner, who works the shards it has claimed: a shard is `domain.shards.shard_of` of a
    profile's id (a desk's: of its service segment's name). `due`, `pending`, `withheld`, `blown`, `desks`,
    `segment_sizes`, `profile_ids`, `outdated` and `waiting_for_account` speak of these shards alone, `seen` and `load`
    of everything. Each shard has an epoch, which grows with every change of owner, and a lease, which ends by itself.
    """

    @property
    def shards(self) -> int:
        """How many shards the store has, for good."""

    def claim(self, shards: Collection[int]) -> frozenset[int]:
        """Takes over those of ``shards`` that have no owner, were handed over, or whose lease has ended.

        Returns those that are this owner's now, the ones it held before included. A new owner raises the epoch.
        """

    def renew(self) -> frozenset[int]:
        """Prolongs the leases of what this owner holds, and returns it; what was taken over by others is gone."""

    def hand_over(self, shards: Collection[int]) -> None:
        """Gives shards up, so that others may claim them at once. Nothing may be in flight for them."""

    def seen(self, keys: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        """Those ``(source, id)`` pairs that the inbox has already."""

    def load(self, profile_ids: Sequence[str]) -> Mapping[str, Loaded]:
        """What is stored of the profiles, in one query; ids that nothing is known of are left out."""

    def commit(self, transaction: Transaction) -> None:
        """Writes all of it durably, or nothing and raises.

        A profile may come more than once; its last row counts, and must follow the stored version by as many facts as
        the transaction has of it. Doubles of what is numbered or named fail it too. Raises `StoreConflict`; `Fenced`
        where a shard that it touches is not this owner's: its epoch is read in the transaction and held until its end.
        """

    def due(self, until: int, limit: int) -> list[tuple[str, int]]:
        """``(profile_id, wake_at)`` of timers up to and including ``until``, earliest first."""

    def pending(self, limit: int) -> list[OutgoingEvent]:
        """Events of the outbox that were not marked as sent, in the order in which they were committed."""

    def mark_sent(self, event_ids: Sequence[str]) -> None:
        """These have left: they are not pending any more."""

    def withheld(self) -> list[OutgoingEvent]:
        """Events that a breaker holds back, in the order in which they were committed."""

    def quarantined(self, profile_id: str) -> list[QuarantinedEvent]:
        """What waits in quarantine for a profile, in order."""

    def desks(self) -> Mapping[str, State]:
        """The state of manager supervisors, by service segment."""

    def blown(self) -> list[str]:
        """The breakers that hold events back."""

    def segment_sizes(self) -> Mapping[str | None, int]:
        """How many profiles that are not closed each policy segment has."""

    def profile_ids(self) -> list[str]:
        """All profiles that are not closed."""

    def outdated(self, version: int) -> list[str]:
        """Those of them that are known to have been worked last under another policy version, in order of id."""

    def waiting_for_account(self) -> list[str]:
        """Ids that have held events and no profile."""

    def last_instant(self) -> int:
        """The latest instant the store has seen (0 when empty): time goes on from there whatever the clock says."""

    def forget(self, before: int) -> int:
        """Drops inbox rows accepted before an instant; returns how many."""

    def close(self) -> None:
        """Lets go of files and connections."""


class StoreReader(Protocol):
    """Looks, and never changes anything."""

    def state(self, profile_id: str) -> State | None:
        """The frozen profile."""

    def journal(self, profile_id: str) -> Iterable[JournalEntry]:
        """All facts of a profile, in order."""

    def history(self, kinds: Collection[type[Record]]) -> Iterable[JournalEntry]:
        """The facts of these kinds of all profiles, in order of time (at one instant: of profile, then number), without
        holding them all in memory."""

    def profile_ids(self) -> Iterable[str]:
        """All profiles, in order of id."""

    def counts(self) -> Mapping[str, int]:
        """Rows by table: profiles, journal, inbox, timers, pending, held, quarantined."""

    def quarantine(self, limit: int) -> Sequence[StandsStill]:
        """The profiles that have events in quarantine, those that have waited longest first."""

    def quarantined(self, profile_id: str) -> Sequence[QuarantinedEvent]:
        """What waits in quarantine for a profile, in order."""

    def wake_at(self, profile_id: str) -> int | None:
        """The profile's timer."""

    def row(self, profile_id: str) -> ProfileRow | None:
        """All that is stored of a profile but its journal."""

    def rows(self) -> Iterable[ProfileRow]:
        """All profiles with their timers, in order of id, without holding them all in memory."""

    def outbox(self) -> Iterable[OutgoingEvent]:
        """Events that have not left, in the order in which they were committed."""

    def strays(self) -> Iterable[tuple[str, str]]:
        """``(table, profile_id)`` of facts and timers without a profile, and of events held for one that is there."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One body from the broker, an event or a batch of them, and the tag by which it is acknowledged.

    ``shard`` is the queue it came from; None where there is but one.
    """

    tag: int
    body: bytes
    shard: int | None = None


class Broker(Protocol):
    """Brings bodies in and takes events out; at least once both ways. Its methods may be called from two threads:
    `receive`, `subscribe` and `redeliver` from one, the others from another."""

    def subscribe(self, shards: Collection[int]) -> None:
        """From now on, deliveries come from the queues of exactly these shards.

        What was received of others and not acknowledged goes back to its queue. Before the first call nothing comes.
        """

    def receive(self, limit: int, timeout_seconds: float) -> list[Delivery]:
        """Up to ``limit`` deliveries, those of a shard in order; an empty list when none came within the time.

        Stops earlier, at some `RECEIVE_BYTES_MAX` of bodies: a body may be a batch of many events.
        """

    def backlog(self) -> int:
        """How many bodies wait to be received, as far as is known; also where somebody else still has his turn."""

    def is_behind(self) -> bool:
        """Whether bodies that waited when this was first asked may not be in the queues of their shards yet."""

    def acknowledge(self, tags: Sequence[int]) -> None:
        """These are durable here and need not be delivered again."""

    def redeliver(self) -> None:
        """What was received and not acknowledged comes again, in its order."""

    def publish(self, events: Sequence[OutgoingEvent]) -> list[str]:
        """Publishes in order; returns the ids of those confirmed (a prefix for each profile). Raises `NothingLeft`."""

    def forward(self, bodies: Sequence[tuple[int, bytes]]) -> None:
        """Puts each body into the queue of its shard, in order; durable there when it returns, else it raises."""

    def dead_letter(self, body: bytes, reason: str) -> None:
        """What cannot even be parsed, byte for byte; durable when it returns, else it raises."""

    def close(self) -> None:
        """Stops receiving; what was not acknowledged will come again."""


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> int:
        """The current instant; need not be monotonic."""

    def elapsed(self) -> int:
        """Microseconds since some moment; they pass whatever the clock on the wall is set to. Leases are kept by it."""

    def stamp(self, recorded: int | None) -> int:
        """The instant of an event that is accepted now, after that of every event before it. A virtual clock moves to
        ``recorded``, the time that the event carries."""

    def reach(self, instant: int) -> None:
        """The store has seen ``instant``: no later stamp is before it."""


class Coordination(Protocol):
    """Says which shards this member should work: who should try. Who may is for the store's leases to say."""

    def wanted(self) -> frozenset[int] | None:
        """The shards that fall to this member among all that live; None while nobody can tell: keep what you have."""

    def close(self) -> None:
        """Leaves at once, so that the others need not wait until this member's session ends."""


class PolicySource(Protocol):
    """Where the policy comes from; a new version shows as another object."""

    def current(self) -> Policy:
        """The policy that holds now."""
