"""The report's chapters: a chart each, a title that says what is read off it, and its numbers as a table."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from math import isnan
from typing import Any, Final

import polars as pl
from markupsafe import Markup

from adapters import report_series as series
from adapters.report_charts import NARROW, SMALL, WIDE, Artist, Look, Point
from adapters.report_figures import CONTACTS, Change, Comparison, KeyFigure, compared, figures_of
from adapters.report_words import COUNT, MONEY, SHARE, Words
from sim.experiment import Outcome
from sim.results import STATES

ROWS_MAX: Final = 12
"""Rows of a chart: more are in its table only."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """An outcome being read: ``start`` is its first day, ``buckets`` the bounds of the classes of age."""

    outcome: Outcome
    words: Words
    start: int
    buckets: tuple[int, int, int]
    figures: pl.DataFrame
    letters: tuple[str, ...]
    artist: Artist = field(repr=False)

    @staticmethod
    def of(outcome: Outcome, words: Words, start: int, buckets: tuple[int, int, int]) -> "Reading":
        """Begins to read."""
        letters = tuple(words.letter(index) for index in range(len(outcome.policies)))
        return Reading(
            outcome=outcome,
            words=words,
            start=start,
            buckets=buckets,
            figures=figures_of(outcome),
            letters=letters,
            artist=Artist(words=words, letters=letters),
        )

    @property
    def policies(self) -> tuple[str, ...]:
        """Their names."""
        return self.outcome.policies

    def letter(self, policy: str) -> str:
        """The short name of a policy."""
        return self.letters[self.policies.index(policy)]

    def called(self, policy: str) -> str:
        """A policy in a table's head: its letter and name."""
        if len(self.policies) == 1:
            return isolated(policy)
        return f"{self.letter(policy)}\u00a0· {isolated(policy)}"

    def compared(self, figure: KeyFigure) -> Comparison:
        """A figure of the whole horizon."""
        return compared(self.figures, figure, self.policies)

    def at(self, day: int) -> str:
        """A day of the experiment, for a chart."""
        return date.fromordinal(self.start + day).isoformat()

    def change(self, change: Change, unit: str) -> str:
        """A difference with its interval."""
        said = self.plain_change(change, unit)
        return said if isnan(change.half_width) else f"{said} ({self.interval(change.low, change.high, unit)})"

    def plain_change(self, change: Change, unit: str) -> str:
        """A difference alone."""
        if isnan(change.difference):
            return self.words.text("missing")
        return self.plain(change.difference, unit, signed=True)

    def interval(self, low: float, high: float, unit: str) -> str:
        """From where to where."""
        if unit == MONEY:
            return f"{self.words.money(low, signed=True)} … {self.words.money(high, signed=True)}"
        return self.words.range(unit, low, high)

    def findings(self, figure: KeyFigure) -> tuple[str, ...]:
        """What each policy changes in a figure, in a line."""
        words, found = self.words, self.compared(figure)
        name = words.text(f"figures.{figure.name}")
        name = name[0].upper() + name[1:]
        if len(self.policies) == 1:
            mean = found.means[0]
            value = words.text("missing") if mean is None else self.plain(mean.mean, figure.unit)
            return (words.text("finding_alone", name=name, value=value),)
        return tuple(
            words.text(
                "finding_single" if change.judgement == "single_mark" else "finding",
                name=name,
                other=letter,
                base=self.letters[0],
                change=self.change(change, figure.unit),
            )
            for letter, change in zip(self.letters[1:], found.changes, strict=True)
        )

    def plain(self, value: float, unit: str, signed: bool = False) -> str:
        """A value with its currency."""
        return self.words.money(value, signed) if unit == MONEY else self.words.shown(unit, value, signed)


def isolated(name: str) -> str:
    """A name of somebody else's, which keeps its direction of writing to itself."""
    return f"\u2068{name}\u2069"


def chapters(reading: Reading) -> tuple[Chapter, ...]:
    """All that the outcome has something to say about, in the report's order."""
    found = [cash(reading)]
    if len(reading.policies) > 1:
        found += [gain(reading), groups(reading)]
    found += [age(reading), rolls(reading), contacts(reading), suspended(reading), load(reading), costs(reading)]
    return tuple(found)


def cash(reading: Reading) -> Chapter:
    """Money that has come in, day by day."""
    words = reading.words
    means = series.mean_of(series.cash(reading.outcome), ["cash"], ["policy", "day"])
    scale, unit = words.scaled(_largest(means["cash"]))
    drawn = means.filter(pl.col("day").is_in(series.days_drawn(means)))
    points = [
        {"at": reading.at(row["day"]), "p": reading.letter(row["policy"]), "value": row["cash"] / scale}
        for row in drawn.iter_rows(named=True)
    ]
    axis = words.text("cash_axis", unit=unit)
    return Chapter(
        id="cash",
        title=words.text("cash_title"),
        caption=words.text("cash_caption"),
        findings=reading.findings(KeyFigure("collected", MONEY, 1)),
        pictures=(_both(lambda look: reading.artist.lines(points, look, axis)),),
        grid=Grid(
            heads=(words.text("month"), *(f"{reading.called(policy)}, {words.symbol}" for policy in reading.policies)),
            rows=_by_month_end(reading, means, lambda row: words.shown(MONEY, row["cash"]), reading.policies),
        ),
    )


def gain(reading: Reading) -> Chapter:
    """Who is ahead in cash."""
    words = reading.words
    base = reading.policies[0]
    frame = series.cash(reading.outcome)
    ends = series.month_ends(reading.outcome.results.month_days)
    kept = frame.filter(pl.col("day").is_in([*series.days_drawn(frame), *ends]))
    leads = series.lead(kept, "cash", base, "day")
    reach = [abs(value) for value in (*leads["low"], *leads["high"], *leads["difference"]) if not isnan(value)]
    scale, unit = words.scaled(max(reach, default=0.0))
    points = [
        {"at": reading.at(row["day"]), "p": reading.letter(row["policy"]), **_spread(row, scale)}
        for row in leads.iter_rows(named=True)
    ]
    axis = words.text("gain_axis", unit=unit)
    return Chapter(
        id="gain",
        title=words.text("gain_title"),
        caption=words.text("gain_caption", base=reading.called(base)),
        without_base=True,
        pictures=(_both(lambda look: reading.artist.lines(points, look, axis, zero=True)),),
        grid=Grid(
            heads=(words.text("month"), *(_less(reading, policy) for policy in reading.policies[1:])),
            rows=_by_month_end(reading, leads, lambda row: _told(reading, row), reading.policies[1:]),
        ),
    )


def groups(reading: Reading) -> Chapter:
    """Who gains and who loses."""
    words = reading.words
    named = [("region", "by_region"), ("party", "by_party")]
    notes = []
    if series.has_same_segments(reading.outcome):
        named.append(("segment", "by_segment"))
    else:
        notes.append(words.text("groups_segments"))
    pictures, rows = [], []
    for by, heading in named:
        found = series.gains(reading.outcome, by)
        names = list(dict.fromkeys(found["group"]))
        if len(names) > ROWS_MAX:
            notes.append(words.text("more_rows", shown=str(ROWS_MAX), all=str(len(names))))
        scale, unit = words.scaled(_largest(found["size"]))
        points = [
            {"row": _group_name(words, by, row["group"]), "p": reading.letter(row["policy"]), **_spread(row, scale)}
            for row in found.filter(pl.col("group").is_in(names[:ROWS_MAX])).iter_rows(named=True)
        ]
        axis = words.text("groups_axis", unit=unit)
        if points:
            pictures.append(_both(_drawer(reading.artist.dots, points, axis), words.text(heading)))
        for name in names:
            of_group = {row["policy"]: row for row in found.filter(pl.col("group") == name).iter_rows(named=True)}
            cells = [_told(reading, of_group.get(policy)) for policy in reading.policies[1:]]
            rows.append((isolated(_group_name(words, by, name)), *cells))
    return Chapter(
        id="groups",
        title=words.text("groups_title"),
        caption=words.text("groups_caption", base=reading.called(reading.policies[0])),
        without_base=True,
        pictures=tuple(pictures),
        notes=tuple(notes),
        grid=Grid(
            heads=(words.text("group"), *(_less(reading, policy) for policy in reading.policies[1:])),
            rows=tuple(rows),
        ),
    )


def age(reading: Reading) -> Chapter:
    """How overdue debt grows old."""
    words = reading.words
    first = (1, *(bound + 1 for bound in reading.buckets[:-1]))
    parts = [
        words.text("age_bucket", first=str(low), last=str(high))
        for low, high in zip(first, reading.buckets, strict=True)
    ]
    parts.append(words.text("age_last", last=str(reading.buckets[-1])))
    columns = [f"overdue_{bucket}" for bucket in STATES[1:]]
    monthly = series.monthly(reading.outcome)
    top = _largest(monthly.select(pl.sum_horizontal(columns)).to_series())
    scale, unit = words.scaled(top)
    return Chapter(
        id="age",
        title=words.text("age_title"),
        caption=words.text("age_caption"),
        findings=reading.findings(KeyFigure("overdue", MONEY, -1)),
        legend=tuple((f"var(--a{number})", part) for number, part in enumerate(parts)),
        pictures=_stacks(reading, monthly, dict(zip(columns, parts, strict=True)), scale, top, "a", ("age_axis", unit)),
        grid=_monthly_grid(reading, monthly, dict(zip(columns, parts, strict=True)), MONEY, words.text("age")),
    )


def load(reading: Reading) -> Chapter:
    """What managers have to do."""
    words = reading.words
    parts = {"manager_hours": words.text("load_used"), "manager_hours_refused": words.text("load_refused")}
    monthly = series.monthly(reading.outcome)
    top = _largest(monthly.select(pl.sum_horizontal(list(parts))).to_series())
    return Chapter(
        id="load",
        title=words.text("load_title"),
        caption=words.text("load_caption"),
        findings=(
            *reading.findings(KeyFigure("manager_hours", COUNT, 0)),
            *reading.findings(KeyFigure("manager_hours_refused", COUNT, -1)),
        ),
        legend=tuple((f"var(--u{number})", part) for number, part in enumerate(parts.values())),
        pictures=_stacks(reading, monthly, parts, 1.0, top, "u", ("load_axis", "")),
        grid=_monthly_grid(reading, monthly, parts, COUNT, words.text("load")),
    )


def rolls(reading: Reading) -> Chapter:
    """How much debt slips into the next age."""
    words = reading.words
    bounds = (0, *reading.buckets)
    ages = [f"{low + 1}–{high}" for low, high in pairwise(bounds)] + [f"> {reading.buckets[-1]}"]
    columns = {
        f"roll_{STATES[place]}_{STATES[place + 1]}": words.text("roll_step", before=before, after=after)
        for place, (before, after) in enumerate(pairwise(ages), start=1)
    }
    monthly = series.monthly(reading.outcome)
    firsts = series.months_from(reading.start, len(reading.outcome.results.month_days))
    pictures = []
    for column, heading in columns.items():
        points = [
            {
                "at": firsts[row["month"]].isoformat(),
                "p": reading.letter(row["policy"]),
                "value": row[column],
            }
            for row in monthly.filter(pl.col(column).is_not_null()).iter_rows(named=True)
        ]
        if points:
            drawn = reading.artist.lines(points, SMALL, words.text("roll_axis"), share=True)
            pictures.append(Picture(heading=heading, narrow=drawn))
    return Chapter(
        id="rolls",
        title=words.text("roll_title"),
        caption=words.text("roll_caption"),
        pictures=tuple(pictures),
        grid=_monthly_grid(reading, monthly, columns, SHARE, words.text("roll")),
    )


def contacts(reading: Reading) -> Chapter:
    """How often a debtor is contacted."""
    words = reading.words
    rows = [
        (words.named("kinds", kind), reading.compared(KeyFigure(f"contacts_{kind}_per_debtor", COUNT, 0)))
        for kind in CONTACTS
    ]
    return Chapter(
        id="contacts",
        title=words.text("contacts_title"),
        caption=words.text("contacts_caption"),
        findings=reading.findings(KeyFigure("contacts_per_debtor", COUNT, 0)),
        pictures=_bars(reading, rows, words.text("contacts_axis")),
        grid=_changes_grid(reading, rows, words.text("kind")),
    )


def suspended(reading: Reading) -> Chapter:
    """How often and how long service is taken away."""
    words = reading.words
    axes = {
        "restrictions_per_debtor": words.text("suspended_axis_restrictions"),
        "days_without_service_per_debtor": words.text("suspended_axis_days"),
    }
    figures = [KeyFigure(name, COUNT, 0) for name in (*axes, "days_without_service_paid")]
    rows = [(words.text(f"figures.{figure.name}"), reading.compared(figure)) for figure in figures]
    return Chapter(
        id="suspended",
        title=words.text("suspended_title"),
        caption=words.text("suspended_caption"),
        findings=tuple(line for figure in figures[:-1] for line in reading.findings(figure)),
        pictures=tuple(
            picture
            for (_, found), axis in zip(rows[:-1], axes.values(), strict=True)
            for picture in _bars(reading, [("", found)], axis)
        ),
        grid=_changes_grid(reading, rows, words.text("figure")),
    )


def costs(reading: Reading) -> Chapter:
    """What the measures cost."""
    words = reading.words
    frame = series.costs(reading.outcome)
    names = list(dict.fromkeys(frame["measure"]))
    figure = KeyFigure("cost", MONEY, -1)
    rows = [(name, compared(frame.filter(pl.col("measure") == name), figure, reading.policies)) for name in names]
    notes: tuple[str, ...] = ()
    if len(rows) > ROWS_MAX:
        notes = (words.text("more_rows", shown=str(ROWS_MAX), all=str(len(rows))),)
    values = [mean.mean for _, found in rows for mean in found.means if mean is not None]
    scale, unit = words.scaled(max(values, default=0.0))
    return Chapter(
        id="costs",
        title=words.text("cost_title"),
        caption=words.text("cost_caption"),
        findings=reading.findings(figure),
        pictures=_bars(reading, rows[:ROWS_MAX], words.text("cost_axis", unit=unit), scale=scale) if rows else (),
        notes=notes,
        grid=_changes_grid(reading, [(isolated(name), found) for name, found in rows], words.text("measure")),
    )


def _both(draw: Callable[[Look], Markup], heading: str = "") -> Picture:
    return Picture(heading=heading, wide=draw(WIDE), narrow=draw(NARROW))


def _drawer(draw: Callable[..., Markup], points: Sequence[Point], axis: str) -> Callable[[Look], Markup]:
    return lambda look: draw(points, look, axis)


def _largest(values: pl.Series) -> float:
    return float(values.drop_nulls().max() or 0)  # type: ignore[arg-type]


def _spread(row: dict[str, Any], scale: float) -> Point:
    """A difference for a chart, with its interval where there is one."""
    point: Point = {"value": row["difference"] / scale}
    if not isnan(row["half_width"]):
        point |= {"low": row["low"] / scale, "high": row["high"] / scale}
    return point


def _told(reading: Reading, row: dict[str, Any] | None) -> str:
    """A difference of money in a table's cell."""
    if row is None:
        return reading.words.text("nothing")
    said = reading.words.shown(MONEY, row["difference"], signed=True)
    if isnan(row["half_width"]):
        return said
    return f"{said} ({reading.words.range(MONEY, row['low'], row['high'])})"


def _less(reading: Reading, policy: str, unit: str = MONEY) -> str:
    base = reading.called(reading.policies[0])
    said = reading.words.text("difference_to", other=reading.called(policy), base=base)
    return f"{said}, {reading.words.symbol}" if unit == MONEY else said


def _group_name(words: Words, by: str, name: str) -> str:
    return (words.named("parties", name) if by == "party" else name) or words.text("nothing")


def _by_month_end(
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


def _monthly_grid(reading: Reading, monthly: pl.DataFrame, columns: dict[str, str], unit: str, head: str) -> Grid:
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


def _stacks(
    reading: Reading,
    monthly: pl.DataFrame,
    parts: dict[str, str],
    scale: float,
    top: float,
    prefix: str,
    axis: tuple[str, str],
) -> tuple[Picture, ...]:
    """A picture for each policy, all of one scale."""
    firsts = series.months_from(reading.start, len(reading.outcome.results.month_days))
    said = reading.words.text(axis[0], unit=axis[1])
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
        drawn = reading.artist.stacks(points, SMALL, said, list(parts.values()), top / scale, prefix)
        pictures.append(Picture(heading=reading.called(policy), narrow=drawn))
    return tuple(pictures)


def _bars(
    reading: Reading, rows: Iterable[tuple[str, Comparison]], axis: str, scale: float = 1.0
) -> tuple[Picture, ...]:
    points = [
        {
            "row": name,
            "p": letter,
            "value": mean.mean / scale,
            "said": f"{letter} {reading.words.shown(found.figure.unit, mean.mean)}"
            if len(reading.policies) > 1
            else reading.words.shown(found.figure.unit, mean.mean),
        }
        for name, found in rows
        for letter, mean in zip(reading.letters, found.means, strict=True)
        if mean is not None
    ]
    return (_both(lambda look: reading.artist.bars(points, look, axis)),) if points else ()


def _changes_grid(reading: Reading, rows: Iterable[tuple[str, Comparison]], head: str) -> Grid:
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
                changes.append(_told(reading, row | {"low": change.low, "high": change.high}))
            else:
                changes.append(reading.change(change, unit))
        said.append((name, *means, *changes))
    symbol = f", {words.symbol}" if unit == MONEY else ""
    return Grid(
        heads=(
            head,
            *(f"{reading.called(policy)}{symbol}" for policy in reading.policies),
            *(_less(reading, policy, unit) for policy in reading.policies[1:]),
        ),
        rows=tuple(said),
    )
