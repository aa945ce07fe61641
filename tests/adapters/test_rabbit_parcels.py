"""What may leave together: no event of a profile before an earlier one is confirmed, whatever is batched."""

import json
from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from adapters.rabbit_frames import SHORT_MAX
from adapters.rabbit_parcels import MANY, ONE, Parcel, chained, message_id, packed
from engine.ports import OutgoingEvent

KEYS = ["measure.gateway.sms", "measure.network.block", "dms.run.opened.v1"]


def outgoing(profile: int, number: int, key: str) -> OutgoingEvent:
    profile_id = f"ACC-{profile}" if profile else ""
    body = json.dumps({"subject": profile_id, "n": number}).encode()
    return OutgoingEvent(profile_id, f"{profile_id}/{number}", 0, key, body)


def decided(choices: list[tuple[int, int]]) -> list[OutgoingEvent]:
    return [outgoing(profile, number, KEYS[key]) for number, (profile, key) in enumerate(choices)]


choices = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2)), max_size=60)


def sent_in_waves(parcels: list[Parcel]) -> list[list[Parcel]]:
    """Parcels that may be under way together, wave by wave, each confirmed before the next."""
    waves: list[list[Parcel]] = []
    ready = [parcel for parcel in parcels if not parcel.waits]
    while ready:
        waves.append(ready)
        following = []
        for parcel in ready:
            for later in parcel.then or ():
                later.waits -= 1
                if not later.waits:
                    following.append(later)
        ready = following
    return waves


@given(choices, st.integers(1, 7))
def test_every_event_leaves_once_and_in_the_order_of_its_profile(some: list[tuple[int, int]], batch: int) -> None:
    events = decided(some)
    waves = sent_in_waves(packed("dms.out", events, batch, ()))
    seen: dict[str, list[str]] = defaultdict(list)
    for wave in waves:
        # Within a wave any parcel may be lost and any other arrive: a profile must be in one of them alone.
        owners: dict[str, Parcel] = {}
        for parcel in wave:
            for event_id in parcel.ids:
                profile_id = event_id.rpartition("/")[0]
                assert not profile_id or owners.setdefault(profile_id, parcel) is parcel
                seen[profile_id].append(event_id)
    wanted: dict[str, list[str]] = defaultdict(list)
    for event in events:
        wanted[event.profile_id].append(event.event_id)
    nobody, wanted_of_nobody = seen.pop("", []), wanted.pop("", [])
    assert seen == wanted
    assert sorted(nobody) == sorted(wanted_of_nobody)


@given(choices, st.integers(1, 7))
def test_a_body_holds_the_events_of_one_key_byte_for_byte(some: list[tuple[int, int]], batch: int) -> None:
    events = {event.event_id: event for event in decided(some)}
    for parcel in packed("dms.out", list(events.values()), batch, ()):
        own = [events[event_id] for event_id in parcel.ids]
        assert 1 <= len(own) <= batch
        assert {event.routing_key for event in own} == {parcel.routing_key}
        if len(own) == 1:
            assert (parcel.content_type, parcel.body) == (ONE, own[0].body)
        else:
            assert parcel.content_type == MANY
            assert parcel.body == b"[" + b",".join(event.body for event in own) + b"]"


@given(choices, st.integers(1, 7))
def test_a_key_without_a_receiver_keeps_its_events_and_later_ones_of_their_profiles(
    some: list[tuple[int, int]], batch: int
) -> None:
    events = decided(some)
    left = {event_id for parcel in packed("dms.out", events, batch, {KEYS[1]}) for event_id in parcel.ids}
    stuck: set[str] = set()
    for event in events:
        if event.routing_key == KEYS[1]:
            stuck.add(event.profile_id)
            assert event.event_id not in left
        else:
            kept = event.profile_id != "" and event.profile_id in stuck
            assert (event.event_id not in left) is kept


def test_events_of_many_profiles_fill_a_body() -> None:
    events = [outgoing(profile, 1, KEYS[0]) for profile in range(1, 251)]
    assert [len(parcel.ids) for parcel in packed("dms.out", events, 100, ())] == [100, 100, 50]


def test_forwarded_bodies_of_a_shard_wait_for_each_other_and_for_no_other() -> None:
    parcels = [Parcel("dms.shards", key, b"") for key in "1211"]
    assert [[parcel.routing_key for parcel in wave] for wave in sent_in_waves(list(chained(parcels)))] == [
        ["1", "2"],
        ["1"],
        ["1"],
    ]


def test_a_message_has_its_events_id_or_a_digest_of_it() -> None:
    assert message_id("ACC-1/7") == b"ACC-1/7"
    long, longer = message_id("x" * 300), message_id("x" * 301)
    assert long != longer
    assert len(long) <= SHORT_MAX
