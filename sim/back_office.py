"""The back office: the systems that execute commands, and the people who decide, call, and see to what failed."""

from heapq import heappop, heappush
from typing import Any, Final

from domain.calendar import DAY, HOUR, SECOND
from sim.billing import Billing
from sim.customers import Customers
from sim.scene import Scene
from sim.tempers import RESPONSE

# How fast an executing system answers (seconds), and how often it fails, or does its work and does not answer.
_ANSWERS: Final = {
    "messaging": (4, 90, 0.003, 0.0),
    "network": (15, 420, 0.012, 0.006),
    "partners": (900, 12_000, 0.01, 0.0),
    "crm": (1, 5, 0.0, 0.0),
    "legal": (1_800, 20_000, 0.0, 0.0),
    "billing": (30, 600, 0.0, 0.0),
}


class BackOffice:
    """Receives what the engine sends, one event at a time, and answers it after a while."""

    def __init__(self, scene: Scene, billing: Billing, customers: Customers) -> None:
        self._scene: Final = scene
        self._billing: Final = billing
        self._customers: Final = customers
        self._tasks: Final[set[str]] = set()
        self._restores: Final[set[str]] = set()
        self._answers: Final[list[int]] = []

    def answers_at(self) -> int | None:
        """When the first answer of an executing system that is on its way will be published."""
        return self._answers[0] if self._answers else None

    def forget_answers(self, instant: int) -> None:
        """Those up to and including ``instant`` have been published."""
        while self._answers and self._answers[0] <= instant:
            heappop(self._answers)

    def receive(self, i: int, name: str, data: dict[str, Any], at: int) -> None:
        """An event of the engine about an account, without its envelope."""
        match name:
            case "dms.measure.requested.v1":
                self._execute(i, data, at)
            case "dms.task.opened.v1":
                self._tasks.add(data["task_id"])
                self._take_task(i, data, at)
            case "dms.task.closed.v1":
                self._tasks.discard(data["task_id"])
            case "dms.manager.changed.v1":
                self._scene.accounts[i].manager = data["manager"]
            case "dms.service.restore_overdue.v1":
                self._scene.at(self._scene.in_office_hours(at, 15), self._see_to, i, data)

    def _take_task(self, i: int, task: dict[str, Any], at: int) -> None:
        scene = self._scene
        match task["why"]:
            case "approval":
                scene.at(scene.in_office_hours(at, scene.between(60, 1200)), self._decide, i, task)
            case "measure":
                scene.at(scene.in_office_hours(at, scene.between(30, 900)), self._call, i, task)
            case "failed":
                scene.at(scene.in_office_hours(at, scene.between(15, 120)), self._see_to, i, task)

    def _decide(self, at: int, i: int, task: dict[str, Any]) -> None:
        scene = self._scene
        if i in scene.moved:
            scene.at(at + HOUR, self._decide, i, task)
        elif task["task_id"] in self._tasks and self._billing.overdue[i] > 0:
            answer, note = ("rejected", "let us talk first") if scene.chance(0.2) else ("approved", "two months unpaid")
            data = {"command_id": task["command_id"], "actor": scene.staff("head", i), "note": note}
            scene.emit(at, i, "crm", f"measure.{answer}", data)

    def _call(self, at: int, i: int, task: dict[str, Any]) -> None:
        scene = self._scene
        if i in scene.moved:
            scene.at(at + HOUR, self._call, i, task)
        elif task["task_id"] in self._tasks and self._billing.overdue[i] > 0:
            actor = scene.staff("specialist", i)
            promises = scene.chance(0.5)
            said = {"actor": actor, "outcome": "promises to pay" if promises else "no answer", "note": "called"}
            scene.emit(at, i, "crm", "contact.made", {"kind": "call", "direction": "out"} | said)
            scene.emit(at, i, "crm", "task.done", {"task_id": task["task_id"]} | said)
            self._customers.press(i, "task")
            if promises:
                self._customers.promise(at, i)

    def _see_to(self, at: int, i: int, task: dict[str, Any]) -> None:
        """Somebody does by hand what a system did not, and closes the task if there is one."""
        actor = self._scene.staff("specialist", i)
        if task["measure"] in self._restores:
            self._answer(at, i, "restore", task["measure"], task["command_id"], 1.0)
        if task.get("task_id") in self._tasks:
            data = {"task_id": task["task_id"], "actor": actor, "outcome": "seen to", "note": "done by hand"}
            self._scene.emit(at, i, "crm", "task.done", data)

    def _execute(self, i: int, command: dict[str, Any], at: int) -> None:
        scene = self._scene
        account = scene.accounts[i]
        kind, measure, target = command["kind"], command["measure"], command["target"]
        if kind == "restrict":
            account.ordered[_service(measure)] = measure
        elif kind == "restore":
            self._restores.add(measure)
            account.ordered.pop(_service(measure), None)
        fastest, slowest, fails, keeps_silent = _ANSWERS[target]
        # One after the other: a service that is given back at once must not be taken away after that.
        answer_at = max(at + int(scene.between(fastest, slowest) * SECOND), account.busy_until.get(target, 0) + SECOND)
        account.busy_until[target] = answer_at
        luck = float(scene.moments.random()) - fails
        if 0 <= luck < keeps_silent:
            luck = float("nan")
        heappush(self._answers, answer_at)
        scene.at(answer_at, self._answer, i, kind, measure, command["command_id"], luck)

    def _answer(self, at: int, i: int, kind: str, measure: str, command_id: str, luck: float) -> None:
        """``luck`` below zero: it failed; not a number: done, and nobody is told."""
        scene = self._scene
        account = scene.accounts[i]
        service = _service(measure)
        if luck < 0:
            if kind == "restrict":
                account.ordered.pop(service, None)
            scene.emit(at, i, "systems", "measure.failed", {"command_id": command_id, "detail": "equipment is busy"})
            return
        if kind == "restrict":
            account.off.add(service)
            if scene.chance(0.3 * RESPONSE[account.temper]):
                scene.at(at + int(scene.between(0.5, 9) * HOUR), self._customers.pay, i, 1.0)
        elif kind == "restore":
            account.off.discard(service)
        elif kind == "terminate":
            account.has_contract = False
            scene.at(at + 20 * DAY, self._billing.close, i)
        self._customers.press(i, kind)
        if luck >= 0:
            scene.emit(at, i, "systems", "measure.completed", {"command_id": command_id, "detail": "done"})


def _service(measure: str) -> str:
    """``block-internet`` and ``unblock-internet`` are about the same thing."""
    return measure.partition("-")[2]
