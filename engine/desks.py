"""The desks: the engine's side of the manager supervisors, which are told what happened and answer with assignments.

A desk lives on the shard of its service segment's name. What concerns the desk of another engine's shard is put aside
for a letter, and so is the answer to a profile there.
"""

from collections.abc import Callable, Iterable, Mapping
from queue import SimpleQueue
from typing import Final, TypeAlias

from actors.errand import Errand
from actors.lane import LaneRef
from actors.manager import (
    DeskReport,
    ManagerSupervisor,
    Note,
    Notes,
    PolicyChanged,
    Tick,
    loads_of,
    notes_of,
)
from domain.calendar import NEVER
from domain.desk import TOLD, WorkAssigned, desks_for
from domain.messages import ManagerChosen
from domain.policy import Policy
from engine.lanes import ThreadLane
from engine.ports import State

_ASSIGNMENTS_KEPT: Final = 10_000


class Desks:
    """One supervisor for each service segment, on the engine's lane; none where the policy names no managers."""

    def __init__(self, lane: ThreadLane, policy: Policy, keeps: bool, is_ours: Callable[[str], bool]) -> None:
        """``keeps``: somebody wants the desks' states. ``is_ours``: whether we work the shard of a service segment."""
        self._is_ours: Final = is_ours
        self._away: Final[list[tuple[str, Note]]] = []
        self._keeps: Final = keeps
        self.answered: Final[set[str]] = set()
        self.assignments: Final[list[WorkAssigned]] = []
        self._lane: Final = lane
        self._policy = policy
        self._supervisors: Final[dict[str, LaneRef[ManagerSupervisor]]] = {}
        self._waiting: Final[dict[str, list[Note]]] = {}
        self._wakes: Final[dict[str, int]] = {}
        self._states: Final[dict[str, State]] = {}
        self._changed: Final[dict[str, State]] = {}
        self._reports: Final[SimpleQueue[DeskReport]] = SimpleQueue()

    def restore(self, states: Mapping[str, State]) -> None:
        """Begins anew from what was committed."""
        for supervisor in self._supervisors.values():
            supervisor.stop(block=False)
        for known in (self._supervisors, self._waiting, self._wakes, self._states, self._changed, self._away):
            known.clear()
        self._states.update(states)
        self._supervise()

    def change_policy(self, policy: Policy) -> None:
        """Other managers, or other service segments, from now on."""
        self._policy = policy
        for supervisor in self._supervisors.values():
            supervisor.tell(PolicyChanged(policy))
        self._supervise()
        for name in self._supervisors:
            self._wakes[name] = 0

    def next_at(self) -> int:
        """When a desk has something to look at next, or `NEVER`."""
        return min(self._wakes.values(), default=NEVER)

    def tell(self, worked: Iterable[Errand], until: int) -> dict[str, list[ManagerChosen]]:
        """Tells the desks what the errands brought, and that it is ``until``; the answers, by profile.

        One desk after the other, so that capacities of managers who serve several groups are kept exactly.
        """
        answers: dict[str, list[ManagerChosen]] = {}
        if self._policy.managers is None:
            return answers
        self._collect(worked)
        self._tell_waiting(answers)
        for name in sorted(self._supervisors):
            if self._wakes.get(name, NEVER) < until:
                self._ask(name, Tick(until - 1, self._reports.put), answers)
        self._tell_waiting(answers)
        return answers

    def _tell_waiting(self, answers: dict[str, list[ManagerChosen]]) -> None:
        """Until nothing waits: what one desk gives to a manager is a note for the others."""
        while self._waiting:
            name = min(self._waiting)
            notes = sorted(self._waiting.pop(name), key=_place)
            self._ask(name, Notes(notes, self._reports.put), answers)

    def hear(self, service_segment: str, note: Note) -> None:
        """A note from another engine, for the next round."""
        self._note(service_segment, note)

    def take_away(self) -> list[tuple[str, Note]]:
        """Notes for the desks of other engines, with the service segment of each, since this was last asked."""
        away = list(self._away)
        self._away.clear()
        return away

    def take_changed(self) -> dict[str, State]:
        """The states that changed since this was last asked, to be committed."""
        changed = dict(self._changed)
        self._changed.clear()
        return changed

    def _supervise(self) -> None:
        if self._policy.managers is None:
            return
        for service in self._policy.service_segments:
            if service.name not in self._supervisors and self._is_ours(service.name):
                loads = [
                    load for name, state in self._states.items() if name != service.name for load in loads_of(state)
                ]
                self._supervisors[service.name] = ManagerSupervisor.start(
                    service.name, self._policy, self._states.get(service.name), loads, self._keeps, lane=self._lane
                )
                self._wakes[service.name] = 0

    def _collect(self, worked: Iterable[Errand]) -> None:
        for errand in worked:
            if errand.profile is not None and not TOLD.isdisjoint(map(type, errand.facts)):
                for name, note in notes_of(errand.profile, errand.facts, self._policy):
                    self._note(name, note)

    def _ask(self, name: str, message: Notes | Tick, answers: dict[str, list[ManagerChosen]]) -> None:
        self._supervisors[name].tell(message)
        report = self._reports.get()
        for profile_id, answer in report.answers:
            answers.setdefault(profile_id, []).append(answer)
            if not self._keeps:
                self.answered.add(profile_id)
        for load in report.loads:
            for other in desks_for(load, name, self._policy):
                self._note(other, Note(at=load.at, profile_id="", fact=load))
        if report.state is not None:
            self._states[name] = self._changed[name] = report.state
        self._wakes[name] = NEVER if report.wake_at is None else report.wake_at
        self.assignments.extend(report.assignments)
        del self.assignments[:-_ASSIGNMENTS_KEPT]

    def _note(self, service_segment: str, note: Note) -> None:
        if service_segment in self._supervisors:
            self._waiting.setdefault(service_segment, []).append(note)
        elif not self._is_ours(service_segment):
            self._away.append((service_segment, note))


MakeDesks: TypeAlias = Callable[[ThreadLane, Policy, bool, Callable[[str], bool]], Desks]
"""Who makes an engine's desks: `Desks` itself, or something that has its answers elsewhere."""


def _place(note: Note) -> tuple[int, str]:
    return note.at, note.profile_id
