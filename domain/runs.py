"""Runs: how one opens, is switched to another plan or amended, and closes."""

from domain import events as e
from domain import messages as m
from domain.calendar import NEVER
from domain.decision import Decision, closed, not_allowed, refused, unknown
from domain.events import OverdueCleared, RunClosed, RunOpened
from domain.orders import approval_closed
from domain.policy import Policy
from domain.profile import Profile, Run
from domain.record import Record
from domain.restrictions import note_cured, reversals
from domain.rules import current_plan
from domain.tasks import closed_approvals, closed_tasks


def decide_plan_assigned(profile: Profile, message: m.PlanAssigned, policy: Policy) -> Decision:
    if message.plan is not None and message.plan not in policy.plans:
        return unknown("plan", message.plan)
    if profile.closed:
        return closed(profile)
    if not policy.has_role(message.actor, "specialist"):
        return not_allowed(message.actor, "change the plan")
    return Decision([message])


def decide_plan_amended(profile: Profile, message: m.PlanAmended, policy: Policy) -> Decision:
    run = profile.run
    for measure, _, _ in message.changes:
        plan = policy.plans.get((run.plan if run is not None else current_plan(profile, policy)) or "")
        if plan is None or plan.step(measure) is None:
            return unknown("measure", measure)
    if profile.closed:
        return closed(profile)
    if run is None:
        return refused("no_run", "there is no run to amend")
    skips: dict[str, bool] = {}
    for measure, skip, _ in message.changes:
        if measure in run.fired:
            return refused("not_changeable", f"measure {measure!r} has fired already")
        if skip is not None:
            skips[measure] = skip  # of two changes of one measure the last counts
    if not policy.has_role(message.actor, "specialist"):
        return not_allowed(message.actor, "amend the plan")
    events: list[Record] = [message]
    for measure, skip in skips.items():
        if skip:
            events.extend(_no_longer_waiting(profile, run.plan, measure, message.at, message.actor))
    return Decision(events)


def _no_longer_waiting(profile: Profile, plan: str, measure: str, at: int, actor: str) -> list[Record]:
    """A measure that is skipped waits for nothing any more: neither for a head nor for contact hours."""
    events: list[Record] = []
    for pending in profile.pending or ():
        if pending.in_run and pending.plan == plan and pending.measure == measure:
            if pending.granted:
                events.append(e.MeasureSkipped(at, measure, 0, "amended", plan, True))
            else:
                events.extend(approval_closed(profile, pending.command_id, at, actor, "skipped"))
    return events


def borders(profile: Profile, policy: Policy, now: int, today: int, overdue: int, dpd: int) -> list[Record] | None:
    """A run closes cured, is switched to another plan, or opens; after a terminal measure overdue must clear once."""
    run = profile.run
    if run is not None:
        if overdue <= policy.max_overdue:
            return [
                RunClosed(now, run.run_id, run.plan, "cured"),
                *reversals(profile, policy, run, now, today, overdue, dpd),
                *closed_tasks(profile, now, "cured"),
            ]
        plan = current_plan(profile, policy)
        # A debt that no rule gives a plan any more goes on under the one it has.
        if plan is None or run.plan == plan:
            return None
        return [
            RunClosed(now, run.run_id, run.plan, "switched"),
            *closed_approvals(profile, now, "switched"),
            _opened(profile, policy, plan, now, overdue, dpd),
        ]
    if profile.blocked:
        return [OverdueCleared(now)] if overdue <= policy.max_overdue else None
    if overdue < policy.min_overdue:
        return None
    plan = current_plan(profile, policy)
    return None if plan is None else [_opened(profile, policy, plan, now, overdue, dpd)]


def _opened(profile: Profile, policy: Policy, plan: str, now: int, overdue: int, dpd: int) -> RunOpened:
    number = profile.runs + 1
    return RunOpened(now, number, f"{profile.profile_id}/{number}", plan, policy.version, dpd, overdue)


def fold_plan_assigned(profile: Profile, event: m.PlanAssigned) -> None:
    profile.hand_plan = event.plan


def fold_plan_amended(profile: Profile, event: m.PlanAmended) -> None:
    run = profile.run
    assert run is not None
    if run.amendments is None:
        run.amendments = {}
    for measure, skip, day in event.changes:
        before = run.amendments.get(measure, (None, None))
        run.amendments[measure] = (skip if skip is not None else before[0], day if day is not None else before[1])


def fold_opened(profile: Profile, event: e.RunOpened) -> None:
    run = Run(event.number, event.run_id, event.plan, event.plan_version, event.at)
    before = profile.run
    if before is not None:
        assert before.closed, "a profile has at most one run"
        run.floor_day = max(before.floor_day, before.fired_day)
        run.fired_day = run.floor_day
        run.last_fired_on = before.last_fired_on
        run.restrictions = before.restrictions
    profile.run = run
    profile.runs = event.number
    profile.published += 1


def fold_closed(profile: Profile, event: e.RunClosed) -> None:
    run = profile.run
    assert run is not None
    if profile.past_runs is None:
        profile.past_runs = []
    profile.past_runs.append(run.issued)
    profile.published += 1
    if profile.pending is not None:
        profile.pending = [each for each in profile.pending if not each.in_run] or None
    if event.outcome == "switched":
        run.closed = True
        return
    profile.run = None
    if event.outcome == "cured":
        note_cured(profile, run)
    if event.outcome in ("cured", "closed"):
        _settle_commands(profile)
        return
    profile.blocked = True


def _settle_commands(profile: Profile) -> None:
    """The reason of the runs' commands is gone: none of them is sent again."""
    if profile.outstanding is not None:
        for sent in profile.outstanding.values():
            if sent.command.run_id is not None and sent.command.kind != "restore":
                sent.settled = True
                sent.deadline = NEVER


def fold_overdue_cleared(profile: Profile, event: e.OverdueCleared) -> None:
    profile.blocked = False
    _settle_commands(profile)
