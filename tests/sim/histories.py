"""Payment histories drawn from known behaviours, for calibration to find these again."""

import numpy as np

from sim.behaviour import Behaviour, DebtorType, Integers
from sim.foresight import foreseen, foreseen_months
from sim.spells import Invoices

FIRST = 737_000
BINS = (-20, -5, 1, 10)
TWO_TYPES = Behaviour(
    bins=BINS,
    types=(
        DebtorType(name="quick", share=0.65, rates=(0.03, 0.1, 0.2, 0.15), claim_rate=0.05),
        DebtorType(name="slow", share=0.35, rates=(0.006, 0.02, 0.04, 0.03), claim_rate=0.3),
    ),
    spread=0.7,
    overdue_power=0.5,
    claim_days=10,
    claim_factor=0.4,
    claim_upheld=0.0,
)
MONTHS = Behaviour(
    bins=(-29, 1, 31, 61),
    types=(
        DebtorType(
            name="ready", share=0.75, rates=(0.12, 0.09, 0.05, 0.04), partial_probability=0.4, partial_share=0.7,
            whole_items=True, late_factor=0.5,
        ),
        DebtorType(
            name="late", share=0.25, rates=(0.05, 0.07, 0.03, 0.02), partial_probability=0.9, partial_share=0.6,
            whole_items=True, late_factor=0.05,
        ),
    ),
)  # fmt: skip


def invoices(behaviour: Behaviour, debtors: int, each: int, seed: int, until: int = 10**6) -> Invoices:
    """``each`` invoices of every debtor, a month apart and due in 20 days, paid as the behaviour says, until
    ``until``."""
    debtor = np.repeat(np.arange(debtors), each)
    issued = FIRST + np.tile(np.arange(each) * 30, debtors) + debtor % 30
    asked = Invoices(
        debtor=debtor,
        issued=issued,
        due=issued + 20,
        settled=np.zeros(len(debtor), dtype=np.int64),
        disputed=np.zeros(len(debtor), dtype=np.bool_),
        answered=np.zeros(len(debtor), dtype=np.int64),
        until=np.full(len(debtor), until),
        debtors=debtors,
    )
    (timing,) = foreseen(behaviour, asked, seed, 1)
    assert timing.disputed is not None
    settled = np.where(timing.paid & (asked.due + timing.days <= until), asked.due + timing.days, 0)
    answered = np.where(timing.disputed, issued + behaviour.claim_days, 0)
    found = Invoices(
        debtor=debtor,
        issued=issued,
        due=asked.due,
        settled=settled,
        disputed=timing.disputed,
        answered=answered,
        until=asked.until,
        debtors=debtors,
    )
    return found.chosen(np.flatnonzero(issued < until))


def months(behaviour: Behaviour, clients: int, count: int, seed: int) -> Integers:
    """States of clients who all begin with nothing overdue, from the twelfth month on."""
    begin = np.zeros((clients, 12 + count), dtype=np.int64)
    alike = np.full((len(behaviour.types), 4), 0.25)
    return foreseen_months(behaviour, alike, begin, seed)[:, 12:]
