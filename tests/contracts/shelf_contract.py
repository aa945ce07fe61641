"""What every shelf promises, in sentences. `test_shelf` applies it to each of them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

import pytest

from adapters.shelf import BODY_BYTES_MAX, ISSUES_MAX, Overtaken, Shelf


@dataclass
class Shelves:
    """Opens the shelf once more, as another process would; ``clears`` takes everything away."""

    another: Callable[[], Shelf]
    clears: Callable[[], None]


class ShelfContract:
    """Apply it by a fixture ``shelves`` on which nothing lies yet."""

    def test_on_an_empty_shelf_nothing_holds(self, shelves: Shelves) -> None:
        shelf = shelves.another()
        assert (shelf.current(), shelf.numbers(), shelf.body(1)) == (0, [], None)

    def test_the_last_issue_holds_and_the_others_are_kept(self, shelves: Shelves) -> None:
        shelf = shelves.another()
        for number, body in enumerate((b"one", b"", b"\x00three"), 1):
            shelf.put(number, body)
        other = shelves.another()
        assert (other.current(), other.numbers()) == (3, [1, 2, 3])
        assert [other.body(number) for number in range(5)] == [None, b"one", b"", b"\x00three", None]

    @pytest.mark.parametrize("number", [0, 1, 2, 4, 100])
    def test_an_issue_that_does_not_follow_is_overtaken_and_leaves_no_trace(
        self, shelves: Shelves, number: int
    ) -> None:
        shelf = shelves.another()
        shelf.put(1, b"one")
        shelf.put(2, b"two")
        with pytest.raises(Overtaken):
            shelf.put(number, b"another")
        assert (shelf.current(), [shelf.body(each) for each in shelf.numbers()]) == (2, [b"one", b"two"])

    def test_of_many_that_put_the_same_issue_at_once_one_does(self, shelves: Shelves) -> None:
        opened = [shelves.another() for _ in range(8)]

        def put(place: int) -> bool:
            with suppress(Overtaken):
                opened[place].put(1, b"%d" % place)
                return True
            return False

        with ThreadPoolExecutor(8) as pool:
            done = list(pool.map(put, range(8)))
        assert done.count(True) == 1
        assert (opened[0].current(), opened[0].body(1)) == (1, b"%d" % done.index(True))

    def test_what_is_too_large_is_refused(self, shelves: Shelves) -> None:
        shelf = shelves.another()
        shelf.put(1, b"x" * BODY_BYTES_MAX)
        with pytest.raises(ValueError, match="1000001 bytes when packed, and 1000000 is the most"):
            shelf.put(2, b"x" * (BODY_BYTES_MAX + 1))
        assert (shelf.current(), len(shelf.body(1) or b"")) == (1, BODY_BYTES_MAX)

    def test_old_issues_go(self, shelves: Shelves) -> None:
        shelf = shelves.another()
        for number in range(1, ISSUES_MAX + 4):
            shelf.put(number, b"%d" % number)
        assert shelf.numbers() == list(range(4, ISSUES_MAX + 4))
        assert shelf.body(3) is None

    def test_a_shelf_that_was_cleared_begins_anew(self, shelves: Shelves) -> None:
        shelf = shelves.another()
        shelf.put(1, b"one")
        shelves.clears()
        assert (shelf.current(), shelf.numbers()) == (0, [])
        shelf.put(1, b"another")
        assert shelves.another().body(1) == b"another"
