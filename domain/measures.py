"""The measures of a run's plan: which is next, when it fires, and what firing or skipping it changes."""

from domain import events as e
from domain.calendar import NEVER
from domain.commands import BY_ORDER, BY_PLAN, fired, next_command_id, run_number, with_sent
from domain.contacts import count_contact
from domain.events import MeasureSkipped, TaskOpened
from domain.policy import Policy
from domain.profile import Pending, Profile, Run, Sent
from domain.record import Record
from domain.restrictions import restrict
from domain.rules import allows
from domain.timing import ALL, AT_ONCE, day_of, fires_at, next_index


def next_overdue(profile: Profile, policy: Policy, today: int) -> int:
    """The midnight by which more becomes overdue, so that a run may open."""
    for item in profile.ledger.open_items:
        if item.due >= today:
            return policy.zone.midnight(item.due + 1)
    return NEVER


def due(
    profile: Profile, policy: Policy, run: Run, now: int, today: int, overdue: int, oldest: int, timers: int
) -> tuple[list[Record] | None, int]:
    """The plan's next measure: fires, is skipped, asks for approval, or waits until the instant returned."""
    plan = policy.plans.get(run.plan)
    if plan is None:
        return None, NEVER  # a version dropped it, and no rule gives another one
    index = next_index(run, plan)
    if index < 0:
        return None, NEVER
    measure = plan.measures[index]
    if profile.pending is not None and _is_pending(profile, run.plan, measure.name):
        return None, NEVER
    instant, bound = fires_at(profile, policy, run, plan, measure, oldest, now)
    if instant > now or timers != ALL:
        return None, instant
    dpd = today - oldest
    reports: list[Record] = []
    if not allows(profile, policy, measure, now, overdue, dpd, reports):
        reports.append(MeasureSkipped(now, measure.name, index + 1, "condition"))
        return reports, NEVER
    command_id = next_command_id(profile, run, measure.name)
    if measure.approval is not None:
        reports.append(TaskOpened(now, command_id, measure.name, command_id, "approval", run.plan, False, True))
        return reports, NEVER
    if bound == AT_ONCE:
        # It has waited for something that is over now: what, is seen from the run's beginning.
        waited_until, cause = fires_at(profile, policy, run, plan, measure, oldest, run.opened_at)
        bound = cause if waited_until == now else bound
    day = day_of(run, measure)
    reports.extend(
        fired(
            profile, policy, run, run.plan, index + 1, measure, command_id, BY_PLAN,
            now, today, overdue, dpd, day, True, bound,
        )
    )  # fmt: skip
    return reports, NEVER


def _is_pending(profile: Profile, plan: str, measure: str) -> bool:
    assert profile.pending is not None
    for pending in profile.pending:
        if (
            pending.in_run
            and pending.measure == measure
            and pending.plan == plan
            and (not pending.ordered or not pending.granted)
        ):
            return True
    return False


def fold_requested(profile: Profile, event: e.MeasureRequested) -> None:
    profile.published += 1
    if profile.outstanding is None:
        profile.outstanding = {}
    profile.outstanding[event.command_id] = Sent(event, event.confirm_by)
    if event.attempt > 1:
        return
    run = profile.run
    if event.reason == "prevention":
        profile.count_outside(event.measure)
        return
    reserved = profile.pending is not None and _drop_sent(profile, event)
    if event.contact:
        count_contact(profile, event.kind, event.on)
    if not reserved:
        _count_issue(profile, event.run_id, event.measure)
    elif event.run_id is None:
        profile.send_reserved(event.command_id)
    elif run is not None:
        run.issued = with_sent(run, event.command_id, event.measure)
    if event.kind == "restrict":
        restrict(profile, event)
    if run is not None and event.counts:
        run.fired = (*run.fired, event.measure)
        if event.day > run.fired_day:
            run.fired_day = event.day
        run.last_fired_on = event.on
        if event.step == run.cursor + 1:
            run.cursor = event.step


def _count_issue(profile: Profile, run_id: str | None, name: str) -> None:
    """The name has been used for a command id once more: in the run, in one that is closed, or outside of runs."""
    run = profile.run
    if run_id is None:
        profile.count_outside(name)
    elif run is not None and run.run_id == run_id:
        run.issued = (*run.issued, name)
    else:  # a reversal, at the cure or after it
        past_runs = profile.past_runs
        assert past_runs is not None
        index = run_number(run_id) - 1
        past_runs[index] = (*past_runs[index], name)


def _drop_sent(profile: Profile, event: e.MeasureRequested) -> bool:
    """The pending measure that this command carries out waits no longer; whether its id was counted when it began."""
    assert profile.pending is not None
    found: Pending | None = None
    for pending in profile.pending:
        if not pending.granted:
            continue
        if pending.command_id == event.command_id or (pending.command_id == "" and _is_order_of(pending, event)):
            found = pending
            break
    if found is None:
        return False
    profile.pending.remove(found)
    if not profile.pending:
        profile.pending = None
    return found.command_id != ""


def _is_order_of(pending: Pending, event: e.MeasureRequested) -> bool:
    """Whether this command is what was ordered; the plan's own measure of the same name may come while it waits."""
    return (
        event.reason == BY_ORDER
        and pending.measure == event.measure
        and pending.plan == event.plan
        and pending.in_run == (event.run_id is not None)
    )


def fold_skipped(profile: Profile, event: e.MeasureSkipped) -> None:
    if event.step == 0:
        if profile.pending is not None:
            profile.pending = [each for each in profile.pending if not _is_dropped(each, event)] or None
        return
    run = profile.run
    assert run is not None
    run.skipped = (*run.skipped, event.measure)
    if event.step == run.cursor + 1:
        run.cursor = event.step


def _is_dropped(pending: Pending, event: e.MeasureSkipped) -> bool:
    """Whether this one waits no longer. Journals of older programs do not say of which plan the measure was."""
    return (
        pending.granted
        and pending.measure == event.measure
        and (event.plan == "" or (pending.plan == event.plan and pending.in_run == event.in_run))
    )
