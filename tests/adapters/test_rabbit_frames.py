"""Frames: what a tap takes is whole whatever the network makes of it, and what it leaves reaches the library."""

import asyncio
import itertools
from typing import Any

from aiormq import spec
from hypothesis import given
from hypothesis import strategies as st
from pamqp import body as content_body
from pamqp import frame, header
from pamqp.heartbeat import Heartbeat

from adapters.rabbit_feed import Feed
from adapters.rabbit_frames import TappedReader, ack, publish
from engine.ports import Delivery

CHANNEL = 7


class _Channel:
    """What a feed needs of the library's channel."""

    number = CHANNEL


def deliver(tag: int, body: bytes, frame_max: int, channel: int = CHANNEL) -> bytes:
    """The frames of a delivery, as pamqp writes them."""
    frames = [
        frame.marshal(spec.Basic.Deliver("ctag", tag, False, "dms.shards", "7"), channel),
        frame.marshal(
            header.ContentHeader(0, len(body), spec.Basic.Properties(content_type="text/x", message_id="m")), channel
        ),
    ]
    parts = [body[first : first + frame_max] for first in range(0, len(body), frame_max)]
    frames.extend(frame.marshal(content_body.ContentBody(part), channel) for part in parts)
    return b"".join(frames)


async def read(stream: bytes, cuts: list[int]) -> tuple[list[Delivery], bytes]:
    """The deliveries that a feed got out of a stream that came in pieces, and what was left for the library."""
    reader = TappedReader(asyncio.get_running_loop())
    came: list[Delivery] = []
    library: Any = _Channel()
    reader.taps[CHANNEL] = Feed(0, 3, "dms.shard.3", library, 10, 0, lambda _, some, __: came.extend(some))
    borders = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    for start, end in itertools.pairwise(borders):
        reader.feed_data(stream[start:end])
    reader.feed_eof()
    return came, await reader.read()


pieces = st.lists(
    st.one_of(
        st.binary(max_size=40).map(lambda body: ("ours", body)),
        st.binary(max_size=40).map(lambda body: ("theirs", body)),
        st.just(("heartbeat", b"")),
        st.just(("consume-ok", b"")),
    ),
    max_size=12,
)


@given(pieces, st.lists(st.integers(0, 10_000), max_size=6), st.integers(1, 50))
def test_deliveries_are_whole_and_everything_else_passes(
    some: list[tuple[str, bytes]], cuts: list[int], frame_max: int
) -> None:
    stream, passed = b"", b""
    bodies = []
    for number, (kind, body) in enumerate(some, 1):
        match kind:
            case "ours":
                bodies.append((number, body))
                stream += deliver(number, body, frame_max)
                continue
            case "theirs":
                frames = deliver(number, body, frame_max, CHANNEL + 1)
            case "heartbeat":
                frames = Heartbeat().marshal()
            case _:
                frames = frame.marshal(spec.Basic.ConsumeOk("ctag"), CHANNEL)
        stream += frames
        passed += frames
    came, left = asyncio.run(read(stream, cuts))
    assert [(each.tag, each.body, each.shard) for each in came] == [(number, body, 3) for number, body in bodies]
    assert left == passed


@given(st.binary(max_size=60), st.text(max_size=20), st.text(max_size=20), st.none() | st.text(max_size=9))
def test_a_published_message_is_what_another_library_reads(
    body: bytes, key: str, name: str, reason: str | None
) -> None:
    given_header = None if reason is None else ("x-dms-reason", reason.encode())
    data = publish(9, "dms.out", key, body, "application/cloudevents+json", name.encode(), 28, given_header)
    frames = []
    while data:
        used, channel, read_frame = frame.unmarshal(data)
        assert channel == 9
        frames.append(read_frame)
        data = data[used:]
    method, content, *parts = frames
    assert isinstance(method, spec.Basic.Publish)
    assert (method.exchange, method.routing_key, method.mandatory) == ("dms.out", key, True)
    assert isinstance(content, header.ContentHeader)
    properties = content.properties
    assert (properties.content_type, properties.delivery_mode) == ("application/cloudevents+json", 2)
    assert properties.message_id == name
    assert properties.headers == (None if reason is None else {"x-dms-reason": reason})
    assert content.body_size == len(body)
    assert b"".join(part.value for part in parts if isinstance(part, content_body.ContentBody)) == body
    assert all(isinstance(part, content_body.ContentBody) and len(part.value) <= 20 for part in parts)


def test_an_acknowledgement_is_what_another_library_reads() -> None:
    _, channel, read_frame = frame.unmarshal(ack(5, 2**40, True))
    assert isinstance(read_frame, spec.Basic.Ack)
    assert (channel, read_frame.delivery_tag, read_frame.multiple) == (5, 2**40, True)


def test_a_busy_connection_looks_alive_to_the_library() -> None:
    async def hear() -> bytes:
        reader = TappedReader(asyncio.get_running_loop())
        library: Any = _Channel()
        reader.taps[CHANNEL] = Feed(0, 3, "dms.shard.3", library, 10, 0, lambda *_: None)
        now = asyncio.get_running_loop().time()
        reader._clock = lambda: now  # type: ignore[misc]
        for number in range(1, 40):
            now += 0.5
            reader.feed_data(deliver(number, b"x", 100))
        reader.feed_eof()
        return await reader.read()

    heartbeats = asyncio.run(hear())
    assert heartbeats == Heartbeat().marshal() * (len(heartbeats) // 8)
    assert 10 <= len(heartbeats) // 8 <= 20


def test_a_stream_that_is_no_amqp_ends_the_connection() -> None:
    async def hear() -> str:
        reader = TappedReader(asyncio.get_running_loop())
        library: Any = _Channel()
        reader.taps[CHANNEL] = Feed(0, 3, "dms.shard.3", library, 10, 0, lambda *_: None)
        reader.feed_data(deliver(1, b"x", 100)[:-1] + b"\x00")
        return await reader.lost

    assert "a frame does not end where it should" in asyncio.run(hear())
