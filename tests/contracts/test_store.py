"""The contract of stores, over every implementation."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from adapters.sqlite_reader import SqliteReader
from adapters.sqlite_store import SqliteStore
from engine.ports import Store
from sim.store import MemoryStore
from tests.contracts.store_contract import StoreContract, World


def in_memory(_: Path) -> World:
    store = MemoryStore()
    return World(store, store.reader(), lambda: store)


def in_sqlite(folder: Path) -> World:
    path = folder / "dms.db"
    return World(SqliteStore(path), SqliteReader(path), lambda: SqliteStore(path))


STORES: dict[str, Callable[[Path], World]] = {"memory": in_memory, "sqlite": in_sqlite}


@pytest.fixture(params=STORES)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    world = STORES[request.param](tmp_path)
    world.store.claim(range(world.store.shards))
    opened = [world.store]
    reopen = world.reopen

    def reopen_and_remember() -> Store:
        opened.append(reopen())
        opened[-1].claim(range(opened[-1].shards))
        return opened[-1]

    world.reopen = reopen_and_remember
    yield world
    for store in opened:
        store.close()
    world.reader.close()  # type: ignore[attr-defined]


class TestStore(StoreContract):
    """Every store keeps the contract."""
