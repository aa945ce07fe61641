"""What the report's charts show: means over the replications by day, month, measure and group."""

from collections.abc import Sequence
from datetime import date
from itertools import accumulate, pairwise
from typing import Final

import polars as pl

from adapters.report_figures import figures_of
from sim.comparison import differences
from sim.experiment import Outcome
from sim.results import STATES

POINTS_MAX: Final = 180
"""Days that a line is drawn through: more are not seen."""


def months_from(start: int, count: int) -> list[date]:
    """The first day of each month of an experiment."""
    first = date.fromordinal(start)
    numbers = range(first.year * 12 + first.month - 1, first.year * 12 + first.month - 1 + count)
    return [date(number // 12, number % 12 + 1, 1) for number in numbers]


def cash(outcome: Outcome) -> pl.DataFrame:
    """``cash``: what has been collected from the end of the warm-up until each day; policy, replication, day."""
    results = outcome.results
    first = sum(results.month_days[: results.warm_up])
    judged = results.days.filter(pl.col("day") >= first)
    return judged.select(
        "policy", "replication", "day", pl.col("collected").cum_sum().over("policy", "replication").alias("cash")
    )


def days_drawn(frame: pl.DataFrame) -> list[int]:
    """Evenly spaced days of those in a frame, the last one among them."""
    days = frame["day"].unique().sort().to_list()
    step = -(-len(days) // POINTS_MAX) or 1
    return sorted(set(days[::-1][::step]))


def month_ends(month_days: Sequence[int]) -> list[int]:
    """The last day of each month, counted from the start."""
    return [end - 1 for end in accumulate(month_days)]


def mean_of(frame: pl.DataFrame, columns: Sequence[str], by: Sequence[str]) -> pl.DataFrame:
    """Means over the replications by the keys ``by``, in their order; null where all are."""
    return frame.group_by(by, maintain_order=True).agg(pl.mean(*columns))


def lead(frame: pl.DataFrame, column: str, base: str, by: str) -> pl.DataFrame:
    """Each other policy's ``column`` less the base's, with intervals, for each of ``by``: see `sim.comparison`."""
    return differences(frame, column, base, [by])


def monthly(outcome: Outcome) -> pl.DataFrame:
    """The means of what is shown by month."""
    columns = [f"overdue_{bucket}" for bucket in STATES[1:]]
    columns += [f"roll_{start}_{end}" for start, end in pairwise(STATES[1:])]
    columns += ["manager_hours", "manager_hours_refused"]
    return mean_of(figures_of(outcome, ["month"]), columns, ["policy", "month"])


def costs(outcome: Outcome) -> pl.DataFrame:
    """``cost`` of each measure that has one, policy and replication; the dearest measures first."""
    results = outcome.results
    judged = results.measures.filter(pl.col("month") >= results.warm_up)
    sums = judged.group_by("policy", "replication", "measure", maintain_order=True).agg(pl.sum("cost"))
    order = sums.group_by("measure").agg(pl.sum("cost").alias("all")).filter(pl.col("all") > 0)
    order = order.sort("all", "measure", descending=[True, False])
    runs = results.months.select("policy", "replication").unique(maintain_order=True)
    # A policy that never used a measure has spent nothing on it.
    every = order.join(runs, how="cross", maintain_order="left_right")
    return every.join(sums, on=["policy", "replication", "measure"], how="left", maintain_order="left").select(
        "policy", "replication", "measure", pl.col("cost").fill_null(0)
    )


def gains(outcome: Outcome, by: str) -> pl.DataFrame:
    """The difference in net value of each group that ``by`` (region, party, segment) tells apart; the largest first."""
    found = differences(outcome.figures([by]), "net_value", outcome.policies[0], [by]).rename({by: "group"})
    size = pl.col("difference").abs().max().over("group")
    return found.with_columns(size.alias("size")).sort("size", "group", descending=[True, False], maintain_order=True)
