"""From events to messages: what may leave together, and what must wait for whose confirmation."""

from collections.abc import Collection, Sequence
from hashlib import sha256
from typing import Final

from msgspec import Raw

from adapters.rabbit_frames import SHORT_MAX
from adapters.rabbit_topology import DEAD, REASON
from engine.ports import OutgoingEvent

ONE: Final = "application/cloudevents+json"
MANY: Final = "application/cloudevents-batch+json"
_BODY_BYTES_MAX: Final = 256 * 1024
_REASON_BYTES_MAX: Final = 1_000


class Parcel:
    """A message on its way. ``waits`` is how many parcels must be confirmed first, ``then`` are those that wait for it.

    ``ids`` are the events that it carries; ``header`` is one header, by name, or none.
    """

    __slots__ = ("body", "content_type", "exchange", "header", "ids", "is_returned", "message_id", "routing_key",
                 "then", "waits")  # fmt: skip

    def __init__(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        content_type: str = ONE,
        ids: Sequence[str] = (),
        header: tuple[str, bytes] | None = None,
    ) -> None:
        self.exchange: Final = exchange
        self.routing_key: Final = routing_key
        self.body = body
        self.content_type = content_type
        self.ids: Sequence[str] = ids
        self.header: Final = header
        self.message_id = b""
        self.waits = 0
        self.then: list[Parcel] | None = None
        self.is_returned = False

    def wait_for(self, other: "Parcel") -> None:
        """Must not leave before the other one is confirmed."""
        if other.then is None:
            other.then = [self]
        else:
            other.then.append(self)
        self.waits += 1


def chained(parcels: Sequence[Parcel]) -> Sequence[Parcel]:
    """The same parcels, each of a routing key behind the one before: in order even if one must be sent again."""
    last: dict[str, Parcel] = {}
    for parcel in parcels:
        before = last.get(parcel.routing_key)
        if before is not None:
            parcel.wait_for(before)
        last[parcel.routing_key] = parcel
    return parcels


def packed(exchange: str, events: Sequence[OutgoingEvent], batch: int, resting: Collection[str]) -> list[Parcel]:
    """Parcels of up to ``batch`` events of one routing key each, such that no event of a profile leaves before an
    earlier one of it is confirmed, or is in the same body.

    Keys in ``resting`` have no receiver just now: their events, and later ones of the same profiles, stay here.
    On one channel messages stay in order, but an earlier one may come back (no queue is bound for its key) while the
    later one leaves; therefore it waits. Events that belong to nobody (profile ``""``) wait for nothing.
    """
    return _singly(exchange, events, resting) if batch <= 1 else _together(exchange, events, batch, resting)


def _singly(exchange: str, events: Sequence[OutgoingEvent], resting: Collection[str]) -> list[Parcel]:
    parcels: list[Parcel] = []
    last: dict[str, Parcel | None] = {}
    for event in events:
        profile_id = event.profile_id
        before = last.get(profile_id) if profile_id in last else _NOTHING
        if before is None or (resting and event.routing_key in resting):
            if profile_id:
                last[profile_id] = None
            continue
        parcel = Parcel(exchange, event.routing_key, event.body, ONE, (event.event_id,))
        parcel.message_id = message_id(event.event_id)
        if profile_id:
            if before is not _NOTHING:
                parcel.wait_for(before)
            last[profile_id] = parcel
        parcels.append(parcel)
    return parcels


_NOTHING: Final = Parcel("", "", b"")


class _Open:
    """A body that still has room; ``level`` is how many bodies must be confirmed one after the other before it."""

    __slots__ = ("bodies", "ids", "key", "level", "parcel", "size", "waits_for")

    def __init__(self, exchange: str, key: str, level: int) -> None:
        self.level: Final = level
        self.key: Final = key
        self.parcel: Final = Parcel(exchange, key, b"")
        self.bodies: Final[list[bytes]] = []
        self.ids: Final[list[str]] = []
        self.size = 0
        self.waits_for: Final[set[Parcel]] = set()


def _together(exchange: str, events: Sequence[OutgoingEvent], batch: int, resting: Collection[str]) -> list[Parcel]:
    made: list[_Open] = []
    opened: dict[tuple[int, str], _Open] = {}
    last: dict[str, _Open | None] = {}
    for event in events:
        profile_id, key = event.profile_id, event.routing_key
        before = last.get(profile_id)
        if (before is None and profile_id in last) or (resting and key in resting):
            if profile_id:
                last[profile_id] = None
            continue
        level = 0
        if before is not None:
            has_room = len(before.ids) < batch and before.size < _BODY_BYTES_MAX
            level = before.level if before.key == key and has_room else before.level + 1
        body = opened.get((level, key))
        if body is None or len(body.ids) >= batch or body.size >= _BODY_BYTES_MAX:
            body = opened[level, key] = _Open(exchange, key, level)
            made.append(body)
        body.bodies.append(event.body)
        body.ids.append(event.event_id)
        body.size += len(event.body)
        if before is not None and before is not body and before.parcel not in body.waits_for:
            body.waits_for.add(before.parcel)
            body.parcel.wait_for(before.parcel)
        if profile_id:
            last[profile_id] = body
    for body in made:
        parcel = body.parcel
        parcel.ids = body.ids
        parcel.message_id = message_id(body.ids[0])
        if len(body.bodies) == 1:
            parcel.body = body.bodies[0]
        else:
            parcel.content_type = MANY
            parcel.body = joined(body.bodies)
    return [body.parcel for body in made]


def joined(bodies: Sequence[bytes | Raw]) -> bytes:
    """One batch body of several events' own bytes."""
    return b"[" + b",".join(bodies) + b"]"


def message_id(event_id: str) -> bytes:
    """What AMQP calls the message: the event's id where it has room for it."""
    name = event_id.encode()
    return name if len(name) <= SHORT_MAX else sha256(name).hexdigest().encode()


def dead_letter(body: bytes, reason: str) -> Parcel:
    """What cannot be read, byte for byte, with the reason in a header."""
    header = REASON, reason.encode(errors="replace")[:_REASON_BYTES_MAX]
    return Parcel("", DEAD, body, "application/octet-stream", header=header)
