"""The open door on a real RabbitMQ: publishers that know nothing of us, shards that get their events in order."""

import json
import threading
from collections import defaultdict
from collections.abc import Iterator

import pytest

from adapters import rabbit_splitter
from adapters.cloud_events import decode
from adapters.rabbit_broker import RabbitBroker
from adapters.rabbit_link import RabbitAddress
from adapters.rabbit_parcels import Parcel, dead_letter
from adapters.rabbit_splitter import Splitter
from adapters.rabbit_topology import DEAD, IN, INTAKE, OUT, REASON, shard_queue
from domain.shards import shard_of
from tests.contracts.broker_contract import collect, until
from tests.services.plain_client import PlainClient
from tests.services.rabbit_hosts import hosts, rabbit_url

__all__ = ["hosts", "rabbit_url"]

pytestmark = pytest.mark.services
SHARDS = 4


class Door:
    """A virtual host with the topology, and splitters that a test starts."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.broker = RabbitBroker(RabbitAddress(url=url), SHARDS)
        self.broker.start()
        self.plain = PlainClient(url)
        self.failures: list[Exception] = []
        self._splitters: list[Splitter] = []

    def split(self) -> Splitter:
        splitter = Splitter(RabbitAddress(url=self.url), SHARDS, on_failure=self.failures.append)
        self._splitters.append(splitter)
        splitter.start()
        return splitter

    def shards(self) -> dict[int, list[bytes]]:
        """The events in each shard's queue, in order."""
        found: dict[int, list[bytes]] = {shard: [] for shard in range(SHARDS)}
        count = sum(self.plain.count(shard_queue(shard)) for shard in range(SHARDS))
        self.broker.subscribe(range(SHARDS))
        for delivery in collect(self.broker, count):
            assert delivery.shard is not None
            found[delivery.shard].extend(each.body for each in decode(delivery.body))
        return found

    def close(self) -> None:
        for splitter in self._splitters:
            splitter.stop()
        self.broker.disconnect()
        self.plain.close()


@pytest.fixture
def door(rabbit_url: str) -> Iterator[Door]:
    door = Door(rabbit_url)
    yield door
    door.close()


def event(profile: int, number: int) -> bytes:
    return json.dumps({"id": f"{profile}/{number}", "source": "billing", "subject": f"ACC-{profile}"}).encode()


def test_single_events_and_batches_of_any_mix_reach_their_shards_in_order(door: Door) -> None:
    splitter = door.split()
    numbers: dict[int, int] = defaultdict(int)
    expected: dict[int, list[bytes]] = {shard: [] for shard in range(SHARDS)}

    def next_event(profile: int) -> bytes:
        numbers[profile] += 1
        body = event(profile, numbers[profile])
        expected[shard_of(f"ACC-{profile}", SHARDS)].append(body)
        return body

    for round_ in range(40):
        door.plain.publish(IN, "dms.invoice.issued.v1", next_event(round_ % 7))
        batch = [next_event(profile % 11) for profile in range(round_, round_ + 30)]
        door.plain.publish(IN, "anything.at.all", b"[" + b", ".join(batch) + b"]")
    assert until(lambda: splitter.events == 40 * 31)
    assert door.shards() == expected
    assert door.plain.count(INTAKE) == 0
    assert door.failures == []


def test_what_is_no_event_is_dead_byte_for_byte_and_of_a_batch_only_that_element(door: Door) -> None:
    splitter = door.split()
    door.plain.publish(IN, "x", b"\xff\xfe", b"[" + event(1, 1) + b",7," + event(1, 2) + b"]", b"[]", b"")
    assert until(lambda: splitter.bodies == 4)
    assert splitter.dead_letters == 3
    dead = door.plain.get(DEAD)
    assert [body for _, _, body in dead] == [b"\xff\xfe", b"7", b""]
    assert all(properties.headers[REASON] for _, properties, _ in dead)
    assert [each for some in door.shards().values() for each in some] == [event(1, 1), event(1, 2)]


def test_a_dead_letter_that_is_not_taken_holds_up_its_own_body_alone(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rabbit_splitter, "_RETRY_SECONDS_MAX", 0.2)
    monkeypatch.setattr(rabbit_splitter, "dead_letter", lambda body, reason: Parcel(OUT, "nobody.listens", body))
    splitter = door.split()
    door.plain.publish(IN, "x", event(1, 1), b"[7," + event(1, 2) + b"]", event(1, 3))
    assert until(lambda: splitter.events == 3 and len(door.failures) > 1)
    assert splitter.dead_letters == 0
    monkeypatch.setattr(rabbit_splitter, "dead_letter", dead_letter)
    assert until(lambda: splitter.dead_letters == 1)
    assert [body for _, _, body in door.plain.get(DEAD)] == [b"7"]
    assert [each for some in door.shards().values() for each in some] == [event(1, n) for n in (1, 2, 3)]
    assert splitter._inbound.unfinished == 0
    assert splitter.bodies == 3


def test_a_faulty_event_goes_on_to_the_engine_which_says_why(door: Door) -> None:
    splitter = door.split()
    faulty = [b'{"id":"1","subject":"ACC-1","type":"nonsense"}', b'{"id":"2"}', b'{"subject":5}']
    door.plain.publish(IN, "x", *faulty)
    assert until(lambda: splitter.events == 3)
    shards = door.shards()
    assert shards[shard_of("ACC-1", SHARDS)][:1] == faulty[:1] or shard_of("", SHARDS) == shard_of("ACC-1", SHARDS)
    assert set(shards[shard_of("", SHARDS)]) >= set(faulty[1:])
    assert door.plain.get(DEAD) == []


def test_of_two_splitters_one_works_and_the_other_takes_over_without_a_gap(door: Door) -> None:
    first = door.split()
    assert until(lambda: first.is_connected)
    second = door.split()
    publishing = threading.Event()

    def publish() -> None:
        with PlainClient(door.url) as billing:
            for number in range(600):
                billing.publish(IN, "x", event(1, number))
                publishing.set()

    publisher = threading.Thread(target=publish)
    publisher.start()
    assert publishing.wait(10)
    assert until(lambda: first.events > 50)
    assert second.events == 0
    assert first.stop()
    publisher.join()
    assert until(lambda: first.events + second.events >= 600)
    assert until(lambda: door.plain.count(INTAKE) == 0)
    second.stop()
    left = [each for some in door.shards().values() for each in some]
    once = list(dict.fromkeys(left))
    assert once == [event(1, number) for number in range(600)]
