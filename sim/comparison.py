"""Comparison: what two policies differ in, replication by replication, and how sure that is."""

from collections.abc import Sequence
from math import nan, sqrt
from statistics import fmean, stdev
from typing import NamedTuple

import polars as pl


class Interval(NamedTuple):
    """A mean and its 95 % confidence interval, ``mean ± half_width``; not a number where one value tells nothing."""

    mean: float
    half_width: float

    @property
    def low(self) -> float:
        """The interval's lower end."""
        return self.mean - self.half_width

    @property
    def high(self) -> float:
        """The interval's upper end."""
        return self.mean + self.half_width


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Student's interval of the mean of independent ``values``; raises ValueError where there are none."""
    if not values:
        raise ValueError("no values")
    if len(values) == 1:
        return Interval(values[0], nan)
    from scipy.special import stdtrit  # 0.3 s, which the processes that only simulate need not wait for

    quantile = float(stdtrit(len(values) - 1, 0.5 + confidence / 2))
    return Interval(fmean(values), quantile * stdev(values) / sqrt(len(values)))


def shared(figures: pl.DataFrame, figure: str) -> pl.DataFrame:
    """The rows of ``figures`` in whose replication no policy lacks ``figure``, policies that never have it apart.

    So means and differences that are shown beside each other come from the same replications.
    """
    policy = pl.col("policy")
    known = figures.drop_nulls(figure)
    return known.filter(policy.n_unique().over("replication") == policy.n_unique())


def differences(figures: pl.DataFrame, figure: str, base: str, by: Sequence[str] = ()) -> pl.DataFrame:
    """Each other policy's ``figure`` less ``base``'s, paired by replication (and the keys ``by``).

    ``figures`` has the columns policy, replication, ``by`` and the figure. The rows: policy, ``by``, ``base`` (its
    mean), ``difference``, ``half_width``, ``low``, ``high``, ``replications``. Pairs of which one is null are left out.
    """
    keys = ["replication", *by]
    of_base = figures.filter(pl.col("policy") == base).select(*keys, pl.col(figure).alias("base"))
    paired = (
        figures.filter(pl.col("policy") != base)
        .join(of_base, on=keys, how="inner", maintain_order="left")
        .drop_nulls([figure, "base"])
    )
    rows = []
    for group, pairs in paired.group_by("policy", *by, maintain_order=True):
        each = (pairs[figure] - pairs["base"]).to_list()
        found = mean_interval(each)
        rows.append(
            {
                **dict(zip(["policy", *by], group, strict=True)),
                "base": fmean(pairs["base"].to_list()),
                "difference": found.mean,
                "half_width": found.half_width,
                "low": found.low,
                "high": found.high,
                "replications": len(each),
            }
        )
    numbers = ("base", "difference", "half_width", "low", "high")
    schema = {key: figures.schema[key] for key in ("policy", *by)} | dict.fromkeys(numbers, pl.Float64())
    return pl.DataFrame(rows, schema=schema | {"replications": pl.Int64()})
