"""The publisher: billing on a client that is not ours, by both doors, until all is confirmed."""

import json
import threading
import time
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import pika

from domain.shards import shard_of
from tests.chaos.script import Script
from tests.services.plain_client import PlainClient

_BATCH: Final = 25
_SHARD_BATCH: Final = 5


class Parcel(NamedTuple):
    """A body with its address; ``events`` are those that it holds, each as often as it holds it."""

    exchange: str
    routing_key: str
    events: list[bytes]

    @property
    def body(self) -> bytes:
        """One event alone, or a batch."""
        return self.events[0] if len(self.events) == 1 else b"[" + b",".join(self.events) + b"]"


def is_event(body: bytes) -> bool:
    """Whether a body of a script is an event."""
    return b'"specversion"' in body


def parcels(bodies: Iterable[tuple[str, bytes]], shards: int, repeats: int = 1) -> Iterator[Parcel]:
    """Profiles of odd shards by the fast door, the others by the open one, so that each profile has one way.

    Each event comes one to ``repeats`` times. What is no JSON goes alone.
    """
    mixed: list[bytes] = []
    of_shard: dict[int, list[bytes]] = defaultdict(list)
    for subject, body in bodies:
        shard = shard_of(subject, shards)
        is_fast = subject != "" and shard % 2 == 1
        waiting = of_shard[shard] if is_fast else mixed
        if not subject and body.startswith(b"{"):
            yield Parcel("dms.in", "", [body])
            continue
        waiting.extend([body] * (1 + zlib.crc32(body) % repeats))
        if len(waiting) >= (_SHARD_BATCH if is_fast else _BATCH):
            yield Parcel("dms.shards", str(shard), waiting.copy()) if is_fast else Parcel("dms.in", "", waiting.copy())
            waiting.clear()
    if mixed:
        yield Parcel("dms.in", "", mixed)
    yield from (Parcel("dms.shards", str(shard), waiting) for shard, waiting in of_shard.items() if waiting)


@dataclass(slots=True)
class Published:
    """What was confirmed: sound ``lines``, each once; the ``unreadable`` bodies; how many ``events`` with repetitions.

    ``told_at`` is when an event was sent for the first time, in nanoseconds, by source and id.
    """

    lines: list[bytes] = field(default_factory=list)
    unreadable: set[bytes] = field(default_factory=set)
    told_at: dict[str, int] = field(default_factory=dict)
    events: int = 0

    def in_order(self) -> list[bytes]:
        """The lines in order of the time that they carry: what a replay wants."""
        return sorted(self.lines, key=lambda line: str(json.loads(line)["time"]))


class Publisher(threading.Thread):
    """Publishes one script in a thread of its own; ``rate`` is events a second, 0 as fast as it can."""

    def __init__(self, url: str, some: Script, shards: int, published: Published, rate: float, repeats: int) -> None:
        super().__init__(name="publisher", daemon=True)
        self.failure: BaseException | None = None
        self._url: Final = url
        self._script: Final = some
        self._shards: Final = shards
        self._published: Final = published
        self._rate: Final = rate
        self._repeats: Final = repeats
        self._enough: Final = threading.Event()
        self._client: PlainClient | None = None

    def end(self) -> None:
        """Publishes no more after what is under way; what was not published is not demanded."""
        self._enough.set()

    def run(self) -> None:
        """Publishes, and sends again what was not confirmed."""
        try:
            began, sent, known = time.monotonic(), 0, set[bytes]()
            for parcel in parcels(self._script.bodies, self._shards, self._repeats):
                if self._enough.is_set():
                    break
                self._deliver(parcel)
                self._note(parcel, known)
                sent += len(parcel.events)
                if self._rate:
                    time.sleep(max(0.0, began + sent / self._rate - time.monotonic()))
            self._hang_up()
        except BaseException as failure:
            self.failure = failure

    def _deliver(self, parcel: Parcel) -> None:
        """Until it is confirmed: what was under way when the broker died may have arrived, and comes again."""
        for event in parcel.events:
            if is_event(event):
                said = json.loads(event)
                self._published.told_at.setdefault(f"{said['source']}/{said['id']}", time.time_ns())
        while True:
            try:
                if self._client is None:
                    self._client = PlainClient(self._url)
                    # A node declares the doors; without one there is nothing to publish to.
                    self._client.channel.exchange_declare(parcel.exchange, passive=True)
                self._client.publish(parcel.exchange, parcel.routing_key, parcel.body)
                return
            except (pika.exceptions.AMQPError, OSError):
                self._hang_up()
                time.sleep(0.2)

    def _hang_up(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):  # whatever a connection says that is broken already
                client.close()

    def _note(self, parcel: Parcel, known: set[bytes]) -> None:
        published = self._published
        published.events += sum(map(is_event, parcel.events))
        for event in parcel.events:
            if event not in known:
                known.add(event)
                if is_event(event):
                    published.lines.append(event)
                else:
                    published.unreadable.add(event)
