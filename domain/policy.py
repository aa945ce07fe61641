"""The policy: who is worked by which plan, with which measures, under which rules of contact.

Plain data, validated by whoever reads the file (``adapters.policy_files``): the domain trusts it. Money is in minor
units, times of day are seconds since local midnight, durations are microseconds, days are counted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from domain.calendar import BusinessCalendar, Zone, month_day

CONTACT_KINDS: Final = frozenset({"notify", "call"})
TERMINAL_OUTCOMES: Final = {"terminate": "terminated", "write_off": "written_off", "place": "placed"}
DEFAULT_TARGETS: Final = {
    "notify": "messaging",
    "call": "messaging",
    "task": "crm",
    "restrict": "network",
    "legal": "legal",
    "terminate": "billing",
    "write_off": "billing",
    "place": "billing",
}
KINDS: Final = frozenset(DEFAULT_TARGETS)
ROLES: Final = ("specialist", "head", "administrator")
DEFAULT_AT: Final = 10 * 3600


class ConditionFailed(Exception):
    """The expression could not be evaluated on these facts; its text says why."""


class Condition(Protocol):
    """A compiled rule over a profile's facts (CEL in production)."""

    @property
    def source(self) -> str:
        """The expression as its author wrote it."""

    def holds(self, facts: Mapping[str, object]) -> bool:
        """Whether the rule is true for ``facts``; raises `ConditionFailed` where it cannot be said."""


@dataclass(kw_only=True)
class Measure:
    """One thing done to the debtor, with its timing and conditions."""

    name: str
    kind: str
    target: str
    day: int = 0
    at: int = DEFAULT_AT
    channel: str | None = None
    template: str | None = None
    params: Mapping[str, object] = field(default_factory=dict)
    when: Condition | None = None
    business_days: bool = False
    approval: str | None = None
    reverse: str | None = None
    confirm_within: int | None = None
    retries: int = 0
    cost: float = 0.0
    is_contact: bool = field(init=False)
    """Whether the measure reaches the debtor, so that hours and caps hold."""
    ends_run_as: str | None = field(init=False)
    """The outcome with which firing this measure closes its run, if it does."""

    def __post_init__(self) -> None:
        self.is_contact = self.kind in CONTACT_KINDS
        self.ends_run_as = TERMINAL_OUTCOMES.get(self.kind)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """An ordered list of measures."""

    name: str
    measures: tuple[Measure, ...]
    min_gap_days: int = 1

    def step(self, measure: str) -> int | None:
        """The position of ``measure`` from 1, or None where the plan has none of that name."""
        for index, each in enumerate(self.measures):
            if each.name == measure:
                return index + 1
        return None


@dataclass(frozen=True, kw_only=True)
class Terms:
    """The due date of what carries none: exactly one of the two is set."""

    days_after: int | None = None
    day_of_month: int | None = None


@dataclass(frozen=True, kw_only=True)
class ContactHours:
    """Opening times of one kind of day: from ``opens`` (inclusive) to ``closes`` (exclusive)."""

    opens: int
    closes: int


@dataclass(frozen=True, kw_only=True)
class Cap:
    """At most so many contacts of one kind to one profile in a local day, any 7 and any 30 consecutive ones."""

    kind: str
    per_day: int | None = None
    per_week: int | None = None
    per_month: int | None = None


@dataclass(frozen=True, kw_only=True)
class ContactRules:
    """When and how often debtors may be contacted. ``None`` hours: at any time."""

    workday: ContactHours | None = None
    dayoff: ContactHours | None = None
    caps: tuple[Cap, ...] = ()
    parties: frozenset[str] = frozenset({"person", "organisation"})


@dataclass(frozen=True, kw_only=True)
class Attribute:
    """A declared extra attribute: ``type`` is string, integer, number, boolean, date or enum."""

    name: str
    type: str
    values: tuple[str, ...] = ()
    default: str | int | float | bool | None = None


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A policy segment; without ``when`` it takes everyone."""

    name: str
    plan: str
    when: Condition | None = None


@dataclass(frozen=True, kw_only=True)
class ServiceSegment:
    """A service segment: profiles served by one group of managers."""

    name: str
    group: str
    when: Condition | None = None
    personal: Condition | None = None
    assign: str = "by-hand"
    escalate_after: int | None = None


@dataclass(frozen=True, kw_only=True)
class Prevention:
    """A warning before anything is overdue: exactly one of ``balance_below`` and ``days_before_due`` is set."""

    name: str
    measure: Measure
    balance_below: int | None = None
    rearm_at: int = 0
    days_before_due: int | None = None


@dataclass(frozen=True, kw_only=True)
class Breaker:
    """A limit on the commands of one kind in an hour; either bound may be absent."""

    kind: str
    segment: str | None = None
    per_hour: int | None = None
    share_per_hour: float | None = None


@dataclass(frozen=True, kw_only=True)
class Manager:
    """A person who works debts. ``away`` are ranges of days, both ends included."""

    id: str
    name: str
    role: str
    groups: tuple[str, ...] = ()
    capacity: int | None = None
    away: tuple[tuple[int, int], ...] = ()

    def is_away(self, day: int) -> bool:
        """Whether the manager is absent on local ``day``."""
        return any(first <= day <= last for first, last in self.away)


@dataclass(kw_only=True)
class Policy:
    """Everything of one policy version. ``managers`` is None where no file names them: then actors are not checked."""

    name: str
    version: int
    zone: Zone
    calendar: BusinessCalendar
    currency: str
    plans: dict[str, Plan]
    segments: tuple[Segment, ...]
    service_segments: tuple[ServiceSegment, ...] = ()
    preventions: tuple[Prevention, ...] = ()
    terms: dict[str, Terms] = field(default_factory=dict)
    min_overdue: int = 1
    max_overdue: int = 0
    restore_within: int | None = None
    contact: ContactRules = field(default_factory=ContactRules)
    attributes: dict[str, Attribute] = field(default_factory=dict)
    breakers: tuple[Breaker, ...] = ()
    managers: dict[str, Manager] | None = None
    defaults: dict[str, object] = field(init=False)
    """The defaults of the attributes that have one."""
    warnings: tuple[Prevention, ...] = field(init=False)
    """Prevention by balance thresholds."""
    reminders: tuple[Prevention, ...] = field(init=False)
    """Prevention by days before the due date."""

    def __post_init__(self) -> None:
        self.defaults = {each.name: each.default for each in self.attributes.values() if each.default is not None}
        self.warnings = tuple([each for each in self.preventions if each.balance_below is not None])
        self.reminders = tuple([each for each in self.preventions if each.days_before_due is not None])

    def due_day(self, party: str, day: int) -> int:
        """The due date of what was issued to ``party`` on ``day`` and carries none."""
        terms = self.terms.get(party)
        if terms is None:
            return day
        if terms.days_after is not None:
            return day + terms.days_after
        assert terms.day_of_month is not None
        return month_day(day, terms.day_of_month)

    def measure(self, name: str, preferred: str | None) -> tuple[Plan, int] | None:
        """The plan that has a measure of this name, and its index there; ``preferred`` is looked at first."""
        plans = list(self.plans.values())
        first = self.plans.get(preferred) if preferred is not None else None
        if first is not None:
            plans.insert(0, first)
        for plan in plans:
            step = plan.step(name)
            if step is not None:
                return plan, step - 1
        return None

    def has_role(self, actor: str, role: str) -> bool:
        """Whether ``actor`` is a manager of at least ``role``; anyone is where managers are not known."""
        if self.managers is None:
            return True
        manager = self.managers.get(actor)
        return manager is not None and ROLES.index(manager.role) >= ROLES.index(role)
