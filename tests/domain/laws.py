"""What holds of every life of a debtor, whatever is done to it: each law looks at all that was told.

Laws keep their own plain account of what they speak of, written down from the spec and not from the domain's code.
"""

from collections.abc import Callable, Iterator
from typing import Final

from domain import events as e
from domain import messages as m
from domain.calendar import NEVER
from domain.forecast import forecast
from domain.journal import rebuild, same
from domain.policy import Measure, Policy
from domain.profile import Profile
from domain.record import Record
from domain.snapshot import freeze, thaw
from domain.work import work
from tests.domain.lives import Life
from tests.domain.plain_ledger import money_adds_up

CURED: Final = ("cured", "closed")


def told_facts(life: Life) -> Iterator[tuple[e.MeasureRequested | Record, Policy]]:
    """Every fact with the policy under which it came about."""
    for told in life.told:
        for fact in told.facts:
            yield fact, told.policy


def measure_of(command: e.MeasureRequested, policy: Policy) -> Measure:
    """What the command carries out."""
    assert command.plan is not None
    step = policy.plans[command.plan].step(command.measure)
    assert step is not None
    return policy.plans[command.plan].measures[step - 1]


def approved(life: Life) -> set[str]:
    """The commands on which somebody has decided."""
    return {fact.command_id for fact in life.facts if isinstance(fact, m.MeasureApproved)}


# Runs.


def runs_follow_one_another(life: Life) -> None:
    """A profile has at most one run, and they are numbered from 1."""
    open_run, number = "", 0
    for fact in life.facts:
        if isinstance(fact, e.RunOpened):
            number += 1
            assert (open_run, fact.run_id) == ("", f"A/{number}")
            open_run = fact.run_id
        elif isinstance(fact, e.RunClosed):
            assert fact.run_id == open_run
            open_run = ""
    assert open_run == (life.profile.run.run_id if life.profile.run is not None else "")


def a_run_that_is_over_fires_nothing(life: Life) -> None:
    """Only an open run fires; what was sent may be sent again, but not once the run is cured or the account closed.

    A restriction that was given up and turns out to be in force after its run is cured is given back at once.
    """
    open_run = ""
    reasonless: set[str] = set()
    chain: list[str] = []
    for told in life.told:
        cured_now = ""
        for fact in told.facts:
            if isinstance(fact, e.RunOpened):
                open_run = fact.run_id
                chain.append(open_run)
            elif isinstance(fact, e.RunClosed):
                open_run = ""
                if fact.outcome in CURED:
                    reasonless.update(chain)
                if fact.outcome != "switched":
                    chain = []
                cured_now = fact.run_id if fact.outcome == "cured" else ""
            elif isinstance(fact, e.MeasureRequested) and fact.run_id is not None:
                if fact.reason == "cured":
                    was_late = isinstance(told.message, m.MeasureCompleted) and fact.run_id in reasonless
                    assert fact.kind == "restore"
                    assert fact.run_id == cured_now or was_late
                elif fact.attempt == 1:
                    assert fact.run_id == open_run
                else:
                    assert fact.run_id not in reasonless


def time_goes_forward(life: Life) -> None:
    """What happens later is told later."""
    instants = [fact.at for fact in life.facts]
    assert instants == sorted(instants)


def an_account_that_is_closed_sends_nothing(life: Life) -> None:
    """When an account is closed nothing more is sent, and no task stays open that nobody could close."""
    if life.profile.closed:
        closing = next(n for n, told in enumerate(life.told) if isinstance(told.message, m.AccountClosed))
        allowed = m.AccountClosed, e.RunClosed, e.TaskClosed
        assert all(isinstance(fact, allowed) for fact in life.told[closing].facts)
        assert not any(told.facts for told in life.told[closing + 1 :])
        assert life.profile.tasks is None


def tasks_open_and_close_once(life: Life) -> None:
    """Every task that closes is open, and an id is not given twice at a time."""
    tasks: set[str] = set()
    for fact in life.facts:
        if isinstance(fact, e.TaskOpened):
            assert fact.task_id not in tasks
            tasks.add(fact.task_id)
        elif isinstance(fact, e.TaskClosed):
            tasks.remove(fact.task_id)
    assert tasks == set(life.profile.tasks or ())


def command_ids_are_unique(life: Life) -> None:
    """A command keeps its id and its content over its attempts; no other command has it."""
    sent: dict[str, e.MeasureRequested] = {}
    for fact in life.facts:
        if isinstance(fact, e.MeasureRequested):
            before = sent.get(fact.command_id)
            assert fact.attempt == (1 if before is None else before.attempt + 1)
            if before is not None:
                assert (fact.measure, fact.run_id, fact.reason) == (before.measure, before.run_id, before.reason)
                assert fact.attempt <= fact.retries + 1
            sent[fact.command_id] = fact


def what_is_withdrawn_or_held_back_is_not_sent_again(life: Life) -> None:
    """Nobody waits for an outcome of what never left."""
    withdrawn: set[str] = set()
    held: set[str] = set()
    for fact in life.facts:
        match fact:
            case e.CommandWithdrawn():
                withdrawn.add(fact.command_id)
            case e.CommandHeld():
                held.add(fact.command_id)
            # A failure reported all the same is acted upon like any other.
            case e.CommandReleased() | m.MeasureFailed():
                held.discard(fact.command_id)
            case e.MeasureRequested() | e.CommandFailed() | e.ServiceRestoreOverdue():
                assert fact.command_id not in withdrawn | held


# Restrictions.


class Taken:
    """A service taken away, by these commands."""

    def __init__(self, command: e.MeasureRequested) -> None:
        self.key = command.measure, command.target, command.reverse
        self.commands = [command.command_id]


class Services:
    """What is taken away and what became of the commands: told failed, confirmed, or nothing."""

    def __init__(self) -> None:
        self.of_run: list[Taken] = []
        self.loose: list[Taken] = []
        self.failed: set[str] = set()
        self.given_up: set[str] = set()

    def learn(self, fact: Record) -> None:
        match fact:
            case e.MeasureRequested() if fact.kind == "restrict" and fact.attempt == 1:
                self._take(self.of_run if fact.run_id is not None else self.loose, Taken(fact))
            case e.MeasureRequested() if fact.restores is not None and fact.reason == "ordered":
                self._give_back(self.of_run if fact.run_id is not None else self.loose, fact)
            case e.CommandFailed():
                self.given_up.add(fact.command_id)
                if fact.reported:
                    self.failed.add(fact.command_id)
            case m.MeasureFailed() if fact.command_id in self.given_up:
                self.failed.add(fact.command_id)
            case m.MeasureCompleted():
                self.failed.discard(fact.command_id)
                self.given_up.discard(fact.command_id)
            case e.CommandWithdrawn():
                for taken in [*self.of_run, *self.loose]:
                    taken.commands = [each for each in taken.commands if each != fact.command_id]

    def are_taken(self, taken: Taken) -> bool:
        return any(command not in self.failed for command in taken.commands)

    @staticmethod
    def _take(services: list[Taken], taken: Taken) -> None:
        for each in services:
            if each.key == taken.key:
                taken.commands = [*each.commands, *taken.commands]
                services.remove(each)
                break
        services.append(taken)

    def _give_back(self, services: list[Taken], command: e.MeasureRequested) -> None:
        found = [each for each in services if each.key[0] == command.restores and self.are_taken(each)]
        assert (found[0].key[1], found[0].key[2]) == (command.target, command.measure)
        services.remove(found[0])


def reversals_match_restrictions(life: Life) -> None:
    """Each restriction not reported failed is reversed once: by hand, or at the cure, the last first. One that was
    reported failed is, too, if it should be confirmed after the cure."""
    services = Services()
    failed_at_cure: dict[str, Taken] = {}
    for told in life.told:
        expected: list[tuple[str | None, str]] = []
        reversed_now: list[tuple[str | None, str]] = []
        for fact in told.facts:
            services.learn(fact)
            if isinstance(fact, e.RunClosed) and fact.outcome != "switched":
                if fact.outcome == "cured":
                    taken = [each for each in reversed(services.of_run) if services.are_taken(each)]
                    expected += [(each.key[2], each.key[1]) for each in taken]
                    failed = [each for each in services.of_run if not services.are_taken(each)]
                    failed_at_cure |= {command: each for each in failed for command in each.commands}
                services.of_run = []
            if isinstance(fact, m.MeasureCompleted) and fact.command_id in failed_at_cure:
                late = failed_at_cure.pop(fact.command_id)
                # What the next run has taken away as well is given back with that one.
                if late.key[2] is not None and all(each.key != late.key for each in services.of_run):
                    expected.append((late.key[2], late.key[1]))
            if isinstance(fact, e.MeasureRequested) and fact.reason == "cured":
                reversed_now.append((fact.measure, fact.target))
        assert reversed_now == expected


# Timing.


def contacts_keep_the_hours(life: Life) -> None:
    """A contact with a protected party leaves within the contact hours of its local day, prevention and retries too."""
    for fact, policy in told_facts(life):
        if is_contact(fact) and life.party in policy.contact.parties:
            day = policy.zone.day(fact.at)
            rules = policy.contact
            hours = rules.workday if policy.calendar.is_business_day(day) else rules.dayoff
            assert hours is None or hours.opens <= policy.zone.time_of_day(fact.at) < hours.closes


def is_contact(fact: Record) -> bool:
    return isinstance(fact, e.MeasureRequested) and fact.kind in ("call", "notify")


def contacts_keep_the_caps(life: Life) -> None:
    """No contact of a plan or by order makes more than a cap allows of any 1, 7 or 30 consecutive days."""
    made: dict[str, list[int]] = {"call": [], "notify": []}
    for fact, policy in told_facts(life):
        day = policy.zone.day(fact.at)
        if isinstance(fact, m.ContactMade) and fact.direction == "out":
            made[fact.kind].append(day)
        if not isinstance(fact, e.MeasureRequested) or not is_contact(fact):
            continue
        if fact.reason == "prevention" or fact.attempt > 1:
            continue
        made[fact.kind].append(day)
        for cap in policy.contact.caps:
            for days, limit in ((1, cap.per_day), (7, cap.per_week), (30, cap.per_month)):
                if cap.kind == fact.kind and limit is not None and life.party in policy.contact.parties:
                    assert sum(1 for each in made[fact.kind] if day - days < each <= day) <= limit


def measures_of_the_plan_keep_their_time(life: Life) -> None:
    """Not before their day, nor before their time of day, nor on a day off where they are for business days."""
    approvals = approved(life)
    for fact, policy in told_facts(life):
        if isinstance(fact, e.MeasureRequested) and fact.reason == "plan" and fact.attempt == 1:
            measure = measure_of(fact, policy)
            assert fact.dpd >= 1
            if fact.command_id not in approvals:  # where a head decides, it goes when it is approved
                assert fact.dpd >= fact.day
                assert fact.at >= policy.zone.instant(policy.zone.day(fact.at), measure.at)
                assert not measure.business_days or policy.calendar.is_business_day(fact.on)


def measures_of_the_plan_keep_the_gap(life: Life) -> None:
    """With ``min_gap_days`` 1, at most one measure of the plan a day; else the gap after the last that counted."""
    last = 0
    approvals = approved(life)
    for fact, policy in told_facts(life):
        if isinstance(fact, e.RunClosed) and fact.outcome != "switched":
            last = 0
        if isinstance(fact, e.MeasureRequested) and fact.attempt == 1 and fact.run_id is not None:
            day = policy.zone.day(fact.at)
            if fact.reason == "plan" and last and fact.command_id not in approvals:
                assert fact.plan is not None
                assert day >= last + policy.plans[fact.plan].min_gap_days
            if fact.counts:
                last = day


def no_measure_fires_twice_in_a_run(life: Life) -> None:
    """What has fired stays fired: a second time needs an order, or a head who has said yes to it before."""
    fired: set[str] = set()
    approvals = approved(life)
    for fact in life.facts:
        if isinstance(fact, e.RunOpened):
            fired = set()
        if isinstance(fact, e.MeasureRequested) and fact.attempt == 1 and fact.run_id is not None:
            assert fact.reason != "plan" or fact.measure not in fired or fact.command_id in approvals
            if fact.counts:
                fired.add(fact.measure)


def nothing_of_the_plan_fires_in_a_hold(life: Life) -> None:
    """Neither before the end of a moratorium, nor before that of a promise that is neither kept nor broken."""
    holds: dict[str, int] = {}
    promised = 0
    for fact, policy in told_facts(life):
        match fact:
            case m.HoldPlaced():
                holds[fact.hold_id] = fact.until
            case m.HoldLifted():
                del holds[fact.hold_id]
            case m.PromiseMade():
                promised = fact.pay_by
            case e.PromiseKept() | e.PromiseBroken():
                promised = 0
            case e.MeasureRequested() if fact.reason == "plan" and fact.attempt == 1:
                assert policy.zone.day(fact.at) > max([promised, *holds.values()])


# The journal, and what may not be seen.


def the_journal_is_enough(life: Life) -> None:
    """The facts, folded over an empty profile, give the profile as it is; a snapshot read back is the profile too."""
    assert same(rebuild("A", life.facts), life.profile)
    assert same(thaw("A", freeze(life.profile)), life.profile)


def what_is_foretold_happens(life: Life) -> None:
    """The forecast is what comes when nobody pays and whoever is asked approves at once; asking changes nothing."""
    before = freeze(life.profile)
    foretold = [(step.at, step.what.split()[0]) for step in forecast(life.profile, life.policy, life.now, 12)]
    assert freeze(life.profile) == before
    profile = thaw("A", before)
    facts: list[Record] = []
    _approve(profile, life.now, life.policy, facts)
    while profile.wake_at < NEVER and len(facts) < 200:
        wake_at = max(profile.wake_at, life.now)
        assert work(profile, m.Wake(wake_at), life.policy, facts, confirms=True) is None
        _approve(profile, wake_at, life.policy, facts)
    happened = [step for fact in facts for step in _as_foretold(fact)]
    assert foretold == happened[:12]


def _approve(profile: Profile, at: int, policy: Policy, facts: list[Record]) -> None:
    for task in list((profile.tasks or {}).values()):
        # What was approved before may have ended the run, and with it the other approvals.
        if task.why == "approval" and task.task_id in (profile.tasks or {}):
            yes = m.MeasureApproved(at, task.command_id, "adam", "")
            assert work(profile, yes, policy, facts, confirms=True) is None


def _as_foretold(fact: Record) -> Iterator[tuple[int, str]]:
    match fact:
        case e.MeasureRequested() | e.MeasureSkipped():
            yield fact.at, fact.measure
        case e.TaskOpened() if fact.why == "approval":
            yield fact.at, fact.measure
        case e.RunOpened():
            yield fact.at, "run"
        case e.RunClosed():
            yield fact.at, "the"
        case e.PromiseBroken():
            yield fact.at, "promise"
        case e.InstalmentsBroken():
            yield fact.at, "instalments"


LAWS: Final[list[Callable[[Life], None]]] = [
    time_goes_forward,
    runs_follow_one_another,
    a_run_that_is_over_fires_nothing,
    an_account_that_is_closed_sends_nothing,
    tasks_open_and_close_once,
    command_ids_are_unique,
    what_is_withdrawn_or_held_back_is_not_sent_again,
    reversals_match_restrictions,
    contacts_keep_the_hours,
    contacts_keep_the_caps,
    measures_of_the_plan_keep_their_time,
    measures_of_the_plan_keep_the_gap,
    no_measure_fires_twice_in_a_run,
    nothing_of_the_plan_fires_in_a_hold,
    money_adds_up,
    the_journal_is_enough,
    what_is_foretold_happens,
]
