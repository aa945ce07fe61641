"""`managers.toml`: the people who work debts, beside the policy they work under."""

from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Final

from adapters.faults import Faults, shown
from adapters.policy_parts import named
from adapters.toml_tables import Table, read_toml
from domain.policy import ROLES, Manager

MANAGERS_MAX: Final = 10_000
GROUPS_MAX: Final = 100
AWAY_MAX: Final = 1_000
_AWAY_HINT: Final = 'dates, or pairs of dates: ["2026-05-04", ["2026-07-01", "2026-07-14"]]'


def read_managers(path: Path, faults: Faults) -> Mapping[str, Manager] | None:
    """The managers of the file by id; None where there is no such file."""
    if not path.exists():
        return None
    root = read_toml(path, faults)
    if root is None:
        return {}
    found: dict[str, Manager] = {}
    for table in root.tables("manager", "manager", MANAGERS_MAX):
        table.require("id", "role")
        manager = Manager(
            id=named(table, "id", found),
            name=table.text("name", str(table.raw("id"))),
            role=table.choice("role", ROLES[0], ROLES),
            groups=table.texts("groups", GROUPS_MAX),
            capacity=table.integer("capacity", None, most=1_000_000),
            away=_away(table),
        )
        table.close()
        found[manager.id] = manager
    root.close()
    return found


def _away(table: Table) -> tuple[tuple[int, int], ...]:
    """The ranges of days under ``away``, in order; a date by itself is a range of one day."""
    value = table.raw("away")
    if value is None:
        return ()
    if not isinstance(value, list):
        table.fault("away", f"away must be an array, not {shown(value)}", _AWAY_HINT)
        return ()
    if len(value) > AWAY_MAX:
        table.fault("away", f"away holds more than {AWAY_MAX} ranges")
        return ()
    found = []
    for index, each in enumerate(value):
        days = [_day(day) for day in (each if isinstance(each, list) else [each])]
        first, last = days[0] if days else None, days[-1] if days else None
        place = table.place_of("away").at(index)
        if first is None or last is None or len(days) > 2:
            table.faults.add(place, f"{table.title}: {shown(each)} is neither a date nor a pair of dates", _AWAY_HINT)
        elif last < first:
            table.faults.add(place, f"{table.title}: an absence ends before it begins")
        else:
            found.append((first, last))
    return tuple(sorted(found))


def _day(value: object) -> int | None:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.toordinal()
    try:
        return date.fromisoformat(value).toordinal() if isinstance(value, str) and len(value) == 10 else None
    except ValueError:
        return None
