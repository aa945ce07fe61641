"""The few AMQP 0-9-1 frames that make the traffic, read and written in bulk.

aio-pika speaks the whole protocol and spends 100 µs on a message in each direction: futures, tasks and queues for
every one of its three frames. Here the frames that carry contents and confirmations are taken out of the stream before
aiormq sees them (2 to 3 µs a message), everything else passes through untouched: connection, channels, declarations,
consumers and heartbeats stay the library's business.
"""

import asyncio
from collections.abc import Iterable
from functools import lru_cache
from struct import Struct
from typing import Final, Protocol, SupportsIndex

_HEAD: Final = Struct(">BHI")
_LONG_LONG: Final = Struct(">Q")
_METHOD_ID: Final = Struct(">I")
_CONTENT: Final = Struct(">HHQH")
_ACK: Final = Struct(">BHIHHQBB")
_END: Final = b"\xce"
_END_OCTET: Final = 0xCE

METHOD: Final = 1
HEADER: Final = 2
BODY: Final = 3
_BASIC: Final = 60
PUBLISH: Final = _BASIC << 16 | 40
RETURN: Final = _BASIC << 16 | 50
DELIVER: Final = _BASIC << 16 | 60
ACK: Final = _BASIC << 16 | 80
NACK: Final = _BASIC << 16 | 120
BLOCKED: Final = 10 << 16 | 60
UNBLOCKED: Final = 10 << 16 | 61

_HEARTBEAT: Final = b"\x08\x00\x00\x00\x00\x00\x00\xce"
_HEARTBEAT_SECONDS: Final = 1.0
_MANDATORY: Final = b"\x01"
# Content type, headers, delivery mode and message id are there; the mode is persistent.
_PROPERTIES: Final = 0x8000 | 0x1000 | 0x0080
_HEADERS: Final = 0x2000
_PERSISTENT: Final = b"\x02"
SHORT_MAX: Final = 255
"""Bytes of a routing key or a message id, at most."""


class Tap(Protocol):
    """Takes the frames of one channel that concern it."""

    def frame(self, kind: int, data: bytes, start: int, stop: int) -> bool:
        """Looks at a frame, whose payload is ``data[start:stop]``; False: it is for the library."""

    def flush(self) -> None:
        """All frames that came together were shown."""


class BrokenStream(Exception):
    """What comes from the broker is not AMQP."""


class TappedReader(asyncio.StreamReader):
    """A stream for aiormq from which the frames of channels with a tap have been taken."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self.taps: Final[dict[int, Tap]] = {}
        self.heard_at: float = loop.time()
        """When something came last, whatever it was."""
        self.lost: Final[asyncio.Future[str]] = loop.create_future()
        """Done, with the reason, once nothing can come any more."""
        self._clock: Final = loop.time
        self._rest = b""
        self._passed_at = loop.time()

    def feed_data(self, data: Iterable[SupportsIndex]) -> None:
        """Deals out whole frames; what is left of one waits for the rest of it."""
        self.heard_at = self._clock()
        data = self._rest + bytes(data) if self._rest else bytes(data)
        taps = self.taps
        shown: set[Tap] = set()
        passed_from = position = 0
        passed: list[bytes] = []
        end = len(data)
        while end - position >= 8:
            kind, channel, size = _HEAD.unpack_from(data, position)
            if kind == 65:  # "AMQP": the server speaks another version of the protocol
                position = end
                break
            stop = position + 8 + size
            if stop > end:
                break
            tap = taps.get(channel)
            if tap is not None and tap.frame(kind, data, position + 7, stop - 1):
                if data[stop - 1] != _END_OCTET:
                    self.set_exception(BrokenStream("a frame does not end where it should"))
                    return
                shown.add(tap)
                if passed_from < position:
                    passed.append(data[passed_from:position])
                passed_from = stop
            position = stop
        if passed_from < position:
            passed.append(data[passed_from:position])
        self._rest = data[position:]
        self._pass_on(passed)
        for tap in shown:
            tap.flush()

    def touch(self) -> None:
        """Nothing is read just now, because we do not want to: the connection is well."""
        self.heard_at = self._clock()
        self._pass_on([])

    def _pass_on(self, frames: list[bytes]) -> None:
        now = self._clock()
        if not frames:
            if now - self._passed_at < _HEARTBEAT_SECONDS:
                return
            # The broker sends no heartbeats while it sends messages, which aiormq does not see: it would believe the
            # connection dead.
            frames = [_HEARTBEAT]
        self._passed_at = now
        super().feed_data(b"".join(frames))

    def feed_eof(self) -> None:
        """The broker has closed the connection."""
        self._lose("the connection was closed")
        super().feed_eof()

    def set_exception(self, exc: Exception) -> None:
        """The connection broke."""
        self._lose(f"the connection broke: {exc!r}")
        super().set_exception(exc)

    def _lose(self, reason: str) -> None:
        if not self.lost.done():
            self.lost.set_result(reason)


def method_id(data: bytes, start: int) -> int:
    """Class and method of a method frame, in one number."""
    number: int = _METHOD_ID.unpack_from(data, start)[0]
    return number


def long_long(data: bytes, start: int) -> int:
    """An unsigned number of 64 bits."""
    number: int = _LONG_LONG.unpack_from(data, start)[0]
    return number


def delivery_tag(data: bytes, start: int) -> int:
    """The tag of a delivery, behind the consumer's."""
    return long_long(data, start + 5 + data[start + 4])


def ack(channel: int, tag: int, multiple: bool) -> bytes:
    """Acknowledges one delivery, or all up to it."""
    return _ACK.pack(METHOD, channel, 13, _BASIC, 80, tag, multiple, _END_OCTET)


def _short(text: bytes) -> bytes:
    return bytes((len(text),)) + text


@lru_cache(maxsize=4_096)
def _publish(channel: int, exchange: str, routing_key: str) -> bytes:
    payload = b"".join(
        (_METHOD_ID.pack(PUBLISH), b"\x00\x00", _short(exchange.encode()), _short(routing_key.encode()), _MANDATORY)
    )
    return _HEAD.pack(METHOD, channel, len(payload)) + payload + _END


@lru_cache(maxsize=4_096)
def _table(name: str, value: bytes) -> bytes:
    entry = _short(name.encode()) + b"S" + _METHOD_ID.pack(len(value)) + value
    return _METHOD_ID.pack(len(entry)) + entry


@lru_cache(maxsize=64)
def _content_type(text: str) -> bytes:
    return _short(text.encode())


def publish(
    channel: int,
    exchange: str,
    routing_key: str,
    body: bytes,
    content_type: str,
    message_id: bytes,
    frame_max: int,
    header: tuple[str, bytes] | None = None,
) -> bytes:
    """The frames of one persistent, mandatory message. ``message_id`` and the key have at most `SHORT_MAX` bytes."""
    if header is None:
        flags, table = _PROPERTIES, b""
    else:
        flags, table = _PROPERTIES | _HEADERS, _table(*header)
    kind = _content_type(content_type)
    content = b"".join(
        (
            _HEAD.pack(HEADER, channel, 16 + len(kind) + len(table) + len(message_id)),
            _CONTENT.pack(_BASIC, 0, len(body), flags),
            kind,
            table,
            _PERSISTENT,
            bytes((len(message_id),)),
            message_id,
            _END,
        )
    )
    method = _publish(channel, exchange, routing_key)
    most = frame_max - 8
    if len(body) <= most:
        if not body:
            return method + content
        return b"".join((method, content, _HEAD.pack(BODY, channel, len(body)), body, _END))
    frames = [method, content]
    for first in range(0, len(body), most):
        part = body[first : first + most]
        frames += (_HEAD.pack(BODY, channel, len(part)), part, _END)
    return b"".join(frames)
