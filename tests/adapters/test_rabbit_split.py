"""Splitting by shard: every event goes where the engine looks for it, with its own bytes, in order."""

import json
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.cloud_events import decode
from adapters.rabbit_parcels import MANY, ONE
from adapters.rabbit_split import BYTES_MAX, EVENTS_MAX, Sorter
from domain.shards import shard_of
from engine.envelope import Envelope, Unreadable

SHARDS = 5


def event(subject: str, number: int, note: str = "") -> bytes:
    said = {"specversion": "1.0", "id": str(number), "source": "billing", "subject": subject, "note": note}
    return json.dumps(said, ensure_ascii=number % 2 == 0).encode()


def split(*bodies: bytes) -> tuple[dict[int, list[bytes]], list[bytes]]:
    """What each shard gets, event by event as the engine reads it, and what is unreadable."""
    sorter = Sorter(SHARDS)
    for body in bodies:
        sorter.sort(body)
    by_shard: dict[int, list[bytes]] = defaultdict(list)
    for parcel in sorter.finish():
        assert parcel.content_type == (MANY if parcel.body[:1] == b"[" else ONE)
        for each in decode(parcel.body):
            by_shard[int(parcel.routing_key)].append(each.body)
    return dict(by_shard), [each.body for each in sorter.unreadable]


def expected(*bodies: bytes) -> tuple[dict[int, list[bytes]], list[bytes]]:
    """The same, by the engine's own reading of the whole."""
    by_shard: dict[int, list[bytes]] = defaultdict(list)
    unreadable = []
    for body in bodies:
        for each in decode(body):
            if isinstance(each, Unreadable):
                unreadable.append(each.body)
            else:
                by_shard[shard_of(each.subject or "", SHARDS)].append(each.body)
    return dict(by_shard), unreadable


subjects = st.sampled_from([f"ACC-{n}" for n in range(20)]) | st.text(max_size=8)
elements = st.one_of(
    st.builds(event, subjects, st.integers(0, 99), st.text(max_size=5)),
    st.sampled_from([b"5", b'"x"', b"null", b"{}", b'{"subject":7}', b'{"subject":"a","subject":"ACC-2"}', b"[]"]),
    st.sampled_from([b'{"subject":"\xff"}', b'{"note":"\xff","subject":"ACC-1"}', b'{"subject":"a\\u0000"}']),
)
bodies = st.one_of(
    elements,
    st.lists(elements, max_size=8).map(lambda some: b"[" + b" ,\n".join(some) + b"]"),
    st.binary(max_size=12),
    st.sampled_from([b"", b"[", b" [1] ", b"{}{}", b"[{},]", b'{"subject":"ACC-1"', b"\xef\xbb\xbf{}"]),
)


@given(st.lists(bodies, max_size=12))
def test_each_shard_gets_its_events_byte_for_byte_in_order_and_the_rest_is_dead(some: list[bytes]) -> None:
    assert split(*some) == expected(*some)


def test_single_events_that_come_together_share_a_body() -> None:
    sorter = Sorter(1)
    for number in range(EVENTS_MAX + 10):
        sorter.sort(event("ACC-1", number))
    parcels = sorter.finish()
    assert [len(decode(parcel.body)) for parcel in parcels] == [EVENTS_MAX, 10]
    assert sorter.events == EVENTS_MAX + 10
    assert sorter.finish() == []


def test_large_events_share_a_body_only_as_far_as_it_stays_small() -> None:
    sorter = Sorter(1)
    for number in range(6):
        sorter.sort(event("ACC-1", number, "x" * (BYTES_MAX // 2)))
    assert [len(decode(parcel.body)) for parcel in sorter.finish()] == [2, 2, 2]


def test_an_event_that_nests_too_deeply_goes_on_and_does_not_take_its_batch_with_it() -> None:
    deep = b'{"subject":"ACC-1","data":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    by_shard, unreadable = split(b"[" + event("ACC-1", 1) + b"," + deep + b"," + event("ACC-1", 3) + b"]")
    read = [each for some in by_shard.values() for each in some]
    assert sorted([*read, *unreadable]) == sorted([event("ACC-1", 1), deep, event("ACC-1", 3)])
    assert by_shard == expected(event("ACC-1", 1), deep, event("ACC-1", 3))[0]


@pytest.mark.parametrize("subject", ["ACC-1", "Счёт №1", "😀", ""])
def test_the_shard_is_the_one_of_the_subject(subject: str) -> None:
    sorter = Sorter(64)
    sorter.sort(event(subject, 1))
    (parcel,) = sorter.finish()
    (read,) = decode(parcel.body)
    assert isinstance(read, Envelope)
    assert int(parcel.routing_key) == shard_of(subject, 64)
