"""The twin of coordination, and the faults that it can be given."""

from engine.assignment import assignment
from sim.coordination import MemoryMembers

SHARDS = 12


def test_who_is_cut_off_cannot_tell_and_keeps_its_place_until_its_session_ends() -> None:
    """Then its shards fall to the others, without its knowledge."""
    group = MemoryMembers(SHARDS)
    a, b = group.join("a"), group.join("b")
    before = a.wanted()
    group.cut_off(a)
    assert (a.wanted(), len(b.wanted() or ())) == (None, 6)
    group.expire(a)
    assert (a.wanted(), len(b.wanted() or ())) == (None, 12)
    group.heal(a)
    assert (len(a.wanted() or ()), len(b.wanted() or ())) == (6, 6)
    assert before is not None


def test_a_short_cut_off_changes_nothing() -> None:
    """Whoever is back before its session ends was never away."""
    group = MemoryMembers(SHARDS)
    a, b = group.join("a"), group.join("b")
    before = (a.wanted(), b.wanted())
    group.cut_off(a)
    group.heal(a)
    assert (a.wanted(), b.wanted()) == before


def test_whose_news_are_late_wants_what_others_want_as_well() -> None:
    """That is what leases are for."""
    group = MemoryMembers(SHARDS)
    a = group.join("a")
    group.hold_news(a)
    b = group.join("b")
    assert a.wanted() == frozenset(range(SHARDS))
    assert len(b.wanted() or ()) == 6
    group.tell(a)
    assert not (a.wanted() or frozenset()) & (b.wanted() or frozenset())


def test_it_reckons_as_the_real_ones_do() -> None:
    """The same assignment, from the same history."""
    group = MemoryMembers(SHARDS)
    members = [group.join(name) for name in "abc"]
    group.leave(members[1])
    held = assignment("ac", SHARDS, assignment("abc", SHARDS, assignment("ab", SHARDS, assignment("a", SHARDS))))
    assert members[0].wanted() == frozenset(shard for shard, name in enumerate(held) if name == "a")
