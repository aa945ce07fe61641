"""What managers may rely on: who gets which profile and which task, and what happens when nobody has room."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from domain.calendar import HOUR, MINUTE, NEVER, BusinessCalendar, Zone
from domain.desk import Desk, Standing, TaskTaken, WorkAssigned, desks_for, thaw
from domain.events import ManagerChanged, RunClosed, SegmentChanged, TaskClosed, TaskOpened
from domain.messages import (
    AccountClosed,
    GroupAssigned,
    ManagerAssigned,
    ManagerChosen,
)
from domain.policy import Attribute, Manager, Measure, Plan, Policy, Segment, ServiceSegment
from domain.record import Record
from domain.roster import LoadReported
from domain.snapshot import UnknownFormat

ZONE = Zone("Europe/Moscow")
MONDAY = date(2026, 3, 2).toordinal()
TEN = ZONE.instant(MONDAY, 10 * 3600)


class Rule:
    """A condition on one attribute."""

    def __init__(self, name: str, value: object) -> None:
        self.source = f"attributes.{name} == {value!r}"
        self.name, self.value = name, value

    def holds(self, facts: Mapping[str, Any]) -> bool:
        return bool(facts["attributes"].get(self.name) == self.value)


def person(id: str, role: str = "specialist", groups: str = "nw", **more: Any) -> Manager:
    return Manager(id=id, name=id, role=role, groups=tuple(groups.split()), **more)


def policy_of(*people: Manager, assign: str = "least-loaded", escalate_after: int | None = 4 * HOUR) -> Policy:
    """Two service segments, nw and south, each with the group of its name; whoever is of class A has a manager."""
    measures = (
        Measure(name="visit", kind="task", target="crm"),
        Measure(name="terminate", kind="terminate", target="billing", approval="head"),
        Measure(name="forgive", kind="write_off", target="billing", approval="administrator"),
    )
    services = tuple(
        ServiceSegment(
            name=name,
            group=name,
            when=Rule("region", name),
            personal=Rule("class", "A"),
            assign=assign,
            escalate_after=escalate_after,
        )
        for name in ("nw", "south")
    )
    return Policy(
        name="test",
        version=1,
        zone=ZONE,
        calendar=BusinessCalendar(),
        currency="RUB",
        plans={"plan": Plan(name="plan", measures=measures)},
        segments=(Segment(name="all", plan="plan"),),
        service_segments=services,
        attributes={name: Attribute(name=name, type="string") for name in ("region", "class")},
        managers={each.id: each for each in people} if people else None,
    )


class Nw:
    """The desk of the segment nw, told what happens in words; ``now`` moves when told to."""

    def __init__(self, *people: Manager, assign: str = "least-loaded", escalate_after: int | None = 4 * HOUR) -> None:
        self.now = TEN
        self.desk = Desk("nw")
        self.desk.adopt(policy_of(*people, assign=assign, escalate_after=escalate_after))

    def learn(self, profile_id: str, fact: Record, standing: Standing | None = None) -> None:
        self.desk.learn(self.now, profile_id, fact, standing)

    def enters(self, *profile_ids: str, personal: bool = True, bringing: Standing | None = None) -> None:
        for profile_id in profile_ids:
            fact = SegmentChanged(self.now, "all", "nw", None, None, "plan", "nw", personal)
            self.learn(profile_id, fact, bringing or Standing())

    def leaves(self, profile_id: str) -> None:
        fact = SegmentChanged(self.now, "all", "south", "all", "nw", "plan", "south", True)
        self.learn(profile_id, fact, Standing(self.serves[profile_id]))

    def opens(self, *tasks: str, profile: str = "P", why: str = "measure", measure: str = "visit") -> None:
        for task in tasks:
            self.learn(profile, TaskOpened(self.now, task, measure, task, why, "plan", False))

    def closes(self, *tasks: str, profile: str = "P") -> None:
        for task in tasks:
            self.learn(profile, TaskClosed(self.now, task, "visit", task, "measure", None, "done"))

    def hears(self, load: LoadReported) -> None:
        self.desk.hear(load)
        self.desk.look(self.now)

    def takes(self, task: str, manager: str, actor: str = "") -> str:
        self.learn("", TaskTaken(self.now, task, manager, actor or manager))
        return self.desk.refusals.pop()[1].reason if self.desk.refusals else "taken"

    def goes_on(self, duration: int) -> None:
        self.now += duration
        self.desk.look(self.now)

    @property
    def has(self) -> dict[str, str | None]:
        """Who has which task."""
        return {task.task_id: task.manager for task in self.desk.tasks.values()}

    @property
    def serves(self) -> dict[str, str | None]:
        """The personal manager of each profile that the desk remembers."""
        return {profile_id: served.manager for profile_id, served in self.desk.served.items()}

    @property
    def reasons(self) -> list[str]:
        return [each.reason for each in self.desk.assignments]


ANNA, BORIS = person("anna"), person("boris")
HEAD, ADMIN = person("hanna", "head"), person("adam", "administrator")
AWAY_TODAY = ((MONDAY, MONDAY),)


# Personal managers.


def test_a_profile_gets_the_specialist_with_the_fewest_profiles_ties_by_id() -> None:
    nw = Nw(BORIS, ANNA, HEAD)
    nw.enters("P1", "P2", "P3")
    assert nw.serves == {"P1": "anna", "P2": "boris", "P3": "anna"}
    assert nw.desk.answers["P3"] == ManagerChosen(TEN, "anna")
    assert nw.reasons[2] == "least loaded of 2: 1 profiles"


def test_round_robin_goes_on_after_the_last_one_in_order_of_id() -> None:
    nw = Nw(ANNA, BORIS, person("clara", capacity=1), assign="round-robin")
    nw.enters(*"123456")
    assert list(nw.serves.values()) == ["anna", "boris", "clara", "anna", "boris", "anna"]


def test_by_hand_nobody_is_named_by_rule() -> None:
    nw = Nw(ANNA, assign="by-hand")
    nw.enters("P1", personal=True)
    nw.opens("T1", profile="P1")
    assert (nw.serves, nw.has, nw.desk.answers, nw.reasons) == ({"P1": None}, {"T1": None}, {}, [])


def test_without_managers_nobody_is_named_and_nobody_is_asked() -> None:
    nw = Nw()
    nw.enters("P1")
    nw.opens("T1")
    nw.goes_on(5 * HOUR)
    assert (nw.desk.answers, nw.reasons, nw.desk.wake_at()) == ({}, [], NEVER)


def test_who_is_not_to_have_a_personal_manager_is_not_even_remembered() -> None:
    nw = Nw(ANNA)
    nw.enters("P1", personal=False)
    assert nw.desk.served == {}
    assert not nw.desk.is_changed


def test_where_nobody_has_room_the_answer_is_nobody_once_and_the_oldest_waits_first() -> None:
    nw = Nw(person("anna", capacity=1))
    nw.enters("P1", "P2", "P3")
    assert nw.desk.answers["P2"] == ManagerChosen(TEN, None)
    assert nw.reasons[1] == "none of 1 has room, 0 away"
    nw.desk.answers.clear()
    nw.learn("P1", AccountClosed(nw.now, "left"))
    assert nw.desk.answers == {"P2": ManagerChosen(TEN, "anna")}
    assert nw.serves == {"P2": "anna", "P3": None}
    nw.enters("P3")
    assert nw.desk.answers["P3"] == ManagerChosen(nw.now, None), "who comes under other rules is answered again"
    nw.learn("P3", AccountClosed(nw.now, "left"))
    assert "P3" not in nw.desk.answers


def test_a_manager_who_is_away_gets_nothing_new_until_the_day_after() -> None:
    nw = Nw(person("anna", away=((MONDAY, MONDAY + 1),)))
    nw.enters("P1")
    assert nw.serves == {"P1": None}
    assert nw.reasons == ["none of 1 has room, 1 away"]
    assert nw.desk.wake_at() == ZONE.midnight(MONDAY + 2)
    nw.goes_on(ZONE.midnight(MONDAY + 2) - TEN - 1)
    assert nw.serves == {"P1": None}
    nw.goes_on(1)
    assert nw.serves == {"P1": "anna"}
    assert nw.desk.wake_at() == NEVER


def test_what_a_manager_has_stays_theirs_while_they_are_away() -> None:
    nw = Nw(person("anna", away=((MONDAY + 1, MONDAY + 9),)), BORIS)
    nw.enters("P1")
    nw.opens("T1", profile="P1")
    nw.goes_on(24 * HOUR)
    nw.opens("T2", profile="P1")
    assert nw.serves == {"P1": "anna"}
    assert nw.has == {"T1": "anna", "T2": "boris"}


def test_new_people_and_new_room_are_used_at_once() -> None:
    nw = Nw(person("anna", capacity=1))
    nw.enters("P1", "P2", "P3")
    nw.desk.adopt(policy_of(person("anna", capacity=2), BORIS))
    nw.goes_on(0)
    assert nw.serves == {"P1": "anna", "P2": "boris", "P3": "anna"}


def test_a_personal_manager_whom_nobody_knows_any_more_stays_until_a_head_chooses() -> None:
    nw = Nw(ANNA)
    nw.enters("P1")
    nw.desk.adopt(policy_of(BORIS))
    nw.goes_on(0)
    assert nw.serves == {"P1": "anna"}
    nw.opens("T1", profile="P1")
    assert nw.has == {"T1": "boris"}


def test_a_choice_by_hand_replaces_the_rules_and_may_be_over_capacity() -> None:
    nw = Nw(person("anna", capacity=0), BORIS)
    nw.enters("P1")
    nw.learn("P1", ManagerAssigned(nw.now, "anna", "hanna", ""))
    nw.learn("P1", ManagerChanged(nw.now, "anna", "nw", "hand"))
    assert nw.serves == {"P1": "anna"}
    assert nw.desk.roster.load("boris", 0) == 0


def test_nobody_by_hand_stays_nobody() -> None:
    nw = Nw(ANNA)
    nw.enters("P1")
    nw.learn("P1", ManagerAssigned(nw.now, None, "hanna", ""))
    nw.learn("P1", ManagerChanged(nw.now, None, "nw", "hand"))
    nw.enters("P1")
    assert nw.serves == {"P1": None}


@pytest.mark.parametrize("manager", ["boris", None])
def test_a_choice_by_hand_takes_back_an_answer_that_has_not_left(manager: str | None) -> None:
    nw = Nw(ANNA, BORIS)
    nw.enters("P1")
    nw.learn("P1", ManagerAssigned(nw.now, manager, "hanna", ""))
    assert nw.desk.answers == {}


def test_a_group_by_hand_serves_instead_of_the_segments() -> None:
    nw = Nw(ANNA, person("kira", groups="key"))
    nw.enters("P1", bringing=Standing(group="key"))
    nw.enters("P2")
    nw.learn("P2", GroupAssigned(nw.now, "key", "hanna", ""))
    nw.opens("T2", profile="P2", why="failed")
    assert nw.serves == {"P1": "kira", "P2": "anna"}
    assert nw.has == {"T2": "anna"}, "a personal manager goes before the group"


def test_a_group_without_specialists_falls_to_its_heads() -> None:
    nw = Nw(HEAD, ADMIN)
    nw.enters("P1")
    assert nw.serves == {"P1": "hanna"}


def test_what_other_desks_have_given_counts() -> None:
    nw = Nw(person("anna", capacity=2), person("boris", capacity=1))
    nw.hears(LoadReported(nw.now, "south", "anna", 2, 0))
    nw.enters("P1", "P2")
    assert nw.serves == {"P1": "boris", "P2": None}
    nw.hears(LoadReported(nw.now + 1, "south", "anna", 1, 0))
    assert nw.serves == {"P1": "boris", "P2": "anna"}
    assert nw.desk.take_moved_loads() == [
        LoadReported(nw.now, "nw", "anna", 1, 0),
        LoadReported(nw.now, "nw", "boris", 1, 0),
    ]
    nw.hears(LoadReported(nw.now - 1, "south", "anna", 0, 0))
    assert nw.desk.roster.load("anna", 0) == 2, "an old report says nothing"


# Tasks.


def test_a_task_goes_to_the_personal_manager_then_to_who_has_fewest_open() -> None:
    nw = Nw(ANNA, person("boris", capacity=2))
    nw.enters("P1", bringing=Standing(manager="boris"))
    nw.opens("T1", "T2", "T3", profile="P1")
    nw.opens("T4", "T5")
    assert nw.has == {"T1": "boris", "T2": "boris", "T3": "anna", "T4": "anna", "T5": "anna"}
    assert nw.reasons[0] == "personal manager"
    assert nw.reasons[3] == "least loaded of 1: 1 tasks"


def test_a_task_that_waits_goes_to_the_manager_whom_a_head_gives_its_profile() -> None:
    nw = Nw(person("anna", capacity=0), person("zoe", groups="south"))
    nw.opens("T1")
    nw.learn("P", ManagerChanged(nw.now, "zoe", "nw", "hand"))
    assert nw.has == {"T1": "zoe"}


def test_tasks_wait_in_order_and_a_closed_one_makes_room() -> None:
    nw = Nw(person("anna", capacity=1))
    nw.opens("T1", "T2", "T3")
    nw.closes("T2")
    nw.closes("T1")
    assert nw.has == {"T3": "anna"}
    nw.closes("T3")
    assert not nw.desk.served
    assert not nw.desk.tasks


@pytest.mark.parametrize(("measure", "holder"), [("terminate", "hanna"), ("forgive", "adam")])
def test_an_approval_goes_to_who_may_give_it(measure: str, holder: str) -> None:
    nw = Nw(ANNA, HEAD, person("adam", "administrator", groups=""))
    nw.enters("P", bringing=Standing(manager="anna"))
    nw.opens("T1", why="approval", measure=measure)
    nw.opens("T2", why="failed", measure=measure)
    assert nw.has == {"T1": holder, "T2": "anna"}


def test_a_task_that_nobody_took_goes_to_the_least_loaded_head_after_the_segments_limit() -> None:
    nw = Nw(person("anna", capacity=0), HEAD, person("helga", "head"))
    nw.opens("A", why="approval", measure="terminate")
    nw.opens("T1")
    assert nw.desk.wake_at() == TEN + 4 * HOUR
    nw.goes_on(4 * HOUR - 1)
    assert nw.has == {"A": "hanna", "T1": None}
    nw.goes_on(1)
    assert nw.has == {"A": "hanna", "T1": "helga"}
    assert nw.desk.assignments[-1] == WorkAssigned(
        nw.now, "P", "T1", "helga", "escalated", "escalated: not taken within 4h; least loaded of 2: 0 tasks"
    )


def test_an_escalation_is_recorded_once_and_waits_for_the_first_head_with_room() -> None:
    nw = Nw(person("hanna", "head", away=AWAY_TODAY), person("anna", capacity=0), escalate_after=90 * MINUTE)
    nw.opens("T1")
    nw.goes_on(90 * MINUTE)
    nw.goes_on(90 * MINUTE)
    assert nw.reasons == ["escalated: not taken within 90m; none of 1 has room, 1 away"]
    assert nw.desk.wake_at() == ZONE.midnight(MONDAY + 1)
    nw.goes_on(24 * HOUR)
    assert nw.has == {"T1": "hanna"}
    assert [each.how for each in nw.desk.assignments] == ["escalated", "escalated"]


def test_an_escalated_task_that_no_head_can_take_goes_to_a_specialist_who_can() -> None:
    nw = Nw(person("anna", capacity=1), escalate_after=HOUR)
    nw.opens("T1", "T2")
    nw.goes_on(HOUR)
    assert nw.reasons[-1] == "escalated: not taken within 1h; no head in group nw"
    assert nw.desk.wake_at() == NEVER
    nw.closes("T1")
    assert nw.has == {"T2": "anna"}


def test_a_task_in_a_segment_by_hand_escalates_all_the_same() -> None:
    nw = Nw(ANNA, HEAD, assign="by-hand")
    nw.opens("T1", "T2")
    assert nw.takes("T2", "anna") == "taken"
    nw.goes_on(4 * HOUR)
    assert nw.has == {"T1": "hanna", "T2": "anna"}


def test_tasks_are_taken_and_given_by_hand() -> None:
    nw = Nw(ANNA, person("boris", capacity=0), HEAD, assign="by-hand")
    nw.opens("T1")
    nw.opens("A", why="approval", measure="terminate")
    assert nw.takes("T9", "anna") == "unknown_reference"
    assert nw.takes("T1", "nobody") == "unknown_reference"
    assert nw.takes("A", "anna") == "not_allowed"
    assert nw.takes("T1", "boris", actor="anna") == "not_allowed"
    assert nw.takes("T1", "boris") == "taken"
    assert nw.takes("T1", "boris") == "taken"
    assert nw.takes("T1", "anna") == "not_changeable"
    assert nw.takes("T1", "anna", actor="hanna") == "taken"
    assert nw.has == {"T1": "anna", "A": None}
    assert nw.reasons == ["by hand of boris", "by hand of hanna"]
    assert nw.desk.roster.load("boris", 1) == 0


def test_what_somebody_may_no_longer_do_waits_for_others() -> None:
    nw = Nw(ANNA, HEAD)
    nw.opens("T1")
    nw.opens("A", why="approval", measure="terminate")
    nw.desk.adopt(policy_of(BORIS, person("hanna"), person("helga", "head")))
    nw.goes_on(0)
    assert nw.has == {"T1": "boris", "A": "helga"}
    nw.desk.adopt(policy_of(HEAD))
    nw.goes_on(0)
    assert nw.has == {"T1": "hanna", "A": "hanna"}


def test_what_is_taken_from_somebody_waits_anew_and_may_escalate_again() -> None:
    nw = Nw(person("anna", capacity=0), HEAD)
    nw.opens("T1")
    nw.goes_on(5 * HOUR)
    assert nw.has == {"T1": "hanna"}
    nw.desk.adopt(policy_of(person("anna", capacity=0), person("helga", "head")))
    nw.goes_on(0)
    assert nw.has == {"T1": None}
    assert nw.desk.wake_at() == nw.now + 4 * HOUR


def test_a_profile_that_moves_takes_its_work_along() -> None:
    nw = Nw(person("anna", capacity=1))
    nw.enters("P1")
    nw.opens("T1", profile="P1")
    nw.hears(LoadReported(nw.now - 1, "south", "anna", 0, 0))
    nw.leaves("P1")
    assert not nw.desk.served
    assert not nw.desk.tasks
    assert not nw.desk.queue
    assert nw.desk.roster.load("anna", 1) == 0
    assert nw.desk.roster.load("anna", 0) == 1, "she serves it still, as the other desk will say"
    nw.hears(LoadReported(nw.now, "south", "anna", 1, 0))
    assert nw.desk.roster.load("anna", 0) == 1
    nw.hears(LoadReported(nw.now, "south", "anna", 0, 0))
    nw.goes_on(HOUR)
    nw.enters("P2", bringing=Standing("zoe", None, (("T2", "measure", "specialist", TEN),)))
    assert (nw.serves, nw.has) == ({"P2": "zoe"}, {"T2": "anna"})
    nw.enters("P3", bringing=Standing(None, None, (("T3", "measure", "specialist", TEN),)))
    assert nw.desk.wake_at() == nw.now + 4 * HOUR, "it waits here anew"
    nw.enters("P4", bringing=Standing(None, None, (("T4", "measure", "specialist", nw.now + 1),)))
    assert "T4" not in nw.has, "it will be told when it opens"


def test_a_profile_that_the_other_desk_has_counted_already_is_not_counted_twice() -> None:
    nw = Nw(ANNA)
    nw.enters("P1")
    nw.hears(LoadReported(nw.now, "south", "anna", 1, 0))
    nw.leaves("P1")
    assert nw.desk.roster.load("anna", 0) == 1


def test_a_fact_reaches_the_desks_it_concerns() -> None:
    policy = policy_of(ANNA)
    moved = SegmentChanged(TEN, "all", "south", "all", "nw", "plan", "south", False)
    new = SegmentChanged(TEN, "all", "nw", None, None, "plan", "nw", False)
    assert desks_for(moved, "south", policy) == ("nw", "south")
    assert desks_for(new, "nw", policy) == ("nw",)
    assert desks_for(TaskTaken(TEN, "T", "anna", "anna"), "nw", policy) == ("nw",)
    assert desks_for(AccountClosed(TEN, ""), None, policy) == ()
    assert desks_for(LoadReported(TEN, "nw", "anna", 1, 0), None, policy) == ("south",)
    assert desks_for(RunClosed(TEN, "P/1", "plan", "cured"), "nw", policy) == ()


def test_a_state_of_another_format_is_refused() -> None:
    for state in ((), (99,)):
        with pytest.raises(UnknownFormat):
            thaw(state)
