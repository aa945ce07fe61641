"""Who works which shard, in PostgreSQL: leases by its clock, and commits that come too late."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import psycopg
import pytest

from adapters.migrations import SchemaRefused
from adapters.part_urls import Server
from adapters.postgres_connection import conninfo
from adapters.postgres_schema import migrate_server
from adapters.postgres_store import PostgresStore
from domain.shards import shard_of
from engine.ports import Fenced, Transaction
from tests.contracts.store_contract import begun, moved, outgoing, worked
from tests.services.postgres import Databases, stock

__all__ = ["stock"]
SHARDS = 64
ALL = range(SHARDS)
LEASE_US = 400_000
MINE = shard_of("ACC-1", SHARDS)


class Owners:
    """Stores on one database, each opened by an owner."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.opened: list[PostgresStore] = []

    def open(self, name: str, lease_us: int = LEASE_US) -> PostgresStore:
        self.opened.append(PostgresStore(self.server, name, SHARDS, lease_us))
        return self.opened[-1]

    def epoch(self, shard: int) -> int:
        with psycopg.connect(conninfo(self.server)) as connection:
            row = connection.execute("SELECT epoch FROM shards WHERE shard = %s", (shard,)).fetchone()
        assert row is not None
        return int(row[0])


@pytest.fixture
def owners(stock: Databases) -> Iterator[Owners]:
    name = stock.store()
    owners = Owners(stock.server(name))
    yield owners
    for store in owners.opened:
        store.close()
    stock.give_back(name)


def test_a_shard_is_its_owners_as_long_as_the_lease_is_renewed(owners: Owners) -> None:
    first, second = owners.open("first"), owners.open("second")
    assert first.claim([1, 2, 3]) == {1, 2, 3}
    assert second.claim([2, 3, 4]) == {4}
    for _ in range(4):
        time.sleep(LEASE_US / 2e6)
        assert first.renew() == {1, 2, 3}
    assert second.claim([2]) == set()


def test_a_lease_that_has_ended_is_anyones_and_the_epoch_grows(owners: Owners) -> None:
    first, second = owners.open("first"), owners.open("second", 60_000_000)
    first.claim(ALL)
    first.commit(begun("ACC-1"))
    before = owners.epoch(MINE)
    time.sleep(LEASE_US / 1e6 + 0.05)
    assert second.claim([MINE]) == {MINE}
    assert owners.epoch(MINE) == before + 1
    assert first.renew() == set(ALL) - {MINE}
    with pytest.raises(Fenced):
        first.commit(moved("ACC-1", 2, None))
    second.commit(moved("ACC-1", 2, None))
    assert second.load(["ACC-1"])["ACC-1"].version == 2


def test_who_has_lost_everything_is_fenced_whatever_it_writes(owners: Owners) -> None:
    first, second = owners.open("first"), owners.open("second", 60_000_000)
    first.claim(ALL)
    time.sleep(LEASE_US / 1e6 + 0.05)
    assert second.claim(ALL) == set(ALL)
    for late in (begun("ACC-1"), Transaction(outbox=[outgoing("e1")]), Transaction(inbox=[("billing", "1", 7)])):
        with pytest.raises(Fenced):
            first.commit(late)
    assert first.renew() == set()
    assert second.seen([("billing", "1")]) == set()


def test_a_lease_that_ended_and_was_taken_by_nobody_is_still_ones_own(owners: Owners) -> None:
    first = owners.open("first")
    first.claim(ALL)
    time.sleep(LEASE_US / 1e6 + 0.05)
    first.commit(begun("ACC-1"))
    assert first.renew() == set(ALL)


def test_what_is_handed_over_may_be_claimed_at_once(owners: Owners) -> None:
    first, second = owners.open("first", 60_000_000), owners.open("second", 60_000_000)
    first.claim(ALL)
    first.hand_over([1, 2])
    assert second.claim(ALL) == {1, 2}
    assert first.renew() == set(ALL) - {1, 2}


def test_who_is_outdated_is_told_of_ones_own_shards_alone(owners: Owners) -> None:
    first, second = owners.open("first", 60_000_000), owners.open("second", 60_000_000)
    first.claim(ALL)
    some = [f"ACC-{n}" for n in range(20)]
    for profile_id in some:
        first.commit(worked(begun(profile_id), 1))
    first.hand_over([MINE])
    second.claim(ALL)
    theirs = sorted(each for each in some if shard_of(each, SHARDS) == MINE)
    assert second.outdated(2) == theirs
    assert first.outdated(2) == sorted(set(some) - set(theirs))


def test_time_goes_on_from_what_the_owner_before_has_seen(owners: Owners) -> None:
    first, second = owners.open("first"), owners.open("second", 60_000_000)
    first.claim(ALL)
    first.commit(Transaction(inbox=[("billing", "1", 7_000)]))
    time.sleep(LEASE_US / 1e6 + 0.05)
    second.claim(ALL)
    assert second.last_instant() == 7_000


def test_while_a_commit_is_under_way_nobody_takes_its_shards(owners: Owners) -> None:
    """Its transaction holds the owner's row; the lease has ended all the same."""
    first, second = owners.open("first"), owners.open("second", 60_000_000)
    first.claim(ALL)
    with psycopg.connect(conninfo(owners.server)) as committing:
        committing.execute("UPDATE owners SET last_instant = 1 WHERE owner = 'first'")
        time.sleep(LEASE_US / 1e6 + 0.05)
        assert second.claim(ALL) == set()
    assert second.claim(ALL) == set(ALL)


def test_many_who_claim_at_once_share_without_overlap(owners: Owners) -> None:
    stores = [owners.open(f"m{number}", 60_000_000) for number in range(6)]
    with ThreadPoolExecutor(6) as pool:
        shares = list(pool.map(lambda store: store.claim(ALL), stores))
    assert sum(map(len, shares)) == SHARDS
    assert frozenset().union(*shares) == set(ALL)


def test_a_lost_connection_is_made_anew(owners: Owners) -> None:
    first = owners.open("first", 60_000_000)
    first.claim(ALL)
    with psycopg.connect(conninfo(owners.server), autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                      "AND pid <> pg_backend_pid()")  # fmt: skip
    for call in (lambda: first.commit(begun("ACC-2")), lambda: first.load(["ACC-1"]), first.renew):
        with suppress(psycopg.OperationalError):
            call()
    assert first.renew() == set(ALL)
    first.commit(begun("ACC-1"))
    assert first.load(["ACC-1"])["ACC-1"].version == 1


def test_a_store_of_another_kind_is_refused_in_a_line(stock: Databases) -> None:
    empty = stock.server(stock.empty())
    with pytest.raises(SchemaRefused, match="no store in it yet: run dms store migrate"):
        PostgresStore(empty, "m", SHARDS, LEASE_US)
    migrate_server(empty, 8, 0)
    with pytest.raises(SchemaRefused, match="it has 8 shards, which cannot become 64"):
        PostgresStore(empty, "m", SHARDS, LEASE_US)
    with psycopg.connect(conninfo(empty), autocommit=True) as admin:
        admin.execute("UPDATE alembic_version SET version_num = '9999'")
        PostgresStore(empty, "m", 8, LEASE_US).close()  # it says that it has only been added to
        admin.execute("UPDATE meta SET value = 9000 WHERE name = 'serves'")
    with pytest.raises(SchemaRefused, match="use a newer dms"):
        PostgresStore(empty, "m", 8, LEASE_US)


def test_two_who_migrate_at_once_make_one_store(stock: Databases) -> None:
    empty = stock.server(stock.empty())
    with ThreadPoolExecutor(2) as pool:
        changed = list(pool.map(lambda _: migrate_server(empty, SHARDS, 1_800_000_000_000_000), range(2)))
    assert sorted(changed) == [False, True]


def test_who_stands_still_in_the_middle_of_a_commit_is_cut_off(owners: Owners) -> None:
    """In a pipeline PostgreSQL waits for the rest for ever; whoever takes over does not."""
    first, second = owners.open("first"), owners.open("second")
    first.claim(ALL)
    with first._writer.use() as connection, suppress(psycopg.OperationalError), connection.pipeline():
        connection.execute("BEGIN")
        connection.execute("UPDATE owners SET last_instant = 1 WHERE owner = 'first'")
        connection.pgconn.send_flush_request()
        connection.pgconn.flush()
        deadline = time.monotonic() + 10
        while second.claim(ALL) != set(ALL):
            assert time.monotonic() < deadline, "its shards are his for ever"
            time.sleep(0.1)
    with pytest.raises(Fenced):
        first.commit(begun("ACC-1"))
