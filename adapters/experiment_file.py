"""The experiment file: one TOML with all that an analyst may want to change, checked as a whole.

What it may say is shown, with a comment for every key, by the experiments that ship (`adapters/experiments/*.toml`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from adapters.behaviour_file import read_behaviour
from adapters.faults import Faults, shown
from adapters.policy_parts import ATTRIBUTES_MAX, PARTIES, named
from adapters.search_file import SearchAsked, read_search
from adapters.toml_edits import Edits
from adapters.toml_tables import DAYS_MAX, Table, plain, read_toml, seconds_of
from domain.calendar import HOUR
from sim.behaviour import Behaviour
from sim.experiment import StoppingRule
from sim.portfolio import ATTRIBUTES_MAX as DRAWN_MAX
from sim.results import FIGURES
from sim.scenario import TARGETS, AttributeDraw, Crew, Dialler, Gateway, Group, Opening, Scenario

GROUPS_MAX: Final = 50
CREWS_MAX: Final = 50
BEHAVIOURS_MAX: Final = 50
POLICIES_MAX: Final = 20
ACCOUNTS_MAX: Final = 100_000_000
REPLICATIONS_MAX: Final = 10_000
EXPERIMENTS: Final = Path(__file__).parent / "experiments"
"""The experiments that ship with the product."""
_WORKS: Final = ("approval", "failed", "task")
_LEDGERS: Final = ("balance", "invoices")
_VALUES_MAX: Final = 500
_DAY_HOURS: Final = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentFile:
    """What the file says. ``policies`` are paths of policies, relative ones seen from the file; ``path`` is its own."""

    path: Path
    scenario: Scenario
    policies: tuple[Path, ...]
    replications: int
    seed: int
    stop: StoppingRule | None
    search: SearchAsked | None


class _Run(NamedTuple):
    policies: tuple[Path, ...]
    replications: int
    seed: int


def load_experiment(path: Path, edits: Edits | None = None) -> ExperimentFile:
    """The experiment of a file, or of one that ships by its bare name; with ``edits``, what it would be after them.

    Raises `PolicyError` with every fault found.
    """
    shipped = EXPERIMENTS / f"{path}.toml"
    if not path.exists() and path.name == str(path) and shipped.is_file():
        path = shipped
    faults = Faults()
    root = read_toml(path, faults, edits)
    if root is None:
        faults.refuse()
        raise AssertionError("a file without a table is a fault")
    for unused in sorted(edits.unused) if edits is not None else ():
        faults.add(root.place, f"there is no {unused} to change")
    found = _experiment(root, path)
    root.close()
    faults.refuse()
    return found


def _experiment(root: Table, path: Path) -> ExperimentFile:
    root.require("experiment", "group", "behaviour")
    behaviours = _behaviours(root, path.parent)
    groups = _groups(root, behaviours)
    head = root.table("experiment", "[experiment]") or root
    head.require("name", "start", "days", "accounts")
    policies = head.texts("policies", POLICIES_MAX)
    run = _Run(
        tuple(path.parent / each for each in policies),
        head.integer("replications", 8, least=1, most=REPLICATIONS_MAX),
        head.integer("seed", 1, most=(1 << 63) - 1),
    )
    people = root.table("people", "[people]")
    scenario = Scenario(
        name=head.text("name", "experiment"),
        source=head.text("source", ""),
        start=head.day("start", 1),
        days=head.integer("days", 1, least=1, most=DAYS_MAX),
        accounts=head.integer("accounts", 1, least=1, most=ACCOUNTS_MAX),
        branch_accounts=head.integer("branch_accounts", 10_000, least=1, most=ACCOUNTS_MAX),
        warm_up_months=head.integer("warm_up_months", 0, most=120),
        region_attribute=head.text("region_attribute", "region"),
        buckets=_buckets(head),
        minor_units=head.integer("minor_units", 100, least=1, most=1_000),
        billed_hour=head.integer("billed_hour", 3, most=7),
        paid_hours=_paid_hours(head),
        groups=groups,
        behaviours=behaviours,
        gateways=_gateways(root),
        crews=_crews(root),
        dialler=_dialler(root),
        task_reach=people.number("task_reach", 0.5, most=1) if people is not None else 0.5,
        approval_rejected=people.number("approval_rejected", 0.1, most=1) if people is not None else 0.1,
        close_after_days=people.integer("close_after_days", 20, least=1, most=365) if people is not None else 20,
    )
    if not root.faults.found and scenario.flaw:
        head.fault("days", scenario.flaw)
    if people is not None:
        people.close()
    if head is not root:
        head.close()
    return ExperimentFile(
        path=path,
        scenario=scenario,
        policies=run.policies,
        replications=run.replications,
        seed=run.seed,
        stop=_stop(root),
        search=read_search(root),
    )


def _buckets(head: Table) -> tuple[int, int, int]:
    first, second, third = head.numbers("buckets", (30.0, 60.0, 90.0), least=1, most=DAYS_MAX, count=3)
    if not first < second < third:
        head.fault("buckets", "buckets must be days past due, each greater than the one before")
    return int(first), int(second), int(third)


def _paid_hours(head: Table) -> tuple[int, int]:
    first, last = head.numbers("paid_hours", (8.0, 23.0), least=8, most=_DAY_HOURS, count=2)
    if not first < last:
        head.fault("paid_hours", "paid_hours must be two hours of a day, the second after the first")
    return int(first), int(last)


def _stop(root: Table) -> StoppingRule | None:
    table = root.table("stop", "[stop]")
    if table is None:
        return None
    rule = StoppingRule(
        figure=table.choice("figure", "net_value", FIGURES),
        within=table.number("within", 0.01, least=1e-6, most=10),
        replications_min=table.integer("replications_min", 3, least=2, most=REPLICATIONS_MAX),
    )
    table.close()
    return rule


def _behaviours(root: Table, folder: Path) -> dict[str, Behaviour]:
    found: dict[str, Behaviour] = {}
    named_ones = root.table("behaviour", "[behaviour]")
    if named_ones is None:
        return found
    for name in list(named_ones)[:BEHAVIOURS_MAX]:
        table = named_ones.table(name, f"behaviour {shown(name)}")
        if table is not None:
            behaviour = read_behaviour(table, folder)
            if behaviour is not None:
                found[name] = behaviour
    named_ones.close()
    return found


def _groups(root: Table, behaviours: Mapping[str, Behaviour]) -> tuple[Group, ...]:
    groups: dict[str, Group] = {}
    for table in root.tables("group", "group", GROUPS_MAX):
        table.require("name", "share", "party", "behaviour")
        group = Group(
            name=named(table, "name", groups),
            share=table.number("share", 1.0, most=1e9),
            party=table.choice("party", PARTIES[0], PARTIES),
            behaviour=table.text("behaviour", ""),
            ledger=table.choice("ledger", "invoices", _LEDGERS),
            charge=table.integer("charge", 0),
            charge_spread=table.number("charge_spread", 0.0, most=5),
            month_spread=table.number("month_spread", 0.0, most=5),
            issue_days=_issue_days(table),
            due_days=table.integer("due_days", None, most=365),
            attributes=_attributes(table),
            opening=_opening(table),
        )
        if group.behaviour and group.behaviour not in behaviours:
            hint = root.faults.guess(group.behaviour, behaviours)
            table.fault("behaviour", f"there is no sound [behaviour.{group.behaviour}]", hint)
        table.close()
        groups[group.name] = group
    if groups and sum(each.share for each in groups.values()) <= 0:
        root.fault("group", "the groups' shares sum to nothing")
    return tuple(groups.values())


def _issue_days(table: Table) -> tuple[int, ...]:
    found = table.numbers("issue_days", (1.0,), least=1, most=28)
    if any(each != int(each) for each in found):
        table.fault("issue_days", "issue_days must be days of the month, from 1 to 28")
    return tuple(int(each) for each in found)


def _attributes(table: Table) -> tuple[AttributeDraw, ...]:
    of = table.table("attributes", f"{table.title} attributes")
    if of is None:
        return ()
    if len(of) > DRAWN_MAX:
        of.faults.add(of.place, f"{of.title}: more than {min(DRAWN_MAX, ATTRIBUTES_MAX)}")
    found = []
    for name in list(of)[:DRAWN_MAX]:
        draw = of.table(name, f"attribute {shown(name)}")
        if draw is None:
            continue
        draw.require("values")
        values = draw.raw("values")
        if not isinstance(values, list) or not 0 < len(values) <= _VALUES_MAX:
            draw.fault("values", f"values must be an array of 1 to {_VALUES_MAX} values")
            continue
        weights = draw.numbers("weights", (1.0,) * len(values), count=len(values))
        if sum(weights) <= 0:
            draw.fault("weights", "the weights sum to nothing")
        draw.close()
        found.append(AttributeDraw(name=name, values=tuple(plain(each) for each in values), weights=weights))
    return tuple(found)


def _opening(table: Table) -> Opening | None:
    of = table.table("opening", f"{table.title} opening")
    if of is None:
        return None
    of.require("share", "median")
    found = Opening(
        share=of.number("share", 0.0, most=1),
        median=of.integer("median", 1, least=1),
        spread=of.number("spread", 0.0, most=5),
        youngest=of.integer("youngest", 1, most=DAYS_MAX),
        oldest=of.integer("oldest", 30, most=DAYS_MAX),
    )
    if found.oldest < found.youngest:
        of.fault("oldest", "oldest must not be less than youngest: days past due")
    of.close()
    return found


def _gateways(root: Table) -> dict[str, Gateway]:
    found: dict[str, Gateway] = {}
    of_targets = root.table("gateway", "[gateway]")
    if of_targets is None:
        return found
    for target in TARGETS:
        table = of_targets.table(target, f"gateway {target}")
        if table is None:
            continue
        gateway = Gateway(
            fastest=table.duration("fastest", 0),
            slowest=table.duration("slowest", 0),
            fails=table.number("fails", 0.0, most=1),
            silent=table.number("silent", 0.0, most=1),
        )
        if gateway.slowest < gateway.fastest:
            table.fault("slowest", "slowest must not be less than fastest")
        if gateway.fails + gateway.silent > 1:
            table.fault("silent", "fails and silent must not exceed 1 together")
        table.close()
        found[target] = gateway
    of_targets.close()
    return found


def _crews(root: Table) -> tuple[Crew, ...]:
    crews: dict[str, Crew] = {}
    for table in root.tables("crew", "crew", CREWS_MAX):
        table.require("name", "people", "works")
        works = table.texts("works", len(_WORKS))
        for work in works:
            if work not in _WORKS:
                table.fault("works", f"works must be of {', '.join(_WORKS)}, not {shown(work)}")
        opens, closes = _hours(table)
        crew = Crew(
            name=named(table, "name", crews),
            people=table.integer("people", 1, least=1, most=1_000_000),
            works=frozenset(works),
            groups=frozenset(table.texts("groups", GROUPS_MAX)),
            minutes=table.number("minutes", 10.0, least=0.01, most=10_000),
            opens=opens,
            closes=closes,
            business_days=table.flag("business_days", True),
        )
        table.close()
        crews[crew.name] = crew
    return tuple(crews.values())


def _hours(table: Table) -> tuple[int, int]:
    text = table.text("hours", "09:00-18:00")
    opens, _, closes = text.partition("-")
    first, last = seconds_of(opens), seconds_of(closes)
    if first is None or last is None or last <= first:
        table.fault("hours", f"hours must be a range of times, not {shown(text)}", 'such as "09:00-18:00"')
        return 0, 1
    return first, last


def _dialler(root: Table) -> Dialler:
    table = root.table("dialler", "[dialler]")
    if table is None:
        return Dialler()
    dialler = Dialler(
        lines=table.integer("lines", 0, most=1_000_000),
        reach=table.numbers("reach", (0.3,), most=1),
        retry_after=table.duration("retry_after", 2 * HOUR),
        ring_seconds=table.number("ring_seconds", 25.0, least=1, most=600),
        talk_seconds=table.number("talk_seconds", 45.0, least=1, most=36_000),
        talk_spread=table.number("talk_spread", 0.5, most=3),
    )
    table.close()
    return dialler
