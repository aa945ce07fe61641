"""Which shard falls to which member: evenly, the same everywhere, and with as little moving as there can be."""

from itertools import pairwise
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.assignment import Assignment, assigned, assignment

NAMES = st.sampled_from([f"node-{n}" for n in range(14)])
HISTORIES = st.lists(NAMES, min_size=1, max_size=60)


def lived_through(toggles: list[str], shards: int) -> list[tuple[frozenset[str], Assignment]]:
    """A group's history: each name joins where it is away, and leaves where it is there; at least one is left."""
    members: set[str] = set()
    history: list[tuple[frozenset[str], Assignment]] = []
    held: Assignment = ()
    for name in toggles:
        if members != {name}:
            members ^= {name}
        held = assignment(members, shards, held)
        history.append((frozenset(members), held))
    return history


def moved(before: Assignment, after: Assignment) -> set[int]:
    return {shard for shard, (was, now) in enumerate(zip(before, after, strict=True)) if was != now}


@given(st.integers(1, 300), st.sets(st.text(max_size=8), min_size=1, max_size=12))
def test_every_shard_falls_to_one_member(shards: int, members: set[str]) -> None:
    """What falls to the members is disjoint and complete."""
    found = [shard for member in members for shard in assigned(members, shards, member)]
    assert sorted(found) == list(range(shards))


@given(st.integers(1, 300), HISTORIES)
def test_nobody_has_more_than_one_shard_more_than_anybody_else(shards: int, toggles: list[str]) -> None:
    """At every moment of a group's history."""
    for members, held in lived_through(toggles, shards):
        loads = [held.count(member) for member in members]
        assert sum(loads) == shards
        assert max(loads) - min(loads) <= 1


@given(st.integers(1, 300), HISTORIES)
def test_a_join_or_a_leave_moves_only_the_share_of_who_came_or_left(shards: int, toggles: list[str]) -> None:
    """At most 1.2 × shards ÷ nodes, or one shard where that is less than one; and nothing between those who stay."""
    for (members, before), (after_members, after) in pairwise(lived_through(toggles, shards)):
        changed = moved(before, after)
        nodes = max(len(members), len(after_members))
        assert len(changed) <= max(1.2 * shards / nodes, ceil(shards / nodes))
        (who,) = members ^ after_members or {None}
        assert all(who in (before[shard], after[shard]) for shard in changed)


@pytest.mark.parametrize("nodes", range(1, 20))
def test_of_64_shards_never_more_than_1_2_of_a_share_moves(nodes: int) -> None:
    """Without rounding, up to 19 nodes: with 20 the smallest whole number above a share is already more."""
    members = [f"node-{n}" for n in range(nodes + 1)]
    held = assignment(members[:nodes], 64)
    joined = assignment(members, 64, held)
    assert len(moved(held, joined)) <= 1.2 * 64 / (nodes + 1)
    if nodes == 19:
        return
    for name in members:
        left = assignment([each for each in members if each != name], 64, joined)
        assert len(moved(joined, left)) <= 1.2 * 64 / (nodes + 1)


@given(st.permutations([f"node-{n}" for n in range(7)]), HISTORIES)
def test_the_order_in_which_members_are_listed_means_nothing(members: list[str], toggles: list[str]) -> None:
    """Every member reckons alike."""
    held = lived_through(toggles, 64)[-1][1]
    assert assignment(members, 64, held) == assignment(sorted(members), 64, held)
    assert assignment(members, 64) == assignment([*members, members[0]], 64)


@given(st.integers(1, 300), HISTORIES)
def test_where_nothing_changes_nothing_moves(shards: int, toggles: list[str]) -> None:
    """Reckoned again from its own result, it is the same."""
    for members, held in lived_through(toggles, shards):
        assert assignment(members, shards, held) == held


@given(HISTORIES, st.sets(NAMES, min_size=1))
def test_many_changes_at_once_leave_alone_what_can_stay(toggles: list[str], members: set[str]) -> None:
    """Who stays keeps all that its quota has room for."""
    held = lived_through(toggles, 64)[-1][1]
    after = assignment(members, 64, held)
    for member in members:
        kept = [shard for shard in range(64) if held[shard] == after[shard] == member]
        assert len(kept) >= min(held.count(member), 64 // len(members))


def test_without_a_memory_the_hash_alone_decides() -> None:
    """The same on every machine and in every release: another hash would move every shard of a running group."""
    held = assignment(["node-1", "node-2", "node-3"], 12)
    assert [int(member[-1]) for member in held] == [3, 1, 2, 1, 3, 3, 1, 1, 2, 2, 3, 2]


def test_an_assignment_of_another_number_of_shards_is_no_memory() -> None:
    """It is reckoned from nothing."""
    assert assignment(["a", "b"], 12, ("a",) * 13) == assignment(["a", "b"], 12)


def test_nobody_is_assigned_nothing() -> None:
    """And who is not among the members has nothing."""
    assert assignment([], 64) == ()
    assert assigned(["a"], 64, "b") == frozenset()
    assert assigned(["a"], 64, "a") == frozenset(range(64))
