"""Bodies that come through this process, by HTTP or from a file, beside those that RabbitMQ brings: they go its way."""

from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from typing import Final

from adapters.rabbit_broker import RabbitBroker
from adapters.rabbit_split import Sorter
from engine.envelope import Unreadable
from sim.broker import BrokerFull

_WAITING_BYTES_MAX: Final = 64 << 20
_AT_ONCE: Final = 1_000
_LOOK_SECONDS: Final = 0.2
_RETRY_SECONDS_MIN: Final = 0.1
_RETRY_SECONDS_MAX: Final = 3.0

Offered = tuple[bytes, "Future[None]"]


class ForwardingMailbox:
    """Splits what is offered by shard and puts it into the shards' queues: the engine that works a shard may be any.

    A body is durable when RabbitMQ has confirmed all that was in it; until then it is tried again, so that doubles may
    come of it, which have no effect. For a dead letter that is not taken only its own body waits. Runs in a thread of
    its own, from `start` to `stop`.
    """

    def __init__(self, broker: RabbitBroker, shards: int) -> None:
        self.dead_letters = 0
        self._broker: Final = broker
        self._shards: Final = shards
        self._offered: Final[SimpleQueue[Offered]] = SimpleQueue()
        self._unburied: Final[list[tuple[Offered, list[Unreadable]]]] = []
        self._lock: Final = Lock()
        self._waiting_bytes = 0
        self._room: Final = Event()
        self._stopping: Final = Event()
        self._thread: Final = Thread(target=self._run, name="forwarding", daemon=True)

    def offer(self, body: bytes, block: bool = False) -> "Future[None]":
        """Takes a body in; the future is done when it is durable. Raises `BrokerFull`, or waits."""
        while not self._has_room_for(len(body)):
            if not block:
                raise BrokerFull(f"{self._waiting_bytes} bytes wait already")
            self._room.wait(_LOOK_SECONDS)
        future: Future[None] = Future()
        future.set_running_or_notify_cancel()
        self._offered.put((body, future))
        return future

    def start(self) -> None:
        """Forwards from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Forwards no more. What has not become durable is never answered: its publisher sends it again."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(15)

    def _has_room_for(self, size: int) -> bool:
        """Takes the room, where there is some; there always is for one body."""
        with self._lock:
            if self._stopping.is_set():
                raise BrokerFull("the node stops")
            if self._waiting_bytes and self._waiting_bytes + size > _WAITING_BYTES_MAX:
                self._room.clear()
                return False
            self._waiting_bytes += size
            return True

    def _run(self) -> None:
        while not self._stopping.is_set():
            taken = self._take()
            if taken:
                self._done(self._forward(taken))
            if self._unburied:
                self._done(self._bury())

    def _take(self) -> list[Offered]:
        """What is there, and at least one where one comes soon."""
        taken: list[Offered] = []
        try:
            taken.append(self._offered.get(timeout=_LOOK_SECONDS))
            while len(taken) < _AT_ONCE:
                taken.append(self._offered.get_nowait())
        except Empty:
            pass
        return taken

    def _done(self, some: list[Offered]) -> None:
        with self._lock:
            self._waiting_bytes -= sum(len(body) for body, _ in some)
            self._room.set()
        for _, future in some:
            future.set_result(None)

    def _forward(self, taken: list[Offered]) -> list[Offered]:
        """Forwards until all of it is confirmed, or the node stops; returns the bodies that held events alone."""
        sorter = Sorter(self._shards)
        events_only: list[Offered] = []
        for offered in taken:
            sorter.sort(offered[0])
            if sorter.unreadable:
                self._unburied.append((offered, sorter.unreadable.copy()))
                sorter.unreadable.clear()
            else:
                events_only.append(offered)
        bodies = [(int(parcel.routing_key), parcel.body) for parcel in sorter.finish()]
        pause = _RETRY_SECONDS_MIN
        while not self._stopping.is_set():
            try:
                self._broker.forward(bodies)
            except Exception:  # the connection says what is wrong with it, and comes back
                self._stopping.wait(pause)
                pause = min(_RETRY_SECONDS_MAX, pause * 2)
            else:
                return events_only
        return []

    def _bury(self) -> list[Offered]:
        """Sends what is no event to the dead letters; returns the bodies of which all is there."""
        buried: list[Offered] = []
        with suppress(Exception):
            while self._unburied and not self._stopping.is_set():
                offered, letters = self._unburied[0]
                while letters:
                    self._broker.dead_letter(letters[0].body, letters[0].reason)
                    del letters[0]
                    self.dead_letters += 1
                buried.append(offered)
                del self._unburied[0]
        return buried
