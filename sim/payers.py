"""The payers of one branch: who pays today and how much, and how measures have moved them."""

from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from sim import chance as c
from sim.behaviour import (
    KINDS,
    Floats,
    added_lift,
    churn,
    day_factor,
    kept_overnight,
    overdue_effects,
    paid_share,
    probability,
    rate_table,
)
from sim.chance import Chance, lower_bits
from sim.portfolio import Portfolio
from sim.receivables import Days, Money, Rows
from sim.scenario import Scenario

_FORGETS_EVERY: Final = 16


class Payments(NamedTuple):
    """Who pays (``accounts``, each once), when within the day (0 to 1), which share of what is owed, and whether that
    is rounded down to ``whole`` items."""

    accounts: Rows
    moments: Floats
    shares: Floats
    whole: npt.NDArray[np.bool_]


class Payers:
    """The debtors of a branch under the scenario's behaviours."""

    def __init__(self, scenario: Scenario, portfolio: Portfolio, chance: Chance) -> None:
        self._chance: Final = chance
        self._portfolio: Final = portfolio
        self._behaviours: Final = [scenario.behaviours[group.behaviour] for group in scenario.groups]
        # The types of all behaviours as those of one, in the order in which the portfolio numbers them.
        self._all_types: Final = replace(self._behaviours[0], types=tuple(t for b in self._behaviours for t in b.types))
        self._pays_parts: Final = any(each.partial_probability > 0 for each in self._all_types.types)
        self._first: Final = min(each.bins[0] for each in self._behaviours) - 1
        self._last: Final = max(each.bins[-1] for each in self._behaviours)
        self._rates: Final = np.concatenate([rate_table(each, self._first, self._last) for each in self._behaviours])
        # Measures of kinds that move nobody are not followed.
        self._moving: Final = [kind for kind in KINDS if any(kind in each.lifts for each in self._behaviours)]
        size = len(portfolio)
        self._lift: Final = np.zeros((len(self._moving), size))
        self._repeats: Final = np.zeros((len(self._moving), size), dtype=np.int16)
        self._kept: Final = np.array(
            [[kept_overnight(each, kind) for each in self._behaviours] for kind in self._moving]
        ).reshape(len(self._moving), len(self._behaviours))
        # A debtor's own factor once overdue, where it is another.
        self._overdue_effect: Final = (
            self._overdue_effects() if any(b.overdue_power != 1.0 for b in self._behaviours) else None
        )
        types = [each for behaviour in self._behaviours for each in behaviour.types]
        self._whole: Final = np.array([each.whole_items for each in types])
        # Who was late, or whose claim was rejected, and has not paid everything since, may pay at another rate.
        self._late_factors: Final = np.array([each.late_factor for each in types])
        self._claim_factors: Final = np.array([each.claim_factor for each in self._behaviours])
        self._remembers: Final = bool((self._late_factors != 1.0).any())
        self._was_late: Final = np.zeros(size, dtype=np.bool_)
        self._after_claim: Final = np.ones(size)
        self._had_claims = False
        self._claim_rates: Final = np.array([each.claim_rate for b in self._behaviours for each in b.types])
        self._nights = 0
        self._is_lifted = False

    def _overdue_effects(self) -> Floats:
        found = np.empty(len(self._portfolio))
        for number, behaviour in enumerate(self._behaviours):
            rows = self._portfolio.group == number
            found[rows] = overdue_effects(behaviour, self._portfolio.effect[rows])
        return found

    def draw(self, day: int, weekday: int, month_day: int, payable: Money, oldest: Days) -> Payments:
        """Who pays on ``day`` of those that have something to pay."""
        debtors = np.flatnonzero(payable)
        # `take` gathers at a third of what an index costs.
        ages = day - oldest.take(debtors)
        days_past_due = np.minimum(np.maximum(ages, self._first), self._last) - self._first
        places = self._portfolio.type.take(debtors) * self._rates.shape[1] + days_past_due
        effect = self._portfolio.effect.take(debtors)
        if self._overdue_effect is not None:
            effect = np.where(ages > 0, self._overdue_effect.take(debtors), effect)
        rate = self._rates.take(places) * effect
        if self._remembers:
            late = ages > 0
            self._was_late[debtors[late]] = True
            again = ~late & self._was_late[debtors]
            rate[again] *= self._late_factors[self._portfolio.type[debtors[again]]]
        if self._had_claims:
            rate *= self._after_claim.take(debtors)
        if self._is_lifted:
            rate *= 1.0 + self._lift.take(debtors, axis=1).sum(axis=0)
        factors = [day_factor(each, weekday, month_day) for each in self._behaviours]
        if any(factor != factors[0] for factor in factors):
            rate *= np.array(factors).take(self._portfolio.group.take(debtors))
        elif factors[0] != 1.0:
            rate *= factors[0]
        chances = probability(rate)
        drawn = self._chance.uniforms(c.PAYING, day).take(debtors)
        pays = np.flatnonzero(drawn < chances)
        accounts = debtors[pays]
        # Below its probability, a uniform number is uniform again: it says when.
        lucky = drawn[pays]
        shares = self._shares(accounts, lucky)
        whole = self._whole[self._portfolio.type[accounts]] & (shares < 1.0)
        return Payments(accounts, lucky / chances[pays], shares, whole)

    def _shares(self, accounts: Rows, drawn: Floats) -> Floats:
        if not self._pays_parts:
            return np.ones(len(accounts))
        # The first bits have said whether they pay; these are as good as new.
        chances, sizes = lower_bits(drawn, 20), lower_bits(drawn, 36)
        return paid_share(self._all_types, self._portfolio.type[accounts], chances, sizes)

    def sleep(self) -> None:
        """A night: what measures have left fades."""
        if self._is_lifted:
            # A kind at a time: what is kept of each kind by each account would weigh as much as the lifts themselves.
            for lifts, kept in zip(self._lift, self._kept, strict=True):
                lifts *= kept[0] if (kept == kept[0]).all() else kept.take(self._portfolio.group)
            self._nights += 1
            if self._nights % _FORGETS_EVERY == 0:
                # Below a thousandth of the base rate nobody sees it, and days without lifts are cheap.
                self._lift[self._lift < 1e-3] = 0.0
                self._is_lifted = bool(self._lift.any())

    def press(self, kind: str, accounts: Rows) -> None:
        """Measures of ``kind`` have reached the ``accounts`` (one may stand there several times)."""
        if kind not in self._moving or len(accounts) == 0:
            return
        place = self._moving.index(kind)
        groups = self._portfolio.group[accounts]
        for number, behaviour in enumerate(self._behaviours):
            rows = accounts[groups == number]
            np.add.at(self._lift[place], rows, added_lift(behaviour, kind, self._repeats[place, rows]))
        np.add.at(self._repeats[place], accounts, 1)
        self._is_lifted = True

    def relieve(self, accounts: Rows) -> None:
        """The accounts owe nothing any more: the next measure of a kind is the first one again."""
        self._repeats[:, accounts] = 0
        self._was_late[accounts] = False
        self._after_claim[accounts] = 1.0

    def rejected(self, account: int) -> None:
        """The account's claim was rejected: until it owes nothing, it pays at another rate."""
        factor = self._claim_factors[self._portfolio.group[account]]
        self._after_claim[account] = factor
        self._had_claims |= bool(factor != 1.0)

    def claimed(self, day: int, accounts: Rows) -> npt.NDArray[np.bool_]:
        """Which of the accounts dispute the invoice that they get on ``day``."""
        if not self._claim_rates.any():
            return np.zeros(len(accounts), dtype=np.bool_)
        rates = self._claim_rates[self._portfolio.type[accounts]]
        flags: npt.NDArray[np.bool_] = self._chance.uniforms(c.DISPUTE, day)[accounts] < rates
        return flags

    def leaving(self, day: int, suspended: npt.NDArray[np.bool_], contacts: npt.NDArray[np.int64]) -> Rows:
        """Who of those under pressure leaves on ``day``; ``contacts`` are those beyond what a month tolerates."""
        gone = []
        pressed = np.flatnonzero(suspended | (contacts > 0))
        groups = self._portfolio.group[pressed]
        for number, behaviour in enumerate(self._behaviours):
            if behaviour.churn_suspended > 0 or behaviour.churn_contact > 0:
                rows = pressed[groups == number]
                chances = churn(behaviour, suspended[rows], contacts[rows])
                gone.append(rows[self._chance.uniforms(c.CHURN, day)[rows] < chances])
        found: Rows = np.concatenate(gone) if gone else np.empty(0, dtype=np.int64)
        return found

    def tolerated(self, accounts: Rows) -> npt.NDArray[np.int64]:
        """How many contacts a month each of the accounts tolerates."""
        limits = np.array([each.contacts_tolerated for each in self._behaviours], dtype=np.int64)
        return limits.take(self._portfolio.group.take(accounts))
