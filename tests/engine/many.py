"""Several engines on one store and the queues of its shards, each with a will of its own."""

from collections.abc import Sequence
from pathlib import Path

from adapters.cloud_events import decode
from adapters.letters import CODEC
from adapters.policy_files import load_policy
from domain.policy import Policy
from domain.shards import shard_of
from engine.engine import Engine, EngineSettings
from engine.ports import OutgoingEvent
from sim.faults import Broken, Fate, FaultyBroker, faulty_sibling
from sim.shard_queues import ShardBroker, ShardQueues
from sim.store import MemoryStore
from tests.engine.world import PolicyHolder

SHARDS = 8


class PatientClock:
    """Takes the time that an event carries as it is: engines work their own shards each at its own pace."""

    def __init__(self) -> None:
        self.instant = 0
        self.passed = 0
        self.is_set_back = False

    def wait(self, microseconds: int) -> None:
        """Time passes; a clock that was set back stands still meanwhile."""
        self.passed += microseconds
        if not self.is_set_back:
            self.instant += microseconds

    def elapsed(self) -> int:
        return self.passed

    def now(self) -> int:
        return self.instant

    def stamp(self, recorded: int | None) -> int:
        if recorded is None:
            self.instant += 1
            return self.instant
        self.instant = max(self.instant, recorded)
        return recorded

    def reach(self, instant: int) -> None:
        self.instant = max(self.instant, instant)


class Told:
    """Coordination as the test says."""

    def __init__(self, shards: frozenset[int]) -> None:
        self.shards: frozenset[int] | None = shards

    def wanted(self) -> frozenset[int] | None:
        return self.shards

    def close(self) -> None:
        pass


class Member:
    """One engine with all that is its own."""

    def __init__(self, engine: Engine, broker: ShardBroker, told: Told, clock: PatientClock) -> None:
        self.engine = engine
        self.broker = broker
        self.told = told
        self.clock = clock

    def turn(self, until: int, limit: int = 50) -> bool:
        """Looks after its shards and works one batch; whether there was anything to work."""
        self.clock.wait(1_000_000)
        self.engine.tend()
        deliveries = self.broker.receive(limit, 0)
        # What whoever had a shard before still consumes comes later, and no timer before it.
        self.engine.turn(deliveries, 0 if self.broker.backlog() else until)
        self.engine.settle_or_recover()
        return bool(deliveries)

    def kill(self) -> None:
        """Gone without a word: its queues go to others at once, its leases do not."""
        self.engine._lane.stop(timeout_s=5)
        self.broker.close()


class Many:
    """The world of several engines. ``seconds`` is the clock of the store's leases."""

    def __init__(self, policy: Policy | Path) -> None:
        self.policies = PolicyHolder(load_policy(policy) if isinstance(policy, Path) else policy)
        self.seconds = 0.0
        self.store = MemoryStore("nobody", shards=SHARDS, seconds=lambda: self.seconds)
        self.published: list[OutgoingEvent] = []
        self.queues = ShardQueues(SHARDS, self.published.extend)
        self.settings = EngineSettings(confirms=True, pipelined=False, late_us=10**15)

    def join(self, name: str, shards: Sequence[int], fate: Fate | None = None) -> Member:
        """An engine that should work these shards, in a world that fails it as ``fate`` will."""
        broker = self.queues.connect() if fate is None else FaultyBroker(self.queues, fate)
        told = Told(frozenset(shards))
        clock = PatientClock()
        store = self.store.sibling(name) if fate is None else faulty_sibling(self.store, name, fate)
        engine = Engine(store, broker, clock, self.policies, CODEC, self.settings, told)
        while True:
            try:
                engine.begin()
                break
            except Broken:
                continue
        engine._started_at = 0
        return Member(engine, broker, told, clock)

    def publish(self, *bodies: bytes) -> None:
        """Bodies at the fast door, each in the queue of its shard."""
        for body in bodies:
            event = decode(body)[0]
            self.queues.put(shard_of(getattr(event, "subject", None) or "", SHARDS), body)

    def once(self) -> list[OutgoingEvent]:
        """What a receiver sees that drops doubles by the event's id."""
        return list({event.event_id: event for event in self.published}.values())

    def settle(self, members: Sequence[Member], until: int) -> None:
        """Lets everybody work until nothing is left."""
        for _ in range(1_000):
            # All that waits comes at once: what is left in a queue would come after timers that are later than it.
            busy = [member.turn(until, limit=10_000) for member in members]
            if not any(busy) and not self.queues.waiting:
                return
        raise AssertionError(f"{self.queues.waiting} bodies are never worked")
