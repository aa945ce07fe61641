"""`dms run` fed by RabbitMQ: a publisher and a receiver that know nothing of us, by its doors, with a stop between."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from yarl import URL

from tests.adapters.run_process import Node
from tests.adapters.test_run import debt, expected, payment
from tests.services.plain_client import PlainClient
from tests.services.rabbit_hosts import hosts, rabbit_url

__all__ = ["hosts", "rabbit_url"]
JSON = {"content-type": "application/cloudevents+json"}


@pytest.fixture
def node(tmp_path: Path, rabbit_url: str) -> Iterator[Node]:
    """A node on RabbitMQ, with its store in a file; gone after the test."""
    node = Node(tmp_path / "node")
    url = URL(rabbit_url)
    settings = node.folder / "dms.toml"
    (node.folder / "password").write_text(url.password or "guest")
    settings.write_text(
        'policy = "policy.toml"\nhttp = "127.0.0.1:0"\nlog.format = "json"\nshards = 8\nbroker.url = '
        f'"{url.with_password(None)}"\nbroker.password_file = "{node.folder / "password"}"\n'
    )
    yield node
    if node.process is not None and node.process.poll() is None:
        node.end(signal.SIGKILL)


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
