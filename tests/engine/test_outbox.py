"""What one receiver does not take keeps nobody else's events waiting, and no event overtakes one of its profile."""

from collections.abc import Sequence

import pytest

from adapters.letters import CODEC
from engine.outbox import Outbox
from engine.ports import NothingLeft, OutgoingEvent, Transaction
from engine.tally import Tally
from engine.trail import Trail
from sim.shard_broker import ServerAway, ShardBroker, ShardServer
from sim.store import MemoryStore

MANY = 12_000
"""More than are published at once."""


class Counting(ShardBroker):
    """Counts what it is asked to publish; ``fails`` with that."""

    asked = 0
    fails: Exception | None = None

    def publish(self, events: Sequence[OutgoingEvent]) -> list[str]:
        self.asked += len(events)
        if self.fails is not None:
            raise self.fails
        return super().publish(events)


class Scene:
    """An outbox, and a server where somebody listens for ``good`` alone."""

    def __init__(self) -> None:
        self.server = ShardServer(4)
        self.server.listening.add("good")
        self.broker = Counting(self.server)
        self.store = MemoryStore()
        self.store.claim(range(self.store.shards))
        self.outbox = Outbox(self.store, self.broker, CODEC.command_of, Tally(), Trail())
        self.number = 0

    def add(self, profile_id: str, *keys: str) -> list[str]:
        events = []
        for key in keys:
            self.number += 1
            events.append(OutgoingEvent(profile_id, f"e{self.number}", self.number, key, b"{}"))
        self.store.commit(Transaction(outbox=events))
        self.outbox.add(events)
        return [event.event_id for event in events]

    def add_many(self, count: int, key: str) -> None:
        for n in range(count):
            self.add(f"{key}-{n}", key)

    def pump(self) -> list[str]:
        """What leaves now, in its order."""
        before = len(self.server.left)
        assert self.outbox.pump() == len(self.server.left) - before
        left = [event.event_id for event in self.server.left]
        assert len(self.store.pending(10**6)) == len(self.outbox) == self.number - len(left)
        return left[before:]


def test_more_than_are_published_at_once_for_a_key_that_nobody_hears_keep_no_others_waiting() -> None:
    scene = Scene()
    scene.add_many(MANY, "lost")
    others = scene.add("ACC-1", "good", "good")
    assert scene.pump() == others
    assert scene.pump() == []
    others = scene.add("ACC-2", "good")
    assert scene.pump() == others
    assert len(scene.outbox) == MANY
    assert scene.outbox.oldest_at() == 1


def test_no_event_overtakes_one_of_its_profile() -> None:
    scene = Scene()
    first = scene.add("ACC-1", "good", "lost", "good")
    scene.add_many(MANY, "lost")
    later = scene.add("ACC-1", "good", "lost", "good")
    assert scene.pump() == first[:1]
    latest = scene.add("ACC-1", "good")
    others = scene.add("ACC-2", "good")
    assert scene.pump() == others
    scene.server.listening.add("lost")
    left = scene.pump()
    assert [each for each in left if each in first + later + latest] == first[1:] + later + latest
    assert (len(scene.outbox), scene.outbox.oldest_at()) == (0, None)


def test_what_belongs_to_nobody_waits_for_nothing() -> None:
    scene = Scene()
    rejected = scene.add("", "lost", "good")
    assert scene.pump() == rejected[1:]


def test_what_could_not_leave_is_tried_again_a_portion_at_a_time_and_all_of_it_has_its_turn() -> None:
    scene = Scene()
    scene.add_many(MANY, "lost")
    scene.add_many(10, "away")
    scene.pump()
    scene.broker.asked = 0
    scene.pump()
    assert scene.broker.asked <= MANY / 10
    scene.server.listening.add("away")
    left: list[str] = []
    for _ in range(20):
        left += scene.pump()
    assert len(left) == 10
    scene.server.listening.add("lost")
    assert len(scene.pump()) == MANY


@pytest.mark.parametrize("failure", [NothingLeft("away"), ServerAway("who knows")], ids=["not sent", "in doubt"])
def test_a_broker_that_fails_changes_nothing_of_what_waits(failure: Exception) -> None:
    scene = Scene()
    first = scene.add("ACC-1", "lost", "good")
    scene.pump()
    others = scene.add("ACC-2", "good", "good")
    scene.broker.fails = failure
    for _ in range(2):
        with pytest.raises(type(failure)):
            scene.outbox.pump()
    scene.broker.fails = None
    scene.server.listening.add("lost")
    assert scene.pump() == first + others
