"""The in-process broker: the twin of a real one, and what a single node without RabbitMQ runs on."""

from collections import deque
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from threading import Condition
from typing import Final

from engine.ports import RECEIVE_BYTES_MAX, Delivery, OutgoingEvent

BrokerSink = Callable[[Sequence[OutgoingEvent]], None]


class BrokerFull(Exception):
    """More bodies wait than the broker may hold: the publisher must wait, nothing was taken."""


class MemoryBroker:
    """Bodies wait in order until they are acknowledged; outgoing events go to ``sink``, dead letters to a list.

    ``offer`` and all methods of the port may be called from any thread.
    """

    def __init__(self, sink: BrokerSink, waiting_max: int = 100_000, dead_letters_max: int = 10_000) -> None:
        self._sink: Final = sink
        self._waiting_max: Final = waiting_max
        self._changed: Final = Condition()
        self._waiting: Final[deque[Delivery]] = deque()
        self._delivered: Final[dict[int, Delivery]] = {}
        self._answers: Final[dict[int, Future[None]]] = {}
        self._tag = 0
        self._closed = False
        self.dead_letters: Final[deque[tuple[bytes, str]]] = deque(maxlen=dead_letters_max)

    def offer(self, body: bytes, block: bool = False) -> "Future[None]":
        """Takes a body in; the future is done when it is durable in the engine. Raises `BrokerFull`, or waits."""
        with self._changed:
            while len(self._waiting) >= self._waiting_max and block and not self._closed:
                self._changed.wait(1.0)
            if self._closed:
                raise BrokerFull("the broker has closed")
            if len(self._waiting) >= self._waiting_max:
                raise BrokerFull(f"{self._waiting_max} bodies wait already")
            self._tag += 1
            future: Future[None] = Future()
            future.set_running_or_notify_cancel()  # from here on nobody can cancel it under our hands
            self._answers[self._tag] = future
            self._waiting.append(Delivery(self._tag, body))
            self._changed.notify_all()
            return future

    def subscribe(self, shards: Collection[int]) -> None:
        """One queue holds the events of all shards, for one engine: there is nothing to choose."""

    def forward(self, bodies: Sequence[tuple[int, bytes]]) -> None:
        """Puts the bodies behind what waits."""
        for _, body in bodies:
            self.offer(body)

    def backlog(self) -> int:
        """Bodies that wait to be received."""
        return len(self._waiting)

    @property
    def unfinished(self) -> int:
        """Bodies that wait to be received or acknowledged."""
        return len(self._waiting) + len(self._delivered)

    def receive(self, limit: int, timeout_seconds: float) -> list[Delivery]:
        """Up to ``limit`` bodies in order, up to some 512 KiB; waits at most so long for the first."""
        with self._changed:
            if not self._waiting and not self._closed and timeout_seconds > 0:
                self._changed.wait(timeout_seconds)
            if self._closed:
                return []
            deliveries: list[Delivery] = []
            waiting, delivered = self._waiting, self._delivered
            room = RECEIVE_BYTES_MAX
            while waiting and len(deliveries) < limit and room > 0:
                delivery = waiting.popleft()
                room -= len(delivery.body)
                delivered[delivery.tag] = delivery
                deliveries.append(delivery)
            if deliveries:
                self._changed.notify_all()
            return deliveries

    def is_behind(self) -> bool:
        """Bodies come into their queues at once."""
        return False

    def acknowledge(self, tags: Sequence[int]) -> None:
        """Done with these; whoever offered them is told."""
        with self._changed:
            answers = [self._answers.pop(tag, None) for tag in tags]
            for tag in tags:
                self._delivered.pop(tag, None)
        for answer in answers:
            if answer is not None:
                answer.set_result(None)

    def redeliver(self) -> None:
        """What was not acknowledged comes again, before what waits."""
        with self._changed:
            self._waiting.extendleft(self._delivered[tag] for tag in sorted(self._delivered, reverse=True))
            self._delivered.clear()
            self._changed.notify_all()

    def publish(self, events: Sequence[OutgoingEvent]) -> list[str]:
        """Hands the events to the sink; all are confirmed when it returns."""
        self._sink(events)
        return [event.event_id for event in events]

    def dead_letter(self, body: bytes, reason: str) -> None:
        """Keeps the body with its reason."""
        self.dead_letters.append((body, reason))

    def wake(self) -> None:
        """Ends a `receive` that waits."""
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        """Nothing is received any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
