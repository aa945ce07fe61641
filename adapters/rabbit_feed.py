"""One queue's deliveries on one channel, from the frames to the acknowledgement."""

from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Final

from aiormq.abc import AbstractChannel

from adapters.rabbit_frames import BODY, DELIVER, HEADER, METHOD, delivery_tag, long_long, method_id
from engine.ports import Delivery

Arrived = Callable[["Feed", list[Delivery], int], None]


class Feed:
    """What came of a queue: first ``waiting``, then ``received``, in the order of their tags.

    ``base`` is added to the channel's delivery tags, so that a tag says which feed it is of. Whoever owns it holds a
    lock around everything but `frame` and `flush`.
    """

    def __init__(
        self,
        base: int,
        shard: int | None,
        name: str,
        library: AbstractChannel,
        prefetch: int,
        found: int,
        arrived: Arrived,
    ) -> None:
        assert library.number is not None
        self.base: Final = base
        self.shard: Final = shard
        self.name: Final = name
        self.library: Final = library
        self.channel: Final = library.number
        self.prefetch: Final = prefetch
        self.waiting: Final[deque[Delivery]] = deque()
        self.received: Final[dict[int, Delivery]] = {}
        self.size = 0
        """Bytes of the bodies that are here."""
        self.is_over = False
        self.suspicions = 0
        self._found: Final = found
        self._came = 0
        self._came_bytes = 0
        self._came_at = monotonic()
        self._arrived: Final = arrived
        self._fresh: list[Delivery] = []
        self._fresh_size = 0
        self._tag = 0
        self._left = 0
        self._parts: list[bytes] = []

    # The tap.

    def frame(self, kind: int, data: bytes, start: int, stop: int) -> bool:
        """Puts deliveries together; everything else on the channel is the library's."""
        if kind == BODY:
            self._left -= stop - start
            if self._left > 0:
                self._parts.append(data[start:stop])
            elif self._parts:
                self._parts.append(data[start:stop])
                self._complete(b"".join(self._parts))
                self._parts = []
            else:
                self._complete(data[start:stop])
            return True
        if kind == HEADER:
            self._left = long_long(data, start + 4)
            if self._left == 0:
                self._complete(b"")
            return True
        if kind == METHOD and method_id(data, start) == DELIVER:
            self._tag = delivery_tag(data, start)
            return True
        return False

    def _complete(self, body: bytes) -> None:
        self._fresh_size += len(body)
        self._fresh.append(Delivery(self.base + self._tag, body, self.shard))

    def flush(self) -> None:
        """Hands over what is complete."""
        if self._fresh:
            fresh, self._fresh = self._fresh, []
            size, self._fresh_size = self._fresh_size, 0
            self._arrived(self, fresh, size)

    # The queue.

    def keep(self, deliveries: Sequence[Delivery], size: int) -> None:
        """These came."""
        self.waiting.extend(deliveries)
        self.size += size
        self._came += len(deliveries)
        self._came_bytes += size
        self._came_at = monotonic()
        self.suspicions = 0

    def take(self, most: int, room: int, into: list[Delivery]) -> int:
        """Moves up to ``most`` deliveries into a list, until their bodies have ``room`` bytes; returns how many."""
        waiting, received = self.waiting, self.received
        size = 0
        for _ in range(min(most, len(waiting))):
            delivery = waiting.popleft()
            received[delivery.tag] = delivery
            into.append(delivery)
            size += len(delivery.body)
            if size >= room:
                break
        return size

    def finish(self, tags: Sequence[int]) -> tuple[int, int, list[int]]:
        """Forgets received deliveries. How many they were, the tag up to which all are done (0: none), others."""
        received = self.received
        done: list[int] = []
        for tag in tags:
            delivery = received.pop(tag, None)
            if delivery is not None:
                done.append(tag)
                self.size -= len(delivery.body)
        # Redelivery and receiving keep the order of tags: the first that is left is the smallest.
        first_left = next(iter(received), None)
        if first_left is None:
            first_left = self.waiting[0].tag if self.waiting else None
        before = done if first_left is None else [tag for tag in done if tag < first_left]
        singles = [] if len(before) == len(done) else [tag for tag in done if tag > (first_left or 0)]
        return len(done), max(before, default=0), singles

    def put_back(self) -> bool:
        """What was received waits again, first; whether nothing had waited and something does now."""
        was_empty = not self.waiting
        self.waiting.extendleft(reversed(self.received.values()))
        self.received.clear()
        return was_empty and bool(self.waiting)

    def behind(self) -> int:
        """Bodies found at the start that have not come, and those that wait here."""
        return max(0, self._found - self._came) + len(self.waiting)

    def mean_size(self) -> int:
        """Bytes of a body, on average."""
        return self._came_bytes // max(1, self._came)

    def is_idle(self, since: float) -> bool:
        """Whether nothing is here and nothing came since then (monotonic)."""
        return not self.waiting and not self.received and self._came_at < since
