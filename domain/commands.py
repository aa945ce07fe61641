"""Commands: how a measure, a reversal and a retry become a `MeasureRequested`, and what else firing entails."""

from domain.calendar import NEVER
from domain.events import CommandFailed, MeasureRequested, PreventionSettled, RunClosed, TaskClosed, TaskOpened
from domain.policy import Measure, Policy, Prevention
from domain.profile import RESERVED, Profile, Restriction, Run, Sent, Task
from domain.record import Record

BY_PLAN = "plan"
BY_CURE = "cured"
BY_ORDER = "ordered"
BY_PREVENTION = "prevention"


def next_command_id(profile: Profile, run: Run | None, name: str, before: int = 0) -> str:
    """``<profile>/<n>/<name>``, with ``/2``, ``/3`` … when sent again; ``before`` counts those of the same decision."""
    if run is None:
        first = f"{profile.profile_id}/0/{name}"
        times = before + (profile.outside.get(name, 0) if profile.outside is not None else 0)
    else:
        first = f"{run.run_id}/{name}"
        times = before + run.issued.count(name) + run.issued.count(RESERVED + name)
    return first if times == 0 else f"{first}/{times + 1}"


def is_sent(profile: Profile, command_id: str) -> bool:
    """Whether this profile ever sent a command of this id; one that awaited approval and was never sent is none."""
    prefix = profile.profile_id + "/"
    if not command_id.startswith(prefix):
        return False
    number, _, rest = command_id[len(prefix) :].partition("/")
    if not _is_count(number, 0) or not rest:
        return False
    name, slash, times = rest.rpartition("/")
    if slash and _is_count(times, 2):
        return _was_sent(profile, int(number), name, int(times))
    return _was_sent(profile, int(number), rest, 1)


def _is_count(text: str, least: int) -> bool:
    return text.isascii() and text.isdecimal() and str(int(text)) == text and int(text) >= least


def _was_sent(profile: Profile, number: int, name: str, times: int) -> bool:
    """Whether the ``times``-th command of this name in the ``number``-th run has left (0: outside of runs)."""
    if number == 0:
        return profile.outside is not None and profile.outside.get(name, 0) >= times
    run = profile.run
    issued: tuple[str, ...] = ()
    if run is not None and number == run.number:
        issued = run.issued
    elif profile.past_runs is not None and number <= len(profile.past_runs):
        issued = profile.past_runs[number - 1]
    uses = [each for each in issued if each == name or each == RESERVED + name]
    return len(uses) >= times and uses[times - 1] == name


def fired(
    profile: Profile,
    policy: Policy,
    run: Run | None,
    plan: str,
    step: int,
    measure: Measure,
    command_id: str,
    reason: str,
    at: int,
    today: int,
    overdue: int,
    dpd: int,
    day: int,
    counts: bool,
    bound: int,
) -> list[Record]:
    """The measure goes now, in ``run`` or outside of runs: its command, a task where it is one, the end of the run."""
    confirm_within = measure.confirm_within if measure.confirm_within is not None else 0
    events: list[Record] = [
        MeasureRequested(
            at,
            command_id,
            measure.name,
            measure.kind,
            measure.target,
            measure.channel,
            measure.template,
            measure.params,
            plan,
            policy.version,
            run.run_id if run is not None else None,
            step,
            dpd,
            overdue,
            reason,
            today,
            day,
            counts,
            measure.is_contact,
            measure.reverse,
            None,
            at + confirm_within if confirm_within > 0 else NEVER,
            confirm_within,
            measure.retries,
            1,
            bound,
        )
    ]
    if measure.kind == "task":
        events.append(
            TaskOpened(
                at,
                task_id_for(profile, command_id, "measure"),
                measure.name,
                command_id,
                "measure",
                plan,
                False,
                run is not None,
            )
        )
    if measure.ends_run_as is not None and run is not None:
        events.append(RunClosed(at, run.run_id, run.plan, measure.ends_run_as))
        events.extend(closed_tasks(profile, at, measure.ends_run_as))
    return events


def reversal(
    profile: Profile,
    policy: Policy,
    run: Run | None,
    restriction: Restriction,
    reason: str,
    at: int,
    today: int,
    overdue: int,
    dpd: int,
    before: int,
) -> MeasureRequested:
    """The command that gives a restricted service back; its deadline is the policy's patience for it."""
    assert restriction.reverse is not None
    within = policy.restore_within
    return MeasureRequested(
        at,
        next_command_id(profile, run, restriction.reverse, before),
        restriction.reverse,
        "restore",
        restriction.target,
        None,
        None,
        {},
        run.plan if run is not None else None,
        policy.version if run is not None else 0,
        run.run_id if run is not None else None,
        0,
        dpd,
        overdue,
        reason,
        today,
        0,
        False,
        False,
        None,
        restriction.measure,
        at + within if within is not None else NEVER,
        0,
        0,
        1,
        0,
    )


def reversals(profile: Profile, policy: Policy, run: Run, at: int, today: int, overdue: int, dpd: int) -> list[Record]:
    """Everything the run took away and has not given back, the last first."""
    commands: list[Record] = []
    if run.restrictions is None:
        return commands
    names: list[str] = []
    for restriction in reversed(run.restrictions):
        if not restriction.is_in_force or restriction.reverse is None:
            continue
        before = names.count(restriction.reverse)
        commands.append(reversal(profile, policy, run, restriction, BY_CURE, at, today, overdue, dpd, before))
        names.append(restriction.reverse)
    return commands


def warning(
    profile: Profile, policy: Policy, rule: Prevention, item: str | None, at: int, today: int, overdue: int, dpd: int
) -> list[Record]:
    """A prevention measure goes; ``item`` is the one whose due date it reminds of."""
    measure = rule.measure
    confirm_within = measure.confirm_within if measure.confirm_within is not None else 0
    events: list[Record] = [
        MeasureRequested(
            at,
            next_command_id(profile, None, rule.name),
            rule.name,
            measure.kind,
            measure.target,
            measure.channel,
            measure.template,
            measure.params,
            None,
            0,
            None,
            0,
            dpd,
            overdue,
            BY_PREVENTION,
            today,
            0,
            False,
            False,
            None,
            None,
            at + confirm_within if confirm_within > 0 else NEVER,
            confirm_within,
            measure.retries,
            1,
            0,
        )
    ]
    events.append(PreventionSettled(at, rule.name, item, True))
    return events


def retried(sent: Sent, at: int) -> MeasureRequested:
    """The same command once more, with the same id and content; only the instant and the deadline are new."""
    command = sent.command
    return MeasureRequested(
        at,
        command.command_id,
        command.measure,
        command.kind,
        command.target,
        command.channel,
        command.template,
        command.params,
        command.plan,
        command.plan_version,
        command.run_id,
        command.step,
        command.dpd,
        command.overdue,
        command.reason,
        command.on,
        command.day,
        False,
        command.contact,
        command.reverse,
        command.restores,
        at + command.confirm_within if command.confirm_within > 0 else NEVER,
        command.confirm_within,
        command.retries,
        command.attempt + 1,
        command.bound,
    )


def given_up(profile: Profile, sent: Sent, at: int) -> list[Record]:
    """The last attempt is over: the command failed, and somebody must look at it."""
    command = sent.command
    # A service that could not be given back is somebody's concern whatever becomes of the run.
    in_run = profile.run is not None and command.run_id is not None and command.kind != "restore"
    task_id = task_id_for(profile, command.command_id, "failed")
    return [
        CommandFailed(at, command.command_id, sent.reported),
        TaskOpened(at, task_id, command.measure, command.command_id, "failed", command.plan, False, in_run),
    ]


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
