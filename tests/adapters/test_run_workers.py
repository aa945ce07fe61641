"""`dms run --workers`: several processes on PostgreSQL and RabbitMQ, looked after by a first one."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from yarl import URL

from tests.adapters.run_process import Node
from tests.adapters.test_run import debt, expected, payment
from tests.services.plain_client import PlainClient
from tests.services.ports import free_port
from tests.services.postgres import Databases, stock
from tests.services.rabbit_hosts import VirtualHosts, hosts, rabbit_url

__all__ = ["hosts", "rabbit_url", "stock"]
DEBTS = range(1, 41)


@pytest.fixture
def node(tmp_path: Path, hosts: VirtualHosts, rabbit_url: str, stock: Databases) -> Iterator[Node]:
    """A node of two workers; gone after the test."""
    node = Node(tmp_path / "node")
    url = URL(rabbit_url)
    (node.folder / "password").write_text(url.password or "guest")
    (node.folder / "dms.toml").write_text(
        f'store = "{stock.url(stock.store())}"\nlease = "2s"\npolicy = "policy.toml"\n'
        f'http = "127.0.0.1:{free_port()}"\nlog.format = "json"\n'
        f'broker.url = "{url.with_password(None)}"\nbroker.password_file = "{node.folder / "password"}"\n'
    )
    yield node
    if node.process is not None and node.process.poll() is None:
        for child in psutil.Process(node.process.pid).children(recursive=True):
            child.kill()
        node.end(signal.SIGKILL)
    hosts.delete()  # at once: it has 64 queues


def test_workers_share_the_work_and_one_that_dies_is_started_again(node: Node, rabbit_url: str) -> None:
    """Both have shards; what the dead one had goes on with the other, and comes back; each effect once."""
    seen: dict[str, list[str]] = {}
    ids: set[str] = set()

    def has_received(wanted: dict[str, list[str]]) -> bool:
        for body in client.bodies("receiver"):
            event = json.loads(body)
            if event["id"] not in ids and event["type"] == "dms.measure.requested.v1":
                seen.setdefault(event["subject"], []).append(event["data"]["command_id"])
            ids.add(event["id"])
        return seen == wanted

    with PlainClient(rabbit_url) as client:
        node.start("--workers", "2")
        urls = node.wait_for(lambda: [each["url"] for each in node.logged() if each["event"] == "HTTP answers"][1:] and
                             [each["url"] for each in node.logged() if each["event"] == "HTTP answers"])  # fmt: skip
        client.bind("receiver", "dms.out", "#")
        node.wait_for(lambda: all(httpx.get(f"{url}/readyz").status_code == 200 for url in urls))
        node.wait_for(lambda: all(_shards(url) == 32 for url in urls))
        for number in DEBTS:
            client.publish("dms.in", "", json.dumps(debt(number)).encode())
        node.wait_for(lambda: has_received({f"ACC-{n}": expected(n, paid=False) for n in DEBTS}))
        assert all(_reading(url, "dms_events_total") > 0 for url in urls), "both have worked"
        started = [each["pid"] for each in node.logged() if each["event"] == "a worker starts"]
        os.kill(started[0], signal.SIGKILL)
        for number in DEBTS:
            client.publish("dms.in", "", json.dumps(payment(number)).encode())
        node.wait_for(lambda: has_received({f"ACC-{n}": expected(n, paid=True) for n in DEBTS}))
        node.wait_for(lambda: node.has_said("a worker starts", times=3))
        node.wait_for(lambda: all(_shards(url) == 32 for url in urls))
        assert node.process is not None
        node.process.send_signal(signal.SIGUSR1)
        node.wait_for(lambda: all(_level(url) == "DEBUG" for url in urls))
        changed = node.ask("config", "set", "log.level", "WARN")
        assert changed.returncode == 0, changed.stderr
        node.wait_for(lambda: all(_level(url) == "WARN" for url in urls))
        assert node.end(signal.SIGTERM) == 0
    verified = node.ask("store", "verify")
    assert verified.stdout.startswith("everything holds: 40 profiles"), verified


def test_workers_need_what_processes_can_share(tmp_path: Path) -> None:
    """One clear line instead of four processes that fight for a file."""
    node = Node(tmp_path / "node")
    ran = node.ask("run", "--workers", "4")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert (
        ran.stderr.strip() == "dms run: workers = 4 needs what processes can share: a store in PostgreSQL, and RabbitMQ"
    )


def _reading(url: str, metric: str) -> float:
    lines = httpx.get(f"{url}/metrics").text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.partition("{")[0].split(" ")[0] == metric)


def _shards(url: str) -> float:
    try:
        return _reading(url, "dms_shards_owned")
    except httpx.TransportError:
        return -1.0


def _level(url: str) -> str:
    return str(httpx.get(f"{url}/api/v1/log-level").json()["level"])
