"""What a behaviour predicts of given debtors: their invoices are paid once more, by chance, as in the laboratory.

The draws are the laboratory's own functions (`sim.behaviour`), invoice by invoice. The laboratory itself goes on from
there: a payment of an account pays all its open invoices, and measures lift its hazard.
"""

from datetime import date
from typing import Final

import numpy as np

from sim.behaviour import (
    Behaviour,
    Floats,
    Integers,
    claims,
    draw_effects,
    draw_types,
    overdue_effects,
    paid_share,
    probability,
    rate_table,
)
from sim.goodness import Timing
from sim.month_chain import DAYS, STATES_MAX
from sim.paying_days import Calendar
from sim.spells import Invoices

_ROUNDING: Final = 1e-9
_DAYS_MAX: Final = 400
"""Beyond the last bin's first day; who has not paid by then is censored."""


def foreseen(behaviour: Behaviour, invoices: Invoices, seed: int, times: int) -> list[Timing]:
    """When the debtors of ``invoices`` would pay them, ``times`` over, each time with types and effects drawn anew."""
    generator = np.random.Generator(np.random.Philox(seed))
    return [_once(behaviour, invoices, generator) for _ in range(times)]


def pooled(timings: list[Timing]) -> Timing:
    """All of them in one table, each draw of a debtor being a debtor."""
    debtors = max(int(each.debtor.max()) + 1 for each in timings)
    return Timing(
        debtor=np.concatenate([each.debtor + number * debtors for number, each in enumerate(timings)]),
        due=np.concatenate([each.due for each in timings]),
        days=np.concatenate([each.days for each in timings]),
        paid=np.concatenate([each.paid for each in timings]),
    )


def seen(invoices: Invoices) -> Timing:
    """What happened to them."""
    paid = invoices.settled > 0
    return Timing(
        debtor=invoices.debtor,
        due=invoices.due,
        days=np.where(paid, invoices.settled, invoices.until) - invoices.due,
        paid=paid,
    )


def _once(behaviour: Behaviour, invoices: Invoices, generator: np.random.Generator) -> Timing:
    types = draw_types(behaviour, generator.random(invoices.debtors))[invoices.debtor]
    effects = draw_effects(behaviour, generator.standard_normal(invoices.debtors))[invoices.debtor]
    disputed = claims(behaviour, types, generator.random(len(invoices)))
    first = invoices.issued - invoices.due + np.where(disputed, behaviour.claim_days, 0)
    start, last = behaviour.bins[0] - 1, behaviour.bins[-1]
    slowed = np.where(disputed, behaviour.claim_factor, 1.0)
    in_time, overdue = effects * slowed, overdue_effects(behaviour, effects) * slowed
    table = rate_table(behaviour, start, last)
    factors = _factors(behaviour, invoices, int(first.min()))
    partial = np.array([each.partial_probability for each in behaviour.types])
    days = np.full(len(invoices), last + _DAYS_MAX)
    paid = np.zeros(len(invoices), dtype=np.bool_)
    waiting = np.arange(len(invoices))
    for day in range(int(first.min()), last + _DAYS_MAX):
        possible = waiting[first[waiting] <= day]
        rate = table[types[possible], min(max(day, start), last) - start]
        rate = rate * (overdue if day > 0 else in_time)[possible]
        if factors is not None:
            rate = rate * factors[invoices.due[possible] + day - int(invoices.due.min() + first.min())]
        pays = possible[generator.random(len(possible)) < probability(rate)]
        if partial.any():
            pays = pays[generator.random(len(pays)) >= partial[types[pays]]]
        days[pays] = day
        paid[pays] = True
        waiting = waiting[~paid[waiting]]
        if len(waiting) == 0:
            break
    return Timing(debtor=invoices.debtor, due=invoices.due, days=days, paid=paid, disputed=disputed)


def _factors(behaviour: Behaviour, invoices: Invoices, first: int) -> Floats | None:
    """The calendar's factor of every day on which one may pay; None where all are alike."""
    calendar = Calendar(weekdays=behaviour.weekdays, month_days=behaviour.month_days)
    if calendar.is_neutral:
        return None
    end = int(invoices.due.max()) + behaviour.bins[-1] + _DAYS_MAX
    return calendar.factors(int(invoices.due.min()) + first, min(end, date.max.toordinal()))


def foreseen_months(behaviour: Behaviour, first: Floats, months: Integers, seed: int) -> Integers:
    """The states of clients once more, month by month, from the first month of each on; the shape of ``months``.

    A client's type is drawn given the class of his first state: of type t with probability in proportion to
    ``share_t * first[t, class]``. Months have 30 days, on each of which he pays as the laboratory's debtors do.
    """
    generator = np.random.Generator(np.random.Philox(seed))
    classes = np.minimum(months[:, 0], first.shape[1] - 1)
    shares = np.array([each.share for each in behaviour.types])[:, None] * first
    chances = np.cumsum(shares / shares.sum(axis=0), axis=0)[:, classes]
    types = np.minimum((generator.random(len(months)) > chances).sum(axis=0), len(behaviour.types) - 1)
    effects = draw_effects(behaviour, generator.standard_normal(len(months)))
    overdue = overdue_effects(behaviour, effects)
    late_factors = np.array([each.late_factor for each in behaviour.types])[types]
    table = rate_table(behaviour, behaviour.bins[0], behaviour.bins[-1])
    found = np.empty_like(months)
    found[:, 0] = months[:, 0]
    for month in range(1, months.shape[1]):
        items = found[:, month - 1] + 1
        was_late = items > 1
        for day in range(DAYS):
            late = np.where(items > 1, (items - 2) * DAYS + 1 + day, day - DAYS + 1)
            place = np.minimum(late - behaviour.bins[0], table.shape[1] - 1)
            own = np.where(late > 0, overdue, effects)
            rate = table[types, place] * own * np.where(was_late & (items == 1), late_factors, 1.0)
            pays = np.flatnonzero((items > 0) & (generator.random(len(items)) < probability(rate)))
            share = paid_share(behaviour, types[pays], generator.random(len(pays)), generator.random(len(pays)))
            items[pays] -= np.maximum(np.floor(share * items[pays] + _ROUNDING).astype(np.int64), 1)
        found[:, month] = np.minimum(items, STATES_MAX)
    return np.where(months >= 0, found, -1)
