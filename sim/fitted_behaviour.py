"""A fit's numbers as a behaviour, and their standard errors as another of the same shape."""

import numpy as np
from scipy.special import expit

from sim.behaviour import Behaviour, DebtorType, Floats
from sim.mixture import Fit
from sim.month_chain import BINS
from sim.paying_days import Calendar
from sim.spells import Spells


def of_invoices(fit: Fit, bins: tuple[int, ...], calendar: Calendar, spells: Spells) -> tuple[Behaviour, Behaviour]:
    """The behaviour, and its errors. Types are named from the readiest to pay."""
    count = len(bins)
    parts = spells.part[spells.paid & (spells.part < 1)]
    share = float(parts.mean()) if len(parts) else 0.5
    share_error = float(parts.std(ddof=1) / np.sqrt(len(parts))) if len(parts) > 1 else float("nan")
    has_claims, has_parts = bool(spells.disputed.any()), len(parts) > 0
    types, errors = [], []
    for number, row in enumerate(np.argsort(-fit.parameters[:, 0]).tolist()):
        rates = np.exp(fit.parameters[row, :count])
        claim, part = expit(fit.parameters[row, count : count + 2]).tolist()
        claim_error, part_error = fit.errors[row, count : count + 2].tolist()
        name = f"type-{number + 1}"
        types.append(
            DebtorType(
                name=name,
                share=float(fit.shares[row]),
                rates=tuple(rates.tolist()),
                claim_rate=claim if has_claims else 0.0,
                partial_probability=part if has_parts else 0.0,
                partial_share=share,
            )
        )
        errors.append(
            DebtorType(
                name=name,
                share=float(fit.shares_errors[row]),
                rates=tuple((rates * fit.errors[row, :count]).tolist()),
                claim_rate=claim * (1 - claim) * claim_error if has_claims else float("nan"),
                partial_probability=part * (1 - part) * part_error if has_parts else float("nan"),
                partial_share=share_error,
                late_factor=float("nan"),
            )
        )
    days = (calendar.weekdays, calendar.month_days)
    # Of debtors who are all alike, a power of what they differ by means nothing.
    power, power_error = (fit.parameters[0, -1], fit.errors[0, -1]) if fit.spread > 0 else (1.0, np.nan)
    behaviour = Behaviour(
        bins=bins,
        types=tuple(types),
        spread=fit.spread,
        overdue_power=float(power),
        weekdays=days[0],
        month_days=days[1],
    )
    return behaviour, Behaviour(
        bins=bins, types=tuple(errors), spread=fit.spread_error, overdue_power=float(power_error)
    )


def of_months(fit: Fit) -> tuple[Behaviour, Behaviour, Floats]:
    """The behaviour, its errors, and each type's probabilities of the first month's classes."""
    count = len(BINS)
    types: list[DebtorType] = []
    errors: list[DebtorType] = []
    first = []
    for row in np.argsort(fit.parameters[:, count + 3]).tolist():
        parameters, error = fit.parameters[row], fit.errors[row]
        logs, parts = np.exp(np.append(parameters[:count], parameters[count + 2])), expit(parameters[count : count + 2])
        values = np.concatenate([logs[:count], parts, logs[count:]])
        slopes = np.concatenate([logs[:count], parts * (1 - parts), logs[count:]])
        logits = np.concatenate([[0.0], parameters[count + 3 :]])
        first.append(np.exp(logits - np.logaddexp.reduce(logits)))
        name = f"type-{len(types) + 1}"
        types.append(_monthly(name, float(fit.shares[row]), values))
        errors.append(_monthly(name, float(fit.shares_errors[row]), slopes * error[: count + 3]))
    behaviour = Behaviour(bins=BINS, types=tuple(types), spread=fit.spread)
    unknown = float("nan")
    return (
        behaviour,
        Behaviour(bins=BINS, types=tuple(errors), spread=fit.spread_error, overdue_power=unknown, claim_factor=unknown),
        np.stack(first),
    )


def _monthly(name: str, share: float, numbers: Floats) -> DebtorType:
    rates, (partial, part, late) = tuple(numbers[: len(BINS)].tolist()), numbers[len(BINS) :].tolist()
    return DebtorType(
        name=name,
        share=share,
        rates=rates,
        partial_probability=partial,
        partial_share=part,
        whole_items=True,
        late_factor=late,
    )
