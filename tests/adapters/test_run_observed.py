"""`dms run`, observed from outside: metrics, health and the log's level of a process of its own."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.adapters.run_process import Node
from tests.adapters.test_run import debt


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """A node that is gone after the test, whatever happened."""
    node = Node(tmp_path / "node")
    yield node
    if node.process is not None and node.process.poll() is None:
        node.end(signal.SIGKILL)


def test_a_running_node_is_watched_and_told_how_much_to_log(node: Node) -> None:
    """Signals and HTTP move one level; what happens then is told from event to command, and nobody's name is."""
    node.start()
    url = node.url()
    node.wait_for(lambda: httpx.get(f"{url}/readyz").status_code == 200)
    assert set(httpx.get(f"{url}/readyz").json()["components"]) == {"engine", "intake", "sqlite"}
    assert node.process is not None
    node.process.send_signal(signal.SIGUSR1)
    node.wait_for(lambda: httpx.get(f"{url}/api/v1/log-level").json() == {"level": "DEBUG"})
    node.process.send_signal(signal.SIGUSR2)
    node.wait_for(lambda: httpx.get(f"{url}/api/v1/log-level").json() == {"level": "INFO"})
    assert httpx.put(f"{url}/api/v1/log-level", json={"level": "TRACE"}).status_code == 200
    assert node.ask("config", "set", "active_max", "1000").returncode == 0
    node.wait_for(lambda: node.has_said("other settings hold"))
    assert httpx.get(f"{url}/api/v1/log-level").json() == {"level": "TRACE"}
    account, invoice = debt(5)
    account["data"] = {**dict(account["data"]), "attributes": {"name": "Ivan Petrov"}}  # type: ignore[call-overload]
    headers = {"content-type": "application/json"}
    assert (
        httpx.post(f"{url}/api/v1/events", content=json.dumps([account, invoice]), headers=headers).status_code == 202
    )
    node.wait_for(lambda: node.has_said("event published", 3))
    requested = [each for each in node.logged() if each["event"] == "command requested"]
    assert requested
    assert all(each["correlation"].startswith(("i5", "timer/ACC-5/")) for each in requested)
    assert "Petrov" not in node.log.read_text()
    metrics = httpx.get(f"{url}/metrics").text
    assert 'dms_events_total{outcome="accepted",type="dms.invoice.issued.v1"} 1.0' in metrics
    assert 'dms_component_up{component="sqlite"} 1.0' in metrics
    assert node.end(signal.SIGTERM) == 0
