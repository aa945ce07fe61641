"""Tempers: who the customers are, and how readily each kind pays."""

from typing import Final

import numpy as np

from sim.billing_books import Account

PROMPT, FORGETFUL, SHORT, DISPUTING, GONE = range(5)
_SHARES: Final = (0.66, 0.22, 0.08, 0.015, 0.025)
# The chance to pay on a day, by temper: before the due date, then from 1, 4, 15 and 46 days past it.
HAZARD: Final = np.array(
    [
        [0.140, 0.30, 0.20, 0.08, 0.040],
        [0.050, 0.06, 0.05, 0.03, 0.015],
        [0.030, 0.04, 0.03, 0.02, 0.012],
        [0.020, 0.02, 0.02, 0.03, 0.020],
        [0.004, 0.002, 0.002, 0.001, 0.001],
    ]
)
PHASES: Final = (1, 4, 15, 46)
# How much a measure moves them, and how often they pay all of it.
RESPONSE: Final = np.array([1.0, 1.0, 0.5, 0.2, 0.05])
PAYS_ALL: Final = np.array([0.98, 0.93, 0.45, 0.8, 0.5])
_REGIONS: Final = (["MSK", "SPB", "EKB", "KZN", "NSK", "MUR", "KGD"], [0.34, 0.2, 0.14, 0.12, 0.1, 0.05, 0.05])


def population(rng: np.random.Generator, count: int) -> list[Account]:
    """So many customers, drawn from what is usual for an operator."""
    temper = rng.choice(len(_SHARES), count, p=_SHARES)
    kind = rng.choice(3, count, p=[0.77, 0.15, 0.08])
    region = rng.choice(_REGIONS[0], count, p=_REGIONS[1])
    revenue_class = rng.choice(["A", "B", "C"], count, p=[0.12, 0.28, 0.6])
    charge = rng.lognormal(np.where(kind == 2, 9.0, 6.5), 0.45) * 100
    cycle = rng.integers(1, 29, count)
    return [
        Account(
            id=f"ACC-{1001 + i}",
            party="organisation" if kind[i] == 2 else "person",
            ledger="balance" if kind[i] == 1 else "invoices",
            region=str(region[i]),
            revenue_class=str(revenue_class[i]) if kind[i] == 2 else "C",
            charge=int(charge[i]) // 100 * 100,
            cycle=int(cycle[i]),
            temper=int(temper[i]),
        )
        for i in range(count)
    ]
