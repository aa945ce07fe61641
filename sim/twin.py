"""The twin: an experiment that begins with a copy of production's profiles instead of drawn ones.

What the copy knows is kept as it is: debts, runs, restrictions, promises, contacts, open work. What nobody knows of
real debtors (their type, what they will be billed) is drawn from the scenario's group of their party.
"""

from collections.abc import Sequence
from statistics import median
from typing import Final

import numpy as np

from domain.calendar import NEVER
from domain.messages import AccountUpdated
from domain.profile import Profile
from domain.snapshot import thaw
from sim.receivables import Money
from sim.scenario import Scenario


class Copies:
    """The profiles of one branch of a twin, thawed."""

    def __init__(self, scenario: Scenario, branch: int) -> None:
        assert scenario.twin is not None
        first = branch * scenario.branch_accounts
        states = scenario.twin.states[first : first + scenario.size(branch)]
        self.profiles: Final = [thaw(profile_id, state) for profile_id, state in states]
        self.groups: Final = np.array([_group(scenario, profile) for profile in self.profiles], dtype=np.int32)

    @property
    def items_max(self) -> int:
        """The greatest number of open items of an account."""
        return max((len(profile.ledger.open_items) for profile in self.profiles), default=0)

    def charges(self, drawn: Money) -> Money:
        """What a month costs: the median of what the account has paid, where it has; else as drawn."""
        found = drawn.copy()
        for row, profile in enumerate(self.profiles):
            paid = [payment.amount for payment in profile.ledger.payments.values() if not payment.reversed]
            if paid and drawn[row] > 0:
                found[row] = max(1, int(median(paid)))
        return found

    def introduction(self, row: int, at: int) -> AccountUpdated:
        """What billing tells of the account."""
        profile = self.profiles[row]
        return AccountUpdated(
            at,
            profile.projection,
            profile.party,
            profile.currency,
            profile.ledger_kind,
            None,
            dict(profile.attributes or {}),
        )


def _group(scenario: Scenario, profile: Profile) -> int:
    """The scenario's first group of the profile's party and ledger, else of its party, else the first."""
    groups = scenario.groups
    for wanted in ((profile.party, profile.ledger_kind), (profile.party, None)):
        for number, group in enumerate(groups):
            if group.party == wanted[0] and wanted[1] in (None, group.ledger):
                return number
    return 0


def latest(profiles: Sequence[Profile]) -> int:
    """The last instant of which the profiles tell."""
    instants = [0]
    for profile in profiles:
        instants.extend(item.since for item in profile.ledger.open_items)
        if profile.run is not None:
            instants.append(profile.run.opened_at)
        instants.extend(sent.command.at for sent in (profile.outstanding or {}).values())
    return max(each for each in instants if each < NEVER)
