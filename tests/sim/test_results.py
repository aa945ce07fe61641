"""Figures are computed from sums, as the specification's formulas say."""

from pathlib import Path

import polars as pl
import pytest

from sim.results import COLUMNS, DAYS, KEYS, MEASURES, MONTHS, Results, figures


def month(number: int, **sums: int) -> dict[str, object]:
    """A row of one policy and replication, zero where nothing is said."""
    keys = dict(zip(KEYS, ("p", 0, number, "s", "r", "person"), strict=True))
    return keys | dict.fromkeys(COLUMNS, 0) | sums


def of(*rows: dict[str, object]) -> dict[str, float]:
    """The figures of a few months of 30 days."""
    return figures(pl.DataFrame(rows, schema=MONTHS), ["policy"], [30] * len(rows)).row(0, named=True)


def test_dso_is_receivables_by_billed_by_days() -> None:
    """600 owed of 1,800 billed in 60 days: 20 days."""
    found = of(month(0, billed=1_000, outstanding=500), month(1, billed=800, outstanding=600))
    assert found["dso"] == pytest.approx(20.0)


def test_cei_leaves_out_what_is_not_due() -> None:
    """(200 + 1,000 - 300) / (200 + 1,000 - 250) of what could be collected was."""
    found = of(month(0, opening=200, billed=1_000, outstanding=300, not_due=250))
    assert found["cei"] == pytest.approx(100 * 900 / 950)


def test_roll_rates_look_at_the_month_before() -> None:
    """Of 400 in the first bucket 100 are in the second a month later, of 200 then 50."""
    found = of(
        month(0, overdue_1=400, overdue_2=7),
        month(1, overdue_1=200, overdue_2=100),
        month(2, overdue_1=1, overdue_2=50),
    )
    assert found["roll_1_2"] == pytest.approx(150 / 600)


def test_flows_add_up_and_levels_do_not() -> None:
    """Opening is the first month's, what is outstanding the last one's, net value what is left of the cash."""
    found = of(
        month(0, opening=10, outstanding=20, collected=100, cost=5, lost_charges=1),
        month(1, opening=20, outstanding=30, collected=50, cost=5, lost_charges=2),
    )
    assert (found["opening"], found["outstanding"], found["collected"]) == (10, 30, 150)
    assert found["net_value"] == 150 - 10 - 3


def test_what_cannot_be_divided_is_null() -> None:
    """Nothing billed, nobody overdue: no ratio."""
    found = of(month(0))
    assert [found[name] for name in ("dso", "cei", "cure_rate", "roll_1_2", "collected_30_share")] == [None] * 5


def test_tables_come_back_from_parquet(tmp_path: Path) -> None:
    """What is written is read, with the months' lengths and the warm-up, which is not judged."""
    months = pl.DataFrame([month(0, billed=1), month(1, billed=2)], schema=MONTHS)
    results = Results(
        months=months,
        measures=pl.DataFrame(schema=MEASURES),
        days=pl.DataFrame(schema=DAYS),
        month_days=(31, 28),
        warm_up=1,
    )
    results.write(tmp_path / "r.parquet")
    found = Results.read(tmp_path / "r.parquet")
    assert found.months.equals(months)
    assert (found.month_days, found.warm_up) == ((31, 28), 1)
    assert found.figures()["billed"].to_list() == [2]
