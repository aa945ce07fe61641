"""The garbage collector of a node: what lives long is put aside, and cycles that come later are found all the same."""

import gc
import time
import weakref

from adapters.collector import collected_in_passing


class Node:
    """Something that can be in a cycle."""

    other: "Node | None" = None


def _cycle() -> "weakref.ref[Node]":
    one, other = Node(), Node()
    one.other, other.other = other, one
    return weakref.ref(one)


def _eventually(look: weakref.ref[Node]) -> bool:
    deadline = time.monotonic() + 20
    while look() is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    return look() is None


def test_a_cycle_is_collected() -> None:
    with collected_in_passing():
        assert _eventually(_cycle())


def test_what_lives_is_put_aside_and_freed_when_nobody_refers_to_it() -> None:
    with collected_in_passing():
        alive = Node()
        seen = weakref.ref(alive)
        while not gc.get_freeze_count():
            time.sleep(0.05)
        del alive
        assert seen() is None


def test_afterwards_all_is_as_it_was() -> None:
    before = gc.get_threshold()
    with collected_in_passing():
        assert gc.get_threshold() != before
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0
