"""What chapters of the report are made of: pictures for wide and narrow places, and tables of the same numbers."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any

import polars as pl
from markupsafe import Markup

from adapters import report_series as series
from adapters.report_charts import NARROW, SMALL, WIDE, Look, Point
from adapters.report_figures import Comparison
from adapters.report_reading import Reading
from adapters.report_words import MONEY


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A table of texts, the first of each row being its name."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A chart, drawn for a wide place and for a narrow one; one that is small has its place everywhere."""

    heading: str = ""
    wide: Markup | None = None
    narrow: Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """What the report says about one thing. ``legend`` holds colours and what they mean; empty: the policies,
    ``without_base`` where the first one is what the others are measured from."""

    id: str
    title: str
    caption: str
    findings: tuple[str, ...] = ()
    legend: tuple[tuple[str, str], ...] = ()
    without_base: bool = False
    pictures: tuple[Picture, ...]
    notes: tuple[str, ...] = ()
    grid: Grid


def both(draw: Callable[[Look], Markup], heading: str = "") -> Picture:
    """A picture for both places."""
    return Picture(heading=heading, wide=draw(WIDE), narrow=draw(NARROW))


def drawer(draw: Callable[..., Markup], points: Sequence[Point], axis: str) -> Callable[[Look], Markup]:
    """Draws these points wherever it is asked to: a loop's variables would have changed by then."""
    return lambda look: draw(points, look, axis)


def largest(values: pl.Series) -> float:
    """0 where there are none."""
    return float(values.drop_nulls().max() or 0)  # type: ignore[arg-type]


def spread(row: dict[str, Any], scale: float) -> Point:
    """A difference for a chart, with its interval where there is one."""
    point: Point = {"value": row["difference"] / scale}
    if not isnan(row["half_width"]):
        point |= {"low": row["low"] / scale, "high": row["high"] / scale}
    return point


def told(reading: Reading, row: dict[str, Any] | None) -> str:
    """A difference of money in a table's cell."""
    if row is None:
        return reading.words.text("nothing")
    said = reading.words.shown(MONEY, row["difference"], signed=True)
    if isnan(row["half_width"]):
        return said
    return f"{said} ({reading.words.range(MONEY, row['low'], row['high'])})"


def less(reading: Reading, policy: str, unit: str = MONEY) -> str:
    """The head of a column of differences to the first policy."""
    base = reading.called(reading.policies[0])
    said = reading.words.text("difference_to", other=reading.called(policy), base=base)
    return f"{said}, {reading.words.symbol}" if unit == MONEY else said


def rows_by_month_end(
    reading: Reading, frame: pl.DataFrame, show: Callable[[dict[str, Any]], str], policies: Sequence[str]
) -> tuple[tuple[str, ...], ...]:
    """A row for each month with what there was on its last day."""
    results = reading.outcome.results
    cells = {(row["policy"], row["day"]): show(row) for row in frame.iter_rows(named=True)}
    firsts = series.months_from(reading.start, len(results.month_days))
    ends = series.month_ends(results.month_days)
    return tuple(
        (reading.words.month(first), *(cells.get((policy, end), reading.words.text("nothing")) for policy in policies))
        for first, end in list(zip(firsts, ends, strict=True))[results.warm_up :]
    )


def monthly_grid(reading: Reading, monthly: pl.DataFrame, columns: Mapping[str, str], unit: str, head: str) -> Grid:
    """A row for each month and column, a column for each policy."""
    words = reading.words
    firsts = series.months_from(reading.start, len(reading.outcome.results.month_days))
    cells = {(row["policy"], row["month"]): row for row in monthly.iter_rows(named=True)}
    months = monthly["month"].unique().sort().to_list()
    unit_said = f", {words.symbol}" if unit == MONEY else ""
    rows = []
    for month in months:
        for column, name in columns.items():
            found = [cells.get((policy, month), {}).get(column) for policy in reading.policies]
            rows.append((f"{words.month(firsts[month])}: {name}", *(words.shown(unit, value) for value in found)))
    heads = (f"{words.text('month')}: {head}", *(f"{reading.called(policy)}{unit_said}" for policy in reading.policies))
    return Grid(heads=heads, rows=tuple(rows))


def highest(monthly: pl.DataFrame, parts: Iterable[str]) -> float:
    """The highest column of all policies."""
    return largest(monthly.select(pl.sum_horizontal(list(parts))).to_series())


def stacks(
    reading: Reading, monthly: pl.DataFrame, parts: Mapping[str, str], axis: str, *, colours: str, scale: float = 1.0
) -> tuple[Picture, ...]:
    """A picture for each policy, all up to the same height; ``parts`` are columns of ``monthly`` and their names."""
    top = highest(monthly, parts) / scale
    firsts = series.months_from(reading.start, len(reading.outcome.results.month_days))
    pictures = []
    for policy in reading.policies:
        points = [
            {
                "at": firsts[row["month"]].isoformat(),
                "part": part,
                "rank": rank,
                "value": (row[column] or 0) / scale,
            }
            for row in monthly.filter(pl.col("policy") == policy).iter_rows(named=True)
            for rank, (column, part) in enumerate(parts.items())
        ]
        drawn = reading.artist.stacks(points, SMALL, axis, list(parts.values()), top, colours)
        pictures.append(Picture(heading=reading.called(policy), narrow=drawn))
    return tuple(pictures)


def bars(
    reading: Reading, rows: Sequence[tuple[str, Comparison]], axis: str, scale: float = 1.0
) -> tuple[Picture, ...]:
    """A picture of each row's means; none where there are none."""
    points: list[Point] = []
    for name, found in rows:
        for letter, mean in zip(reading.letters, found.means, strict=True):
            if mean is not None:
                value = reading.words.shown(found.figure.unit, mean.mean)
                said = f"{letter} {value}" if len(reading.policies) > 1 else value
                points.append({"row": name, "p": letter, "value": mean.mean / scale, "said": said})
    return (both(lambda look: reading.artist.bars(points, look, axis)),) if points else ()


def changes_grid(reading: Reading, rows: Iterable[tuple[str, Comparison]], head: str) -> Grid:
    """A row for each comparison: the mean under each policy, and what each but the first changes."""
    words = reading.words
    unit = ""
    said = []
    for name, found in rows:
        unit = found.figure.unit
        means = [words.shown(unit, mean.mean if mean is not None else None) for mean in found.means]
        changes = []
        for change in found.changes:
            row = {"difference": change.difference, "half_width": change.half_width}
            if unit == MONEY and not isnan(change.difference):
                changes.append(told(reading, row | {"low": change.low, "high": change.high}))
            else:
                changes.append(reading.change(change, unit))
        said.append((name, *means, *changes))
    symbol = f", {words.symbol}" if unit == MONEY else ""
    return Grid(
        heads=(
            head,
            *(f"{reading.called(policy)}{symbol}" for policy in reading.policies),
            *(less(reading, policy, unit) for policy in reading.policies[1:]),
        ),
        rows=tuple(said),
    )
