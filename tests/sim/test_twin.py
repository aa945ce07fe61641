"""The twin: a laboratory that goes on where production's profiles stand."""

from dataclasses import replace

from domain.snapshot import freeze
from sim import Experiment
from sim.scenario import Scenario, Twin
from sim.world import Branch
from tests.sim.laboratory import shipped, telecom


def production(accounts: int = 300, days: int = 100) -> tuple[Scenario, Branch]:
    """A world that was lived for a while, and what a copy of it begins with."""
    scenario = shipped("telecom", accounts, days)
    branch = Branch(scenario, telecom(), 8, 0, 0, watched=range(accounts))
    branch.run()
    states = tuple(
        (profile.profile_id, freeze(profile))
        for _, profile in sorted(branch.cases.profiles.items())
        if not profile.closed
    )
    twin = replace(scenario, start=scenario.start + days, days=90, accounts=len(states), twin=Twin(states=states))
    return twin, branch


def test_it_begins_with_what_is_owed() -> None:
    """Receivables at the start are production's, to the kopeck; blocked services are blocked."""
    twin, lived = production()
    branch = Branch(twin, replace(telecom(), version=2), 1, 0, 0)
    frame, _, days = branch.run().frames("twin", 0)
    owed = sum(profile.ledger.debt() for profile in lived.cases.profiles.values() if not profile.closed)
    assert frame.filter(month=0)["opening"].sum() == owed > 0
    assert days["suspended"][0] > 0


def test_a_contract_that_production_has_ended_is_billed_no_more_and_closed() -> None:
    twin, lived = production(600, 105)
    branch = Branch(replace(twin, days=twin.close_after_days + 35), replace(telecom(), version=2), 1, 0, 0)
    branch.run()
    states = twin.twin.states if twin.twin is not None else ()
    ended = [row for row, (name, _) in enumerate(states) if lived.cases.profile(int(name[3:])).blocked]
    assert ended
    for row in ended:
        assert branch.cases.profile(row).closed
        assert (branch.books.due[row][branch.books.left[row] > 0] < twin.start).all()


def test_it_goes_on() -> None:
    """It is billed, worked and paid from there, without a breach; and every sum adds up."""
    twin, _ = production()
    policies = {"as is": replace(telecom(), version=2), "again": replace(telecom(), version=2)}
    outcome = Experiment(twin, policies, replications=1).run()
    months = outcome.results.months.filter(policy="as is")
    sums = months.sum().row(0, named=True)
    last = months.filter(month=months["month"].max())["outstanding"].sum()
    first = months.filter(month=0)["opening"].sum()
    assert first + sums["billed"] - sums["collected"] - sums["credited"] - sums["written_off"] - sums["placed"] == last
    assert sums["billed"] > 0
    assert sums["restrictions"] > 0
    assert sums["breaches"] == 0
    assert outcome.differences("net_value")["difference"].to_list() == [0.0]
