"""What a simulation leaves: tables of additive sums, and the figures that are computed from them.

Three tables, each a polars frame. ``months`` has a row for each policy, replication, month, policy segment, region and
party, and nothing but sums in it: rows may be added up over any of these keys (not levels such as ``debtors``,
``opening``, ``outstanding``, ``overdue`` and the buckets over months) before a ratio is taken. ``measures`` counts the
commands of each measure, ``days`` holds the cash of each day. Segments are as the experiment's first policy draws them.
Money is in minor units.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import polars as pl

KEYS: Final = ("policy", "replication", "month", "segment", "region", "party")
"""What a row of ``months`` is about. ``month`` counts from 0; the first day of the experiment begins the first one."""

BUCKETS: Final = 4
"""How many classes of age overdue money has; their bounds are the experiment's (default: 1-30, 31-60, 61-90, over 90
days past the due date of the item)."""

STATES: Final = ("c", "1", "2", "3", "4")
"""What an account is at a month's end: current, or its oldest overdue item in that bucket."""

ENDS: Final = (*STATES, "w")
"""What it became a month later; ``w``: its debt was written off, or placed."""

LEVELS: Final = (
    "debtors",  # accounts under contract at the month's end, or with debt
    "opening",  # receivables at the month's start
    "outstanding",  # receivables at the month's end
    "not_due",  # of them not overdue
    "overdue",  # of them overdue
    *(f"overdue_{bucket}" for bucket in STATES[1:]),
)
FLOWS: Final = (
    "billed",
    "credited",  # claims upheld
    "collected",
    "written_off",
    "placed",
    "matured",  # billed amounts whose due date lies in this month ...
    "collected_30",  # ... and what of exactly these came in until 30 days after it, whenever that was
    "collected_60",
    "collected_90",
    "matured_30",  # of the matured, those whose 30 days end within the horizon: the base of collected_30
    "matured_60",
    "matured_90",
    *(f"accounts_{start}_{end}" for start in STATES for end in ENDS),
    *(f"amount_{start}_{end}" for start in STATES for end in ENDS),  # overdue at the start (at the end from c)
    "overdue_accounts",  # at the month's start
    "cured_accounts",  # of them not overdue at its end, nor written off
    "promises_matured",
    "promises_kept",
    "promised_matured",
    "promised_kept",
    "contacts_reminder",  # prevention
    "contacts_notify",
    "contacts_call",
    "contacts_task",  # by a person
    "breaches",  # contacts against the rules: 0, or the product is wrong
    "restrictions",
    "restores",
    "seconds_without_service",
    "seconds_without_service_paid",  # of them while nothing was owed
    "cost",
    "manager_seconds",
    "manager_seconds_refused",  # work that nobody had time for before it was moot
    "line_seconds",  # of the dialler
    "line_seconds_refused",
    "churned",  # accounts that left
    "lost_charges",  # what they would have been billed until the horizon
)
COLUMNS: Final = (*LEVELS, *FLOWS)

MONTHS: Final = pl.Schema(
    {"policy": pl.String, "replication": pl.Int32, "month": pl.Int32}
    | dict.fromkeys(("segment", "region", "party"), pl.String)
    | dict.fromkeys(COLUMNS, pl.Int64)
)
MEASURES: Final = pl.Schema(
    {"policy": pl.String, "replication": pl.Int32, "month": pl.Int32}
    | dict.fromkeys(("segment", "region", "party"), pl.String)
    | {"measure": pl.String, "kind": pl.String}  # `reminder` for prevention, `restore` for reversals
    | dict.fromkeys(("requested", "failed", "cost"), pl.Int64)
)
DAYS: Final = pl.Schema(
    {"policy": pl.String, "replication": pl.Int32, "day": pl.Int32}
    | dict.fromkeys(("billed", "collected", "outstanding", "overdue", "contacts", "suspended"), pl.Int64)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What was simulated. ``month_days`` are the lengths of the months, ``warm_up`` how many of them are not judged."""

    months: pl.DataFrame
    measures: pl.DataFrame
    days: pl.DataFrame
    month_days: tuple[int, ...]
    warm_up: int = 0

    def figures(self, by: Sequence[str] = ("policy", "replication")) -> pl.DataFrame:
        """The figures of spec by the keys ``by``; months of the warm-up are left out."""
        judged = self.months.filter(pl.col("month") >= self.warm_up)
        return figures(judged, by, self.month_days)

    def write(self, path: Path) -> None:
        """``path`` becomes the Parquet file of ``months``; ``.measures`` and ``.days`` before its suffix the others.

        Each appears, or is replaced, as a whole. Raises OSError.
        """
        notes = {"month_days": " ".join(map(str, self.month_days)), "warm_up": str(self.warm_up)}
        _write(self.measures, _beside(path, "measures"), {})
        _write(self.days, _beside(path, "days"), {})
        _write(self.months, path, notes)

    @staticmethod
    def read(path: Path) -> "Results":
        """What `write` wrote."""
        notes = pl.read_parquet_metadata(path)
        return Results(
            months=pl.read_parquet(path),
            measures=pl.read_parquet(_beside(path, "measures")),
            days=pl.read_parquet(_beside(path, "days")),
            month_days=tuple(map(int, notes["month_days"].split())),
            warm_up=int(notes["warm_up"]),
        )


def _write(table: pl.DataFrame, path: Path, notes: dict[str, str]) -> None:
    target = path.resolve()  # a link stays a link
    draft = target.with_name(f".{target.name}.{os.getpid()}.draft")
    try:
        table.write_parquet(draft, metadata=notes)
        draft.replace(target)
    except pl.exceptions.PolarsError as error:
        raise OSError(f"{path}: {error}") from error
    finally:
        draft.unlink(missing_ok=True)


def _beside(path: Path, table: str) -> Path:
    return path.with_name(f"{path.stem}.{table}{path.suffix}")


def figures(months: pl.DataFrame, by: Sequence[str], month_days: Sequence[int]) -> pl.DataFrame:
    """The figures of ``months``, a row for each combination of the keys ``by``, in their order.

    Flows are added up over the months that a row covers; of levels, ``opening`` is the first month's, the others are
    the last one's. Ratios with an empty denominator are null.
    """
    ordered = months.group_by([*by, *(["month"] if "month" not in by else [])]).agg(pl.sum(*COLUMNS)).sort(*by, "month")
    days = pl.col("month").replace_strict(dict(enumerate(month_days)), return_dtype=pl.Int64)
    ordered = ordered.with_columns(days.alias("period_days"))
    previous = [
        pl.col(f"overdue_{bucket}")
        .shift(1)
        .over([each for each in by if each != "month"] or pl.lit(1))
        .alias(f"before_{bucket}")
        for bucket in STATES[1:-1]
    ]
    ordered = ordered.with_columns(previous)
    rolled = [
        pl.col(f"overdue_{after}").filter(pl.col(f"before_{before}").is_not_null()).sum().alias(f"rolled_{before}")
        for before, after in pairwise(STATES[1:])
    ]
    sums = ordered.group_by(by, maintain_order=True).agg(
        pl.sum("period_days", *FLOWS),
        pl.first("opening"),
        pl.last(*[level for level in LEVELS if level != "opening"]),
        pl.sum(*(f"before_{bucket}" for bucket in STATES[1:-1])),
        *rolled,
    )
    return sums.with_columns(*_ratios())


def _ratios() -> list[pl.Expr]:
    col = pl.col
    entered = col("opening") + col("billed")
    contacts = col("contacts_reminder") + col("contacts_notify") + col("contacts_call") + col("contacts_task")
    named: Mapping[str, pl.Expr] = {
        **{
            f"collected_{days}_share": _ratio(col(f"collected_{days}"), col(f"matured_{days}")) for days in (30, 60, 90)
        },
        **{
            f"roll_{before}_{after}": _ratio(col(f"rolled_{before}"), col(f"before_{before}"))
            for before, after in pairwise(STATES[1:])
        },
        "cure_rate": _ratio(col("cured_accounts"), col("overdue_accounts")),
        "dso": _ratio(col("outstanding"), col("billed")) * col("period_days"),
        "cei": _ratio(entered - col("outstanding"), entered - col("not_due")) * 100,
        "promises_kept_share": _ratio(col("promises_kept"), col("promises_matured")),
        "promised_kept_share": _ratio(col("promised_kept"), col("promised_matured")),
        "contacts": contacts,
        "contacts_per_debtor": _ratio(contacts, col("debtors")),
        "days_without_service": col("seconds_without_service") / 86_400,
        "days_without_service_paid": col("seconds_without_service_paid") / 86_400,
        "manager_hours": col("manager_seconds") / 3_600,
        "manager_hours_refused": col("manager_seconds_refused") / 3_600,
        "cost_per_collected": _ratio(col("cost"), col("collected")),
        "net_value": col("collected") - col("cost") - col("lost_charges"),
    }
    return [expression.alias(name) for name, expression in named.items()]


def _ratio(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    return pl.when(whole != 0).then(part / whole)


FIGURES: Final = (*COLUMNS, *(ratio.meta.output_name() for ratio in _ratios()))
"""What `figures` computes, by name."""

TOTALS: Final = frozenset(COLUMNS) | {
    "contacts", "days_without_service", "days_without_service_paid", "manager_hours", "manager_hours_refused",
    "net_value",
}  # fmt: skip
"""Those of them that grow with the portfolio; the others are shares, rates and averages."""
