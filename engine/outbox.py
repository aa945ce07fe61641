"""The outbox in memory: what is committed and has not left yet, in the order in which it was decided."""

from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import Final

from engine.ports import Broker, OutgoingEvent, Store
from engine.tally import Tally
from engine.trail import Trail

_AT_ONCE: Final = 5_000


class Outbox:
    """Publishes committed events in order. The store remembers what is still to go, so a crash sends it again."""

    def __init__(self, store: Store, broker: Broker, tally: Tally, trail: Trail) -> None:
        self._store: Final = store
        self._broker: Final = broker
        self._tally: Final = tally
        self._trail: Final = trail
        self._waiting: Final[deque[OutgoingEvent]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def oldest_at(self) -> int | None:
        """When the first of what waits was decided; None where nothing waits. May be called from any thread."""
        try:
            return self._waiting[0].at
        except IndexError:
            return None

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
            confirmed = self._published(events)
            self._store.mark_sent([event.event_id for event in events if event.event_id in confirmed])
            if self._trail.follows:
                self._trail.published([event for event in events if event.event_id in confirmed])
            left_over = [event for event in events if event.event_id not in confirmed]
            for _ in events:
                self._waiting.popleft()
            self._waiting.extendleft(reversed(left_over))
            sent += len(events) - len(left_over)
            if left_over:
                self._tally.publish_failures += 1
                break
        return sent

    def _published(self, events: list[OutgoingEvent]) -> set[str]:
        try:
            return set(self._broker.publish(events))
        except Exception:
            self._tally.publish_failures += 1
            raise
