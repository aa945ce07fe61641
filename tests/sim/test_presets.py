"""The experiments that ship show the figures of the sources that they name."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from adapters.policy_files import load_policy
from sim.behaviour import Integers
from sim.goodness import as_rates
from sim.world import Branch
from tests.sim.laboratory import POLICIES, policy_of, shipped


def test_clients_of_the_card_experiment_move_between_months_late_as_those_of_its_source_did() -> None:
    """Without measures, from one due date to the next: 95.1 % of those in time stay so, and of those who are a month
    late 30.2 % pay everything, 63.6 % as much as falls due, and 6.1 % nothing."""
    world = shipped("card", 8_000, 0)
    world = replace(world, groups=(replace(world.groups[0], issue_days=(1,)),))

    def months_late(on: date) -> Integers:
        lived = Branch(replace(world, days=on.toordinal() - world.start + 1), policy_of(name="nothing"), 1, 0, 0)
        lived.run()
        found: Integers = ((lived.books.left > 0) & (lived.books.due <= on.toordinal())).sum(axis=1)
        return np.minimum(found, 2)

    # What was billed on the first of June and of July falls due then.
    before, after = months_late(date(2026, 7, 1)), months_late(date(2026, 7, 31))
    moved = np.zeros((3, 3))
    np.add.at(moved, (before, after), 1.0)
    rates = as_rates(moved)
    assert rates[0] == pytest.approx([0.951, 0.049, 0.0], abs=0.02)
    assert rates[1] == pytest.approx([0.302, 0.636, 0.061], abs=0.05)


def test_debtors_of_the_agency_experiment_pay_as_often_and_as_much_as_its_source_says() -> None:
    """In a year one in five pays something, and 5.5 % of the value comes in."""
    world = shipped("agency", 6_000, 365)
    lived = Branch(world, load_policy(POLICIES / "fz230"), 1, 0, 0)
    lived.run()
    opened = lived.portfolio.opening
    assert (lived.books.outstanding < opened).mean() == pytest.approx(0.2, abs=0.02)
    assert 1 - lived.books.outstanding.sum() / opened.sum() == pytest.approx(0.055, abs=0.006)
