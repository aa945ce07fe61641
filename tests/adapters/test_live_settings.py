"""Settings that change while nodes run: checked before they are published, applied everywhere, kept in a history."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.live_settings import LiveSettings, change, history, published, restore
from adapters.logs import open_log
from adapters.policy_press import Refused
from adapters.settings import Settings, SettingsError
from adapters.shelf import FolderShelf
from tests.contracts.coordination_contract import eventually


@pytest.fixture
def shelf(tmp_path: Path) -> FolderShelf:
    return FolderShelf(tmp_path / "configs")


class Watching:
    """A node's settings, and what it was told of."""

    def __init__(self, shelf: FolderShelf) -> None:
        self.said = io.StringIO()
        self.heard: list[Settings] = []
        self.live = LiveSettings(shelf, Settings(log_level="WARN"), open_log("INFO", "console", self.said))
        self.live.listen(self.heard.append)

    def look(self) -> Settings:
        self.live._look()
        return self.live.current()


@pytest.fixture
def node(shelf: FolderShelf) -> Iterator[Watching]:
    node = Watching(shelf)
    yield node
    node.live.stop()


def set_live(shelf: FolderShelf, **changed: str | None) -> bool:
    """Names are written with underscores."""
    names = {"log_level": "log.level", "out_batch": "out.batch"}
    return change(shelf, {names.get(name, name): value for name, value in changed.items()}, "ops@desk", "why", 1)


def test_nothing_is_set_live_at_first(shelf: FolderShelf, node: Watching) -> None:
    """Each node goes by its own settings."""
    assert published(shelf).values == {}
    assert node.look() == Settings(log_level="WARN")
    assert node.heard == []


def test_what_is_set_live_goes_over_the_node_s_own(shelf: FolderShelf, node: Watching) -> None:
    """And leaves alone what nobody has set."""
    assert set_live(shelf, log_level="debug")
    assert set_live(shelf, out_batch="50")
    assert node.look() == Settings(log_level="DEBUG", out_batch=50)
    assert node.heard == [Settings(log_level="DEBUG", out_batch=50)]
    assert node.look() == node.heard[0]
    assert len(node.heard) == 1


def test_a_setting_can_be_left_to_each_node_again(shelf: FolderShelf, node: Watching) -> None:
    """None is not a value, but no value."""
    set_live(shelf, log_level="DEBUG", out_batch="50")
    node.look()
    set_live(shelf, log_level=None)
    assert node.look() == Settings(log_level="WARN", out_batch=50)


def test_what_is_so_already_is_not_published(shelf: FolderShelf) -> None:
    """The history has changes in it, and nothing else."""
    assert set_live(shelf, log_level="DEBUG")
    assert not set_live(shelf, log_level="DEBUG")
    assert not set_live(shelf, out_batch=None)
    assert shelf.current() == 1


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"log_level": "LOUD"}, "log.level must be one of ALL, TRACE"),
        ({"out_batch": "0"}, "out.batch must be between 1 and 1000, not 0"),
        ({"hold_unknown": "soon"}, "hold_unknown must be a duration"),
        ({"store": "sqlite:///other.db"}, "store is read when a node starts: those that can be changed live are"),
        ({"store": None}, "store is read when a node starts"),
        ({"shrads": "1"}, "shrads is no setting"),
    ],
)
def test_what_is_wrong_is_refused_before_it_is_published(
    shelf: FolderShelf, changed: dict[str, str | None], said: str
) -> None:
    """With the words of the settings file."""
    with pytest.raises(SettingsError) as refused:
        set_live(shelf, **changed)
    assert refused.value.faults[0].startswith(said)
    assert shelf.current() == 0


def test_the_history_says_what_changed_and_goes_back(shelf: FolderShelf, node: Watching) -> None:
    """To all that was set then, and nothing else."""
    set_live(shelf, log_level="DEBUG")
    set_live(shelf, out_batch="50")
    set_live(shelf, log_level=None)
    assert restore(shelf, 1, "ops@desk", "", 2)
    assert [(each.number, each.holds, dict(each.changed), each.issue.note) for each in history(shelf)] == [
        (4, True, {"log.level": "DEBUG", "out.batch": None}, "as in issue 1"),
        (3, False, {"log.level": None}, "why"),
        (2, False, {"out.batch": "50"}, "why"),
        (1, False, {"log.level": "DEBUG"}, "why"),
    ]
    assert node.look() == Settings(log_level="DEBUG")
    assert not restore(shelf, 4, "ops@desk", "", 3)
    for number in (0, 5):
        with pytest.raises(Refused, match=f"there is no issue {number}"):
            restore(shelf, number, "ops@desk", "", 3)


@pytest.mark.parametrize(
    "body",
    [b"rubbish", b'{"values":{"log.level":"LOUD"},"author":"","at":0}', b'{"values":{"x":"1"},"author":"","at":0}'],
)
def test_what_cannot_be_read_changes_nothing_in_a_node(shelf: FolderShelf, node: Watching, body: bytes) -> None:
    """It is told, and the next good issue counts."""
    set_live(shelf, log_level="DEBUG")
    node.look()
    shelf.put(2, body)
    assert node.look().log_level == "DEBUG"
    assert "published settings are refused; those that hold go on" in node.said.getvalue()
    shelf.put(3, b'{"values":{"log.level":"ERROR"},"author":"","at":0}')
    assert node.look().log_level == "ERROR"


def test_what_is_wiped_changes_nothing_in_a_node(shelf: FolderShelf, node: Watching, tmp_path: Path) -> None:
    """Until somebody publishes again."""
    set_live(shelf, log_level="DEBUG")
    node.look()
    (tmp_path / "configs").rename(tmp_path / "gone")
    assert node.look().log_level == "DEBUG"
    assert "no settings are published any more" in node.said.getvalue()
    set_live(shelf, log_level="ERROR")
    assert node.look().log_level == "ERROR"


def test_a_node_watches_in_a_thread_and_one_that_cannot_apply_it_does_not_keep_it_from_others(
    shelf: FolderShelf,
) -> None:
    """Without a restart."""
    node = Watching(shelf)

    def cannot(settings: Settings) -> None:
        raise RuntimeError("cannot")

    node.live._listeners.insert(0, cannot)
    node.live.start()
    set_live(shelf, log_level="DEBUG")
    eventually(lambda: node.heard)
    node.live.stop()
    assert node.heard == [Settings(log_level="DEBUG")]
    assert "a setting could not be applied" in node.said.getvalue()
