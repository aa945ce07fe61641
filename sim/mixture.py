"""A finite mixture fitted by maximum likelihood: shares of latent types, parameters of each, one spread for all.

The likelihood of what was seen of a debtor is the sum over types of ``share * L(seen | type)``, where L has the
debtor's own effect integrated out already (by `nodes`). What is maximised is the sum of its logarithms over debtors
plus a weak penalty of the component's. The gradient follows from the posterior probabilities of the types (McLachlan &
Peel, Finite Mixture Models, 2000, section 2.8): that of type j's parameters is the sum over debtors of P(j | seen)
times the gradient of log L(seen | j). Standard errors are those of the observed information (Efron & Hinkley,
Biometrika 65, 1978): the inverse of minus the matrix of second derivatives, which are central differences of the
gradient.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import Final, Protocol

import numpy as np
from scipy.optimize import Bounds, minimize
from scipy.special import logsumexp

from sim.behaviour import Floats

_REACH: Final = 4.5
"""How many standard deviations of the debtors' effects are integrated over."""
_ITERATIONS_MAX: Final = 600
_STEP: Final = 1e-4
_LOG_SPREAD: Final = (-4.0, 1.2)
"""Between the standard deviations 0.02, which nobody can tell from 0, and 3.3."""
_LOGIT: Final = 8.0


class Component(Protocol):
    """What one type says of every debtor, or of every pattern of debtors that look alike."""

    @property
    def weights(self) -> Floats:
        """How many debtors each pattern stands for, shape (patterns,)."""
        ...

    def value(self, parameters: Floats, log_spread: float) -> tuple[Floats, Floats]:
        """log L of each pattern, shape (patterns,), and its derivatives, shape (patterns, parameters + 1).

        The last column is the derivative by the logarithm of the spread.
        """
        ...

    def penalty(self, parameters: Floats) -> tuple[float, Floats]:
        """What is added to the log-likelihood for one type, and its derivatives."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """The parameters at the maximum. ``parameters`` and ``errors`` have a row for each type.

    ``bic`` is ``parameters * log(debtors' observations) - 2 * log_likelihood``; an error is nan where the parameter is
    at its bound or the data say nothing about it.
    """

    shares: Floats
    parameters: Floats
    spread: float
    log_likelihood: float
    free: int
    bic: float
    shares_errors: Floats
    errors: Floats
    spread_error: float
    posterior: Floats
    """P(type | seen), shape (patterns, types)."""
    converged: bool


def nodes(count: int, log_spread: float) -> tuple[Floats, Floats, Floats]:
    """The effects, the logarithms of their weights, and the effects' derivatives by ``log_spread``.

    The integral of ``f(exp(spread * z))`` over a standard normal z is the sum of ``weight * f(effect)``, by the
    trapezoidal rule, which for a smooth integrand that falls to nothing at both ends converges faster than any power of
    the points (Trefethen & Weideman, SIAM Review 56, 2014). Gauss and Hermite's points are too far apart where a debtor
    has dozens of payments: what is integrated is then a peak narrower than the distance of their middle ones.
    """
    z = np.linspace(-_REACH, _REACH, count)
    weights = -0.5 * z * z
    effects: Floats = np.exp(np.exp(log_spread) * z)
    return effects, weights - logsumexp(weights), effects * np.exp(log_spread) * z


def nodes_for(payments: float) -> int:
    """How many points resolve the peak of a debtor with so many payments, whose width is about 1 / sqrt(payments)."""
    return int(np.clip(np.ceil(2.2 * _REACH * np.sqrt(max(payments, 1.0))), 21, 121))


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """How the types' parameters follow from those that are free: ``matrix @ free``, reshaped to (types, width).

    ``low`` and ``high`` bound the free ones.
    """

    types: int
    matrix: Floats
    low: Floats
    high: Floats

    @property
    def width(self) -> int:
        """Parameters of a type."""
        return len(self.matrix) // self.types


def apart(types: int, low: Floats, high: Floats) -> Design:
    """Every type has its own parameters, between ``low`` and ``high``."""
    return Design(types=types, matrix=np.eye(types * len(low)), low=np.tile(low, types), high=np.tile(high, types))


def fit_mixture(
    component: Component,
    design: Design,
    starts: Sequence[Floats],
    log_spread: float,
    observations: int,
    *,
    with_errors: bool = True,
) -> Fit:
    """The best of the fits that begin at each of ``starts``: values of the design's free parameters.

    ``observations`` is what the BIC counts; without ``with_errors`` they are nan, and time is saved.
    """
    problem = _Problem(component, design)
    bounds = Bounds(problem.low, problem.high)
    options = {"maxiter": _ITERATIONS_MAX, "maxfun": 2 * _ITERATIONS_MAX, "maxcor": 30, "ftol": 2e-8}
    found = [
        minimize(problem.objective, problem.vector(start, log_spread), jac=True, bounds=bounds, options=options)
        for start in starts
    ]
    best = min(found, key=lambda each: float(each.fun))
    return problem.fit(np.asarray(best.x, dtype=np.float64), bool(best.success), observations, with_errors)


class _Problem:
    """The objective. A vector holds the shares' logits but the first, the logarithm of the spread, and what is free."""

    def __init__(self, component: Component, design: Design) -> None:
        self._component: Final = component
        self._design: Final = design
        self._types: Final = design.types
        logits = np.full(self._types - 1, _LOGIT)
        self.low: Final[Floats] = np.concatenate([-logits, [_LOG_SPREAD[0]], design.low])
        self.high: Final[Floats] = np.concatenate([logits, [_LOG_SPREAD[1]], design.high])

    def vector(self, free: Floats, log_spread: float) -> Floats:
        """Where a climb begins: equal shares."""
        found = np.concatenate([np.zeros(self._types - 1), [log_spread], free])
        clipped: Floats = np.clip(found, self.low, self.high)
        return clipped

    def _taken_apart(self, vector: Floats) -> tuple[Floats, float, Floats]:
        logits = np.concatenate([[0.0], vector[: self._types - 1]])
        shares: Floats = np.exp(logits - logsumexp(logits))
        parameters = (self._design.matrix @ vector[self._types :]).reshape(self._types, -1)
        return shares, float(vector[self._types - 1]), parameters

    def _evaluate(self, vector: Floats) -> tuple[float, float, Floats, Floats]:
        """The log-likelihood, the penalty, the gradient of their sum, and P(type | seen)."""
        shares, log_spread, parameters = self._taken_apart(vector)
        weights = self._component.weights
        values, slopes = [], []
        for each in parameters:
            value, slope = self._component.value(each, log_spread)
            values.append(value)
            slopes.append(slope)
        joint = np.stack(values, axis=1) + np.log(shares)
        total = logsumexp(joint, axis=1)
        posterior: Floats = np.exp(joint - total[:, None])
        weighted = posterior * weights[:, None]
        gradient = np.zeros_like(vector)
        gradient[: self._types - 1] = (weighted.sum(axis=0) - weights.sum() * shares)[1:]
        penalty = 0.0
        of_types = np.empty_like(parameters)
        for number, slope in enumerate(slopes):
            summed = weighted[:, number] @ slope
            added, pushed = self._component.penalty(parameters[number])
            penalty += added
            of_types[number] = summed[:-1] + pushed
            gradient[self._types - 1] += summed[-1]
        gradient[self._types :] = of_types.ravel() @ self._design.matrix
        return float(weights @ total), penalty, gradient, posterior

    def objective(self, vector: Floats) -> tuple[float, Floats]:
        """What is minimised, and its gradient."""
        likelihood, penalty, gradient, _ = self._evaluate(vector)
        return -(likelihood + penalty), -gradient

    def fit(self, vector: Floats, converged: bool, observations: int, with_errors: bool) -> Fit:
        """The result at the maximum."""
        likelihood, _, _, posterior = self._evaluate(vector)
        shares, log_spread, parameters = self._taken_apart(vector)
        has_spread = log_spread > _LOG_SPREAD[0] + 1e-9
        free = len(vector) - (0 if has_spread else 1)
        spread = float(np.exp(log_spread)) if has_spread else 0.0
        covariance = self._covariance(vector) if with_errors else np.full((len(vector), len(vector)), np.nan)
        matrix = self._design.matrix
        variances = ((matrix @ np.nan_to_num(covariance[self._types :, self._types :])) * matrix).sum(axis=1)
        # At a bound, or where nothing is known, nan.
        unknown = (np.abs(matrix) @ np.isnan(np.diag(covariance)[self._types :]).astype(np.float64)) > 0
        errors = np.where(unknown | (variances <= 0), np.nan, np.sqrt(np.maximum(variances, 0.0)))
        logits = covariance[: self._types - 1, : self._types - 1]
        slopes = shares[:, None] * (np.eye(self._types) - shares)[:, 1:]
        return Fit(
            shares=shares,
            parameters=parameters,
            spread=spread,
            log_likelihood=likelihood,
            free=free,
            bic=free * log(observations) - 2.0 * likelihood,
            shares_errors=np.sqrt(np.maximum((slopes @ np.nan_to_num(logits) * slopes).sum(axis=1), 0.0)),
            errors=errors.reshape(parameters.shape),
            spread_error=float(spread * np.sqrt(covariance[self._types - 1, self._types - 1])),
            posterior=posterior,
            converged=converged,
        )

    def _covariance(self, vector: Floats) -> Floats:
        """Of the vector's numbers: the inverse of the observed information; nan at a bound."""
        found: Floats = np.full((len(vector), len(vector)), np.nan)
        inside = np.flatnonzero((vector > self.low + 1e-6) & (vector < self.high - 1e-6))
        information = np.empty((len(inside), len(inside)))
        for row, place in enumerate(inside):
            up, down = vector.copy(), vector.copy()
            up[place] += _STEP
            down[place] -= _STEP
            information[row] = (self.objective(up)[1] - self.objective(down)[1])[inside] / (2 * _STEP)
        inverse = np.linalg.pinv((information + information.T) / 2, hermitian=True)
        known = np.diag(inverse) > 0
        inverse[~known] = np.nan
        inverse[:, ~known] = np.nan
        found[np.ix_(inside, inside)] = inverse
        return found
