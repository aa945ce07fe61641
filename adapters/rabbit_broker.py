"""The broker on RabbitMQ: two connections, one that consumes the shards' queues and one that publishes.

Two, because RabbitMQ stops reading from a connection that publishes when it is short of memory: acknowledgements, which
are what frees it, must still get through.
"""

import time
from collections.abc import Collection, Sequence
from typing import Final

from adapters.rabbit_inbound import Inbound
from adapters.rabbit_link import Link, RabbitAddress, RabbitUnavailable, RabbitWatch
from adapters.rabbit_outbound import Outbound
from adapters.rabbit_parcels import ONE, Parcel, chained, dead_letter, packed
from adapters.rabbit_thread import RabbitThread
from adapters.rabbit_topology import INTAKE, OUT, SHARDS, shard_queue
from engine.ports import Delivery, OutgoingEvent


class RabbitBroker:
    """`engine.ports.Broker` over aio-pika.

    ``shards`` is the number of shard queues that there are, ``prefetch`` how many bodies may be here without being
    acknowledged, over all queues together, ``bytes_max`` how many bytes they may have. Up to ``out_batch`` events of
    one routing key share a body. A publication of which nothing is heard for ``confirm_seconds`` is given up.

    `start` before anything else; after `close`, which only ends receiving, `disconnect` when the engine has ended.
    """

    def __init__(
        self,
        address: RabbitAddress,
        shards: int,
        *,
        prefetch: int = 4_000,
        bytes_max: int = 64 * 1024 * 1024,
        out_batch: int = 1,
        confirm_seconds: float = 10.0,
        watch: RabbitWatch | None = None,
    ) -> None:
        watch = watch if watch is not None else RabbitWatch()
        self.inbound: Final = Inbound(shards, prefetch, bytes_max, watch)
        self.outbound: Final = Outbound(shards, confirm_seconds, watch)
        self._address: Final = address
        self._shards: Final = shards
        self._is_behind = True
        self.out_batch = out_batch
        """May change between publications."""
        self._out_link: Final = Link(address, "out", self.outbound, watch)
        self._in_link: Final = Link(address, "in", self.inbound, watch, after=self._out_link)
        self._thread: Final = RabbitThread((self._out_link, self._in_link), "rabbitmq")

    def start(self, timeout_seconds: float = 10.0) -> None:
        """Connects and declares the topology. Raises `RabbitUnavailable` where that does not come about in time;
        attempts go on all the same."""
        self._thread.start()
        deadline = time.monotonic() + timeout_seconds
        while not self.is_connected:
            if time.monotonic() > deadline:
                raise RabbitUnavailable(f"RabbitMQ at {self._address!r} cannot be used: {self._failure()}")
            time.sleep(0.01)

    @property
    def is_connected(self) -> bool:
        """Whether both connections work."""
        return self._in_link.session is not None and self._out_link.session is not None

    @property
    def is_blocked(self) -> bool:
        """Whether RabbitMQ takes nothing from publishers, since its memory or its disk is full."""
        session = self._out_link.session
        return session is not None and session.is_blocked

    @property
    def reconnects(self) -> int:
        """How often a connection was lost, or could not be made."""
        return self._in_link.reconnects + self._out_link.reconnects

    @property
    def unfinished(self) -> int:
        """Bodies that are here and not acknowledged."""
        return self.inbound.unfinished

    def _failure(self) -> str:
        return (self._out_link if self._out_link.session is None else self._in_link).failure

    def subscribe(self, shards: Collection[int]) -> None:
        """Consumes the queues of exactly these shards. ValueError for one that there is not."""
        wrong = [shard for shard in shards if not 0 <= shard < self._shards]
        if wrong:
            raise ValueError(f"there is no shard {wrong[0]}: they are 0 to {self._shards - 1}")
        self.inbound.subscribe({shard: shard_queue(shard) for shard in sorted(shards)})

    def receive(self, limit: int, timeout_seconds: float) -> list[Delivery]:
        """Deliveries of all queues in turn; none while there is no connection."""
        return self.inbound.receive(limit, timeout_seconds)

    def backlog(self) -> int:
        """Bodies that were ready when their queues were subscribed and have not come, and those that wait here."""
        return self.inbound.backlog(patience_seconds=10.0)

    def is_behind(self) -> bool:
        """Whether the open door's queue has not been found empty yet: what waited there comes first, too."""
        if self._is_behind:
            self._is_behind = self.inbound.ready_in(INTAKE, timeout_seconds=5.0) != 0
        return self._is_behind

    def acknowledge(self, tags: Sequence[int]) -> None:
        """Without a connection nothing happens: they will be delivered again."""
        self.inbound.acknowledge(tags)

    def redeliver(self) -> None:
        """What is here comes again from here; what a lost connection took with it, RabbitMQ delivers again."""
        self.inbound.redeliver()

    def publish(self, events: Sequence[OutgoingEvent]) -> list[str]:
        """Publishes to `OUT`. An event that is returned, refused or unanswered stops the later ones of its profile.

        Raises `RabbitUnavailable` where nothing was confirmed for want of a connection or an answer.
        """
        flight = self.outbound.send(packed(OUT, events, self.out_batch, self.outbound.resting(OUT)))
        confirmed = [event_id for parcel in flight.confirmed for event_id in parcel.ids]
        if not confirmed and flight.parcels and not flight.answers:
            raise RabbitUnavailable(flight.failures[0] if flight.failures else "RabbitMQ did not answer")
        return confirmed

    def forward(self, bodies: Sequence[tuple[int, bytes]]) -> None:
        """Publishes to the shards' queues, in order of each. Raises `RabbitUnavailable`."""
        parcels = [Parcel(SHARDS, str(shard), body, ONE) for shard, body in bodies]
        self._send_all(chained(parcels))

    def dead_letter(self, body: bytes, reason: str) -> None:
        """Publishes to the queue of dead letters. Raises `RabbitUnavailable`."""
        self._send_all([dead_letter(body, reason)])

    def _send_all(self, parcels: Sequence[Parcel]) -> None:
        flight = self.outbound.send(parcels)
        if not flight.is_complete:
            raise RabbitUnavailable(flight.failures[0] if flight.failures else "RabbitMQ did not answer")

    def close(self) -> None:
        """Receives nothing more. What was received may still be acknowledged, and what it brought be published."""
        self.inbound.close()

    def disconnect(self) -> None:
        """Ends both connections; what was not acknowledged goes back to its queues. May be called again."""
        self.inbound.close()
        self._thread.stop()
