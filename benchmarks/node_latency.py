"""How long a command takes from its event: a publisher and a receiver in processes of their own, on one clock."""

import multiprocessing
import time
from collections.abc import Iterable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Final

import msgspec
import pika

from benchmarks.node_field import SHARDS, subject_of
from domain.shards import shard_of

_QUIET_SECONDS: Final = 5.0
_AT_ONCE: Final = 10


@dataclass
class Way:
    """What went through: when the last event of each account was published, and when its first command came."""

    events: int
    sent: dict[str, float]
    came: dict[str, float]
    began: float
    ended: float

    @property
    def events_a_second(self) -> float:
        """From the first publication to the last command."""
        return self.events / (self.ended - self.began)

    def seconds_from(self, first: int) -> list[float]:
        """Of the accounts numbered from ``first`` on, which all have a command. Raises RuntimeError where one has
        none."""
        probes = [subject for subject in self.sent if subject >= subject_of(first)]
        missing = [subject for subject in probes if subject not in self.came]
        if missing:
            raise RuntimeError(f"{len(missing)} of {len(probes)} debts had no command")
        return [self.came[subject] - self.sent[subject] for subject in probes]


def way(rabbit: str, events: Iterable[tuple[str, bytes]], events_a_second: float | None) -> Way:
    """Publishes single events by the fast door, evenly (None: as fast as it can), until the last command has come."""
    context = multiprocessing.get_context("spawn")
    some = list(events)
    receiving, theirs = context.Pipe()
    receiver = context.Process(target=_receive, args=(rabbit, theirs), daemon=True)
    receiver.start()
    receiving.recv()
    publishing, end = context.Pipe()
    publisher = context.Process(target=_publish, args=(rabbit, some, events_a_second, end), daemon=True)
    publisher.start()
    began, sent = publishing.recv()
    receiving.send("all is published")
    came, ended = receiving.recv()
    publishing.send("all has come")
    publisher.join()
    receiver.join()
    return Way(len(some), sent, came, began, ended)


def _publish(rabbit: str, events: list[tuple[str, bytes]], events_a_second: float | None, end: Connection) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(rabbit))
    channel = connection.channel()
    properties = pika.BasicProperties(delivery_mode=2)
    sent: dict[str, float] = {}
    began = time.time()
    for number, (subject, body) in enumerate(events):
        if events_a_second is not None and number % _AT_ONCE == 0:
            connection.sleep(max(0.0, began + number / events_a_second - time.time()))
        sent[subject] = time.time()
        channel.basic_publish("dms.shards", str(shard_of(subject, SHARDS)), body, properties)
    connection.process_data_events(0)
    end.send((began, sent))
    while not end.poll():  # what is not confirmed yet is lost with its channel
        connection.sleep(0.1)
    connection.close()


def _receive(rabbit: str, end: Connection) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(rabbit))
    channel = connection.channel()
    channel.queue_purge("receiver")
    channel.basic_qos(prefetch_count=2_000)
    bodies: list[tuple[float, bytes]] = []
    end.send("listening")
    last_at = time.time()
    for method, _, body in channel.consume("receiver", auto_ack=True, inactivity_timeout=0.5):
        now = time.time()
        if method is not None:
            bodies.append((now, body))
            last_at = now
        elif now - last_at > _QUIET_SECONDS and end.poll():
            break
    connection.close()
    came: dict[str, float] = {}
    for at, each in bodies:
        found = msgspec.json.decode(each)
        for event in found if isinstance(found, list) else [found]:
            if event["type"] == "dms.measure.requested.v1":
                came.setdefault(event["subject"], at)
    end.send((came, last_at))
