"""The contract of shelves, over every implementation."""

import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from threading import Event

import pytest

from adapters.logs import open_log
from adapters.part_urls import Ensemble
from adapters.shelf import FolderShelf
from adapters.zookeeper_session import ZooKeeperSession
from adapters.zookeeper_shelf import ZooKeeperShelf
from tests.contracts.shelf_contract import ShelfContract, Shelves
from tests.services.zookeeper import ZooKeeperServer, need_zookeeper

ROOTS = count(1)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZooKeeperSession]:
    need_zookeeper()
    server = ZooKeeperServer(tmp_path_factory.mktemp("zookeeper"))
    server.start()
    session = ZooKeeperSession(Ensemble(hosts=(server.host,)), open_log("OFF"))
    session.start()
    assert session.wait(10)
    yield session
    session.close()
    server.kill()


def in_folder(request: pytest.FixtureRequest, folder: Path) -> Shelves:
    return Shelves(lambda: FolderShelf(folder / "shelf"), lambda: shutil.rmtree(folder / "shelf"))


def in_zookeeper(request: pytest.FixtureRequest, folder: Path) -> Shelves:
    session: ZooKeeperSession = request.getfixturevalue("session")
    number = next(ROOTS)

    def clear() -> None:
        for path in (f"things-{number}", f"thing-{number}"):
            session._client.delete(session.path(path), recursive=True)

    return Shelves(lambda: ZooKeeperShelf(session, f"things-{number}", f"thing-{number}"), clear)


SHELVES: dict[str, Callable[[pytest.FixtureRequest, Path], Shelves]] = {
    "folder": in_folder,
    "zookeeper": in_zookeeper,
}


@pytest.fixture(
    params=[pytest.param(name, marks=[pytest.mark.services] if name == "zookeeper" else []) for name in SHELVES]
)
def shelves(request: pytest.FixtureRequest, tmp_path: Path) -> Shelves:
    return SHELVES[request.param](request, tmp_path)


class TestShelf(ShelfContract):
    """Every shelf keeps the contract."""


@pytest.mark.services
def test_zookeeper_tells_of_the_next_issue_also_of_the_first(session: ZooKeeperSession) -> None:
    """Whoever has asked for it is told once."""
    shelf = ZooKeeperShelf(session, "told-of", "told")
    for number in (1, 2):
        told = Event()
        assert shelf.current(lambda *_, told=told: told.set()) == number - 1
        assert not told.wait(0.1)
        shelf.put(number, b"")
        assert told.wait(5)


@pytest.mark.services
def test_a_number_that_somebody_has_spoilt_is_put_right_by_the_next_issue(session: ZooKeeperSession) -> None:
    """The last issue there is counts meanwhile."""
    shelf = ZooKeeperShelf(session, "spoilt-ones", "spoilt")
    shelf.put(1, b"one")
    session.ask("set", session.path("spoilt"), b"rubbish")
    assert shelf.current() == 1
    shelf.put(2, b"two")
    assert (shelf.current(), session.ask("get", session.path("spoilt"))[0]) == (2, b"2")


def test_a_draft_that_was_left_behind_is_no_issue(tmp_path: Path) -> None:
    """Nor is anything else that lies in the folder."""
    (tmp_path / ".draft-1-1").write_bytes(b"half")
    (tmp_path / "README").write_bytes(b"")
    shelf = FolderShelf(tmp_path)
    assert shelf.numbers() == []
    shelf.put(1, b"one")
    assert shelf.numbers() == [1]
