"""The desks: the engine's side of the manager supervisors, which are told what happened and answer with assignments."""

from collections.abc import Iterable, Mapping
from queue import SimpleQueue
from typing import Final

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
from domain.desk import WorkAssigned, desks_for
from domain.policy import Policy
from domain.record import Record
from engine.lanes import ThreadLane
from engine.ports import State

_ASSIGNMENTS_KEPT: Final = 10_000


class Desks:
    """One supervisor for each service segment, on the engine's lane; none where the policy names no managers."""

    def __init__(self, lane: ThreadLane, policy: Policy, keeps: bool) -> None:
        """``keeps``: somebody wants the desks' states."""
        self._keeps: Final = keeps
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
        for known in (self._supervisors, self._waiting, self._wakes, self._states, self._changed):
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

    def tell(self, worked: Iterable[Errand], until: int) -> dict[str, list[Record]]:
        """Tells the desks what the errands brought, and that it is ``until``; the answers, by profile.

        One desk after the other, so that capacities of managers who serve several groups are kept exactly.
        """
        answers: dict[str, list[Record]] = {}
        if not self._supervisors:
            return answers
        self._collect(worked)
        self._tell_waiting(answers)
        for name in sorted(self._supervisors):
            if self._wakes.get(name, NEVER) < until:
                self._ask(name, Tick(until - 1, self._reports.put), answers)
        self._tell_waiting(answers)
        return answers

    def _tell_waiting(self, answers: dict[str, list[Record]]) -> None:
        """Until nothing waits: what one desk gives to a manager is a note for the others."""
        while self._waiting:
            name = min(self._waiting)
            notes = sorted(self._waiting.pop(name), key=_place)
            self._ask(name, Notes(notes, self._reports.put), answers)

    def take_changed(self) -> dict[str, State]:
        """The states that changed since this was last asked, to be committed."""
        changed = dict(self._changed)
        self._changed.clear()
        return changed

    def _supervise(self) -> None:
        if self._policy.managers is None:
            return
        for service in self._policy.service_segments:
            if service.name not in self._supervisors:
                loads = [
                    load for name, state in self._states.items() if name != service.name for load in loads_of(state)
                ]
                self._supervisors[service.name] = ManagerSupervisor.start(
                    service.name, self._policy, self._states.get(service.name), loads, self._keeps, lane=self._lane
                )
                self._wakes[service.name] = 0

    def _collect(self, worked: Iterable[Errand]) -> None:
        for errand in worked:
            if errand.facts and errand.profile is not None:
                for name, note in notes_of(errand.profile, errand.facts, self._policy):
                    if name in self._supervisors:
                        self._waiting.setdefault(name, []).append(note)

    def _ask(self, name: str, message: Notes | Tick, answers: dict[str, list[Record]]) -> None:
        self._supervisors[name].tell(message)
        report = self._reports.get()
        for profile_id, answer in report.answers:
            answers.setdefault(profile_id, []).append(answer)
        for load in report.loads:
            for other in desks_for(load, name, self._policy):
                if other in self._supervisors:
                    self._waiting.setdefault(other, []).append(Note(at=load.at, profile_id="", fact=load))
        if report.state is not None:
            self._states[name] = self._changed[name] = report.state
        self._wakes[name] = NEVER if report.wake_at is None else report.wake_at
        self.assignments.extend(report.assignments)
        del self.assignments[:-_ASSIGNMENTS_KEPT]


def _place(note: Note) -> tuple[int, str]:
    return note.at, note.profile_id
