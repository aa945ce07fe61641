"""The store of a replay: it remembers which events it has seen, and nothing of any profile.

A replay holds its profiles in memory and never begins again, so all that is needed of a store is that doubles are
known, for as many events as a recording may have.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.ports import Loaded, OutgoingEvent, QuarantinedEvent, State, StoreConflict, Transaction

Key: TypeAlias = tuple[str, str]
_Words: TypeAlias = NDArray[np.int64]

_SUFFIXES_MAX: Final = 10_000
_AT_ONCE: Final = 8_192
# Fewer keys than these are looked up one by one: a round of numpy costs 15 µs, a probe of one key 0.3.
_FEW: Final = 64


class SeenKeys:
    """A set of ``(source, id)`` pairs in 21 to 43 bytes a pair, 64 while it grows: an open-addressing table of digests.

    A digest is 128 bits: the hash of the pair, and that of the id with its source behind it. Python's SipHash is keyed
    and costs 0.2 µs for both (blake2b: 0.8); two pairs of n share a digest with a chance of n² / 2¹²⁹. The table's
    columns are the halves; a first half of 0 is an empty row. Hashing is double, at most three rows in four are full.
    """

    def __init__(self, capacity: int = 1 << 12) -> None:
        """``capacity`` is a power of two."""
        assert capacity & (capacity - 1) == 0, "a mask finds the row, and an odd step reaches every row"
        self._count = 0
        self._suffixes: Final[dict[str, str]] = {}
        self._make(capacity)

    def _make(self, capacity: int) -> None:
        self._firsts: _Words = np.zeros(capacity, np.int64)
        self._seconds: _Words = np.zeros(capacity, np.int64)
        # The same memory; reading one word takes 30 ns where numpy takes 100.
        self._first_at = self._firsts.data
        self._second_at = self._seconds.data
        self._mask = capacity - 1

    def __len__(self) -> int:
        return self._count

    @property
    def size_bytes(self) -> int:
        """What the table takes."""
        return self._firsts.nbytes + self._seconds.nbytes

    def add(self, keys: Sequence[Key]) -> list[int]:
        """Puts in pairs that differ from each other; returns the positions of those that were there already."""
        capacity = self._mask + 1
        while (self._count + len(keys)) * 4 > capacity * 3:
            capacity *= 2
        if capacity > self._mask + 1:
            self._grow(capacity)
        halves = list(map(hash, keys)), self._second_halves(keys)
        there = self._add_each(*halves) if len(keys) < _FEW else self._add_all(*halves)
        self._count += len(keys) - len(there)
        return there

    def _second_halves(self, keys: Sequence[Key]) -> list[int]:
        suffixes = self._suffixes
        if len(suffixes) > _SUFFIXES_MAX:
            suffixes.clear()
        halves: list[int] = []
        for source, event_id in keys:
            suffix = suffixes.get(source)
            if suffix is None:
                suffix = suffixes[source] = f"\0{source}"
            halves.append(hash(event_id + suffix))
        return halves

    def _add_all(self, first_halves: list[int], second_halves: list[int]) -> list[int]:
        firsts = np.array(first_halves, np.int64)
        firsts[firsts == 0] = 1
        seconds = np.array(second_halves, np.int64)
        slots = self._locate(firsts, seconds)
        is_there = self._firsts[slots] != 0
        there: list[int] = []
        if is_there.any():
            there.extend(map(int, np.flatnonzero(is_there)))
            firsts, seconds, slots = firsts[~is_there], seconds[~is_there], slots[~is_there]
        self._put(firsts, seconds, slots)
        return there

    def _add_each(self, first_halves: list[int], second_halves: list[int]) -> list[int]:
        there: list[int] = []
        for position, second in enumerate(second_halves):
            first = first_halves[position] or 1
            slot = self._walk(first & self._mask, first, second)
            if self._first_at[slot]:
                there.append(position)
            else:
                self._first_at[slot], self._second_at[slot] = first, second
        return there

    def _locate(self, firsts: _Words, seconds: _Words) -> _Words:
        """The row of each digest: the one that has it, or the empty one where it belongs."""
        slots = firsts & self._mask
        asked = self._elsewhere(slots, firsts, seconds, np.flatnonzero(self._firsts[slots]))
        while len(asked) >= _FEW:
            slots[asked] = (slots[asked] + (seconds[asked] | 1)) & self._mask
            asked = self._elsewhere(slots, firsts, seconds, asked)
        if len(asked):
            some = zip(slots[asked].tolist(), firsts[asked].tolist(), seconds[asked].tolist(), strict=True)
            slots[asked] = [self._walk(slot, first, second) for slot, first, second in some]
        return slots

    def _elsewhere(self, slots: _Words, firsts: _Words, seconds: _Words, asked: _Words) -> _Words:
        """Those of ``asked`` whose slot holds another digest."""
        here = slots[asked]
        there = self._firsts[here]
        is_other = (there != firsts[asked]) | (self._seconds[here] != seconds[asked])
        others: _Words = asked[is_other & (there != 0)]
        return others

    def _walk(self, slot: int, first: int, second: int) -> int:
        """The same for one digest, from a slot on."""
        step = second | 1
        while True:
            there = self._first_at[slot]
            if there == 0 or (there == first and self._second_at[slot] == second):
                return slot
            slot = (slot + step) & self._mask

    def _put(self, firsts: _Words, seconds: _Words, slots: _Words) -> None:
        """Writes digests into the empty rows that were found for them."""
        while True:
            # Of several that want the same row the last one gets it, in both columns; the others look on.
            self._firsts[slots] = firsts
            self._seconds[slots] = seconds
            is_out = (self._firsts[slots] != firsts) | (self._seconds[slots] != seconds)
            if not is_out.any():
                return
            firsts, seconds = firsts[is_out], seconds[is_out]
            slots = self._locate(firsts, seconds)

    def _grow(self, capacity: int) -> None:
        before, before_seconds = self._firsts, self._seconds
        self._make(capacity)
        for start in range(0, len(before), _AT_ONCE):
            firsts = before[start : start + _AT_ONCE]
            is_full = firsts != 0
            firsts, seconds = firsts[is_full], before_seconds[start : start + _AT_ONCE][is_full]
            self._put(firsts, seconds, self._locate(firsts, seconds))


class ReplayStore:
    """A `Store` that knows the inbox, the desks and the time; ``load`` and ``due`` know nothing. One thread at a time.

    Outgoing events are collected for the caller, who takes them as often as memory demands.
    """

    def __init__(self, knows_doubles: bool = True) -> None:
        """Without ``knows_doubles`` whoever sends events has taken doubles out, and no id is remembered."""
        self._knows_doubles: Final = knows_doubles
        self._seen: Final = SeenKeys()
        # Asked about and put into the table at once, which saves a second look; not seen before they are committed.
        self._asked: Final[set[Key]] = set()
        self._outbox: list[OutgoingEvent] = []
        self._desks: Final[dict[str, State]] = {}
        self._last_instant = 0

    @property
    def shards(self) -> int:
        return 1

    def claim(self, shards: Collection[int]) -> frozenset[int]:
        """A replay is alone."""
        return frozenset(shards)

    def renew(self) -> frozenset[int]:
        return frozenset({0})

    def hand_over(self, shards: Collection[int]) -> None:
        """Nobody is there to take them."""

    def take_outbox(self) -> list[OutgoingEvent]:
        """The outgoing events since it was last asked, in the order in which they were committed."""
        taken, self._outbox = self._outbox, []
        return taken

    def seen(self, keys: Sequence[Key]) -> set[Key]:
        if not self._knows_doubles:
            return set()
        asked = self._asked
        unique = set(keys)
        if len(unique) < len(keys):
            keys = list(unique)
        known = {keys[position] for position in self._seen.add(keys)}
        known -= asked
        asked |= unique
        asked -= known
        return known

    def load(self, profile_ids: Sequence[str]) -> Mapping[str, Loaded]:
        return {}

    def commit(self, transaction: Transaction) -> None:
        if self._knows_doubles:
            self._take_in(transaction)
        self._outbox.extend(transaction.outbox)
        self._desks.update(transaction.desks)
        self._last_instant = max(self._last_instant, transaction.latest())

    def _take_in(self, transaction: Transaction) -> None:
        keys = {(source, event_id) for source, event_id, _ in transaction.inbox}
        if len(keys) < len(transaction.inbox):
            raise StoreConflict("an event comes twice in one transaction")
        if not keys <= self._asked:
            self._refuse_seen(list(keys - self._asked))
        self._asked.difference_update(keys)

    def _refuse_seen(self, keys: list[Key]) -> None:
        for key in self.seen(keys):
            raise StoreConflict(f"an event was taken in before: {key}")

    def due(self, until: int, limit: int) -> list[tuple[str, int]]:
        return []

    def pending(self, limit: int) -> list[OutgoingEvent]:
        """Those not taken yet."""
        return self._outbox[:limit]

    def mark_sent(self, event_ids: Sequence[str]) -> None:
        """Who takes them sends them."""

    def withheld(self) -> list[OutgoingEvent]:
        return []

    def quarantined(self, profile_id: str) -> list[QuarantinedEvent]:
        return []

    def desks(self) -> Mapping[str, State]:
        return dict(self._desks)

    def blown(self) -> list[str]:
        return []

    def segment_sizes(self) -> Mapping[str | None, int]:
        return {}

    def profile_ids(self) -> list[str]:
        return []

    def outdated(self, version: int) -> list[str]:
        return []

    def waiting_for_account(self) -> list[str]:
        return []

    def last_instant(self) -> int:
        return self._last_instant

    def forget(self, before: int) -> int:
        """A recording is played once and to its end: nothing is forgotten."""
        return 0

    def close(self) -> None:
        """Nothing to let go of."""
