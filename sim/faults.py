"""Faults from one seed: twins whose every step may fail, before it has done anything or after, with the answer lost."""

import random
from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256
from typing import Final

from engine.ports import Delivery, Loaded, OutgoingEvent, Transaction
from sim.shard_queues import ShardBroker, ShardQueues
from sim.store import MemoryStore


class Broken(Exception):
    """A step of the world failed; whether it took effect is not known."""


class Fate:
    """What fails, and when: one seed, one fate. It keeps a trace of all that was tried."""

    def __init__(self, seed: int, rate: float) -> None:
        """``rate`` is the chance that a step fails."""
        self.rng: Final = random.Random(f"fate {seed}")
        self.rate = rate
        self.failures = 0
        self._trace: Final = sha256()

    def step(self, what: str) -> bool:
        """Before a step: raises `Broken`, or says whether the answer will be lost when it is done."""
        luck = self.rng.random()
        fails, loses = luck < self.rate / 2, self.rate / 2 <= luck < self.rate
        self.note(f"{what} {fails} {loses}")
        if fails:
            self._break(what)
        return loses

    def after(self, what: str, is_lost: bool) -> None:
        """After the step: raises `Broken` where its answer is lost."""
        if is_lost:
            self._break(what)

    def note(self, what: str) -> None:
        """Adds a line to the trace."""
        self._trace.update(what.encode() + b"\n")

    @property
    def trace(self) -> str:
        """The hash of everything that was tried, in order: the same for the same seed."""
        return self._trace.hexdigest()

    def _break(self, what: str) -> None:
        self.failures += 1
        raise Broken(what)


class FaultyStore(MemoryStore):
    """A store whose answers may be lost. Make it a `faulty_sibling` of another one."""

    fate: Fate

    def seen(self, keys: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        self.fate.step("seen")
        return super().seen(keys)

    def load(self, profile_ids: Sequence[str]) -> Mapping[str, Loaded]:
        self.fate.step("load")
        return super().load(profile_ids)

    def commit(self, transaction: Transaction) -> None:
        is_lost = self.fate.step("commit")
        super().commit(transaction)
        self.fate.note(f"{transaction.inbox} {[event.event_id for event in transaction.outbox]}")
        self.fate.after("commit", is_lost)

    def due(self, until: int, limit: int) -> list[tuple[str, int]]:
        self.fate.step("due")
        return super().due(until, limit)

    def mark_sent(self, event_ids: Sequence[str]) -> None:
        is_lost = self.fate.step("mark_sent")
        super().mark_sent(event_ids)
        self.fate.after("mark_sent", is_lost)

    def claim(self, shards: Collection[int]) -> frozenset[int]:
        is_lost = self.fate.step("claim")
        claimed = super().claim(shards)
        self.fate.after("claim", is_lost)
        return claimed

    def renew(self) -> frozenset[int]:
        self.fate.step("renew")
        return super().renew()


def faulty_sibling(store: MemoryStore, owner: str, fate: Fate) -> FaultyStore:
    """The same store, opened by an owner whom fate strikes."""
    sibling = FaultyStore(owner, lease_seconds=store.lease_seconds, seconds=store.seconds, tables=store.tables)
    sibling.fate = fate
    return sibling


class FaultyBroker(ShardBroker):
    """A broker that delivers again what was acknowledged, confirms what it lost not, and loses confirms."""

    def __init__(self, queues: ShardQueues, fate: Fate) -> None:
        super().__init__(queues)
        self._fate: Final = fate

    def receive(self, limit: int, timeout_seconds: float) -> list[Delivery]:
        self._fate.step("receive")
        return super().receive(limit, timeout_seconds)

    def acknowledge(self, tags: Sequence[int]) -> None:
        """Where it fails, the connection is gone, and what was not acknowledged comes again."""
        try:
            is_lost = self._fate.step("acknowledge")
        except Broken:
            self.redeliver()
            raise
        super().acknowledge(tags)
        self._fate.after("acknowledge", is_lost)

    def publish(self, events: Sequence[OutgoingEvent]) -> list[str]:
        """May confirm only the first few, though more have left."""
        is_lost = self._fate.step("publish")
        if self._fate.rng.random() < self._fate.rate:
            count = self._fate.rng.randrange(len(events) + 1)
            super().publish(events[:count])
            confirmed = self._fate.rng.randrange(count + 1)
            return [event.event_id for event in events[:confirmed]]
        confirmed_all = super().publish(events)
        self._fate.after("publish", is_lost)
        return confirmed_all

    def forward(self, bodies: Sequence[tuple[int, bytes]]) -> None:
        is_lost = self._fate.step("forward")
        super().forward(bodies)
        self._fate.after("forward", is_lost)

    def dead_letter(self, body: bytes, reason: str) -> None:
        is_lost = self._fate.step("dead_letter")
        super().dead_letter(body, reason)
        self._fate.after("dead_letter", is_lost)
