"""The `[search]` of an experiment file: what may be changed, between which bounds, and what is to come of it."""

from dataclasses import dataclass
from typing import Final

from adapters.faults import Place, shown
from adapters.toml_edits import DROPPED
from adapters.toml_tables import MONEY_MAX, Table
from sim.results import FIGURES
from sim.search import Limit

PARAMETERS_MAX: Final = 50
LIMITS_MAX: Final = 50
VALUES_MAX: Final = 1_000
TRIALS_MAX: Final = 10_000
KEPT: Final = "as it is"
"""The value of something that may be dropped, and is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vary:
    """A parameter: ``path`` is a place in the policy, or, with ``is_capacity``, in the experiment file."""

    path: str
    is_capacity: bool
    values: tuple[object, ...]
    ordered: bool
    monthly: int
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchAsked:
    """What the file says about a search."""

    figure: str
    trials: int
    replications: int
    confirm: int
    vary: tuple[Vary, ...]
    limits: tuple[Limit, ...]


def read_search(root: Table) -> SearchAsked | None:
    """The table `[search]`, if there is one."""
    table = root.table("search", "[search]")
    if table is None:
        return None
    table.require("vary")
    asked = SearchAsked(
        figure=table.choice("figure", "net_value", FIGURES),
        trials=table.integer("trials", 60, least=2, most=TRIALS_MAX),
        replications=table.integer("replications", 3, least=1, most=1_000),
        confirm=table.integer("confirm", 8, least=2, most=1_000),
        vary=tuple(_vary(each) for each in table.tables("vary", "vary", PARAMETERS_MAX)),
        limits=tuple(_limit(each) for each in table.tables("limit", "limit", LIMITS_MAX)),
    )
    paths = [each.path for each in asked.vary]
    if len(set(paths)) < len(paths):
        table.fault("vary", "two of vary change the same thing")
    if asked.figure != "net_value" and any(each.monthly for each in asked.vary):
        table.fault("figure", "monthly costs count against net_value, and that is not what is to grow")
    table.close()
    return asked


def _vary(table: Table) -> Vary:
    policy, experiment = table.text("policy", None), table.text("experiment", None)
    if (policy is None) == (experiment is None):
        hint = 'such as policy = "plans.internet.measure.warn-phone.day"'
        table.faults.add(table.place, "vary: policy or experiment must say what is changed, one of them", hint)
    values, ordered = _values(table)
    found = Vary(
        path=policy or experiment or "",
        is_capacity=policy is None,
        values=values,
        ordered=ordered,
        monthly=table.integer("monthly", 0, most=MONEY_MAX),
        place=table.place,
    )
    if found.monthly and not (found.is_capacity and ordered):
        table.fault("monthly", "monthly is what one more of an experiment's number costs")
    table.close()
    return found


def _values(table: Table) -> tuple[tuple[object, ...], bool]:
    """The values, and whether neighbours are alike."""
    given = [key for key in ("values", "from", "drop") if key in table]
    if len(given) != 1 or ("from" in table) != ("to" in table):
        table.faults.add(table.place, "vary: values, or from and to, or drop = true: one of them")
        return (0,), True
    if "drop" in table:
        if table.flag("drop", True) is not True:
            table.fault("drop", "drop is true, or it is left out")
        return (KEPT, DROPPED), False
    if "values" in table:
        return _listed(table)
    first, last = table.number("from", 0.0, least=-MONEY_MAX), table.number("to", 0.0, least=-MONEY_MAX)
    step = table.number("step", 1.0, least=1e-6)
    count = int((last - first) / step + 1e-9) + 1
    if not 1 < count <= VALUES_MAX:
        table.fault("to", f"from, to and step must make 2 to {VALUES_MAX} values, not {max(0, count)}")
        return (0,), True
    whole = all(each == int(each) for each in (first, step))
    numbers = [first + number * step for number in range(count)]
    return tuple(int(each) if whole else round(each, 9) for each in numbers), True


def _listed(table: Table) -> tuple[tuple[object, ...], bool]:
    values = table.raw("values")
    if not isinstance(values, list) or not 1 < len(values) <= VALUES_MAX:
        table.fault("values", f"values must be an array of 2 to {VALUES_MAX} values, not {shown(values)}")
        return (0,), True
    if any(isinstance(each, list | dict) for each in values) or len({repr(each) for each in values}) < len(values):
        table.fault("values", "values must be plain, no two alike")
        return (0,), True
    ordered = all(isinstance(each, int | float) and not isinstance(each, bool) for each in values)
    return tuple(sorted(values) if ordered else values), ordered


def _limit(table: Table) -> Limit:
    table.require("figure")
    limits = [key for key in ("most", "least", "most_of_base", "least_of_base") if key in table]
    if len(limits) != 1:
        table.faults.add(table.place, "limit: most, least, most_of_base or least_of_base: one of them")
    key = limits[0] if limits else "most"
    bound = table.number(key, 0.0, least=-MONEY_MAX)
    is_most = key.startswith("most")
    found = Limit(
        figure=table.choice("figure", FIGURES[0], FIGURES),
        most=bound if is_most else None,
        least=None if is_most else bound,
        of_base=key.endswith("_of_base"),
    )
    table.close()
    return found
