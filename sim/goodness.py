"""How well a behaviour fits: what was seen against what it predicts, by figures that a collector knows."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from sim.behaviour import Flags, Floats, Integers

QUANTILES: Final = (0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
STATES: Final = 5
"""Of a roll-rate matrix of invoices: current, 1 to 30 days late, to 60, to 90, more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """When invoices are paid. ``days`` are days past due of the payment, or the last on which it was known to be open
    where ``paid`` is false. ``debtor`` and ``due`` order a debtor's invoices. ``disputed`` says which were."""

    debtor: Integers
    due: Integers
    days: Integers
    paid: Flags
    disputed: Flags | None = None


def survival(days: Integers, paid: Flags, at: Integers) -> Floats:
    """The share that is still unpaid after each day ``at``: Kaplan and Meier's estimate (JASA 53, 1958)."""
    moments, place = np.unique(days, return_inverse=True)
    leaving = np.bincount(place, minlength=len(moments))
    at_risk = len(days) - np.concatenate([[0], np.cumsum(leaving)[:-1]])
    events = np.bincount(place, paid.astype(np.float64), len(moments))
    curve = np.concatenate([[1.0], np.cumprod(1.0 - events / at_risk)])
    found: Floats = curve[np.searchsorted(moments, at, side="right")]
    return found


def distance(seen: Timing, predicted: Timing) -> float:
    """Kolmogorov and Smirnov's distance between the two distributions of days to pay, as far as both are known."""
    ends = min(int(seen.days.max()), int(predicted.days.max()))
    days = np.arange(min(int(seen.days.min()), int(predicted.days.min())), ends + 1)
    return float(np.abs(survival(seen.days, seen.paid, days) - survival(predicted.days, predicted.paid, days)).max())


def quantiles(timing: Timing) -> tuple[int | None, ...]:
    """The days past due by which each of `QUANTILES` of the invoices is paid; None where that is never seen."""
    days = np.arange(int(timing.days.min()), int(timing.days.max()) + 1)
    paid = 1.0 - survival(timing.days, timing.paid, days)
    found: list[int | None] = []
    for share in QUANTILES:
        place = int(np.searchsorted(paid, share - 1e-12))
        found.append(int(days[place]) if place < len(days) else None)
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Habit:
    """P(late | the debtor's invoice before was late), and P(late | it was in time); nan where there was none."""

    after_late: float
    after_on_time: float

    @property
    def ratio(self) -> float:
        """How much likelier who was late is to be late again."""
        return self.after_late / self.after_on_time if self.after_on_time > 0 else float("nan")


def habit(timing: Timing) -> Habit:
    """Late after late, over the invoices of each debtor in order of due dates; one whose end is open is late once its
    due date has passed, and left out before."""
    known = timing.paid | (timing.days >= 1)
    late = (timing.days >= 1)[known]
    debtor = timing.debtor[known]
    order = np.lexsort((timing.due[known], debtor))
    late, debtor = late[order], debtor[order]
    same = debtor[1:] == debtor[:-1]
    before, after = late[:-1][same], late[1:][same]
    return Habit(after_late=_share(after[before]), after_on_time=_share(after[~before]))


def _share(flags: Flags) -> float:
    return float(flags.mean()) if len(flags) else float("nan")


def invoice_rolls(timing: Timing, until: int) -> Floats:
    """How many debtors went from each state to each between ends of 30-day months, shape (`STATES`, `STATES`).

    A debtor's state is that of the oldest due date of his that is unpaid at the end of a month; he is counted from the
    month of his first due date to that of his last, and no month after ``until`` is.
    """
    counts = np.zeros((STATES, STATES))
    debtors = int(timing.debtor.max()) + 1
    ends = timing.due + timing.days
    first = np.full(debtors, np.iinfo(np.int64).max)
    last = np.zeros(debtors, dtype=np.int64)
    np.minimum.at(first, timing.debtor, timing.due)
    np.maximum.at(last, timing.debtor, timing.due)
    before: Integers | None = None
    for day in range(int(timing.due.min()), min(until, int(timing.due.max()) + 30) + 1, 30):
        is_open = (timing.due < day) & ((ends > day) | ~timing.paid & (ends >= day))
        worst = np.zeros(debtors, dtype=np.int64)
        np.maximum.at(worst, timing.debtor[is_open], day - timing.due[is_open])
        state = np.minimum((worst + 29) // 30, STATES - 1)
        if before is not None:
            counted = (first <= day - 30) & (last >= day - 30)
            np.add.at(counts, (before[counted], state[counted]), 1.0)
        before = state
    return counts


def as_rates(counts: Floats) -> Floats:
    """Each row divided by its sum; nan in a row that nobody was in."""
    sums = counts.sum(axis=1, keepdims=True)
    found: Floats = np.where(sums > 0, counts / np.where(sums > 0, sums, 1.0), np.nan)
    return found


def month_rolls(months: Integers, states: int) -> Floats:
    """How many clients moved from each state to each in a month, shape (``states``, ``states``); the last
    state takes in all beyond it. -1 is a month of which nothing is known."""
    counts = np.zeros((states, states))
    before, after = np.minimum(months[:, :-1], states - 1), np.minimum(months[:, 1:], states - 1)
    known = (before >= 0) & (after >= 0)
    np.add.at(counts, (before[known], after[known]), 1.0)
    return counts


def month_habit(months: Integers) -> Habit:
    """Late after late, from one month to the next."""
    rolls = as_rates(month_rolls(months, 2))
    return Habit(after_late=float(rolls[1, 1]), after_on_time=float(rolls[0, 1]))
