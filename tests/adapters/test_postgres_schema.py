"""PostgreSQL's schema and its upkeep: migrations beside engines, months of the journal, and checking all of it."""

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, create_engine

import adapters.postgres_schema as subject
from adapters.migrations import SchemaRefused
from adapters.part_urls import Server
from adapters.postgres_audit import ReadAhead, quick_findings
from adapters.postgres_connection import conninfo
from adapters.postgres_partitions import make_months_ahead, months
from adapters.postgres_reader import PostgresReader
from adapters.postgres_schema import migrate_server, trim_server
from adapters.postgres_store import PostgresStore
from adapters.schema import metadata, shared
from adapters.verify import verify
from domain.calendar import DAY, SECOND
from domain.shards import shard_of
from engine.ports import HeldEvent, OutgoingEvent, Transaction
from tests.adapters.command_line import Run, commands_in
from tests.adapters.test_verify import LIVES, renamed, written
from tests.contracts.store_contract import begun, facts, moved, row, worked
from tests.services.postgres import Databases, stock

__all__ = ["stock"]
pytestmark = pytest.mark.services

SHARDS = 64
NOVEMBER = 1_794_000_000_000_000  # 2026-11-06


@pytest.fixture
def server(stock: Databases) -> Iterator[Server]:
    """A store of its own: what is changed here is no use to others."""
    server = stock.server(stock.store())
    yield server
    stock.drop(server.name)


@pytest.fixture
def store(server: Server) -> Iterator[PostgresStore]:
    with closing(PostgresStore(server, "one", SHARDS, 600 * SECOND)) as store:
        store.claim(range(SHARDS))
        yield store


def ask(server: Server, query: str, *values: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(conninfo(server), autocommit=True) as connection:
        cursor = connection.execute(query.encode(), values or None)
        return cursor.fetchall() if cursor.description is not None else [(cursor.rowcount,)]


def test_a_new_store_has_the_schema_that_is_described(server: Server) -> None:
    partition = re.compile(r"(profiles|timers|inbox)_\d+|journal_(rest|\d{4}_\d{2})")

    def counts(_: object, name: str | None, kind: str, *__: object) -> bool:
        # PostgreSQL's own: indexes for starts, and a table for each partition.
        return name not in ("ix_profiles_open", "ix_profiles_policy_version") and not (
            kind == "table" and partition.fullmatch(name or "")
        )

    described = MetaData()
    for table in (*metadata.tables.values(), *shared.tables.values()):
        table.to_metadata(described)
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(conninfo(server)))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": counts})
        assert compare_metadata(context, described) == []
    engine.dispose()


def test_every_shard_has_its_place(server: Server, store: PostgresStore) -> None:
    store.commit(_many(500))
    for table in ("profiles", "timers", "inbox"):
        parts = ask(server, f"SELECT tableoid::regclass::text, count(*) FROM {table} GROUP BY 1")
        assert len(parts) == 8
        assert sum(count for _, count in parts) == 500


def _many(count: int) -> Transaction:
    whole = Transaction(inbox=[("billing", str(n), n) for n in range(count)])
    for n in range(count):
        one = begun(f"ACC-{n}", wake_at=n + 1)
        whole.profiles += one.profiles
        whole.journal += one.journal
    return whole


def test_a_migration_gives_way_to_commits_and_comes_through_between_them(
    server: Server, store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It wants a table alone that a long transaction holds; commits that queue behind it go on after two seconds."""
    tries = 0

    def alter(_: Server, __: int) -> bool:
        nonlocal tries
        tries += 1
        with psycopg.connect(conninfo(server), options="-c lock_timeout=500ms") as connection:
            connection.execute("ALTER TABLE profiles ADD COLUMN note text")
        return True

    monkeypatch.setattr(subject, "_migrated", alter)
    monkeypatch.setattr(subject, "_PAUSE_SECONDS", 0.2)
    with psycopg.connect(conninfo(server)) as long, ThreadPoolExecutor(1) as pool:
        long.execute("SELECT count(*) FROM profiles")
        migrating = pool.submit(migrate_server, server, SHARDS, NOVEMBER)
        version = 0
        while tries < 3:
            version += 1
            store.commit(begun("ACC-1") if version == 1 else moved("ACC-1", version, None))
        assert not migrating.done()
        long.commit()
        assert migrating.result(30) is True
    # What was prepared before goes on after.
    store.commit(moved("ACC-1", version + 1, None))
    assert store.load(["ACC-1"])["ACC-1"].version == version + 1


def test_engines_before_policy_versions_go_on_while_the_column_comes(stock: Databases) -> None:
    """They go on as their sessions have prepared it; what they write first is of no known version."""
    empty = stock.server(stock.empty())
    migrate_server(empty, SHARDS, NOVEMBER)
    ask(empty, "ALTER TABLE profiles DROP COLUMN policy_version")  # its index goes with it
    ask(empty, "UPDATE alembic_version SET version_num = '0001'")
    with pytest.raises(SchemaRefused, match="its schema is 0001, not 0002: run dms store migrate"):
        PostgresStore(empty, "new", SHARDS, 30_000_000)
    columns = "profile_id, shard, version, state, policy_segment, service_segment, is_closed"
    begin = f"INSERT INTO profiles ({columns}) VALUES (%s, %s, 1, '', 'all', NULL, false)"
    follow = "UPDATE profiles SET version = version + 1 WHERE profile_id = %s AND shard = %s"
    with psycopg.connect(conninfo(empty), autocommit=True) as old:
        for name in ("ACC-1", "ACC-2", "ACC-3"):
            if name == "ACC-2":
                assert migrate_server(empty, SHARDS, NOVEMBER) is True
            place = (name, shard_of(name, SHARDS))
            old.execute(begin, place, prepare=True)
            old.execute(follow, place, prepare=True)
    with closing(PostgresStore(empty, "new", SHARDS, 30_000_000)) as new:
        new.claim(range(SHARDS))
        assert (new.outdated(7), len(new.profile_ids())) == ([], 3)
        new.commit(worked(Transaction(profiles=[row("ACC-2", 3)], journal=facts("ACC-2", [3])), 6))
        assert new.outdated(7) == ["ACC-2"]
    stock.drop(empty.name)


def test_a_migration_that_fails_leaves_nothing_behind(stock: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no more disk")

    empty = stock.server(stock.empty())
    with monkeypatch.context() as patched:
        patched.setattr(subject, "make_partitions", fail)
        with pytest.raises(RuntimeError):
            migrate_server(empty, SHARDS, NOVEMBER)
    assert ask(empty, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]
    assert migrate_server(empty, SHARDS, NOVEMBER) is True
    assert migrate_server(empty, SHARDS, NOVEMBER) is False
    stock.drop(empty.name)


def test_a_database_of_something_else_is_refused_and_left_alone(stock: Databases) -> None:
    other = stock.server(stock.empty())
    ask(other, "CREATE TABLE recipes (name text)")
    with pytest.raises(SchemaRefused, match="it is no store: it has other tables"):
        migrate_server(other, SHARDS, NOVEMBER)
    assert ask(other, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == [("recipes",)]
    stock.drop(other.name)


# The journal's months.


def test_facts_of_a_month_that_nobody_made_move_when_it_is_made(server: Server, store: PostgresStore) -> None:
    far = NOVEMBER + 700 * DAY
    store.commit(Transaction(journal=facts("ACC-1", [1, 2], at=far)))
    assert ask(server, "SELECT DISTINCT tableoid::regclass::text FROM journal") == [("journal_rest",)]
    with psycopg.connect(conninfo(server), autocommit=True) as connection:
        made = make_months_ahead(connection, far)
        assert make_months_ahead(connection, far) == []
    assert made == ["journal_2028_10", "journal_2028_11", "journal_2028_12"]
    assert ask(server, "SELECT DISTINCT tableoid::regclass::text FROM journal") == [("journal_2028_10",)]
    with closing(PostgresReader(server)) as reader:
        assert [entry.number for entry in reader.journal("ACC-1")] == [1, 2]
    store.commit(Transaction(journal=facts("ACC-1", [3], at=far)))


def test_months_are_made_while_commits_go_on(server: Server, store: PostgresStore) -> None:
    def make() -> None:
        with psycopg.connect(conninfo(server), autocommit=True, options="-c lock_timeout=5s") as connection:
            for month in range(12):
                make_months_ahead(connection, NOVEMBER + (800 + 31 * month) * DAY)

    store.commit(begun("ACC-1"))
    version = 1
    with ThreadPoolExecutor(1) as pool:
        making = pool.submit(make)
        while not making.done():
            version += 1
            store.commit(moved("ACC-1", version, None))
        making.result()
    assert store.load(["ACC-1"])["ACC-1"].version == version


def test_housekeeping_makes_the_months_to_come(server: Server, store: PostgresStore) -> None:
    ahead = time.time_ns() // 1_000 + 500 * DAY
    store.commit(Transaction(inbox=[("billing", "1", ahead)]))
    with psycopg.connect(conninfo(server)) as connection:
        before = len(list(months(connection)))
    store.forget(0)
    with psycopg.connect(conninfo(server)) as connection:
        assert len(list(months(connection))) == before + 3


def test_old_months_are_dropped_beside_an_engine_and_nothing_is_missed(server: Server, store: PostgresStore) -> None:
    with psycopg.connect(conninfo(server), autocommit=True) as connection:
        make_months_ahead(connection, NOVEMBER - 1_000 * DAY)
    store.commit(begun("ACC-1"))
    store.commit(
        Transaction(profiles=[begun("ACC-2").profiles[0]], journal=facts("ACC-2", [1], NOVEMBER - 1_000 * DAY))
    )
    assert trim_server(server, NOVEMBER, 36) == []
    assert trim_server(server, NOVEMBER, 24) == ["journal_2024_02", "journal_2024_03", "journal_2024_04"]
    store.commit(moved("ACC-1", 2, None))
    with closing(PostgresReader(server)) as reader:
        assert (len(list(reader.journal("ACC-1"))), list(reader.journal("ACC-2"))) == (2, [])
        assert reader.journal_begins() > NOVEMBER - 1_000 * DAY
        assert [each for each in quick_findings(reader) if "ACC-2" in each] == []


# Checking all of it.


@pytest.fixture
def lives(store: PostgresStore) -> PostgresStore:
    for profile_id, live in LIVES.items():
        life = live()
        life.profile = renamed(profile_id, life)
        store.commit(written(profile_id, life.facts, life.profile))
    store.commit(Transaction(held=[HeldEvent("NEW", 1, 1, b"{}")]))
    for number, state in enumerate(("pending", "held")):
        breaker = "restrict" if state == "held" else None
        store.commit(Transaction(outbox=[OutgoingEvent("A", f"A/{number}", 1, "x", b"{}", state, breaker)]))
    return store


def checked(server: Server) -> tuple[list[str], list[str]]:
    """What SQL finds, and what is found by rebuilding every profile."""
    with closing(PostgresReader(server)) as reader, reader.standing_still():
        return list(quick_findings(reader)), verify(ReadAhead(reader))


def test_a_sound_store_has_no_findings(server: Server, lives: PostgresStore) -> None:
    assert checked(server) == ([], [])


@pytest.mark.parametrize(
    ("change", "quick", "whole"),
    [
        (
            "DELETE FROM journal WHERE profile_id = 'A' AND number = 9",
            ["A: journal: from 1 to * there are * facts"],
            ["A: journal: 9 is missing, 10 comes next"],
        ),
        (
            "UPDATE profiles SET version = version + 1 WHERE profile_id = 'A'",
            ["A: journal: it ends at *, the version is *"],
            ["A: version is stored as *", "A: journal: it ends at *, the version is *"],
        ),
        (
            "DELETE FROM journal WHERE profile_id = 'GONE'",
            ["GONE: journal: it is empty, the version is *"],
            ["GONE: journal: it ends at 0, the version is *"],
        ),
        (
            "INSERT INTO timers SELECT profile_id, shard, 7 FROM profiles WHERE profile_id = 'GONE'",
            ["GONE: it is closed and has a timer"],
            ["GONE: timer is stored as 7, its state says None", "GONE: it is closed and has a timer"],
        ),
        (
            "UPDATE outbox SET state = 'lost' WHERE event_id = 'A/0'",
            ["A: outgoing event 'A/0' is 'lost' by NULL"],
            ["A: outgoing event 'A/0' is 'lost'"],
        ),
        (
            "INSERT INTO timers VALUES ('NOBODY', 3, 7)",
            ["NOBODY: timers without a profile"],
            ["NOBODY: timers without a profile"],
        ),
        (
            "UPDATE held SET profile_id = 'A', shard = (SELECT shard FROM profiles WHERE profile_id = 'A')",
            ["A: events are held for its account, which is there"],
            ["A: events are held for its account, which is there"],
        ),
        ("DELETE FROM shards WHERE shard = 3", ["shard 3: it has no row: nobody can work it"], []),
        ("UPDATE profiles SET state = '\\x93'::bytea WHERE profile_id = 'A'", [], ["A: its state cannot be read: *"]),
    ],
    ids=["a gap", "a version ahead", "no facts", "an alarm for the dead", "no state", "nobody's", "held in vain",
         "no shard", "no profile"],
)  # fmt: skip
def test_what_is_wrong_is_found(
    server: Server, lives: PostgresStore, change: str, quick: list[str], whole: list[str]
) -> None:
    assert ask(server, change) == [(1,)] or "journal" in change
    for found, expected in zip(checked(server), (quick, whole), strict=True):
        patterns = [re.escape(each).replace(r"\*", ".+") for each in expected]
        assert len(found) == len(patterns), found
        assert all(re.fullmatch(pattern, each) for pattern, each in zip(patterns, found, strict=True)), found


@pytest.fixture
def run(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    return commands_in(tmp_path, capfd, monkeypatch)


def test_the_commands_work_on_postgresql(
    server: Server, lives: PostgresStore, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"postgresql://{server.user}@{server.host}:{server.port}/{server.name}"
    monkeypatch.setenv("DMS_STORE", url)
    assert run("store", "migrate") == (0, "", "")
    for options in ([], ["--quick"]):
        assert run("store", "verify", *options).out.startswith("everything holds: 4 profiles, ")
    assert "What comes next" in run("profile", "A", "--why").out
    assert run("profile", "NOBODY") == (1, "", f"dms profile: no profile 'NOBODY' in {url}\n")
    assert run("store", "trim", "--keep-months", "600") == (0, "nothing is that old\n", "")
    ask(server, "INSERT INTO timers VALUES ('NOBODY', 3, 7)")
    found = run("store", "verify", "--quick")
    assert (found.status, found.out) == (1, "NOBODY: timers without a profile\n")
    monkeypatch.setenv("DMS_STORE", url.replace(str(server.port), "1"))
    for command in (("migrate",), ("verify",), ("trim", "--keep-months", "1")):
        refused = run("store", *command)
        assert (refused.status, refused.out, refused.err.count("\n")) == (1, "", 1)
        assert "refused" in refused.err.lower()


def test_what_is_for_postgresql_says_so(run: Run) -> None:
    assert run("store", "trim", "--keep-months", "3").err == (
        "dms store trim: a SQLite file has its journal in one piece: this is for PostgreSQL\n"
    )
    assert run("store", "migrate").status == 0
    assert run("store", "verify", "--quick").err == (
        "dms store verify: a SQLite file is checked as a whole: leave out --quick\n"
    )
