"""Whether payments differ by days of the week and of the month, and by how much."""

from typing import Final

import numpy as np
from scipy.special import chdtrc

from sim.behaviour import Floats
from sim.paying_days import Calendar
from sim.spells import Spells, exposure

_DOUBT: Final = 0.001
_FACTOR_PRIOR: Final = 20.0


def calendar_of(spells: Spells, bins: tuple[int, ...], rates: Floats) -> Calendar:
    """Factors of the days of the week and of the month, where payments differ between them beyond chance.

    ``rates`` are each spell's own, shape (spells, bins). A day's factor is the payments seen on it over those expected
    of everybody open on it (a standardised ratio), drawn towards 1 by `_FACTOR_PRIOR` payments; days differ where
    Pearson's chi-squared of the payments says so at one in a thousand, else all factors are 1.
    """
    weekdays = _factors([Calendar(weekdays=_only(7, day)) for day in range(7)], spells, bins, rates)
    month_days = _factors([Calendar(month_days=_only(31, day)) for day in range(31)], spells, bins, rates)
    return Calendar(weekdays=weekdays, month_days=month_days)


def _only(days: int, day: int) -> tuple[float, ...]:
    return tuple(float(each == day) for each in range(days))


def _factors(days: list[Calendar], spells: Spells, bins: tuple[int, ...], rates: Floats) -> tuple[float, ...]:
    seen, expected = np.zeros(len(days)), np.zeros(len(days))
    for place, calendar in enumerate(days):
        survived, is_last, bin_of = exposure(spells, bins, calendar)
        paid = spells.paid & (bin_of >= 0)
        rows = np.flatnonzero(paid)
        last = np.zeros(len(spells))
        last[rows] = is_last[rows] * -np.expm1(-rates[rows, bin_of[rows]])
        seen[place] = is_last[paid].sum()
        expected[place] = (survived * -np.expm1(-rates)).sum() + last.sum()
    expected *= seen.sum() / expected.sum()
    if expected.min() < 5:
        return (1.0,) * len(days)
    statistic = float(((seen - expected) ** 2 / expected).sum())
    if chdtrc(len(days) - 1, statistic) > _DOUBT:
        return (1.0,) * len(days)
    return tuple(float(each) for each in (seen + _FACTOR_PRIOR) / (expected + _FACTOR_PRIOR))
