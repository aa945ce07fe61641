"""The outbox in memory: what is committed and has not left yet, in the order in which it was decided."""

from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import Final

from engine.ports import Broker, OutgoingEvent, Store

_AT_ONCE: Final = 5_000


class Outbox:
    """Publishes committed events in order. The store remembers what is still to go, so a crash sends it again."""

    def __init__(self, store: Store, broker: Broker) -> None:
        self._store: Final = store
        self._broker: Final = broker
        self._waiting: Final[deque[OutgoingEvent]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def recover(self) -> None:
        """Takes up what an engine before us committed and did not send."""
        self._waiting.clear()
        self._waiting.extend(self._store.pending(1_000_000))

    def add(self, events: Iterable[OutgoingEvent]) -> None:
        """These are committed."""
        self._waiting.extend(event for event in events if event.state == "pending")

    def pump(self) -> int:
        """Publishes what waits; returns how many left. What is not confirmed stays first, so that order is kept.

        Raises what the broker raises; then all of it is still there.
        """
        sent = 0
        while self._waiting:
            events = list(islice(self._waiting, _AT_ONCE))
            confirmed = set(self._broker.publish(events))
            self._store.mark_sent([event.event_id for event in events if event.event_id in confirmed])
            left_over = [event for event in events if event.event_id not in confirmed]
            for _ in events:
                self._waiting.popleft()
            self._waiting.extendleft(reversed(left_over))
            sent += len(events) - len(left_over)
            if left_over:
                break
        return sent
