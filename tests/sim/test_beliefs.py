"""Why the laboratory is to be believed: where the truth is known beforehand, it finds it."""

from dataclasses import replace
from datetime import date
from math import exp, sqrt

import numpy as np
import polars as pl
import pytest

from domain.policy import Measure
from sim import Experiment
from sim.behaviour import Behaviour, DebtorType, Lift, hazard
from sim.comparison import mean_interval
from sim.results import STATES, figures
from sim.scenario import Crew, Dialler, Opening
from sim.world import Branch
from tests.sim.laboratory import constant, policy_of, scenario_of

NOTHING = policy_of(name="nothing")


def test_without_measures_debtors_survive_as_their_behaviour_says() -> None:
    """A policy that does nothing: on every day the share that still owes is the behaviour's own survival curve."""
    types = (
        DebtorType(name="quick", share=0.6, rates=(0.02, 0.2, 0.05)),
        DebtorType(name="slow", share=0.4, rates=(0.005, 0.03, 0.01)),
    )
    behaviour = Behaviour(bins=(-20, 1, 15), types=types, spread=0.5, overdue_power=0.4)
    accounts, days = 20_000, 60
    opening = Opening(share=1.0, median=1_000, youngest=0, oldest=0)
    scenario = scenario_of(behaviour, accounts, days, charge=0, opening=opening)
    branch = Branch(replace(scenario, branch_accounts=accounts), NOTHING, 1, 0, 0)
    outstanding = branch.run().daily["outstanding"] / (1_000 * accounts)

    portfolio = branch.portfolio
    alive = np.ones(accounts)
    expected = []
    for day in range(days):
        late = np.full(accounts, day)
        alive *= 1 - hazard(behaviour, portfolio.type, portfolio.effect, late, np.zeros(accounts))
        expected.append(alive.mean())
    for found, of_truth in zip(outstanding, expected, strict=True):
        assert abs(found - of_truth) < 4 * sqrt(of_truth * (1 - of_truth) / accounts)


def test_roll_rates_are_those_of_the_chain() -> None:
    """Debtors who pay all at the rate of their bucket are a Markov chain; its matrix is what the tables show."""
    rates = (0.0, 0.05, 0.03, 0.01, 0.002)
    behaviour = Behaviour(bins=(-60, 1, 31, 61, 91), types=(DebtorType(name="alike", share=1, rates=rates),))
    accounts = 30_000
    world = scenario_of(behaviour, accounts, 30, charge=0)
    groups = tuple(
        replace(world.groups[0], name=f"{age}", opening=Opening(share=1.0, median=1_000, youngest=age, oldest=age))
        for age in (15, 45, 75)
    )
    april = date(2026, 4, 1).toordinal()
    scenario = replace(world, groups=groups, start=april, branch_accounts=accounts)
    frame, _, _ = Branch(scenario, NOTHING, 3, 0, 0).run().frames("nothing", 0)
    moved = frame.select(pl.col("^accounts_.*$").sum()).row(0, named=True)
    for bucket in (1, 2, 3):
        row = {end: moved[f"accounts_{bucket}_{end}"] for end in (*STATES, "w")}
        total = sum(row.values())
        assert total > 9_000
        # Sixteen days of April are in the bucket, the other fourteen in the next.
        rolls = exp(-(16 * rates[bucket] + 14 * rates[bucket + 1]))
        assert row["c"] + row[f"{bucket + 1}"] == total
        assert row[f"{bucket + 1}"] / total == pytest.approx(rolls, abs=4 * sqrt(rolls * (1 - rolls) / total))
    found = figures(frame, ["policy"], [30])
    assert found["cure_rate"][0] == sum(moved[f"accounts_{k}_c"] for k in (1, 2, 3)) / accounts


def test_a_cure_is_not_a_disappearance() -> None:
    """Money is neither made nor lost: what was there and what was billed is collected, credited, given up or owed."""
    scenario = scenario_of(constant(0.05), 2_000, 120, month_spread=0.3)
    frame, _, days = Branch(scenario, NOTHING, 5, 0, 0).run().frames("nothing", 0)
    sums = frame.sum().row(0, named=True)
    first = frame.filter(pl.col("month") == 0)["opening"].sum()
    last = frame.filter(pl.col("month") == frame["month"].max())["outstanding"].sum()
    gone = sums["collected"] + sums["credited"] + sums["written_off"] + sums["placed"]
    assert first + sums["billed"] - gone == last == days["outstanding"][-1]
    assert days["overdue"][-1] == frame.filter(pl.col("month") == frame["month"].max())["overdue"].sum()


LIFTED = Behaviour(
    bins=(-30, 1),
    types=(DebtorType(name="alike", share=1, rates=(0.02, 0.04)),),
    lifts={"notify": Lift(size=2.0, fade_days=3), "restrict": Lift(size=6.0, fade_days=10)},
)
BLOCK = Measure(name="block", kind="restrict", target="network", day=6, reverse="unblock")
SMS = Measure(name="sms", kind="notify", target="messaging", day=3, channel="sms", template="owe", cost=2.5)


def test_to_block_earlier_brings_money_earlier() -> None:
    """A block five days earlier: more is collected, less is overdue, more blocks; and contacts stay as they were."""
    policies = {
        "late": policy_of(SMS, replace(BLOCK, day=11)),
        "early": policy_of(SMS, BLOCK),
    }
    outcome = Experiment(scenario_of(LIFTED, 1_500, 90), policies, replications=6, seed=4).run()
    collected, overdue, blocks = (
        outcome.differences(figure).row(0, named=True) for figure in ("collected", "overdue", "restrictions")
    )
    assert collected["low"] > 0
    assert overdue["high"] < 0
    assert blocks["low"] > 0
    assert collected["difference"] < 0.1 * collected["base"]


CALLED = Behaviour(
    bins=(-30, 1),
    types=(DebtorType(name="alike", share=1, rates=(0.02, 0.02)),),
    lifts={"call": Lift(size=4.0, fade_days=4), "task": Lift(size=8.0, fade_days=5)},
)


def test_half_of_the_calls_brings_less_and_costs_less() -> None:
    """Two automatic calls dropped out of four: half the cost, later money."""
    calls = [
        Measure(name=f"call-{day}", kind="call", target="messaging", day=day, channel="autodial", cost=6.0)
        for day in (2, 6, 10, 14)
    ]
    policies = {"four": policy_of(*calls), "two": policy_of(*calls[::2])}
    world = replace(scenario_of(CALLED, 1_000, 60), dialler=Dialler(reach=(0.6,)))
    outcome = Experiment(world, policies, replications=4, seed=2).run()
    cost, collected, contacts = (
        outcome.differences(figure).row(0, named=True) for figure in ("cost", "collected", "contacts")
    )
    assert -0.6 * cost["base"] < cost["difference"] < -0.3 * cost["base"]
    assert contacts["high"] < 0
    assert collected["high"] < 0
    assert collected["difference"] > -0.1 * collected["base"]


def test_half_of_the_managers_do_half_of_the_work() -> None:
    """One of two is busy all day and leaves more undone, and less comes in."""
    policy = policy_of(Measure(name="ring", kind="task", target="crm", day=2, at=9 * 3600))
    found = []
    for people in (2, 1):
        crew = Crew(name="callers", people=people, works=frozenset({"task"}), minutes=30.0)
        world = replace(scenario_of(CALLED, 1_000, 60), crews=(crew,), task_reach=0.8, branch_accounts=1_000)
        found.append(Experiment(world, {"p": policy}, replications=4, seed=3).run().figures().sort("replication"))
    two, one = found
    assert 0.45 < one["manager_hours"].to_numpy().sum() / two["manager_hours"].to_numpy().sum() < 0.85
    assert one["manager_hours_refused"].sum() > two["manager_hours_refused"].sum()
    less = mean_interval((one["collected"] - two["collected"]).to_list())
    assert less.high < 0


def test_a_message_that_moves_nobody_only_costs() -> None:
    """Without a lift of its kind, a measure changes nothing but the bill: exactly."""
    without = replace(LIFTED, lifts={"restrict": LIFTED.lifts["restrict"]})
    policies = {"silent": policy_of(BLOCK), "chatty": policy_of(SMS, BLOCK)}
    outcome = Experiment(scenario_of(without, 500, 60), policies, replications=2).run()
    assert outcome.differences("collected")["difference"].to_list() == [0.0]
    contacts = outcome.mean("contacts", "chatty").mean
    assert outcome.differences("cost")["difference"].to_list() == [250 * contacts]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_intervals_cover_the_truth() -> None:
    """In about 95 of 100 repetitions the interval of a difference holds what a long run finds."""
    policies = {"late": policy_of(replace(BLOCK, day=11)), "early": policy_of(BLOCK)}
    world = scenario_of(LIFTED, 300, 75)
    long_run = Experiment(world, policies, replications=400, seed=99).run(2)
    truth = long_run.differences("collected")["difference"][0]
    covered = 0
    for seed in range(100):
        row = Experiment(world, policies, replications=5, seed=seed).run().differences("collected").row(0, named=True)
        covered += row["low"] <= truth <= row["high"]
    assert 89 <= covered <= 100


def test_an_interval_is_students() -> None:
    """Of 1, 2, 3: mean 2, and t(2) = 4.3027 standard errors of 1 / sqrt(3)."""
    found = mean_interval([1.0, 2.0, 3.0])
    assert found.mean == 2.0
    assert found.half_width == pytest.approx(4.302653 / sqrt(3), rel=1e-6)
