"""Commands: their ids, and how a measure and a retry become a `MeasureRequested`, with what else firing entails."""

from domain.calendar import NEVER
from domain.events import CommandFailed, MeasureRequested, RunClosed, TaskOpened
from domain.policy import Measure, Policy
from domain.profile import RESERVED, Profile, Run, Sent
from domain.record import Record
from domain.tasks import closed_tasks, task_id_for

BY_PLAN = "plan"
BY_CURE = "cured"
BY_ORDER = "ordered"
BY_PREVENTION = "prevention"


def next_command_id(profile: Profile, run: Run | None, name: str, before: int = 0) -> str:
    """``<profile>/<n>/<name>``, with ``/2``, ``/3`` … when sent again; ``before`` counts those of the same decision."""
    if run is not None:
        return command_id_after(run.run_id, run.issued, name, before)
    times = before + (profile.outside.get(name, 0) if profile.outside is not None else 0)
    first = f"{profile.profile_id}/0/{name}"
    return first if times == 0 else f"{first}/{times + 1}"


def command_id_after(run_id: str, issued: tuple[str, ...], name: str, before: int = 0) -> str:
    """The next id of this name in a run, open or closed, that has issued these."""
    times = before + issued.count(name) + issued.count(RESERVED + name)
    return f"{run_id}/{name}" if times == 0 else f"{run_id}/{name}/{times + 1}"


def with_sent(run: Run, command_id: str, name: str) -> tuple[str, ...]:
    """What the run has issued, now that the command of an id that was kept for its approval leaves."""
    first = f"{run.run_id}/{name}"
    time = 1 if command_id == first else int(command_id[len(first) + 1 :])
    names = list(run.issued)
    for index, each in enumerate(names):
        if each == name or each == RESERVED + name:
            time -= 1
            if time == 0:
                names[index] = name
    return tuple(names)


def run_number(run_id: str) -> int:
    """The number at the end of ``<profile>/<n>``."""
    return int(run_id[run_id.rindex("/") + 1 :])


def is_sent(profile: Profile, command_id: str) -> bool:
    """Whether this profile ever sent a command of this id; one that awaited approval and was never sent is none."""
    prefix = profile.profile_id + "/"
    if not command_id.startswith(prefix):
        return False
    number, _, rest = command_id[len(prefix) :].partition("/")
    if not _is_count(number, 0) or not rest:
        return False
    if profile.outside is not None and RESERVED + command_id in profile.outside:
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
