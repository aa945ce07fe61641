"""The likelihood of payment histories under one type: hazards, claims and parts, the debtor's effect integrated out.

A debtor with effect u (log-normal, median 1) pays an open invoice on a day of bin b with probability
``1 - exp(-u * rate_b * f)``, f being the day's factor, times the claim's factor if the invoice was disputed. In bins
past the due date u is raised to a power, so that what makes people late need not make the late slow. So the
log-likelihood of all his spells, given u, is

    sum over survived days of  -u * rate_b * f   +   sum over payments of  log(1 - exp(-u * rate_b * f)),

the grouped likelihood of a piecewise constant hazard (Prentice & Gloeckler, Biometrics 34, 1978), with spells that end
unpaid adding their survived days only. Claims are binomial by invoice, parts binomial by payment. Over u it is
integrated by quadrature (`sim.mixture.nodes`).
"""

from typing import Final, NamedTuple

import numpy as np
from scipy.special import expit, logsumexp

from sim.behaviour import Floats, Integers
from sim.mixture import Design, Fit, nodes, nodes_for
from sim.paying_days import Calendar
from sim.spells import Spells, exposure

_LOG_RATE: Final = (-16.0, 3.0)
_LOGIT: Final = 9.0
_LEVEL: Final = 8.0
_LOG_CLAIM: Final = 5.0
_POWER_MAX: Final = 2.0
_POWER: Final = 0.8
"""Where a climb begins."""
_PSEUDO: Final = 0.02
"""Payments that a bin is thought to have seen before the data came, at the rate of all debtors together: enough to keep
a bin that saw none from having no rate at all, and too few to pull others."""


class _Integrated(NamedTuple):
    """What integrating the debtors' effects out gives: the log-likelihood and the mean effect in each bin of each
    debtor given what was seen, and the sums that its derivatives are made of."""

    total: Floats
    effect: Floats
    pushed: Floats
    by_spread: Floats
    by_power: Floats
    days: Floats
    claim: float


class HazardLikelihood:
    """The component of `sim.mixture` for spells. A type's parameters: the logarithms of the rates by bin, then the
    logits of the claim rate and of the probability that a payment is a part, then what is the same for all types: the
    logarithm of the claim's factor, and the power of the effect once overdue."""

    def __init__(
        self,
        spells: Spells,
        debtors: int,
        bins: tuple[int, ...],
        calendar: Calendar,
        claims: Integers,
        invoices: Integers,
    ) -> None:
        """``claims`` and ``invoices`` are counts by debtor, shape (debtors,). A bin begins on day 1 past due."""
        days, factor, place = exposure(spells, bins, calendar)
        disputed = spells.disputed
        self._bins: Final = len(bins)
        self._due: Final = bins.index(1)
        self._days: Final[Floats] = np.zeros((debtors, self._bins))
        np.add.at(self._days, spells.debtor[~disputed], days[~disputed])
        self._disputed_days: Final[Floats] = np.zeros((debtors, self._bins))
        np.add.at(self._disputed_days, spells.debtor[disputed], days[disputed])
        paid = spells.paid & (place >= 0)
        known = (spells.debtor, place, np.rint(factor * 1e6).astype(np.int64), disputed.astype(np.int64))
        key = np.stack([column[paid] for column in known], axis=1)
        distinct, counts = np.unique(key, axis=0, return_counts=True)
        self._debtor: Final[Integers] = distinct[:, 0]
        self._bin: Final[Integers] = distinct[:, 1]
        self._factor: Final[Floats] = distinct[:, 2] / 1e6
        self._is_disputed: Final[Floats] = distinct[:, 3].astype(np.float64)
        self._count: Final[Floats] = counts.astype(np.float64)
        payments = np.bincount(spells.debtor[spells.paid], minlength=debtors).astype(np.float64)
        partial = np.bincount(spells.debtor[spells.paid & (spells.part < 1)], minlength=debtors).astype(np.float64)
        self._binomials: Final = ((claims.astype(np.float64), invoices.astype(np.float64)), (partial, payments))
        self._debtors: Final = debtors
        self._nodes: Final = nodes_for(float(np.quantile(payments, 0.95)))
        payments_in = np.bincount(self._bin, self._count, self._bins)
        pooled = (payments_in + 0.5) / (days.sum(axis=0) + payments_in + 1.0)
        self.pooled: Final[Floats] = -np.log1p(-np.minimum(pooled, 0.95))

    @property
    def weights(self) -> Floats:
        """Every debtor counts once."""
        return np.ones(self._debtors)

    def design(self, types: int) -> Design:
        """Types whose rates are proportional: the logarithm of a type's rate in a bin is the first type's plus a level.

        More freedom fits the training rows better and rows held back worse. Free are the first type's rates, the
        others' levels, the logits type by type, the claim's factor, and the power.
        """
        bins, width = self._bins, self._bins + 4
        matrix = np.zeros((types * width, bins + types - 1 + 2 * types + 2))
        for each in range(types):
            row, first = each * width, bins + types - 1 + 2 * each
            matrix[row : row + bins, :bins] = np.eye(bins)
            if each > 0:
                matrix[row : row + bins, bins + each - 1] = 1.0
            matrix[row + bins, first] = matrix[row + bins + 1, first + 1] = 1.0
            matrix[row + bins + 2, -2] = matrix[row + bins + 3, -1] = 1.0
        of_types = [_LEVEL] * (types - 1) + [_LOGIT] * (2 * types)
        high = np.concatenate([[_LOG_RATE[1]] * bins, of_types, [_LOG_CLAIM, _POWER_MAX]])
        low = -high
        low[:bins], low[-1] = _LOG_RATE[0], 0.0
        return Design(types=types, matrix=matrix, low=low, high=high)

    def start(self, types: int, width: float) -> Floats:
        """Free parameters to begin with: the rates of all debtors, ``width`` apart in their logarithms."""
        shares = [(hits.sum() + 0.5) / (tries.sum() + 1.0) for hits, tries in self._binomials]
        logits = [float(np.log(share / (1 - share))) for share in shares]
        levels = width * np.linspace(1.0, -1.0, types) if types > 1 else np.zeros(1)
        rates = np.log(self.pooled) + levels[0]
        return np.concatenate([rates, levels[1:] - levels[0], np.tile(logits, types), [0.0, _POWER]])

    def rates(self, fit: Fit) -> Floats:
        """What is expected of each debtor's rates, given all that was seen of him, shape (debtors, bins)."""
        found: Floats = np.zeros((self._debtors, self._bins))
        for number, parameters in enumerate(fit.parameters):
            effect = self._given(parameters, float(np.log(max(fit.spread, 1e-3)))).effect
            found += fit.posterior[:, number, None] * effect * np.exp(parameters[: self._bins])
        return found

    def _given(self, parameters: Floats, log_spread: float) -> "_Integrated":
        bins, due = self._bins, self._due
        effects, log_weights, slopes = nodes(self._nodes, log_spread)
        rates, power = np.exp(parameters[:bins]), float(parameters[bins + 3])
        claim = float(np.exp(parameters[bins + 2]))
        days = self._days + claim * self._disputed_days
        of_bins = np.where((np.arange(bins) >= due)[:, None], effects**power, effects)
        mean = (rates[self._bin] * self._factor * claim**self._is_disputed)[:, None] * of_bins[self._bin]
        # log(1 - exp(-x)), and x / (exp(x) - 1), its derivative by log x.
        logs = np.log(-np.expm1(-mean)) * self._count[:, None]
        pushes = mean / np.expm1(np.minimum(mean, 500.0)) * self._count[:, None]
        in_time = -(days[:, :due] @ rates[:due])[:, None] * of_bins[0]
        overdue = -(days[:, due:] @ rates[due:])[:, None] * of_bins[-1]
        joint = in_time + overdue + log_weights
        np.add.at(joint, self._debtor, logs)
        total = logsumexp(joint, axis=1)
        of_nodes = np.exp(joint - total[:, None])
        is_overdue = self._bin >= due
        np.add.at(in_time, self._debtor[~is_overdue], pushes[~is_overdue])
        np.add.at(overdue, self._debtor[is_overdue], pushes[is_overdue])
        log_effects = slopes / effects
        return _Integrated(
            total=total,
            effect=of_nodes @ of_bins.T,
            pushed=(of_nodes[self._debtor] * pushes).sum(axis=1),
            by_spread=(of_nodes * (in_time + power * overdue)) @ log_effects,
            by_power=(of_nodes * overdue) @ log_effects,
            days=days,
            claim=claim,
        )

    def value(self, parameters: Floats, log_spread: float) -> tuple[Floats, Floats]:
        """See `sim.mixture.Component`."""
        bins, found = self._bins, self._given(parameters, log_spread)
        rates, total = np.exp(parameters[:bins]), found.total
        slope = np.empty((self._debtors, bins + 5))
        place = self._debtor * bins + self._bin
        slope[:, :bins] = np.bincount(place, found.pushed, self._debtors * bins).reshape(-1, bins)
        slope[:, :bins] -= found.effect * found.days * rates
        slope[:, bins + 2] = np.bincount(self._debtor, found.pushed * self._is_disputed, self._debtors)
        slope[:, bins + 2] -= found.claim * ((found.effect * self._disputed_days) @ rates)
        slope[:, bins + 3], slope[:, -1] = found.by_power, found.by_spread
        for number, (hits, tries) in enumerate(self._binomials):
            logit = parameters[bins + number]
            total = total + hits * logit - tries * np.logaddexp(0.0, logit)
            slope[:, bins + number] = hits - tries * expit(logit)
        return total, slope

    def penalty(self, parameters: Floats) -> tuple[float, Floats]:
        """A bin in which a type was hardly ever seen keeps about the rate of all: a gamma prior's logarithm."""
        rates = np.exp(parameters[: self._bins])
        slope = np.zeros(len(parameters))
        slope[: self._bins] = _PSEUDO * (1.0 - rates / self.pooled)
        logit = parameters[self._bins : self._bins + 2]
        slope[self._bins : self._bins + 2] = _PSEUDO * (1.0 - 2.0 * expit(logit)) * 0.1
        value = _PSEUDO * float((parameters[: self._bins] - rates / self.pooled).sum())
        return value + 0.1 * _PSEUDO * float((logit - 2.0 * np.logaddexp(0.0, logit)).sum()), slope
