"""The scenario: everything of an experiment but its policies. Plain data; an experiment file says it (adapters).

Money is in minor units, days are ordinals, times of day are seconds since local midnight, durations are microseconds
where nothing else is said. Shares and weights need not sum to 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from domain.calendar import HOUR
from sim.behaviour import Behaviour

TARGETS: Final = ("messaging", "network", "partners", "crm", "legal", "billing")


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeDraw:
    """An attribute of the accounts: one of ``values``, drawn by ``weights``."""

    name: str
    values: tuple[object, ...]
    weights: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """Debt that is there when the experiment begins: ``share`` of the accounts owe an item of a log-normal amount,
    due between ``youngest`` and ``oldest`` days before."""

    share: float
    median: int
    spread: float = 0.0
    youngest: int = 1
    oldest: int = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A kind of customers. ``charge`` is the median of what is billed a month (0: nothing), log-normal over accounts
    with ``charge_spread`` and over the months of one with ``month_spread``. ``issue_days`` are the days of the month
    on which invoices are issued, one for each account; they are due ``due_days`` later, or by the policy's terms."""

    name: str
    share: float
    party: str
    behaviour: str
    ledger: str = "invoices"
    charge: int = 0
    charge_spread: float = 0.0
    month_spread: float = 0.0
    issue_days: tuple[int, ...] = (1,)
    due_days: int | None = None
    attributes: tuple[AttributeDraw, ...] = ()
    opening: Opening | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """An executing system: answers after ``fastest`` to ``slowest``, fails with probability ``fails``, and does its
    work without ever answering with probability ``silent``."""

    fastest: int
    slowest: int
    fails: float = 0.0
    silent: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """People of one branch who do the same ``works`` (``task``, ``approval``, ``failed``) for the service ``groups``
    (none: for all). A piece of work takes ``minutes`` on average, exponentially distributed; they begin it between
    ``opens`` and ``closes`` of business days, or of all days."""

    name: str
    people: int
    works: frozenset[str]
    groups: frozenset[str] = frozenset()
    minutes: float = 10.0
    opens: int = 9 * 3600
    closes: int = 18 * 3600
    business_days: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialler:
    """Automatic calls: ``lines`` of a branch (0: as many as it takes), up to ``len(reach)`` attempts a command,
    ``retry_after`` apart, of which the n-th reaches the debtor with probability ``reach[n]``. A call that is answered
    takes ``talk_seconds`` on average (log-normal, ``talk_spread``), another one ``ring_seconds``."""

    lines: int = 0
    reach: tuple[float, ...] = (0.3,)
    retry_after: int = 2 * HOUR
    ring_seconds: float = 25.0
    talk_seconds: float = 45.0
    talk_spread: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """A copy of production's profiles: the id and the frozen state (`domain.snapshot`) of each that is open."""

    states: tuple[tuple[str, tuple[Any, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Who owes, how they behave, and who works it. ``accounts`` are dealt to branches of ``branch_accounts``, each with
    crews and lines of its own: a branch is what one process works at a time, so that results do not depend on how many
    there are. A last branch that is smaller has its share of them, rounded up."""

    name: str
    start: int
    days: int
    accounts: int
    groups: tuple[Group, ...]
    behaviours: Mapping[str, Behaviour]
    branch_accounts: int = 10_000
    warm_up_months: int = 0
    region_attribute: str = "region"
    buckets: tuple[int, int, int] = (30, 60, 90)
    minor_units: int = 100
    gateways: Mapping[str, Gateway] = field(default_factory=dict)
    crews: tuple[Crew, ...] = ()
    dialler: Dialler = field(default_factory=Dialler)
    task_reach: float = 0.5
    """How probably a person who calls reaches the debtor."""
    approval_rejected: float = 0.1
    """How probably a head says no."""
    close_after_days: int = 20
    """Days from the end of a contract by a measure to the account's closing."""
    billed_hour: int = 3
    """The local hour at which a day's invoices are issued."""
    paid_hours: tuple[int, int] = (8, 23)
    """The local hours between which payments come in."""
    twin: Twin | None = None
    """The profiles to begin with instead of drawn ones; ``accounts`` is their number."""
    source: str = ""
    """Where its figures come from, in words."""

    @property
    def branches(self) -> int:
        """How many branches there are."""
        return -(-self.accounts // self.branch_accounts)

    @property
    def flaw(self) -> str:
        """Why its horizon cannot be simulated, in words; empty where it can."""
        first = date.fromordinal(self.start)
        horizon = f"{self.days} days from {first}"
        if self.start + self.days - 1 > date.max.toordinal():
            return f"{horizon} end after {date.max}"
        last = date.fromordinal(self.start + self.days - 1)
        months = (last.year - first.year) * 12 + last.month - first.month + 1
        if months <= self.warm_up_months:
            return f"{horizon} leave no month to judge after the warm-up (warm_up_months = {self.warm_up_months})"
        return ""

    def size(self, branch: int) -> int:
        """The accounts of a branch, counted from 0."""
        return min(self.branch_accounts, self.accounts - branch * self.branch_accounts)
