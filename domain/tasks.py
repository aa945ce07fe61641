"""Tasks: work for a person, opened with a command, for its approval or for its failure."""

from domain import events as e
from domain import messages as m
from domain.decision import Decision, closed, not_allowed, refused, unknown
from domain.events import TaskClosed
from domain.policy import Policy
from domain.profile import RESERVED, Pending, Profile, Task
from domain.record import Record


def decide_done(profile: Profile, message: m.TaskDone, policy: Policy) -> Decision:
    task = profile.tasks.get(message.task_id) if profile.tasks is not None else None
    if task is None:
        return unknown("task", message.task_id)
    if profile.closed:
        return closed(profile)
    if task.why == "approval":
        return refused("not_changeable", "an approval is closed by approving or rejecting the measure")
    if not policy.has_role(message.actor, "specialist"):
        return not_allowed(message.actor, "close tasks")
    return Decision([message, closed_task(task, message.at, message.actor, message.outcome)])


def task_id_for(profile: Profile, command_id: str, why: str) -> str:
    """A task carries its command's id; while one of that id is open, the next is told apart by why it was opened."""
    if profile.tasks is not None and command_id in profile.tasks:
        return f"{command_id}/{why}"
    return command_id


def closed_task(task: Task, at: int, actor: str | None, outcome: str) -> TaskClosed:
    """The end of a task: by whom and how."""
    return TaskClosed(at, task.task_id, task.measure, task.command_id, task.why, actor, outcome)


def closed_tasks(profile: Profile, at: int, outcome: str) -> list[Record]:
    """The run is over: its approvals and tasks are moot; a service that could not be given back is not."""
    if profile.tasks is None:
        return []
    return [closed_task(task, at, None, outcome) for task in profile.tasks.values() if task.in_run]


def closed_approvals(profile: Profile, at: int, outcome: str) -> list[Record]:
    """The plan is another one: what its approvals asked for is moot, its tasks are not."""
    if profile.tasks is None:
        return []
    return [
        closed_task(task, at, None, outcome)
        for task in profile.tasks.values()
        if task.in_run and task.why == "approval"
    ]


def fold_opened(profile: Profile, event: e.TaskOpened) -> None:
    if profile.tasks is None:
        profile.tasks = {}
    profile.tasks[event.task_id] = Task(
        event.task_id, event.measure, event.command_id, event.why, event.at, event.in_run
    )
    profile.published += 1
    if event.why == "approval":
        assert event.plan is not None
        profile.add_pending(
            Pending(event.measure, event.plan, event.command_id, event.ordered, granted=False, in_run=event.in_run),
        )
        if event.in_run and profile.run is not None:
            profile.run.issued = (*profile.run.issued, RESERVED + event.measure)
        else:
            profile.count_outside(event.measure)
            profile.reserve_outside(event.command_id)


def fold_closed(profile: Profile, event: e.TaskClosed) -> None:
    if profile.tasks is not None:
        profile.tasks.pop(event.task_id, None)
        if not profile.tasks:
            profile.tasks = None
    profile.published += 1
    if event.why == "approval" and event.outcome not in ("approved", "rejected"):
        profile.drop_pending(event.command_id)
