"""The store in memory: the twin of the ones in adapters/, with the same answers and the same refusals.

A world with faults wraps `commit`: what fails before it was never written, what fails after it was, and only the
answer is lost.
"""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from threading import Lock
from typing import Any, Final

from engine.ports import (
    HeldEvent,
    JournalEntry,
    Loaded,
    OutgoingEvent,
    ProfileRow,
    QuarantinedEvent,
    State,
    StoreConflict,
    Transaction,
)


class MemoryStore:
    """Keeps everything in dicts for as long as it lives. Its methods may be called from several threads."""

    def __init__(self) -> None:
        self._lock: Final = Lock()
        self._inbox: Final[dict[tuple[str, str], int]] = {}
        self._rows: Final[dict[str, ProfileRow]] = {}
        self._journal: Final[dict[str, dict[int, JournalEntry]]] = {}
        # In order of instant, then of id.
        self._timers: Final[list[tuple[int, str]]] = []
        # In order of commit: a dict keeps the place of what is replaced.
        self._outbox: Final[dict[str, OutgoingEvent]] = {}
        self._held: Final[dict[str, dict[int, HeldEvent]]] = {}
        self._quarantined: Final[dict[str, dict[int, QuarantinedEvent]]] = {}
        self._desks: Final[dict[str, State]] = {}
        self._last_instant = 0

    def reader(self) -> "MemoryReader":
        """The side that looks."""
        return MemoryReader(self)

    def seen(self, keys: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        with self._lock:
            inbox = self._inbox
            return {key for key in keys if key in inbox}

    def load(self, profile_ids: Sequence[str]) -> Mapping[str, Loaded]:
        with self._lock:
            found: dict[str, Loaded] = {}
            for profile_id in profile_ids:
                row = self._rows.get(profile_id)
                held = self._held.get(profile_id)
                is_quarantined = profile_id in self._quarantined
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
            end = bisect_left(self._timers, (until + 1, ""))
            return [(profile_id, wake_at) for wake_at, profile_id in self._timers[: min(end, limit)]]

    def pending(self, limit: int) -> list[OutgoingEvent]:
        with self._lock:
            found: list[OutgoingEvent] = []
            for event in self._outbox.values():
                if len(found) >= limit:
                    break
                if event.state == "pending":
                    found.append(event)
            return found

    def mark_sent(self, event_ids: Sequence[str]) -> None:
        with self._lock:
            for event_id in event_ids:
                self._outbox.pop(event_id, None)

    def decide_held(self, breaker: str, let_go: bool) -> int:
        with self._lock:
            waiting = [each for each in self._outbox.values() if each.state == "held" and each.breaker == breaker]
            for event in waiting:
                decided = replace(event, state="pending", breaker=None) if let_go else replace(event, state="withdrawn")
                self._outbox[event.event_id] = decided
            return len(waiting)

    def desks(self) -> Mapping[str, State]:
        with self._lock:
            return dict(self._desks)

    def blown(self) -> list[str]:
        with self._lock:
            return sorted({e.breaker for e in self._outbox.values() if e.state == "held" and e.breaker is not None})

    def segment_sizes(self) -> Mapping[str | None, int]:
        with self._lock:
            return Counter(row.policy_segment for row in self._rows.values() if not row.is_closed)

    def profile_ids(self) -> list[str]:
        with self._lock:
            return sorted([row.profile_id for row in self._rows.values() if not row.is_closed])

    def waiting_for_account(self) -> list[str]:
        with self._lock:
            return sorted([profile_id for profile_id in self._held if profile_id not in self._rows])

    def last_instant(self) -> int:
        with self._lock:
            return self._last_instant

    def forget(self, before: int) -> int:
        with self._lock:
            old = [key for key, accepted_at in self._inbox.items() if accepted_at < before]
            for key in old:
                del self._inbox[key]
            return len(old)

    def close(self) -> None:
        """Nothing to let go of: a reader, or a store that takes over, may go on with what is here."""

    def _check(self, transaction: Transaction) -> None:
        """Raises `StoreConflict` before anything is written."""
        keys = [(source, event_id) for source, event_id, _ in transaction.inbox]
        _refuse_doubles("an event of the inbox", keys, self._inbox)
        for profile_id, (row, follows) in transaction.followed().items():
            stored = self._rows.get(profile_id)
            version = stored.version if stored is not None else 0
            if version != follows or (stored is None) != (follows == 0):
                raise StoreConflict(f"profile {profile_id!r} is at {version}: {row.version} follows {follows}")
        for what, table, entries in (
            ("a fact", self._journal, transaction.journal),
            ("a held event", self._held, transaction.held),
            ("a quarantined event", self._quarantined, transaction.quarantined),
        ):
            numbers: dict[str, list[int]] = {}
            for entry in entries:
                numbers.setdefault(entry.profile_id, []).append(entry.number)
            for profile_id, some in numbers.items():
                _refuse_doubles(f"{what} of profile {profile_id!r}", some, table.get(profile_id, {}))
        _refuse_doubles("an outgoing event", [event.event_id for event in transaction.outbox], self._outbox)

    def _write(self, transaction: Transaction) -> None:
        for source, event_id, accepted_at in transaction.inbox:
            self._inbox[source, event_id] = accepted_at
        for row in transaction.profiles:
            before = self._rows.get(row.profile_id)
            self._rows[row.profile_id] = row
            self._set_timer(row.profile_id, before.wake_at if before is not None else None, row.wake_at)
        for entry in transaction.journal:
            self._journal.setdefault(entry.profile_id, {})[entry.number] = entry
        for event in transaction.outbox:
            self._outbox[event.event_id] = event
        for held in transaction.held:
            self._held.setdefault(held.profile_id, {})[held.number] = held
        for profile_id, number in transaction.released:
            waiting = self._held.get(profile_id, {})
            waiting.pop(number, None)
            if not waiting:
                self._held.pop(profile_id, None)
        for quarantined in transaction.quarantined:
            self._quarantined.setdefault(quarantined.profile_id, {})[quarantined.number] = quarantined
        self._desks.update(transaction.desks)
        self._last_instant = max(self._last_instant, transaction.latest())

    def _set_timer(self, profile_id: str, before: int | None, after: int | None) -> None:
        if before == after:
            return
        if before is not None:
            del self._timers[bisect_left(self._timers, (before, profile_id))]
        if after is not None:
            insort(self._timers, (after, profile_id))


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
        row = self._store._rows.get(profile_id)
        return row.state if row is not None else None

    def journal(self, profile_id: str) -> list[JournalEntry]:
        with self._store._lock:
            entries = self._store._journal.get(profile_id, {})
            return [entries[number] for number in sorted(entries)]

    def profile_ids(self) -> list[str]:
        with self._store._lock:
            return sorted(self._store._rows)

    def counts(self) -> Mapping[str, int]:
        store = self._store
        with store._lock:
            states = [event.state for event in store._outbox.values()]
            return {
                "profiles": len(store._rows),
                "journal": sum(map(len, store._journal.values())),
                "inbox": len(store._inbox),
                "timers": len(store._timers),
                "pending": states.count("pending"),
                "held": sum(map(len, store._held.values())),
                "quarantined": sum(map(len, store._quarantined.values())),
            }

    def wake_at(self, profile_id: str) -> int | None:
        row = self._store._rows.get(profile_id)
        return row.wake_at if row is not None else None

    def row(self, profile_id: str) -> ProfileRow | None:
        return self._store._rows.get(profile_id)

    def rows(self) -> Iterator[ProfileRow]:
        for profile_id in self.profile_ids():
            row = self.row(profile_id)
            if row is not None:
                yield row

    def outbox(self) -> list[OutgoingEvent]:
        with self._store._lock:
            return list(self._store._outbox.values())

    def strays(self) -> list[tuple[str, str]]:
        store = self._store
        with store._lock:
            known = store._rows
            return [
                *(("journal", profile_id) for profile_id in sorted(store._journal) if profile_id not in known),
                *(("timers", profile_id) for _, profile_id in store._timers if profile_id not in known),
                *(("held", profile_id) for profile_id in sorted(store._held) if profile_id in known),
            ]

    def close(self) -> None:
        """Nothing to let go of."""
