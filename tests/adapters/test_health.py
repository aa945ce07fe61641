"""The board: asks every part at once, waits for none longer than it says, and never asks twice at a time."""

import time
from threading import Event, Lock

import pytest

from adapters.health import Board, Component


def test_each_part_is_told_with_what_is_wrong() -> None:
    """In one line; a check that raises is a part that does not work."""

    def broken() -> str | None:
        raise ConnectionError("refused by\nivan@example.org")

    board = Board([Component("a", lambda: None), Component("b", lambda: "away"), Component("c", broken)])
    assert board.look() == {"a": None, "b": "away", "c": "ConnectionError: refused by ***"}


def test_only_vital_parts_are_asked_whether_the_process_is_worth_keeping() -> None:
    """The others may hang, and are not asked."""
    asked: list[str] = []
    board = Board(
        [Component("engine", lambda: asked.append("engine"), is_vital=True), Component("s", lambda: asked.append("s"))]
    )
    assert (board.look(vital_only=True), asked) == ({"engine": None}, ["engine"])


def test_a_part_that_hangs_is_asked_once_and_told_until_it_answers() -> None:
    """Others are answered for at the same time."""
    answers, asked, lock = Event(), [0], Lock()

    def hangs() -> str | None:
        with lock:
            asked[0] += 1
        answers.wait(30)
        return None

    board = Board([Component("sound", lambda: None), Component("store", hangs)], answer_seconds=0.1, fresh_seconds=60)
    began = time.monotonic()
    for _ in range(3):
        found = board.look()
        assert found["sound"] is None
        assert str(found["store"]).startswith("no answer for ")
    assert time.monotonic() - began < 10
    assert asked == [1]
    answers.set()
    deadline = time.monotonic() + 10
    while board.look()["store"] is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert board.look() == {"sound": None, "store": None}


def test_an_answer_is_good_for_a_while() -> None:
    """Probes and scrapes do not add up."""
    asked: list[int] = []
    board = Board([Component("store", lambda: asked.append(1))], fresh_seconds=60)
    for _ in range(5):
        board.look()
    assert asked == [1]


def test_two_parts_of_one_name_are_a_mistake() -> None:
    """Found when the board is made."""
    with pytest.raises(AssertionError, match="two components of one name"):
        Board([Component("store", lambda: None), Component("store", lambda: None)])
