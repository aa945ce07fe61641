"""The report's chapters: a chart each, a title that says what is read off it, and its numbers as a table."""

from itertools import pairwise
from math import isnan
from typing import Final

import polars as pl

from adapters import report_series as series
from adapters.report_charts import SMALL
from adapters.report_figures import CONTACTS, KeyFigure, compared
from adapters.report_parts import (
    Chapter,
    Grid,
    Picture,
    bars,
    both,
    changes_grid,
    drawer,
    highest,
    largest,
    less,
    monthly_grid,
    rows_by_month_end,
    spread,
    stacks,
    told,
)
from adapters.report_reading import Reading, isolated
from adapters.report_words import COUNT, MONEY, SHARE, Words
from sim.results import STATES

ROWS_MAX: Final = 12
"""Rows of a chart: more are in its table only."""


def chapters(reading: Reading) -> tuple[Chapter, ...]:
    """All that the outcome has something to say about, in the report's order."""
    found = [cash(reading)]
    if len(reading.policies) > 1:
        found += [gain(reading), groups(reading)]
    monthly = series.monthly(reading.outcome)
    found += [age(reading, monthly), rolls(reading, monthly), contacts(reading), suspended(reading)]
    found += [load(reading, monthly), costs(reading)]
    return tuple(found)


def cash(reading: Reading) -> Chapter:
    """Money that has come in, day by day."""
    words = reading.words
    means = series.mean_of(series.cash(reading.outcome), ["cash"], ["policy", "day"])
    scale, unit = words.scaled(largest(means["cash"]))
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
        pictures=(both(lambda look: reading.artist.lines(points, look, axis)),),
        grid=Grid(
            heads=(words.text("month"), *(f"{reading.called(policy)}, {words.symbol}" for policy in reading.policies)),
            rows=rows_by_month_end(reading, means, lambda row: words.shown(MONEY, row["cash"]), reading.policies),
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
        {"at": reading.at(row["day"]), "p": reading.letter(row["policy"]), **spread(row, scale)}
        for row in leads.iter_rows(named=True)
    ]
    axis = words.text("gain_axis", unit=unit)
    return Chapter(
        id="gain",
        title=words.text("gain_title"),
        caption=words.text("gain_caption", base=reading.called(base)),
        without_base=True,
        pictures=(both(lambda look: reading.artist.lines(points, look, axis, zero=True)),),
        grid=Grid(
            heads=(words.text("month"), *(less(reading, policy) for policy in reading.policies[1:])),
            rows=rows_by_month_end(reading, leads, lambda row: told(reading, row), reading.policies[1:]),
        ),
    )


def groups(reading: Reading) -> Chapter:
    """Who gains and who loses."""
    words = reading.words
    notes, pictures, rows = [], [], []
    for by, heading in (("region", "by_region"), ("party", "by_party"), ("segment", "by_segment")):
        found = series.gains(reading.outcome, by)
        names = list(dict.fromkeys(found["group"]))
        if len(names) > ROWS_MAX:
            notes.append(words.text("more_rows", shown=str(ROWS_MAX), all=str(len(names))))
        scale, unit = words.scaled(largest(found["size"]))
        points = [
            {"row": _group_name(words, by, row["group"]), "p": reading.letter(row["policy"]), **spread(row, scale)}
            for row in found.filter(pl.col("group").is_in(names[:ROWS_MAX])).iter_rows(named=True)
        ]
        axis = words.text("groups_axis", unit=unit)
        if points:
            pictures.append(both(drawer(reading.artist.dots, points, axis), words.text(heading)))
        for name in names:
            of_group = {row["policy"]: row for row in found.filter(pl.col("group") == name).iter_rows(named=True)}
            cells = [told(reading, of_group.get(policy)) for policy in reading.policies[1:]]
            rows.append((isolated(_group_name(words, by, name)), *cells))
    return Chapter(
        id="groups",
        title=words.text("groups_title"),
        caption=words.text("groups_caption", base=reading.called(reading.policies[0])),
        without_base=True,
        pictures=tuple(pictures),
        notes=tuple(notes),
        grid=Grid(
            heads=(words.text("group"), *(less(reading, policy) for policy in reading.policies[1:])),
            rows=tuple(rows),
        ),
    )


def age(reading: Reading, monthly: pl.DataFrame) -> Chapter:
    """How overdue debt grows old."""
    words = reading.words
    first = (1, *(bound + 1 for bound in reading.buckets[:-1]))
    ages = [
        words.text("age_bucket", first=str(low), last=str(high))
        for low, high in zip(first, reading.buckets, strict=True)
    ]
    ages.append(words.text("age_last", last=str(reading.buckets[-1])))
    parts = {f"overdue_{bucket}": said for bucket, said in zip(STATES[1:], ages, strict=True)}
    scale, unit = words.scaled(highest(monthly, parts))
    return Chapter(
        id="age",
        title=words.text("age_title"),
        caption=words.text("age_caption"),
        findings=reading.findings(KeyFigure("overdue", MONEY, -1)),
        legend=tuple((f"var(--a{number})", part) for number, part in enumerate(ages)),
        pictures=stacks(reading, monthly, parts, words.text("age_axis", unit=unit), colours="a", scale=scale),
        grid=monthly_grid(reading, monthly, parts, MONEY, words.text("age")),
    )


def load(reading: Reading, monthly: pl.DataFrame) -> Chapter:
    """What managers have to do."""
    words = reading.words
    parts = {"manager_hours": words.text("load_used"), "manager_hours_refused": words.text("load_refused")}
    return Chapter(
        id="load",
        title=words.text("load_title"),
        caption=words.text("load_caption"),
        findings=(
            *reading.findings(KeyFigure("manager_hours", COUNT, 0)),
            *reading.findings(KeyFigure("manager_hours_refused", COUNT, -1)),
        ),
        legend=tuple((f"var(--u{number})", part) for number, part in enumerate(parts.values())),
        pictures=stacks(reading, monthly, parts, words.text("load_axis"), colours="u"),
        grid=monthly_grid(reading, monthly, parts, COUNT, words.text("load")),
    )


def rolls(reading: Reading, monthly: pl.DataFrame) -> Chapter:
    """How much debt slips into the next age."""
    words = reading.words
    bounds = (0, *reading.buckets)
    ages = [f"{low + 1}–{high}" for low, high in pairwise(bounds)] + [f"> {reading.buckets[-1]}"]
    columns = {
        f"roll_{STATES[place]}_{STATES[place + 1]}": words.text("roll_step", before=before, after=after)
        for place, (before, after) in enumerate(pairwise(ages), start=1)
    }
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
        grid=monthly_grid(reading, monthly, columns, SHARE, words.text("roll")),
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
        pictures=bars(reading, rows, words.text("contacts_axis")),
        grid=changes_grid(reading, rows, words.text("kind")),
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
            for picture in bars(reading, [("", found)], axis)
        ),
        grid=changes_grid(reading, rows, words.text("figure")),
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
        pictures=bars(reading, rows[:ROWS_MAX], words.text("cost_axis", unit=unit), scale=scale) if rows else (),
        notes=notes,
        grid=changes_grid(reading, [(isolated(name), found) for name, found in rows], words.text("measure")),
    )


def _group_name(words: Words, by: str, name: str) -> str:
    return (words.named("parties", name) if by == "party" else name) or words.text("nothing")
