"""The embedded store beyond the contract: its file outlives crashes, knows its schema, and refuses what is no store."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.command import upgrade
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from adapters import migrations
from adapters.migrations import migrate
from adapters.schema import VERSION, metadata
from adapters.sqlite_file import StoreRefused, engine_of
from adapters.sqlite_reader import SqliteReader
from adapters.sqlite_store import SqliteStore
from domain.shards import SHARDS, shard_of
from engine.ports import ProfileRow, StoreConflict, Transaction
from tests.contracts.store_contract import begun, facts, moved, outgoing, row

# Commits one batch after the other, and says which is acknowledged; the parent kills it at any moment.
WRITER = """
import sys
from adapters.sqlite_store import SqliteStore
from engine.ports import JournalEntry, OutgoingEvent, ProfileRow, Transaction
from domain.messages import PaymentReceived

store = SqliteStore(sys.argv[1])
first = store.load(["ACC-0"])
version = first["ACC-0"].version if first else 0
while True:
    version += 1
    names = [f"ACC-{n}" for n in range(50)]
    store.commit(Transaction(
        inbox=[("billing", f"{version}/{name}", version) for name in names],
        profiles=[ProfileRow(name, version, (1, name, version), version, None, None, False) for name in names],
        journal=[JournalEntry(name, version, PaymentReceived(version, f"P{version}", 1)) for name in names],
        outbox=[OutgoingEvent(name, f"{name}/{version}", version, "x", b"{}") for name in names],
    ))
    print(version, flush=True)
    if version % 3 == 0:
        store.mark_sent([event.event_id for event in store.pending(30)])
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "dms.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(path)
    yield store
    store.close()


def change(path: Path, sql: str) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(sql)
    connection.close()


def refusal_of(path: Path | str, **options: int) -> str:
    with pytest.raises(StoreRefused) as refused:
        SqliteStore(path, **options)
    message = str(refused.value)
    assert "\n" not in message
    return message


def killed_after(seconds: float, path: Path) -> int:
    """Runs the writer, kills it without warning; the last commit that it acknowledged."""
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    assert writer.stdout.readline(), "the writer did not begin"
    time.sleep(seconds)
    os.kill(writer.pid, signal.SIGKILL)
    acknowledged = [int(line) for line in writer.stdout.read().split("\n")[:-1]]
    writer.stdout.close()
    assert writer.wait() == -signal.SIGKILL
    return acknowledged[-1] if acknowledged else 0


def test_what_was_acknowledged_outlives_kills_in_the_midst_of_commits_and_what_was_not_is_whole_or_absent(
    path: Path,
) -> None:
    for attempt in range(4):
        acknowledged = killed_after(0.05 + 0.11 * attempt, path)
        store, reader = SqliteStore(path), SqliteReader(path)
        version = store.load(["ACC-0"])["ACC-0"].version
        assert version in (acknowledged, acknowledged + 1) or acknowledged == 0
        names = [f"ACC-{n}" for n in range(50)]
        assert {loaded.version for loaded in store.load(names).values()} == {version}
        assert store.due(10**6, 10**6) == [(name, version) for name in sorted(names)]
        for name in names[:5]:
            assert [entry.number for entry in reader.journal(name)] == list(range(1, version + 1))
        assert reader.counts()["inbox"] == 50 * version
        assert store.seen([("billing", f"{version}/ACC-49"), ("billing", f"{version + 1}/ACC-0")]) == {
            ("billing", f"{version}/ACC-49")
        }
        assert store.last_instant() == version
        check = sqlite3.connect(path)
        assert check.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        check.close()
        store.close()
        reader.close()


def test_a_new_file_gets_the_newest_schema(path: Path, store: SqliteStore) -> None:
    engine = engine_of(path, writes=False)
    with engine.connect() as connection:
        assert MigrationContext.configure(connection).get_current_revision() == VERSION
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        engine_options = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
    assert engine_options == "wal"


def test_the_migrations_lead_to_the_version_that_the_schema_says() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    assert ScriptDirectory.from_config(config).get_heads() == [VERSION]


def test_a_store_that_is_up_to_date_is_left_alone(path: Path, store: SqliteStore) -> None:
    engine = engine_of(path, writes=True)
    with engine.begin() as connection:
        assert migrate(connection) is False


def test_what_engines_before_policy_versions_wrote_is_known_once_it_is_written_again(path: Path) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    with engine_of(path, writes=True).begin() as connection:
        config.attributes["connection"] = connection
        upgrade(config, "0001")
        sql = "INSERT INTO profiles VALUES (?, ?, 1, x'9101', 'all', NULL, 0)"
        for name in ("ACC-1", "ACC-2"):
            connection.exec_driver_sql(sql, (name, shard_of(name, SHARDS)))
    store = SqliteStore(path)
    assert (store.outdated(7), store.profile_ids()) == ([], ["ACC-1", "ACC-2"])
    store.commit(Transaction(profiles=[ProfileRow("ACC-1", 1, (1, "ACC-1"), 5, "all", None, False, 6)]))
    assert store.outdated(7) == ["ACC-1"]
    store.close()


def test_a_migration_that_fails_leaves_nothing_behind(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from alembic.operations import Operations

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no more disk")

    with monkeypatch.context() as patched:
        patched.setattr(Operations, "create_index", fail)
        with pytest.raises(RuntimeError):
            SqliteStore(path)
    check = sqlite3.connect(path)
    assert check.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    check.close()
    SqliteStore(path).close()


def test_a_file_of_a_newer_schema_is_refused(path: Path, store: SqliteStore) -> None:
    store.close()
    change(path, "UPDATE alembic_version SET version_num = '9999'")
    expected = f"{path}: its schema is 9999, this version of dms knows up to {VERSION}: use a newer dms"
    assert refusal_of(path) == expected
    with pytest.raises(StoreRefused, match="9999"):
        SqliteReader(path)


def test_a_file_that_is_no_store_is_refused_and_left_alone(path: Path) -> None:
    path.write_bytes(b"Dear diary, " * 1_000)
    assert refusal_of(path) == f"{path}: file is not a database"
    assert path.read_bytes() == b"Dear diary, " * 1_000


def test_a_database_of_something_else_is_refused_and_left_alone(path: Path) -> None:
    change(path, "CREATE TABLE recipes (name TEXT)")
    assert refusal_of(path) == f"{path}: it is no store: it has other tables (recipes, say); name another database"
    check = sqlite3.connect(path)
    assert check.execute("SELECT name FROM sqlite_master").fetchall() == [("recipes",)]
    check.close()


@pytest.mark.parametrize("where", ["postgresql://host/dms", "sqlite://", "sqlite:///:memory:"])
def test_an_address_that_is_no_file_is_refused(where: str) -> None:
    assert "name a file" in refusal_of(where)


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    assert refusal_of(tmp_path / "nowhere" / "dms.db").endswith("unable to open database file")


def test_a_reader_does_not_make_a_store(path: Path) -> None:
    with pytest.raises(StoreRefused, match="no such file"):
        SqliteReader(path)
    assert not path.exists()
    path.touch()
    with pytest.raises(StoreRefused, match="no store in it yet"):
        SqliteReader(path)


def test_a_reader_cannot_change_anything(path: Path, store: SqliteStore) -> None:
    reader = SqliteReader(path)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader._look("DELETE FROM inbox")
    reader.close()


def test_the_number_of_shards_is_fixed_when_the_store_is_made(path: Path) -> None:
    first = SqliteStore(path, shards=8)
    first.commit(begun("ACC-1"))
    first.close()
    again = SqliteStore(path)
    assert again.shards == 8
    again.close()
    assert refusal_of(path, shards=64) == f"{path}: it has 8 shards, which cannot become 64"
    check = sqlite3.connect(path)
    assert check.execute("SELECT shard FROM profiles").fetchall() == [(shard_of("ACC-1", 8),)]
    check.close()


def test_a_shard_is_the_crc_of_the_profile_in_utf_8() -> None:
    assert shard_of("123456789", SHARDS) == 0xCBF43926 % 64  # the check value of crc-32
    assert [shard_of(each, SHARDS) for each in ("ACC-1001", "Счёт-1", "")] == [20, 3, 0]


def test_an_address_names_the_same_file(path: Path, store: SqliteStore) -> None:
    store.commit(begun("ACC-1"))
    other = SqliteStore(f"sqlite:///{path}")
    assert set(other.load(["ACC-1"])) == {"ACC-1"}
    other.close()


def test_two_who_write_the_same_file_do_not_overtake_each_other(path: Path, store: SqliteStore) -> None:
    store.commit(begun("ACC-1"))
    other = SqliteStore(path)
    other.commit(moved("ACC-1", 2, 9))
    with pytest.raises(StoreConflict, match="'ACC-1' is at 2: 2 follows 1"):
        store.commit(moved("ACC-1", 2, 5))
    store.commit(moved("ACC-1", 3, 7))
    store.commit(Transaction(outbox=[outgoing("a")]))
    other.commit(Transaction(outbox=[outgoing("b")]))
    assert [event.event_id for event in store.pending(9)] == ["a", "b"]
    other.close()


def test_a_store_goes_on_after_a_commit_that_failed(store: SqliteStore) -> None:
    store.commit(begun("ACC-1"))
    for _ in range(3):
        with pytest.raises(StoreConflict):
            store.commit(begun("ACC-1"))
        unwritable = Transaction(profiles=[row("ACC-2", 1, state=(1 << 70,))], journal=facts("ACC-2", [1]))
        with pytest.raises(OverflowError):
            store.commit(unwritable)
    store.commit(moved("ACC-1", 2, None))


def test_a_reader_that_stands_still_sees_one_moment(path: Path, store: SqliteStore) -> None:
    store.commit(begun("ACC-1"))
    reader = SqliteReader(path)
    with reader.standing_still():
        assert reader.counts()["profiles"] == 1
        store.commit(begun("ACC-2"))
        assert reader.counts()["profiles"] == 1
    assert reader.counts()["profiles"] == 2
    reader.close()
