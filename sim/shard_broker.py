"""The twin of the broker with shards: one server, any number of clients, and faults from one seed."""

import random
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from threading import Condition
from typing import Final

from engine.ports import RECEIVE_BYTES_MAX, Delivery, OutgoingEvent


class ServerAway(Exception):
    """The twin's connection was cut, or its server did not answer: what was asked for may have happened or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerFaults:
    """How often a call meets a fault, as shares from 0 to 1."""

    cut: float = 0.0
    """The connection is lost before the call: what was not acknowledged comes again, under other tags."""
    lost_answer: float = 0.0
    """What was published or forwarded is there, in part, and fewer or none are confirmed."""
    doubled: float = 0.0
    """A body is there twice; the second one comes behind everything that waits."""
    late: float = 0.0
    """Nothing comes although bodies wait."""


NO_FAULTS: Final = BrokerFaults()


class ShardServer:
    """Queues by shard, what left, and the dead letters. ``listening``: topic patterns that have a receiver."""

    def __init__(self, shards: int, faults: BrokerFaults = NO_FAULTS, seed: int = 0) -> None:
        self.shards: Final = shards
        self.faults = faults
        self.listening: Final[set[str]] = set()
        self.left: Final[list[OutgoingEvent]] = []
        self.dead_letters: Final[list[tuple[bytes, str]]] = []
        self.changed: Final = Condition()
        self.queues: Final[tuple[deque[bytes], ...]] = tuple(deque() for _ in range(shards))
        self.consumers: Final[tuple[list[ShardBroker], ...]] = tuple([] for _ in range(shards))
        """Of each shard: the first one is the active one, the others wait for their turn."""
        self._rng: Final = random.Random(seed)

    def connect(self) -> "ShardBroker":
        """Another client."""
        return ShardBroker(self)

    def put(self, shard: int, body: bytes) -> None:
        """A publisher at the fast door."""
        with self.changed:
            self.queues[shard].append(body)
            if self.happens(self.faults.doubled):
                self.queues[shard].append(body)
            self.changed.notify_all()

    def happens(self, share: float) -> bool:
        """Whether a fault of this share happens now. Draws nothing where it never does."""
        return share > 0 and self._rng.random() < share

    def some_of(self, count: int) -> int:
        """How far something of so many parts came before it broke off."""
        return self._rng.randint(0, count)

    def is_heard(self, routing_key: str) -> bool:
        """Whether a queue is bound for the key."""
        return any(fits(pattern, routing_key) for pattern in self.listening)

    @property
    def waiting(self) -> int:
        """Bodies in all queues that no client holds."""
        return sum(map(len, self.queues))


@lru_cache(maxsize=4_096)
def fits(pattern: str, routing_key: str) -> bool:
    """Whether a topic pattern (``*`` one word, ``#`` any number) takes the key."""
    return _fits(tuple(pattern.split(".")), tuple(routing_key.split(".")))


def _fits(pattern: tuple[str, ...], words: tuple[str, ...]) -> bool:
    if not pattern:
        return not words
    if pattern[0] == "#":
        return any(_fits(pattern[1:], words[n:]) for n in range(len(words) + 1))
    return bool(words) and pattern[0] in ("*", words[0]) and _fits(pattern[1:], words[1:])


class ShardBroker:
    """A client: `engine.ports.Broker` on a `ShardServer`. All methods may be called from any thread."""

    def __init__(self, server: ShardServer) -> None:
        self._server: Final = server
        self._subscribed: list[int] = []
        self._again: Final[deque[Delivery]] = deque()
        self._received: Final[dict[int, Delivery]] = {}
        self._last_tag = 0
        self._turn = 0
        self._closed = False

    def subscribe(self, shards: Collection[int]) -> None:
        """Consumes exactly these; what is held of others goes back to the front of its queue."""
        server = self._server
        for shard in shards:
            if not 0 <= shard < server.shards:
                raise ValueError(f"there is no shard {shard}: they are 0 to {server.shards - 1}")
        with server.changed:
            self._give_back(set(self._subscribed) - set(shards))
            for shard in sorted(set(shards) - set(self._subscribed)):
                server.consumers[shard].append(self)
            self._subscribed = sorted(shards)
            server.changed.notify_all()

    def cut(self) -> None:
        """The connection is lost and made again: others may get their turn, tags mean nothing any more."""
        with self._server.changed:
            shards, self._subscribed = self._subscribed, []
            self._give_back(shards)
            for shard in shards:
                self._server.consumers[shard].append(self)
            self._subscribed = shards
            self._server.changed.notify_all()

    def crash(self) -> None:
        """The process is gone."""
        with self._server.changed:
            self._give_back(self._subscribed)
            self._subscribed = []
            self._closed = True
            self._server.changed.notify_all()

    def _give_back(self, shards: Collection[int]) -> None:
        held = sorted([*self._received.values(), *self._again], key=lambda delivery: delivery.tag, reverse=True)
        for delivery in held:
            if delivery.shard is not None and delivery.shard in shards:
                self._server.queues[delivery.shard].appendleft(delivery.body)
                self._received.pop(delivery.tag, None)
        kept = [delivery for delivery in self._again if delivery.shard not in shards]
        self._again.clear()
        self._again.extend(kept)
        for shard in shards:
            if self in self._server.consumers[shard]:
                self._server.consumers[shard].remove(self)

    def receive(self, limit: int, timeout_seconds: float) -> list[Delivery]:
        """One body of each shard in turn."""
        server = self._server
        with server.changed:
            if server.happens(server.faults.cut):
                self.cut()
            if server.happens(server.faults.late):
                return []
            if timeout_seconds > 0:
                server.changed.wait_for(lambda: self._closed or self._has_some(), timeout_seconds)
            return [] if self._closed else self._take(limit)

    def _mine(self) -> list[int]:
        """Shards that are this client's turn."""
        return [shard for shard in self._subscribed if self._server.consumers[shard][0] is self]

    def _has_some(self) -> bool:
        return bool(self._again) or any(self._server.queues[shard] for shard in self._mine())

    def _take(self, limit: int) -> list[Delivery]:
        taken: list[Delivery] = []
        room = RECEIVE_BYTES_MAX
        while self._again and len(taken) < limit and room > 0:
            taken.append(self._again.popleft())
            room -= len(taken[-1].body)
        mine = self._mine()
        self._turn += 1
        first = self._turn % len(mine) if mine else 0
        ready = deque(shard for shard in mine[first:] + mine[:first] if self._server.queues[shard])
        while ready and len(taken) < limit and room > 0:
            shard = ready.popleft()
            body = self._server.queues[shard].popleft()
            self._last_tag += 1
            taken.append(Delivery(self._last_tag, body, shard))
            room -= len(body)
            if self._server.queues[shard]:
                ready.append(shard)
        for delivery in taken:
            self._received[delivery.tag] = delivery
        return taken

    def backlog(self) -> int:
        """Bodies that wait in this client's queues, and those that come again."""
        with self._server.changed:
            return len(self._again) + sum(len(self._server.queues[shard]) for shard in self._subscribed)

    @property
    def unfinished(self) -> int:
        """Bodies that are here and not acknowledged."""
        return len(self._again) + len(self._received)

    def is_behind(self) -> bool:
        """Bodies come into their queues at once."""
        return False

    def acknowledge(self, tags: Sequence[int]) -> None:
        """Forgets them, unless the connection is cut just now."""
        with self._server.changed:
            if self._server.happens(self._server.faults.cut):
                self.cut()
            for tag in tags:
                self._received.pop(tag, None)

    def redeliver(self) -> None:
        """What was received and not acknowledged comes again, first."""
        with self._server.changed:
            again = sorted([*self._received.values(), *self._again], key=lambda delivery: delivery.tag)
            self._received.clear()
            self._again.clear()
            self._again.extend(again)
            self._server.changed.notify_all()

    def publish(self, events: Sequence[OutgoingEvent]) -> list[str]:
        """An event that nobody listens for keeps the later ones of its profile. Raises `ServerAway`."""
        server = self._server
        with server.changed:
            broken = bool(events) and server.happens(server.faults.lost_answer)
            sent = list(events[: server.some_of(len(events))] if broken else events)
            stuck: set[str] = set()
            confirmed: list[str] = []
            for event in sent:
                if event.profile_id in stuck:
                    continue
                if not server.is_heard(event.routing_key):
                    if event.profile_id:
                        stuck.add(event.profile_id)
                    continue
                server.left.append(event)
                confirmed.append(event.event_id)
            if not broken:
                return confirmed
            confirmed = confirmed[: server.some_of(len(confirmed))]
            if not confirmed:
                raise ServerAway("the confirmations were lost")
            return confirmed

    def forward(self, bodies: Sequence[tuple[int, bytes]]) -> None:
        """Puts the bodies into their queues. Raises `ServerAway`."""
        server = self._server
        with server.changed:
            broken = bool(bodies) and server.happens(server.faults.lost_answer)
            for shard, body in bodies[: server.some_of(len(bodies))] if broken else bodies:
                server.queues[shard].append(body)
            server.changed.notify_all()
            if broken:
                raise ServerAway("the confirmations were lost")

    def dead_letter(self, body: bytes, reason: str) -> None:
        """Keeps it. Raises `ServerAway`."""
        server = self._server
        with server.changed:
            server.dead_letters.append((body, reason))
            if server.happens(server.faults.lost_answer):
                raise ServerAway("the confirmation was lost")

    def close(self) -> None:
        """Nothing is received any more."""
        with self._server.changed:
            self._closed = True
            self._server.changed.notify_all()
