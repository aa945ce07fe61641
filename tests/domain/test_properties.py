"""Laws that hold of any debtor's life, under any policy: random ones are lived through, and all that was told is read.

One seed makes one life: a failing test prints it with its steps as short as they can be made, and how to repeat it. The
default run plays the same lives every time; the slow one plays new ones.
"""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, note, settings

from tests.domain.laws import LAWS
from tests.domain.lives import SEEDS, STEPS, Life, Step, begun
from tests.domain.watching import watched

SAME_LIVES = settings(
    max_examples=300,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
NEW_LIVES = settings(SAME_LIVES, max_examples=10_000, derandomize=False, print_blob=True)


def told(life: Life) -> None:
    """What a failure shows: all that happened."""
    for each in life.told:
        note(f"{each.message!r}{'' if each.refusal is None else f' {each.refusal!r}'}")
        for fact in each.facts:
            note(f"    {fact!r}")


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@SAME_LIVES
@given(seed=SEEDS, steps=STEPS)
def test_in_every_life(law: Callable[[Life], None], seed: int, steps: list[Step]) -> None:
    """Each law by itself, so that one that is broken does not hide another."""
    life = begun(seed).live(steps)
    told(life)
    law(life)


@SAME_LIVES
@given(seed=SEEDS, steps=STEPS)
def test_every_step_is_pure_repeatable_and_wakes_in_time(seed: int, steps: list[Step]) -> None:
    """Deciding changes nothing, nor does a refusal; the same does the same; nobody wakes in the past or in vain."""
    life = begun(seed)
    life.work = watched
    told(life.live(steps))


@pytest.mark.slow
@NEW_LIVES
@given(seed=SEEDS, steps=STEPS)
def test_every_law_holds_in_many_more_lives(seed: int, steps: list[Step]) -> None:
    """All laws at once over lives that were never lived before."""
    life = begun(seed)
    life.work = watched
    told(life.live(steps))
    for law in LAWS:
        law(life)
