"""A policy as its TOML says it. Only well-formed policies are read here: refusing bad ones is not the oracle's work."""

import calendar
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import cel
import holidays

from .instants import Minutes, Zone, parse_clock, parse_date, parse_duration

CONTACTS = ("notify", "call")
ENDINGS = {"terminate": "terminated", "write_off": "written_off", "place": "placed"}
DEFAULT_TARGETS = {
    "notify": "messaging",
    "call": "messaging",
    "task": "crm",
    "restrict": "network",
    "legal": "legal",
    "terminate": "billing",
    "write_off": "billing",
    "place": "billing",
}


class Expression:
    """A CEL expression. One that fails while running counts as false."""

    def __init__(self, text: str) -> None:
        self._program = cel.compile(text)

    def true(self, values: Mapping[str, Any]) -> bool:
        try:
            return self._program.execute(dict(values)) is True
        except Exception:  # whatever the evaluation raises, the expression has failed
            return False


@dataclass(frozen=True, eq=False)
class Measure:
    """One measure of a plan (or of a prevention rule: then without plan, step and day)."""

    name: str
    kind: str
    plan: str | None
    step: int | None
    day: int
    at: Minutes
    target: str
    channel: str | None
    template: str | None
    params: dict[str, Any]
    when: Expression | None
    business_days: bool
    approval: str | None
    confirm_within: Fraction | None
    retries: int
    reverse: str | None

    @property
    def is_contact(self) -> bool:
        return self.kind in CONTACTS


@dataclass(frozen=True)
class Plan:
    name: str
    min_gap_days: int
    measures: tuple[Measure, ...]

    def find(self, name: str) -> Measure | None:
        return next((measure for measure in self.measures if measure.name == name), None)


@dataclass(frozen=True)
class Segment:
    name: str
    when: Expression | None
    plan: str


@dataclass(frozen=True)
class ServiceSegment:
    name: str
    when: Expression | None
    group: str | None


@dataclass(frozen=True, eq=False)
class Prevention:
    name: str
    balance_below: int | None
    rearm_at: int | None
    days_before_due: int | None
    measure: Measure


@dataclass(frozen=True)
class Cap:
    kind: str
    per_day: int | None
    per_week: int | None
    per_month: int | None


@dataclass(frozen=True)
class Hours:
    opens: Minutes
    closes: Minutes


@dataclass(frozen=True)
class Terms:
    days_after: int | None
    day_of_month: int | None

    def due(self, issued: date) -> date:
        """`days_after` the issue; or the next `day_of_month` on or after it (past the month's end: its last day)."""
        if self.days_after is not None:
            return issued + timedelta(days=self.days_after)
        assert self.day_of_month is not None
        candidate = _day_of_month(issued.year, issued.month, self.day_of_month)
        if candidate >= issued:
            return candidate
        next_month = issued.replace(day=1) + timedelta(days=32)
        return _day_of_month(next_month.year, next_month.month, self.day_of_month)


def _day_of_month(year: int, month: int, day: int) -> date:
    return date(year, month, min(day, calendar.monthrange(year, month)[1]))


@dataclass(frozen=True)
class Attribute:
    type: str
    values: tuple[str, ...]
    default: Any

    def accepts(self, value: object) -> bool:
        match self.type:
            case "string":
                return isinstance(value, str)
            case "integer":
                return isinstance(value, int) and not isinstance(value, bool)
            case "boolean":
                return isinstance(value, bool)
            case "enum":
                return isinstance(value, str) and value in self.values
            case "number":
                return isinstance(value, int | float) and not isinstance(value, bool)
            case "date":
                return _is_date(value)
        raise ValueError(f"unknown attribute type {self.type!r}")


def _is_date(value: object) -> bool:
    try:
        parse_date(value)
    except ValueError:
        return False
    return True


@dataclass(frozen=True)
class Policy:
    name: str
    version: int
    zone: Zone
    currency: str
    is_business_day: Callable[[date], bool]
    terms: dict[str, Terms]
    min_overdue: int
    max_overdue: int
    restore_within: Fraction | None
    workday_hours: Hours | None
    dayoff_hours: Hours | None
    caps: tuple[Cap, ...]
    protected_parties: tuple[str, ...]
    attributes: dict[str, Attribute]
    segments: tuple[Segment, ...]
    service_segments: tuple[ServiceSegment, ...]
    preventions: tuple[Prevention, ...]
    plans: dict[str, Plan]
    roles: dict[str, str] | None  # of managers.toml: role by id

    def hours_on(self, day: date) -> Hours | None:
        return self.workday_hours if self.is_business_day(day) else self.dayoff_hours

    def due(self, party: str, issued: date) -> date:
        """The due date of what carries none; a party without terms: due on the day of issue."""
        terms = self.terms.get(party)
        return issued if terms is None else terms.due(issued)

    def find_measure(self, name: str, first: Plan | None) -> Measure | None:
        """A measure of any plan by its name, looked for in one plan before the others."""
        plans = ([first] if first is not None else []) + list(self.plans.values())
        return next((found for plan in plans if (found := plan.find(name)) is not None), None)


def load_policy(path: str | Path) -> Policy:
    """Read one TOML file, or all of a folder merged (with `managers.toml` beside them)."""
    path = Path(path)
    folder = path if path.is_dir() else path.parent
    files = sorted(file for file in path.glob("*.toml") if file.name != "managers.toml") if path.is_dir() else [path]
    raw: dict[str, Any] = {}
    for file in files:
        _merge(raw, tomllib.loads(file.read_text(encoding="utf-8")))
    managers = folder / "managers.toml"
    roles = None
    if managers.exists():
        roles = {m["id"]: m["role"] for m in tomllib.loads(managers.read_text(encoding="utf-8")).get("manager", [])}
    return _policy(raw, roles)


def _merge(into: dict[str, Any], new: Mapping[str, Any]) -> None:
    for key, value in new.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        elif isinstance(value, list) and isinstance(into.get(key), list):
            into[key] = into[key] + value
        else:
            into[key] = value


def _policy(raw: Mapping[str, Any], roles: dict[str, str] | None) -> Policy:
    head, contact = raw["policy"], raw.get("contact", {})
    hours, within = contact.get("hours", {}), raw.get("restore", {}).get("within")
    return Policy(
        name=head["name"],
        version=head["version"],
        zone=Zone(head["timezone"]),
        currency=head["currency"],
        is_business_day=_business_days(head.get("calendar")),
        terms={
            party: Terms(terms.get("days_after"), terms.get("day_of_month"))
            for party, terms in raw.get("terms", {}).items()
        },
        min_overdue=raw.get("entry", {}).get("min_overdue", 1),
        max_overdue=raw.get("exit", {}).get("max_overdue", 0),
        restore_within=None if within is None else parse_duration(within),
        workday_hours=_hours(hours.get("workday")),
        dayoff_hours=_hours(hours.get("dayoff")),
        caps=tuple(
            Cap(cap["kind"], cap.get("per_day"), cap.get("per_week"), cap.get("per_month"))
            for cap in contact.get("caps", [])
        ),
        protected_parties=tuple(contact.get("parties", ["person", "organisation"])),
        attributes={name: _attribute(declared) for name, declared in raw.get("attributes", {}).items()},
        segments=tuple(Segment(s["name"], _expression(s.get("when")), s["plan"]) for s in raw["segment"]),
        service_segments=tuple(
            ServiceSegment(s["name"], _expression(s.get("when")), s.get("group"))
            for s in raw.get("service_segment", [])
        ),
        preventions=tuple(_prevention(rule) for rule in raw.get("prevention", [])),
        plans={name: _plan(name, plan) for name, plan in raw.get("plans", {}).items()},
        roles=roles,
    )


def _business_days(country: str | None) -> Callable[[date], bool]:
    """Without a calendar days off are Saturdays and Sundays; with one, whatever is not a business day there."""
    if country is None:
        return lambda day: day.weekday() < 5
    days = holidays.country_holidays(country)
    return lambda day: bool(days.is_working_day(day))


def _hours(text: str | None) -> Hours | None:
    if text is None:
        return None
    opens, closes = text.split("-")
    return Hours(parse_clock(opens), parse_clock(closes))


def _attribute(declared: str | Mapping[str, Any]) -> Attribute:
    if isinstance(declared, str):
        return Attribute(declared, (), None)
    return Attribute(declared["type"], tuple(declared.get("values", ())), declared.get("default"))


def _expression(text: str | None) -> Expression | None:
    return None if text is None else Expression(text)


def _plan(name: str, raw: Mapping[str, Any]) -> Plan:
    measures = (_measure(m, m["name"], name, step) for step, m in enumerate(raw.get("measure", []), start=1))
    return Plan(name, raw.get("min_gap_days", 1), tuple(measures))


def _prevention(raw: Mapping[str, Any]) -> Prevention:
    below = raw.get("balance_below")
    return Prevention(
        name=raw["name"],
        balance_below=below,
        rearm_at=raw.get("rearm_at", below),
        days_before_due=raw.get("days_before_due"),
        measure=_measure(raw["measure"], raw["name"], None, None),
    )


def _measure(raw: Mapping[str, Any], name: str, plan: str | None, step: int | None) -> Measure:
    confirm_within = raw.get("confirm_within")
    return Measure(
        name=name,
        kind=raw["kind"],
        plan=plan,
        step=step,
        day=raw.get("day", 0),
        at=parse_clock(raw.get("at", "10:00")),
        target=raw.get("target", DEFAULT_TARGETS[raw["kind"]]),
        channel=raw.get("channel"),
        template=raw.get("template"),
        params=raw.get("params", {}),
        when=_expression(raw.get("when")),
        business_days=raw.get("business_days", False),
        approval=raw.get("approval"),
        confirm_within=None if confirm_within is None else parse_duration(confirm_within),
        retries=raw.get("retries", 0),
        reverse=raw.get("reverse"),
    )
