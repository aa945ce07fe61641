"""Measures that wait: ordered by hand, or for a head's decision, and then for contact hours, caps or a hold's end."""

from domain import events as e
from domain import messages as m
from domain.calendar import NEVER
from domain.commands import BY_ORDER, BY_PLAN, fired, next_command_id
from domain.decision import Decision, closed, not_allowed, refused, unknown
from domain.events import MeasureSkipped
from domain.policy import Policy
from domain.profile import Pending, Profile
from domain.record import Record
from domain.rules import current_plan
from domain.tasks import closed_task
from domain.timing import ALL, AT_ONCE, admitted, day_of, hold_end


def decide_ordered(profile: Profile, message: m.MeasureOrdered, policy: Policy) -> Decision:
    run = profile.run
    found = policy.measure(message.measure, run.plan if run is not None else current_plan(profile, policy))
    if found is None:
        return unknown("measure", message.measure)
    if profile.closed:
        return closed(profile)
    plan, index = found
    if _awaiting(profile, plan.name, message.measure) is not None:
        return refused("not_changeable", f"measure {message.measure!r} awaits its approval already")
    if not policy.has_role(message.actor, "specialist"):
        return not_allowed(message.actor, "apply measures")
    measure = plan.measures[index]
    awaits = measure.approval is not None
    fact = m.MeasureOrdered(message.at, message.measure, message.actor, message.note, plan.name, awaits)
    if not awaits:
        return Decision([fact])
    command_id = next_command_id(profile, run, measure.name)
    in_run = run is not None
    opened = e.TaskOpened(message.at, command_id, measure.name, command_id, "approval", plan.name, True, in_run)
    return Decision([fact, opened])


def _awaiting(profile: Profile, plan: str, measure: str) -> Pending | None:
    if profile.pending is not None:
        for pending in profile.pending:
            if not pending.granted and pending.plan == plan and pending.measure == measure:
                return pending
    return None


def decide_approved(profile: Profile, message: m.MeasureApproved, policy: Policy) -> Decision:
    answer = _approval_answered(profile, policy, message.command_id, message.actor)
    if answer is not None:
        return answer
    return Decision([message, *approval_closed(profile, message.command_id, message.at, message.actor, "approved")])


def decide_rejected(profile: Profile, message: m.MeasureRejected, policy: Policy) -> Decision:
    answer = _approval_answered(profile, policy, message.command_id, message.actor)
    if answer is not None:
        return answer
    pending = _pending_of(profile, message.command_id)
    assert pending is not None
    events = [message, *approval_closed(profile, message.command_id, message.at, message.actor, "rejected")]
    run = profile.run
    plan = policy.plans.get(pending.plan)
    step = plan.step(pending.measure) if plan is not None else None
    is_of_plan = run is not None and pending.in_run and run.plan == pending.plan
    if run is not None and is_of_plan and step is not None and pending.measure not in run.fired:
        events.append(e.MeasureSkipped(message.at, pending.measure, step, "rejected"))
    return Decision(events)


def _pending_of(profile: Profile, command_id: str) -> Pending | None:
    if profile.pending is not None:
        for pending in profile.pending:
            if pending.command_id == command_id and not pending.granted:
                return pending
    return None


def _approval_answered(profile: Profile, policy: Policy, command_id: str, actor: str) -> Decision | None:
    """The refusal of a head's decision, if there is one."""
    pending = _pending_of(profile, command_id)
    if pending is None:
        return unknown("command that awaits approval", command_id)
    if profile.closed:
        return closed(profile)
    plan = policy.plans.get(pending.plan)
    step = plan.step(pending.measure) if plan is not None else None
    role = plan.measures[step - 1].approval if plan is not None and step is not None else None
    if not policy.has_role(actor, role or "head"):
        return not_allowed(actor, f"decide on {pending.measure!r}")
    return None


def approval_closed(profile: Profile, command_id: str, at: int, actor: str, outcome: str) -> list[Record]:
    if profile.tasks is None:
        return []
    return [
        closed_task(task, at, actor, outcome)
        for task in profile.tasks.values()
        if task.why == "approval" and task.command_id == command_id
    ]


def due(
    profile: Profile, policy: Policy, now: int, today: int, overdue: int, dpd: int, timers: int
) -> tuple[list[Record] | None, int]:
    """Granted and ordered measures, in the order in which they began to wait."""
    wake_at = NEVER
    assert profile.pending is not None
    for pending in profile.pending:
        if pending.granted:
            if timers != ALL and pending.since < now:
                wake_at = min(wake_at, now)  # it waits for a timer, after the messages of this instant
                continue
            events, instant = _granted(profile, policy, pending, now, today, overdue, dpd)
            if events is not None:
                return events, NEVER
            wake_at = min(wake_at, instant)
    return None, wake_at


def _granted(
    profile: Profile, policy: Policy, pending: Pending, now: int, today: int, overdue: int, dpd: int
) -> tuple[list[Record] | None, int]:
    """An ordered or approved measure goes once the contact rules let it; only an approved one waits for a hold."""
    plan = policy.plans.get(pending.plan)
    step = plan.step(pending.measure) if plan is not None else None
    if plan is None or step is None:
        gone = MeasureSkipped(now, pending.measure, 0, "gone from the policy", pending.plan, pending.in_run)
        return [gone], NEVER
    measure = plan.measures[step - 1]
    instant = now if pending.ordered else max(now, hold_end(profile, policy))
    instant, bound = admitted(profile, policy, measure, instant, AT_ONCE, 0, False)
    if instant > now:
        return None, instant
    run = profile.run if pending.in_run else None
    counts = run is not None and run.plan == pending.plan and measure.name not in run.fired
    day = day_of(run, measure) if run is not None else measure.day
    command_id = pending.command_id or next_command_id(profile, run, measure.name)
    reason = BY_ORDER if pending.ordered else BY_PLAN
    return fired(
        profile, policy, run, plan.name, step, measure, command_id, reason,
        now, today, overdue, dpd, day, counts, bound,
    ), NEVER  # fmt: skip


def fold_ordered(profile: Profile, event: m.MeasureOrdered) -> None:
    if not event.awaits_approval:
        in_run = profile.run is not None
        profile.add_pending(Pending(event.measure, event.plan, "", True, True, in_run, since=event.at))


def fold_approved(profile: Profile, event: m.MeasureApproved) -> None:
    assert profile.pending is not None
    for pending in profile.pending:
        if pending.command_id == event.command_id:
            pending.granted = True
            pending.since = event.at


def fold_rejected(profile: Profile, event: m.MeasureRejected) -> None:
    profile.drop_pending(event.command_id)
