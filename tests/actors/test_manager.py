"""Manager supervisors among real profiles: what holds of everybody's work, whatever happens in whatever order."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.lane import ActorDeadError, LaneRef
from actors.manager import DeskReport, ManagerSupervisor, Note, Notes, PolicyChanged, Tick, loads_of, notes_of
from domain.calendar import HOUR
from domain.desk import Standing, TaskTaken, WorkAssigned, desks_for
from domain.events import SegmentChanged, TaskOpened
from domain.messages import (
    AccountClosed,
    AccountUpdated,
    GroupAssigned,
    ManagerAssigned,
    ManagerChosen,
    MeasureOrdered,
    MeasureRejected,
    TaskDone,
)
from domain.policy import Manager, Policy
from domain.profile import Profile
from domain.record import Record
from domain.roster import LoadReported
from domain.work import work
from engine.lanes import InlineLane
from tests.domain.test_desk import MONDAY, TEN, ZONE, person, policy_of

DESKS = ("nw", "south")
ADMIN = person("admin", "administrator", "")

Make = Callable[[Callable[[DeskReport], None]], object]


class Office:
    """An engine in small: profiles that work messages, and the desks that hear of it, one after the other."""

    def __init__(self, policy: Policy, restarts: bool = False) -> None:
        self.policy = policy
        self.restarts = restarts
        self.now = TEN
        self.lane = InlineLane("office")
        self.profiles: dict[str, Profile] = {}
        self.states: dict[str, tuple[object, ...]] = {}
        self.reports: list[DeskReport] = []
        self.desks: dict[str, LaneRef[ManagerSupervisor]] = {}
        self.start()

    def start(self) -> None:
        """Start every supervisor from what was committed."""
        for name in DESKS:
            loads = [load for other, state in self.states.items() if other != name for load in loads_of(state)]
            self.desks[name] = ManagerSupervisor.start(name, self.policy, self.states.get(name), loads, lane=self.lane)

    def tell(self, profile_id: str, make: Callable[..., Record], *values: object) -> list[WorkAssigned]:
        """Work a message and all that the desks make of it; returns what they assigned."""
        return self._settle(self._worked(profile_id, make(self.now, *values)))

    def take(self, task_id: str, manager: str, actor: str) -> list[WorkAssigned]:
        fact = TaskTaken(self.now, task_id, manager, actor)
        where = self.profiles[task_id.split("/")[0]].service_segment
        note = Note(at=self.now, profile_id="", fact=fact)
        return self._settle([(desk, note) for desk in desks_for(fact, where, self.policy)])

    def pass_time(self, duration: int) -> list[WorkAssigned]:
        self.now += duration
        found = []
        for name in DESKS:
            report = self._ask(name, partial(Tick, self.now))
            found += [*report.assignments, *self._settle(self._followed(report))]
        return found

    def change_policy(self, policy: Policy) -> list[WorkAssigned]:
        self.policy = policy
        for desk in self.desks.values():
            desk.tell(PolicyChanged(policy))
        return self.pass_time(0)

    def _worked(self, profile_id: str, message: Record) -> list[tuple[str, Note]]:
        profile = self.profiles.setdefault(profile_id, Profile(profile_id))
        facts: list[Record] = []
        work(profile, message, self.policy, facts)
        return notes_of(profile, facts, self.policy)

    def _settle(self, notes: list[tuple[str, Note]]) -> list[WorkAssigned]:
        found: list[WorkAssigned] = []
        while notes:
            name = min(desk for desk, _ in notes)
            mine = sorted((note for desk, note in notes if desk == name), key=lambda each: (each.at, each.profile_id))
            report = self._ask(name, partial(Notes, mine))
            found += report.assignments
            notes = [each for each in notes if each[0] != name] + self._followed(report)
        return found

    def _followed(self, report: DeskReport) -> list[tuple[str, Note]]:
        """What a report brings to other desks (their loads) and to profiles, and what these then bring to desks."""
        notes = [
            (other, Note(at=load.at, profile_id="", fact=load))
            for load in report.loads
            for other in desks_for(load, None, self.policy)
        ]
        return notes + [note for profile_id, answer in report.answers for note in self._worked(profile_id, answer)]

    def _ask(self, name: str, make: Make) -> DeskReport:
        self.desks[name].tell(make(self.reports.append))
        self.lane.run()
        report = self.reports[-1]
        if report.state is not None:
            self.states[name] = report.state
        return report

    # What is so.

    def served(self) -> Counter[str]:
        """Profiles of each manager, as the profiles say."""
        return Counter(each.manager for each in self._worked_here() if each.manager is not None)

    def open_tasks(self) -> set[str]:
        return {task_id for each in self._worked_here() for task_id in each.tasks or ()}

    def _worked_here(self) -> list[Profile]:
        return [each for each in self.profiles.values() if each.service_segment is not None and not each.closed]

    def assert_sound(self, assigned: Iterable[WorkAssigned]) -> None:
        """The books are what the profiles say, and no rule has overloaded anybody."""
        desks = [ref._actor.desk for ref in self.desks.values()]
        tasks = {task.task_id: task for desk in desks for task in desk.tasks.values()}
        assert set(tasks) == self.open_tasks()
        held = Counter(task.manager for task in tasks.values() if task.manager is not None)
        served = self.served()
        managers = self.policy.managers or {}
        for desk in desks:
            assert set(desk.queue) == {task.task_id for task in desk.tasks.values() if task.manager is None}
            for manager in managers:
                assert desk.roster.load(manager, 0) == served[manager]
                assert desk.roster.load(manager, 1) == held[manager]
        for each in assigned:
            if each.how != "hand" and each.manager is not None:
                chosen = managers[each.manager]
                load = served if each.task_id is None else held
                assert not chosen.is_away(ZONE.day(each.at))
                assert chosen.capacity is None or load[chosen.id] <= chosen.capacity
        self.assert_nothing_waits_in_vain(served, held)

    def assert_nothing_waits_in_vain(self, served: Counter[str], held: Counter[str]) -> None:
        today = ZONE.day(self.now)
        for name, ref in self.desks.items():
            desk = ref._actor.desk
            rule = next(each.assign for each in self.policy.service_segments if each.name == name)
            waiting = [(desk.served[each].group, served) for each in desk.waiting]
            waiting += [(desk.served[desk.tasks[each].profile_id].group, held) for each in desk.queue
                        if desk.tasks[each].role == "specialist"]  # fmt: skip
            for group, load in waiting if rule != "by-hand" else []:
                for each in (self.policy.managers or {}).values():
                    if each.role == "specialist" and (group or name) in each.groups and not each.is_away(today):
                        assert each.capacity is not None, "there was room"
                        assert load[each.id] >= each.capacity, "there was room"


PEOPLE = ("a", "b", "c", "both", "head", "chief")
HEADS = ("head", "chief")


@st.composite
def teams(draw: st.DrawFn) -> list[Manager]:
    groups = {"a": "nw", "b": "nw", "c": "south", "both": "nw south", "head": "nw", "chief": "nw south"}
    away = st.sampled_from([(), ((MONDAY, MONDAY),), ((MONDAY + 1, MONDAY + 2), (MONDAY + 3, MONDAY + 3))])
    capacity = st.sampled_from([None, 0, 1, 2])
    found = [
        person(each, "head" if each in HEADS else "specialist", groups[each], capacity=draw(capacity), away=draw(away))
        for each in PEOPLE
        if draw(st.booleans()) or each == "chief"
    ]
    return [*found, ADMIN]


PROFILES = ("P1", "P2", "P3", "P4", "P5", "P6")
profile_ids = st.sampled_from(PROFILES)
people = st.sampled_from(PEOPLE)
steps = st.one_of(
    st.tuples(st.just("account"), profile_ids, st.sampled_from(["nw", "south", "abroad"]), st.sampled_from("AB")),
    st.tuples(st.just("order"), profile_ids, st.sampled_from(["visit", "visit", "terminate", "forgive"])),
    st.tuples(st.just("order"), profile_ids, st.just("visit")),
    st.tuples(st.just("done"), profile_ids),
    st.tuples(st.just("manager"), profile_ids, st.one_of(st.none(), people)),
    st.tuples(st.just("group"), profile_ids, st.sampled_from([None, "nw", "south"])),
    st.tuples(st.just("close"), profile_ids),
    st.tuples(st.just("take"), profile_ids, people),
    st.tuples(st.just("time"), st.sampled_from([HOUR, 5 * HOUR, 24 * HOUR])),
    st.tuples(st.just("people"), teams()),
)
rules = st.sampled_from(["least-loaded", "round-robin", "least-loaded", "round-robin", "by-hand"])


@st.composite
def scripts(draw: st.DrawFn) -> list[tuple[Any, ...]]:
    regions = draw(st.lists(st.sampled_from(DESKS), min_size=len(PROFILES), max_size=len(PROFILES)))
    begin = [("account", id, region, "A") for id, region in zip(PROFILES, regions, strict=True)]
    return [*begin, *draw(st.lists(steps, min_size=12, max_size=60))]


def do(office: Office, step: tuple[Any, ...]) -> list[WorkAssigned]:
    office.now += 1
    if office.restarts:
        office.start()
    profile = office.profiles.get(step[1]) if isinstance(step[1], str) else None
    tasks = sorted(profile.tasks or ()) if profile is not None else []
    match step:
        case ("account", id, region, revenue):
            attributes = {"region": region, "class": revenue}
            return office.tell(id, AccountUpdated, "account", "person", "RUB", None, None, attributes)
        case ("order", id, measure) if profile is not None:
            return office.tell(id, MeasureOrdered, measure, "admin", "")
        case ("done", id) if tasks and profile is not None and profile.tasks is not None:
            if profile.tasks[tasks[0]].why == "approval":
                return office.tell(id, MeasureRejected, tasks[0], "admin", "")
            return office.tell(id, TaskDone, tasks[0], "admin", "done", "")
        case ("manager", id, manager) if profile is not None:
            return office.tell(id, ManagerAssigned, manager, "admin", "")
        case ("group", id, group) if profile is not None:
            return office.tell(id, GroupAssigned, group, "admin", "")
        case ("close", id) if profile is not None:
            return office.tell(id, AccountClosed, "left")
        case ("take", _, manager) if tasks:
            return office.take(tasks[-1], manager, "admin")
        case ("time", duration):
            return office.pass_time(duration)
        case ("people", team):
            assign = office.policy.service_segments[0].assign
            return office.change_policy(policy_of(*team, assign=assign))
    return []


@settings(max_examples=150, deadline=None)
@given(teams(), rules, scripts())
def test_rules_overload_nobody_and_the_books_are_what_the_profiles_say(
    team: list[Manager], assign: str, script: list[tuple[Any, ...]]
) -> None:
    office = Office(policy_of(*team, assign=assign))
    for step in script:
        office.assert_sound(do(office, step))


@settings(max_examples=40, deadline=None)
@given(teams(), rules, scripts())
def test_supervisors_that_start_again_from_what_was_committed_do_the_same(
    team: list[Manager], assign: str, script: list[tuple[Any, ...]]
) -> None:
    policy = policy_of(*team, assign=assign)
    one, other = Office(policy), Office(policy, restarts=True)
    for step in script:
        assert do(one, step) == do(other, step)
        assert one.states == other.states
    for name, state in one.states.items():
        assert one.desks[name]._actor.desk.freeze() == state


def created(office: Office, *profile_ids: str, region: str = "nw") -> None:
    for each in profile_ids:
        do(office, ("account", each, region, "A"))


def test_a_profile_of_class_a_gets_its_manager_by_the_way_of_the_desk() -> None:
    office = Office(policy_of(ADMIN, person("a"), person("head", "head")))
    created(office, "P1")
    profile = office.profiles["P1"]
    assert (profile.manager, profile.group) == ("a", "nw")
    assert office.reports[0].answers == (("P1", ManagerChosen(office.now, "a")),)
    assert office.reports[0].loads == (LoadReported(office.now, "nw", "a", 1, 0),)


def test_a_profile_for_whom_nobody_has_room_still_gets_its_group() -> None:
    office = Office(policy_of(ADMIN, person("a", capacity=0)))
    created(office, "P1")
    assert (office.profiles["P1"].manager, office.profiles["P1"].group) == (None, "nw")
    office.change_policy(policy_of(ADMIN, person("a")))
    assert office.profiles["P1"].manager == "a"


def test_somebody_who_serves_two_groups_is_full_only_once() -> None:
    office = Office(policy_of(ADMIN, person("both", groups="nw south", capacity=1)))
    created(office, "P1")
    created(office, "P2", region="south")
    assert office.profiles["P2"].manager is None
    do(office, ("close", "P1"))
    assert office.profiles["P2"].manager == "both"


def test_a_manager_who_comes_along_with_a_profile_has_no_room_for_those_who_wait() -> None:
    office = Office(policy_of(ADMIN, person("both", groups="nw south", capacity=1)))
    created(office, "P1")
    created(office, "P2", region="south")
    standing = Standing(manager="both")
    move = SegmentChanged(office.now + 2, "all", "south", "all", "nw", "plan", "south", True)
    opened = TaskOpened(office.now + 1, "T", "visit", "T", "measure", "plan", False)
    notes = [
        Note(at=office.now + 1, profile_id="P3", fact=opened),
        Note(at=office.now + 2, profile_id="P1", fact=move, standing=standing),
        Note(at=office.now + 2, profile_id="", fact=LoadReported(office.now + 2, "nw", "both", 0, 0)),
    ]
    office.desks["south"].tell(Notes(notes, office.reports.append))
    office.lane.run()
    assert office.reports[-1].answers == ()


def test_a_profile_that_moves_keeps_its_manager_and_its_work_goes_to_the_other_desk() -> None:
    office = Office(policy_of(ADMIN, person("a"), person("c", groups="south")))
    created(office, "P1")
    do(office, ("order", "P1", "visit"))
    do(office, ("account", "P1", "south", "B"))
    assert office.profiles["P1"].manager == "a"
    assert office.desks["nw"]._actor.desk.tasks == {}
    assert [each.manager for each in office.desks["south"]._actor.desk.tasks.values()] == ["a"]
    assert notes_of(office.profiles["P1"], [], office.policy) == []


def test_a_report_says_when_to_look_again_and_what_is_to_be_committed() -> None:
    office = Office(policy_of(ADMIN, person("a", capacity=0), person("head", "head")))
    created(office, "P1")
    do(office, ("order", "P1", "visit"))
    opened_at = office.now
    assert office.reports[-1].wake_at == opened_at + 4 * HOUR
    assert office.reports[-1].state is not None
    assert office.pass_time(HOUR) == []
    assert office.reports[-2].state is None
    (escalated,) = office.pass_time(3 * HOUR)
    assert (escalated.manager, escalated.how, escalated.at) == ("head", "escalated", office.now)


def test_what_may_not_be_taken_comes_back_as_a_refusal() -> None:
    office = Office(policy_of(ADMIN, person("a"), assign="by-hand"))
    created(office, "P1")
    do(office, ("order", "P1", "terminate"))
    office.take("P1/0/terminate", "a", "a")
    (refused,) = office.reports[-1].refusals
    assert (refused[0].task_id, refused[1].reason) == ("P1/0/terminate", "not_allowed")


def test_what_it_does_not_know_stops_a_supervisor_and_its_state_starts_another() -> None:
    office = Office(policy_of(ADMIN, person("a")))
    created(office, "P1")
    office.desks["nw"].tell("?")
    office.lane.run()
    with pytest.raises(ActorDeadError):
        office.desks["nw"].tell(Tick(office.now, office.reports.append))
    office.start()
    created(office, "P2")
    assert [office.profiles[each].manager for each in ("P1", "P2")] == ["a", "a"]


def test_a_policy_with_other_rules_holds_from_the_instant_it_is_told() -> None:
    office = Office(policy_of(ADMIN, person("a"), assign="by-hand"))
    do(office, ("account", "P1", "nw", "B"))
    do(office, ("order", "P1", "visit"))
    assert not office.reports[-1].assignments
    policy = office.policy
    nw, south = policy.service_segments
    office.now += 1
    (assigned,) = office.change_policy(replace(policy, service_segments=(replace(nw, assign="round-robin"), south)))
    assert assigned == WorkAssigned(office.now, "P1", "P1/0/visit", "a", "rule", "round robin of 1")


def test_tasks_that_lost_their_people_at_one_instant_escalate_in_their_order_after_a_restart_too() -> None:
    policy = policy_of(person("a", "specialist", "nw"), person("chief", "head", "nw south"), ADMIN)
    one, other = Office(policy), Office(policy, restarts=True)
    away = person("chief", "head", "nw south", away=((MONDAY, MONDAY),))
    script: list[tuple[Any, ...]] = [
        *[("account", profile_id, "nw", "A") for profile_id in PROFILES],
        *[("order", profile_id, "visit") for profile_id in ("P1", "P2", "P1")],
        ("people", [away, ADMIN]),
        ("time", 5 * HOUR),
    ]
    for step in script:
        assert do(one, step) == do(other, step)
