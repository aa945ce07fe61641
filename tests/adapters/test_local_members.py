"""The nodes of one host: who stands still, who is dead, and what happens to the folder in which they meet."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from adapters.local_members import LocalCoordination, SoloCoordination, members_folder
from adapters.logs import open_log
from adapters.settings import Unusable
from tests.contracts.coordination_contract import SHARDS, eventually
from tests.contracts.member_process import MemberProcess

ALL = frozenset(range(SHARDS))
Enter = Callable[[str], MemberProcess]


@pytest.fixture
def enter(tmp_path: Path) -> Iterator[Enter]:
    """Makes members in processes of their own, all in one folder."""
    members: list[MemberProcess] = []

    def enter(name: str) -> MemberProcess:
        members.append(MemberProcess(tmp_path / "members", name))
        return members[-1]

    yield enter
    for member in members:
        member.go_on()
        member.end()


def test_a_node_with_a_store_of_its_own_works_all_shards() -> None:
    """Nobody is asked, and nobody is told."""
    solo = SoloCoordination(8)
    solo.close()
    assert solo.wanted() == frozenset(range(8))


def test_a_process_that_stands_still_loses_its_shards_and_takes_part_again_when_it_goes_on(enter: Enter) -> None:
    """Its leases end, so somebody must want what it had."""
    still, other = enter("still"), enter("other")
    eventually(lambda: (len(still.wanted() or ()), len(other.wanted() or ())) == (32, 32))
    still.stop_still()
    eventually(lambda: other.wanted() == ALL)
    still.go_on()
    eventually(lambda: (len(still.wanted() or ()), len(other.wanted() or ())) == (32, 32))


def test_a_folder_that_is_cleared_moves_no_shard_for_long(enter: Enter, tmp_path: Path) -> None:
    """Members that were swept away make their files again."""
    members = [enter("a"), enter("b")]
    eventually(lambda: [len(member.wanted() or ()) for member in members] == [32, 32])
    (tmp_path / "members").rename(tmp_path / "swept")
    eventually(lambda: (tmp_path / "members" / "a.member").exists() and (tmp_path / "members" / "b.member").exists())
    eventually(lambda: [len(member.wanted() or ()) for member in members] == [32, 32])


def test_what_the_dead_have_left_is_cleared_away(enter: Enter, tmp_path: Path) -> None:
    """Nothing grows, however many nodes have lived and died here."""
    for number in range(3):
        enter(f"dead-{number}").kill()
    alive = enter("alive")
    eventually(lambda: alive.wanted() == ALL)
    names = {path.name for path in (tmp_path / "members").iterdir()}
    assert names == {"alive.member", "assignment.json"}


def test_what_is_not_an_assignment_is_replaced(tmp_path: Path) -> None:
    """Rubbish, and one of another number of shards."""
    for rubbish in (b"", b"\xff", b'["a", "b"]', b'{"a": 1}'):
        folder = tmp_path / str(len(rubbish))
        folder.mkdir()
        (folder / "assignment.json").write_bytes(rubbish)
        member = LocalCoordination(folder, "a", SHARDS, open_log("OFF"))
        assert member.wanted() == ALL
        member.close()


def test_a_folder_that_cannot_be_used_any_more_leaves_shards_where_they_are(tmp_path: Path) -> None:
    """It is told, and tried again."""
    said = io.StringIO()
    folder = tmp_path / "members"
    member = LocalCoordination(folder, "a", SHARDS, open_log("INFO", "json", said), look_seconds=0.05)
    folder.rename(tmp_path / "swept")
    folder.write_text("a file")
    eventually(lambda: "the members of this host cannot be read; shards stay where they are" in said.getvalue())
    assert member.wanted() == ALL
    folder.unlink()
    eventually(lambda: (folder / "a.member").exists())
    member.close()


def test_each_store_has_a_folder_of_its_own_that_nobody_else_can_write_to(tmp_path: Path) -> None:
    """What somebody else may have put there is refused."""
    one, other = (members_folder(tmp_path, f"postgresql://db/{name}") for name in ("one", "other"))
    assert one != other
    assert one == members_folder(tmp_path, "postgresql://db/one")
    assert one.stat().st_mode & 0o077 == 0
    one.chmod(0o777)
    with pytest.raises(Unusable, match="must be a folder of this user's"):
        members_folder(tmp_path, "postgresql://db/one")
    other.rmdir()
    other.symlink_to(tmp_path)
    with pytest.raises(Unusable, match="must be a folder of this user's"):
        members_folder(tmp_path, "postgresql://db/other")
