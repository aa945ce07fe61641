"""The PostgreSQL store by itself: batches of a real engine, beside bare psycopg loops that write the same rows.

    python -m benchmarks.postgres_store [--events N] [--rounds N] [--profiles N] [NAME…]

Names: commits, start. ``commits``: an engine works a recorded history, and what it commits is written again, from the
first transaction on, by the store and by loops that know nothing of epochs, versions or partitions' plans: they get
rows that are encoded already, and write them in transactions of the same size. ``start``: what a node asks before it
consumes, of a store with a million profiles. The server is ``DMS_TEST_POSTGRES``, or the one on this machine.
"""

import argparse
import gc
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import psycopg

from adapters.letters import CODEC
from adapters.part_urls import Server
from adapters.policy_files import load_policy
from adapters.postgres_connection import PLANS, conninfo
from adapters.postgres_partitions import make_months_ahead
from adapters.postgres_store import PostgresStore
from adapters.replay import FixedPolicy
from adapters.state_codec import encode_fact, encode_state
from benchmarks.histories import history
from domain.calendar import DAY
from domain.shards import SHARDS, shard_of
from engine.engine import Engine, EngineSettings
from engine.ports import State, Transaction
from sim.broker import MemoryBroker
from sim.clock import VirtualClock
from sim.store import MemoryStore
from tests.services.postgres import Databases, databases

TELECOM: Final = Path(__file__).parent.parent / "adapters" / "policies" / "telecom"
EVENTS_A_BATCH: Final = 500
_STATE: Final[State] = (
    1,
    ("account", "person", "RUB", None, False),
    (None, 7, (("INV-2026-000123", 739_123, 1, 50_000),)),
    "x" * 300,
)

_INBOX: Final = "INSERT INTO inbox (source, id, accepted_at) VALUES (%s, %s, %s)"
_UPSERT: Final = """
INSERT INTO profiles (profile_id, shard, version, state, policy_segment, service_segment, is_closed, policy_version)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (profile_id, shard) DO UPDATE SET version = excluded.version,
    state = excluded.state, policy_segment = excluded.policy_segment, service_segment = excluded.service_segment,
    is_closed = excluded.is_closed, policy_version = excluded.policy_version"""
_FACT: Final = "INSERT INTO journal (profile_id, shard, number, fact, at, body) VALUES (%s, %s, %s, %s, %s, %s)"
_TIMER: Final = """
INSERT INTO timers (profile_id, shard, wake_at) VALUES (%s, %s, %s)
ON CONFLICT (profile_id, shard) DO UPDATE SET wake_at = excluded.wake_at"""
_OUT: Final = """
INSERT INTO outbox (profile_id, shard, event_id, at, routing_key, body, state, breaker)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"""
_STAGED: Final = """
INSERT INTO profiles SELECT * FROM staged ON CONFLICT (profile_id, shard) DO UPDATE SET version = excluded.version,
    state = excluded.state, policy_segment = excluded.policy_segment, service_segment = excluded.service_segment,
    is_closed = excluded.is_closed, policy_version = excluded.policy_version"""
_STAGED_TIMERS: Final = """
INSERT INTO timers SELECT * FROM staged_timers
ON CONFLICT (profile_id, shard) DO UPDATE SET wake_at = excluded.wake_at"""

Rows = dict[str, list[tuple[Any, ...]]]


class _Recorder(MemoryStore):
    """Keeps what it was given to commit."""

    def __init__(self) -> None:
        super().__init__()
        self.committed: list[Transaction] = []

    def commit(self, transaction: Transaction) -> None:
        super().commit(transaction)
        self.committed.append(transaction)


class _Recorded(VirtualClock):
    """Goes with the recorded events."""

    def stamp(self, recorded: int | None) -> int:
        self.reach(recorded or 0)
        return self.now()


def recorded(events: int) -> list[Transaction]:
    """What an engine commits that works a history of so many events, 500 at a time."""
    store, clock = _Recorder(), _Recorded()
    broker = MemoryBroker(lambda _: None, waiting_max=2 * events)
    settings = EngineSettings(late_us=10**15, timers_max=100_000, pipelined=False)
    node = Engine(store, broker, clock, FixedPolicy(load_policy(TELECOM)), CODEC, settings)
    node.begin()
    for line in history(max(1, events // 20), events):
        broker.offer(line)
    while deliveries := broker.receive(EVENTS_A_BATCH, 0):
        node.turn(deliveries, clock.now())
    node.end()
    return [transaction for transaction in store.committed if transaction]


def commits(events: int, rounds: int) -> None:
    """Rows a second of the same transactions, by the store and by two bare loops."""
    transactions = recorded(events)
    plain = [_plain(transaction) for transaction in transactions]
    rows = sum(len(some) for each in plain for some in each.values())
    latest = max(transaction.latest() for transaction in transactions)
    # As an engine does with what it keeps: the collector need not walk through all of it again and again.
    gc.freeze()
    ways: dict[str, Callable[[Server], float]] = {
        "the store": lambda server: _by_store(server, transactions),
        "executemany": lambda server: _by_executemany(server, plain),
        "COPY": lambda server: _by_copy(server, plain),
    }
    took: dict[str, list[float]] = {name: [] for name in ways}
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    with databases() as stock:
        for _ in range(rounds):
            for name, way in ways.items():
                server = _store_of(stock, latest)
                gc.collect()
                began = time.process_time()
                took[name].append(way(server))
                cpu[name].append(time.process_time() - began)
                stock.drop(server.name)
    print(
        f"{events:,} events in {len(transactions):,} transactions: {rows:,} rows, "
        f"{rows / len(transactions):,.0f} a transaction"
    )
    ours = statistics.median(took["the store"])
    for name, seconds in took.items():
        median = statistics.median(seconds)
        print(
            f"    {name:12} {rows / median:9,.0f} rows/s, {events / median:8,.0f} events/s, "
            f"{statistics.median(cpu[name]) / rows * 1e6:5.1f} µs of the client a row"
            + (f", the store is {median / ours:.2f} x as fast" if name != "the store" else "")
        )


def _store_of(stock: Databases, latest: int) -> Server:
    """An empty store whose journal has the months of a year until ``latest``."""
    server = stock.server(stock.store())
    with psycopg.connect(conninfo(server), autocommit=True) as connection:
        for month in range(14):
            make_months_ahead(connection, latest - month * 28 * DAY)
    return server


def _by_store(server: Server, transactions: Sequence[Transaction]) -> float:
    store = PostgresStore(server, "bench", SHARDS, 3_600_000_000)
    store.claim(range(SHARDS))
    began = time.perf_counter()
    for transaction in transactions:
        store.commit(transaction)
    took = time.perf_counter() - began
    store.close()
    return took


def _plain(transaction: Transaction) -> Rows:
    """The rows of a transaction, encoded."""
    last = {row.profile_id: row for row in transaction.profiles}
    shards = {profile_id: shard_of(profile_id, SHARDS) for profile_id in transaction.subjects()}
    return {
        "inbox": list(transaction.inbox),
        "profiles": [
            (row.profile_id, shards[row.profile_id], row.version, encode_state(row.state), row.policy_segment,
             row.service_segment, row.is_closed, row.policy_version) for row in last.values()
        ],
        "journal": [
            (each.profile_id, shard_of(each.profile_id, SHARDS), each.number, *encode_fact(each.fact))
            for each in transaction.journal
        ],
        "timers": [
            (row.profile_id, shards[row.profile_id], row.wake_at) for row in last.values() if row.wake_at is not None
        ],
        "outbox": [
            (each.profile_id, shards[each.profile_id], each.event_id, each.at, each.routing_key, each.body, each.state,
             each.breaker) for each in transaction.outbox
        ],
    }  # fmt: skip


def _by_executemany(server: Server, plain: Sequence[Rows]) -> float:
    """What one writes first; psycopg sends it in a pipeline."""
    statements = {"inbox": _INBOX, "profiles": _UPSERT, "journal": _FACT, "timers": _TIMER, "outbox": _OUT}
    with psycopg.connect(conninfo(server), autocommit=True) as connection:
        began = time.perf_counter()
        for rows in plain:
            with connection.transaction(), connection.cursor() as cursor:
                for table, some in rows.items():
                    if some:
                        cursor.executemany(statements[table], some)
        return time.perf_counter() - began


def _by_copy(server: Server, plain: Sequence[Rows]) -> float:
    """COPY into what only grows, and into temporary tables for what is replaced."""
    columns = {
        "inbox": ("inbox (source, id, accepted_at)", ["text", "text", "int8"]),
        "profiles": ("staged", ["text", "int2", "int8", "bytea", "text", "text", "bool", "int8"]),
        "journal": ("journal (profile_id, shard, number, fact, at, body)",
                    ["text", "int2", "int8", "text", "int8", "bytea"]),
        "timers": ("staged_timers", ["text", "int2", "int8"]),
        "outbox": ("outbox (profile_id, shard, event_id, at, routing_key, body, state, breaker)",
                   ["text", "int2", "text", "int8", "text", "bytea", "text", "text"]),
    }  # fmt: skip
    with psycopg.connect(conninfo(server), autocommit=True, options=PLANS) as connection:
        connection.execute("CREATE TEMPORARY TABLE staged (LIKE profiles) ON COMMIT DELETE ROWS")
        connection.execute("CREATE TEMPORARY TABLE staged_timers (LIKE timers) ON COMMIT DELETE ROWS")
        began = time.perf_counter()
        for rows in plain:
            with connection.transaction(), connection.cursor() as cursor:
                for table, some in rows.items():
                    if some:
                        target, types = columns[table]
                        with cursor.copy(f"COPY {target} FROM STDIN (FORMAT BINARY)") as copy:
                            copy.set_types(types)
                            for row in some:
                                copy.write_row(row)
                cursor.execute(_STAGED)
                cursor.execute(_STAGED_TIMERS)
        return time.perf_counter() - began


def start(profiles: int, rounds: int) -> None:
    """Milliseconds of each question that a node asks before it consumes."""
    with databases() as stock:
        server = stock.server(stock.store())
        _fill(server, profiles)
        took: dict[str, list[float]] = {}
        for number in range(rounds):
            for name, seconds in _started(server, f"start-{number}"):
                took.setdefault(name, []).append(seconds)
        stock.drop(server.name)
    print(f"a start with {profiles:,} profiles in the store, milliseconds:")
    for name, some in took.items():
        print(f"    {name:14} {statistics.median(some) * 1e3:8.1f}")
    print(f"    {'together':14} {sum(statistics.median(some) for some in took.values()) * 1e3:8.1f}")


def _fill(server: Server, profiles: int) -> None:
    body = encode_state(_STATE)
    with psycopg.connect(conninfo(server), autocommit=True) as connection:
        with connection.transaction(), connection.cursor() as cursor:
            with cursor.copy("COPY profiles FROM STDIN (FORMAT BINARY)") as copy:
                copy.set_types(["text", "int2", "int8", "bytea", "text", "text", "bool", "int8"])
                for number in range(profiles):
                    name = f"ACC-{number:08}"
                    segment = ("everyone", "soft", "key")[number % 3]
                    copy.write_row((name, shard_of(name, SHARDS), 7, body, segment, "north", number % 10 == 0, 3))
            cursor.execute(
                "INSERT INTO timers SELECT profile_id, shard, 1800000000000000 + 1000000::bigint"
                " * abs(hashtext(profile_id) %% 86400) FROM profiles WHERE NOT is_closed".replace("%%", "%")
            )
        # What autovacuum does within minutes.
        connection.execute("VACUUM ANALYZE")


def _started(server: Server, owner: str) -> Iterator[tuple[str, float]]:
    def timed(name: str, ask: Callable[[], object]) -> tuple[str, float]:
        began = time.perf_counter()
        ask()
        return name, time.perf_counter() - began

    opened: list[PostgresStore] = []
    yield timed("open", lambda: opened.append(PostgresStore(server, owner, SHARDS, 3_600_000_000)))
    (store,) = opened
    yield timed("claim", lambda: store.claim(range(SHARDS)))
    yield timed("last_instant", store.last_instant)
    yield timed("pending", lambda: store.pending(1_000_000))
    yield timed("withheld", store.withheld)
    yield timed("desks", store.desks)
    yield timed("segment_sizes", store.segment_sizes)
    yield timed("outdated", lambda: store.outdated(3))
    yield timed("blown", store.blown)
    yield timed("waiting", store.waiting_for_account)
    yield timed("due, 20,000", lambda: store.due(1_800_086_400_000_000, 20_000))
    store.hand_over(range(SHARDS))
    store.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="commits, start (both, where none is named)")
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--profiles", type=int, default=1_000_000)
    options = parser.parse_args()
    for name in options.names or ("commits", "start"):
        if name == "commits":
            commits(options.events, options.rounds)
        elif name == "start":
            start(options.profiles, options.rounds)
        else:
            parser.error(f"there is no {name!r}")


if __name__ == "__main__":
    main()
