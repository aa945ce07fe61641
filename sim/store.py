"""The store in memory: the twin of the ones in adapters/, with the same answers and the same refusals.

Several owners may work it at once, each through a `sibling` of its own: what they share is `Tables`.

A world with faults wraps `commit`: what fails before it was never written, what fails after it was, and only the
answer is lost.
"""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from threading import Lock
from time import monotonic
from typing import Any, Final

from domain.record import Record
from domain.shards import SHARDS, shard_of
from engine.ports import (
    Fenced,
    HeldEvent,
    JournalEntry,
    Loaded,
    OutgoingEvent,
    ProfileRow,
    QuarantinedEvent,
    StandsStill,
    State,
    StoreConflict,
    Transaction,
)


class Tables:
    """What is stored, whoever looks at it."""

    def __init__(self, shards: int) -> None:
        self.lock: Final = Lock()
        self.shards: Final = shards
        self.inbox: Final[dict[tuple[str, str], int]] = {}
        self.rows: Final[dict[str, ProfileRow]] = {}
        self.journal: Final[dict[str, dict[int, JournalEntry]]] = {}
        # In order of instant, then of id.
        self.timers: Final[list[tuple[int, str]]] = []
        # In order of commit: a dict keeps the place of what is replaced.
        self.outbox: Final[dict[str, OutgoingEvent]] = {}
        self.held: Final[dict[str, dict[int, HeldEvent]]] = {}
        self.quarantined: Final[dict[str, dict[int, QuarantinedEvent]]] = {}
        self.desks: Final[dict[str, State]] = {}
        self.tenures: Final[dict[int, Tenure]] = {}
        self.last_instant = 0


@dataclass(slots=True)
class Tenure:
    """Who may write what belongs to a shard, and until when (seconds of the store's own clock)."""

    owner: str | None
    epoch: int
    ends_at: float


class MemoryStore:
    """Keeps everything in dicts for as long as it lives. Its methods may be called from several threads."""

    def __init__(
        self,
        owner: str = "one",
        *,
        shards: int = SHARDS,
        lease_seconds: float = 10.0,
        seconds: Callable[[], float] = monotonic,
        tables: Tables | None = None,
    ) -> None:
        """``seconds`` is the clock by which leases end."""
        self.owner: Final = owner
        self.lease_seconds: Final = lease_seconds
        self.seconds: Final = seconds
        self.tables: Final = tables if tables is not None else Tables(shards)
        self._lock: Final = self.tables.lock
        self._epochs: Final[dict[int, int]] = {}

    def sibling(self, owner: str) -> "MemoryStore":
        """The same store, opened by another owner."""
        return MemoryStore(owner, lease_seconds=self.lease_seconds, seconds=self.seconds, tables=self.tables)

    @property
    def shards(self) -> int:
        return self.tables.shards

    def claim(self, shards: Collection[int]) -> frozenset[int]:
        with self._lock:
            now = self.seconds()
            for shard in shards:
                tenure = self.tables.tenures.setdefault(shard, Tenure(None, 0, 0.0))
                if self._epochs.get(shard) == tenure.epoch and tenure.owner == self.owner:
                    continue
                if tenure.owner is None or tenure.ends_at <= now:
                    tenure.owner, tenure.epoch, tenure.ends_at = self.owner, tenure.epoch + 1, now + self.lease_seconds
                    self._epochs[shard] = tenure.epoch
            self._drop_lost()
            return frozenset(self._epochs).intersection(shards)

    def renew(self) -> frozenset[int]:
        with self._lock:
            self._drop_lost()
            ends_at = self.seconds() + self.lease_seconds
            for shard in self._epochs:
                self.tables.tenures[shard].ends_at = ends_at
            return frozenset(self._epochs)

    def hand_over(self, shards: Collection[int]) -> None:
        with self._lock:
            self._drop_lost()
            for shard in shards:
                if self._epochs.pop(shard, None) is not None:
                    self.tables.tenures[shard].owner = None

    def _drop_lost(self) -> None:
        for shard, epoch in list(self._epochs.items()):
            tenure = self.tables.tenures[shard]
            if tenure.epoch != epoch or tenure.owner != self.owner:
                del self._epochs[shard]

    def _is_ours(self, subject: str) -> bool:
        return shard_of(subject, self.shards) in self._epochs

    def _open_rows(self) -> Iterator[ProfileRow]:
        return (row for row in self.tables.rows.values() if not row.is_closed and self._is_ours(row.profile_id))

    def _outgoing(self, state: str) -> Iterator[OutgoingEvent]:
        return (each for each in self.tables.outbox.values() if each.state == state and self._is_ours(each.profile_id))

    def reader(self) -> "MemoryReader":
        """The side that looks."""
        return MemoryReader(self)

    def seen(self, keys: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        with self._lock:
            inbox = self.tables.inbox
            return {key for key in keys if key in inbox}

    def load(self, profile_ids: Sequence[str]) -> Mapping[str, Loaded]:
        with self._lock:
            found: dict[str, Loaded] = {}
            for profile_id in profile_ids:
                row = self.tables.rows.get(profile_id)
                held = self.tables.held.get(profile_id)
                is_quarantined = profile_id in self.tables.quarantined
                if row is not None or held or is_quarantined:
                    found[profile_id] = Loaded(
                        row.state if row is not None else None,
                        row.version if row is not None else 0,
                        tuple([held[number] for number in sorted(held)]) if held else (),
                        is_quarantined,
                    )
            return found

    def commit(self, transaction: Transaction) -> None:
        with self._lock:
            self._check(transaction)
            self._write(transaction)

    def due(self, until: int, limit: int) -> list[tuple[str, int]]:
        with self._lock:
            end = bisect_left(self.tables.timers, (until + 1, ""))
            due = (each for each in self.tables.timers[:end] if self._is_ours(each[1]))
            return [(profile_id, wake_at) for wake_at, profile_id in islice(due, limit)]

    def pending(self, limit: int) -> list[OutgoingEvent]:
        with self._lock:
            return list(islice(self._outgoing("pending"), limit))

    def mark_sent(self, event_ids: Sequence[str]) -> None:
        with self._lock:
            for event_id in event_ids:
                self.tables.outbox.pop(event_id, None)

    def withheld(self) -> list[OutgoingEvent]:
        with self._lock:
            return list(self._outgoing("held"))

    def quarantined(self, profile_id: str) -> list[QuarantinedEvent]:
        with self._lock:
            waiting = self.tables.quarantined.get(profile_id, {})
            return [waiting[number] for number in sorted(waiting)]

    def desks(self) -> Mapping[str, State]:
        with self._lock:
            return {name: state for name, state in self.tables.desks.items() if self._is_ours(name)}

    def blown(self) -> list[str]:
        with self._lock:
            return sorted({event.breaker for event in self._outgoing("held") if event.breaker is not None})

    def segment_sizes(self) -> Mapping[str | None, int]:
        with self._lock:
            return Counter(row.policy_segment for row in self._open_rows())

    def profile_ids(self) -> list[str]:
        with self._lock:
            return sorted([row.profile_id for row in self._open_rows()])

    def outdated(self, version: int) -> list[str]:
        with self._lock:
            known = ((row.profile_id, row.policy_version) for row in self._open_rows())
            return sorted([profile_id for profile_id, worked in known if worked is not None and worked != version])

    def waiting_for_account(self) -> list[str]:
        with self._lock:
            without = [profile_id for profile_id in self.tables.held if profile_id not in self.tables.rows]
            return sorted(filter(self._is_ours, without))

    def last_instant(self) -> int:
        with self._lock:
            return self.tables.last_instant

    def forget(self, before: int) -> int:
        with self._lock:
            old = [key for key, accepted_at in self.tables.inbox.items() if accepted_at < before]
            for key in old:
                del self.tables.inbox[key]
            return len(old)

    def close(self) -> None:
        """Nothing to let go of: a reader, or a store that takes over, may go on with what is here."""

    def _check(self, transaction: Transaction) -> None:
        """Raises `StoreConflict` before anything is written."""
        self._drop_lost()
        for subject in transaction.subjects():
            if not self._is_ours(subject):
                raise Fenced(f"the shard of {subject!r} is not {self.owner}'s")
        keys = [(source, event_id) for source, event_id, _ in transaction.inbox]
        _refuse_doubles("an event of the inbox", keys, self.tables.inbox)
        for profile_id, (row, follows) in transaction.followed().items():
            stored = self.tables.rows.get(profile_id)
            version = stored.version if stored is not None else 0
            if version != follows or (stored is None) != (follows == 0):
                raise StoreConflict(f"profile {profile_id!r} is at {version}: {row.version} follows {follows}")
        for what, table, entries in (
            ("a fact", self.tables.journal, transaction.journal),
            ("a held event", self.tables.held, transaction.held),
            ("a quarantined event", self.tables.quarantined, transaction.quarantined),
        ):
            numbers: dict[str, list[int]] = {}
            for entry in entries:
                numbers.setdefault(entry.profile_id, []).append(entry.number)
            for profile_id, some in numbers.items():
                _refuse_doubles(f"{what} of profile {profile_id!r}", some, table.get(profile_id, {}))
        _refuse_doubles("an outgoing event", [event.event_id for event in transaction.outbox], self.tables.outbox)

    def _write(self, transaction: Transaction) -> None:
        for source, event_id, accepted_at in transaction.inbox:
            self.tables.inbox[source, event_id] = accepted_at
        for row in transaction.profiles:
            before = self.tables.rows.get(row.profile_id)
            self.tables.rows[row.profile_id] = row
            self._set_timer(row.profile_id, before.wake_at if before is not None else None, row.wake_at)
        for entry in transaction.journal:
            self.tables.journal.setdefault(entry.profile_id, {})[entry.number] = entry
        for event in transaction.outbox:
            self.tables.outbox[event.event_id] = event
        for held in transaction.held:
            self.tables.held.setdefault(held.profile_id, {})[held.number] = held
        for profile_id, number in transaction.released:
            waiting = self.tables.held.get(profile_id, {})
            waiting.pop(number, None)
            if not waiting:
                self.tables.held.pop(profile_id, None)
        for quarantined in transaction.quarantined:
            self.tables.quarantined.setdefault(quarantined.profile_id, {})[quarantined.number] = quarantined
        for profile_id, number in transaction.unquarantined:
            waiting_there = self.tables.quarantined.get(profile_id, {})
            waiting_there.pop(number, None)
            if not waiting_there:
                self.tables.quarantined.pop(profile_id, None)
        for event_id in transaction.withdrawn:
            self.tables.outbox.pop(event_id, None)
        for event_id in transaction.let_go:
            held_back = self.tables.outbox.get(event_id)
            if held_back is not None:
                self.tables.outbox[event_id] = replace(held_back, state="pending", breaker=None)
        self.tables.desks.update(transaction.desks)
        self.tables.last_instant = max(self.tables.last_instant, transaction.latest())

    def _set_timer(self, profile_id: str, before: int | None, after: int | None) -> None:
        if before == after:
            return
        if before is not None:
            del self.tables.timers[bisect_left(self.tables.timers, (before, profile_id))]
        if after is not None:
            insort(self.tables.timers, (after, profile_id))


def _refuse_doubles(what: str, keys: Sequence[Any], known: Mapping[Any, object]) -> None:
    if len(set(keys)) < len(keys):
        raise StoreConflict(f"{what} comes twice in one transaction")
    for key in keys:
        if key in known:
            raise StoreConflict(f"{what} is stored already: {key!r}")


class MemoryReader:
    """Looks at a `MemoryStore`. What it yields is as it was when it was asked."""

    def __init__(self, store: MemoryStore) -> None:
        self._store: Final = store

    def state(self, profile_id: str) -> State | None:
        row = self._store.tables.rows.get(profile_id)
        return row.state if row is not None else None

    def journal(self, profile_id: str) -> list[JournalEntry]:
        with self._store._lock:
            entries = self._store.tables.journal.get(profile_id, {})
            return [entries[number] for number in sorted(entries)]

    def history(self, kinds: Collection[type[Record]]) -> list[JournalEntry]:
        with self._store._lock:
            entries = [entry for of in self._store.tables.journal.values() for entry in of.values()]
        asked = [entry for entry in entries if type(entry.fact) in kinds]
        return sorted(asked, key=lambda entry: (entry.fact.at, entry.profile_id, entry.number))

    def profile_ids(self) -> list[str]:
        with self._store._lock:
            return sorted(self._store.tables.rows)

    def counts(self) -> Mapping[str, int]:
        store = self._store
        with store._lock:
            states = [event.state for event in store.tables.outbox.values()]
            return {
                "profiles": len(store.tables.rows),
                "journal": sum(map(len, store.tables.journal.values())),
                "inbox": len(store.tables.inbox),
                "timers": len(store.tables.timers),
                "pending": states.count("pending"),
                "held": sum(map(len, store.tables.held.values())),
                "quarantined": sum(map(len, store.tables.quarantined.values())),
            }

    def quarantine(self, limit: int) -> list[StandsStill]:
        with self._store._lock:
            firsts = [(of, of[min(of)]) for of in self._store.tables.quarantined.values()]
        found = [StandsStill(each.profile_id, len(of), each.accepted_at, each.reason) for of, each in firsts]
        return sorted(found, key=lambda each: (each.since, each.profile_id))[:limit]

    def quarantined(self, profile_id: str) -> list[QuarantinedEvent]:
        return self._store.quarantined(profile_id)

    def wake_at(self, profile_id: str) -> int | None:
        row = self._store.tables.rows.get(profile_id)
        return row.wake_at if row is not None else None

    def row(self, profile_id: str) -> ProfileRow | None:
        return self._store.tables.rows.get(profile_id)

    def rows(self) -> Iterator[ProfileRow]:
        for profile_id in self.profile_ids():
            row = self.row(profile_id)
            if row is not None:
                yield row

    def outbox(self) -> list[OutgoingEvent]:
        with self._store._lock:
            return list(self._store.tables.outbox.values())

    def strays(self) -> list[tuple[str, str]]:
        store = self._store
        with store._lock:
            known = store.tables.rows
            return [
                *(("journal", profile_id) for profile_id in sorted(store.tables.journal) if profile_id not in known),
                *(("timers", profile_id) for _, profile_id in store.tables.timers if profile_id not in known),
                *(("held", profile_id) for profile_id in sorted(store.tables.held) if profile_id in known),
            ]

    def close(self) -> None:
        """Nothing to let go of."""
