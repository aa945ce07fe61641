"""The contract of stores, over every implementation."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapters.postgres_reader import PostgresReader
from adapters.postgres_store import PostgresStore
from adapters.sqlite_reader import SqliteReader
from adapters.sqlite_store import SqliteStore
from engine.ports import Store
from sim.store import MemoryStore
from tests.contracts.store_contract import StoreContract, World
from tests.services.postgres import Databases, stock

__all__ = ["stock"]


@dataclass
class Place:
    """Where a store may be made."""

    folder: Path
    databases: Callable[[], Databases]
    undo: ExitStack


def in_memory(_: Place) -> World:
    store = MemoryStore()
    return World(store, store.reader(), lambda: store)


def in_sqlite(place: Place) -> World:
    path = place.folder / "dms.db"
    return World(SqliteStore(path), SqliteReader(path), lambda: SqliteStore(path))


def in_postgresql(place: Place) -> World:
    stock = place.databases()
    name = stock.store()
    place.undo.callback(stock.give_back, name)
    server = stock.server(name)

    def opened() -> PostgresStore:
        return PostgresStore(server, "m1", 64, 10_000_000)

    return World(opened(), PostgresReader(server), opened)


STORES: dict[str, Callable[[Place], World]] = {
    "memory": in_memory,
    "sqlite": in_sqlite,
    "postgresql": in_postgresql,
}


@pytest.fixture(params=STORES)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    undo = ExitStack()
    world = STORES[request.param](Place(tmp_path, lambda: request.getfixturevalue("stock"), undo))
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
    undo.close()


class TestStore(StoreContract):
    """Every store keeps the contract."""
