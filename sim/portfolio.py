"""The portfolio: the accounts of a branch, drawn from the scenario's description. One seed, one portfolio."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from domain.messages import AccountUpdated
from sim import chance as c
from sim.behaviour import Floats, draw_effects, draw_types
from sim.chance import Chance
from sim.receivables import NO_DUE, Money
from sim.scenario import AttributeDraw, Group, Scenario
from sim.twin import Copies

Codes = npt.NDArray[np.int32]

ATTRIBUTES_MAX: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Portfolio:
    """A row for each account. ``group`` indexes the scenario's groups, ``type`` the types of all behaviours in a row,
    ``kind`` the ``introductions``: the account events that begin the profiles, alike for all of a kind.

    ``charge`` is what a median month bills, ``issue_day`` on which day of the month; ``opening`` is the debt at the
    start, due on ``opening_due``.
    """

    group: Codes
    type: Codes
    effect: Floats
    charge: Money
    issue_day: Codes
    opening: Money
    opening_due: npt.NDArray[np.int32]
    kind: Codes
    introductions: list[AccountUpdated]
    regions: list[str]
    """The region of each kind."""

    def __len__(self) -> int:
        return len(self.group)


def type_offsets(scenario: Scenario) -> list[int]:
    """Where the types of each group's behaviour begin among all types, the groups' in their order."""
    offsets = [0]
    for group in scenario.groups:
        offsets.append(offsets[-1] + len(scenario.behaviours[group.behaviour].types))
    return offsets


def draw_portfolio(
    scenario: Scenario, currency: str, at: int, chance: Chance, size: int, copies: Copies | None = None
) -> Portfolio:
    """The accounts of one branch; ``at`` is the instant from which billing knows them.

    Of ``copies`` only that is drawn which nobody knows of them.
    """
    shares = np.cumsum([group.share for group in scenario.groups])
    found = np.searchsorted(shares / shares[-1], chance.uniforms(c.GROUP), side="right")
    group: Codes = np.minimum(found, len(scenario.groups) - 1).astype(np.int32)
    if copies is not None:
        group = copies.groups
    types = np.zeros(size, dtype=np.int32)
    effect = np.ones(size)
    charge = np.zeros(size, dtype=np.int64)
    issue_day = np.ones(size, dtype=np.int32)
    opening = np.zeros(size, dtype=np.int64)
    opening_due = np.full(size, NO_DUE, dtype=np.int32)
    offsets = type_offsets(scenario)
    normals = {purpose: chance.normals(purpose) for purpose in (c.CHARGE, c.EFFECT, c.AMOUNT)}
    for number, each in enumerate(scenario.groups):
        rows = np.flatnonzero(group == number)
        behaviour = scenario.behaviours[each.behaviour]
        types[rows] = offsets[number] + draw_types(behaviour, chance.uniforms(c.TYPE)[rows])
        effect[rows] = draw_effects(behaviour, normals[c.EFFECT][rows])
        charge[rows] = np.rint(each.charge * np.exp(each.charge_spread * normals[c.CHARGE][rows]))
        days = np.array(each.issue_days, dtype=np.int32)
        issue_day[rows] = days[(chance.uniforms(c.ISSUE_DAY)[rows] * len(days)).astype(np.int64)]
        if each.opening is not None and copies is None:
            debt = each.opening
            owing = rows[chance.uniforms(c.OPENING)[rows] < debt.share]
            opening[owing] = np.maximum(1, np.rint(debt.median * np.exp(debt.spread * normals[c.AMOUNT][owing])))
            span = debt.oldest - debt.youngest + 1
            ages = debt.youngest + (chance.uniforms(c.OPENING_AGE)[owing] * span).astype(np.int32)
            opening_due[owing] = scenario.start - ages
    if copies is None:
        kind, introductions, regions = _kinds(scenario, currency, at, chance, group)
    else:
        charge = copies.charges(charge)
        kind, introductions, regions = _kinds_of(copies, scenario, at)
    return Portfolio(
        group=group,
        type=types,
        effect=effect,
        charge=charge,
        issue_day=issue_day,
        opening=opening,
        opening_due=opening_due,
        kind=kind,
        introductions=introductions,
        regions=regions,
    )


def _kinds(
    scenario: Scenario, currency: str, at: int, chance: Chance, group: Codes
) -> tuple[Codes, list[AccountUpdated], list[str]]:
    """Accounts that billing tells the same of are of one kind."""
    kind = np.zeros(len(group), dtype=np.int32)
    introductions: list[AccountUpdated] = []
    regions: list[str] = []
    for number, each in enumerate(scenario.groups):
        rows = np.flatnonzero(group == number)
        mixed = np.zeros(len(rows), dtype=np.int64)
        for place, attribute in enumerate(each.attributes):
            drawn = _drawn(attribute, chance.uniforms(c.ATTRIBUTE + number * ATTRIBUTES_MAX + place)[rows])
            mixed = mixed * len(attribute.values) + drawn
        found, kind_of = np.unique(mixed, return_inverse=True)
        kind[rows] = len(introductions) + kind_of
        for mixture in found.tolist():
            attributes = _unmixed(each, mixture)
            introductions.append(AccountUpdated(at, "account", each.party, currency, each.ledger, None, attributes))
            regions.append(str(attributes.get(scenario.region_attribute, "")))
    return kind, introductions, regions


def _kinds_of(copies: Copies, scenario: Scenario, at: int) -> tuple[Codes, list[AccountUpdated], list[str]]:
    kinds: dict[str, int] = {}
    introductions: list[AccountUpdated] = []
    kind = np.zeros(len(copies.profiles), dtype=np.int32)
    for row in range(len(copies.profiles)):
        introduction = copies.introduction(row, at)
        kind[row] = kinds.setdefault(repr(introduction), len(kinds))
        if kind[row] == len(introductions):
            introductions.append(introduction)
    regions = [str(each.attributes.get(scenario.region_attribute, "")) for each in introductions]
    return kind, introductions, regions


def _drawn(attribute: AttributeDraw, uniforms: Floats) -> npt.NDArray[np.int64]:
    shares = np.cumsum(attribute.weights)
    found = np.searchsorted(shares / shares[-1], uniforms, side="right")
    return np.minimum(found, len(attribute.values) - 1).astype(np.int64)


def _unmixed(group: Group, mixture: int) -> dict[str, object]:
    attributes: dict[str, object] = {}
    for attribute in reversed(group.attributes):
        mixture, drawn = divmod(mixture, len(attribute.values))
        attributes[attribute.name] = attribute.values[drawn]
    return attributes
