"""A field for measuring nodes on PostgreSQL and RabbitMQ: filled queues, `dms run` as users run it, and its metrics.

The servers are the ones that run on this machine (``DMS_TEST_RABBIT``, ``DMS_TEST_POSTGRES``); each measurement has a
virtual host and a database of its own, which are gone afterwards.
"""

import os
import random
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from urllib.error import URLError
from urllib.request import urlopen

import psutil
import psycopg
from psycopg import sql
from yarl import URL

from adapters.part_urls import read_postgresql
from adapters.postgres_schema import migrate_server
from adapters.rabbit_broker import RabbitBroker
from adapters.rabbit_link import RabbitAddress
from adapters.rabbit_parcels import joined
from adapters.rabbit_topology import OUT
from benchmarks.filling import fill
from domain.shards import shard_of
from tests.adapters.run_process import DMS, environment
from tests.services.plain_client import PlainClient
from tests.services.ports import free_port
from tests.services.rabbit_hosts import virtual_hosts

SHARDS: Final = 16
BATCH: Final = 100
POSTGRES: Final = os.environ.get("DMS_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
UNWORKED: Final = "unworked"
"""The reading of events that came to anything but being worked."""
POLICY: Final = """
[policy]
name = "at-once"
version = 1
timezone = "UTC"
currency = "RUB"

[terms]
person = { days_after = 5 }
organisation = { days_after = 5 }

[attributes]
region = "string"

[[segment]]
name = "everyone"
plan = "all"

[plans.all]
min_gap_days = 0

[[plans.all.measure]]
name = "notice"
kind = "notify"
channel = "sms"
template = "notice"
day = 1
at = "00:00"

[[plans.all.measure]]
name = "block"
kind = "restrict"
target = "network"
day = 2
at = "00:00"
reverse = "unblock"
"""
"""What is overdue has its consequences at once, so that a command's way is measured and not its contact hours."""


def accounts(count: int) -> Iterator[tuple[str, bytes]]:
    """An event that makes each account, with its subject."""
    for number in range(count):
        yield _account(number)


def _account(number: int) -> tuple[str, bytes]:
    data = '{"projection":"account","party":"person","currency":"RUB","attributes":{"region":"SPB"}}'
    return _event(f"a-{number}", number, "account.updated", data)


def operator(events: int) -> Iterator[tuple[str, bytes]]:
    """So many events of an operator: one in twenty makes an account, then comes their `traffic`."""
    count = events // 20
    return chain(accounts(count), traffic(count, events - count))


def traffic(accounts: int, events: int, seed: int = 1) -> Iterator[tuple[str, bytes]]:
    """A month of accounts that are known: invoices and what pays them, 15 of 100 overdue when they come (a notice and a
    block, and with the payment the end of the block), and one event in ten a promise or a contact."""
    rng = random.Random(seed)
    today = datetime.now(UTC).date()
    long_ago, later = today - timedelta(days=40), today + timedelta(days=9)
    unpaid: list[tuple[int, int, int]] = []
    for number in range(events):
        draw = rng.random()
        if draw < 0.45 and unpaid:
            at = rng.randrange(len(unpaid))
            unpaid[at], unpaid[-1] = unpaid[-1], unpaid[at]
            invoice, account, amount = unpaid.pop()
            data = f'{{"payment_id":"P-{seed}-{invoice}","amount":{amount}}}'
            yield _event(f"e-{seed}-{number}", account, "payment.received", data)
        elif draw < 0.9:
            account, amount = rng.randrange(accounts), rng.randrange(10_000, 200_000)
            issued = long_ago if rng.random() < 0.15 else today
            data = f'{{"invoice_id":"I-{seed}-{number}","amount":{amount},"issued_on":"{issued}"}}'
            unpaid.append((number, account, amount))
            yield _event(f"e-{seed}-{number}", account, "invoice.issued", data)
        elif draw < 0.95:
            data = f'{{"promise_id":"R-{seed}-{number}","amount":10000,"pay_by":"{later}"}}'
            yield _event(f"e-{seed}-{number}", rng.randrange(accounts), "promise.made", data)
        else:
            data = '{"kind":"call","direction":"out","actor":"belov","outcome":"spoke","note":""}'
            yield _event(f"e-{seed}-{number}", rng.randrange(accounts), "contact.made", data)


def debts(count: int, first: int = 0) -> Iterator[tuple[str, bytes]]:
    """Two events for each of so many accounts: it comes into being, and owes since long ago: a notice and a block."""
    issued = datetime.now(UTC).date() - timedelta(days=40)
    for number in range(first, first + count):
        yield _account(number)
        data = f'{{"invoice_id":"I-{number}","amount":50000,"issued_on":"{issued}"}}'
        yield _event(f"i-{number}", number, "invoice.issued", data)


def probed(events: int, each: int, first: int) -> Iterator[tuple[str, bytes]]:
    """An operator's events; two of every ``each`` make a debt that brings commands at once, of accounts from ``first``
    on."""
    probes = debts(events // each, first)
    for number, event in enumerate(operator(events - 2 * (events // each))):
        yield event
        if number % (each - 2) == each - 3:
            yield from islice(probes, 2)


def coming_due(count: int, days: int) -> Iterator[tuple[str, bytes]]:
    """Two events for each of so many accounts: it comes into being, and will be overdue in so many days."""
    due = datetime.now(UTC).date() + timedelta(days=days - 1)
    for number in range(count):
        yield _account(number)
        issued = due - timedelta(days=30)
        data = f'{{"invoice_id":"I-{number}","amount":50000,"issued_on":"{issued}","due_on":"{due}"}}'
        yield _event(f"i-{number}", number, "invoice.issued", data)


def subject_of(account: int) -> str:
    """The account of a number."""
    return f"ACC-{account:08}"


def _event(id: str, account: int, kind: str, data: str) -> tuple[str, bytes]:
    subject = subject_of(account)
    body = (
        f'{{"specversion":"1.0","id":"{id}","source":"billing","type":"dms.{kind}.v1","subject":"{subject}",'
        f'"time":"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}Z","data":{data}}}'
    )
    return subject, body.encode()


class Field:
    """A virtual host, a database and settings. ``receiver`` is a queue that gets all that leaves."""

    def __init__(self, folder: Path, rabbit: str, database: str) -> None:
        self.rabbit: Final = rabbit
        self.database: Final = database
        self._folder: Final = folder
        self._nodes: list[Nodes] = []
        address, store = URL(rabbit), URL(database)
        (folder / "password").write_text(address.password or "guest")
        (folder / "policy.toml").write_text(POLICY)
        (folder / "dms.toml").write_text(
            f'store = "{store}"\nbroker.url = "{address.with_password(None)}"\nbroker.password_file = "password"\n'
            f'policy = "policy.toml"\nshards = {SHARDS}\nlog.level = "WARN"\nlog.format = "json"\nlease = "2s"\n'
        )
        migrate_server(read_postgresql(database), SHARDS, time.time_ns() // 1_000)
        broker = RabbitBroker(RabbitAddress(url=rabbit), SHARDS)
        broker.start()
        broker.disconnect()
        with PlainClient(rabbit) as plain:
            plain.channel.queue_declare("receiver", durable=True, arguments={"x-queue-type": "quorum"})
            plain.channel.queue_bind("receiver", OUT, "#")

    def fill_fast_door(self, events: Iterator[tuple[str, bytes]], a_message: int) -> int:
        """Events in the queues of their shards, so many a message; returns how many events."""
        by_shard: list[list[bytes]] = [[] for _ in range(SHARDS)]
        for subject, body in events:
            by_shard[shard_of(subject, SHARDS)].append(body)
        packed = ((str(at), body) for at, bodies in enumerate(by_shard) for body in _packed(bodies, a_message))
        fill(self.rabbit, "dms.shards", packed)
        return sum(map(len, by_shard))

    def fill_open_door(self, events: Iterator[tuple[str, bytes]], a_message: int) -> int:
        """Events of any mix at the open door."""
        bodies = [body for _, body in events]
        fill(self.rabbit, "dms.in", (("", body) for body in _packed(bodies, a_message)))
        return len(bodies)

    def start(self, workers: int = 1, days_ahead: float = 0.0) -> "Nodes":
        """`dms run` with so many processes, or one that believes it is so many days later."""
        nodes = Nodes(self._folder, workers, days_ahead)
        self._nodes.append(nodes)
        return nodes

    def publish_policy(self, text: str) -> None:
        """Other rules, from the moment at which nodes see them."""
        fresh = self._folder / "fresh"
        fresh.write_text(text)
        fresh.replace(self._folder / "policy.toml")

    def count(self, table: str, where: str = "true") -> int:
        """Rows of a table."""
        with psycopg.connect(self.database) as connection:
            query = sql.SQL("SELECT count(*) FROM {} WHERE " + where).format(sql.Identifier(table))
            row = connection.execute(query).fetchone()
        assert row is not None
        return int(row[0])

    def received(self) -> int:
        """Events that have left and were not fetched."""
        with PlainClient(self.rabbit) as plain:
            return plain.count("receiver")

    def stop(self) -> None:
        """Ends what still runs."""
        for nodes in self._nodes:
            nodes.stop()


def _packed(bodies: list[bytes], a_message: int) -> Sequence[bytes]:
    if a_message == 1:
        return bodies
    return [joined(bodies[first : first + a_message]) for first in range(0, len(bodies), a_message)]


class Nodes:
    """A node with its workers, seen from outside."""

    def __init__(self, folder: Path, workers: int, days_ahead: float) -> None:
        self.port: Final = free_port()
        self.workers: Final = workers
        self.began: Final = time.perf_counter()
        self._log: Final = (folder / f"log-{self.port}.jsonl").open("w+")
        # One process has the port itself, several have it and those above it.
        command = [*DMS, "run", "--config", "dms.toml", "--workers", str(workers)]
        if days_ahead:
            command = [sys.executable, "-m", "benchmarks.node_ahead", str(days_ahead)]
        self.process: Final = subprocess.Popen(
            command, cwd=folder, env={**environment(), "DMS_HTTP": f"127.0.0.1:{self.port}"},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self._log,
        )  # fmt: skip

    def readings(self) -> dict[str, float]:
        """The sum of each metric over labels and workers; nothing of those that do not answer yet."""
        sums: dict[str, float] = {}
        for worker in range(self.workers):
            try:
                with urlopen(f"http://127.0.0.1:{self.port + worker}/metrics", timeout=20) as answer:
                    text = answer.read().decode()
            except (URLError, OSError):
                continue
            for line in text.splitlines():
                if not line.startswith("#"):
                    name, _, value = line.rpartition(" ")
                    key = name.partition("{")[0]
                    sums[key] = sums.get(key, 0.0) + float(value)
                    if key == "dms_events_total" and 'outcome="accepted"' not in name:
                        sums[UNWORKED] = sums.get(UNWORKED, 0.0) + float(value)
        return sums

    def events(self) -> float:
        """Events that were taken in and committed."""
        return self.readings().get("dms_events_total", 0.0)

    def pids(self) -> list[int]:
        """The processes that work."""
        main = psutil.Process(self.process.pid)
        return [each.pid for each in main.children()] if self.workers > 1 else [main.pid]

    def rate(self, events: int, patience_seconds: float = 900.0) -> float:
        """Events a second from the first look at which any were committed until all are and everything has left."""
        first_at = first = 0.0
        deadline = time.perf_counter() + patience_seconds
        while True:
            now = time.perf_counter()
            readings = self.readings()
            done = readings.get("dms_events_total", 0.0)
            if readings.get(UNWORKED):
                raise RuntimeError(f"{readings[UNWORKED]:,.0f} events were held or rejected instead of worked")
            if done and not first_at:
                first_at, first = now, done
            if done >= events and not readings.get("dms_outbox_pending", 0.0):
                return (done - first) / max(now - first_at, 1e-9)
            if self.process.poll() is not None or now > deadline:
                self._log.seek(0)
                raise RuntimeError(f"{done:,.0f} of {events:,} events: {self._log.read()[-2_000:]}")
            time.sleep(0.1)

    def steady_rate(self, events: int) -> tuple[float, float]:
        """Events a second between the second tenth of so many and the seventh, and the share of all cores in use then.

        Processes do not take up their shards at the same moment, nor come to their last event together: a run of
        seconds shows that, one of years does not.
        """
        looks: list[tuple[float, float, float]] = []
        while self.process.poll() is None:
            time.sleep(0.2)
            busy = psutil.cpu_percent() / 100
            done = self.events()
            if 0.2 * events <= done <= 0.7 * events:
                looks.append((time.perf_counter(), done, busy))
            if done > 0.7 * events:
                break
        self.rate(events)
        if len(looks) < 3:
            raise RuntimeError(f"{events:,} events are too few to see a steady state")
        (first_at, first, _), (last_at, last, _) = looks[0], looks[-1]
        return (last - first) / (last_at - first_at), statistics.fmean(busy for _, _, busy in looks[1:])

    def stop(self) -> None:
        """Ends it in good order."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)
        self._log.close()


@contextmanager
def field() -> Iterator[Field]:
    """A field, and nothing of it afterwards."""
    name = f"dms_bench_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(POSTGRES, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            with virtual_hosts() as hosts, TemporaryDirectory() as folder:
                made = Field(Path(folder), hosts.take(), str(URL(POSTGRES).with_path(f"/{name}")))
                try:
                    yield made
                finally:
                    made.stop()
        finally:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
