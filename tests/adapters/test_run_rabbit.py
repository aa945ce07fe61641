"""`dms run` fed by RabbitMQ: a publisher and a receiver that know nothing of us, by its doors, with a stop between."""

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from yarl import URL

from tests.adapters.run_process import Node
from tests.adapters.test_run import debt, expected, payment
from tests.services.plain_client import PlainClient
from tests.services.proxy import Proxy
from tests.services.rabbit_hosts import hosts, rabbit_url

__all__ = ["hosts", "rabbit_url"]
JSON = {"content-type": "application/cloudevents+json"}


@pytest.fixture
def node(tmp_path: Path, rabbit_url: str) -> Iterator[Node]:
    """A node on RabbitMQ, with its store in a file; gone after the test."""
    node = Node(tmp_path / "node")
    feed(node, URL(rabbit_url))
    yield node
    if node.process is not None and node.process.poll() is None:
        node.end(signal.SIGKILL)


def feed(node: Node, url: URL) -> None:
    """The node's settings, with RabbitMQ at this address."""
    settings = node.folder / "dms.toml"
    (node.folder / "password").write_text(url.password or "guest")
    settings.write_text(
        'policy = "policy.toml"\nhttp = "127.0.0.1:0"\nlog.format = "json"\nshards = 8\nbroker.url = '
        f'"{url.with_password(None)}"\nbroker.password_file = "{node.folder / "password"}"\n'
    )


def test_events_come_from_rabbitmq_and_by_http_and_commands_leave_to_it(node: Node, rabbit_url: str) -> None:
    """By the open door as a batch with something unreadable in it, by HTTP, and after a stop; each effect once."""
    received: dict[str, list[str]] = {}
    ids: set[str] = set()
    rejections: list[str] = []

    def receive() -> None:
        for body in client.bodies("receiver"):
            event = json.loads(body)
            if event["id"] not in ids and event["type"] == "dms.measure.requested.v1":
                received.setdefault(event["subject"], []).append(event["data"]["command_id"])
            if event["id"] not in ids and event["type"] == "dms.message.rejected.v1":
                rejections.append(event["data"]["reason"])
            ids.add(event["id"])

    def received_in_all(wanted: dict[str, list[str]]) -> bool:
        receive()
        return received == wanted

    with PlainClient(rabbit_url) as client:
        node.start()
        url = node.url()
        client.bind("receiver", "dms.out", "#")
        batch = [*debt(1), {"specversion": "1.0"}, *debt(2)]
        client.publish("dms.in", "", b"no event", json.dumps(batch).encode(), json.dumps(debt(3)[0]).encode())
        client.publish("dms.in", "", json.dumps(debt(3)[1]).encode())
        answer = httpx.post(f"{url}/api/v1/events", json=debt(4), headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()) == (202, {"events": 2, "unreadable": 0})
        unpaid = {f"ACC-{number}": expected(number, paid=False) for number in (1, 2, 3, 4)}
        node.wait_for(lambda: received_in_all(unpaid))
        ready = httpx.get(f"{url}/readyz")
        assert (ready.status_code, ready.json()["components"]["rabbitmq"]) == (200, {"status": "ok"})
        assert 'dms_events_total{outcome="unreadable",type=""} 1.0' in httpx.get(f"{url}/metrics").text
        assert node.end(signal.SIGTERM) == 0
        client.publish("dms.in", "", *(json.dumps(payment(number)).encode() for number in (1, 2, 3, 4)))
        node.start()
        paid = {f"ACC-{number}": expected(number, paid=True) for number in (1, 2, 3, 4)}
        node.wait_for(lambda: received_in_all(paid))
        assert client.bodies("dms.dead") == [b"no event"]
        assert rejections == ["invalid"]
        assert node.end(signal.SIGTERM) == 0


def test_what_waited_at_the_open_door_takes_effect_before_what_became_due_meanwhile(
    node: Node, rabbit_url: str
) -> None:
    """A block that was not confirmed would be sent again, had the debtor not paid while nobody was there."""
    policy = node.folder / "policy.toml"
    policy.write_text(
        policy.read_text().replace('reverse = "unblock"', 'reverse = "unblock"\nconfirm_within = "6s"\nretries = 1')
    )
    sent: list[str] = []

    def left(name: str) -> bool:
        events = [json.loads(body) for body in client.bodies("receiver")]
        sent.extend(each["data"]["command_id"] for each in events if each["type"] == "dms.measure.requested.v1")
        return f"ACC-1/1/{name}" in sent

    with PlainClient(rabbit_url) as client:
        node.start()
        node.url()
        client.bind("receiver", "dms.out", "#")
        client.publish("dms.in", "", json.dumps(debt(1)).encode())
        node.wait_for(lambda: left("block"))
        assert node.end(signal.SIGTERM) == 0
        time.sleep(6.5)
        client.publish("dms.in", "", json.dumps(payment(1)).encode())
        node.start()
        node.wait_for(lambda: left("unblock"))
        assert sent == ["ACC-1/1/notice", "ACC-1/1/block", "ACC-1/1/unblock"]


def test_it_stops_in_time_though_rabbitmq_answers_nothing_and_sends_the_rest_when_it_is_back(
    node: Node, rabbit_url: str
) -> None:
    url = URL(rabbit_url)
    assert url.host is not None
    assert url.port is not None
    with Proxy(url.host, url.port) as proxy, PlainClient(rabbit_url) as client:
        feed(node, url.with_host("127.0.0.1").with_port(proxy.port))
        node.start()
        node.url()
        client.bind("receiver", "dms.out", "#")
        node.wait_for(lambda: node.has_said("working"))
        proxy.swallows_answers = True
        client.publish("dms.in", "", *(json.dumps(each).encode() for number in range(1, 50) for each in debt(number)))
        with pytest.raises(httpx.ReadTimeout):  # nobody has confirmed it
            httpx.post(f"{node.url()}/api/v1/events", json=debt(50), timeout=0.5)
        began = time.monotonic()
        node.end(signal.SIGTERM)
        assert time.monotonic() - began < 15.0
        proxy.heal()
        node.start()
        wanted = {f"ACC-{number}": expected(number, paid=False) for number in range(1, 51)}
        received: dict[str, list[str]] = {}

        def all_received() -> bool:
            for body in client.bodies("receiver"):
                event = json.loads(body)
                if event["type"] == "dms.measure.requested.v1":
                    commands = received.setdefault(event["subject"], [])
                    commands.extend({event["data"]["command_id"]}.difference(commands))
            return received == wanted

        node.wait_for(all_received)
        assert node.end(signal.SIGTERM) == 0
