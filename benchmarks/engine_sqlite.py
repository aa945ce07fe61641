"""The engine on SQLite, every event durable before it is acknowledged, against bare upserts in the same run."""

import sqlite3
import statistics
import tempfile
import time
from pathlib import Path

from adapters.cloud_events import decode, encode, encode_rejection
from adapters.policy_files import load_policy
from adapters.replay import FixedPolicy
from adapters.sqlite_store import SqliteStore
from benchmarks.histories import history
from engine.engine import Engine, EngineSettings
from sim.broker import MemoryBroker
from sim.clock import VirtualClock

TELECOM = Path(__file__).parent.parent / "adapters" / "policies" / "telecom"
ROWS_A_COMMIT = 1_000


def engine(events: int, rounds: int) -> None:
    """Single events through intake, actors, commit and acknowledgement; the rate and its ratio to bare upserts."""
    lines = list(history(events // 20, events))
    ours = statistics.median(_run(lines) for _ in range(rounds))
    peer = statistics.median(_upserts(events) for _ in range(rounds))
    print(
        f"engine with SQLite, {events:,} events: {events / ours:,.0f} events/s "
        f"(bare upserts of 300-byte states: {events / peer:,.0f} rows/s)"
    )


def _run(lines: list[bytes]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(str(Path(folder) / "dms.db"))
        clock = VirtualClock()
        broker = MemoryBroker(lambda events: None, waiting_max=len(lines))
        node = Engine(
            store,
            broker,
            clock,
            FixedPolicy(load_policy(TELECOM)),
            decode,
            encode,
            encode_rejection,
            EngineSettings(late_us=10**15, timers_max=100_000),
        )
        node.begin()
        for line in lines:
            broker.offer(line)
        began = time.perf_counter()
        while deliveries := broker.receive(2_000, 0):
            node.turn(deliveries, clock.now())
        node.settle()
        took = time.perf_counter() - began
        node.end()
        store.close()
        return took


def _upserts(rows: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        connection = sqlite3.connect(Path(folder) / "bare.db", isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE profile (id TEXT PRIMARY KEY, version INTEGER, state BLOB) WITHOUT ROWID")
        state = bytes(300)
        began = time.perf_counter()
        for first in range(0, rows, ROWS_A_COMMIT):
            some = [
                (f"ACC-{(n * 7919) % max(1, rows // 20):06}", n, state) for n in range(first, first + ROWS_A_COMMIT)
            ]
            connection.execute("BEGIN")
            connection.executemany(
                "INSERT INTO profile VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE "
                "SET version = excluded.version, state = excluded.state",
                some,
            )
            connection.execute("COMMIT")
        took = time.perf_counter() - began
        connection.close()
        return took
