"""Queues filled before a measurement begins: many messages, all of them confirmed."""

import asyncio
from collections.abc import Iterable
from itertools import islice
from typing import Final

import aio_pika

_AT_ONCE: Final = 500


def fill(url: str, exchange: str, bodies: Iterable[tuple[str, bytes]]) -> None:
    """Publishes ``(routing key, body)`` persistently. What is not confirmed is lost if its channel closes too early."""
    asyncio.run(_filled(url, exchange, bodies))


async def _filled(url: str, exchange: str, bodies: Iterable[tuple[str, bytes]]) -> None:
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        to = await channel.get_exchange(exchange, ensure=False)
        rest = iter(bodies)
        while some := list(islice(rest, _AT_ONCE)):
            await asyncio.gather(
                *(to.publish(aio_pika.Message(body, delivery_mode=2), routing_key=key) for key, body in some)
            )
