"""What RabbitMQ holds for us: names of exchanges and queues, and their declaration."""

from typing import Final

from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel
from aiormq.abc import FieldTable
from aiormq.exceptions import ChannelPreconditionFailed

IN: Final = "dms.in"
INTAKE: Final = "dms.intake"
SHARDS: Final = "dms.shards"
OUT: Final = "dms.out"
DEAD: Final = "dms.dead"
REASON: Final = "x-dms-reason"
"""The header that says why a body is among the dead letters."""
DELIVERY_LIMIT: Final = 1_000


class TopologyRefused(Exception):
    """A queue or an exchange of our name is there already and is not what we need; the message says which."""


def shard_queue(shard: int) -> str:
    """The queue of a shard."""
    return f"dms.shard.{shard}"


def _ordered(dead_letter_key: str) -> FieldTable:
    """One consumer at a time. With a delivery limit a quorum queue returns a body to its place, without to the back;
    dead letters are moved at least once only where the queue may refuse and never drops."""
    return {
        "x-queue-type": "quorum",
        "x-single-active-consumer": True,
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": dead_letter_key,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


async def declare(channel: AbstractChannel, shards: int) -> None:
    """Declares all of it, durable; what is there already stays as it is. Raises `TopologyRefused`."""
    name = DEAD
    try:
        await channel.declare_queue(DEAD, durable=True, arguments={"x-queue-type": "quorum"})
        name = OUT
        await channel.declare_exchange(OUT, ExchangeType.TOPIC, durable=True)
        name = INTAKE
        intake = await channel.declare_queue(INTAKE, durable=True, arguments=_ordered(DEAD))
        name = IN
        await intake.bind(await channel.declare_exchange(IN, ExchangeType.TOPIC, durable=True), "#")
        name = SHARDS
        by_shard = await channel.declare_exchange(SHARDS, ExchangeType.DIRECT, durable=True)
        for shard in range(shards):
            name = shard_queue(shard)
            queue = await channel.declare_queue(name, durable=True, arguments=_ordered(DEAD))
            await queue.bind(by_shard, str(shard))
    except ChannelPreconditionFailed as refusal:
        raise TopologyRefused(f"{name} is declared otherwise in RabbitMQ: {refusal}") from refusal
