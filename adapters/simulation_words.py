"""What a simulation found, in lines for a terminal: each figure under the first policy, and what others change."""

from collections.abc import Callable, Iterator
from math import isnan
from statistics import fmean
from typing import Final

import polars as pl

from sim.comparison import differences, shared
from sim.experiment import Experiment, Outcome

_MONEY: Final = "money"
_COUNT: Final = "count"
_SHARE: Final = "share"
_POINTS: Final = "points"
"""What two shares differ in."""
_FIGURES: Final = (
    ("net_value", "net value", _MONEY),
    ("billed", "billed", _MONEY),
    ("collected", "collected", _MONEY),
    ("collected_30_share", "collected within 30 days of the due date", _SHARE),
    ("collected_90_share", "collected within 90 days", _SHARE),
    ("outstanding", "outstanding at the end", _MONEY),
    ("overdue", "of it overdue", _MONEY),
    ("written_off", "written off", _MONEY),
    ("cure_rate", "cure rate a month", _SHARE),
    ("dso", "days sales outstanding", _COUNT),
    ("contacts_per_debtor", "contacts per debtor", _COUNT),
    ("breaches", "breaches of contact rules", _COUNT),
    ("restrictions", "restrictions", _COUNT),
    ("days_without_service", "account-days without service", _COUNT),
    ("days_without_service_paid", "of them owing nothing", _COUNT),
    ("promises_kept_share", "promises kept", _SHARE),
    ("manager_hours", "managers' hours", _COUNT),
    ("manager_hours_refused", "of work refused, hours", _COUNT),
    ("cost", "cost of measures", _MONEY),
    ("churned", "churned accounts", _COUNT),
    ("lost_charges", "their lost charges", _MONEY),
)
_NAME_WIDTH: Final = max(len(name) for _, name, _ in _FIGURES)


def told(experiment: Experiment, outcome: Outcome) -> Iterator[str]:
    """The lines. A figure that has no value in some replications is that of the others, and ends with how many."""
    scenario = experiment.scenario
    base, *others = outcome.policies
    yield (
        f"{scenario.name}: {scenario.accounts:,} accounts, {scenario.days} days, {outcome.replications} replications, "
        f"seed {experiment.seed}"
    )
    yield ""
    yield f"{'':{_NAME_WIDTH}}  {base:>22}" + "".join(f"  {f'{other} - {base}':>38}" for other in others)
    figures = outcome.figures()
    for figure, name, unit in _FIGURES:
        rows = shared(figures, figure)
        of_base = rows.filter(pl.col("policy") == base)[figure].to_list()
        if not of_base:
            continue
        line = f"{name:{_NAME_WIDTH}}  {_shower(unit, scenario.minor_units)(fmean(of_base)):>22}"
        changes = {row["policy"]: row for row in differences(rows, figure, base).iter_rows(named=True)}
        for other in others:
            line += f"  {_change(changes.get(other), unit, scenario.minor_units):>38}"
        if len(of_base) < outcome.replications:
            line += f"  {len(of_base)} of {outcome.replications} replications"
        yield line
    if others:
        yield ""
        yield from (_verdict(outcome, base, other, scenario.minor_units) for other in others)


def _change(row: dict[str, float] | None, unit: str, minor_units: int) -> str:
    if row is None:
        return "-"
    show = _shower(_POINTS if unit == _SHARE else unit, minor_units)
    sign = "+" if row["difference"] > 0 else ""
    if isnan(row["half_width"]):
        return f"{sign}{show(row['difference'])} (one replication)"
    return f"{sign}{show(row['difference'])} ({show(row['low'])} .. {show(row['high'])})"


def _verdict(outcome: Outcome, base: str, other: str, minor_units: int) -> str:
    """What it comes to, in a sentence."""
    found = outcome.differences("net_value").filter(pl.col("policy") == other).row(0, named=True)
    show = _shower(_MONEY, minor_units)
    if isnan(found["half_width"]):
        return f"{other}: one replication tells nothing of what is chance; ask for more."
    if found["low"] <= 0 <= found["high"]:
        if found["difference"] == 0 == found["half_width"]:
            return f"{other}: no difference to {base} in net value."
        return f"{other}: no difference to {base} in net value beyond chance ({_change(found, _MONEY, minor_units)})."
    verb = "brings" if found["difference"] > 0 else "loses"
    low, high = sorted((abs(found["low"]), abs(found["high"])))
    return (
        f"{other} {verb} {show(abs(found['difference']))} of net value against {base}, with 95 % confidence between "
        f"{show(low)} and {show(high)}."
    )


def _shower(unit: str, minor_units: int) -> Callable[[float], str]:
    if unit == _MONEY:
        return lambda value: f"{value / minor_units:,.0f}"
    if unit == _SHARE:
        return lambda value: f"{value:.2%}"
    if unit == _POINTS:
        return lambda value: f"{value * 100:.2f} pp"
    return lambda value: f"{value:,.1f}"


_UNITS: Final = {figure: unit for figure, _, unit in _FIGURES}


def amount(figure: str, value: float, minor_units: int, *, signed: bool = False) -> str:
    """A figure's value as people read it; ``signed`` is a difference, with a plus, and of shares in points."""
    unit = _UNITS.get(figure, _COUNT)
    if signed and unit == _SHARE:
        unit = _POINTS
    sign = "+" if signed and value > 0 else ""
    if unit == _COUNT and abs(value) < 100:
        return f"{sign}{value:,.2f}"
    return f"{sign}{_shower(unit, minor_units)(value)}"
