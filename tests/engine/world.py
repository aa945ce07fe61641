"""A world for engine tests: the whole engine, actors included, on a store and a broker in memory, killed at will."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path

from adapters.cloud_events import decode
from adapters.letters import CODEC
from adapters.policy_files import load_policy
from domain.policy import Policy
from engine.engine import Engine, EngineSettings
from engine.ports import OutgoingEvent, Transaction
from sim.broker import MemoryBroker
from sim.clock import VirtualClock
from sim.store import MemoryStore


class Killed(Exception):
    """The process is gone, at this very point."""


class FaultyStore(MemoryStore):
    """Dies before or after writing the n-th commit, or loses the answer of it."""

    def __init__(self) -> None:
        super().__init__()
        self.commits = 0
        self.before: set[int] = set()
        self.after: set[int] = set()

    def commit(self, transaction: Transaction) -> None:
        self.commits += 1
        if self.commits in self.before:
            raise Killed(f"before commit {self.commits}")
        super().commit(transaction)
        if self.commits in self.after:
            raise Killed(f"after commit {self.commits}")


class PolicyHolder:
    """A policy source whose policy a test changes."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    def current(self) -> Policy:
        return self.policy


class World:
    """One store, one broker, one clock, and engines that come and go."""

    def __init__(
        self,
        policy: Policy | Path,
        store: MemoryStore | None = None,
        settings: EngineSettings | None = None,
    ) -> None:
        self.policies = PolicyHolder(load_policy(policy) if isinstance(policy, Path) else policy)
        self.store = store if store is not None else MemoryStore()
        self.clock = VirtualClock()
        self.published: list[OutgoingEvent] = []
        self.broker = MemoryBroker(self.published.extend)
        self.settings = settings or EngineSettings(confirms=True, pipelined=False, late_us=10**15)
        self.engine = self.start()

    def start(self) -> Engine:
        """A new engine takes up the work."""
        self.broker.redeliver()
        self.engine = Engine(self.store, self.broker, self.clock, self.policies, CODEC, self.settings)
        self.engine.begin()
        # Time stood still while the engine was away: nothing is late.
        self.engine._started_at = 0
        return self.engine

    def kill(self) -> Engine:
        """The process dies without a word, and another one starts."""
        self.engine._lane.stop(timeout_s=5)
        self.clock.move_to(0)  # what was not committed happens again, at its own instants
        return self.start()

    def turn(self, until: int, limit: int = 1_000) -> None:
        """One turn over what the broker has."""
        self.engine.turn(self.broker.receive(limit, 0), until)
        self.engine.settle_or_recover()

    def play(self, lines: Sequence[bytes], until: int, rng: random.Random | None = None) -> list[OutgoingEvent]:
        """All lines in batches, then the timers up to and including ``until``; what left, doubles dropped."""
        at = 0
        position = 0
        while position < len(lines):
            size = rng.randrange(1, 30) if rng is not None else 50
            for line in lines[position : position + size]:
                self.broker.offer(line)
                event = decode(line)[0]
                at = getattr(event, "time", None) or at
            position += size
            self._until_done(lambda instant=at: self.turn(instant))  # type: ignore[misc]
        self._until_done(lambda: self.turn(until + 1))
        return self.once()

    def once(self) -> list[OutgoingEvent]:
        """What a receiver sees that drops doubles by the event's id."""
        return list({event.event_id: event for event in self.published}.values())

    def _until_done(self, step: Callable[[], None]) -> None:
        while True:
            try:
                step()
                if not self.broker.unfinished:
                    return
            except Killed:
                self.kill()
