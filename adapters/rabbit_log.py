"""What happens to the connections to RabbitMQ, as operations read it."""

from typing import Final

from adapters.logs import Log
from adapters.rabbit_link import RabbitWatch


class RabbitLog(RabbitWatch):
    """Logs what it hears."""

    def __init__(self, log: Log) -> None:
        self._log: Final = log

    def connected(self, role: str) -> None:
        """In detail only: it is what is expected."""
        self._log.debug("RabbitMQ is connected", connection=role)

    def disconnected(self, role: str, reason: str) -> None:
        """A connection that is lost comes back by itself, or an alert says that it does not."""
        self._log.warn("no connection to RabbitMQ; it is tried again", connection=role, reason=reason)

    def blocked(self, reason: str | None) -> None:
        """RabbitMQ needs memory or disk."""
        if reason is None:
            self._log.info("RabbitMQ takes events again")
        else:
            self._log.error("RabbitMQ takes nothing in until it has room", reason=reason)

    def unroutable(self, exchange: str, routing_key: str) -> None:
        """Somebody has to bind a queue."""
        self._log.error(
            "no queue is bound for what leaves: it stays in the outbox", exchange=exchange, routing_key=routing_key
        )

    def refused(self, exchange: str, routing_key: str) -> None:
        """A queue is full, or its node is away."""
        self._log.warn("RabbitMQ refuses: it stays in the outbox", exchange=exchange, routing_key=routing_key)

    def stalled(self, queue: str, waiting: int) -> None:
        """Nothing came from a queue that is not empty."""
        self._log.warn("bodies wait and do not come: consumed anew", queue=queue, bodies=waiting)

    def shed(self, queue: str, prefetch: int) -> None:
        """Bodies are larger than planned for."""
        self._log.warn("bodies are large: fewer are taken at a time", queue=queue, prefetch=prefetch)
