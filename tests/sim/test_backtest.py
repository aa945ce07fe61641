"""The same history under two policies: each command is there once, and what belongs together is found together."""

from hypothesis import given
from hypothesis import strategies as st

from domain.calendar import DAY, HOUR
from sim.backtest import (
    APPEARS,
    MOVES,
    NO_SEGMENT,
    STAYS,
    VANISHES,
    Course,
    Difference,
    Sent,
    counted,
    differences,
)

HALF_MONTH = 15 * DAY


def sent(day: float, measure: str = "block", kind: str = "restrict") -> Sent:
    """A command some days into a history."""
    return Sent(int(day * DAY), measure, kind, "network", "plan", 100)


def course(*commands: Sent) -> Course:
    """A course in which one debtor got these commands."""
    return Course(commands={"ACC-1": list(commands)}, segments={"ACC-1": [(0, "everyone")]})


def found(before: Course, after: Course, within: int = HALF_MONTH) -> list[tuple[str, float]]:
    """What changes, and by how many days."""
    return [(each.what, each.days) for each in differences(before, after, within)]


def test_the_same_commands_stay() -> None:
    assert found(course(sent(1), sent(5)), course(sent(1), sent(5))) == [(STAYS, 0), (STAYS, 0)]


def test_a_command_a_day_later_has_moved() -> None:
    assert found(course(sent(2)), course(sent(3))) == [(MOVES, 1)]
    assert found(course(sent(2)), course(sent(1.5))) == [(MOVES, -0.5)]


def test_what_lies_too_far_apart_is_two_commands() -> None:
    assert found(course(sent(1)), course(sent(17))) == [(VANISHES, 0), (APPEARS, 0)]
    assert found(course(sent(1)), course(sent(17)), 16 * DAY) == [(MOVES, 16)]
    assert found(course(sent(1)), course(sent(1.1)), 0) == [(VANISHES, 0), (APPEARS, 0)]


def test_the_nearest_belong_together() -> None:
    """Of two months' commands the second one stays what it was when the first one vanishes."""
    assert found(course(sent(1), sent(11)), course(sent(10))) == [(VANISHES, 0), (MOVES, -1)]
    assert found(course(sent(11)), course(sent(2), sent(10))) == [(APPEARS, 0), (MOVES, -1)]


def test_another_measure_or_kind_is_another_command() -> None:
    assert found(course(sent(1)), course(sent(1, "warn"))) == [(VANISHES, 0), (APPEARS, 0)]
    assert found(course(sent(1)), course(sent(1, kind="notify"))) == [(APPEARS, 0), (VANISHES, 0)]


def test_a_change_counts_for_the_segment_of_the_first_policy_at_that_time() -> None:
    before = course(sent(1), sent(30))
    before.segments["ACC-1"] = [(0, "everyone"), (20 * DAY, "key")]
    after = course(sent(1), sent(31))
    after.segments["ACC-1"] = [(0, "all")]
    assert [each.segment for each in differences(before, after)] == ["everyone", "key"]
    assert Course().segment("ACC-9", 0) == NO_SEGMENT


def test_counts_are_by_segment_measure_and_kind() -> None:
    before = course(sent(1), sent(40), sent(2, "warn", "notify"))
    after = course(sent(2), sent(70), sent(1, "warn", "notify"))
    counts = counted(differences(before, after))
    assert list(counts) == [("everyone", "block", "restrict"), ("everyone", "warn", "notify")]
    block, warn = counts.values()
    assert (block.stays, block.appears, block.vanishes, block.earlier, block.later) == (0, 1, 1, [], [1.0])
    assert (warn.earlier, warn.changed) == ([1.0], 1)


instants = st.lists(st.integers(0, 60 * 24), max_size=12).map(sorted)
measures = st.sampled_from(["block", "warn"])


@st.composite
def courses(draw: st.DrawFn) -> Course:
    """Some debtors with some commands."""
    commands = {
        f"ACC-{number}": sorted(
            (sent(hour * HOUR / DAY, measure) for measure in ("block", "warn") for hour in draw(instants)),
            key=lambda each: each.at,
        )
        for number in range(draw(st.integers(0, 3)))
    }
    return Course(commands=commands)


@given(courses(), courses(), st.integers(0, 40).map(lambda days: days * DAY))
def test_every_command_of_both_is_there_once(before: Course, after: Course, within: int) -> None:
    some = list(differences(before, after, within))
    assert _of(some, 0) == {name: sorted(of) for name, of in before.commands.items() if of}
    assert _of(some, 1) == {name: sorted(of) for name, of in after.commands.items() if of}
    for each in some:
        if each.before and each.after:
            assert abs(each.after.at - each.before.at) <= within
            assert (each.before.measure, each.before.kind) == (each.after.measure, each.after.kind)


def _of(some: list[Difference], side: int) -> dict[str, list[Sent]]:
    commands: dict[str, list[Sent]] = {}
    for each in some:
        one = (each.before, each.after)[side]
        if one is not None:
            commands.setdefault(each.profile_id, []).append(one)
    return {name: sorted(of) for name, of in commands.items()}


@given(courses())
def test_a_course_does_not_differ_from_itself(one: Course) -> None:
    assert all(each.what == STAYS for each in differences(one, one))


@given(courses(), courses())
def test_the_other_way_round_what_appears_vanishes(before: Course, after: Course) -> None:
    there, back = counted(differences(before, after)), counted(differences(after, before))
    assert sum(each.appears for each in there.values()) == sum(each.vanishes for each in back.values())
    assert sum(each.stays for each in there.values()) == sum(each.stays for each in back.values())
    shifts = [sum(sum(each.earlier) + sum(each.later) for each in counts.values()) for counts in (there, back)]
    assert abs(shifts[0] - shifts[1]) < 1e-9
