"""The people of one branch: crews with opening hours, who call debtors, decide on measures, and see to what failed."""

from collections.abc import Callable
from math import log1p
from typing import Final

from simpy import Event

from domain.calendar import SECOND
from domain.events import TaskOpened
from domain.messages import ContactMade, MeasureApproved, MeasureRejected, PromiseMade, TaskDone
from domain.timing import within_caps
from sim import chance as c
from sim.behaviour import Behaviour
from sim.capacity import NO_TIME, Servers
from sim.portfolio import type_offsets
from sim.scenario import Crew
from sim.services import Services
from sim.site import Site

WITHOUT_END: Final = 1 << 30
_WORKS: Final = {"measure": "task", "approval": "approval", "failed": "failed"}
# Where the scenario names nobody for some work, it is done in office hours by whoever it takes.
_EVERYONE: Final = Crew(name="everyone", people=WITHOUT_END, works=frozenset(_WORKS.values()))


class People:
    """All crews of a branch; the last one does what no other is there for."""

    def __init__(self, site: Site, services: Services) -> None:
        self.site: Final = site
        self.services: Final = services
        self.promises: Final[dict[int, int]] = {}
        """What the accounts have promised and neither kept nor broken yet."""
        self._offsets: Final = type_offsets(site.scenario)
        self._crews: Final = [
            (crew, Servers(site.env, site.here(crew.people), _hours(site, crew), site.announce))
            for crew in (*site.scenario.crews, _EVERYONE)
        ]

    def ask(self, account: int, group: str | None, task: TaskOpened) -> None:
        """A task goes to the first crew that does such work for the profile's group."""
        work = _WORKS[task.why]
        for crew, servers in self._crews:
            if work in crew.works and (not crew.groups or group in crew.groups):
                servers.ask(task.at, _Errand(self, crew, servers, account, group, task))
                return

    def count_waiting(self, month: int) -> None:
        """At the horizon, what still waits for a crew was refused."""
        for crew, servers in self._crews:
            for _, job in servers.waiting:
                assert isinstance(job, _Errand)
                self.site.tally.add_one("manager_seconds_refused", month, job.account, int(crew.minutes * 60))

    def behaviour(self, account: int) -> tuple[Behaviour, int]:
        """The account's behaviour and its type there."""
        portfolio, scenario = self.site.portfolio, self.site.scenario
        group = int(portfolio.group[account])
        behaviour = scenario.behaviours[scenario.groups[group].behaviour]
        return behaviour, int(portfolio.type[account]) - self._offsets[group]


def _hours(site: Site, crew: Crew) -> Callable[[int], int]:
    zone, calendar = site.policy.zone, site.policy.calendar

    def opens(at: int) -> int:
        day = zone.day(at)
        while True:
            if not crew.business_days or calendar.is_business_day(day):
                opening = zone.instant(day, crew.opens)
                if at < opening:
                    return opening
                if at < zone.instant(day, crew.closes):
                    return at
            day += 1
            at = zone.midnight(day)

    return opens


class _Errand:
    """One task, from a crew's queue to its end."""

    def __init__(
        self, people: People, crew: Crew, servers: Servers, account: int, group: str | None, task: TaskOpened
    ) -> None:
        self.account: Final = account
        self._people: Final = people
        self._site: Final = people.site
        self._crew: Final = crew
        self._servers: Final = servers
        self._group: Final = group
        self._task: Final = task

    def begin(self, at: int) -> int:
        """Whoever turns to it looks first whether it is still to be done, and may be done today."""
        site, crew = self._site, self._crew
        tally, month = site.tally, site.today.month
        if not self._is_open():
            tally.add_one("manager_seconds_refused", month, self.account, int(crew.minutes * 60))
            return NO_TIME
        day = site.policy.zone.day(at)
        if self._task.why == "measure" and not self._may_call(day):
            tomorrow = site.policy.zone.midnight(day + 1)
            event = site.env.timeout(tomorrow - site.env.now)
            assert event.callbacks is not None
            event.callbacks.append(self._ask_again)
            site.announce(tomorrow)
            return NO_TIME
        seconds = max(1, int(-crew.minutes * 60 * log1p(-site.luck(c.TALK, at, self.account))))
        tally.add_one("manager_seconds", month, self.account, seconds)
        return seconds * SECOND

    def end(self, at: int) -> None:
        """The work is done: the domain hears of it."""
        if not self._is_open():
            return
        task, site, account = self._task, self._site, self.account
        match task.why:
            case "approval":
                actor = site.actor("head", self._group)
                if site.luck(c.APPROVAL, at, account) < site.scenario.approval_rejected:
                    site.cases.post(at, account, MeasureRejected(at, task.command_id, actor, "not now"))
                else:
                    site.cases.post(at, account, MeasureApproved(at, task.command_id, actor, "looked at"))
            case "measure":
                self._call(at)
            case _:
                actor = site.actor("specialist", self._group)
                self._people.services.restored_by_hand(account, at, task.measure)
                site.cases.post(at, account, TaskDone(at, task.task_id, actor, "seen to", "done by hand"))

    def _call(self, at: int) -> None:
        site, account = self._site, self.account
        actor = site.actor("specialist", self._group)
        reached = site.luck(c.REACHED, at, account) < site.scenario.task_reach
        site.today.visited.append((account, reached))
        outcome = "reached" if reached else "no answer"
        site.cases.post(at, account, ContactMade(at, "call", "out", actor, outcome, ""))
        site.cases.post(at, account, TaskDone(at, self._task.task_id, actor, outcome, ""))
        behaviour, of_type = self._people.behaviour(account)
        if reached and site.luck(c.PROMISE, at, account) < behaviour.promise_made:
            self._promise(at, behaviour, of_type)

    def _promise(self, at: int, behaviour: Behaviour, of_type: int) -> None:
        site, account = self._site, self.account
        amount = int(site.books.outstanding[account])
        if amount <= 0 or account in self._people.promises:
            return
        day = site.policy.zone.day(at)
        self._people.promises[account] = amount
        # After the contact itself: a profile hears one thing at a time.
        site.cases.post(at + 1, account, PromiseMade(at + 1, f"V{day}", amount, day + behaviour.promise_days))
        if site.luck(c.KEPT, at, account) < behaviour.types[of_type].promise_kept:
            ahead = 1 + int(site.luck(c.PROMISE_DAY, at, account) * behaviour.promise_days)
            site.promised.setdefault(day + ahead, []).append(account)

    def _is_open(self) -> bool:
        profile = self._site.cases.profile(self.account)
        return not profile.closed and profile.tasks is not None and self._task.task_id in profile.tasks

    def _may_call(self, day: int) -> bool:
        """People keep the caps, too: nobody calls where the rules forbid another call today."""
        profile, policy = self._site.cases.profile(self.account), self._site.policy
        return profile.party not in policy.contact.parties or within_caps(profile, policy, "call", day)

    def _ask_again(self, _: Event) -> None:
        self._servers.ask(int(self._site.env.now), self)
