"""Queues of shards in memory: the twin of a broker that many engines share. One consumer at a time has a queue."""

from collections import deque
from collections.abc import Collection, Sequence
from threading import Lock
from typing import Final

from engine.ports import Delivery, NothingLeft, OutgoingEvent
from sim.broker import BrokerSink

Place = tuple[int, int]
"""Where a body stands: its shard, and its number there."""


class ShardQueues:
    """What waits for each shard, in order, whoever consumes it. Events that leave go to ``sink``."""

    def __init__(self, shards: int, sink: BrokerSink) -> None:
        self.shards: Final = shards
        self.dead_letters: Final[list[tuple[bytes, str]]] = []
        self._sink: Final = sink
        self._lock: Final = Lock()
        self._bodies: Final[list[deque[tuple[int, bytes]]]] = [deque() for _ in range(shards)]
        self._last = 0
        # In the order in which they came: the first is the one that is served.
        self._consumers: Final[list[list[ShardBroker]]] = [[] for _ in range(shards)]

    def connect(self) -> "ShardBroker":
        """A connection of one engine."""
        return ShardBroker(self)

    def put(self, shard: int, body: bytes) -> None:
        """Appends a body to a shard's queue."""
        with self._lock:
            self._last += 1
            self._bodies[shard].append((self._last, body))

    @property
    def waiting(self) -> int:
        """Bodies that wait or are with a consumer that has not acknowledged them."""
        with self._lock:
            given = {id(consumer): consumer for some in self._consumers for consumer in some}
            return sum(map(len, self._bodies)) + sum(len(consumer._given) for consumer in given.values())


class ShardBroker:
    """Implements `engine.ports.Broker` over `ShardQueues`."""

    def __init__(self, queues: ShardQueues) -> None:
        self.is_away = False
        """Nothing can be published while it is."""
        self._queues: Final = queues
        self._given: Final[dict[int, tuple[int, bytes]]] = {}

    def subscribe(self, shards: Collection[int]) -> None:
        queues = self._queues
        with queues._lock:
            for shard, consumers in enumerate(queues._consumers):
                if shard in shards and self not in consumers:
                    consumers.append(self)
                elif shard not in shards and self in consumers:
                    consumers.remove(self)
            self._give_back([tag for tag, (shard, _) in self._given.items() if shard not in shards])

    def receive(self, limit: int, timeout_seconds: float) -> list[Delivery]:
        queues = self._queues
        deliveries: list[Delivery] = []
        with queues._lock:
            for shard, consumers in enumerate(queues._consumers):
                if consumers and consumers[0] is self:
                    bodies = queues._bodies[shard]
                    while bodies and len(deliveries) < limit:
                        tag, body = bodies.popleft()
                        self._given[tag] = shard, body
                        deliveries.append(Delivery(tag, body, shard))
        return deliveries

    def backlog(self) -> int:
        queues = self._queues
        with queues._lock:
            return sum(len(queues._bodies[n]) for n, some in enumerate(queues._consumers) if self in some)

    def is_behind(self) -> bool:
        """Bodies come into their queues at once."""
        return False

    def acknowledge(self, tags: Sequence[int]) -> None:
        """Tags of a connection, or a subscription, that is gone are not known any more: their bodies come again."""
        with self._queues._lock:
            for tag in tags:
                self._given.pop(tag, None)

    def redeliver(self) -> None:
        with self._queues._lock:
            self._give_back(list(self._given))

    def publish(self, events: Sequence[OutgoingEvent]) -> list[str]:
        if self.is_away:
            raise NothingLeft("the broker is away")
        for event in events:
            if event.to_shard is not None:
                self._queues.put(event.to_shard, event.body)
        self._queues._sink([event for event in events if event.to_shard is None])
        return [event.event_id for event in events]

    def forward(self, bodies: Sequence[tuple[int, bytes]]) -> None:
        for shard, body in bodies:
            self._queues.put(shard, body)

    def dead_letter(self, body: bytes, reason: str) -> None:
        self._queues.dead_letters.append((body, reason))

    def close(self) -> None:
        """The connection ends: what was not acknowledged comes again, to another one."""
        self.subscribe(())

    def _give_back(self, tags: list[int]) -> None:
        for tag in sorted(tags, reverse=True):
            shard, body = self._given.pop(tag)
            self._queues._bodies[shard].appendleft((tag, body))
