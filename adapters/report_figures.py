"""The report's key figures: each under the first policy, what the others change, and whether that is beyond chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan, nan
from typing import Final, Literal, NamedTuple

import polars as pl

from adapters.report_words import COUNT, MONEY, SHARE
from sim.comparison import Interval, differences, mean_interval, shared
from sim.experiment import Outcome

Judgement = Literal["better", "worse", "differs", "unsure", "same", "single_mark", "missing"]
CONTACTS: Final = ("reminder", "notify", "call", "task")


class KeyFigure(NamedTuple):
    """A figure of the results; ``better`` is 1 where more of it is, -1 where less is, 0 where neither."""

    name: str
    unit: str
    better: int


KEY_FIGURES: Final = (
    KeyFigure("net_value", MONEY, 1),
    KeyFigure("billed", MONEY, 0),
    KeyFigure("collected", MONEY, 1),
    KeyFigure("collected_30_share", SHARE, 1),
    KeyFigure("collected_60_share", SHARE, 1),
    KeyFigure("collected_90_share", SHARE, 1),
    KeyFigure("outstanding", MONEY, 0),
    KeyFigure("overdue", MONEY, -1),
    KeyFigure("written_off", MONEY, -1),
    KeyFigure("cure_rate", SHARE, 1),
    KeyFigure("dso", COUNT, -1),
    KeyFigure("cei", COUNT, 1),
    KeyFigure("contacts_per_debtor", COUNT, 0),
    KeyFigure("breaches", COUNT, -1),
    KeyFigure("restrictions", COUNT, 0),
    KeyFigure("days_without_service", COUNT, 0),
    KeyFigure("days_without_service_paid", COUNT, -1),
    KeyFigure("promises_kept_share", SHARE, 1),
    KeyFigure("manager_hours", COUNT, 0),
    KeyFigure("manager_hours_refused", COUNT, -1),
    KeyFigure("cost", MONEY, -1),
    KeyFigure("cost_per_collected", SHARE, -1),
    KeyFigure("churned", COUNT, -1),
    KeyFigure("lost_charges", MONEY, -1),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a policy changes; the half width is not a number where one replication tells nothing of chance."""

    difference: float
    half_width: float
    judgement: Judgement

    @property
    def low(self) -> float:
        """The interval's lower end."""
        return self.difference - self.half_width

    @property
    def high(self) -> float:
        """The interval's upper end."""
        return self.difference + self.half_width

    @property
    def has_interval(self) -> bool:
        """Whether there is one to show: nothing is sure to within nothing."""
        return not isnan(self.half_width) and self.judgement != "same"

    @property
    def is_proven(self) -> bool:
        """Whether the interval excludes 0."""
        return self.judgement in ("better", "worse", "differs")


MISSING: Final = Change(difference=nan, half_width=nan, judgement="missing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A figure's mean under each policy (None where it is null), and the changes of all but the first; of so many
    ``replications``, those in which no policy lacks it."""

    figure: KeyFigure
    replications: int
    means: tuple[Interval | None, ...]
    changes: tuple[Change, ...]


def figures_of(outcome: Outcome, by: Sequence[str] = ()) -> pl.DataFrame:
    """The figures of each policy and replication, and those per debtor that the report shows beside them."""
    per_debtor = {
        "restrictions_per_debtor": pl.col("restrictions"),
        "days_without_service_per_debtor": pl.col("days_without_service"),
        **{f"contacts_{kind}_per_debtor": pl.col(f"contacts_{kind}") for kind in CONTACTS},
    }
    debtors = pl.col("debtors")
    return outcome.figures(by).with_columns(
        pl.when(debtors != 0).then(part / debtors).alias(name) for name, part in per_debtor.items()
    )


def compared(figures: pl.DataFrame, figure: KeyFigure, policies: Sequence[str]) -> Comparison:
    """A figure under all ``policies``, the first of which is the base; ``figures`` has a row a policy and
    replication."""
    rows = shared(figures, figure.name)
    values = {key[0]: of_policy[figure.name].to_list() for key, of_policy in rows.group_by("policy")}
    found = differences(rows, figure.name, policies[0])
    changed = {row["policy"]: row for row in found.iter_rows(named=True)}
    return Comparison(
        figure=figure,
        replications=rows["replication"].n_unique(),
        means=tuple(mean_interval(values[policy]) if values.get(policy) else None for policy in policies),
        changes=tuple(
            _change(figure, changed[policy]["difference"], changed[policy]["half_width"])
            if policy in changed
            else MISSING
            for policy in policies[1:]
        ),
    )


def _change(figure: KeyFigure, difference: float, half_width: float) -> Change:
    judgement: Judgement
    if isnan(half_width):
        judgement = "single_mark"
    elif difference == 0 == half_width:
        judgement = "same"
    elif abs(difference) <= half_width:
        judgement = "unsure"
    elif figure.better == 0:
        judgement = "differs"
    else:
        judgement = "better" if difference * figure.better > 0 else "worse"
    return Change(difference=difference, half_width=half_width, judgement=judgement)
