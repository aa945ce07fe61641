"""How debtors behave, as an analyst or `dms calibrate` writes it: a TOML table in, a `Behaviour` out."""

from dataclasses import replace
from pathlib import Path
from typing import Final

from adapters.faults import Faults
from adapters.policy_parts import named
from adapters.toml_tables import DAYS_MAX, Table, read_toml
from sim.behaviour import KINDS, Behaviour, DebtorType, Lift

TYPES_MAX: Final = 20
RATE_MAX: Final = 50.0


def load_behaviour(path: Path) -> Behaviour:
    """The behaviour of a file of its own. Raises `PolicyError` with every fault found."""
    faults = Faults()
    root = read_toml(path, faults)
    found = read_behaviour(root) if root is not None else None
    faults.refuse()
    assert found is not None
    return found


def read_behaviour(table: Table, folder: Path | None = None) -> Behaviour | None:
    """A behaviour's table; None, with the fault noted, where its rates cannot be told.

    With a ``folder`` the table may name a ``file`` there that holds the behaviour, as `dms calibrate` writes it; what
    else stands in the table, but for bins and types, then holds instead of what the file says.
    """
    known = _neutral(table) if folder is None or "file" not in table else _of_file(table, folder)
    behaviour = None
    if known is not None:
        behaviour = replace(
            known,
            spread=table.number("spread", known.spread, most=5),
            overdue_power=table.number("overdue_power", known.overdue_power, most=5),
            weekdays=table.numbers("weekdays", known.weekdays, most=100, count=7),
            month_days=table.numbers("month_days", known.month_days, most=100, count=31),
            lifts={**known.lifts, **_lifts(table)},
            promise_made=table.number("promise_made", known.promise_made, most=1),
            promise_days=table.integer("promise_days", known.promise_days, least=1, most=60),
            claim_days=table.integer("claim_days", known.claim_days, least=1, most=365),
            claim_upheld=table.number("claim_upheld", known.claim_upheld, most=1),
            claim_factor=table.number("claim_factor", known.claim_factor, most=100),
            churn_suspended=table.number("churn_suspended", known.churn_suspended, most=1),
            churn_contact=table.number("churn_contact", known.churn_contact, most=1),
            contacts_tolerated=table.integer("contacts_tolerated", known.contacts_tolerated, most=1_000),
        )
        table.close()
    return behaviour if behaviour is not None and behaviour.types else None


def _neutral(table: Table) -> Behaviour:
    """The table's bins and types, without types where they cannot be told."""
    bins = _bins(table)
    return Behaviour(bins=bins, types=_types(table, len(bins)) if bins else ())


def _of_file(table: Table, folder: Path) -> Behaviour | None:
    """The behaviour of the file that the table names."""
    name = table.text("file", None)
    root = read_toml(folder / name, table.faults) if name is not None else None
    return read_behaviour(root) if root is not None else None


def _bins(table: Table) -> tuple[int, ...]:
    table.require("bins", "type")
    found = table.numbers("bins", (), least=-DAYS_MAX, most=DAYS_MAX)
    if any(each != int(each) for each in found) or list(found) != sorted(set(found)):
        table.fault("bins", "bins must be whole days past due, each greater than the one before")
        return ()
    return tuple(int(each) for each in found)


def _types(table: Table, bins: int) -> tuple[DebtorType, ...]:
    types: dict[str, DebtorType] = {}
    for each in table.tables("type", "type", TYPES_MAX):
        each.require("name", "share", "rates")
        found = DebtorType(
            name=named(each, "name", types),
            share=each.number("share", 0.0, most=1_000_000),
            rates=each.numbers("rates", (0.0,) * bins, most=RATE_MAX, count=bins),
            claim_rate=each.number("claim_rate", 0.0, most=1),
            partial_probability=each.number("partial_probability", 0.0, most=1),
            partial_share=each.number("partial_share", 0.5, most=1),
            whole_items=each.flag("whole_items", False),
            late_factor=each.number("late_factor", 1.0, most=100),
            promise_kept=each.number("promise_kept", 0.5, most=1),
        )
        each.close()
        types[found.name] = found
    if types and sum(each.share for each in types.values()) <= 0:
        table.fault("type", "the types' shares sum to nothing")
    return tuple(types.values())


def _lifts(table: Table) -> dict[str, Lift]:
    lifts: dict[str, Lift] = {}
    of_kinds = table.table("lift", f"{table.title} lift")
    if of_kinds is None:
        return lifts
    for kind in KINDS:
        of = of_kinds.table(kind, f"lift {kind}")
        if of is not None:
            of.require("size")
            lifts[kind] = Lift(
                size=of.number("size", 0.0, most=1_000),
                fade_days=of.number("fade_days", 5.0, least=0.1, most=DAYS_MAX),
                saturation=of.number("saturation", 0.7, most=1),
            )
            of.close()
    of_kinds.close()
    return lifts
