"""Runs and their measures: opening, firing, approval, cure, switching."""

from .instants import Instant
from .policy import ENDINGS, Measure, Plan
from .profile import Command, Profile, Restriction, Run, Task, Waiting


def review(p: Profile, now: Instant) -> None:
    """Runs open and close with each event, and with the passing of midnight."""
    overdue = p.overdue(now)
    if overdue <= p.policy.max_overdue:
        p.no_new_run = False
        if p.run is not None:
            cure(p, now)
        for run in p.runs:
            run.is_cleared = True
    elif p.run is None and not p.no_new_run and overdue >= p.policy.min_overdue:
        open_run(p, p.plan, now)


def open_run(p: Profile, plan: Plan, now: Instant) -> Run:
    run = Run(number=len(p.runs) + 1, plan=plan, opened_at=now)
    p.runs.append(run)
    p.run = run
    p.publish("dms.run.opened.v1", now, run_id=run_id(p, run), plan=plan.name)
    return run


def close_run(p: Profile, outcome: str, now: Instant) -> Run:
    """The run ends: what waits in it is dropped."""
    assert p.run is not None
    run, p.run = p.run, None
    run.outcome = outcome
    p.publish("dms.run.closed.v1", now, run_id=run_id(p, run), plan=run.plan.name, outcome=outcome)
    for waiting in [waiting for waiting in p.waiting if waiting.run is run]:
        drop(p, waiting, how=outcome, now=now)
    return run


def cure(p: Profile, now: Instant) -> None:
    """At once: what waits is dropped, each restriction reversed, the last first, and open items closed."""
    run = close_run(p, "cured", now)
    for restriction in reversed(run.restrictions):
        if restriction.is_to_be_reversed:
            reverse(p, restriction, run, "cured", now)
    close_tasks(p, run, "cured", now)


def end(p: Profile, outcome: str, now: Instant) -> None:
    """A measure that ends the run: restrictions stay as they are, and no new run opens for now."""
    run = close_run(p, outcome, now)
    close_tasks(p, run, outcome, now)
    p.no_new_run = True


def switch(p: Profile, now: Instant) -> None:
    """The plan changed: the run closes and a new one opens at the same instant, and goes on from where that stood."""
    old = close_run(p, "switched", now)
    new = open_run(p, p.plan, now)
    old.successor = new
    new.restrictions = old.restrictions
    new.last_fired_on = old.last_fired_on
    new.greatest_day = old.greatest_day
    if new.greatest_day is not None:
        new.skipped = {measure.name for measure in new.plan.measures if measure.day <= new.greatest_day}
    for task in p.tasks.values():
        if task.run is old:
            task.run = new


def change_plan(p: Profile, now: Instant) -> None:
    """To be called after whatever may have changed the plan."""
    if p.run is not None and p.run.plan is not p.plan:
        switch(p, now)


# The next measure.


def next_measure(p: Profile) -> Measure | None:
    """The first in the plan's order that has neither fired nor been skipped; none while it waits for something."""
    run = p.run
    if run is None:
        return None
    for measure in run.plan.measures:
        if not run.is_done_with(measure):
            waits = any(waiting.run is run and waiting.measure is measure for waiting in p.waiting)
            return None if waits else measure
    return None


def decide(p: Profile, measure: Measure, now: Instant) -> None:
    """The instant of the run's next measure has come: skip it, ask for its approval, or fire it."""
    run = p.run
    assert run is not None
    if measure.when is not None and not measure.when.true(p.names_for_measures(now)):
        run.skipped.add(measure.name)
    elif measure.approval is not None:
        ask_approval(p, Waiting(measure, run, "plan"), now)
    else:
        fire(p, Waiting(measure, run, "plan"), now)


def ask_approval(p: Profile, waiting: Waiting, now: Instant) -> None:
    waiting.command_id = new_command_id(p, waiting.run, waiting.measure.name)
    waiting.for_approval = True
    p.waiting.append(waiting)
    open_task(p, waiting.measure.name, waiting.command_id, "approval", waiting.run, now)


def fire(p: Profile, waiting: Waiting, now: Instant) -> None:
    """Send the command of a measure of the plan, or of one ordered by hand, and remember what follows from it."""
    measure, run = waiting.measure, waiting.run
    command = send(p, measure, run, waiting.reason, now, command_id=waiting.command_id)
    today = p.policy.zone.date_of(now)
    if measure.is_contact:
        p.contacts.append((today, measure.kind))
    if measure.kind == "restrict":
        remember_restriction(p, measure, run, command)
    if measure.kind == "task":
        open_task(p, measure.name, command.command_id, "measure", run, now)
    if run is not None and run.has_in_its_plan(measure) and measure.name not in run.fired:
        run.fired.add(measure.name)
        run.last_fired_on = today
        day = run.day_of(measure)
        run.greatest_day = day if run.greatest_day is None else max(run.greatest_day, day)
    if run is not None and measure.kind in ENDINGS:
        end(p, ENDINGS[measure.kind], now)


def drop(p: Profile, waiting: Waiting, how: str, now: Instant, actor: str | None = None) -> None:
    """A waiting measure will not fire; if its approval was asked for, that task is closed."""
    p.waiting.remove(waiting)
    if waiting.for_approval:
        close_approval(p, waiting, how, now, actor)


def close_approval(p: Profile, waiting: Waiting, how: str, now: Instant, actor: str | None) -> None:
    waiting.for_approval = False
    assert waiting.command_id is not None
    for task in list(p.tasks.values()):
        if task.command_id == waiting.command_id and task.why == "approval":
            close_task(p, task, how, now, actor)


# Commands.


def send(
    p: Profile, measure: Measure, run: Run | None, reason: str, now: Instant, command_id: str | None = None
) -> Command:
    """Publish the command of a measure (also of a prevention rule)."""
    return _send(
        p,
        run,
        now,
        reason,
        command_id=command_id or new_command_id(p, run, measure.name),
        measure=measure,
        data={
            "measure": measure.name,
            "kind": measure.kind,
            "target": measure.target,
            "channel": measure.channel,
            "template": measure.template,
            "params": measure.params,
            "plan": measure.plan,
            "plan_version": None if measure.plan is None else p.policy.version,
            "step": measure.step,
        },
    )


def reverse(p: Profile, restriction: Restriction, run: Run | None, reason: str, now: Instant) -> None:
    """Give a service back."""
    measure = restriction.measure
    assert measure.reverse is not None
    restriction.lifted = True
    command = _send(
        p,
        run,
        now,
        reason,
        command_id=new_command_id(p, run, measure.reverse),
        measure=None,
        data={
            "measure": measure.reverse,
            "kind": "restore",
            "target": measure.target,
            "channel": None,
            "template": None,
            "params": {},
            "plan": None if run is None else run.plan.name,
            "plan_version": None if run is None else p.policy.version,
            "step": None,
        },
    )
    if p.policy.restore_within is not None:
        command.restore_due = now + p.policy.restore_within


def _send(
    p: Profile,
    run: Run | None,
    now: Instant,
    reason: str,
    *,
    command_id: str,
    measure: Measure | None,
    data: dict[str, object],
) -> Command:
    command = Command(
        command_id=command_id,
        measure=measure,
        data={
            **data,
            "command_id": command_id,
            "run_id": None if run is None else run_id(p, run),
            "days_past_due": p.days_past_due(now),
            "overdue": p.overdue(now),
            "reason": reason,
        },
        run=run,
        confirm_within=None if measure is None else measure.confirm_within,
        retries_left=0 if measure is None else measure.retries,
        last_sent=now,
        confirmed=p.confirm,
    )
    p.commands[command_id] = command
    p.publish("dms.measure.requested.v1", now, **command.data)
    return command


def remember_restriction(p: Profile, measure: Measure, run: Run | None, command: Command) -> None:
    """One that is requested again is one restriction still, now the last requested."""
    restrictions = p.loose_restrictions if run is None else run.restrictions
    same = next((r for r in restrictions if not r.lifted and _lifts_the_same(r.measure, measure)), None)
    commands = [command]
    if same is not None:
        restrictions.remove(same)
        commands = [*same.commands, command]
    restriction = Restriction(measure, commands)
    for each in commands:
        each.restriction = restriction
    restrictions.append(restriction)


def _lifts_the_same(one: Measure, other: Measure) -> bool:
    return (one.name, one.reverse, one.target) == (other.name, other.reverse, other.target)


def give_back_if_cured(p: Profile, command: Command, now: Instant) -> None:
    """What took effect after the cure: given back at once, or with the run that has taken the same away since."""
    restriction, run = command.restriction, latest(command.run)
    if restriction is None or run is None or run.outcome != "cured" or not restriction.is_to_be_reversed:
        return
    taken = [] if p.run is None else p.run.restrictions
    same = next((r for r in taken if not r.lifted and _lifts_the_same(r.measure, restriction.measure)), None)
    if same is None:
        reverse(p, restriction, run, "cured", now)
    else:
        same.commands.append(command)


def not_done(p: Profile, command: Command, now: Instant) -> None:
    """Reported failed, or not confirmed in time: sent again while retries last, then a task is opened."""
    if has_lost_its_reason(p, command):
        command.given_up = True
    elif command.retries_left > 0:
        command.is_to_be_repeated = True
    else:
        command.given_up = True
        # No run closes what is left to do when a service could not be given back, or when the run is over.
        run = None if command.measure is None else latest(command.run)
        open_run_ = run if run is p.run else None
        open_task(p, command.data["measure"], command.command_id, "failed", open_run_, now)


def send_again(p: Profile, command: Command, now: Instant) -> None:
    command.is_to_be_repeated = False
    command.retries_left -= 1
    command.last_sent = now
    command.reported_failed = False
    p.publish("dms.measure.requested.v1", now, **command.data)


def has_lost_its_reason(p: Profile, command: Command) -> bool:
    """A command of a run that was cured since, or a restriction that was lifted since, is not sent again."""
    if command.restriction is not None and command.restriction.lifted:
        return True
    run = latest(command.run)
    return command.measure is not None and run is not None and (run.is_cleared or run.outcome == "closed")


def latest(run: Run | None) -> Run | None:
    """The run that goes on with what this one had begun."""
    while run is not None and run.successor is not None:
        run = run.successor
    return run


def new_command_id(p: Profile, run: Run | None, name: str) -> str:
    """`<profile>/<n>/<measure>`; one sent again within the run ends in /2, /3 …"""
    base = f"{p.subject}/{0 if run is None else run.number}/{name}"
    again = 1
    command_id = base
    while command_id in p.command_ids:
        again += 1
        command_id = f"{base}/{again}"
    p.command_ids.append(command_id)
    return command_id


def run_id(p: Profile, run: Run) -> str:
    return f"{p.subject}/{run.number}"


# Tasks.


def task_id(p: Profile, command_id: str, why: str) -> str:
    """A task carries the id of its command, whatever it was opened for; while one of that id is open, with the why."""
    return f"{command_id}/{why}" if command_id in p.tasks else command_id


def open_task(p: Profile, measure: str, command_id: str, why: str, run: Run | None, now: Instant) -> None:
    task = Task(task_id(p, command_id, why), measure, command_id, why, run)
    p.tasks[task.task_id] = task
    p.publish("dms.task.opened.v1", now, task_id=task.task_id, measure=measure, command_id=command_id, why=why)


def close_task(p: Profile, task: Task, how: str, now: Instant, actor: str | None) -> None:
    del p.tasks[task.task_id]
    p.publish(
        "dms.task.closed.v1",
        now,
        task_id=task.task_id,
        measure=task.measure,
        command_id=task.command_id,
        why=task.why,
        actor=actor,
        outcome=how,
    )


def close_tasks(p: Profile, run: Run | None, how: str, now: Instant) -> None:
    """The open tasks of a run; without one, all."""
    for task in list(p.tasks.values()):
        if run is None or task.run is run:
            close_task(p, task, how, now, None)
