"""PostgreSQL that crashes: what was committed is there, of the rest there is nothing, and the store goes on."""

import threading
import time
from pathlib import Path

import psycopg
import pytest

from adapters.part_urls import read_postgresql
from adapters.postgres_schema import migrate_server
from adapters.postgres_store import PostgresStore
from engine.ports import OutgoingEvent, StoreConflict, Transaction
from tests.contracts.store_contract import facts, row
from tests.services.postgres_server import PostgresServer, server

__all__ = ["server"]


def batch(number: int) -> Transaction:
    """One event for each of 50 profiles, with all that comes of it."""
    ids = [f"ACC-{each}" for each in range(50)]
    return Transaction(
        inbox=[("billing", f"{number}-{each}", number) for each in ids],
        profiles=[row(each, number, number) for each in ids],
        journal=[entry for each in ids for entry in facts(each, [number])],
        outbox=[OutgoingEvent(each, f"{each}/{number}", number, "measure.x.y", b"{}") for each in ids],
    )


@pytest.mark.parametrize("crash", ["stop", "kill"])
def test_whatever_a_crash_interrupts_is_there_as_a_whole_or_not_at_all(server: PostgresServer, crash: str) -> None:
    """Commits go on until a crash; after it the store says how far they came, and goes on from there."""
    address = read_postgresql(f"{server.url.rpartition('/')[0]}/{crash}")
    with psycopg.connect(server.url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {crash}")
    migrate_server(address, 8, 0)
    store = PostgresStore(address, "m1", 8, 60_000_000)
    store.claim(range(8))
    committed = 0
    for _ in range(3):
        crashing = threading.Timer(0.4, getattr(server, crash))
        crashing.start()
        try:
            while True:
                store.commit(batch(committed + 1))
                committed += 1
        except psycopg.OperationalError:
            pass  # the outcome of the last one is unknown
        crashing.join()
        server.start()
        committed = _agreed(store, committed)
    with pytest.raises(StoreConflict):
        store.commit(batch(committed))
    store.close()


def _agreed(store: PostgresStore, committed: int) -> int:
    """How far the commits came, the same in all tables."""
    deadline = time.monotonic() + 10
    while True:
        try:
            loaded = store.load([f"ACC-{each}" for each in range(50)])
            break
        except psycopg.OperationalError:
            assert time.monotonic() < deadline, "not working again within 10 seconds"
            time.sleep(0.1)
    (version,) = {each.version for each in loaded.values()}
    assert version in (committed, committed + 1)
    assert len(store.seen([("billing", f"{version}-ACC-{each}") for each in range(50)])) == 50
    assert store.seen([("billing", f"{version + 1}-ACC-1")]) == set()
    assert {event.event_id for event in store.pending(100_000)} >= {f"ACC-{each}/{version}" for each in range(50)}
    return version


def test_without_a_server_opening_fails_with_what_psycopg_says(tmp_path: Path) -> None:
    with pytest.raises(psycopg.OperationalError):
        PostgresStore(read_postgresql("postgresql://postgres@127.0.0.1:1/x"), "m1", 8, 1)
