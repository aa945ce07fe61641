"""Publishing policies: what is refused, what is told before it holds, and how an old one comes back."""

from pathlib import Path

import pytest

from adapters.faults import PolicyError
from adapters.policy_press import Draft, Refused, drafted, history, publish, redrafted
from adapters.publication import Publication, Unreadable, policy_in, unpacked
from adapters.settings import PACKAGED_POLICY
from adapters.shelf import BODY_BYTES_MAX, FolderShelf
from tests.adapters.policy_texts import MINIMAL

MANAGERS = '[[manager]]\nid = "orlova"\nrole = "head"\n'


class Press:
    """A policy folder, and the shelf on which it is published."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "policy"
        self.path.mkdir()
        self.shelf = FolderShelf(folder / "shelf")
        self.write(1)

    def write(self, version: int, minimum: int | None = None, managers: str = "") -> None:
        text = MINIMAL.replace("version = 1", f"version = {version}")
        (self.path / "policy.toml").write_text(text + (f"[entry]\nmin_overdue = {minimum}\n" if minimum else ""))
        (self.path / "managers.toml").unlink(missing_ok=True)
        if managers:
            (self.path / "managers.toml").write_text(managers)

    def draft(self, path: Path | None = None, note: str = "") -> Draft:
        return drafted(self.shelf, path or self.path, "analyst@desk", note, 1_000_000)

    def publish(self, version: int, minimum: int | None = None, managers: str = "", note: str = "") -> Draft:
        self.write(version, minimum, managers)
        draft = self.draft(note=note)
        publish(self.shelf, draft)
        return draft

    def back_to(self, number: int) -> Draft:
        draft = redrafted(self.shelf, number, "head@desk", "", 2_000_000)
        if draft.changes:
            publish(self.shelf, draft)
        return draft

    def holding(self) -> tuple[int, int]:
        """The version that holds, and the least overdue in it."""
        policy = unpacked(self.shelf.body(self.shelf.current()) or b"").policy("here")
        return policy.version, policy.min_overdue


@pytest.fixture
def press(tmp_path: Path) -> Press:
    return Press(tmp_path)


def test_the_first_policy_is_published_whole(press: Press) -> None:
    """With its managers, and who, when and why."""
    draft = press.publish(1, managers=MANAGERS, note="to begin with")
    assert draft.changes == ("the first to be published: minimal version 1",)
    (issue,) = history(press.shelf)
    assert (issue.number, issue.holds) == (1, True)
    assert issue.publication is not None
    assert set(issue.publication.files) == {"policy.toml", "managers.toml"}
    assert (issue.publication.author, issue.publication.note) == ("analyst@desk", "to begin with")
    assert issue.publication.policy("here").managers is not None


def test_what_changes_is_told_in_words(press: Press) -> None:
    """The sentences of dms policy diff, against the one that holds."""
    press.publish(1)
    draft = press.publish(2, 500)
    assert draft.changes == (
        "policy: now minimal version 2, was minimal version 1",
        "everyone: least overdue that opens a run now 500, was 1",
    )
    assert press.holding() == (2, 500)


@pytest.mark.parametrize(
    ("version", "said"),
    [
        (2, r"version 2 was published as issue 2, and says something else \(raise \[policy\] version to 6\)"),
        (5, r"version 5 was published as issue 3, and says something else \(raise \[policy\] version to 6\)"),
        (4, r"version 4 is not above 5, which was published as issue 3 \(raise \[policy\] version to 6\)"),
    ],
)
def test_a_version_says_one_thing_for_ever(press: Press, version: int, said: str) -> None:
    """Journals and commands name it."""
    for published in (1, 2, 5):
        press.publish(published, 100 + published)
    press.write(version, 999)
    with pytest.raises(Refused, match=said):
        press.draft()
    assert press.shelf.current() == 3


def test_managers_come_and_go_without_another_version(press: Press) -> None:
    """As in a folder that a node watches."""
    press.publish(1)
    assert press.publish(1, managers=MANAGERS).changes == ("managers are named now: actors are checked",)
    with pytest.raises(Refused, match="version 1 was published as issue 2"):
        press.publish(1, 500, managers=MANAGERS)


def test_what_says_the_same_is_not_published(press: Press) -> None:
    """Other words for the same, or another order where it means nothing."""
    press.publish(1)
    (press.path / "policy.toml").write_text("# the policy\n" + MINIMAL)
    assert press.draft().changes == ()


def test_what_is_wrong_is_refused_as_a_whole_with_its_place(press: Press) -> None:
    """In the file as its author knows it."""
    press.publish(1)
    (press.path / "policy.toml").write_text(MINIMAL.replace('plan = "internet"', 'plan = "interned"'))
    with pytest.raises(PolicyError) as refused:
        press.draft()
    assert str(refused.value.faults[0]).startswith(f"{press.path}/policy.toml:10: ")
    with pytest.raises(PolicyError, match="no such file"):
        press.draft(press.path / "none.toml")
    with pytest.raises(PolicyError, match=f"{press.path.parent}/shelf:1: no .toml file of a policy in this folder"):
        press.draft(press.path.parent / "shelf")
    assert press.shelf.current() == 1


def test_a_single_file_is_published_with_the_managers_beside_it_and_nothing_else(press: Press) -> None:
    """Whatever its name."""
    (press.path / "other.toml").write_text("rubbish")
    (press.path / "managers.toml").write_text(MANAGERS)
    file = press.path / "policy.txt"
    file.write_text(MINIMAL)
    draft = press.draft(file)
    assert set(draft.publication.files) == {"policy.toml", "managers.toml"}
    assert draft.policy.managers is not None


def test_an_old_policy_comes_back_under_a_version_above_all_others(press: Press) -> None:
    """Its files say their own version still; what was published says which one counts."""
    press.publish(1, 100)
    press.publish(2, 200)
    press.publish(7, 700)
    draft = press.back_to(1)
    assert draft.changes == (
        "policy: now minimal version 8, was minimal version 7",
        "everyone: least overdue that opens a run now 100, was 700",
    )
    assert (draft.number, draft.publication.again, press.holding()) == (4, 1, (8, 100))
    press.back_to(3)
    assert press.holding() == (9, 700)
    press.write(8, 800)
    with pytest.raises(Refused, match=r"raise \[policy\] version to 10"):
        press.draft()
    press.publish(10, 800)
    assert press.holding() == (10, 800)


def test_what_holds_already_does_not_come_back(press: Press) -> None:
    """Neither by its own number nor by another that says the same."""
    press.publish(1, 100)
    press.publish(2, 200)
    press.back_to(1)
    for number in (1, 3):
        assert press.back_to(number).changes == ()
    assert press.shelf.current() == 3


def test_an_issue_that_is_not_there_cannot_come_back(press: Press) -> None:
    """Nor one that cannot be read."""
    press.publish(1)
    for number in (0, -1, 2, 10**12):
        with pytest.raises(Refused, match=f"there is no issue {number} "):
            press.back_to(number)
    press.shelf.put(2, b"rubbish")
    with pytest.raises(Refused, match="issue 2: not a published policy"):
        press.back_to(2)
    assert press.publish(2, 5).changes == ("what is published cannot be read by this release; now minimal version 2",)
    assert [issue.publication is None for issue in history(press.shelf)] == [False, True, False]


def test_who_is_overtaken_publishes_nothing(press: Press) -> None:
    """What was compared does not hold any more."""
    press.publish(1)
    press.write(2, 200)
    draft = press.draft()
    press.publish(3, 300)
    with pytest.raises(Refused, match="somebody else has published meanwhile, nothing was done"):
        publish(press.shelf, draft)
    assert press.holding() == (3, 300)


def test_a_policy_that_is_too_large_is_refused(press: Press) -> None:
    """Packed, it must fit into a node of ZooKeeper's."""
    import random

    noise = random.Random(1).randbytes(2 * BODY_BYTES_MAX).hex()
    for part in range(5):
        said = f"[plans.p{part}]\n# {noise[part * 800_000 : (part + 1) * 800_000]}\n"
        (press.path / f"{part}.toml").write_text(said)
    with pytest.raises(Refused, match=r"the policy is too large: .* 1000000 is the most"):
        publish(press.shelf, press.draft())
    assert press.shelf.current() == 0


@pytest.mark.parametrize("note", ["two\nlines", "x" * 501])
def test_a_note_is_one_line(press: Press, note: str) -> None:
    """It is for a list."""
    with pytest.raises(Refused, match="the note must be one line of at most 500 characters"):
        press.draft(note=note)


def test_the_packaged_policy_survives_being_published(press: Press) -> None:
    """Packed and unpacked it says what it said."""
    draft = press.draft(PACKAGED_POLICY)
    again = unpacked(draft.publication.packed())
    assert again == draft.publication
    assert len(draft.publication.packed()) < 20_000


@pytest.mark.parametrize("name", ["../x.toml", "/etc/x.toml", "x.py", "dms.toml", ""])
def test_a_file_that_would_leave_its_folder_is_not_unpacked(name: str) -> None:
    """Whoever can write to ZooKeeper cannot write to a node's disk."""
    body = Publication(name="x", version=1, author="", at=0, note="", files={name: b""}).packed()
    with pytest.raises(Unreadable, match="a file of another name"):
        unpacked(body)


def test_what_was_not_packed_cannot_be_unpacked() -> None:
    """Rubbish, half of something, and what would be larger than a policy can be."""
    import zlib

    body = Publication(name="x", version=1, author="", at=0, note="", files={"a.toml": b"x" * 99}).packed()
    for rubbish in (b"", b"rubbish", body[:-9], zlib.compress(b"rubbish"), zlib.compress(b"\0" * (65 << 20))):
        with pytest.raises(Unreadable):
            unpacked(rubbish)
    assert policy_in({"a.toml": MINIMAL.encode()}, "here").name == "minimal"
