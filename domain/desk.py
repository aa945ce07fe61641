"""The desk of a service segment: whose personal manager is whose, what work is open, who has it, and who gets the next.

A desk learns facts and keeps the books of its own segment; of the other desks it knows how much each manager has there
(`LoadReported`), because one person may serve several groups and is full only once. Like `evolve` it changes what it is
given; it reads no clock, and answers the same to the same facts however they are batched.

By rule, work goes to managers of the needed role in the profile's group (where nobody has it: `_LADDERS`) who are
present on the local day and have room. ``capacity`` bounds profiles and open tasks each by itself. Profiles that are
due a personal manager wait in order of arrival, and so do tasks. Absence takes nothing away: what a manager has stays
theirs, only new work passes them by. By hand, anyone with the role may be given any amount.
"""

from collections import deque
from itertools import islice
from typing import Final, cast

from domain.calendar import NEVER, duration_in_words
from domain.decision import Refusal
from domain.desk_books import DeskTask, Frozen, Served
from domain.desk_facts import TOLD as TOLD
from domain.desk_facts import Standing as Standing
from domain.desk_facts import TaskTaken as TaskTaken
from domain.desk_facts import WorkAssigned as WorkAssigned
from domain.desk_facts import desks_for as desks_for
from domain.desk_facts import role_for as role_for
from domain.events import ManagerChanged, PersonalManagerDue, SegmentChanged, TaskClosed, TaskOpened
from domain.messages import AccountClosed, GroupAssigned, ManagerAssigned, ManagerChosen
from domain.policy import ROLES, Policy, ServiceSegment
from domain.record import Record
from domain.roster import PROFILES, TASKS, LoadReported, Roster
from domain.snapshot import UnknownFormat

FORMAT: Final = 1
"""The format that `Desk.freeze` writes."""

_LOOKED_AT_MAX: Final = 50
"""So many of those who wait are looked at for each room that comes up; all of them once a day."""


class Desk:
    """The books of one service segment. `adopt` a policy first; what came of it lies in the lists until taken."""

    def __init__(self, service_segment: str) -> None:
        self.service_segment: Final[str] = service_segment
        self.roster: Final[Roster] = Roster(service_segment)
        self.served: Final[dict[str, Served]] = {}
        self.tasks: Final[dict[str, DeskTask]] = {}
        # What nobody has yet, in order of arrival; for a profile, whether it was answered that there is nobody.
        self.waiting: Final[dict[str, bool]] = {}
        self.queue: Final[dict[str, None]] = {}
        # The last word to each profile, in order of profiles; an earlier one that was not sent yet is moot.
        self.answers: Final[dict[str, ManagerChosen]] = {}
        self.assignments: Final[list[WorkAssigned]] = []
        self.refusals: Final[list[tuple[TaskTaken, Refusal]]] = []
        self.is_changed: bool = False
        """Whether `freeze` would say something else than when this was last set to False."""
        self._policy: Policy | None = None
        self._service: ServiceSegment | None = None
        self._now: int = 0
        self._is_new_policy: bool = False
        self._is_new_day: bool = False
        # Whether the policy names its people: without, no rule gives work.
        self._is_ruled: bool = False
        # Untaken tasks that have not escalated yet, in the order in which they will; some are taken meanwhile.
        self._unescalated: Final[deque[tuple[int, str]]] = deque()
        # What came since work was last spread: unless somebody got room, only this can find any.
        self._new_profiles: list[str] = []
        self._new_tasks: list[str] = []

    def adopt(self, policy: Policy) -> None:
        """From the next instant on this policy holds, with its people; where it names none, no rule gives work."""
        self._policy = policy
        self._service = None
        for service in policy.service_segments:
            if service.name == self.service_segment:
                self._service = service
        self._is_ruled = policy.managers is not None
        self.roster.adopt(policy.managers if policy.managers is not None else {})
        self._is_new_policy = True

    def learn(self, at: int, profile_id: str, fact: Record, standing: Standing | None = None) -> None:
        """Takes a fact into the books and spreads what work there is; each fact once, in the order of instants.

        ``standing`` comes with a `SegmentChanged`; ``profile_id`` says nothing with a `TaskTaken`.
        """
        self._advance(at)
        if isinstance(fact, TaskTaken):
            refusal = self._take(fact)
            if refusal is not None:
                self.refusals.append((fact, refusal))
        else:
            was_known = profile_id in self.served
            self._note(profile_id, fact, standing)
            self.is_changed = self.is_changed or was_known or profile_id in self.served
        self._spread()

    def hear(self, fact: LoadReported, more_only: bool = False) -> None:
        """Takes in what somebody has at another desk; `look` after the last. ``more_only``: not yet what is gone."""
        self.roster.hear(fact, more_only)

    def look(self, at: int) -> None:
        """Does what time, a new policy or room at other desks has made due."""
        self._advance(at)
        self._spread()

    def wake_at(self) -> int:
        """When to `look` again: a task escalates, or somebody comes back while work waits; else `NEVER`.

        The beginning of an absence needs no look: who is present is asked at each assignment.
        """
        if self._service is None or self._policy is None or not (self.waiting or self.queue):
            return NEVER
        back_on = self.roster.back_on()
        return min(self._next_escalation(), self._policy.zone.midnight(back_on) if back_on > 0 else NEVER)

    def take_moved_loads(self) -> list[LoadReported]:
        """What those managers have of this desk's work for whom it has changed since this was last asked for."""
        return self.roster.take_moved(self._now)

    def freeze(self) -> Frozen:
        """The desk's own books as nested tuples of plain values; what other desks reported is asked for again."""
        return (
            FORMAT,
            self.service_segment,
            tuple([(i, s.manager, s.group, s.personal, s.declined) for i, s in sorted(self.served.items())]),
            tuple(self.waiting.items()),
            tuple([task.values() for task in self.tasks.values()]),
            tuple(self.queue),
            tuple(sorted(self.roster.turns.items())),
        )

    # Facts.

    def _note(self, profile_id: str, fact: Record, standing: Standing | None) -> None:
        if isinstance(fact, SegmentChanged) and fact.service_segment == self.service_segment:
            self._receive(profile_id, fact, standing)
            return
        served = self.served.get(profile_id)
        if isinstance(fact, (SegmentChanged, AccountClosed)):
            to = fact.service_segment if isinstance(fact, SegmentChanged) else None
            if to is not None and standing is not None and standing.manager is not None:
                self.roster.expect(fact.at, to, standing.manager)
            self._let_go(profile_id)
            return
        if served is None:
            served = self.served[profile_id] = Served()
        if isinstance(fact, TaskOpened):
            assert self._policy is not None
            role = role_for(fact.why, fact.plan, fact.measure, self._policy)
            self._add_task(DeskTask(fact.task_id, profile_id, fact.why, role, fact.at, fact.at), served)
        elif isinstance(fact, TaskClosed):
            self._drop_task(fact.task_id)
        elif isinstance(fact, PersonalManagerDue):
            served.personal = True
        elif isinstance(fact, ManagerAssigned):
            self._serve(served, fact.manager)
            served.declined = fact.manager is None
            self.answers.pop(profile_id, None)
        elif isinstance(fact, ManagerChanged):
            self._serve(served, fact.manager)
            self._new_tasks.extend(served.tasks)
        elif isinstance(fact, GroupAssigned):
            served.group = fact.group
            self._new_tasks.extend(served.tasks)
        self._await(profile_id, served)

    def _receive(self, profile_id: str, fact: SegmentChanged, standing: Standing | None) -> None:
        """The profile comes, or stays under other rules. The tasks it brings wait here anew."""
        served = self.served.get(profile_id)
        if served is None:
            served = self.served[profile_id] = Served()
            if standing is not None:
                served.group = standing.group
                self._serve(served, standing.manager)
                for task_id, why, role, opened_at in standing.tasks:
                    if opened_at <= fact.at:
                        self._add_task(DeskTask(task_id, profile_id, why, role, opened_at, fact.at), served)
        served.personal = fact.personal
        if profile_id in self.waiting:
            self.waiting[profile_id] = False
        self._await(profile_id, served)

    def _let_go(self, profile_id: str) -> None:
        """The profile has left or is closed: what it gave people to do here is over."""
        served = self.served.pop(profile_id, None)
        if served is not None:
            for task_id in served.tasks:
                self._drop_task(task_id)
            self._serve(served, None)
            self.waiting.pop(profile_id, None)
            self.answers.pop(profile_id, None)

    def _serve(self, served: Served, manager: str | None) -> None:
        if manager == served.manager:
            return  # or everyone who waits would be looked at for every answer that comes back
        self.roster.count(served.manager, PROFILES, -1)
        self.roster.count(manager, PROFILES, 1)
        served.manager = manager

    def _await(self, profile_id: str, served: Served) -> None:
        """Has the profile wait if a personal manager is due, and forgets it where there is nothing to remember."""
        if served.personal and served.manager is None and not served.declined:
            self.waiting.setdefault(profile_id, False)
            self._new_profiles.append(profile_id)
            return
        self.waiting.pop(profile_id, None)
        if not (served.manager or served.group or served.tasks or served.declined):
            del self.served[profile_id]

    def _add_task(self, task: DeskTask, served: Served) -> None:
        if task.task_id not in self.tasks:
            self.tasks[task.task_id] = task
            served.tasks[task.task_id] = None
            self._enqueue(task)

    def _enqueue(self, task: DeskTask) -> None:
        self.queue[task.task_id] = None
        self._new_tasks.append(task.task_id)
        self._unescalated.append((task.queued_at, task.task_id))

    def _drop_task(self, task_id: str) -> None:
        task = self.tasks.pop(task_id, None)
        if task is not None:
            self.queue.pop(task_id, None)
            self.roster.count(task.manager, TASKS, -1)
            served = self.served.get(task.profile_id)
            if served is not None:
                served.tasks.pop(task_id, None)

    def _take(self, fact: TaskTaken) -> Refusal | None:
        policy = self._policy
        assert policy is not None
        task = self.tasks.get(fact.task_id)
        if task is None:
            return Refusal("unknown_reference", f"task {fact.task_id!r} is not open here")
        if policy.managers is not None and fact.manager not in policy.managers:
            return Refusal("unknown_reference", f"manager {fact.manager!r} is not known")
        if not policy.has_role(fact.manager, task.role):
            return Refusal("not_allowed", f"{fact.manager!r} is no {task.role}")
        is_head = policy.has_role(fact.actor, "head")
        if fact.actor != fact.manager and not is_head:
            return Refusal("not_allowed", f"{fact.actor!r} may not give work to others")
        if task.manager is not None and task.manager != fact.manager and not is_head:
            return Refusal("not_changeable", f"{task.manager!r} has taken it already")
        if task.manager != fact.manager:
            self._give(task, fact.manager, "hand", f"by hand of {fact.actor}")
        return None

    # Time.

    def _advance(self, at: int) -> None:
        """Goes on to ``at``, or stays where the desk is further already."""
        policy = self._policy
        assert policy is not None, "a desk works under a policy"
        self._now = max(self._now, at)
        self._is_new_day = self.roster.begin_day(policy.zone.day(self._now)) or self._is_new_day
        if self._is_new_policy:
            self._is_new_policy = False
            self._review(policy)
        if self._now >= self._next_escalation():
            self._escalate()

    def _review(self, policy: Policy) -> None:
        """What somebody may no longer do waits for others; a personal manager is changed by hand only, and stays."""
        for task in self.tasks.values():
            if task.manager is not None and not policy.has_role(task.manager, task.role):
                self.roster.count(task.manager, TASKS, -1)
                task.manager = None
                task.queued_at = self._now
                task.escalated = ""
                self._enqueue(task)
                self.is_changed = True
        if self._service is not None and self._service.personal is None:
            for profile_id in list(self.waiting):
                self.served[profile_id].personal = False
                self._await(profile_id, self.served[profile_id])
                self.is_changed = True

    def _escalation_of(self, task: DeskTask) -> int:
        after = self._service.escalate_after if self._service is not None and self._is_ruled else None
        return task.queued_at + after if after is not None and not task.escalated else NEVER

    def _next_escalation(self) -> int:
        """When the first untaken task escalates: they do so in the order in which they were queued."""
        while self._unescalated:
            queued_at, task_id = self._unescalated[0]
            task = self.tasks.get(task_id)
            if task is not None and task_id in self.queue and not task.escalated and task.queued_at == queued_at:
                return self._escalation_of(task)
            self._unescalated.popleft()
        return NEVER

    def _escalate(self) -> None:
        """Tasks that nobody took in time go to a head, each once; where none has room they wait for the first."""
        service = self._service
        while self._next_escalation() <= self._now:
            task = self.tasks[self._unescalated.popleft()[1]]
            if service is not None:
                task.escalated = f"escalated: not taken within {duration_in_words(service.escalate_after or 0)}"
                self.is_changed = True
                if not self._place_task(task, service):
                    _, why = self.roster.pick(TASKS, _above(task.role), self._group(task.profile_id, service), "")
                    self._record(task, None, "escalated", f"{task.escalated}; {why}")

    # Assignment.

    def _spread(self) -> None:
        """Gives what waits to whoever has room, oldest first.

        Of a long tail only the first `_LOOKED_AT_MAX` are looked at for each room that comes up, and all of them once
        a day: else ten thousand that wait would be looked at for every task that is done.
        """
        looked_at = None if self._is_new_day else _LOOKED_AT_MAX
        self._is_new_day = False
        profiles = list(islice(self.waiting, looked_at)) if self.roster.take_new_room(PROFILES) else self._new_profiles
        tasks = list(islice(self.queue, looked_at)) if self.roster.take_new_room(TASKS) else self._new_tasks
        self._new_profiles, self._new_tasks = [], []
        service = self._service
        if service is None or not self._is_ruled:
            return
        # Where nobody had room for one, nobody has for the next of its kind.
        full_groups: set[str] = set()
        for profile_id in profiles:
            if profile_id in self.waiting:
                group = self._group(profile_id, service)
                # Who has not been answered yet is told that there is nobody.
                if group not in full_groups or not self.waiting[profile_id]:
                    self._place_profile(profile_id, service)
                    if profile_id in self.waiting:
                        full_groups.add(group)
        full: set[tuple[str, str, bool]] = set()
        for task_id in tasks:
            if task_id in self.queue:
                task = self.tasks[task_id]
                kind = (task.role, self._group(task.profile_id, service), task.escalated != "")
                has_own = self.served[task.profile_id].manager is not None
                if (has_own or kind not in full) and not self._place_task(task, service):
                    full.add(kind)

    def _place_profile(self, profile_id: str, service: ServiceSegment) -> None:
        if service.assign == "by-hand":
            return
        chosen, reason = self.roster.pick(PROFILES, "specialist", self._group(profile_id, service), service.assign)
        if chosen is None and self.waiting[profile_id]:
            return
        if chosen is None:
            self.waiting[profile_id] = True
        else:
            del self.waiting[profile_id]
            self._serve(self.served[profile_id], chosen)
        self.is_changed = True
        self.answers[profile_id] = ManagerChosen(self._now, chosen)
        self.assignments.append(WorkAssigned(self._now, profile_id, None, chosen, "rule", reason))

    def _place_task(self, task: DeskTask, service: ServiceSegment) -> bool:
        """Gives an untaken task to whom the rules name, and says whether they named anyone."""
        group = self._group(task.profile_id, service)
        if task.escalated:
            chosen, reason = self.roster.pick(TASKS, _above(task.role), group, "least-loaded")
            if chosen is not None:
                self._give(task, chosen, "escalated", f"{task.escalated}; {reason}")
                return True
        if service.assign == "by-hand":
            return False
        personal = self.roster.managers.get(self.served[task.profile_id].manager or "")
        may = personal is not None and ROLES.index(personal.role) >= ROLES.index(task.role)
        if personal is not None and may and self.roster.has_room(personal, TASKS):
            self._give(task, personal.id, "rule", "personal manager")
            return True
        chosen, reason = self.roster.pick(TASKS, task.role, group, service.assign)
        if chosen is not None:
            self._give(task, chosen, "rule", reason)
        return chosen is not None

    def _give(self, task: DeskTask, manager: str, how: str, reason: str) -> None:
        self.roster.count(task.manager, TASKS, -1)
        self.roster.count(manager, TASKS, 1)
        task.manager = manager
        self.queue.pop(task.task_id, None)
        self.is_changed = True
        self._record(task, manager, how, reason)

    def _record(self, task: DeskTask, manager: str | None, how: str, reason: str) -> None:
        self.assignments.append(WorkAssigned(self._now, task.profile_id, task.task_id, manager, how, reason))

    def _group(self, profile_id: str, service: ServiceSegment) -> str:
        """The group of managers that serves the profile: by hand, or its segment's."""
        return self.served[profile_id].group or service.group


def thaw(state: tuple[object, ...]) -> Desk:
    """The desk that was frozen. Before its first look it needs `Desk.adopt` and what the other desks report.

    Raises `UnknownFormat`.
    """
    if not state or state[0] != FORMAT:
        raise UnknownFormat(f"a desk of format {state[0] if state else None!r} cannot be read")
    _, service_segment, served, waiting, tasks, queue, turns = cast(Frozen, state)
    desk = Desk(service_segment)
    for profile_id, manager, group, personal, declined in served:
        desk.served[profile_id] = Served(manager, group, personal, declined)
        desk.roster.count(manager, PROFILES, 1)
    for task_id, profile_id, why, role, opened_at, queued_at, manager, escalated in tasks:
        desk.tasks[task_id] = DeskTask(task_id, profile_id, why, role, opened_at, queued_at, manager, escalated)
        desk.served[profile_id].tasks[task_id] = None
        desk.roster.count(manager, TASKS, 1)
    desk.waiting.update(waiting)
    desk.queue.update(dict.fromkeys(queue))
    untaken = [desk.tasks[task_id] for task_id in queue]
    # Of one instant in the order in which they wait, as before.
    untaken.sort(key=_queued_at)
    desk._unescalated.extend([(task.queued_at, task.task_id) for task in untaken if not task.escalated])
    desk.roster.turns.update(turns)
    desk.roster.take_moved(0)
    return desk


def _above(role: str) -> str:
    """Who gets what nobody took: heads, and of what only an administrator may do an administrator."""
    return "head" if role == "specialist" else role


def _queued_at(task: DeskTask) -> int:
    return task.queued_at
