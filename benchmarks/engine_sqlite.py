"""The engine on SQLite, every event durable before it is acknowledged, against bare upserts in the same run."""

import gc
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from adapters.letters import CODEC
from adapters.policy_files import load_policy
from adapters.replay import FixedPolicy
from adapters.sqlite_store import SqliteStore
from benchmarks.histories import history
from engine.engine import Engine, EngineSettings
from engine.ports import OutgoingEvent
from sim.broker import MemoryBroker
from sim.clock import VirtualClock

TELECOM = Path(__file__).parent.parent / "adapters" / "policies" / "telecom"
ROWS_A_COMMIT = 1_000
_AT_ONCE = 2_000


def engine(events: int, rounds: int) -> None:
    """Single events through intake, actors, commit and acknowledgement; the rate and its ratio to bare upserts."""
    lines = list(history(events // 20, events))
    ours = statistics.median(_run(lines) for _ in range(rounds))
    peer = statistics.median(_upserts(events) for _ in range(rounds)) / events
    print(
        f"engine with SQLite, {events:,} events and the confirmations of their commands: {1 / ours:,.0f} events/s "
        f"({ours / peer:.1f} x a bare upsert of a 300-byte state, {1 / peer:,.0f} rows/s)"
    )


class _Recorded(VirtualClock):
    """Goes with the recorded events; what the executing systems answer happens when it arrives."""

    def stamp(self, recorded: int | None) -> int:
        self.reach(recorded or 0)
        return self.now()


class _World:
    """Systems that carry out every command and confirm it at once: outgoing events come back as answers."""

    def __init__(self, waiting_max: int) -> None:
        self.broker = MemoryBroker(self._carry_out, waiting_max=waiting_max)

    def _carry_out(self, events: Sequence[OutgoingEvent]) -> None:
        for event in events:
            if event.routing_key.startswith("measure."):
                command_id = msgspec.json.decode(event.body)["data"]["command_id"]
                self.broker.offer(
                    (
                        f'{{"specversion":"1.0","id":"{event.event_id}","source":"network",'
                        f'"subject":"{event.profile_id}","type":"dms.measure.completed.v1",'
                        f'"data":{{"command_id":"{command_id}","detail":"done"}}}}'
                    ).encode()
                )


def _run(lines: list[bytes]) -> float:
    """Seconds an event, confirmations included."""
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(str(Path(folder) / "dms.db"))
        clock = _Recorded()
        broker = _World(4 * len(lines)).broker
        policy = FixedPolicy(load_policy(TELECOM))
        settings = EngineSettings(late_us=10**15, timers_max=100_000)
        node = Engine(store, broker, clock, policy, CODEC, settings)
        node.begin()
        gc.collect()
        gc.freeze()
        began = time.perf_counter()
        fed = 0
        while True:
            # Billing and the executing systems publish side by side: a confirmation does not wait behind a year.
            for line in lines[fed : fed + _AT_ONCE]:
                broker.offer(line)
            fed += _AT_ONCE
            deliveries = broker.receive(2 * _AT_ONCE, 0)
            if not deliveries:
                node.settle()
                if not broker.unfinished:
                    break
                continue
            node.turn(deliveries, clock.now())
        took = time.perf_counter() - began
        gc.unfreeze()
        taken = sum(node.tally.events.values())
        node.end()
        store.close()
        return took / taken


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
