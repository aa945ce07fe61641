"""Calibration: a behaviour fitted to payment histories, with standard errors and what it stands on.

Two kinds of history: invoices with the days of their payments (`calibrate_invoices`), and months late by client and
month (`calibrate_months`). Either way the number of latent types is that of the least BIC (Schwarz, Annals of
Statistics 6, 1978), and what such a history cannot tell (lifts, promises, churn) stays neutral.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from sim.behaviour import Behaviour, Floats, Integers
from sim.calendar_factors import calendar_of
from sim.fitted_behaviour import of_invoices, of_months
from sim.hazard_likelihood import HazardLikelihood
from sim.mixture import Fit, fit_mixture
from sim.month_chain import MonthChain, aligned, patterns
from sim.paying_days import Calendar
from sim.spells import Invoices, bins_of, spells_of

TYPES_MAX: Final = 4
Progress = Callable[[str], None]

_CLAIM_DAYS: Final = 20
_EARLIEST: Final = 0.05
_SPREAD: Final = 0.7
_WIDTH: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A fit. ``errors`` is a behaviour whose numbers are the standard errors of the same numbers; nan where a number is
    at its bound or was not fitted. ``tried`` holds the number of types and the BIC of every fit. ``first`` are, for
    months late, each type's probabilities of the first month's classes."""

    behaviour: Behaviour
    errors: Behaviour
    debtors: int
    observations: int
    log_likelihood: float
    bic: float
    free: int
    tried: tuple[tuple[int, float], ...]
    converged: bool
    first: Floats | None = None


class TooFew(Exception):
    """The history says too little to be fitted; the text says what is missing."""


def calibrate_invoices(
    invoices: Invoices,
    types_max: int = TYPES_MAX,
    progress: Progress | None = None,
    *,
    bins: tuple[int, ...] | None = None,
    with_errors: bool = True,
) -> Calibration:
    """The behaviour of those who paid ``invoices``, with ``bins`` of days past due, one of which begins on day 1
    (`bins_of` them, where none are given). Raises `TooFew`."""
    if int((invoices.settled > 0).sum()) < 50 or len(np.unique(invoices.debtor)) < 10:
        raise TooFew("a fit takes at least 50 payments of 10 debtors")
    claim_days = _claim_days(invoices)
    spells = spells_of(invoices, claim_days)
    bins = bins or bins_of(spells)
    claims = np.bincount(invoices.debtor[invoices.disputed], minlength=invoices.debtors)
    counts = np.bincount(invoices.debtor, minlength=invoices.debtors)

    def likelihood(calendar: Calendar) -> HazardLikelihood:
        return HazardLikelihood(spells, invoices.debtors, bins, calendar, claims, counts)

    def fitted(component: HazardLikelihood, types: int, errors: bool) -> Fit:
        starts = [component.start(types, _WIDTH if types > 1 else 0.0)]
        return fit_mixture(component, component.design(types), starts, np.log(_SPREAD), len(spells), with_errors=errors)

    component = likelihood(Calendar())
    fit, tried = _least(lambda types: fitted(component, types, False), types_max, progress)
    calendar = calendar_of(spells, bins, component.rates(fit)[spells.debtor])
    if not calendar.is_neutral:
        component = likelihood(calendar)
    if with_errors or not calendar.is_neutral:
        _say(progress, "standard errors")
        fit = fitted(component, len(fit.shares), with_errors)
    behaviour, errors = of_invoices(fit, bins, calendar, spells)
    any_claims = bool(invoices.disputed.any())
    behaviour = replace(
        behaviour,
        claim_days=claim_days,
        claim_upheld=invoices.upheld if any_claims else 0.5,
        claim_factor=float(np.exp(fit.parameters[0, -2])) if any_claims else 1.0,
    )
    errors = replace(errors, claim_factor=behaviour.claim_factor * float(fit.errors[0, -2]) if any_claims else np.nan)
    return Calibration(
        behaviour=behaviour,
        errors=errors,
        debtors=int((counts > 0).sum()),
        observations=len(invoices),
        log_likelihood=fit.log_likelihood,
        bic=fit.bic,
        free=fit.free,
        tried=tried,
        converged=fit.converged,
    )


def calibrate_months(
    months: Integers, types_max: int = TYPES_MAX, progress: Progress | None = None, *, with_errors: bool = True
) -> Calibration:
    """The behaviour of clients whose states (`sim.month_chain`) at the ends of months are ``months``.

    Its shape is (clients, months), -1 where nothing is known. Raises `TooFew`.
    """
    months = aligned(months)
    moves = int(((months[:, :-1] >= 0) & (months[:, 1:] >= 0)).sum())
    if moves < 200 or int((months > 0).sum()) < 50:
        raise TooFew("a fit takes at least 200 moves from month to month, and 50 months late")
    component = MonthChain(*patterns(months))

    def fitted(types: int, errors: bool) -> Fit:
        start = component.start(types)
        return fit_mixture(
            component, component.design(types), [start], np.log(_SPREAD), len(months), with_errors=errors
        )

    fit, tried = _least(lambda types: fitted(types, False), types_max, progress)
    if with_errors:
        _say(progress, "standard errors")
        fit = fitted(len(fit.shares), True)
    behaviour, errors, first = of_months(fit)
    return Calibration(
        behaviour=behaviour,
        errors=errors,
        debtors=len(months),
        observations=moves,
        log_likelihood=fit.log_likelihood,
        bic=fit.bic,
        free=fit.free,
        tried=tried,
        converged=fit.converged,
        first=first,
    )


def _least(
    fitted: Callable[[int], Fit], types_max: int, progress: Progress | None
) -> tuple[Fit, tuple[tuple[int, float], ...]]:
    """The fit of the least BIC: types are added until it rises."""
    best: Fit | None = None
    tried: list[tuple[int, float]] = []
    for types in range(1, types_max + 1):
        _say(progress, f"{types} type{'s' if types > 1 else ''}")
        fit = fitted(types)
        tried.append((types, fit.bic))
        if best is not None and fit.bic >= best.bic:
            break
        best = fit
    assert best is not None
    return best, tuple(tried)


def _say(progress: Progress | None, text: str) -> None:
    if progress is not None:
        progress(text)


def _claim_days(invoices: Invoices) -> int:
    """From issue to the claim's answer: the mean where the days are known, else the day after issue by which one in
    twenty of the disputed is paid, since these cannot be paid before it."""
    known = invoices.disputed & (invoices.answered > 0)
    if known.any():
        return int(np.clip(np.rint((invoices.answered - invoices.issued)[known].mean()), 1, 365))
    paid = invoices.disputed & (invoices.settled > 0)
    if not paid.any():
        return _CLAIM_DAYS
    return int(np.clip(np.quantile((invoices.settled - invoices.issued)[paid], _EARLIEST), 1, 365))
