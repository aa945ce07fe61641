"""Small worlds for the laboratory's tests: scenarios and policies that say what a test is about, and nothing else."""

from dataclasses import replace
from datetime import date
from pathlib import Path

from adapters.experiment_file import load_experiment
from adapters.policy_files import load_policy
from domain.calendar import BusinessCalendar, Zone
from domain.policy import Measure, Plan, Policy, Segment, Terms
from sim.behaviour import Behaviour, DebtorType
from sim.scenario import Group, Scenario

POLICIES = Path(__file__).parents[2] / "adapters" / "policies"
START = date(2026, 1, 1).toordinal()


def telecom() -> Policy:
    """The textbook policy as it ships."""
    return load_policy(POLICIES / "telecom")


def shipped(name: str, accounts: int, days: int, branch_accounts: int = 10_000) -> Scenario:
    """A scenario that ships, made small."""
    scenario = load_experiment(Path(name)).scenario
    return replace(scenario, accounts=accounts, days=days, branch_accounts=branch_accounts, warm_up_months=0)


def policy_of(*measures: Measure, name: str = "tried") -> Policy:
    """A policy of one plan, without prevention and rules of contact."""
    plan = Plan(name="plan", measures=measures)
    return Policy(
        name=name,
        version=1,
        zone=Zone("Europe/Moscow"),
        calendar=BusinessCalendar(),
        currency="RUB",
        plans={"plan": plan},
        segments=(Segment(name="everyone", plan="plan"),),
        terms={"person": Terms(days_after=10)},
    )


def scenario_of(behaviour: Behaviour, accounts: int = 2_000, days: int = 90, **group: object) -> Scenario:
    """Persons of one behaviour, billed on the first of each month."""
    fields: dict[str, object] = {"charge": 50_000, "issue_days": (1,)} | group
    persons = Group(name="persons", share=1, party="person", behaviour="theirs", **fields)  # type: ignore[arg-type]
    return Scenario(
        name="small", start=START, days=days, accounts=accounts, groups=(persons,), behaviours={"theirs": behaviour}
    )


def constant(rate: float) -> Behaviour:
    """Everybody pays at the same rate a day, from the invoice on."""
    return Behaviour(bins=(-60,), types=(DebtorType(name="alike", share=1, rates=(rate,)),))
