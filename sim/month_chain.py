"""Months late as a chain: what a table of monthly statuses says about a behaviour, under one type.

A debtor gets one item a month, due 30 days after it; his state at the end of a month is how many items are due and
unpaid. Within a month he owes those and the one that falls due at its end. On each of its 30 days he pays with the
probability of the bin of his oldest item's days past due (`BINS`): all of it, or a part, which is all items but the
newest, or the oldest alone (clients who are many months late pay either, and hardly ever anything between). Who was
late and has not paid everything since pays his newest item at another rate (``late_factor``). So the number of unpaid
items is a Markov chain in days, and its 30th power is the month's matrix: exact for what the laboratory plays with
``whole_items``, items alike and months of 30 days.

The likelihood of a debtor's months is the probability of the first state, free for each type, times the entries of the
matrix along his months, with his own effect integrated out (`sim.mixture`): a mixed Markov chain (Frydman, JASA 100,
2005, has two; more types, and an effect of each debtor, are the same idea).
"""

from typing import Final

import numpy as np
from scipy.special import expit, logsumexp

from sim.behaviour import Floats, Integers
from sim.mixture import Design, apart, nodes

BINS: Final = (-29, 1, 31, 61)
"""Nothing overdue; one item; two; three or more."""
DAYS: Final = 30
STATES_MAX: Final = 7
"""More months late than this count as so many."""
_FIRST: Final = 4
"""Classes of the first month's state: 0, 1, 2, 3 and more items."""
_BEGIN: Final = np.array([-2.5, -3.2, -3.5, -4.0, -1.0, 0.5, -0.5, -3.0, -5.0, -6.0])
"""Parameters of a type to begin with; see `MonthChain`."""
_NODES: Final = 11
UNKNOWN: Final = -9
"""The status of a month of which nothing is known."""
_HARDLY: Final = 0.02
_STEP: Final = 1e-5
_TINY: Final = 1e-12


class MonthChain:
    """The component of `sim.mixture` for months late.

    A type's parameters: the logarithms of the rates in `BINS`, the logits of the probabilities that a payment is a part
    and that a part is all but the newest item, the logarithm of the late factor, and the logits of the first month's
    classes against the first of them.
    """

    width: Final = len(BINS) + 3 + _FIRST - 1

    def __init__(self, months: Integers, weights: Floats) -> None:
        """``months`` are states, shape (patterns, months), -1 where nothing is known; ``weights`` count debtors."""
        self.months: Final = months
        self.weights: Final = weights
        before, after = months[:, :-1], months[:, 1:]
        known = (before >= 0) & (after >= 0) & (after <= before + 1)
        self._pairs: Final[Integers] = np.where(known, before * (STATES_MAX + 1) + after, -1)
        self._first: Final[Integers] = np.minimum(months[:, 0], _FIRST - 1)

    def design(self, types: int) -> Design:
        """Every type has parameters of its own."""
        bins, classes = len(BINS), _FIRST - 1
        low = np.array([*[-14.0] * bins, -7.0, -5.0, -8.0, *[-9.0] * classes])
        high = np.array([*[1.5] * bins, 7.0, 5.0, 3.0, *[9.0] * classes])
        return apart(types, low, high)

    def start(self, types: int) -> Floats:
        """Where a climb begins: types from the readiest to the least ready to pay."""
        levels = 1.5 * np.linspace(1.0, -1.0, types) if types > 1 else np.zeros(1)
        found = np.tile(_BEGIN, (types, 1))
        bins = len(BINS)
        found[:, :bins] += levels[:, None]
        found[:, bins] -= levels
        found[:, bins + 3 :] -= 2.0 * levels[:, None]
        free: Floats = found.ravel()
        return free

    def value(self, parameters: Floats, log_spread: float) -> tuple[Floats, Floats]:
        """See `sim.mixture.Component`; the derivatives are forward differences, of all matrices at once."""
        inner = len(BINS) + 3
        points = np.tile(np.append(parameters[:inner], log_spread), (inner + 2, 1))
        points[1:] += _STEP * np.eye(inner + 1)
        moves = np.stack([self._moves(point[:inner], float(point[inner])) for point in points])
        slope = np.empty((len(self.months), len(parameters) + 1))
        slope[:, [*range(inner), -1]] = (moves[1:] - moves[0]).T / _STEP
        logits = np.concatenate([[0.0], parameters[inner:]])
        logs = logits - logsumexp(logits)
        slope[:, inner:-1] = np.eye(_FIRST)[self._first][:, 1:] - np.exp(logs)[1:]
        total: Floats = moves[0] + logs[self._first]
        return total, slope

    def _moves(self, parameters: Floats, log_spread: float) -> Floats:
        """The logarithm of the probability of each pattern's moves, given its first month."""
        effects, log_weights, _ = nodes(_NODES, log_spread)
        rates = np.exp(parameters[: len(BINS)])
        partial, partial_share = expit(parameters[len(BINS) : len(BINS) + 2]).tolist()
        late_factor = float(np.exp(parameters[len(BINS) + 2]))
        matrices = month_matrices(rates, partial, partial_share, late_factor, effects)
        logs = np.log(np.maximum(matrices, _TINY)).reshape(len(effects), -1)
        padded = np.concatenate([logs, np.zeros((len(effects), 1))], axis=1)  # the place -1: nothing known
        along = padded[:, self._pairs].sum(axis=2)
        found: Floats = logsumexp(along + log_weights[:, None], axis=0)
        return found

    def penalty(self, parameters: Floats) -> tuple[float, Floats]:
        """A type hardly ever seen in a state has some rate there all the same: a weak normal prior on every number."""
        centre = np.array([*[-3.5] * len(BINS), -1.0, 0.5, -0.5, *[-2.0] * (_FIRST - 1)])
        away = parameters - centre
        return -0.02 * float(away @ away), -0.04 * away


def month_matrices(rates: Floats, partial: float, partial_share: float, late_factor: float, effects: Floats) -> Floats:
    """The probabilities of a month's moves between states for each effect, shape (effects, states, states).

    ``rates`` are those of `BINS`; states are 0 to `STATES_MAX` items due and unpaid.
    """
    items = STATES_MAX + 1  # those of the greatest state, and the one that falls due
    bins = np.minimum(np.maximum(np.arange(items + 1) - 1, 0), len(BINS) - 1)
    of_items = rates[bins]
    of_items[1] *= late_factor
    pays = -np.expm1(-effects[:, None] * of_items)
    pays[:, 0] = 0.0
    day = pays[:, :, None] * _landing(items, partial, partial_share)
    places = np.arange(items + 1)
    day[:, places, places] += 1.0 - pays
    month = np.linalg.matrix_power(day, DAYS)[:, 1:, :]
    # Who was not late pays his one item at the rate of those who were not.
    month[:, 0, 1] = np.exp(-DAYS * effects * rates[0])
    month[:, 0, 0] = 1.0 - month[:, 0, 1]
    # Who owes one more than the greatest state is in the greatest.
    month[:, :, STATES_MAX] += month[:, :, items]
    found: Floats = month[:, :, :items]
    return found


def _landing(items: int, partial: float, partial_share: float) -> Floats:
    """Where a payment takes the number of unpaid items, shape (items + 1, items + 1)."""
    landing = np.zeros((items + 1, items + 1))
    landing[0, 0] = 1.0
    for owed in range(1, items + 1):
        landing[owed, 0] += 1.0 - partial
        landing[owed, owed - 1] += partial * (1.0 - partial_share)
        landing[owed, min(1, owed - 1)] += partial * partial_share
    return landing


def states_of(statuses: Integers) -> tuple[Integers, int, int]:
    """States out of months late (below 1: not late; -9: not known), the status of the state 1, and impossible moves.

    Where a table hardly uses the status 1, as some banks' do, who is late begins with 2, and that is the state 1. A
    move by more than one month within a month is not possible: it says nothing, and they are counted.
    """
    late = statuses[statuses > 0]
    first = 2 if len(late) and (late == 1).mean() < _HARDLY else 1
    states = np.where(statuses < 1, 0, np.maximum(statuses - first + 1, 1))
    states = np.where(statuses == UNKNOWN, -1, np.minimum(states, STATES_MAX))
    jumps = (states[:, :-1] >= 0) & (states[:, 1:] > states[:, :-1] + 1)
    return states, first, int(jumps.sum())


def aligned(months: Integers) -> Integers:
    """Each client's months from the first that is known; clients of whom none is are left out, and moves by more than
    one month up say nothing (`MonthChain`)."""
    rows = months[(months >= 0).any(axis=1)]
    start = np.argmax(rows >= 0, axis=1)
    places = start[:, None] + np.arange(rows.shape[1])
    found: Integers = np.where(
        places < rows.shape[1], np.take_along_axis(rows, np.minimum(places, rows.shape[1] - 1), axis=1), -1
    )
    return found


def patterns(months: Integers) -> tuple[Integers, Floats]:
    """Debtors that look alike, once each, and how many they are."""
    found, counts = np.unique(months, axis=0, return_counts=True)
    return found, counts.astype(np.float64)
