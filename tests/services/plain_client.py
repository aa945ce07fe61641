"""Billing and a receiver, on an AMQP client that is not ours: they know the exchanges' names and CloudEvents."""

import logging
from types import TracebackType
from typing import Any

import pika

# What it tells of a server that is away would fill a failed test's report.
logging.getLogger("pika").setLevel(logging.CRITICAL)


class PlainClient:
    """One blocking connection of pika's."""

    def __init__(self, url: str) -> None:
        self._connection: Any = pika.BlockingConnection(pika.URLParameters(url))
        self.channel: Any = self._connection.channel()
        self.channel.confirm_delivery()

    def __enter__(self) -> "PlainClient":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection."""
        if self._connection.is_open:
            self._connection.close()

    def publish(self, exchange: str, routing_key: str, *bodies: bytes) -> None:
        """Publishes persistently; each is confirmed when it returns."""
        properties = pika.BasicProperties(content_type="application/cloudevents+json", delivery_mode=2)
        for body in bodies:
            self.channel.basic_publish(exchange, routing_key, body, properties, mandatory=True)

    def bind(self, queue: str, exchange: str, routing_key: str) -> None:
        """A classic queue of its own that gets what fits the key."""
        self.channel.queue_declare(queue, durable=True)
        self.channel.queue_bind(queue, exchange, routing_key)

    def bind_existing(self, queue: str, exchange: str, routing_key: str) -> None:
        """A queue that is there gets what fits the key."""
        self.channel.queue_bind(queue, exchange, routing_key)

    def unbind(self, queue: str, exchange: str, routing_key: str) -> None:
        """Takes the binding away."""
        self.channel.queue_unbind(queue, exchange, routing_key)

    def get(self, queue: str) -> list[tuple[Any, Any, bytes]]:
        """Everything that is in a queue now: delivery, properties, body."""
        found: list[tuple[Any, Any, bytes]] = []
        while True:
            method, properties, body = self.channel.basic_get(queue, auto_ack=True)
            if method is None:
                return found
            found.append((method, properties, body))

    def bodies(self, queue: str) -> list[bytes]:
        """The bodies that are in a queue now."""
        return [body for _, _, body in self.get(queue)]

    def count(self, queue: str) -> int:
        """Bodies that are ready in a queue."""
        return int(self.channel.queue_declare(queue, passive=True).method.message_count)
