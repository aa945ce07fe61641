"""Whatever comes over the border is answered, never raised: bytes, JSON, and events that somebody broke."""

import json

from hypothesis import given
from hypothesis import strategies as st

from adapters.cloud_events import decode, encode_rejection
from domain.record import Record
from engine.envelope import Unreadable
from tests.adapters.event_samples import NINE, SOUND, Data, body_of, event

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
sound_bodies = st.sampled_from([body_of(event(type_, data, sequence="1")) for type_, data, _ in SOUND])


def check_answered(body: bytes) -> None:
    """Nothing raises, and every envelope is either whole or faulty: the one makes a message, the other a rejection."""
    for found in decode(body):
        if isinstance(found, Unreadable):
            assert found.reason.isprintable()
            continue
        assert found.body in body
        if found.fault is None:
            assert isinstance(found.message(NINE), Record)
        else:
            assert found.fault.detail.isprintable()
            assert json.loads(encode_rejection(found, found.fault, NINE).body)["data"]["id"] == found.event_id


@given(st.binary(max_size=200))
def test_bytes(body: bytes) -> None:
    """Any bytes are answered."""
    check_answered(body)


@given(json_values)
def test_json(value: object) -> None:
    """Any JSON is answered."""
    check_answered(json.dumps(value, allow_nan=True).encode("utf-8", "surrogatepass"))


@given(sound_bodies, st.data())
def test_broken_events(body: bytes, data: st.DataObject) -> None:
    """An event with bytes changed, cut or repeated is answered."""
    start = data.draw(st.integers(0, len(body)))
    end = data.draw(st.integers(start, len(body)))
    put = data.draw(st.binary(max_size=8) | st.sampled_from([b"\\u0000", b"\\ud800", b"1e999", b"[", b"{}", b"null"]))
    check_answered(body[:start] + put + body[end:])
    check_answered(b"[" + body + b"," + body[:start] + put + body[end:] + b"]")


@given(st.sampled_from(SOUND), st.data())
def test_wrong_values(row: tuple[str, Data, object], data: st.DataObject) -> None:
    """Any value in any place is answered."""
    sent = event(row[0], dict(row[1]), sequence="1")
    target = data.draw(st.sampled_from([sent, sent["data"]]))
    target[data.draw(st.sampled_from(sorted(target)))] = data.draw(json_values)
    check_answered(json.dumps(sent).encode("utf-8", "surrogatepass"))
