"""The field: servers of our own on free ports, nodes that are processes, a publisher and a receiver outside of them.

Each check has a `Ground` of its own: a virtual host, a database, a folder with settings. The servers are shared by all
checks of a run, and none that we did not start is ever touched.
"""

import json
import signal
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import pika
import psycopg
from psycopg.sql import SQL, Identifier

from adapters.part_urls import Server, read_postgresql
from adapters.postgres_schema import migrate_server
from tests.adapters.run_process import DMS, environment
from tests.chaos.judge import Verdict, demanded, judge
from tests.chaos.script import Script, script
from tests.services.plain_client import PlainClient
from tests.services.ports import free_port
from tests.services.postgres_server import PostgresServer, postgres_server
from tests.services.rabbit_node import RabbitNode, rabbit_node
from tests.services.zookeeper import ZooKeeperServer, need_zookeeper

SHARDS: Final = 16
LEASE_SECONDS: Final = 2.0
POLICY: Final = (Path(__file__).parent / "policy.toml").read_text()
_BATCH: Final = 25
_SETTLE_SECONDS: Final = 120.0


class Field:
    """The servers. ZooKeeper is started when a check asks for it."""

    def __init__(self, folder: Path, rabbit: RabbitNode, postgres: PostgresServer) -> None:
        self.rabbit: Final = rabbit
        self.postgres: Final = postgres
        self.folder: Final = folder
        self._zookeeper: ZooKeeperServer | None = None
        self._grounds = 0

    @property
    def zookeeper(self) -> ZooKeeperServer:
        """Runs from the first call on."""
        if self._zookeeper is None:
            need_zookeeper()
            self._zookeeper = ZooKeeperServer(self.folder / "zookeeper")
            self._zookeeper.start()
        return self._zookeeper

    @contextmanager
    def ground(self, policy: str = POLICY, **settings: str) -> Iterator["Ground"]:
        """A ground for one check; ``settings`` go over its usual ones (``__`` for a dot)."""
        self._grounds += 1
        name = f"g{self._grounds}"
        self.rabbit.control("add_vhost", name)
        self.rabbit.control("set_permissions", "-p", name, "guest", ".*", ".*", ".*")
        with psycopg.connect(self.postgres.url, autocommit=True) as admin:
            admin.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        folder = self.folder / name
        folder.mkdir()
        ground = Ground(self, name, folder, policy, settings)
        try:
            yield ground
        finally:
            ground.close()

    def close(self) -> None:
        """Ends what was started on the way."""
        if self._zookeeper is not None:
            self._zookeeper.kill()


@contextmanager
def field(folder: Path) -> Iterator[Field]:
    """A field that is gone afterwards."""
    with rabbit_node(folder / "rabbit") as rabbit, postgres_server(folder / "postgres") as postgres:
        made = Field(folder, rabbit, postgres)
        try:
            yield made
        finally:
            made.close()


class Node:
    """One node of a ground: started, killed, frozen, stopped; its log stays."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder: Final = folder
        self.name: Final = name
        self.port: Final = free_port()
        self.log: Final = folder / f"{name}.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *odd: str) -> "Node":
        """Starts it; with ``odd``, the process of `odd_node` with these options."""
        command = [*DMS, "run", "--config", "dms.toml"] if not odd else [sys.executable, "-m", "tests.chaos.odd_node"]
        variables = {"DMS_HTTP": f"127.0.0.1:{self.port}", "DMS_NODE": self.name}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, *odd], cwd=self.folder, env={**environment(), **variables},
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log,
            )  # fmt: skip
        return self

    @property
    def is_alive(self) -> bool:
        """Whether its process runs."""
        return self.process is not None and self.process.poll() is None

    def send(self, number: signal.Signals) -> None:
        """A signal to it."""
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """``kill -9``."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                self.process.kill()
            self.process.wait(10)

    def stop(self, patience_seconds: float = 30.0) -> float:
        """SIGTERM; returns how long it took. AssertionError where it does not end well."""
        assert self.process is not None
        began = time.monotonic()
        self.process.terminate()
        status = self.process.wait(patience_seconds)
        assert status in (0, -signal.SIGTERM), f"{self.name} ended with {status}: {self.said()[-3:]}"
        return time.monotonic() - began

    def said(self) -> list[str]:
        """Its log, line by line."""
        return self.log.read_text(errors="replace").splitlines()

    def ask(self, path: str, body: object = None) -> tuple[int, bytes]:
        """A GET, or with a body a POST; 0 where nobody answers."""
        import urllib.error
        import urllib.request

        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("content-type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read()
        except OSError:
            return 0, b""

    def is_ready(self) -> bool:
        """Whether it takes events."""
        return self.ask("/readyz")[0] == 200

    def reading(self, metric: str) -> float:
        """The sum of a metric over its labels."""
        lines = self.ask("/metrics")[1].decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.partition("{")[0].split(" ")[0] == metric)


class Ground:
    """One check's world: its nodes, its publisher, its receiver, and the demands on what the receiver has seen."""

    def __init__(self, field: Field, name: str, folder: Path, policy: str, settings: dict[str, str]) -> None:
        self.field: Final = field
        self.folder: Final = folder
        self.rabbit_url: Final = f"{field.rabbit.url.rstrip('/')}/{name}"
        self.store_url: Final = f"{field.postgres.url.rpartition('/')[0]}/{name}"
        self.nodes: Final[list[Node]] = []
        self.seen: Final = folder / "seen.jsonl"
        self.lines: Final[list[bytes]] = []
        """Sound events that were published, each once, in order."""
        self.failures: Final[list[BaseException]] = []
        self.sent = 0
        """Events that were published and confirmed."""
        self._publishing: list[threading.Thread] = []
        self._enough: Final = threading.Event()
        migrate_server(self.server, SHARDS, time.time_ns() // 1_000)
        (folder / "policy.toml").write_text(policy)
        self.set(settings)
        with PlainClient(self.rabbit_url) as plain:
            plain.channel.exchange_declare("dms.out", "topic", durable=True)
            plain.channel.queue_declare("receiver", durable=True, arguments={"x-queue-type": "quorum"})
            plain.bind_existing("receiver", "dms.out", "#")
        self.seen.touch()
        self._receiver: Final = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.receiver", self.rabbit_url, str(self.seen)], env=environment()
        )

    @property
    def server(self) -> Server:
        """PostgreSQL, directly."""
        return read_postgresql(self.store_url)

    def set(self, settings: dict[str, str]) -> None:
        """Writes the settings that nodes start with."""
        rabbit = self.rabbit_url.replace("guest:guest@", "guest@")
        values = {
            "store": self.store_url, "broker.url": rabbit, "broker.password_file": "password", "policy": "policy.toml",
            "lease": f"{LEASE_SECONDS:g}s", "session": f"{LEASE_SECONDS:g}s", "log.format": "json",
            **{name.replace("__", "."): value for name, value in settings.items()},
        }  # fmt: skip
        text = "".join(f'{name} = "{value}"\n' for name, value in values.items())
        (self.folder / "dms.toml").write_text(f"shards = {SHARDS}\n{text}")
        (self.folder / "password").write_text("guest")

    def node(self, *odd: str) -> Node:
        """Another node, started."""
        self.nodes.append(Node(self.folder, f"n{len(self.nodes) + 1}"))
        return self.nodes[-1].start(*odd)

    def wait_ready(self, patience_seconds: float = 60.0) -> None:
        """Until all nodes that live take events."""
        living = [node for node in self.nodes if node.is_alive]
        self.wait(lambda: all(node.is_ready() for node in living), "nodes are ready", patience_seconds)

    def wait(self, question: Callable[[], object], what: str, patience_seconds: float = 60.0) -> float:
        """Until it becomes true; returns how long that took. AssertionError where it does not."""
        began = time.monotonic()
        while not question():
            if time.monotonic() - began > patience_seconds:
                said = [line for node in self.nodes for line in node.said()[-2:]]
                raise AssertionError(f"waited {patience_seconds:g} s in vain until {what}: {said}")
            time.sleep(0.05)
        return time.monotonic() - began

    def publish(self, some: Script, rate: float = 0.0, repeats: int = 1) -> None:
        """Publishes a script by the open door, in a thread: at so many events a second, each up to so often."""
        thread = threading.Thread(target=self._publish, args=(some, rate, repeats), daemon=True)
        self._publishing.append(thread)
        thread.start()

    def load(self, seed: int, accounts: int, events: int, rate: float = 0.0) -> None:
        """The usual load: see `script`. `enough` ends it before its end."""
        self.publish(script(seed, accounts, events, first=seed * 10_000), rate)

    def enough(self) -> None:
        """Nothing more is published; what was not is not demanded."""
        self._enough.set()
        self.published()

    @property
    def is_publishing(self) -> bool:
        """Whether scripts are still being published."""
        return any(thread.is_alive() for thread in self._publishing)

    def _publish(self, some: Script, rate: float, repeats: int) -> None:
        try:
            unsaid = dict.fromkeys(some.lines)
            batches = _batches([body for _, body in some.bodies for _ in range(1 + zlib.crc32(body) % repeats)])
            began, sent = time.monotonic(), 0
            client: PlainClient | None = None
            while batches and not self._enough.is_set():
                try:
                    if client is None:
                        client = PlainClient(self.rabbit_url)
                        # A node declares the doors; without one there is nothing to publish to.
                        client.channel.exchange_declare("dms.in", passive=True)
                    client.publish("dms.in", "", _joined(batches[0]))
                except (pika.exceptions.AMQPError, OSError):
                    client = None  # not confirmed: it is sent again
                    time.sleep(0.2)
                    continue
                done = batches.pop(0)
                self.lines.extend(body for body in dict.fromkeys(done) if unsaid.pop(body, body) is None)
                sent += len(done)
                self.sent += len(done)
                if rate:
                    time.sleep(max(0.0, began + sent / rate - time.monotonic()))
            if client is not None:
                client.close()
        except BaseException as failure:
            self.failures.append(failure)

    def published(self) -> None:
        """Waits until all scripts are published."""
        for thread in self._publishing:
            thread.join()
        assert not self.failures, self.failures

    def settled(self, amounts: bool = False, patience_seconds: float = _SETTLE_SECONDS) -> Verdict:
        """The verdict when all is published and nothing is missing, or nothing has come for too long.

        With ``amounts`` commands must name the same debt: without faults only, since messages that waited for a node
        take effect before its late timers fire.
        """
        self.published()
        demands = demanded(self.lines, amounts)
        size, since = -1, time.monotonic()
        while True:
            verdict = judge(demands, self.seen, amounts)
            grown = self.seen.stat().st_size
            if grown != size:
                size, since = grown, time.monotonic()
            if not verdict.missing and time.monotonic() - since > 1.0:
                return verdict  # what is extra would have come by now
            if time.monotonic() - since > patience_seconds:
                return verdict
            time.sleep(0.5)

    def verified(self) -> str:
        """`dms store verify`: what it says, and AssertionError where something does not hold."""
        done = subprocess.run(
            [*DMS, "store", "verify", "--config", "dms.toml"],
            cwd=self.folder, env=environment(), capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"dms store verify: {done.stdout[-500:]} {done.stderr[-500:]}"
        return done.stdout.strip()

    def clean(self, amounts: bool = False) -> str:
        """The verdict, known to be 0/0, with the store's own."""
        verdict = self.settled(amounts)
        assert verdict.is_clean, str(verdict)
        self.verified()
        return str(verdict)

    def rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """What a query finds in the store."""
        with psycopg.connect(self.store_url, autocommit=True) as connection:
            return connection.execute(query.encode(), values or None).fetchall()

    def events(self) -> list[dict[str, object]]:
        """What the receiver has seen, doubles dropped."""
        first: dict[str, dict[str, object]] = {}
        for line in self.seen.read_bytes().splitlines():
            found = json.loads(line)
            for event in found if isinstance(found, list) else [found]:
                first.setdefault(event["id"], event)
        return list(first.values())

    def close(self) -> None:
        """Ends nodes and receiver, whatever state they are in."""
        for node in self.nodes:
            if node.is_alive:
                with suppress(OSError):
                    node.send(signal.SIGCONT)
                node.kill()
        self._receiver.kill()
        self._receiver.wait(10)


def _batches(bodies: Sequence[bytes]) -> list[list[bytes]]:
    """Events in batches of a few; what is no event travels alone."""
    made: list[list[bytes]] = []
    batch: list[bytes] = []
    for body in bodies:
        if b'"specversion"' in body:
            batch.append(body)
        if batch and (len(batch) == _BATCH or b'"specversion"' not in body):
            made.append(batch)
            batch = []
        if b'"specversion"' not in body:
            made.append([body])
    if batch:
        made.append(batch)
    return made


def _joined(bodies: Sequence[bytes]) -> bytes:
    return bodies[0] if len(bodies) == 1 else b"[" + b",".join(bodies) + b"]"
