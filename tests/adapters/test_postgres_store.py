"""PostgreSQL beyond the contract: who may write, what a server's end leaves behind, how a store gives up waiting."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from adapters.part_urls import Server, read_postgresql
from adapters.postgres_reader import PostgresReader
from adapters.postgres_schema import migrate_server
from adapters.postgres_store import PostgresStore
from domain.calendar import SECOND
from domain.messages import PaymentReceived
from domain.shards import shard_of
from engine.ports import Fenced, JournalEntry, OutgoingEvent, ProfileRow, StoreConflict, Transaction
from tests.contracts.store_contract import begun, facts, moved, outgoing, row
from tests.services.postgres import Databases, stock
from tests.services.postgres_server import PostgresServer
from tests.services.postgres_server import server as own
from tests.services.proxy import Proxy

__all__ = ["own", "stock"]
pytestmark = pytest.mark.services

SHARDS = 64
LEASE_US = SECOND
NAMES = [f"ACC-{n}" for n in range(50)]

# Works all shards under a short lease, a commit after the other, and says what became of each.
OWNER = """
import sys
from adapters.part_urls import read_postgresql
from adapters.postgres_store import PostgresStore
from engine.ports import StoreConflict
from tests.adapters.test_postgres_store import LEASE_US, SHARDS, whole

store = PostgresStore(read_postgresql(sys.argv[1]), "frozen", SHARDS, LEASE_US)
store.claim(range(SHARDS))
version = 0
while True:
    version += 1
    try:
        store.commit(whole(version))
    except StoreConflict as conflict:
        print(type(conflict).__name__, flush=True)
        break
    if version % 20 == 0:
        store.renew()
    print(version, flush=True)
"""


def whole(version: int) -> Transaction:
    """One more fact of each profile, with everything that comes with one."""
    return Transaction(
        inbox=[("billing", f"{version}/{name}", version) for name in NAMES],
        profiles=[ProfileRow(name, version, (1, name, version), version, "all", None, False) for name in NAMES],
        journal=[JournalEntry(name, version, PaymentReceived(version, f"P{version}", 1)) for name in NAMES],
        outbox=[OutgoingEvent(name, f"{name}/{version}", version, "x", b"{}") for name in NAMES],
    )


@pytest.fixture
def server(stock: Databases) -> Iterator[Server]:
    name = stock.store()
    yield stock.server(name)
    stock.give_back(name)


def opened(server: Server, owner: str, lease_us: int = 30 * SECOND, cut_seconds: float = 20.0) -> PostgresStore:
    return PostgresStore(server, owner, SHARDS, lease_us, cut_seconds=cut_seconds)


@pytest.fixture
def store(server: Server) -> Iterator[PostgresStore]:
    with closing(opened(server, "one")) as store:
        store.claim(range(SHARDS))
        yield store


def url_of(server: Server) -> str:
    return f"postgresql://{server.user}@{server.host}:{server.port}/{server.name}"


def assert_whole(server: Server, acknowledged: int) -> int:
    """Every table is at the same version, which is the last that was acknowledged or the one after it."""
    with closing(opened(server, "who looks")) as store, closing(PostgresReader(server)) as reader:
        loaded = store.load(NAMES)
        (version,) = {each.version for each in loaded.values()} or {0}
        assert version in (acknowledged, acknowledged + 1)
        assert [reader.wake_at(name) for name in NAMES] == [version or None] * len(NAMES)
        assert [entry.number for entry in reader.journal("ACC-7")] == list(range(1, version + 1))
        counts = reader.counts()
        assert (counts["inbox"], counts["journal"], counts["pending"]) == (50 * version, 50 * version, 50 * version)
        assert store.seen([("billing", f"{n}/ACC-7") for n in (version, version + 1)]) == (
            {("billing", f"{version}/ACC-7")} if version else set()
        )
        assert store.last_instant() >= acknowledged
    return version


# Who may write.


def test_a_batch_that_touches_one_lost_shard_is_not_written_at_all(server: Server, store: PostgresStore) -> None:
    lost, kept = "ACC-1", next(name for name in NAMES if shard_of(name, SHARDS) != shard_of("ACC-1", SHARDS))
    with closing(opened(server, "another")) as another:
        store.hand_over([shard_of(lost, SHARDS)])
        another.claim([shard_of(lost, SHARDS)])
        both = Transaction(profiles=[row(kept, 1), row(lost, 1)], journal=facts(kept, [1]) + facts(lost, [1]))
        with pytest.raises(Fenced):
            store.commit(both)
        assert store.load([kept, lost]) == {}


def test_an_owner_that_was_frozen_in_the_midst_of_its_work_is_fenced_when_it_thaws(stock: Databases) -> None:
    for _ in range(2):
        name = stock.store()
        server = stock.server(name)
        with subprocess.Popen(
            [sys.executable, "-c", OWNER, url_of(server)], stdout=subprocess.PIPE, text=True
        ) as frozen, closing(opened(server, "successor", LEASE_US)) as successor:  # fmt: skip
            try:
                assert frozen.stdout is not None
                for _ in range(random.randrange(5, 25)):
                    frozen.stdout.readline()
                frozen.send_signal(signal.SIGSTOP)
                deadline = time.monotonic() + 20
                while len(successor.claim(range(SHARDS))) < SHARDS:
                    assert time.monotonic() < deadline, "a frozen owner keeps its shards"
                    time.sleep(0.2)
                version = successor.load(["ACC-0"])["ACC-0"].version
                successor.commit(whole(version + 1))
                frozen.send_signal(signal.SIGCONT)
                last = frozen.communicate(timeout=20)[0].split("\n")[-2]
                # Its connection may be gone for it was silent within a transaction: then it ends with that.
                assert last in ("Fenced", "StoreConflict") or last.isdecimal()
                assert assert_whole(server, version + 1) == version + 1
            finally:
                frozen.kill()
        stock.give_back(name)


def test_owners_that_are_long_gone_are_forgotten_and_their_latest_instant_is_not(server: Server) -> None:
    with closing(opened(server, "gone")) as gone:
        gone.claim(range(SHARDS))
        gone.commit(Transaction(inbox=[("billing", "1", 77)]))
        gone.hand_over(range(SHARDS))
    with psycopg.connect(url_of(server), autocommit=True) as connection:
        connection.execute("UPDATE owners SET lease_until = now() - interval '2 days'")
        with closing(opened(server, "here")) as here:
            here.claim(range(SHARDS))
            here.forget(0)
            assert here.last_instant() == 77
        assert connection.execute("SELECT owner FROM owners").fetchall() == [("here",)]


# What is refused says nothing of what it was about.


def test_a_double_is_told_without_its_values(store: PostgresStore) -> None:
    secret = [("billing", "+7 921 123-45-67", 1)]
    store.commit(Transaction(inbox=secret))
    with pytest.raises(StoreConflict) as conflict:
        store.commit(Transaction(inbox=secret))
    assert "921" not in str(conflict.value)
    with pytest.raises(psycopg.Error) as error, store._looker.use() as connection:
        connection.execute("INSERT INTO inbox VALUES ('billing', '+7 921 123-45-67', 1)")
    assert "921" not in str(error.value)
    assert error.value.__suppress_context__


def test_who_is_overtaken_is_named(store: PostgresStore) -> None:
    store.commit(begun("ACC-1"))
    with pytest.raises(StoreConflict, match="'ACC-1' is at 1: 3 follows 2"):
        store.commit(moved("ACC-1", 3, None))


def test_a_store_goes_on_after_a_commit_that_failed(store: PostgresStore) -> None:
    store.commit(begun("ACC-1"))
    for _ in range(3):
        with pytest.raises(StoreConflict):
            store.commit(begun("ACC-1"))
        unwritable = Transaction(profiles=[row("ACC-2", 1, state=(1 << 70,))], journal=facts("ACC-2", [1]))
        with pytest.raises(OverflowError):
            store.commit(unwritable)
    store.commit(moved("ACC-1", 2, None))


def test_a_reader_cannot_change_anything(server: Server) -> None:
    with closing(PostgresReader(server)) as reader, pytest.raises(psycopg.Error, match="read-only"):
        reader.look("DELETE FROM inbox")


def test_a_reader_that_stands_still_sees_one_moment(server: Server, store: PostgresStore) -> None:
    store.commit(begun("ACC-1"))
    with closing(PostgresReader(server)) as reader:
        with reader.standing_still():
            assert reader.counts()["profiles"] == 1
            store.commit(begun("ACC-2"))
            assert reader.counts()["profiles"] == 1
        assert reader.counts()["profiles"] == 2


# What a server's end leaves behind.


def test_a_server_that_says_nothing_more_is_given_up_and_taken_up_again(own: PostgresServer) -> None:
    silent = read_postgresql(own.url)
    migrate_server(silent, SHARDS, time.time_ns() // 1_000)
    with closing(opened(silent, "one", 600 * SECOND, cut_seconds=1.0)) as store:
        store.claim(range(SHARDS))
        store.commit(begun("ACC-1"))
        own.freeze()
        try:
            began = time.monotonic()
            with pytest.raises(psycopg.OperationalError):
                store.commit(moved("ACC-1", 2, None))
            assert time.monotonic() - began < 5
        finally:
            own.thaw()
        assert_goes_on(store, 2)


def test_a_network_that_swallows_everything_is_noticed(server: Server) -> None:
    with Proxy(server.host, server.port) as proxy:
        behind = Server(scheme="postgresql", host="127.0.0.1", port=proxy.port, name=server.name, user=server.user)
        with closing(opened(behind, "one", cut_seconds=1.0)) as store:
            store.claim(range(SHARDS))
            store.commit(begun("ACC-1"))
            proxy.is_black_hole = True
            began = time.monotonic()
            with pytest.raises(psycopg.OperationalError):
                store.load(["ACC-1"])
            with pytest.raises(psycopg.OperationalError):
                store.commit(moved("ACC-1", 2, None))
            assert time.monotonic() - began < 10
            proxy.heal()
            assert_goes_on(store, 2)


def test_a_commit_whose_answer_is_lost_is_found_or_not_and_never_written_twice(server: Server) -> None:
    found = 0
    with Proxy(server.host, server.port) as proxy:
        behind = Server(scheme="postgresql", host="127.0.0.1", port=proxy.port, name=server.name, user=server.user)
        with closing(opened(behind, "one", cut_seconds=0.4)) as store:
            store.claim(range(SHARDS))
            for number in range(1, 4):
                store.seen([("billing", "0")])
                proxy.swallows_answers = True
                transaction = Transaction(inbox=[("billing", str(number), number)], outbox=[outgoing(str(number))])
                with pytest.raises(psycopg.OperationalError):
                    store.commit(transaction)
                proxy.heal()
                while True:
                    try:
                        seen = store.seen([("billing", str(number))])
                        break
                    except psycopg.OperationalError:
                        time.sleep(0.05)
                found += len(seen)
                if not seen:
                    store.commit(transaction)
                with pytest.raises(StoreConflict):
                    store.commit(transaction)
            assert [event.event_id for event in store.pending(9)] == ["1", "2", "3"]


def assert_goes_on(store: PostgresStore, version: int) -> None:
    """The next calls connect anew; what was under way when it fell silent may have been written."""
    deadline = time.monotonic() + 20
    while True:
        try:
            stored = store.load(["ACC-1"])["ACC-1"].version
            break
        except psycopg.Error:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    assert stored in (version - 1, version)
    store.commit(moved("ACC-1", stored + 1, None))
    assert store.load(["ACC-1"])["ACC-1"].version == stored + 1


def test_a_commit_that_fails_at_its_very_end_is_no_commit(stock: Databases) -> None:
    """COMMIT itself may fail; an answer to it that nobody waits for would be taken for a yes."""
    server = stock.server(stock.store())
    with closing(opened(server, "one")) as store:
        store.claim(range(SHARDS))
        with psycopg.connect(url_of(server), autocommit=True) as connection:
            connection.execute(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
                " $$ BEGIN RAISE EXCEPTION 'too late'; END $$"
            )
            connection.execute(
                "CREATE CONSTRAINT TRIGGER refusing AFTER INSERT ON outbox DEFERRABLE INITIALLY DEFERRED"
                " FOR EACH ROW EXECUTE FUNCTION refuse()"
            )
        with pytest.raises(psycopg.Error, match="too late"):
            store.commit(Transaction(inbox=[("billing", "1", 1)], outbox=[outgoing("a")]))
        assert store.seen([("billing", "1")]) == set()
        store.commit(Transaction(inbox=[("billing", "1", 1)]))
    stock.drop(server.name)
