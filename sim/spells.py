"""Spells: what a payment history says about hazards. A spell is a time during which an invoice could have been paid.

It begins on the day of issue (or on the day after a claim's or an earlier part's), and ends with a payment, or with the
last day of which anything is known: the history is censored on the right there.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from sim.behaviour import Flags, Floats, Integers
from sim.paying_days import Calendar

BINS_MAX: Final = 24
_PAYMENTS_A_BIN: Final = 25
_BINS_MIN: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Spells:
    """A row for each spell. ``first`` and ``last`` are days past due, both included: the first on which a payment was
    possible, and that of the payment (``paid``) or the last day known. ``due`` is the due date's ordinal, ``debtor``
    counts from 0, ``invoice`` too (several spells may be one invoice's). ``part`` is the share of what was left that
    the payment paid, 1 for all of it; ``disputed`` says that a claim had delayed it.
    """

    debtor: Integers
    invoice: Integers
    due: Integers
    first: Integers
    last: Integers
    paid: Flags
    disputed: Flags
    part: Floats

    def __len__(self) -> int:
        return len(self.debtor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoices:
    """A row for each invoice, days being ordinals. ``debtor`` counts from 0; ``settled`` is 0 where it is unpaid;
    ``until`` is the last day on which anything is known of it ;
    ``answered`` that on which its claim was answered (0: not known, or not disputed); ``debtors`` is how many there
    are, and ``upheld`` the share of the claims that were."""

    debtor: Integers
    issued: Integers
    due: Integers
    settled: Integers
    disputed: Flags
    answered: Integers
    until: Integers
    debtors: int
    upheld: float = 0.0
    parts: tuple[tuple[int, int, float], ...] = ()
    """Payments of a part: the invoice's row, the day, and the share of what was left that it paid."""

    def __len__(self) -> int:
        return len(self.debtor)

    def chosen(self, rows: Integers) -> "Invoices":
        """Some of the rows, of the same debtors."""
        places = {int(row): place for place, row in enumerate(rows)}
        return Invoices(
            debtor=self.debtor[rows],
            issued=self.issued[rows],
            due=self.due[rows],
            settled=self.settled[rows],
            disputed=self.disputed[rows],
            answered=self.answered[rows],
            until=self.until[rows],
            debtors=self.debtors,
            upheld=self.upheld,
            parts=tuple((places[row], day, share) for row, day, share in self.parts if row in places),
        )


def spells_of(invoices: Invoices, claim_days: int) -> Spells:
    """The spells of invoices. A disputed one cannot be paid before its claim's answer, ``claim_days`` after its issue
    where nobody knows the day; one that was is taken as it is."""
    count = len(invoices)
    first = invoices.issued - invoices.due
    answered = np.where(invoices.answered > 0, invoices.answered, invoices.issued + claim_days) - invoices.due
    is_paid = invoices.settled > 0
    last = np.where(is_paid, invoices.settled, invoices.until) - invoices.due
    waits = invoices.disputed & (answered <= last)
    first = np.where(waits, answered, np.minimum(first, last))
    number = np.arange(count)
    rows = [np.stack([number, first, last, is_paid], axis=1)]
    shares = [np.ones(count)]
    if invoices.parts:
        begins = first.tolist()
        found = []
        for row, day, _ in sorted(invoices.parts):
            late = int(day - invoices.due[row])
            found.append((row, min(int(begins[row]), late), late, 1))
            begins[row] = late + 1
        rows[0][:, 1] = np.minimum(begins, last)
        rows.append(np.array(found))
        shares.append(np.array([share for _, _, share in sorted(invoices.parts)]))
    table = np.concatenate(rows).astype(np.int64)
    table_shares = np.concatenate(shares)
    known = table[:, 2] >= table[:, 1]
    table, table_shares = table[known], table_shares[known]
    return Spells(
        debtor=invoices.debtor[table[:, 0]],
        invoice=table[:, 0],
        due=invoices.due[table[:, 0]],
        first=table[:, 1],
        last=table[:, 2],
        paid=table[:, 3] == 1,
        disputed=invoices.disputed[table[:, 0]],
        part=table_shares,
    )


def bins_of(spells: Spells) -> tuple[int, ...]:
    """Bins of days past due between which the hazard may step, from the first day on which one was paid.

    Each holds about as many payments as any other; their number grows with the payments up to `BINS_MAX`, and one
    begins on day 1, so that who is late is told apart from who is not.
    """
    days = np.sort(spells.last[spells.paid])
    count = int(np.clip(len(days) // _PAYMENTS_A_BIN, _BINS_MIN, BINS_MAX))
    cuts = np.quantile(days, np.arange(1, count) / count, method="lower").astype(np.int64) + 1
    first, last = int(min(days[0], 0)), int(days[-1])
    found = {first, 1, *(int(cut) for cut in cuts if first < cut <= last)}
    return tuple(sorted(found))


def exposure(spells: Spells, bins: tuple[int, ...], calendar: Calendar) -> tuple[Floats, Floats, Integers]:
    """What the likelihood needs: how many days of each bin each spell stayed unpaid, weighted by the days' factors,
    shape (spells, bins); the factor of the last day; and its bin (-1 before the first)."""
    edges = np.array([*bins, np.iinfo(np.int64).max // 4])
    survived = np.where(spells.paid, spells.last - 1, spells.last)
    begin = np.maximum(spells.first[:, None], edges[None, :-1])
    end = np.minimum(survived[:, None], edges[None, 1:] - 1)
    if calendar.is_neutral:
        days: Floats = np.maximum(end - begin + 1, 0).astype(np.float64)
        factor = np.ones(len(spells))
    else:
        low = int((spells.due + spells.first).min())
        summed = np.concatenate([[0.0], np.cumsum(calendar.factors(low, int((spells.due + spells.last).max())))])
        due = spells.due[:, None]
        reach = len(summed) - 1
        days = summed[np.clip(due + end + 1 - low, 0, reach)] - summed[np.clip(due + begin - low, 0, reach)]
        days = np.where(end >= begin, days, 0.0)
        of_last = spells.due + spells.last - low
        factor = summed[of_last + 1] - summed[of_last]
    return days, factor, np.searchsorted(np.array(bins), spells.last, side="right") - 1
