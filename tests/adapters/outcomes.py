"""Outcomes made up for the report: tables that look like a simulation's, in no time and of any size."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Final

import polars as pl

from adapters.report import About
from sim.experiment import Outcome
from sim.results import DAYS, MEASURES, MONTHS, Results

MONTH_DAYS: Final = (31, 28, 31, 30)
REGIONS: Final = ("MSK", "SPB")
PARTIES: Final = ("person", "organisation")
KINDS: Final = {"warn": "notify", "ring": "call", "block": "restrict"}
ABOUT: Final = About(
    title="a made-up operator",
    start=date(2026, 1, 1),
    accounts=2_000,
    replications=3,
    seed=7,
    file="made-up.toml",
    source="Nowhere: the figures are made up.",
    currency="RUB",
)


def outcome(
    policies: Sequence[str] = ("as is", "earlier"),
    replications: int = 3,
    *,
    scale: float = 1.0,
    segments: Sequence[str] = ("everyone",),
    regions: Sequence[str] = REGIONS,
    measures: Sequence[str] = tuple(KINDS),
    warm_up: int = 0,
    interrupted: bool = False,
    nothing: bool = False,
) -> Outcome:
    """Each policy collects a little more than the one before, not equally much in each replication. ``scale`` is of
    money; with ``nothing`` nobody is billed, owes or pays."""
    months: list[dict[str, object]] = []
    days: list[dict[str, object]] = []
    commands: list[dict[str, object]] = []
    for place, policy in enumerate(policies):
        for replication in range(replications):
            luck = 1 + 0.05 * (replication % 3) + 0.03 * place + 0.002 * (replication * place % 2)
            size = 0.0 if nothing else scale * luck
            keys = {"policy": policy, "replication": replication}
            for month, length in enumerate(MONTH_DAYS):
                for row, (segment, region, party) in enumerate(
                    (segment, region, party) for segment in segments for region in regions for party in PARTIES
                ):
                    of_row = keys | {"month": month, "segment": segment, "region": region, "party": party}
                    months.append(of_row | _sums(size * (1 + 0.2 * row), month, place, length))
                    commands.extend(
                        of_row | {"measure": name, "kind": KINDS.get(name, "notify"), "requested": 10, "failed": 1}
                        | {"cost": round(size * 40 * (1 + number))}
                        for number, name in enumerate(measures)
                    )  # fmt: skip
            for day in range(sum(MONTH_DAYS)):
                sums = {"billed": size * 900, "collected": size * 800, "outstanding": size * 500, "overdue": size * 90}
                days.append(keys | {"day": day} | {name: round(each) for name, each in sums.items()})
    return Outcome(
        results=Results(
            months=_table(months, MONTHS),
            measures=_table(commands, MEASURES),
            days=_table(days, DAYS),
            month_days=MONTH_DAYS,
            warm_up=warm_up,
        ),
        policies=tuple(policies),
        replications=replications,
        interrupted=interrupted,
    )


def promising(made: Outcome, kept: Mapping[tuple[str, int], int]) -> Outcome:
    """The same where of four promises so many are ``kept`` under a policy in a replication; elsewhere none is made."""
    count = pl.concat_str("policy", "replication", separator=" ").replace_strict(
        {f"{policy} {replication}": number for (policy, replication), number in kept.items()},
        default=None,
        return_dtype=pl.Int64,
    )
    months = made.results.months.with_columns(
        promises_matured=pl.when(count.is_null()).then(0).otherwise(4).cast(pl.Int64), promises_kept=count.fill_null(0)
    )
    return replace(made, results=replace(made.results, months=months))


def _sums(size: float, month: int, place: int, days: int) -> dict[str, int]:
    """Of one row of ``months``; what is not named is 0."""
    money = {
        "opening": 400, "outstanding": 500, "not_due": 400, "overdue": 100 + 10 * month, "overdue_1": 50 + 5 * month,
        "overdue_2": 30, "overdue_3": 15, "overdue_4": 5 + 5 * month, "billed": 900 * days, "collected": 800 * days,
        "matured": 800, "matured_30": 800, "matured_60": 800, "matured_90": 800, "collected_30": 700,
        "collected_60": 730, "collected_90": 750, "cost": 240, "lost_charges": 20,
    }  # fmt: skip
    counts = {
        "debtors": 100, "overdue_accounts": 20, "cured_accounts": 8, "contacts_reminder": 60, "contacts_notify": 50,
        "contacts_call": 9 + 4 * place, "contacts_task": 2, "restrictions": 30 - 3 * place,
        "seconds_without_service": 86_400 * 90, "manager_seconds": 36_000, "manager_seconds_refused": 1_800 * place,
        "promises_matured": 0, "churned": 1,
    }  # fmt: skip
    return {name: round(each * size) for name, each in money.items()} | (counts if size else {"debtors": 0})


def _table(rows: list[dict[str, object]], schema: pl.Schema) -> pl.DataFrame:
    filled = [dict.fromkeys(schema, 0) | row for row in rows]
    return pl.DataFrame(filled, schema=schema)
