"""The parts of a policy that stand in a table of their own: terms, contact rules, attributes, segments, breakers."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from adapters.faults import Faults, shown
from adapters.rule_check import compile_rule
from adapters.rule_trial import is_date
from adapters.rules import RuleError, Scope
from adapters.toml_tables import DAYS_MAX, Table, plain, seconds_of
from domain.policy import (
    KINDS,
    Attribute,
    Breaker,
    Cap,
    Condition,
    ContactHours,
    ContactRules,
    Segment,
    ServiceSegment,
    Terms,
)

PARTIES: Final = ("organisation", "person")
CAPPED_KINDS: Final = ("call", "notify", "visit")  # visits are made by hand: counted, though no measure waits for them
ATTRIBUTES_MAX: Final = 200
SEGMENTS_MAX: Final = 500
BREAKERS_MAX: Final = 100
CAPS_MAX: Final = 10
_TYPES: Final = ("boolean", "date", "enum", "integer", "number", "string")
_ASSIGNMENTS: Final = ("by-hand", "least-loaded", "round-robin")
_NAME_BYTES_MAX: Final = 100
_WORD: Final = re.compile(r"\w[\w-]*")


def named(table: Table, key: str, taken: Collection[str] = ()) -> str:
    """A name: printable, without spaces at its ends, and not one of ``taken``; where it is at fault, empty."""
    name = table.text(key, "")
    if name and (not name.isprintable() or name != name.strip() or len(name.encode()) > _NAME_BYTES_MAX):
        table.fault(key, f"{key} must be printable text of at most {_NAME_BYTES_MAX} bytes, without spaces at its ends")
        return ""
    if name and name in taken:
        table.fault(key, f"there is another {key} {shown(name)}", "names must differ")
        return ""
    return name


def word(table: Table, key: str) -> str | None:
    """A name that becomes a word of a routing key and of a command's id, so: letters, digits, hyphens, underscores."""
    name = named(table, key) or None
    if name is not None and not _WORD.fullmatch(name):
        table.fault(key, f"{key} must consist of letters, digits, - and _, not {shown(name)}")
        return None
    return name


def condition(table: Table, key: str, scope: Scope) -> Condition | None:
    """The rule under ``key``; None where there is none, or none that can be used."""
    source = table.text(key, None)
    if source is None:
        return None
    try:
        return compile_rule(source, scope)
    except RuleError as error:
        table.fault(key, f"{key}: {error}", error.hint)
        return None


def read_terms(table: Table | None) -> dict[str, Terms]:
    """`[terms]`: for each party, one of the two ways to say a due date."""
    found: dict[str, Terms] = {}
    if table is None:
        return found
    for party in PARTIES:
        of = table.table(party, f"[terms] {party}")
        if of is None:
            continue
        terms = Terms(
            days_after=of.integer("days_after", None, most=DAYS_MAX),
            day_of_month=of.integer("day_of_month", None, least=1, most=31),
        )
        of.close()
        if ("days_after" in of) == ("day_of_month" in of):
            table.fault(party, f"{party} needs one of days_after, day_of_month", "and not both")
        found[party] = terms
    table.close()
    return found


def read_contact(table: Table | None) -> ContactRules:
    """`[contact]`: hours, caps, and whom they protect."""
    if table is None:
        return ContactRules()
    workday = dayoff = None
    hours = table.table("hours", "contact hours")
    if hours is not None:
        hours.require("workday", "dayoff")
        workday, dayoff = _hours(hours, "workday"), _hours(hours, "dayoff")
        hours.close()
    caps: dict[str, Cap] = {}
    for each in table.tables("caps", "cap", CAPS_MAX):
        cap = _cap(each)
        if cap.kind in caps:
            each.fault("kind", f"there is another cap of {cap.kind}", "one may have all of its limits")
        caps[cap.kind] = cap
    parties = table.texts("parties", 2)
    for party in parties:
        if party not in PARTIES:
            table.fault("parties", f"unknown party {shown(party)}", table.faults.guess(party, PARTIES))
    table.close()
    whom = frozenset(parties) if "parties" in table else frozenset(PARTIES)
    return ContactRules(workday=workday, dayoff=dayoff, caps=tuple(caps.values()), parties=whom)


def _hours(table: Table, key: str) -> ContactHours | None:
    text = table.text(key, None)
    if text is None:
        return None
    opens, dash, closes = (seconds_of(part.strip()) if part != "-" else 0 for part in text.partition("-"))
    if opens is None or closes is None or dash is None or opens >= closes:
        table.fault(
            key,
            f"{key} must be hours of one day, not {shown(text)}",
            'such as "08:00-22:00"; the end is "24:00" at most',
        )
        return None
    return ContactHours(opens=opens, closes=closes)


def _cap(table: Table) -> Cap:
    table.require("kind")
    cap = Cap(
        kind=table.choice("kind", "", CAPPED_KINDS),
        per_day=table.integer("per_day", None, most=10_000),
        per_week=table.integer("per_week", None, most=10_000),
        per_month=table.integer("per_month", None, most=10_000),
    )
    table.close()
    if not any(key in table for key in ("per_day", "per_week", "per_month")):
        table.faults.add(table.place, "cap: at least one of per_day, per_week, per_month is needed")
    return cap


@dataclass(frozen=True, kw_only=True)
class Declared:
    """The attributes that are in order, and the names of those that were declared wrongly."""

    attributes: Mapping[str, Attribute]
    unsure: frozenset[str]


def read_attributes(table: Table | None) -> Declared:
    """`[attributes]`: each a type, or a table with a type, the values of an enumeration, and a default."""
    found: dict[str, Attribute] = {}
    unsure: set[str] = set()
    for index, name in enumerate(table or ()):
        assert table is not None
        if index == ATTRIBUTES_MAX:
            table.fault(name, f"more than {ATTRIBUTES_MAX} attributes")
        before = len(table.faults.found)
        attribute = _attribute(table, name) if index < ATTRIBUTES_MAX else None
        if attribute is not None and len(table.faults.found) == before:
            found[name] = attribute
        else:
            unsure.add(name)
    return Declared(attributes=found, unsure=frozenset(unsure))


def _attribute(table: Table, name: str) -> Attribute | None:
    if not name.isprintable() or not name.strip() or len(name) > _NAME_BYTES_MAX:
        table.fault(name, f"an attribute's name must be printable, of at most {_NAME_BYTES_MAX} characters")
        return None
    if isinstance(table.raw(name), str):
        kind = table.choice(name, None, _TYPES)
        if kind == "enum":
            table.fault(name, f"{name} needs its values", '{ type = "enum", values = ["A", "B"] }')
        return Attribute(name=name, type=kind) if kind else None
    of = table.table(name, f"attribute {shown(name)}")
    if of is None:
        return None
    of.require("type")
    kind = of.choice("type", None, _TYPES)
    values = of.texts("values", 1_000)
    if kind is not None and (kind == "enum") != bool(values):
        of.fault("values", "values are needed by an enum, and by nothing else")
    default = of.raw("default")
    of.close()
    if kind is None:
        return None
    if default is None:
        return Attribute(name=name, type=kind, values=values)
    fitting = _default(kind, values, default)
    if fitting is None:
        expected = f"one of its values ({', '.join(values[:10])})" if kind == "enum" else f"of type {kind}"
        of.fault("default", f"default must be {expected}, not {shown(default)}")
        return None
    return Attribute(name=name, type=kind, values=values, default=fitting)


def _default(kind: str, values: tuple[str, ...], default: object) -> str | int | float | bool | None:
    """The default as profiles carry it (dates as text, numbers as floating point); None where it has another type."""
    try:
        default = plain(default)
    except ValueError:
        return None
    match kind, default:
        case "boolean", bool():
            return default
        case "integer" | "number", bool():
            return None
        case "integer", int():
            return default
        case "number", int() | float():
            return float(default)
        case "string", str():
            return default
        case "date", str() if is_date(default):
            return default
        case "enum", str() if default in values:
            return default
    return None


def read_segments(tables: list[Table], scope: Scope, plans: Collection[str], faults: Faults) -> tuple[Segment, ...]:
    """`[[segment]]`s in the order of the file: the last, and only the last, takes everyone."""
    names: set[str] = set()
    found = []
    for table in tables:
        table.require("name", "plan")
        name = named(table, "name", names)
        plan = table.text("plan", "")
        if plan and plan not in plans:
            table.fault("plan", f"there is no plan {shown(plan)}", faults.guess(plan, plans))
        found.append(Segment(name=name, plan=plan, when=condition(table, "when", scope)))
        names.add(name)
        table.close()
    _reachable(tables)
    if tables and "when" in tables[-1]:
        tables[-1].fault("when", "the last segment must take everyone who is left", "leave out its when")
    return tuple(found)


def _reachable(tables: list[Table]) -> None:
    """Notes the tables after the first without a rule: nobody would ever come to them."""
    open_to_all = next((index for index, table in enumerate(tables) if "when" not in table), len(tables))
    for table in tables[open_to_all + 1 :]:
        said = f"stands after {tables[open_to_all].title}, which has no rule and takes everyone"
        table.faults.add(table.place, f"{table.title}: {said}", "move it up")


def read_service_segments(tables: list[Table], scope: Scope) -> tuple[ServiceSegment, ...]:
    """`[[service_segment]]`s in the order of the file."""
    names: set[str] = set()
    found = []
    for table in tables:
        table.require("name", "group")
        name = named(table, "name", names)
        found.append(
            ServiceSegment(
                name=name,
                group=named(table, "group"),
                when=condition(table, "when", scope),
                personal=condition(table, "personal", scope),
                assign=table.choice("assign", "by-hand", _ASSIGNMENTS),
                escalate_after=table.duration("escalate_after", None),
            )
        )
        names.add(name)
        table.close()
    _reachable(tables)
    return tuple(found)


def read_breakers(tables: list[Table], segments: Collection[str]) -> tuple[Breaker, ...]:
    """`[[breaker]]`s: each with a limit, or two."""
    found = []
    for table in tables:
        table.require("kind")
        segment = table.text("segment", None)
        if segment is not None and segment not in segments:
            table.fault("segment", f"there is no segment {shown(segment)}", table.faults.guess(segment, segments))
        share = table.number("share_per_hour", None, most=1)
        if share == 0:
            table.fault("share_per_hour", "share_per_hour must be above 0")
        breaker = Breaker(
            kind=table.choice("kind", "", KINDS),
            segment=segment,
            per_hour=table.integer("per_hour", None, least=1),
            share_per_hour=share,
        )
        table.close()
        if "per_hour" not in table and "share_per_hour" not in table:
            table.faults.add(table.place, "breaker: at least one of per_hour, share_per_hour is needed")
        found.append(breaker)
    return tuple(found)
