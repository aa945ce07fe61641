"""What every broker promises, in sentences. `test_broker` applies it to each of them."""

import time
from collections.abc import Callable, Sequence
from typing import Protocol

import pytest

from engine.ports import Broker, Delivery, OutgoingEvent

SHARDS = 4
PATIENCE_SECONDS = 60.0


class World(Protocol):
    """A broker under test, and the other side of it: who publishes, who receives, what is dead."""

    broker: Broker

    def another(self) -> Broker:
        """Another client of the same server."""

    def crash(self, broker: Broker) -> None:
        """A client is gone without a word."""

    def put(self, shard: int, *bodies: bytes) -> None:
        """A publisher puts bodies into the queue of a shard."""

    def left(self) -> list[tuple[str, bytes]]:
        """Routing key and body of what left, in order, since the last call."""

    def bind(self, routing_key: str) -> None:
        """Somebody listens for this key."""

    def unbind(self, routing_key: str) -> None:
        """Nobody listens for it any more."""

    def dead(self) -> list[tuple[bytes, str]]:
        """The dead letters, body and reason."""


def event(number: int, profile_id: str = "ACC-1", key: str = "measure.gateway.sms", body: bytes = b"") -> OutgoingEvent:
    return OutgoingEvent(profile_id, f"{profile_id}/{number}", 5, key, body or f'{{"n":{number}}}'.encode())


def ids(*events: OutgoingEvent) -> list[str]:
    return [each.event_id for each in events]


def collect(broker: Broker, count: int, limit: int = 1_000, patience: float = PATIENCE_SECONDS) -> list[Delivery]:
    """Receives until so many deliveries came."""
    got: list[Delivery] = []
    deadline = time.monotonic() + patience
    while len(got) < count and time.monotonic() < deadline:
        got.extend(broker.receive(limit, 0.2))
    return got


def bodies(deliveries: Sequence[Delivery]) -> list[bytes]:
    return [delivery.body for delivery in deliveries]


def tags(deliveries: Sequence[Delivery]) -> list[int]:
    return [delivery.tag for delivery in deliveries]


def until(question: Callable[[], bool]) -> bool:
    """Whether it becomes true before patience ends."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not question():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


class BrokerContract:
    """Apply it by a fixture ``world`` with a broker that is subscribed to all `SHARDS` shards."""

    def test_bodies_come_in_the_order_in_which_they_were_put_byte_for_byte(self, world: World) -> None:
        some = [b"", b"\x00\xff\xce", b"[1,2]", "Счёт".encode(), b"x" * 300_000, *(b"%d" % n for n in range(500))]
        world.put(1, *some)
        assert bodies(collect(world.broker, len(some))) == some

    def test_no_more_come_at_a_time_than_were_asked_for(self, world: World) -> None:
        world.put(1, *(b"%d" % n for n in range(10)))
        got = collect(world.broker, 1, limit=3)
        assert 1 <= len(got) <= 3
        got += collect(world.broker, 10 - len(got), limit=3)
        assert bodies(got) == [b"%d" % n for n in range(10)]

    def test_no_more_than_some_megabytes_come_at_a_time(self, world: World) -> None:
        world.put(1, *(bytes(1_000_000) for _ in range(8)))
        got: list[Delivery] = []
        while len(got) < 8:
            some = world.broker.receive(100, PATIENCE_SECONDS)
            assert 1 <= len(some) <= 3
            got.extend(some)

    def test_nothing_comes_within_the_time_and_the_list_is_empty(self, world: World) -> None:
        assert world.broker.receive(10, 0.0) == []
        assert world.broker.receive(10, 0.05) == []

    def test_what_was_not_acknowledged_comes_again_in_its_order_before_what_waits(self, world: World) -> None:
        world.put(1, *(b"%d" % n for n in range(30)))
        first = collect(world.broker, 10, limit=10)
        collect(world.broker, 10, limit=10)
        world.broker.acknowledge(tags(first))
        world.broker.redeliver()
        assert bodies(collect(world.broker, 20)) == [b"%d" % n for n in range(10, 30)]

    def test_what_was_acknowledged_does_not_come_again(self, world: World) -> None:
        world.put(1, b"a", b"b")
        world.put(2, b"c", b"d")
        got = collect(world.broker, 4)
        world.broker.acknowledge(tags(got))
        world.broker.redeliver()
        assert world.broker.receive(10, 0.3) == []

    def test_only_what_was_acknowledged_is_gone_when_others_before_it_were_not(self, world: World) -> None:
        world.put(1, *(b"%d" % n for n in range(5)))
        got = collect(world.broker, 5)
        world.broker.acknowledge(tags([got[1], got[3]]))
        world.broker.acknowledge(tags([got[4]]))
        world.broker.redeliver()
        again = collect(world.broker, 2)
        assert bodies(again) == [b"0", b"2"]
        world.broker.acknowledge(tags(again))
        assert world.broker.receive(10, 0.3) == []

    def test_an_acknowledgement_twice_or_of_nothing_is_harmless(self, world: World) -> None:
        world.put(1, b"a", b"b")
        got = collect(world.broker, 2)
        world.broker.acknowledge([])
        world.broker.acknowledge(tags(got[:1]))
        world.broker.acknowledge(tags(got[:1]))
        world.broker.redeliver()
        assert bodies(collect(world.broker, 1)) == [b"b"]

    def test_forwarded_bodies_are_there_when_it_returns(self, world: World) -> None:
        world.broker.forward([(1, b"a"), (2, b"x"), (1, b"b")])
        world.broker.forward([])
        got = collect(world.broker, 3)
        assert [each for each in bodies(got) if each != b"x"] == [b"a", b"b"]
        assert sorted(bodies(got)) == [b"a", b"b", b"x"]

    def test_what_leaves_is_confirmed_and_arrives_in_order(self, world: World) -> None:
        world.bind("measure.#")
        events = [event(n, f"ACC-{n % 7}") for n in range(300)]
        confirmed = world.broker.publish(events)
        assert sorted(confirmed) == sorted(ids(*events))
        left = [body for _, body in world.left()]
        for profile in range(7):
            own = [each.body for each in events if each.profile_id == f"ACC-{profile}"]
            assert [body for body in left if body in own] == own

    def test_nothing_to_publish_is_no_error(self, world: World) -> None:
        assert world.broker.publish([]) == []

    def test_a_dead_letter_is_kept_byte_for_byte_with_its_reason(self, world: World) -> None:
        world.broker.dead_letter(b"\xff\x00{", "not JSON: нет")
        world.broker.dead_letter(b"", "empty")
        assert world.dead() == [(b"\xff\x00{", "not JSON: нет"), (b"", "empty")]

    def test_after_the_close_nothing_is_received_and_what_is_in_flight_is_finished(self, world: World) -> None:
        world.bind("measure.#")
        world.put(1, *(b"%d" % n for n in range(5)))
        got = collect(world.broker, 3, limit=3)[:3]
        world.broker.close()
        assert world.broker.receive(10, 0.2) == []
        world.broker.acknowledge(tags(got))
        assert world.broker.publish([event(1)]) == ids(event(1))


class ServerContract:
    """What a broker with shards, receivers and several clients promises besides."""

    def test_before_it_is_subscribed_nothing_comes(self, world: World) -> None:
        world.put(1, b"a")
        other = world.another()
        assert other.receive(10, 0.2) == []

    def test_a_delivery_says_which_shard_it_is_of(self, world: World) -> None:
        for shard in range(SHARDS):
            world.put(shard, b"%d" % shard)
        assert {(each.shard, each.body) for each in collect(world.broker, SHARDS)} == {
            (shard, b"%d" % shard) for shard in range(SHARDS)
        }

    def test_a_full_queue_does_not_keep_the_others_waiting(self, world: World) -> None:
        world.put(0, *(b"many" for _ in range(400)))
        world.put(1, b"one")
        world.put(2, b"one")
        assert until(lambda: world.broker.backlog() >= 402)
        got: list[Delivery] = []
        for _ in range(4):
            got.extend(world.broker.receive(50, 1.0))
        assert bodies(got).count(b"one") == 2

    def test_exactly_the_subscribed_shards_come(self, world: World) -> None:
        world.broker.subscribe([1, 3])
        for shard in range(SHARDS):
            world.put(shard, b"%d" % shard)
        assert sorted(bodies(collect(world.broker, 2))) == [b"1", b"3"]
        assert world.broker.receive(10, 0.3) == []
        world.broker.subscribe([0])
        assert bodies(collect(world.broker, 1)) == [b"0"]
        world.broker.subscribe([])
        world.put(0, b"late")
        assert world.broker.receive(10, 0.3) == []

    def test_what_was_received_of_a_shard_that_is_given_up_goes_to_its_next_owner_in_order(self, world: World) -> None:
        world.put(1, *(b"%d" % n for n in range(20)))
        got = collect(world.broker, 10, limit=10)[:10]
        world.broker.acknowledge(tags(got[:4]))
        other = world.another()
        other.subscribe([1])
        world.broker.subscribe([0])
        assert bodies(collect(other, 16)) == [b"%d" % n for n in range(4, 20)]
        # Whose tags these are is over.
        world.broker.acknowledge(tags(got))
        world.broker.redeliver()
        assert world.broker.receive(10, 0.3) == []

    def test_while_one_consumes_a_shard_the_next_one_waits(self, world: World) -> None:
        other = world.another()
        other.subscribe([1])
        world.put(1, b"a", b"b")
        assert bodies(collect(world.broker, 2)) == [b"a", b"b"]
        assert other.receive(10, 0.3) == []

    def test_what_a_client_that_is_gone_had_not_acknowledged_comes_to_the_next_one(self, world: World) -> None:
        world.put(1, *(b"%d" % n for n in range(6)))
        got = collect(world.broker, 6)
        world.broker.acknowledge(tags(got[:2]))
        other = world.another()
        assert until(lambda: world.broker.backlog() == 0)
        world.crash(world.broker)
        other.subscribe([1])
        assert bodies(collect(other, 4)) == [b"2", b"3", b"4", b"5"]

    def test_the_backlog_is_what_waits(self, world: World) -> None:
        other = world.another()
        world.broker.subscribe([])
        world.put(1, *(b"%d" % n for n in range(7)))
        world.put(2, b"x")
        other.subscribe([1, 2])
        assert other.backlog() == 8
        got = collect(other, 8)
        assert other.backlog() == 0
        other.redeliver()
        assert other.backlog() == 8
        other.acknowledge(tags(got))

    def test_what_nobody_listens_for_has_not_left(self, world: World) -> None:
        assert world.broker.publish([event(1)]) == []
        world.bind("measure.#")
        assert until(lambda: world.broker.publish([event(1)]) == ids(event(1)))
        assert world.left() == [("measure.gateway.sms", event(1).body)]

    def test_an_event_that_cannot_leave_keeps_the_later_ones_of_its_profile_and_no_others(self, world: World) -> None:
        world.bind("measure.gateway.sms")
        stuck = event(2, key="measure.gateway.call")
        others = [event(n, "ACC-2") for n in range(3)]
        confirmed = world.broker.publish([event(1), stuck, others[0], event(3), others[1], event(4), others[2]])
        assert sorted(confirmed) == sorted(ids(event(1), *others))
        assert len(world.left()) == 4
        world.bind("measure.gateway.call")
        rest = [stuck, event(3), event(4)]
        assert until(lambda: len(world.broker.publish(rest)) == 3)
        assert [body for _, body in world.left()][-3:] == [each.body for each in rest]

    def test_a_key_that_loses_its_receiver_stops_leaving(self, world: World) -> None:
        world.bind("measure.#")
        assert world.broker.publish([event(1)]) == ids(event(1))
        world.unbind("measure.#")
        assert world.broker.publish([event(2), event(3)]) == []
        world.bind("measure.#")
        assert until(lambda: world.broker.publish([event(2), event(3)]) == ids(event(2), event(3)))

    def test_events_that_belong_to_nobody_leave_all_the_same(self, world: World) -> None:
        world.bind("dms.message.rejected.v1")
        events = [event(n, "", "dms.message.rejected.v1") for n in range(50)]
        assert sorted(world.broker.publish(events)) == sorted(ids(*events))

    def test_a_shard_that_there_is_not_is_refused(self, world: World) -> None:
        with pytest.raises(ValueError, match="there is no shard 4"):
            world.broker.subscribe([SHARDS])
