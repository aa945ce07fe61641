"""How debtors pay: a daily hazard by days past due, latent types, an effect of each debtor, and what measures do to it.

A debtor of a type pays on a day with probability ``1 - exp(-rate)``, where ``rate`` is the type's rate for the days
past due, times the debtor's own effect (log-normal, median 1; of what is overdue, a power of it), times the day's
factor, times one plus the lifts that measures have left. Everything here is pure and vectorised over debtors: random
numbers come from outside.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.integer]
Flags = npt.NDArray[np.bool_]

KINDS: Final = ("reminder", "notify", "call", "task", "restrict", "legal", "terminate")
"""What can lift a hazard: kinds of measure, of which the notifications of prevention count apart as ``reminder``."""

_ALL_BUT_THE_NEWEST: Final = 0.999
"""Rounded down to whole items, whatever the newest of a thousandth and more leaves to pay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DebtorType:
    """A latent type: ``share`` of the debtors, and ``rates`` of paying per day, one for each bin of days past due."""

    name: str
    share: float
    rates: tuple[float, ...]
    claim_rate: float = 0.0
    """How probably an invoice is disputed."""
    partial_probability: float = 0.0
    """How probably a payment pays only a part of what is owed."""
    partial_share: float = 0.5
    """The mean of that part."""
    whole_items: bool = False
    """Invoices are paid whole: a part is all of them but the newest, with the probability ``partial_share``, else the
    oldest alone."""
    late_factor: float = 1.0
    """A factor of the rate of those who owe nothing overdue, but were late and have not paid everything since."""
    promise_kept: float = 0.5
    """How probably a promise is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lift:
    """What a measure of one kind adds to the hazard's factor.

    The n-th of its kind since the debtor last owed nothing adds ``size * saturation ** (n - 1)``; what was added falls
    to a half in ``fade_days``.
    """

    size: float
    fade_days: float = 5.0
    saturation: float = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """The model's parameters. ``bins`` are the first days past due of each bin, ascending, -5 being 5 days before the
    due date; before the first bin nobody pays, and the last one has no end."""

    bins: tuple[int, ...]
    types: tuple[DebtorType, ...]
    spread: float = 0.0
    """The standard deviation of the logarithm of a debtor's own effect."""
    overdue_power: float = 1.0
    """The power of that effect once overdue: at 1 who tends to be late goes on to pay slowly, at 0 all the late of a
    type are alike."""
    weekdays: tuple[float, ...] = (1.0,) * 7
    """A factor of the rate for each day of the week, from Monday."""
    month_days: tuple[float, ...] = (1.0,) * 31
    """A factor of the rate for each day of the month, from the 1st."""
    lifts: Mapping[str, Lift] = field(default_factory=dict)
    """By kind of measure; a kind that is missing lifts nothing."""
    promise_made: float = 0.0
    """How probably a debtor whom a person has reached promises to pay."""
    promise_days: int = 7
    """Days from a promise to its date."""
    claim_days: int = 20
    """Days from a claim to its answer."""
    claim_upheld: float = 0.5
    """How probably a claim is upheld."""
    claim_factor: float = 1.0
    """A factor of the rate of a debtor whose claim was rejected, until he owes nothing."""
    churn_suspended: float = 0.0
    """The daily hazard of leaving while a service is taken away."""
    churn_contact: float = 0.0
    """The hazard of leaving that each contact beyond ``contacts_tolerated`` in a month brings."""
    contacts_tolerated: int = 8


def draw_types(behaviour: Behaviour, uniforms: Floats) -> npt.NDArray[np.int8]:
    """The index of each debtor's type, from one uniform number each."""
    shares = np.cumsum([each.share for each in behaviour.types])
    found = np.searchsorted(shares / shares[-1], uniforms, side="right")
    return np.minimum(found, len(behaviour.types) - 1).astype(np.int8)


def draw_effects(behaviour: Behaviour, normals: Floats) -> Floats:
    """Each debtor's own factor of the rate until the due date, from one standard normal number each."""
    return np.exp(behaviour.spread * normals)


def overdue_effects(behaviour: Behaviour, effects: Floats) -> Floats:
    """Each debtor's own factor of the rate from day 1 past due on, from that until the due date."""
    return effects if behaviour.overdue_power == 1.0 else effects**behaviour.overdue_power


def rate_table(behaviour: Behaviour, first: int, last: int) -> Floats:
    """The rates per day, shape (types, last - first + 1), of the days past due from ``first`` to ``last``."""
    days = np.arange(first, last + 1)
    bins = np.searchsorted(np.array(behaviour.bins), days, side="right") - 1
    rates = np.array([each.rates for each in behaviour.types], dtype=np.float64)
    table: Floats = np.where(bins >= 0, rates[:, np.maximum(bins, 0)], 0.0)
    return table


def day_factor(behaviour: Behaviour, weekday: int, month_day: int) -> float:
    """The factor of a calendar day: ``weekday`` from 0 (Monday), ``month_day`` from 1."""
    return behaviour.weekdays[weekday] * behaviour.month_days[month_day - 1]


def probability(rate: Floats) -> Floats:
    """The probability of at least one event within a day of ``rate`` a day."""
    return -np.expm1(-rate)


def hazard(behaviour: Behaviour, types: Integers, effects: Floats, days_past_due: Integers, lifts: Floats) -> Floats:
    """The probability that each debtor pays on a day; ``lifts`` is the sum of what measures have left (0: nothing)."""
    first, last = behaviour.bins[0] - 1, behaviour.bins[-1]
    column = np.clip(days_past_due, first, last) - first
    rates = rate_table(behaviour, first, last)[types, column]
    own = np.where(days_past_due > 0, overdue_effects(behaviour, effects), effects)
    return probability(rates * own * (1.0 + lifts))


def added_lift(behaviour: Behaviour, kind: str, repeats: Integers) -> Floats:
    """What a measure of ``kind`` adds to the lift of debtors who have had ``repeats`` of it already."""
    lift = behaviour.lifts.get(kind)
    if lift is None:
        return np.zeros(len(repeats))
    added: Floats = lift.size * lift.saturation ** repeats.astype(np.float64)
    return added


def kept_overnight(behaviour: Behaviour, kind: str) -> float:
    """The share of a lift of ``kind`` that is left a day later."""
    lift = behaviour.lifts.get(kind)
    return 0.0 if lift is None else float(0.5 ** (1.0 / lift.fade_days))


def paid_share(behaviour: Behaviour, types: Integers, chances: Floats, sizes: Floats) -> Floats:
    """The share of what is owed that a payment pays, from two uniform numbers each: 1.0, or a part of it.

    A part is uniform within `part_range` of its mean; where its type pays whole items, it is yet to be rounded down to
    them.
    """
    partial = np.array([each.partial_probability for each in behaviour.types])[types]
    means = np.array([each.partial_share for each in behaviour.types])[types]
    whole = np.array([each.whole_items for each in behaviour.types])[types]
    ranges = np.array([part_range(each.partial_share) for each in behaviour.types])[types]
    parts = np.where(whole, np.where(sizes < means, _ALL_BUT_THE_NEWEST, 0.0), ranges[:, 0] + ranges[:, 1] * sizes)
    share: Floats = np.where(chances < partial, parts, 1.0)
    return share


def part_range(mean: float) -> tuple[float, float]:
    """The least part, and the width of the range, of a part with this mean.

    It is uniform between 0 and twice its mean where the mean is at most a half, else between twice the mean less one
    and 1.
    """
    return (0.0, 2.0 * mean) if mean <= 0.5 else (2.0 * mean - 1.0, 2.0 - 2.0 * mean)


def claims(behaviour: Behaviour, types: Integers, uniforms: Floats) -> Flags:
    """Which invoices are disputed, from one uniform number each."""
    flags: Flags = uniforms < np.array([each.claim_rate for each in behaviour.types])[types]
    return flags


def promise_kept(behaviour: Behaviour, types: Integers, uniforms: Floats) -> Flags:
    """Which promises are kept, from one uniform number each."""
    flags: Flags = uniforms < np.array([each.promise_kept for each in behaviour.types])[types]
    return flags


def churn(behaviour: Behaviour, suspended: Flags, contacts: Integers) -> Floats:
    """The probability that each debtor leaves on a day.

    ``suspended``: a service is taken away; ``contacts``: made on that day beyond what a month tolerates.
    """
    return probability(behaviour.churn_suspended * suspended + behaviour.churn_contact * contacts)
