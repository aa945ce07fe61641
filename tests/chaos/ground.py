"""A ground: the world of one check. Its nodes, its publisher, its receiver, and the demands on what was received."""

import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from signal import SIGCONT
from typing import Final

import psycopg

from adapters.part_urls import read_postgresql
from adapters.postgres_schema import migrate_server
from adapters.state_codec import decode_fact
from domain.events import CommandWithdrawn, MeasureRequested
from tests.adapters.run_process import DMS, environment
from tests.chaos.judge import Journal, Verdict, demanded, judge
from tests.chaos.node import Node
from tests.chaos.publisher import Published, Publisher
from tests.chaos.receiver import QUEUE
from tests.chaos.script import Script, script
from tests.chaos.seen import Seen, read_seen
from tests.services.plain_client import PlainClient

SHARDS: Final = 16
LEASE_SECONDS: Final = 2.0
POLICY: Final = (Path(__file__).parent / "policy.toml").read_text()
_STILL_SECONDS: Final = 1.5
_SETTLE_SECONDS: Final = 90.0
"""So long nothing may come while something is missing, before it counts as lost."""
_PENDING: Final = "SELECT count(*) FROM outbox WHERE state = 'pending'"


class Ground:
    """``published`` is what was confirmed to the publisher, `seen` what the receiver has."""

    def __init__(self, folder: Path, rabbit_url: str, store_url: str, seed: int) -> None:
        self.folder: Final = folder
        self.rabbit_url: Final = rabbit_url
        self.store_url: Final = store_url
        self.seed: Final = seed
        self.nodes: Final[list[Node]] = []
        self.published: Final = Published()
        self._file: Final = folder / "seen.txt"
        self._publishers: Final[list[Publisher]] = []
        self._receiver: subprocess.Popen[bytes] | None = None
        self._settings: dict[str, str] = {}

    def open(self, rules: str, settings: dict[str, str]) -> None:
        """Prepares store, settings, and the receiver's queue, and starts the receiver."""
        migrate_server(read_postgresql(self.store_url), SHARDS, time.time_ns() // 1_000)
        (self.folder / "policy.toml").write_text(rules)
        self._settings = settings
        self.configure({})
        with PlainClient(self.rabbit_url) as plain:
            plain.channel.exchange_declare("dms.out", "topic", durable=True)
            plain.channel.queue_declare(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
            plain.bind_existing(QUEUE, "dms.out", "#")
        self._file.touch()
        self._receiver = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.receiver", self.rabbit_url, str(self._file)], env=environment()
        )

    def configure(self, settings: dict[str, str]) -> None:
        """Writes the settings that nodes start with from now on."""
        values = {
            "store": self.store_url, "broker.url": self.rabbit_url.replace("guest:guest@", "guest@"),
            "broker.password_file": "password", "policy": "policy.toml",
            "lease": f"{LEASE_SECONDS:g}s", "session": f"{LEASE_SECONDS:g}s", "log.format": "json",
            **{name.replace("__", "."): value for name, value in {**self._settings, **settings}.items()},
        }  # fmt: skip
        text = "".join(f'{name} = "{value}"\n' for name, value in values.items())
        (self.folder / "dms.toml").write_text(f"shards = {SHARDS}\n{text}")
        (self.folder / "password").write_text("guest")

    def through(self, rabbit_port: int | None = None, postgres_port: int | None = None) -> None:
        """Nodes reach the servers by other ports from now on: those of proxies."""
        settings = {}
        if rabbit_port is not None:
            address, _, host = self.rabbit_url.replace("guest:guest@", "guest@").rpartition("/")
            settings["broker__url"] = f"{address.rpartition(':')[0]}:{rabbit_port}/{host}"
        if postgres_port is not None:
            address, _, database = self.store_url.rpartition("/")
            settings["store"] = f"{address.rpartition(':')[0]}:{postgres_port}/{database}"
        self.configure(settings)

    def node(self, *odd: str, workers: int = 1) -> Node:
        """Another node, started."""
        self.nodes.append(Node(self.folder, f"n{len(self.nodes) + 1}", workers))
        return self.nodes[-1].start(*odd)

    def wait_ready(self, patience_seconds: float = 60.0) -> None:
        """Until all nodes that live take events."""
        living = [node for node in self.nodes if node.is_alive]
        self.wait(lambda: all(node.is_ready() for node in living), "nodes are ready", patience_seconds)

    def wait(self, question: Callable[[], object], what: str, patience_seconds: float = 60.0) -> float:
        """Until it becomes true; returns how long that took. AssertionError where it does not."""
        began = time.monotonic()
        while not question():
            self._raise_failures()
            if time.monotonic() - began > patience_seconds:
                said = [line for node in self.nodes for line in node.said()[-2:]]
                raise AssertionError(f"waited {patience_seconds:g} s in vain until {what}: {said}")
            time.sleep(0.05)
        return time.monotonic() - began

    def wait_until_it_works(self, node: Node, patience_seconds: float) -> float:
        """Until the node has taken in more than now; how long that took."""
        before = node.worked
        return self.wait(lambda: node.worked > before, "it works again", patience_seconds)

    def publish(self, some: Script, rate: float = 0.0, repeats: int = 1) -> Publisher:
        """Publishes a script by both doors, in a thread: at so many events a second, each up to so often."""
        publisher = Publisher(self.rabbit_url, some, SHARDS, self.published, rate, repeats)
        self._publishers.append(publisher)
        publisher.start()
        return publisher

    def load(self, accounts: int, seconds: float, rate: float) -> Publisher:
        """The usual load (see `script`) for as long as a check may take; `enough` ends it."""
        return self.publish(script(self.seed, accounts, round(seconds * rate)), rate)

    @property
    def is_publishing(self) -> bool:
        """Whether scripts are still being published."""
        return any(each.is_alive() for each in self._publishers)

    def enough(self) -> None:
        """Nothing more is published; what was not is not demanded."""
        for publisher in self._publishers:
            publisher.end()
        self.wait_published()

    def wait_published(self) -> None:
        """Waits until all scripts are published. Raises what a publisher failed with."""
        for publisher in self._publishers:
            publisher.join()
        self._raise_failures()

    def _raise_failures(self) -> None:
        for publisher in self._publishers:
            if publisher.failure is not None:
                raise publisher.failure

    def seen(self) -> Seen:
        """What the receiver has written down so far."""
        return read_seen(self._file)

    def received_from(self, offset: int) -> bytes:
        """What it has written down since it was so many bytes, in whole lines."""
        with self._file.open("rb") as file:
            file.seek(offset)
            written = file.read()
        return written[: written.rfind(b"\n") + 1]

    def seen_bytes(self) -> int:
        """How much that is."""
        return self._file.stat().st_size

    def journal(self) -> Journal:
        """What the store says of commands."""
        rows = self.rows("SELECT fact, at, body FROM journal WHERE fact IN ('CommandWithdrawn', 'MeasureRequested')")
        facts = [decode_fact(str(name), int(str(at)), bytes(body)) for name, at, body in rows]  # type: ignore[call-overload]
        return Journal(
            frozenset(fact.command_id for fact in facts if isinstance(fact, MeasureRequested)),
            frozenset(fact.command_id for fact in facts if isinstance(fact, CommandWithdrawn)),
        )

    def settled(self, amounts: bool = False) -> Verdict:
        """The verdict when all is published and nothing is missing, or nothing has come for too long.

        With ``amounts`` commands must name the same debt: without faults only, since messages that waited for a node
        take effect before its late timers fire.
        """
        self.wait_published()
        demands = demanded(self.published.in_order(), amounts)
        size, since = -1, time.monotonic()
        while True:
            time.sleep(0.1)
            grown = self.seen_bytes()
            if grown != size:
                size, since = grown, time.monotonic()
            still = time.monotonic() - since
            if still > _STILL_SECONDS:
                verdict = judge(demands, self.seen(), self.journal(), amounts)
                is_done = not verdict.missing and not self.count(_PENDING)
                if is_done or still > _SETTLE_SECONDS:
                    return verdict
                time.sleep(1.0)

    def clean(self, amounts: bool = False, late: bool = True) -> str:
        """The verdict, known to be 0/0; the dead letters are what was unreadable; and the store holds together.

        ``late`` False: no node was away, so that every command was decided.
        """
        verdict = self.settled(amounts)
        assert verdict.is_clean, str(verdict)
        assert late or not verdict.late, str(verdict)
        self.verified()
        with PlainClient(self.rabbit_url) as plain:
            dead = set(plain.bodies("dms.dead"))
        assert dead == self.published.unreadable, f"{len(dead)} dead letters of {len(self.published.unreadable)}"
        return str(verdict)

    def verified(self) -> str:
        """`dms store verify`: what it says, and AssertionError where something does not hold."""
        self.configure({})
        done = subprocess.run(
            [*DMS, "store", "verify", "--config", "dms.toml"],
            cwd=self.folder, env=environment(), capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"dms store verify: {done.stdout[-500:]} {done.stderr[-500:]}"
        return done.stdout.strip()

    def rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """What a query finds in the store."""
        with psycopg.connect(self.store_url, autocommit=True) as connection:
            return connection.execute(query.encode(), values or None).fetchall()

    def count(self, query: str, *values: object) -> int:
        """The number that a query answers with."""
        return int(str(self.rows(query, *values)[0][0]))

    def delays(self, since_ns: int = 0) -> list[float]:
        """Seconds from publishing an event to receiving its rejection: the script has such events everywhere."""
        seen = self.seen()
        told_at = self.published.told_at
        found = []
        for event in seen.events:
            if event["type"] == "dms.message.rejected.v1":
                told = told_at.get(f"{event['data']['source']}/{event['data']['id']}", 0)
                if told > since_ns:
                    found.append((seen.arrived_at[event["id"]] - told) / 1e9)
        return sorted(found)

    def close(self) -> None:
        """Ends nodes and receiver, whatever state they are in."""
        for publisher in self._publishers:
            publisher.end()
        for node in self.nodes:
            if node.is_alive:
                with suppress(OSError):
                    node.send(SIGCONT)
                node.kill()
        if self._receiver is not None:
            self._receiver.kill()
            self._receiver.wait(10)
