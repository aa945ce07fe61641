"""What a commit of a thousand profiles costs in SQLite, beside a bare loop of upserts over the same driver.

Every round is one transaction, on the disk when it returns (WAL, ``synchronous = FULL``), over profiles chosen at
random among a hundred thousand whose states take 300 bytes. Divide by `PROFILES` for one of them.
"""

import os
import random
import sqlite3
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from sqlalchemy import insert
from sqlalchemy.dialects.sqlite import insert as upsert

from adapters.schema import profiles
from adapters.sqlite_file import engine_of
from adapters.sqlite_store import SqliteStore
from adapters.state_codec import encode_state
from domain.messages import PaymentReceived
from domain.shards import shard_of
from engine.ports import JournalEntry, OutgoingEvent, ProfileRow, State, Transaction

PROFILES = 1_000
STORED = 100_000
STATE: State = (
    1,
    ("account", "person", "RUB", None, False),
    (None, 7, (("INV-2026-000123", 739_123, 1, 50_000),)),
    "x" * 218,
)
BODY = b'{"specversion":"1.0","type":"dms.measure.requested.v1","data":{}}' + b" " * 235

_UPSERT = """
INSERT INTO profiles (profile_id, shard, version, state, is_closed) VALUES (?, ?, ?, ?, 0)
ON CONFLICT (profile_id, shard) DO UPDATE SET version = excluded.version, state = excluded.state"""


def name(number: int) -> str:
    return f"ACC-{number:08}"


class Portfolio:
    """Profiles in a file, and the batches that touch them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = SqliteStore(path)
        self.versions = [0] * STORED
        self._random = random.Random(7)
        self._events = count()
        for start in range(0, STORED, 10_000):
            self.store.commit(self.batch(range(start, start + 10_000)))

    def choose(self) -> list[int]:
        return self._random.sample(range(STORED), PROFILES)

    def row(self, number: int, version: int) -> ProfileRow:
        """Every second profile has a timer, every fourth commit moves it."""
        wake_at = 1_772_355_600_000_000 + version // 4 * 86_400_000_000 + number if number % 2 else None
        return ProfileRow(name(number), version, STATE, wake_at, "everyone", None, False)

    def batch(self, chosen: range | list[int], whole: bool = False) -> Transaction:
        """A fact for each of the chosen; ``whole``: with the event that brought it and the one that it brings about."""
        transaction = Transaction()
        for number in chosen:
            profile_id = name(number)
            version = self.versions[number] = self.versions[number] + 1
            transaction.profiles.append(self.row(number, version))
            transaction.journal.append(JournalEntry(profile_id, version, PaymentReceived(version, f"P{version}", 500)))
            if whole:
                event = next(self._events)
                transaction.inbox.append(("billing", f"evt-{event}", event))
                transaction.outbox.append(OutgoingEvent(profile_id, f"{profile_id}/{event}", event, "measure.x", BODY))
        return transaction


@pytest.fixture(scope="module")
def portfolio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portfolio]:
    portfolio = Portfolio(tmp_path_factory.mktemp("store") / "dms.db")
    yield portfolio
    portfolio.store.close()


def measure(
    benchmark: BenchmarkFixture,
    prepare: Callable[[], tuple[tuple[object, ...], dict[str, object]]],
    run: Callable[..., object],
) -> None:
    benchmark.extra_info["profiles"] = PROFILES
    benchmark.pedantic(run, setup=prepare, rounds=60, warmup_rounds=3)  # type: ignore[no-untyped-call]


@pytest.mark.benchmark(group="a commit of 1,000 profiles in SQLite")
def bench_bare_upserts(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """The driver alone, one table, states that are bytes already."""
    SqliteStore(tmp_path / "dms.db").close()
    connection = sqlite3.connect(tmp_path / "dms.db", isolation_level=None)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA wal_autocheckpoint = 10000")
    body = encode_state(STATE)
    chance = random.Random(7)

    def rows(chosen: range | list[int]) -> list[tuple[object, ...]]:
        return [(name(n), shard_of(name(n), 64), 1, body) for n in chosen]

    def commit(some: list[tuple[object, ...]]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(_UPSERT, some)
        connection.execute("COMMIT")

    commit(rows(range(STORED)))
    measure(benchmark, lambda: ((rows(chance.sample(range(STORED), PROFILES)),), {}), commit)
    connection.close()


@pytest.mark.benchmark(group="a commit of 1,000 profiles in SQLite")
def bench_commit_of_profiles(benchmark: BenchmarkFixture, portfolio: Portfolio) -> None:
    """The same rows as the bare upserts, encoded and checked for their versions."""

    def again() -> tuple[tuple[object, ...], dict[str, object]]:
        chosen = portfolio.choose()
        return (Transaction(profiles=[portfolio.row(number, portfolio.versions[number]) for number in chosen]),), {}

    measure(benchmark, again, portfolio.store.commit)


@pytest.mark.benchmark(group="a commit of 1,000 profiles in SQLite")
def bench_commit_of_profiles_timers_and_facts(benchmark: BenchmarkFixture, portfolio: Portfolio) -> None:
    measure(benchmark, lambda: ((portfolio.batch(portfolio.choose()),), {}), portfolio.store.commit)


@pytest.mark.benchmark(group="a commit of 1,000 profiles in SQLite")
def bench_commit_of_a_whole_batch(benchmark: BenchmarkFixture, portfolio: Portfolio) -> None:
    """With the events taken in and those going out: five tables."""
    measure(benchmark, lambda: ((portfolio.batch(portfolio.choose(), whole=True),), {}), portfolio.store.commit)


@pytest.mark.benchmark(group="1,000 rows through SQLAlchemy")
@pytest.mark.parametrize("way", ["core", "driver sql", "driver"])
def bench_ways_to_write(benchmark: BenchmarkFixture, tmp_path: Path, way: str) -> None:
    """Why the store speaks to the driver: the same upserts by three ways through SQLAlchemy."""
    SqliteStore(tmp_path / "dms.db").close()
    engine = engine_of(tmp_path / "dms.db", writes=True)
    body = encode_state(STATE)
    chance = random.Random(7)
    new = insert(profiles)
    statement = upsert(profiles)
    statement = statement.on_conflict_do_update(
        index_elements=["profile_id", "shard"],
        set_={"version": statement.excluded.version, "state": statement.excluded.state},
    )
    connection = engine.connect()

    def rows(chosen: range | list[int]) -> list[tuple[object, ...]]:
        return [(name(n), n % 64, 1, body) for n in chosen]

    def named(some: list[tuple[object, ...]]) -> list[dict[str, object]]:
        return [
            dict(zip(("profile_id", "shard", "version", "state"), row, strict=True), is_closed=False) for row in some
        ]

    def core(some: list[dict[str, object]]) -> None:
        with connection.begin():
            connection.execute(statement, some)

    def driver_sql(some: list[tuple[object, ...]]) -> None:
        with connection.begin():
            connection.exec_driver_sql(_UPSERT, some)

    def driver(some: list[tuple[object, ...]]) -> None:
        raw = connection.connection.driver_connection
        assert isinstance(raw, sqlite3.Connection)
        raw.execute("BEGIN IMMEDIATE")
        raw.executemany(_UPSERT, some)
        raw.execute("COMMIT")

    with connection.begin():
        connection.execute(new, named(rows(range(STORED))))

    def choose() -> tuple[tuple[object, ...], dict[str, object]]:
        some = rows(chance.sample(range(STORED), PROFILES))
        return (named(some) if way == "core" else some,), {}

    ways: dict[str, Callable[..., None]] = {"core": core, "driver sql": driver_sql, "driver": driver}
    measure(benchmark, choose, ways[way])
    connection.close()


@pytest.mark.benchmark(group="asking SQLite about a batch of 1,000")
def bench_load(benchmark: BenchmarkFixture, portfolio: Portfolio) -> None:
    measure(benchmark, lambda: (([name(n) for n in portfolio.choose()],), {}), portfolio.store.load)


@pytest.mark.benchmark(group="asking SQLite about a batch of 1,000")
def bench_seen(benchmark: BenchmarkFixture, portfolio: Portfolio) -> None:
    keys = [("crm", f"{os.getpid()}-{number}") for number in range(PROFILES)]
    measure(benchmark, lambda: ((keys,), {}), portfolio.store.seen)
