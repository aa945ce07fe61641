"""Consume, acknowledge and publish with confirmations: our broker through its port beside a bare aio-pika loop.

Both do the same with the same messages on the same server, in turns, and nothing else with them. The processor's time
is this process's alone, so a neighbour does not spoil it. `python -m benchmarks.rabbit_rates [messages] [rounds]`;
the server is ``DMS_TEST_RABBIT``, each round has a virtual host of its own.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import aio_pika
from aio_pika.abc import AbstractIncomingMessage

from adapters.rabbit_broker import RabbitBroker
from adapters.rabbit_link import RabbitAddress
from adapters.rabbit_parcels import joined
from adapters.rabbit_topology import OUT, shard_queue
from benchmarks.filling import fill
from engine.ports import OutgoingEvent
from tests.services.plain_client import PlainClient
from tests.services.rabbit_hosts import VirtualHosts, virtual_hosts

SHARDS = 8
BATCH = 100
_AT_ONCE = 1_000
_KEY = "measure.gateway.sms"
_EVENT = (
    b'{"specversion":"1.0","id":"%010d","source":"billing","type":"dms.payment.received.v1","subject":"ACC-%06d",'
    b'"time":"2026-01-01T09:00:00+03:00","data":{"payment_id":"P-%010d","amount":120000}}'
)


@dataclass(frozen=True)
class Rate:
    """Of one run."""

    per_second: float
    cpu_us: float


def event(number: int) -> bytes:
    """A single event of some 200 bytes."""
    return _EVENT % (number, number % 5_000, number)


def filled(hosts: VirtualHosts, messages: int, events_a_message: int) -> str:
    """A virtual host whose shard queues hold the messages, and in which somebody listens."""
    url = hosts.take()
    broker = RabbitBroker(RabbitAddress(url=url), SHARDS)
    broker.start()
    bodies = []
    for number in range(messages):
        if events_a_message == 1:
            body = event(number)
        else:
            body = joined([event(number * events_a_message + each) for each in range(events_a_message)])
        bodies.append((number % SHARDS, body))
    with PlainClient(url) as plain:
        plain.channel.queue_declare("receiver", durable=True, arguments={"x-queue-type": "quorum"})
        plain.channel.queue_bind("receiver", OUT, "#")
    fill(url, "dms.shards", ((str(at), body) for at, body in bodies))
    broker.disconnect()
    return url


def measured(work: Callable[[], None], messages: int) -> Rate:
    """The rate and the processor's time of a message."""
    began, cpu = time.perf_counter(), time.process_time()
    work()
    took, used = time.perf_counter() - began, time.process_time() - cpu
    return Rate(messages / took, used / messages * 1e6)


def ours(url: str, messages: int) -> Rate:
    """Through the port, in the order in which the engine calls it."""
    broker = RabbitBroker(RabbitAddress(url=url), SHARDS)
    broker.start()

    def work() -> None:
        done = 0
        broker.subscribe(range(SHARDS))
        while done < messages:
            deliveries = broker.receive(_AT_ONCE, 1.0)
            events = [
                OutgoingEvent(f"ACC-{each.tag % 5_000}", str(each.tag), 0, _KEY, each.body) for each in deliveries
            ]
            confirmed = broker.publish(events)
            assert len(confirmed) == len(events)
            broker.acknowledge([each.tag for each in deliveries])
            done += len(deliveries)

    rate = measured(work, messages)
    broker.disconnect()
    return rate


def bare(url: str, messages: int, shards: int = SHARDS) -> Rate:
    """aio-pika as its documentation shows it: many publications at once, many acknowledged at once."""
    return measured(lambda: asyncio.run(_bare(url, messages, shards)), messages)


async def _bare(url: str, messages: int, shards: int) -> None:
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel(publisher_confirms=False)
        await channel.set_qos(prefetch_count=_AT_ONCE)
        out = await connection.channel()
        exchange = await out.get_exchange(OUT)
        came: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        for shard in range(shards):
            queue = await channel.get_queue(shard_queue(shard))
            await queue.consume(came.put)
        done = 0
        while done < messages:
            some = [await came.get()]
            while not came.empty() and len(some) < _AT_ONCE:
                some.append(came.get_nowait())
            await asyncio.gather(
                *(
                    exchange.publish(
                        aio_pika.Message(each.body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT), _KEY, timeout=30
                    )
                    for each in some
                )
            )
            await some[-1].ack(multiple=True)
            done += len(some)


def compare(messages: int, rounds: int, events_a_message: int) -> None:
    """One line: both rates, in events, and what an event costs each of us."""
    rates: dict[str, list[Rate]] = {"ours": [], "bare": []}
    for number in range(rounds):
        runs = [("ours", ours), ("bare", bare)]
        for name, run in runs if number % 2 else reversed(runs):
            with virtual_hosts() as hosts:
                rates[name].append(run(filled(hosts, messages, events_a_message), messages))
    each = {
        name: (
            statistics.median(rate.per_second for rate in some) * events_a_message,
            statistics.median(rate.cpu_us for rate in some) / events_a_message,
        )
        for name, some in rates.items()
    }
    print(
        f"{events_a_message} events a message, {messages:,} messages in and out: "
        f"{each['ours'][0]:,.0f} events/s at {each['ours'][1]:.2f} µs of processor an event; "
        f"bare aio-pika {each['bare'][0]:,.0f} at {each['bare'][1]:.2f}: "
        f"{each['ours'][0] / each['bare'][0]:.1f} x the rate, {each['ours'][1] / each['bare'][1]:.2f} x the cost"
    )


def main() -> None:
    messages = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    compare(messages, rounds, 1)
    compare(max(100, messages // 10), rounds, BATCH)


if __name__ == "__main__":
    main()
