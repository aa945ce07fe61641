"""How long a command takes from its event: a publisher and a receiver in processes of their own, on one clock."""

import multiprocessing
import time
from multiprocessing.connection import Connection
from typing import Final

import msgspec
import pika

from benchmarks.node_field import SHARDS, debts
from domain.shards import shard_of

_QUIET_SECONDS: Final = 20.0
_AT_ONCE: Final = 10


def waits(rabbit: str, events_a_second: float, seconds: float, first: int) -> list[float]:
    """Seconds from the publication of each debt to its first command. ``first`` numbers the accounts.

    Publishes single events by the fast door, evenly. Raises RuntimeError where a command did not come.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    count = int(events_a_second * seconds / 2)
    receiver = context.Process(target=_receive, args=(rabbit, count, theirs), daemon=True)
    receiver.start()
    ours.recv()
    published: Connection
    published, end = context.Pipe()
    publisher = context.Process(target=_publish, args=(rabbit, count, events_a_second, first, end), daemon=True)
    publisher.start()
    sent: dict[str, float] = published.recv()
    came: dict[str, float] = ours.recv()
    publisher.join()
    receiver.join()
    missing = sent.keys() - came.keys()
    if missing:
        raise RuntimeError(f"{len(missing)} of {len(sent)} debts had no command")
    return [came[subject] - at for subject, at in sent.items()]


def _publish(rabbit: str, count: int, events_a_second: float, first: int, end: Connection) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(rabbit))
    channel = connection.channel()
    events = list(debts(count, first))
    properties = pika.BasicProperties(delivery_mode=2)
    sent: dict[str, float] = {}
    began = time.time()
    for number, (subject, body) in enumerate(events):
        if number % _AT_ONCE == 0:
            connection.sleep(max(0.0, began + number / events_a_second - time.time()))
        sent[subject] = time.time()
        channel.basic_publish("dms.shards", str(shard_of(subject, SHARDS)), body, properties)
    connection.close()
    end.send(sent)


def _receive(rabbit: str, count: int, end: Connection) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(rabbit))
    channel = connection.channel()
    channel.queue_purge("receiver")
    channel.basic_qos(prefetch_count=2_000)
    came: dict[str, float] = {}
    bodies: list[tuple[float, bytes]] = []
    end.send("listening")
    quiet_since = time.time()
    for method, _, body in channel.consume("receiver", auto_ack=True, inactivity_timeout=1.0):
        if method is not None:
            bodies.append((time.time(), body))
            quiet_since = time.time()
        if not bodies or time.time() - quiet_since > _QUIET_SECONDS or method is None:
            for at, each in bodies:
                found = msgspec.json.decode(each)
                for event in found if isinstance(found, list) else [found]:
                    if event["type"] == "dms.measure.requested.v1":
                        came.setdefault(event["subject"], at)
            bodies.clear()
            if len(came) >= count or time.time() - quiet_since > _QUIET_SECONDS:
                break
    connection.close()
    end.send(came)
