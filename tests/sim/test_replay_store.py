"""The store of a replay knows every event it has seen, in little room, and nothing of profiles."""

import random
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from engine.ports import HeldEvent, OutgoingEvent, QuarantinedEvent, StoreConflict, Transaction
from sim.replay_store import Key, ReplayStore, SeenKeys
from tests.contracts.store_contract import begun

KEYS = st.tuples(st.sampled_from(["", "a", "b", "a\x00"]), st.text("\x00ab", max_size=3))


def taken_in(keys: list[Key], at: int = 1) -> Transaction:
    return Transaction(inbox=[(source, event_id, at) for source, event_id in keys])


def outgoing(event_id: str) -> OutgoingEvent:
    return OutgoingEvent("A", event_id, 3, "x", b"{}")


def numbered(count: int, source: str = "billing") -> list[Key]:
    return [(source, f"evt-{number}") for number in range(count)]


def batches(keys: list[Key], size: int) -> Iterator[list[Key]]:
    for start in range(0, len(keys), size):
        yield keys[start : start + size]


def test_an_event_is_seen_once_it_is_committed_and_not_when_it_is_asked_about() -> None:
    store = ReplayStore()
    assert store.seen([("billing", "1"), ("billing", "2")]) == set()
    assert store.seen([("billing", "1")]) == set()
    store.commit(taken_in([("billing", "1")]))
    assert store.seen([("billing", "1"), ("billing", "2"), ("crm", "1")]) == {("billing", "1")}


def test_events_may_be_committed_that_nobody_asked_about() -> None:
    store = ReplayStore()
    store.commit(taken_in([("billing", "1")]))
    assert store.seen([("billing", "1")]) == {("billing", "1")}


@pytest.mark.parametrize("count", [1, 200])
def test_an_event_that_was_seen_fails_the_commit_and_nothing_of_it_is_kept(count: int) -> None:
    store = ReplayStore()
    store.commit(taken_in([("billing", "0")]))
    again = taken_in([*numbered(count), ("billing", "0")], at=9)
    again.outbox.append(outgoing("e"))
    with pytest.raises(StoreConflict):
        store.commit(again)
    assert store.take_outbox() == []
    assert store.last_instant() == 1
    assert store.seen(numbered(count)) == set()
    store.commit(taken_in(numbered(count)))


def test_the_same_event_twice_in_a_transaction_fails_it() -> None:
    store = ReplayStore()
    with pytest.raises(StoreConflict):
        store.commit(taken_in([("billing", "1"), ("billing", "1")]))
    assert store.seen([("billing", "1"), ("billing", "1")]) == set()


def test_outgoing_events_are_taken_once_in_their_order() -> None:
    store = ReplayStore()
    store.commit(Transaction(outbox=[outgoing("b"), outgoing("a")]))
    store.commit(Transaction(outbox=[outgoing("c")]))
    assert [event.event_id for event in store.pending(2)] == ["b", "a"]
    store.mark_sent(["b"])
    assert [event.event_id for event in store.take_outbox()] == ["b", "a", "c"]
    assert store.take_outbox() == []


def test_it_keeps_desks_and_the_latest_instant_and_nothing_of_profiles() -> None:
    store = ReplayStore()
    transaction = begun("ACC-1", wake_at=5)
    transaction.held.append(HeldEvent("ACC-2", 1, 1, b""))
    transaction.quarantined.append(QuarantinedEvent("ACC-3", 1, 1, b"", "why"))
    transaction.desks["north"] = (1, ("a",))
    store.commit(transaction)
    assert store.load(["ACC-1", "ACC-2", "ACC-3"]) == {}
    assert (store.due(99, 9), store.profile_ids(), store.waiting_for_account()) == ([], [], [])
    assert store.desks() == {"north": (1, ("a",))}
    assert store.last_instant() == 101
    assert store.forget(99) == 0
    store.close()


@pytest.mark.parametrize("size", [1, 7, 63, 64, 65, 1_000, 20_000])
def test_batches_of_any_size_leave_the_same_set(size: int) -> None:
    keys = numbered(20_000 if size > 7 else 3_000)
    seen = SeenKeys(capacity=16)
    for some in batches(keys, size):
        assert seen.add(some) == []
    assert len(seen) == len(keys)
    for some in batches(keys, size):
        assert seen.add(some) == list(range(len(some)))
    assert seen.add(numbered(100, "crm")) == []


def test_only_those_that_are_there_are_named_by_position() -> None:
    seen = SeenKeys()
    seen.add(numbered(500))
    mixed = numbered(1_000)
    random.Random(5).shuffle(mixed)
    expected = [position for position, (_, event_id) in enumerate(mixed) if int(event_id[4:]) < 500]
    assert seen.add(mixed) == expected
    assert len(seen) == 1_000


def test_an_id_and_its_source_are_not_mixed_up() -> None:
    keys = [("a", "bc"), ("ab", "c"), ("", "abc"), ("abc", ""), ("c", "ab"), ("a\x00", "b"), ("a", "\x00b")]
    assert SeenKeys().add(keys) == []


def test_an_event_takes_at_most_43_bytes_and_64_while_the_table_grows() -> None:
    seen = SeenKeys()
    keys = numbered(393_216)  # three quarters of the table: one more and it grows
    for some in batches(keys, 8_192):
        seen.add(some)
    before = seen.size_bytes
    assert before / len(seen) < 22
    tracemalloc.start()
    seen.add([("crm", "1")])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seen.size_bytes == 2 * before
    assert seen.size_bytes / len(seen) < 43
    assert round((before + peak) / len(seen)) <= 65
    for some in batches(keys, 8_192):
        assert len(seen.add(some)) == len(some)


class Seen(RuleBasedStateMachine):
    """Against a plain set: whatever is asked and committed, in any order, known are those that were committed."""

    def __init__(self) -> None:
        super().__init__()
        self.store = ReplayStore()
        self.committed: set[Key] = set()

    @rule(keys=st.lists(KEYS, max_size=80))
    def ask(self, keys: list[Key]) -> None:
        assert self.store.seen(keys) == set(keys) & self.committed

    @rule(keys=st.lists(KEYS, max_size=80))
    def commit(self, keys: list[Key]) -> None:
        if len(set(keys)) < len(keys) or self.committed & set(keys):
            with pytest.raises(StoreConflict):
                self.store.commit(taken_in(keys))
        else:
            self.store.commit(taken_in(keys))
            self.committed |= set(keys)

    @invariant()
    def knows_what_was_committed(self) -> None:
        assert self.store.seen(sorted(self.committed)) == self.committed


TestSeen = Seen.TestCase
TestSeen.settings = settings(max_examples=60, deadline=None)


@given(st.lists(KEYS, unique=True), st.integers(1, 100))
@settings(max_examples=100, deadline=None)
def test_a_set_of_keys_is_a_set(keys: list[Key], size: int) -> None:
    seen = SeenKeys(capacity=4)
    for some in batches(keys, size):
        assert seen.add(some) == []
    assert len(seen) == len(keys)
    for some in batches(keys, size):
        assert seen.add(some) == list(range(len(some)))
