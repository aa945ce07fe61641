"""One connection to RabbitMQ that is made anew whenever it is lost: no robust connection, a loop of our own."""

import asyncio
import logging
import random
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Protocol

from aio_pika import Connection
from aiormq.abc import AbstractChannel, AbstractConnection
from aiormq.connection import TransportFactory
from yarl import URL

from adapters.rabbit_frames import BLOCKED, METHOD, UNBLOCKED, TappedReader, method_id

_CONNECT_SECONDS: Final = 10.0
_ATTACH_SECONDS: Final = 60.0
_HEARTBEAT_SECONDS: Final = 10
# RabbitMQ sends a heartbeat every half of that time: four in a row are missing.
_SILENCE_SECONDS_MAX: Final = 20.0
_RETRY_SECONDS_MIN: Final = 0.2
_RETRY_SECONDS_MAX: Final = 3.0
_CLOSE_SECONDS: Final = 3.0
_AFTER_SECONDS: Final = 0.02


class RabbitUnavailable(Exception):
    """RabbitMQ cannot be reached, or does not take anything just now; the message says which and why."""


class RabbitWatch:
    """Hears what happens to the connections; the ground for logs, metrics and alerts. Here it keeps silent.

    Called in the thread of the connections: it must not block. ``role`` is ``in`` or ``out``, the splitter's after
    its name.
    """

    def connected(self, role: str) -> None:
        """A connection works, with all that belongs to it."""

    def disconnected(self, role: str, reason: str) -> None:
        """A connection is lost or was given up, or one could not be made; another attempt follows by itself."""

    def blocked(self, reason: str | None) -> None:
        """RabbitMQ is short of memory or disk and takes nothing in; None: it does again."""

    def unroutable(self, exchange: str, routing_key: str) -> None:
        """No queue is bound for this: events with this key stay pending."""

    def refused(self, exchange: str, routing_key: str) -> None:
        """RabbitMQ said no to a message (a negative confirmation): it stays pending."""

    def stalled(self, queue: str, waiting: int) -> None:
        """Bodies wait in a queue that we consume, and nothing comes: the consumer is made anew."""

    def shed(self, queue: str, prefetch: int) -> None:
        """Bodies are larger than there is memory for: the queue is consumed with a smaller prefetch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RabbitAddress:
    """Where RabbitMQ is. ``url`` names host, port and virtual host (``amqp://host:5672/dms``, or ``amqps://``);
    ``user`` and ``password`` win over what the URL says."""

    url: str
    user: str | None = None
    password: str | None = None

    def full(self, name: str) -> URL:
        """The URL to connect to; ``name`` is shown by RabbitMQ's own tools."""
        url = URL(self.url)
        if self.user is not None:
            url = url.with_user(self.user).with_password(self.password)
        return url.update_query(heartbeat=str(_HEARTBEAT_SECONDS), name=name)

    def __repr__(self) -> str:
        return f"RabbitAddress({URL(self.url).with_password(None)!s})"


class _Tapping(TransportFactory):
    """Makes the connection's streams; the reader is ours."""

    def __init__(self) -> None:
        self.reader: TappedReader | None = None
        self.transport: asyncio.Transport | None = None

    async def create(self, url: URL, **kwargs: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        loop = asyncio.get_running_loop()
        provider = kwargs.pop("ssl_context_provider")
        context = await provider.get_context() if url.scheme == "amqps" else None
        reader = TappedReader(loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        assert url.host is not None
        assert url.port is not None
        transport, _ = await loop.create_connection(lambda: protocol, url.host, url.port, ssl=context)
        self.reader, self.transport = reader, transport
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


class _Connection(Connection):
    """aio-pika's plain connection; we close it, the garbage collector need not: it runs in any thread."""

    def __del__(self) -> None:
        """Nothing is left to do."""


class Session:
    """A connection that works, until it ends. Belongs to the loop's thread."""

    def __init__(self, connection: Connection, reader: TappedReader, transport: asyncio.Transport) -> None:
        self.connection: Final = connection
        self.reader: Final = reader
        self.is_blocked = False
        self._transport: Final = transport

    @classmethod
    async def open(cls, address: RabbitAddress, name: str) -> "Session":
        """Connects; raises what goes wrong."""
        tapping = _Tapping()
        connection = _Connection(address.full(name))
        connection.kwargs["transport_factory"] = tapping
        try:
            await connection.connect(timeout=_CONNECT_SECONDS)
        except BaseException:
            if tapping.transport is not None:
                tapping.transport.abort()
            raise
        assert tapping.reader is not None
        assert tapping.transport is not None
        return cls(connection, tapping.reader, tapping.transport)

    @property
    def library(self) -> AbstractConnection:
        """aiormq's side of it."""
        assert self.connection.transport is not None
        return self.connection.transport.connection

    @property
    def frame_max(self) -> int:
        """Bytes of a frame, at most."""
        return self.library.connection_tune.frame_max or 131_072

    async def channel(self, confirms: bool) -> AbstractChannel:
        """A channel of its own number."""
        return await self.library.channel(publisher_confirms=confirms)

    def write(self, frames: bytes) -> None:
        """Sends whole frames; between two writes of the library's there is always a border of frames."""
        if not self._transport.is_closing():
            self._transport.write(frames)

    @property
    def unsent(self) -> int:
        """Bytes that the socket has not taken yet."""
        return self._transport.get_write_buffer_size()

    def pause(self) -> None:
        """Reads nothing for a while."""
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        """Reads on."""
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def give_up(self, reason: str) -> None:
        """Ends the connection at once: it is of no use."""
        if not self.reader.lost.done():
            self.reader.lost.set_result(reason)
        self._transport.abort()

    async def ended(self) -> str:
        """Waits until the connection is lost, closed or given up; returns why. Silence counts as a loss."""
        closing = self.library.closing
        while True:
            await asyncio.wait({self.reader.lost, closing}, timeout=1.0, return_when=asyncio.FIRST_COMPLETED)
            if self.reader.lost.done():
                return self.reader.lost.result()
            if closing.done():
                failure = None if closing.cancelled() else closing.exception()
                return f"RabbitMQ closed the connection: {failure}"
            silence = asyncio.get_running_loop().time() - self.reader.heard_at
            if silence > _SILENCE_SECONDS_MAX:
                self.give_up(f"nothing was heard of RabbitMQ for {silence:.0f} s")

    async def close(self) -> None:
        """Says goodbye where somebody listens."""
        if self.reader.lost.done():
            self._transport.abort()
        with suppress(Exception, asyncio.CancelledError):
            await asyncio.wait_for(self.connection.close(), _CLOSE_SECONDS)
        self._transport.abort()


class Attachment(Protocol):
    """What lives on a connection."""

    async def attach(self, session: Session) -> None:
        """Makes channels, consumers, what it needs; an exception ends the session."""

    def detach(self, reason: str) -> None:
        """The session has ended: nothing of it is left."""

    async def tick(self) -> None:
        """A second has passed; an exception ends the session."""


class _Alarm:
    """The tap of channel 0: hears that RabbitMQ blocks publishers, and leaves it to the library all the same."""

    def __init__(self, session: Session, watch: RabbitWatch) -> None:
        self._session: Final = session
        self._watch: Final = watch

    def frame(self, kind: int, data: bytes, start: int, stop: int) -> bool:
        if kind == METHOD:
            method = method_id(data, start)
            if method == BLOCKED:
                self._session.is_blocked = True
                self._watch.blocked(data[start + 5 : stop].decode(errors="replace"))
            elif method == UNBLOCKED:
                self._session.is_blocked = False
                self._watch.blocked(None)
        return False

    def flush(self) -> None:
        """Nothing is kept."""


class Link:
    """Keeps one connection with its attachment, for as long as it runs.

    It waits each time until the link that it comes ``after`` has a connection: that one declares what this one uses.
    """

    def __init__(
        self,
        address: RabbitAddress,
        role: str,
        attachment: Attachment,
        watch: RabbitWatch,
        after: "Link | None" = None,
    ) -> None:
        self.session: Session | None = None
        self.failure: str = "not connected yet"
        """Why there is no connection, the last time that was so."""
        self.reconnects = 0
        self._address: Final = address
        self._role: Final = role
        self._attachment: Final = attachment
        self._watch: Final = watch
        self._after: Final = after
        # Everything that ends a connection is told to the watch, once; aiormq would add a traceback for each.
        logging.getLogger("aiormq").setLevel(logging.CRITICAL)

    async def run(self) -> None:
        """Connects, and connects again, until it is cancelled."""
        delay = _RETRY_SECONDS_MIN
        while True:
            while self._after is not None and self._after.session is None:
                await asyncio.sleep(_AFTER_SECONDS)
            try:
                began = asyncio.get_running_loop().time()
                reason = await self._live()
                # It worked, and not for a moment only: what ended it is another trouble than the one before.
                if asyncio.get_running_loop().time() - began > _RETRY_SECONDS_MAX:
                    delay = _RETRY_SECONDS_MIN
                self._lose(reason)
            except Exception as failure:
                self._lose(f"{type(failure).__name__}: {failure}".rstrip(": "))
            # Many processes lose the same server at the same moment.
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))
            delay = min(2 * delay, _RETRY_SECONDS_MAX)

    async def _live(self) -> str:
        session = await Session.open(self._address, f"dms {self._role}")
        session.reader.taps[0] = _Alarm(session, self._watch)
        try:
            ended = asyncio.ensure_future(session.ended())
            attached = asyncio.ensure_future(asyncio.wait_for(self._attachment.attach(session), _ATTACH_SECONDS))
            try:
                await _first(attached, ended)
                if not ended.done():
                    self.session = session
                    self._watch.connected(self._role)
                while not ended.done():
                    tick = asyncio.ensure_future(self._attachment.tick())
                    await _first(tick, ended)
                    await asyncio.wait({ended}, timeout=1.0)
                return ended.result()
            finally:
                ended.cancel()
        finally:
            self.session = None
            self._attachment.detach("the connection ended")
            await session.close()

    def _lose(self, reason: str) -> None:
        self.failure = reason
        self.reconnects += 1
        self._watch.disconnected(self._role, reason)


async def _first(work: "asyncio.Future[None]", ended: "asyncio.Future[str]") -> None:
    """Waits for the work; the end of the session ends it too."""
    either: set[asyncio.Future[Any]] = {work, ended}
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    if work.done():
        work.result()
        return
    work.cancel()
    with suppress(BaseException):
        await work
