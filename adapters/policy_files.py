"""The loader of what analysts write: TOML files in, a policy out, or every fault in them with file and line."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfoNotFoundError

from adapters.faults import Fault, Faults, Place, PolicyError, shown
from adapters.holidays_calendar import CountryDaysOff, UnknownCountry, countries
from adapters.managers_file import read_managers
from adapters.policy_parts import (
    BREAKERS_MAX,
    SEGMENTS_MAX,
    named,
    read_attributes,
    read_breakers,
    read_contact,
    read_segments,
    read_service_segments,
    read_terms,
)
from adapters.policy_plans import PREVENTIONS_MAX, read_plans, read_preventions
from adapters.rules import MEASURE_NAMES, SEGMENT_NAMES, Scope
from adapters.toml_edits import Edits
from adapters.toml_tables import Table, merged, read_toml
from domain.calendar import BusinessCalendar, Zone
from domain.policy import Manager, Policy

__all__ = ["ENGINE_SETTINGS", "MANAGERS", "Fault", "PolicyError", "load_policy"]

MANAGERS: Final = "managers.toml"
ENGINE_SETTINGS: Final = "dms.toml"
FILES_MAX: Final = 100
_SECTIONS: Final = ("policy", "terms", "entry", "exit", "restore", "contact", "attributes")
_CURRENCY: Final = re.compile(r"[A-Z]{3}", re.ASCII)
_COUNTRY: Final = re.compile(r"[A-Z]{2}", re.ASCII)


def load_policy(path: Path, edits: Edits | None = None) -> Policy:
    """The policy of a file, or of a folder, whose ``*.toml`` files are read in order of name as if they were one.

    `managers.toml` beside the file, or in the folder, says who works the debts; it and the engine's settings
    (`dms.toml`) are no part of the policy. With ``edits``, the policy that it would be after them. Raises `PolicyError`
    with every fault found.
    """
    faults = Faults()
    files = _files(path, faults)
    roots = [root for file in files if (root := read_toml(file, faults, edits)) is not None]
    managers = read_managers((path if path.is_dir() else path.parent) / MANAGERS, faults)
    if not roots or len(roots) < len(files):
        faults.refuse()  # a file that cannot be parsed may hold what the others would be blamed for
    for unused in sorted(edits.unused) if edits is not None else ():
        faults.add(Place(str(path), {}), f"there is no {unused} to change")
    policy = _policy(roots, managers, faults)
    for root in roots:
        root.close()
    faults.refuse()
    return policy


def _files(path: Path, faults: Faults) -> list[Path]:
    whole = Place(str(path), {})
    if not path.is_dir():
        if path.name == MANAGERS:
            faults.add(whole, "these are the managers, not the policy", "give the policy beside it, or the folder")
            return []
        return [path]
    try:
        found = sorted(file for file in path.glob("*.toml") if file.name not in (MANAGERS, ENGINE_SETTINGS))
    except OSError as error:
        faults.add(whole, f"cannot be read: {error.strerror or error}")
        return []
    if not found or len(found) > FILES_MAX:
        faults.add(whole, f"more than {FILES_MAX} .toml files" if found else "no .toml file of a policy in this folder")
        return []
    return found


def _section(roots: Sequence[Table], name: str) -> Table | None:
    return merged([table for root in roots if (table := root.table(name, f"[{name}]")) is not None])


def _gathered(roots: Sequence[Table], name: str, most: int) -> list[Table]:
    """The tables of an array in all files, in order."""
    found = [table for root in roots for table in root.tables(name, name, most)]
    if len(found) > most:
        found[most].faults.add(found[most].place, f"more than {most} of {name}")
    return found[:most]


def _policy(roots: Sequence[Table], managers: Mapping[str, Manager] | None, faults: Faults) -> Policy:
    sections = {name: _section(roots, name) for name in _SECTIONS}
    header = sections["policy"] or Table(roots[0].place, {}, faults, "[policy]")
    header.require("name", "version", "timezone", "currency")
    currency = _matching(header, "currency", _CURRENCY, "an ISO 4217 code such as RUB") or "XXX"
    contact = read_contact(sections["contact"])
    declared = read_attributes(sections["attributes"])
    rules = Scope(names=SEGMENT_NAMES, attributes=declared.attributes, unsure=declared.unsure, currency=currency)
    segments = _gathered(roots, "segment", SEGMENTS_MAX)
    if not segments:
        faults.add(roots[0].place, "there is no [[segment]]", "one without a rule takes everyone")
    names = tuple(name for table in segments if isinstance(name := table.raw("name"), str))
    measures = Scope(
        names=MEASURE_NAMES,
        attributes=declared.attributes,
        unsure=declared.unsure,
        currency=currency,
        segments=tuple(dict.fromkeys(names)),
    )
    plans = read_plans(roots, contact, measures)
    min_overdue, max_overdue = _thresholds(sections["entry"], sections["exit"], faults)
    policy = Policy(
        name=named(header, "name"),
        version=header.integer("version", 1, least=1),
        zone=_zone(header),
        calendar=_calendar(header),
        currency=currency,
        plans=plans,
        segments=read_segments(segments, rules, plans, faults),
        service_segments=read_service_segments(_gathered(roots, "service_segment", SEGMENTS_MAX), rules),
        preventions=read_preventions(_gathered(roots, "prevention", PREVENTIONS_MAX), contact, measures),
        terms=read_terms(sections["terms"]),
        min_overdue=min_overdue,
        max_overdue=max_overdue,
        restore_within=_only(sections["restore"], lambda table: table.duration("within", None)),
        contact=contact,
        attributes=dict(declared.attributes),
        breakers=read_breakers(_gathered(roots, "breaker", BREAKERS_MAX), names),
        managers=dict(managers) if managers is not None else None,
    )
    header.close()
    return policy


def _thresholds(entry: Table | None, leave: Table | None, faults: Faults) -> tuple[int, int]:
    """The overdue at which a run opens and the one at which it ends, which is lower."""
    before = len(faults.found)
    min_overdue = _only(entry, lambda table: table.integer("min_overdue", 1)) if entry else 1
    max_overdue = _only(leave, lambda table: table.integer("max_overdue", 0)) if leave else 0
    assert min_overdue is not None
    assert max_overdue is not None
    if max_overdue >= min_overdue and len(faults.found) == before:
        said = f"max_overdue {max_overdue} is not under min_overdue {min_overdue}"
        if leave is not None and "max_overdue" in leave:
            leave.fault("max_overdue", said, "a run that ends must not open again at once")
        elif entry is not None:
            entry.fault("min_overdue", said, "a run that ends must not open again at once")
    return min_overdue, max_overdue


def _only(table: Table | None, read: Callable[[Table], int | None]) -> int | None:
    """What ``read`` takes from a table that has nothing else."""
    if table is None:
        return None
    found = read(table)
    table.close()
    return found


def _matching(table: Table, key: str, pattern: re.Pattern[str], expected: str) -> str | None:
    value = table.text(key, None)
    if value is not None and not pattern.fullmatch(value):
        table.fault(key, f"{key} must be {expected}, not {shown(value)}")
        return None
    return value


def _zone(header: Table) -> Zone:
    name = header.text("timezone", None)
    try:
        return Zone(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):  # an unknown key, a path, the name of a folder
        header.fault("timezone", f"unknown timezone {shown(name)}", 'an IANA name such as "Europe/Moscow"')
        return Zone("UTC")


def _calendar(header: Table) -> BusinessCalendar:
    country = _matching(header, "calendar", _COUNTRY, 'the two letters of a country such as "RU"')
    if country is None:
        return BusinessCalendar()
    try:
        return BusinessCalendar(CountryDaysOff(country))
    except UnknownCountry:
        known = header.faults.guess(country, countries())
        header.fault("calendar", f"there is no calendar of {shown(country)}", known)
        return BusinessCalendar()
