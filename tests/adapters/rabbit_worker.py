"""A small engine for fault tests: every body in, one event out, acknowledged when it has left; and its judge."""

import contextlib
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence

from adapters.rabbit_broker import RabbitBroker
from adapters.rabbit_link import RabbitAddress, RabbitWatch
from engine.ports import OutgoingEvent

SHARDS = 4
PROFILES = 20
KEY = "measure.gateway.sms"


def body(number: int) -> bytes:
    """The number-th event; its profile's are in order of their numbers."""
    return b"%d:%d" % (number % PROFILES, number)


def shard_of_number(number: int) -> int:
    """Where it is published."""
    return number % PROFILES % SHARDS


class Heard(RabbitWatch):
    """Remembers what it was told, and when."""

    def __init__(self) -> None:
        self.told: list[tuple[float, str, tuple[object, ...]]] = []

    def _tell(self, what: str, *values: object) -> None:
        self.told.append((time.monotonic(), what, values))

    def connected(self, role: str) -> None:
        self._tell("connected", role)

    def disconnected(self, role: str, reason: str) -> None:
        self._tell("disconnected", role, reason)

    def blocked(self, reason: str | None) -> None:
        self._tell("blocked", reason)

    def unroutable(self, exchange: str, routing_key: str) -> None:
        self._tell("unroutable", exchange, routing_key)

    def refused(self, exchange: str, routing_key: str) -> None:
        self._tell("refused", exchange, routing_key)

    def stalled(self, queue: str, waiting: int) -> None:
        self._tell("stalled", queue, waiting)

    def shed(self, queue: str, prefetch: int) -> None:
        self._tell("shed", queue, prefetch)

    def times(self, what: str) -> list[float]:
        """When it was told so."""
        return [at for at, each, _ in list(self.told) if each == what]

    def said(self, what: str) -> list[tuple[object, ...]]:
        """What it was told about it."""
        return [values for _, each, values in list(self.told) if each == what]


class Worker:
    """Runs in a thread of its own until it is stopped. What it took in it sends before it acknowledges."""

    def __init__(self, url: str, confirm_seconds: float = 2.0) -> None:
        self.heard = Heard()
        self.broker = RabbitBroker(RabbitAddress(url=url), SHARDS, confirm_seconds=confirm_seconds, watch=self.heard)
        self.failures: list[Exception] = []
        self.worked = 0
        self.worked_at = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self.broker.start(30.0)
        self.broker.subscribe(range(SHARDS))
        self._thread.start()

    def _run(self) -> None:
        while not self._stopping.is_set():
            deliveries = self.broker.receive(200, 0.2)
            events = [
                OutgoingEvent(each.body.partition(b":")[0].decode(), each.body.decode(), 0, KEY, each.body)
                for each in deliveries
            ]
            while events and not self._stopping.is_set():
                try:
                    left = set(self.broker.publish(events))
                    events = [event for event in events if event.event_id not in left]
                except Exception as failure:
                    self.failures.append(failure)
                    self._stopping.wait(0.1)
            if deliveries and not events:
                self.broker.acknowledge([each.tag for each in deliveries])
                self.worked += len(deliveries)
                self.worked_at = time.monotonic()

    def stop(self) -> float:
        """Ends it, as the engine is ended; returns the seconds that it took."""
        began = time.monotonic()
        self.broker.close()
        self._stopping.set()
        self._thread.join(20)
        self.broker.disconnect()
        return time.monotonic() - began


def judge(arrived: Sequence[bytes], published: int) -> None:
    """Each event arrived, doubles dropped, and a profile's for the first time in their order."""
    once = list(dict.fromkeys(arrived))
    by_profile: dict[bytes, list[int]] = defaultdict(list)
    for each in once:
        profile, _, number = each.partition(b":")
        by_profile[profile].append(int(number))
    assert sorted(int(each.partition(b":")[2]) for each in once) == list(range(published))
    for numbers in by_profile.values():
        assert numbers == sorted(numbers)


@contextlib.contextmanager
def at_work(worker: Worker) -> Iterator[Worker]:
    """Started, and ended whatever happens."""
    try:
        worker.start()
        yield worker
    finally:
        worker.stop()
