"""A behaviour as TOML that `adapters.behaviour_file` reads back, number for number."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import isnan

from sim.behaviour import Behaviour, DebtorType

_DIGITS = 6


def rounded(behaviour: Behaviour) -> Behaviour:
    """The same to six significant digits, as it is written: what is judged is what is read back."""
    types = tuple(
        replace(
            each,
            share=_short(each.share),
            rates=_shorts(each.rates),
            claim_rate=_short(each.claim_rate),
            partial_probability=_short(each.partial_probability),
            partial_share=_short(each.partial_share),
            late_factor=_short(each.late_factor),
        )
        for each in behaviour.types
    )
    return replace(
        behaviour,
        types=types,
        spread=_short(behaviour.spread),
        overdue_power=_short(behaviour.overdue_power),
        weekdays=_shorts(behaviour.weekdays),
        month_days=_shorts(behaviour.month_days),
        claim_upheld=_short(behaviour.claim_upheld),
        claim_factor=_short(behaviour.claim_factor),
    )


def written(behaviour: Behaviour, errors: Behaviour, head: Sequence[str]) -> str:
    """The file's text: ``head`` as comments, then every number that was fitted, its standard error beside it.

    ``errors`` has the shape of ``behaviour``; nan means that no error is known.
    """
    return "\n".join([*(f"# {line}".rstrip() for line in head), "", *_lines(behaviour, errors), ""])


def _lines(behaviour: Behaviour, errors: Behaviour) -> Iterator[str]:
    yield "# The first days past due of each bin; before the first nobody pays."
    yield f"bins = [{', '.join(str(each) for each in behaviour.bins)}]"
    yield "# How much debtors of one type differ: the standard deviation of the logarithm of a debtor's own factor."
    yield _number("spread", behaviour.spread, errors.spread)
    if behaviour.overdue_power != 1.0:
        yield "# Once overdue that factor is raised to a power: below 1 the late differ less than those in time."
        yield _number("overdue_power", behaviour.overdue_power, errors.overdue_power)
    for name, factors in (("weekdays", behaviour.weekdays), ("month_days", behaviour.month_days)):
        if set(factors) == {1.0}:
            yield f"# {name}: payments do not differ by them beyond chance."
        else:
            yield f"{name} = [{', '.join(repr(each) for each in factors)}]"
    if any(each.claim_rate > 0 for each in behaviour.types):
        yield f"claim_days = {behaviour.claim_days}"
        yield f"claim_upheld = {behaviour.claim_upheld!r}"
        yield _number("claim_factor", behaviour.claim_factor, errors.claim_factor)
    yield ""
    yield "# A history without measures tells nothing of the following: what measures bring, promises, who leaves."
    yield "# Neutral here; set them where you know better, or beside `file = ...` in the experiment."
    yield f"promise_made = {behaviour.promise_made!r}"
    yield f"churn_suspended = {behaviour.churn_suspended!r}"
    yield f"churn_contact = {behaviour.churn_contact!r}"
    for each, error in zip(behaviour.types, errors.types, strict=True):
        yield ""
        yield from _type(behaviour.bins, each, error)


def _type(bins: Sequence[int], each: DebtorType, error: DebtorType) -> Iterator[str]:
    yield "[[type]]"
    yield f'name = "{each.name}"'
    yield _number("share", each.share, error.share)
    yield "rates = ["
    ends = [str(following - 1) for following in bins[1:]] + ["the end"]
    for first, end, rate, rate_error in zip(bins, ends, each.rates, error.rates, strict=True):
        days = f"{first} to {end}" if end != str(first) else str(first)
        yield f"    {rate!r},  # a day, {days} days past due{_beside(rate_error)}"
    yield "]"
    for name, value, of_value, neutral in (
        ("claim_rate", each.claim_rate, error.claim_rate, 0.0),
        ("partial_probability", each.partial_probability, error.partial_probability, 0.0),
        ("partial_share", each.partial_share, error.partial_share, 0.5),
        ("late_factor", each.late_factor, error.late_factor, 1.0),
    ):
        if value != neutral:
            yield _number(name, value, of_value)
    if each.whole_items:
        yield "whole_items = true"


def _number(name: str, value: float, error: float) -> str:
    return f"{name} = {value!r}{f'  #{_beside(error)[1:]}' if not isnan(error) else ''}"


def _beside(error: float) -> str:
    return "" if isnan(error) else f", standard error {error:.2g}"


def _short(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


def _shorts(values: Sequence[float]) -> tuple[float, ...]:
    return tuple(_short(each) for each in values)
