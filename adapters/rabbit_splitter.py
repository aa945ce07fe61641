"""The open door: what publishers put into `dms.in` is split by shard and forwarded, in order.

Every process has a splitter; the intake queue lets one of them work at a time, and gives its turn to the next one when
it is gone. A body is acknowledged when all that it holds is confirmed, so a crash forwards it again: the inbox knows
the events that it has seen. One whose dead letter is not taken waits for that by itself.
"""

from collections.abc import Callable
from threading import Event, Thread
from time import monotonic
from typing import Final

from adapters.rabbit_inbound import Inbound
from adapters.rabbit_link import Link, RabbitAddress, RabbitUnavailable, RabbitWatch
from adapters.rabbit_outbound import Outbound
from adapters.rabbit_parcels import Parcel, chained, dead_letter
from adapters.rabbit_split import Sorter
from adapters.rabbit_thread import RabbitThread
from adapters.rabbit_topology import INTAKE
from engine.envelope import Unreadable

_AT_ONCE: Final = 1_000
_WAIT_SECONDS: Final = 0.5
_RETRY_SECONDS_MIN: Final = 0.1
_RETRY_SECONDS_MAX: Final = 5.0


class Splitter:
    """Splits and forwards in a thread of its own, from `start` to `stop`.

    ``prefetch`` bodies of at most ``bytes_max`` bytes may be here at a time. What goes wrong is told to ``on_failure``,
    in that thread, and tried again, later each time.
    """

    def __init__(
        self,
        address: RabbitAddress,
        shards: int,
        *,
        prefetch: int = 2_000,
        bytes_max: int = 16 * 1024 * 1024,
        confirm_seconds: float = 10.0,
        watch: RabbitWatch | None = None,
        on_failure: Callable[[Exception], None] = lambda _: None,
    ) -> None:
        watch = watch if watch is not None else RabbitWatch()
        self.events = 0
        """Events that were forwarded and confirmed; again after a crash or a lost connection."""
        self.bodies = 0
        self.dead_letters = 0
        self._inbound: Final = Inbound(shards, prefetch, bytes_max, watch)
        self._outbound: Final = Outbound(shards, confirm_seconds, watch)
        self._out_link: Final = Link(address, "splitter out", self._outbound, watch)
        self._in_link: Final = Link(address, "splitter in", self._inbound, watch, after=self._out_link)
        self._connections: Final = RabbitThread((self._out_link, self._in_link), "splitter-rabbitmq")
        self._sorter: Final = Sorter(shards)
        # Dead letters that were not taken, each with the tag of its delivery, which waits with it.
        self._unburied: list[tuple[int, Unreadable]] = []
        self._bury_at = 0.0
        self._on_failure: Final = on_failure
        self._stopping: Final = Event()
        self._thread: Final = Thread(target=self._run, name="splitter", daemon=True)

    def start(self) -> None:
        """Connects and begins; returns at once, whether RabbitMQ is there or not."""
        self._inbound.subscribe({None: INTAKE})
        self._connections.start()
        self._thread.start()

    @property
    def is_connected(self) -> bool:
        """Whether both connections work."""
        return self._in_link.session is not None and self._out_link.session is not None

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def stop(self, timeout_seconds: float = 10.0) -> bool:
        """Finishes what is under way and disconnects; False where that takes longer than the time."""
        self._stopping.set()
        self._inbound.close()
        if self._thread.is_alive():
            self._thread.join(timeout_seconds)
        self._connections.stop()
        return not self._thread.is_alive()

    def _run(self) -> None:
        delay = _RETRY_SECONDS_MIN
        while not self._stopping.is_set():
            try:
                self._turn()
                delay = _RETRY_SECONDS_MIN
            except Exception as failure:
                self._on_failure(failure)
                # Whatever it was: nothing was acknowledged, and what was confirmed is known to the inbox.
                self._unburied.clear()
                self._inbound.redeliver()
                self._stopping.wait(delay)
                delay = min(2 * delay, _RETRY_SECONDS_MAX)

    def _turn(self) -> None:
        """One round: receive, sort, forward, acknowledge."""
        deliveries = self._inbound.receive(_AT_ONCE, _WAIT_SECONDS)
        dead = self._unburied if monotonic() >= self._bury_at else []
        if not deliveries and not dead:
            return
        tags = [*(tag for tag, _ in dead), *(delivery.tag for delivery in deliveries)]
        dead, self._unburied = dead.copy(), [] if dead else self._unburied
        sorter = self._sorter
        events = -sorter.events
        try:
            for delivery in deliveries:
                sorter.sort(delivery.body)
                dead += [(delivery.tag, each) for each in sorter.unreadable]
                sorter.unreadable.clear()
        finally:
            parcels = [*chained(sorter.finish())]
        events += sorter.events
        left = self._send(parcels, dead)
        self._unburied += left
        waiting = {tag for tag, _ in left}
        self._inbound.acknowledge([tag for tag in tags if tag not in waiting])
        self.events += events
        self.bodies += len(deliveries)
        self.dead_letters += len(dead) - len(left)

    def _send(self, parcels: list[Parcel], dead: list[tuple[int, Unreadable]]) -> list[tuple[int, Unreadable]]:
        """Returns the dead letters that were not taken: only their own deliveries wait for that."""
        letters = [dead_letter(each.body, each.reason) for _, each in dead]
        flight = self._outbound.send([*parcels, *letters])
        if flight.is_complete:
            return []
        why = RabbitUnavailable(flight.failures[0] if flight.failures else "RabbitMQ did not answer")
        confirmed = set(map(id, flight.confirmed))
        if not confirmed.issuperset(map(id, parcels)):
            raise why
        self._bury_at = monotonic() + _RETRY_SECONDS_MAX
        self._on_failure(why)
        return [each for each, letter in zip(dead, letters, strict=True) if id(letter) not in confirmed]
