"""The contract of coordination, over every implementation."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from adapters.logs import open_log
from adapters.part_urls import Ensemble
from adapters.zookeeper_members import ZooKeeperCoordination
from adapters.zookeeper_session import ZooKeeperSession
from engine.ports import Coordination
from sim.coordination import MemoryCoordination, MemoryMembers
from tests.contracts.coordination_contract import SHARDS, CoordinationContract, Group
from tests.contracts.member_process import MemberProcess
from tests.services.zookeeper import ZooKeeperServer, need_zookeeper

QUIET = open_log("OFF")
ROOTS = count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZooKeeperServer]:
    need_zookeeper()
    server = ZooKeeperServer(tmp_path_factory.mktemp("zookeeper"))
    server.start()
    yield server
    server.kill()


def in_memory(request: pytest.FixtureRequest, folder: Path) -> Group:
    members = MemoryMembers(SHARDS)

    def crash(member: Coordination) -> None:
        assert isinstance(member, MemoryCoordination)
        members.cut_off(member)
        members.expire(member)

    return Group(members.join, crash)


def on_this_host(request: pytest.FixtureRequest, folder: Path) -> Group:
    def enter(name: str) -> Coordination:
        member = MemberProcess(folder / "members", name)
        made.at_end.append(member.end)
        return member

    made = Group(enter, lambda member: member.kill())  # type: ignore[attr-defined]
    return made


def in_zookeeper(request: pytest.FixtureRequest, folder: Path) -> Group:
    server: ZooKeeperServer = request.getfixturevalue("server")
    ensemble = Ensemble(hosts=(server.host,), root=f"/contract/{next(ROOTS)}")
    sessions: dict[Coordination, ZooKeeperSession] = {}

    def enter(name: str) -> Coordination:
        session = ZooKeeperSession(ensemble, QUIET, session_seconds=2.0)
        session.start()
        member = ZooKeeperCoordination(session, name, SHARDS, QUIET, settle_seconds=0.2, return_seconds=1.0)
        sessions[member] = session
        made.at_end.append(session.close)
        return member

    # The servers are told that the session ends, and the member is not: to the others it has died.
    def crash(member: Coordination) -> None:
        sessions[member].close()
        member.close()

    made = Group(enter, crash)
    return made


GROUPS: dict[str, Callable[[pytest.FixtureRequest, Path], Group]] = {
    "memory": in_memory,
    "local": on_this_host,
    "zookeeper": in_zookeeper,
}


@pytest.fixture(
    params=[pytest.param(name, marks=[pytest.mark.services] if name == "zookeeper" else []) for name in GROUPS]
)
def group(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Group]:
    made = GROUPS[request.param](request, tmp_path)
    yield made
    for member in made.members.values():
        member.close()
    for end in made.at_end:
        end()


class TestCoordination(CoordinationContract):
    """Every coordination keeps the contract."""
