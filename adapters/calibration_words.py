"""What a calibration found, in lines for a terminal and for the head of a behaviour's file."""

from collections.abc import Iterator, Sequence
from math import isnan
from typing import Final

from sim.behaviour import Behaviour, Floats
from sim.calibration import Calibration
from sim.goodness import QUANTILES, STATES, as_rates
from sim.judgement import Judgement

INVOICE_STATES: Final = ("current", "1-30", "31-60", "61-90", "over 90")
assert len(INVOICE_STATES) == STATES


def judged(judgement: Judgement, states: Sequence[str], what: str) -> Iterator[str]:
    """The lines of a judgement; ``what`` says which rows these are."""
    seen, predicted = judgement.seen, judgement.predicted
    yield f"On {judgement.rows:,} {what}:"
    if seen.days:
        yield ""
        yield f"{'paid by day past due':28}" + "".join(f"{share:>8.0%}" for share in QUANTILES)
        for name, days in (("seen", seen.days), ("predicted", predicted.days)):
            yield f"  {name:26}" + "".join(f"{'-' if day is None else day:>8}" for day in days)
        yield f"Kolmogorov-Smirnov distance of the days to pay: {judgement.distance:.3f}"
    yield ""
    yield f"{'':28}{'seen':>10}{'predicted':>12}"
    for name, one, other in (
        ("late after late", seen.habit.after_late, predicted.habit.after_late),
        ("late after in time", seen.habit.after_on_time, predicted.habit.after_on_time),
        ("their ratio", seen.habit.ratio, predicted.habit.ratio),
        ("late in no month", seen.never, predicted.never),
        ("late in every month", seen.always, predicted.always),
    ):
        if not isnan(one):
            yield f"{name:28}{one:>10.3f}{other:>12.3f}"
    yield ""
    yield from _rolls(seen.rolls, predicted.rolls, states)


def _rolls(seen: Floats, predicted: Floats, states: Sequence[str]) -> Iterator[str]:
    """The roll-rate matrix: each cell as it was seen, and as it is predicted."""
    yield "Roll rates a month, seen / predicted:"
    yield f"{'from':>10}{'rows':>9}" + "".join(f"{f'to {state}':>16}" for state in states)
    for name, count, row, other in zip(states, seen.sum(axis=1), as_rates(seen), as_rates(predicted), strict=True):
        if count > 0:
            cells = (
                f"{one:.3f} / {'  -  ' if isnan(two) else f'{two:.3f}'}" for one, two in zip(row, other, strict=True)
            )
            yield f"{name:>10}{count:>9,.0f}" + "".join(f"{cell:>16}" for cell in cells)


def found(calibration: Calibration) -> Iterator[str]:
    """The lines of a fit: its types, its likelihood."""
    behaviour, errors = calibration.behaviour, calibration.errors
    yield (
        f"{len(behaviour.types)} types of debtors, spread {behaviour.spread:.3g}{_give_or_take(errors.spread)}"
        f"{_overdue(behaviour, errors)}; "
        f"log-likelihood {calibration.log_likelihood:,.1f}, {calibration.free} parameters, BIC {calibration.bic:,.1f}"
    )
    yield "BIC by number of types: " + ", ".join(f"{types}: {bic:,.1f}" for types, bic in calibration.tried)
    if not calibration.converged:
        yield "the search for the maximum was broken off: the numbers are near it, and their errors are rough"


def _overdue(behaviour: Behaviour, errors: Behaviour) -> str:
    power = behaviour.overdue_power
    return "" if power == 1.0 else f", once overdue to the power of {power:.3g}{_give_or_take(errors.overdue_power)}"


def _give_or_take(error: float) -> str:
    return "" if isnan(error) or error == 0 else f" ± {error:.2g}"
