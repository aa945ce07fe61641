"""A policy that is read again when its files change; what is wrong with it changes nothing."""

import json
import os
from io import StringIO
from pathlib import Path

import pytest

from adapters.faults import PolicyError
from adapters.logs import open_log
from adapters.policy_folder import PolicyFolder
from tests.adapters.policy_texts import MINIMAL

MANAGERS = '[[manager]]\nid = "orlova"\nrole = "head"\n'
_TURN = [0]


def write(file: Path, text: str) -> None:
    """Writes a file so that its time is another one, however coarse the file system's clock."""
    file.write_text(text)
    _TURN[0] += 1
    os.utime(file, ns=(_TURN[0] * 10**9, _TURN[0] * 10**9))


class Folder:
    """A policy folder that is looked at by hand."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.stream = StringIO()
        write(path / "policy.toml", MINIMAL)
        self.source = PolicyFolder(path, open_log("INFO", "json", self.stream))

    def faults(self) -> list[str]:
        """What was refused."""
        entries = [json.loads(line) for line in self.stream.getvalue().splitlines()]
        return [entry["fault"].replace(f"{self.path}", "…") for entry in entries if entry["level"] == "ERROR"]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_nothing_changes_where_nothing_changed(folder: Folder) -> None:
    """The policy stays the same object: that is how the engine sees it."""
    before = folder.source.current()
    assert [folder.source.look() for _ in range(3)] == [False, False, False]
    assert folder.source.current() is before


def test_a_change_takes_effect_once_the_files_have_come_to_rest(folder: Folder) -> None:
    """At the second look that finds them the same."""
    write(folder.path / "policy.toml", MINIMAL.replace("version = 1", "version = 2"))
    assert [folder.source.look() for _ in range(3)] == [False, True, False]
    assert folder.source.current().version == 2


def test_a_file_that_is_still_being_written_is_not_read(folder: Folder) -> None:
    """Each change begins the wait anew."""
    for version in (2, 3, 4):
        write(folder.path / "policy.toml", MINIMAL.replace("version = 1", f"version = {version}"))
        assert not folder.source.look()
    assert folder.source.look()
    assert folder.source.current().version == 4


def test_a_wrong_policy_is_refused_once_with_every_fault(folder: Folder) -> None:
    """The one that holds goes on; put right, it takes effect."""
    write(folder.path / "policy.toml", MINIMAL.replace('plan = "internet"', 'plan = "nothing"').replace("RUB", "rub"))
    before = folder.source.current()
    for _ in range(3):
        assert not folder.source.look()
    assert folder.source.current() is before
    assert len(folder.faults()) == 2
    assert all(fault.startswith("…/policy.toml:") for fault in folder.faults())
    write(folder.path / "policy.toml", MINIMAL.replace("version = 1", "version = 2"))
    assert [folder.source.look() for _ in range(2)] == [False, True]


def test_another_policy_under_the_same_version_is_refused(folder: Folder) -> None:
    """Journals and commands name the version."""
    write(folder.path / "policy.toml", MINIMAL.replace("[plans.internet]", "[plans.internet]\nmin_gap_days = 3"))
    assert [folder.source.look() for _ in range(2)] == [False, False]
    assert folder.faults() == ["…: another policy under the same version 1 (raise [policy] version)"]


def test_a_comment_changes_nothing(folder: Folder) -> None:
    """The policy stays the same object."""
    before = folder.source.current()
    write(folder.path / "policy.toml", "# a comment\n" + MINIMAL)
    assert [folder.source.look() for _ in range(2)] == [False, False]
    assert folder.source.current() is before
    assert folder.faults() == []


def test_managers_come_and_go_without_a_version(folder: Folder) -> None:
    """In a folder, and beside a file."""
    write(folder.path / "managers.toml", MANAGERS)
    assert [folder.source.look() for _ in range(2)] == [False, True]
    managers = folder.source.current().managers
    assert managers is not None
    assert set(managers) == {"orlova"}
    beside = PolicyFolder(folder.path / "policy.toml", open_log("OFF"))
    write(folder.path / "managers.toml", MANAGERS.replace("orlova", "belov"))
    assert [beside.look() for _ in range(2)] == [False, True]


def test_a_folder_that_vanishes_leaves_the_policy(folder: Folder) -> None:
    """A deployment may take a moment."""
    (folder.path / "policy.toml").unlink()
    assert [folder.source.look() for _ in range(3)] == [False, False, False]
    assert folder.source.current().version == 1
    assert folder.faults() == ["…:1: no .toml file of a policy in this folder"]


def test_there_must_be_a_policy_to_begin_with(tmp_path: Path) -> None:
    """Otherwise nothing starts."""
    with pytest.raises(PolicyError):
        PolicyFolder(tmp_path, open_log("OFF"))
