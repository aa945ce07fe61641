"""The judgement of a fit on rows that it has not seen: what happened to them beside what the behaviour predicts."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from sim.behaviour import Floats, Integers
from sim.calibration import Calibration
from sim.foresight import foreseen, foreseen_months, pooled, seen
from sim.goodness import Habit, Timing, distance, habit, invoice_rolls, month_habit, month_rolls, quantiles
from sim.spells import Invoices

_INVOICES: Final = 40_000
"""About so many are drawn, so that what is predicted has hardly any chance in it."""
_TIMES_MAX: Final = 200
_CLIENTS: Final = 100_000
MONTH_STATES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One side of the judgement. ``days`` are quantiles of days past due (`sim.goodness.QUANTILES`), empty for months
    late; ``never`` and ``always`` are the shares of clients late in no month and in every one, nan for invoices."""

    days: tuple[int | None, ...]
    habit: Habit
    rolls: Floats
    never: float = float("nan")
    always: float = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What was ``seen`` on ``rows`` rows, and what is ``predicted``; ``distance`` is that of Kolmogorov and Smirnov
    between the days to pay, nan for months late."""

    rows: int
    seen: View
    predicted: View
    distance: float


def judge_invoices(calibration: Calibration, invoices: Invoices, seed: int) -> Judgement:
    """The judgement on ``invoices``."""
    times = int(np.clip(_INVOICES // len(invoices), 1, _TIMES_MAX))
    happened = seen(invoices)
    predicted = pooled(foreseen(calibration.behaviour, invoices, seed, times))
    until = int(invoices.until.max())
    return Judgement(
        rows=len(invoices),
        seen=_view(happened, until),
        predicted=_view(predicted, until),
        distance=distance(happened, predicted),
    )


def _view(timing: Timing, until: int) -> View:
    return View(days=quantiles(timing), habit=habit(timing), rolls=invoice_rolls(timing, until))


def judge_months(calibration: Calibration, months: Integers, seed: int) -> Judgement:
    """The judgement on clients' months (`sim.month_chain.aligned`): the first of each is given, the rest predicted."""
    assert calibration.first is not None
    times = max(1, _CLIENTS // len(months))
    given = np.tile(months, (times, 1))
    predicted = foreseen_months(calibration.behaviour, calibration.first, given, seed)
    return Judgement(
        rows=len(months), seen=_months_view(months), predicted=_months_view(predicted), distance=float("nan")
    )


def _months_view(months: Integers) -> View:
    known = months >= 0
    late = months > 0
    return View(
        days=(),
        habit=month_habit(months),
        rolls=month_rolls(months, MONTH_STATES),
        never=float((~late).all(axis=1).mean()),
        always=float((late | ~known).all(axis=1).mean()),
    )
