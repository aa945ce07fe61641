"""What comes from RabbitMQ's queues: in order, bounded, acknowledged many at once."""

import asyncio
from collections import deque
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from threading import Condition
from typing import Final

from aiormq.abc import AbstractChannel
from aiormq.exceptions import ChannelNotFoundEntity

from adapters.rabbit_feed import Feed
from adapters.rabbit_frames import ack
from adapters.rabbit_link import RabbitWatch, Session
from adapters.rabbit_topology import declare
from engine.ports import RECEIVE_BYTES_MAX, Delivery

_PREFETCH_MIN: Final = 4
# A feed's number stands above the delivery tags of its channel, which start at 1 and grow by one.
_TAG_BITS: Final = 48
_TAG_MASK: Final = (1 << _TAG_BITS) - 1
_SHED_SECONDS: Final = 3.0
_STALL_SECONDS: Final = 20.0
_LOOK_SECONDS: Final = 10.0
_RPC_SECONDS: Final = 20.0


class Inbound:
    """Consumes queues over one connection, each on a channel of its own with a fresh consumer tag.

    One channel a queue: so "acknowledge all up to this" covers exactly what was committed of that queue, and to give a
    queue back is to close its channel, which returns what was not acknowledged, in order, before the next single
    active consumer gets anything. (To cancel the consumer would let the next one overtake what is still here.)

    ``prefetch`` is shared by the queues; ``bytes_max`` bounds the bodies held: above it nothing is read, and queues of
    large bodies are consumed with a smaller prefetch. Methods without ``async`` may be called from any thread.
    """

    def __init__(self, shards: int, prefetch: int, bytes_max: int, watch: RabbitWatch) -> None:
        self.received = 0
        """Bodies that came, redelivered ones included."""
        self.acknowledged = 0
        self.held_bytes = 0
        self._shards: Final = shards
        self._prefetch: Final = prefetch
        self._bytes_max: Final = bytes_max
        self._watch: Final = watch
        self._changed: Final = Condition()
        self._queues: Mapping[int | None, str] = {}
        self._feeds: Final[dict[int | None, Feed]] = {}
        self._by_number: Final[dict[int, Feed]] = {}
        self._ready: Final[deque[Feed]] = deque()
        self._fitted: Final[dict[int | None, int]] = {}
        self._last_number = 0
        self._closed = False
        self._session: Session | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reconciling: asyncio.Lock | None = None
        self._paused_at: float | None = None
        self._looked_at = 0.0
        self._reattach_below: int | None = None
        self._is_missing = False

    # Called by the engine.

    def subscribe(self, queues: Mapping[int | None, str]) -> None:
        """From now on exactly these queues (by shard) are consumed; what came of others is given back."""
        with self._changed:
            self._queues = dict(queues)
            for shard in [each for each in self._feeds if each not in self._queues]:
                self._drop(self._feeds[shard])
            loop = self._loop
        if loop is not None:
            loop.call_soon_threadsafe(self._reconcile_soon)

    def receive(self, limit: int, timeout_seconds: float) -> list[Delivery]:
        """Up to ``limit`` deliveries, fairly over the queues, up to some 512 KiB of bodies."""
        with self._changed:
            if not self._ready and timeout_seconds > 0 and not self._closed:
                self._changed.wait_for(lambda: self._ready or self._closed, timeout_seconds)
            if self._closed:
                return []
            return self._take(limit)

    def _take(self, limit: int) -> list[Delivery]:
        taken: list[Delivery] = []
        room = RECEIVE_BYTES_MAX
        ready = self._ready
        while ready and len(taken) < limit and room > 0:
            feed = ready[0]
            share = max(1, (limit - len(taken)) // len(ready))
            room -= feed.take(share, room, taken)
            if feed.waiting:
                ready.rotate(-1)
            else:
                ready.popleft()
        return taken

    def acknowledge(self, tags: Sequence[int]) -> None:
        """These are done with. Tags of a connection or a subscription that is over mean nothing any more."""
        by_feed: dict[int, list[int]] = {}
        for tag in tags:
            number = tag >> _TAG_BITS
            some = by_feed.get(number)
            if some is None:
                by_feed[number] = [tag]
            else:
                some.append(tag)
        frames: list[bytes] = []
        with self._changed:
            for number, some in by_feed.items():
                feed = self._by_number.get(number)
                if feed is None:
                    continue
                done, up_to, singles = feed.finish(some)
                self.acknowledged += done
                if up_to:
                    frames.append(ack(feed.channel, up_to & _TAG_MASK, True))
                frames.extend(ack(feed.channel, tag & _TAG_MASK, False) for tag in singles)
            session, loop = self._session, self._loop
        if frames and session is not None and loop is not None:
            loop.call_soon_threadsafe(self._send, session, b"".join(frames))

    def _send(self, session: Session, frames: bytes) -> None:
        session.write(frames)
        self._relieve()

    def redeliver(self) -> None:
        """What was received and not acknowledged comes again, before what waits."""
        with self._changed:
            for feed in self._feeds.values():
                if feed.put_back():
                    self._ready.append(feed)
            if self._ready:
                self._changed.notify_all()

    def backlog(self, patience_seconds: float) -> int:
        """Bodies that waited when the queues were first looked at and have not come, and those that wait here.

        Waits so long until every subscribed queue was looked at.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._feeds.keys() >= self._queues.keys(), patience_seconds)
            return sum(feed.behind() for feed in self._feeds.values())

    def ready_in(self, queue: str, timeout_seconds: float) -> int | None:
        """Bodies that wait in a queue, of those that RabbitMQ has given to nobody yet; None where it does not say."""
        session, loop = self._session, self._loop
        if session is None or loop is None:
            return None
        asked = asyncio.run_coroutine_threadsafe(_ready_in(session, queue), loop)
        try:
            return asked.result(timeout_seconds)
        except Exception:
            asked.cancel()
            return None

    @property
    def unfinished(self) -> int:
        """Bodies that are here and not acknowledged."""
        with self._changed:
            return sum(len(feed.waiting) + len(feed.received) for feed in self._feeds.values())

    def close(self) -> None:
        """Nothing is received any more; what was received may still be acknowledged."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    # In the loop's thread.

    async def attach(self, session: Session) -> None:
        """Consumes what is subscribed, over a new connection; a queue that was missing in the last one is made anew."""
        if self._is_missing:
            topology = session.connection.channel(publisher_confirms=False)
            async with topology:
                await declare(topology, self._shards)
            self._is_missing = False
        self._loop = asyncio.get_running_loop()
        self._reconciling = asyncio.Lock()
        self._session = session
        await self._reconcile(session)

    def detach(self, reason: str) -> None:
        """The connection is gone: RabbitMQ delivers again what was not acknowledged."""
        with self._changed:
            self._session = None
            self._paused_at = None
            for feed in list(self._feeds.values()):
                self._drop(feed)

    def _reconcile_soon(self) -> None:
        session = self._session
        if session is not None:
            _in_background(self._reconcile(session), session)

    async def _reconcile(self, session: Session) -> None:
        """Opens and closes channels until the consumed queues are the subscribed ones."""
        assert self._reconciling is not None
        async with self._reconciling:
            with self._changed:
                missing = [(shard, name) for shard, name in self._queues.items() if shard not in self._feeds]
                number = max(1, len(self._queues))
            if self._closed or session is not self._session or self._reattach_below is not None:
                return
            share = max(_PREFETCH_MIN, self._prefetch // number)
            openings = [self._open(session, shard, name, share) for shard, name in missing]
            for outcome in await asyncio.gather(*openings, return_exceptions=True):
                if isinstance(outcome, BaseException):
                    raise outcome

    async def _open(self, session: Session, shard: int | None, name: str, share: int) -> None:
        channel = await session.channel(confirms=False)
        try:
            declared = await channel.queue_declare(name, passive=True, timeout=_RPC_SECONDS)
        except ChannelNotFoundEntity:
            self._is_missing = True
            raise
        prefetch = min(share, self._fitted.get(shard, share))
        await channel.basic_qos(prefetch_count=prefetch, timeout=_RPC_SECONDS)
        assert channel.number is not None
        with self._changed:
            if self._queues.get(shard) != name or session is not self._session:
                feed = None
            else:
                self._last_number += 1
                feed = Feed(
                    self._last_number << _TAG_BITS,
                    shard,
                    name,
                    channel,
                    prefetch,
                    declared.message_count or 0,
                    self._arrived,
                )
                self._feeds[shard] = self._by_number[self._last_number] = feed
                self._changed.notify_all()
        if feed is None:
            await channel.close()
            return
        session.reader.taps[channel.number] = feed
        channel.closing.add_done_callback(lambda _: self._channel_closed(feed))
        channel.on_consumer_cancel_callbacks.add(lambda _: self._channel_closed(feed))
        await channel.basic_consume(name, _never, timeout=_RPC_SECONDS)

    def _arrived(self, feed: Feed, deliveries: list[Delivery], size: int) -> None:
        """Whole deliveries of one read."""
        with self._changed:
            if feed.is_over:
                return
            self.received += len(deliveries)
            self.held_bytes += size
            if not feed.waiting:
                self._ready.append(feed)
            feed.keep(deliveries, size)
            self._changed.notify_all()
        if self._paused_at is None and self.held_bytes > self._bytes_max and self._session is not None:
            self._paused_at = self._session.reader.heard_at
            self._session.pause()

    def _relieve(self) -> None:
        """Reads on as soon as there is room: a broker that cannot send for 15 s would close the connection."""
        with self._changed:
            self.held_bytes = sum(feed.size for feed in self._feeds.values())
        if self._paused_at is not None and self.held_bytes < self._bytes_max and self._session is not None:
            self._paused_at = None
            self._session.resume()
        if self._reattach_below is not None and self.held_bytes < self._reattach_below:
            self._reattach_below = None
            self._reconcile_soon()

    def _drop(self, feed: Feed) -> None:
        """Forgets a feed and closes its channel. With the lock held."""
        feed.is_over = True
        self._by_number.pop(feed.base >> _TAG_BITS, None)
        if self._feeds.get(feed.shard) is feed:
            del self._feeds[feed.shard]
        with suppress(ValueError):
            self._ready.remove(feed)
        if self._loop is not None and self._session is not None:
            self._loop.call_soon_threadsafe(self._close_channel, feed)

    def _close_channel(self, feed: Feed) -> None:
        if self._session is not None and not feed.library.is_closed:
            _in_background(_closed(feed.library), self._session)

    def _channel_closed(self, feed: Feed) -> None:
        with self._changed:
            if not feed.is_over:
                self._drop(feed)

    async def tick(self) -> None:
        """Every second: what is missing is opened again, back-pressure that lasts sheds, a stall is ended."""
        session = self._session
        if session is None:
            return
        now = asyncio.get_running_loop().time()
        self._relieve()
        if self._paused_at is not None:
            session.reader.touch()
            if now - self._paused_at > _SHED_SECONDS:
                self._shed(session)
            return
        # While nothing is read no answer comes either: nothing here may wait for one.
        self._reconcile_soon()
        if now - self._looked_at > _LOOK_SECONDS:
            self._looked_at = now
            _in_background(self._look_for_stalls(session, now), session)

    def _shed(self, session: Session) -> None:
        """Gives back what waits here of the queues with the largest bodies, and takes fewer of them at a time."""
        with self._changed:
            fair = self._bytes_max // max(1, len(self._feeds))
            for feed in [each for each in self._feeds.values() if each.size > fair // 2]:
                fitted = max(_PREFETCH_MIN, min(feed.prefetch // 2, fair // max(1, feed.mean_size())))
                self._fitted[feed.shard] = fitted
                self._watch.shed(feed.name, fitted)
                self._drop(feed)
            self.held_bytes = sum(feed.size for feed in self._feeds.values())
            self._reattach_below = self._bytes_max // 2
        self._paused_at = None
        session.resume()

    async def _look_for_stalls(self, session: Session, now: float) -> None:
        """A consumer to which nothing comes although bodies wait, and that nobody else has the turn of, is replaced."""
        with self._changed:
            idle = [feed for feed in self._feeds.values() if feed.is_idle(now - _STALL_SECONDS)]
        if not idle:
            return
        channel = await session.channel(confirms=False)
        try:
            for feed in idle:
                declared = await channel.queue_declare(feed.name, passive=True, timeout=_RPC_SECONDS)
                if not declared.message_count or (declared.consumer_count or 0) > 1:
                    feed.suspicions = 0
                    continue
                feed.suspicions += 1
                if feed.suspicions > 1 and feed.is_idle(now - _STALL_SECONDS):
                    self._watch.stalled(feed.name, declared.message_count)
                    with self._changed:
                        self._drop(feed)
        finally:
            await channel.close()


async def _ready_in(session: Session, queue: str) -> int:
    channel = await session.channel(confirms=False)
    try:
        declared = await channel.queue_declare(queue, passive=True, timeout=_RPC_SECONDS)
        return declared.message_count or 0
    finally:
        await _closed(channel)


async def _never(message: object) -> None:
    """Deliveries are taken out of the stream before the library sees them."""


async def _closed(channel: AbstractChannel) -> None:
    with suppress(Exception):
        await asyncio.wait_for(channel.close(), _RPC_SECONDS)


def _in_background(work: Coroutine[None, None, None], session: Session) -> None:
    """Does it beside everything else; if it fails, the connection is of no use."""
    task = asyncio.ensure_future(work)
    _TASKS.add(task)

    def done(_: "asyncio.Task[None]") -> None:
        _TASKS.discard(task)
        failure = None if task.cancelled() else task.exception()
        if failure is not None:
            session.give_up(f"{type(failure).__name__}: {failure}".rstrip(": "))

    task.add_done_callback(done)


# A loop holds its tasks weakly.
_TASKS: Final[set["asyncio.Task[None]"]] = set()
