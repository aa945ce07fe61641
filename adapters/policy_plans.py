"""Plans and their measures, and the measures of prevention."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from adapters.faults import shown
from adapters.policy_parts import condition, word
from adapters.policy_words import hours_words
from adapters.rules import Scope
from adapters.toml_tables import DAYS_MAX, MONEY_MAX, Table, plain
from domain.calendar import time_of
from domain.policy import (
    DEFAULT_AT,
    DEFAULT_TARGETS,
    KINDS,
    ROLES,
    ContactRules,
    Measure,
    Plan,
    Prevention,
)

PLANS_MAX: Final = 200
MEASURES_MAX: Final = 200
PREVENTIONS_MAX: Final = 200
RETRIES_MAX: Final = 100
CHANNELS: Final = ("email", "letter", "push", "sms")
PREVENTION_KINDS: Final = ("call", "notify", "task")


def read_plans(roots: Sequence[Table], contact: ContactRules, scope: Scope) -> dict[str, Plan]:
    """`[plans.*]` of all files: a plan stands in one of them."""
    found: dict[str, Plan] = {}
    places: dict[str, str] = {}
    for root in roots:
        plans = root.table("plans", "[plans]")
        for name in plans or ():
            assert plans is not None
            place = plans.place_of(name)
            table = plans.table(name, f"plan {shown(name)}")
            if name in found:
                plans.fault(name, f"{shown(name)} is already in {places[name]}")
            elif not name.isprintable() or not name.strip() or len(name.encode()) > 100:
                plans.fault(name, "a plan's name must be printable, of at most 100 bytes")
            elif len(found) == PLANS_MAX:
                plans.fault(name, f"more than {PLANS_MAX} plans")
                return found
            elif table is not None:
                found[name] = _plan(name, table, contact, scope)
                places[name] = f"{place.file}:{place.line}"
    return found


def _plan(name: str, table: Table, contact: ContactRules, scope: Scope) -> Plan:
    gap = table.integer("min_gap_days", 1, most=DAYS_MAX)
    taken: set[str] = set()
    day = 0
    measures = []
    for each in table.tables("measure", "measure", MEASURES_MAX):
        each.require("name", "kind", "day")
        measure = _measure(each, word(each, "name") or "", contact, scope, previous_day=day)
        if measure.name in taken:
            each.fault("name", f"there is another measure of this name in plan {shown(name)}")
        if measure.day < day:
            hint = "measures stand in the order in which they fire"
            each.fault("day", f"day {measure.day} comes after day {day} of the measure before it", hint)
        if measure.name:
            taken.add(measure.name)
        day = max(day, measure.day)
        measures.append(measure)
    table.close()
    return Plan(name=name, measures=tuple(measures), min_gap_days=gap)


def _measure(table: Table, name: str, contact: ContactRules, scope: Scope, *, previous_day: int) -> Measure:
    """A plan's measure: what every measure has, and its day, business days, approval and reversal."""
    day = table.integer("day", previous_day, most=DAYS_MAX)
    business_days = table.flag("business_days", False)
    approval = table.choice("approval", None, ROLES[1:])
    reverse = word(table, "reverse")
    kind = table.choice("kind", "", KINDS)
    if "reverse" in table and kind not in ("restrict", ""):
        table.fault("reverse", f"a measure of kind {kind} has no reverse", "only restrict takes something away")
    common = _common(table, name, kind, scope, at=DEFAULT_AT)
    _within_hours(table, common, contact)
    if business_days and contact.workday is not None and common.is_contact and common.at >= contact.workday.closes:
        said = f"at {time_of(common.at)} is after the contact hours of every business day"
        table.fault("at", f"{said} ({hours_words(contact.workday)})", "or leave out business_days")
    return replace(common, day=day, business_days=business_days, approval=approval, reverse=reverse)


def _common(table: Table, name: str, kind: str, scope: Scope, *, at: int) -> Measure:
    measure = Measure(
        name=name,
        kind=kind,
        target=word(table, "target") or DEFAULT_TARGETS.get(kind, ""),
        at=table.time_of_day("at", at),
        channel=table.choice("channel", None, CHANNELS) if kind == "notify" else table.text("channel", None),
        template=table.text("template", None),
        params=_params(table),
        when=condition(table, "when", scope),
        confirm_within=table.duration("confirm_within", None),
        retries=table.integer("retries", 0, most=RETRIES_MAX),
        cost=table.number("cost", 0.0),
    )
    table.close()
    return measure


def read_preventions(tables: list[Table], contact: ContactRules, scope: Scope) -> tuple[Prevention, ...]:
    """`[[prevention]]`: a threshold of the balance or a day before the due date, and what is sent then."""
    names: set[str] = set()
    found = []
    for table in tables:
        table.require("name", "measure")
        name = word(table, "name") or ""
        if name in names:
            table.fault("name", f"there is another prevention {shown(name)}")
        if name:
            names.add(name)
        rule = _prevention(table, name, contact, scope)
        table.close()
        if rule is not None:
            found.append(rule)
    return tuple(found)


def _prevention(table: Table, name: str, contact: ContactRules, scope: Scope) -> Prevention | None:
    below = table.integer("balance_below", None, least=-MONEY_MAX)
    before = table.integer("days_before_due", None, most=DAYS_MAX)
    if ("balance_below" in table) == ("days_before_due" in table):
        said = "needs one of balance_below, days_before_due"
        table.faults.add(table.place, f"{table.title}: {said}", "and not both")
    rearm_at = table.integer("rearm_at", below or 0, least=-MONEY_MAX)
    if "rearm_at" in table and "balance_below" not in table:
        table.fault("rearm_at", "rearm_at belongs to balance_below")
    elif below is not None and rearm_at < below:
        table.fault("rearm_at", f"rearm_at {rearm_at} is below balance_below {below}")
    # The time may stand with the rule or with what is sent.
    at = table.time_of_day("at", DEFAULT_AT)
    sent = table.table("measure", f"measure of {table.title}")
    if sent is None:
        return None
    sent.require("kind")
    if "at" in table and "at" in sent:
        sent.fault("at", "at stands with the rule already")
    kind = sent.choice("kind", "", PREVENTION_KINDS)
    measure = _common(sent, name, kind, scope, at=at)
    # A warning of the balance goes at once, at no time of day: one that nobody wrote is not held against it.
    if "balance_below" not in table or "at" in table or "at" in sent:
        _within_hours(table if "at" in table else sent, measure, contact)
    return Prevention(name=name, measure=measure, balance_below=below, rearm_at=rearm_at, days_before_due=before)


def _within_hours(table: Table, measure: Measure, contact: ContactRules) -> None:
    """Notes a contact whose time is outside the hours of every day: it could never go at it."""
    days = (contact.workday, contact.dayoff)
    if not measure.is_contact or None in days:
        return
    if not any(hours.opens <= measure.at < hours.closes for hours in days if hours):
        listed = " and ".join(hours_words(hours) for hours in days)
        table.fault("at", f"at {time_of(measure.at)} is outside the contact hours of every day ({listed})")


def _params(table: Table) -> Mapping[str, object]:
    params = table.table("params", f"params of {table.title}")
    if params is None:
        return {}
    found: dict[str, object] = {}
    for key in params:
        try:
            found[key] = plain(params.raw(key))
        except ValueError as error:
            params.fault(key, f"{shown(key)} cannot be sent: {error}")
    return found
