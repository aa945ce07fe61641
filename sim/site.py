"""The site: what everybody who works in one branch shares, in one replication under one policy."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from simpy import Environment

from domain.events import MeasureRequested
from domain.policy import ROLES, Policy
from sim.casework import Casework
from sim.chance import Chance
from sim.portfolio import Portfolio
from sim.receivables import Receivables
from sim.scenario import Scenario
from sim.tally import Tally


@dataclass(slots=True, kw_only=True)
class Day:
    """What has happened today, as accounts: the branch looks at it in the evening."""

    number: int = 0
    month: int = 0
    failures: list[tuple[int, int]] = field(default_factory=list)
    """Commands that failed: account and code."""
    rung: list[tuple[int, bool]] = field(default_factory=list)
    """Whom the dialler has called, and whether it has reached them."""
    visited: list[tuple[int, bool]] = field(default_factory=list)
    """Whom a person has called, likewise."""
    terminated: list[int] = field(default_factory=list)
    """Whose contract a measure has ended."""


@dataclass(slots=True, kw_only=True)
class Site:
    """``share`` of the scenario's crews and lines work here: 1, or less in a branch that is smaller than the others."""

    env: Environment
    scenario: Scenario
    policy: Policy
    portfolio: Portfolio
    books: Receivables
    tally: Tally
    chance: Chance
    share: float
    codes: dict[str, dict[str, int]]
    """The tally's number of each measure, by plan (empty: of none)."""
    cases: Casework = field(init=False)
    catch_up: Callable[[int], None] = field(init=False)
    """Tells an account's profile what it was not worth telling yet."""
    today: Day = field(default_factory=Day)
    promised: dict[int, list[int]] = field(default_factory=dict)
    """Who will pay on which day, because it was promised."""
    leaving_books: dict[int, list[tuple[int, str]]] = field(default_factory=dict)
    """Whose debt leaves the books on which day, and as what (``written_off``, ``placed``)."""

    def announce(self, at: int) -> None:
        """Somebody acts at ``at``: the casework must not run ahead of it."""
        if at < self.cases.pauses_at:
            self.cases.pauses_at = at

    def code(self, command: MeasureRequested) -> int:
        """The tally's number of the command's measure."""
        return self.codes[command.plan or ""][command.measure]

    def luck(self, purpose: int, at: int, account: int) -> float:
        """The account's uniform number of the day of ``at``."""
        return self.chance.one(purpose, self.policy.zone.day(at), account)

    def here(self, count: int) -> int:
        """How many of ``count`` people or lines work here: at least one of any."""
        return int(np.ceil(count * self.share - 1e-9))

    def actor(self, role: str, group: str | None) -> str:
        """Somebody with ``role``, of the group if it has one."""
        managers = self.policy.managers
        if managers is None:
            return f"the {role}"
        able = [each for each in managers.values() if ROLES.index(each.role) >= ROLES.index(role)]
        own = [each for each in able if group in each.groups]
        found = own or able
        return found[0].id if found else f"the {role}"
