"""RabbitMQ fails, the road to it fails, the receiver is gone: nothing is lost, and a profile's events stay in order."""

import threading
import time
from collections.abc import Iterator
from functools import partial

import pika
import pytest
from yarl import URL

from adapters.rabbit_broker import RabbitBroker
from adapters.rabbit_frames import ack
from adapters.rabbit_link import RabbitAddress, RabbitUnavailable
from adapters.rabbit_topology import DEAD, OUT, shard_queue
from adapters.rabbit_topology import SHARDS as BY_SHARD
from engine.ports import OutgoingEvent
from tests.adapters.rabbit_worker import KEY, SHARDS, Heard, Worker, at_work, body, judge, shard_of_number
from tests.contracts.broker_contract import bodies, collect, event, ids, tags, until
from tests.services.plain_client import PlainClient
from tests.services.ports import free_port
from tests.services.proxy import Proxy
from tests.services.rabbit_hosts import hosts, rabbit_url
from tests.services.rabbit_node import RabbitNode, rabbit_node

__all__ = ["hosts", "rabbit_url"]

pytestmark = pytest.mark.services


@pytest.fixture
def proxy(rabbit_url: str) -> Iterator[Proxy]:
    """The only road to the server, for ours."""
    url = URL(rabbit_url)
    with Proxy(str(url.host), int(url.port or 5672)) as proxy:
        yield proxy


def through(proxy: Proxy, rabbit_url: str) -> str:
    return str(URL(rabbit_url).with_host("127.0.0.1").with_port(proxy.port))


def prepare(url: str) -> None:
    """Topology, and a receiver that listens for everything."""
    broker = RabbitBroker(RabbitAddress(url=url), SHARDS)
    broker.start()
    broker.disconnect()
    with PlainClient(url) as plain:
        plain.channel.queue_declare("receiver", durable=True, arguments={"x-queue-type": "quorum"})
        plain.channel.queue_bind("receiver", OUT, "#")


def publish(url: str, first: int, last: int, pause: float = 0.0) -> None:
    with PlainClient(url) as billing:
        for number in range(first, last):
            billing.publish(BY_SHARD, str(shard_of_number(number)), body(number))
            time.sleep(pause)


def arrived(url: str) -> list[bytes]:
    with PlainClient(url) as receiver:
        return receiver.bodies("receiver")


def test_cuts_under_load_lose_nothing_and_keep_the_order(rabbit_url: str, proxy: Proxy) -> None:
    prepare(rabbit_url)
    with at_work(Worker(through(proxy, rabbit_url))) as worker:
        billing = threading.Thread(target=publish, args=(rabbit_url, 0, 1_500, 0.002))
        billing.start()
        cuts = 0
        while billing.is_alive():
            time.sleep(0.4)
            cuts += proxy.cut() > 0
        assert cuts >= 3
        assert until(lambda: len(set(arrived_so_far(rabbit_url))) >= 1_500)
    judge(arrived_so_far(rabbit_url), 1_500)
    assert len(worker.heard.times("disconnected")) >= cuts
    assert all(isinstance(failure, RabbitUnavailable) for failure in worker.failures)


_ARRIVED: dict[str, list[bytes]] = {}


def arrived_so_far(url: str) -> list[bytes]:
    """Everything that the receiver got in this test."""
    _ARRIVED.setdefault(url, []).extend(arrived(url))
    return _ARRIVED[url]


def test_confirmations_that_never_come_have_everything_sent_again(rabbit_url: str, proxy: Proxy) -> None:
    prepare(rabbit_url)
    with at_work(Worker(through(proxy, rabbit_url), confirm_seconds=0.5)) as worker:
        for round_ in range(3):
            publish(rabbit_url, round_ * 100, round_ * 100 + 50)
            proxy.swallows_answers = True
            publish(rabbit_url, round_ * 100 + 50, round_ * 100 + 100)
            time.sleep(0.7)
            proxy.heal()
            assert until(lambda: worker.broker.is_connected)
        assert until(lambda: len(set(arrived_so_far(rabbit_url))) >= 300)
    judge(arrived_so_far(rabbit_url), 300)


def test_an_unconfirmed_publication_raises_in_time_and_names_the_reason(rabbit_url: str, proxy: Proxy) -> None:
    prepare(rabbit_url)
    heard = Heard()
    address = RabbitAddress(url=through(proxy, rabbit_url))
    broker = RabbitBroker(address, SHARDS, confirm_seconds=0.5, watch=heard)
    broker.start()
    try:
        assert broker.publish([event(1)]) == ids(event(1))
        proxy.swallows_answers = True
        began = time.monotonic()
        with pytest.raises(RabbitUnavailable, match=r"confirmed nothing for 0\.5 s"):
            broker.publish([event(2), event(3)])
        assert time.monotonic() - began < 5.0
        proxy.heal()
        assert until(lambda: _published(broker, event(2), event(3)) == ids(event(2), event(3)))
    finally:
        broker.disconnect()
    # It was there all the time: known by its id, the receiver drops the double.
    assert list(dict.fromkeys(arrived(rabbit_url))) == [event(n).body for n in (1, 2, 3)]


def test_without_a_connection_publishing_raises_and_receiving_waits(rabbit_url: str, proxy: Proxy) -> None:
    broker = RabbitBroker(RabbitAddress(url=through(proxy, rabbit_url)), SHARDS)
    broker.start()
    try:
        broker.subscribe([1])
        broker.forward([(1, b"a"), (1, b"b")])
        got = collect(broker, 2)
        proxy.refuses = True
        proxy.cut()
        assert until(lambda: not broker.is_connected)
        for attempt in (
            lambda: broker.publish([event(1)]),
            lambda: broker.forward([(1, b"x")]),
            lambda: broker.dead_letter(b"x", "why"),
        ):
            with pytest.raises(RabbitUnavailable):
                attempt()
        broker.acknowledge(tags(got))  # too late: the broker has taken them back
        assert broker.receive(10, 0.1) == []
        proxy.refuses = False
        again = collect(broker, 2)
        assert bodies(again) == [b"a", b"b"]
        broker.acknowledge(tags(got))  # tags of the lost connection mean nothing in the new one
        broker.redeliver()
        again = collect(broker, 2)
        assert bodies(again) == [b"a", b"b"]
        broker.acknowledge(tags(again))
        assert broker.receive(10, 0.2) == []
    finally:
        broker.disconnect()


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    address = RabbitAddress(url=f"amqp://127.0.0.1:{free_port()}/x", user="dms", password="s3cret")
    broker = RabbitBroker(address, SHARDS)
    with pytest.raises(RabbitUnavailable) as refusal:
        broker.start(timeout_seconds=0.5)
    broker.disconnect()
    assert "127.0.0.1" in str(refusal.value)
    assert "s3cret" not in str(refusal.value)
    assert "s3cret" not in repr(address)


def test_a_wrong_password_is_said_so(rabbit_url: str) -> None:
    broker = RabbitBroker(RabbitAddress(url=rabbit_url, user="nobody", password="s3cret"), SHARDS)
    with pytest.raises(RabbitUnavailable, match=r"ACCESS_REFUSED|[Aa]uth"):
        broker.start(timeout_seconds=1.0)
    broker.disconnect()


def test_a_queue_that_was_declared_otherwise_is_named(rabbit_url: str) -> None:
    with PlainClient(rabbit_url) as somebody:
        somebody.channel.queue_declare(shard_queue(2), durable=True)
    broker = RabbitBroker(RabbitAddress(url=rabbit_url), SHARDS)
    with pytest.raises(RabbitUnavailable, match=r"dms\.shard\.2 is declared otherwise"):
        broker.start(timeout_seconds=2.0)
    broker.disconnect()


def test_a_key_without_a_receiver_is_told_at_once_and_again_while_it_lasts(rabbit_url: str) -> None:
    heard = Heard()
    broker = RabbitBroker(RabbitAddress(url=rabbit_url), SHARDS, watch=heard)
    broker.start()
    try:
        began = time.monotonic()
        while time.monotonic() - began < 2.5:
            assert broker.publish([event(1)]) == []
            time.sleep(0.05)
        assert 2 <= len(heard.said("unroutable")) <= 4
        assert heard.said("unroutable")[0] == (OUT, KEY)
        assert heard.times("unroutable")[0] - began < 1.0
    finally:
        broker.disconnect()


def test_a_channel_that_the_server_closes_is_made_anew(rabbit_url: str) -> None:
    broker = RabbitBroker(RabbitAddress(url=rabbit_url), SHARDS)
    broker.start()
    try:
        broker.subscribe([1])
        broker.forward([(1, b"a")])
        got = collect(broker, 1)
        # An acknowledgement of something that was never delivered: RabbitMQ closes the channel.
        feed = broker.inbound._feeds[1]
        loop, session = broker.inbound._loop, broker.inbound._session
        assert loop is not None
        assert session is not None
        loop.call_soon_threadsafe(session.write, ack(feed.channel, 999, False))
        again = collect(broker, 1)
        assert bodies(again) == bodies(got)
        assert tags(again) != tags(got)
    finally:
        broker.disconnect()


def test_a_queue_that_somebody_deletes_is_made_anew_and_worked(rabbit_url: str) -> None:
    prepare(rabbit_url)
    with at_work(Worker(rabbit_url)) as worker:
        assert until(lambda: worker.broker.is_connected)
        with PlainClient(rabbit_url) as operator:
            operator.channel.queue_delete(shard_queue(1))
        assert until(lambda: worker.broker.reconnects > 0 and worker.broker.is_connected)
        publish(rabbit_url, 0, 50)
        assert until(lambda: len(set(arrived_so_far(rabbit_url))) >= 50)


def test_a_deleted_queue_of_dead_letters_is_made_anew(rabbit_url: str) -> None:
    broker = RabbitBroker(RabbitAddress(url=rabbit_url), SHARDS)
    broker.start()
    try:
        with PlainClient(rabbit_url) as operator:
            operator.channel.queue_delete(DEAD)
        with pytest.raises(RabbitUnavailable, match=r"no queue is bound|is gone"):
            broker.dead_letter(b"x", "why")
        assert until(lambda: _buried(broker, b"x"))
        with PlainClient(rabbit_url) as operator:
            assert [body for _, _, body in operator.get(DEAD)] == [b"x"]
    finally:
        broker.disconnect()


def _buried(broker: RabbitBroker, body: bytes) -> bool:
    try:
        broker.dead_letter(body, "why")
    except RabbitUnavailable:
        return False
    return True


def test_what_is_held_in_memory_is_bounded_whatever_waits(rabbit_url: str) -> None:
    bytes_max = 4 * 1024 * 1024
    heard = Heard()
    address = RabbitAddress(url=rabbit_url)
    broker = RabbitBroker(address, SHARDS, prefetch=4_000, bytes_max=bytes_max, watch=heard)
    broker.start()
    large = [bytes([n % 256]) * 100_000 for n in range(400)]
    try:
        for n in range(0, 400, 20):
            broker.forward([(n // 20 % SHARDS, each) for each in large[n : n + 20]])
        broker.subscribe(range(SHARDS))
        held = 0
        began = time.monotonic()
        while time.monotonic() - began < 5.0:  # nobody takes anything: back-pressure
            held = max(held, broker.inbound.held_bytes)
            time.sleep(0.05)
        assert held < bytes_max + 2 * 1024 * 1024
        assert heard.said("shed")
        got: list[bytes] = []
        while len(got) < 400:
            some = broker.receive(1_000, 10.0)
            assert some
            got.extend(each.body for each in some)
            broker.acknowledge(tags(some))
            assert broker.inbound.held_bytes < bytes_max + 2 * 1024 * 1024
        assert sorted(got) == sorted(large)
        assert not heard.said("disconnected")
    finally:
        broker.disconnect()


def test_a_stop_under_load_finishes_what_is_in_flight(rabbit_url: str) -> None:
    prepare(rabbit_url)
    worker = Worker(rabbit_url)
    worker.start()
    publish(rabbit_url, 0, 400)
    assert worker.stop() < 5.0
    with at_work(Worker(rabbit_url)):
        assert until(lambda: len(set(arrived_so_far(rabbit_url))) >= 400)
    judge(arrived_so_far(rabbit_url), 400)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitNode]:
    with rabbit_node(tmp_path_factory.mktemp("rabbit") / "node") as node:
        yield node


def test_a_node_that_is_killed_and_comes_back_has_lost_nothing(node: RabbitNode) -> None:
    prepare(node.url)
    time.sleep(2)  # RabbitMQ 3.10 writes down what a queue is called within a second: one killed before is gone
    with at_work(Worker(node.url)) as worker:
        published = 0
        for _ in range(2):
            publish(node.url, published, published + 200)
            published += 200
            publish_until_killed = threading.Timer(0.3, node.kill)
            publish_until_killed.start()
            published = publish_as_far_as_possible(node.url, published)
            publish_until_killed.join()
            node.start()
            worked = worker.worked
            publish(node.url, published, published + 50)
            published += 50
            assert until(partial(_has_worked_since, worker, worked))
        assert until(lambda: len(set(arrived_so_far(node.url))) >= published)
    judge(arrived_so_far(node.url), published)


def _has_worked_since(worker: Worker, worked: int) -> bool:
    return worker.worked > worked


def publish_as_far_as_possible(url: str, first: int) -> int:
    """Publishes until the server is gone; returns the number of the first event that was not confirmed."""
    number = first
    try:
        with PlainClient(url) as billing:
            while True:
                billing.publish(BY_SHARD, str(shard_of_number(number)), body(number))
                number += 1
    except (pika.exceptions.AMQPError, OSError):
        return number


def test_a_server_without_memory_is_waited_for(node: RabbitNode) -> None:
    prepare(node.url)
    heard = Heard()
    broker = RabbitBroker(RabbitAddress(url=node.url), SHARDS, confirm_seconds=1.0, watch=heard)
    broker.start()
    try:
        broker.subscribe([1])
        broker.forward([(1, b"before")])
        got = collect(broker, 1)
        node.raise_memory_alarm()
        assert until(lambda: _is_refused(broker))
        with pytest.raises(RabbitUnavailable, match="short of memory"):
            broker.publish([event(1)])
        broker.acknowledge(tags(got))  # gets through on its own connection
        with PlainClient(node.url) as plain:
            assert until(lambda: plain.count(shard_queue(1)) == 0)
        node.end_memory_alarm()
        assert until(lambda: not _is_refused(broker))
        assert heard.said("blocked")[0] != (None,)
        assert heard.said("blocked")[-1] == (None,)
        assert not heard.said("disconnected")
    finally:
        node.end_memory_alarm()
        broker.disconnect()


def _published(broker: RabbitBroker, *events: OutgoingEvent) -> list[str]:
    try:
        return broker.publish(events)
    except RabbitUnavailable:
        return []


def _is_refused(broker: RabbitBroker) -> bool:
    try:
        broker.publish([OutgoingEvent("ACC-9", "ACC-9/1", 0, KEY, b"{}")])
    except RabbitUnavailable:
        return True
    return False


@pytest.mark.slow
def test_a_road_that_leads_nowhere_is_noticed_within_30_seconds_and_left_within_60(
    rabbit_url: str, proxy: Proxy
) -> None:
    prepare(rabbit_url)
    with at_work(Worker(through(proxy, rabbit_url))) as worker:
        publish(rabbit_url, 0, 100)
        assert until(lambda: worker.worked >= 100)
        proxy.is_black_hole = True
        began = time.monotonic()
        publish(rabbit_url, 100, 200)
        while not worker.heard.times("disconnected") and time.monotonic() - began < 60:
            time.sleep(0.1)
        noticed = worker.heard.times("disconnected")[0] - began
        while len({role for role, _ in worker.heard.said("disconnected")}) < 2 and time.monotonic() - began < 60:
            time.sleep(0.1)
        proxy.is_black_hole = False
        while worker.worked_at < began and time.monotonic() - began < 90:
            time.sleep(0.1)
        consuming = worker.worked_at - began
        print(f"noticed after {noticed:.1f} s, consuming after {consuming:.1f} s")
        assert noticed < 30
        assert consuming < 60
        assert until(lambda: len(set(arrived_so_far(rabbit_url))) >= 200)
    judge(arrived_so_far(rabbit_url), 200)
