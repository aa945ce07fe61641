"""What follows: the consequences of what is so now, one at a time, in the order in which they take effect.

After a message, and when a timer has come, the engine asks `follow` until nothing follows any more. Runs open and
close with every message; deadlines and measures belong to the timers, which come after all messages of their instant.
"""

from typing import Final

from domain.calendar import NEVER
from domain.commands import (
    BY_ORDER,
    BY_PLAN,
    closed_approvals,
    closed_tasks,
    fired,
    given_up,
    next_command_id,
    retried,
    reversals,
    warning,
)
from domain.decision import Decision
from domain.events import (
    InstalmentMet,
    InstalmentsBroken,
    InstalmentsCompleted,
    MeasureSkipped,
    OverdueCleared,
    PreventionSettled,
    PromiseBroken,
    PromiseKept,
    ReminderDue,
    RunClosed,
    RunOpened,
    ServiceRestoreOverdue,
    TaskOpened,
)
from domain.ledger import Item
from domain.policy import CONTACT_KINDS, Policy, Prevention
from domain.profile import Pending, Profile, Run
from domain.record import Record
from domain.rules import allows
from domain.timing import AT_ONCE, admitted, contact_opening, day_of, fires_at, hold_end, next_index, standing

NONE: Final = 0
"""No timer has come: only what a message brings about at once."""
DEADLINES: Final = 1
"""Deadlines that have passed take effect."""
ALL: Final = 2
"""Measures, reminders and retries that are due go, too."""


def current_plan(profile: Profile, policy: Policy) -> str | None:
    """The one plan of the profile: a manager's choice while the policy has it, else its segment's."""
    if profile.hand_plan is not None and profile.hand_plan in policy.plans:
        return profile.hand_plan
    return profile.rule_plan


def follow(profile: Profile, policy: Policy, now: int, timers: int) -> Decision:
    """The next consequence at ``now``; a settled decision with the instant of the next look where there is none."""
    if profile.closed or profile.projection == "":
        return Decision([], None, True, NEVER)
    wake_at = NEVER
    if profile.promise is not None or profile.schedule is not None:
        agreed = _agreements(profile, policy, now, timers)
        if agreed is not None:
            return Decision([agreed])
        wake_at = _agreements_wake(profile, policy)
    today = policy.zone.day(now)
    overdue, oldest = standing(profile, today)
    dpd = today - oldest if oldest > 0 else 0
    events = _run_borders(profile, policy, now, today, overdue, dpd)
    if events is not None:
        return Decision(events)
    if profile.outstanding is not None:
        events, instant = _outcomes(profile, now, policy, timers)
        if events is not None:
            return Decision(events)
        if instant < wake_at:
            wake_at = instant
    if profile.warnings is not None:
        events, instant = _warnings(profile, policy, now, today, overdue, dpd, timers)
        if events is not None:
            return Decision(events)
        if instant < wake_at:
            wake_at = instant
    if profile.reminders is not None:
        events, instant = _waiting_reminders(profile, policy, now, today, overdue, dpd, timers)
        if events is not None:
            return Decision(events)
        if instant < wake_at:
            wake_at = instant
    if policy.reminders and profile.ledger.open_items:
        events, instant = _reminders(profile, policy, now, today, overdue, dpd, timers)
        if events is not None:
            return Decision(events)
        if instant < wake_at:
            wake_at = instant
    if profile.pending is not None:
        events, instant = _pending(profile, policy, now, today, overdue, dpd, timers)
        if events is not None:
            return Decision(events)
        if instant < wake_at:
            wake_at = instant
    run = profile.run
    if run is not None:
        events, instant = _next_measure(profile, policy, run, now, today, overdue, oldest, timers)
        if events is not None:
            return Decision(events)
    else:
        instant = _next_overdue(profile, policy, today)
    if instant < wake_at:
        wake_at = instant
    # Whatever is due already is due now: nobody wakes, and acts, in the past.
    return Decision([], None, True, wake_at if wake_at > now else now)


def _agreements(profile: Profile, policy: Policy, now: int, timers: int) -> Record | None:
    """Promises and instalments: kept at the moment of the payment, broken by their midnight."""
    promise = profile.promise
    if promise is not None:
        if promise.paid >= promise.amount:
            return PromiseKept(now, promise.promise_id)
        if timers != NONE and promise.breaks_at <= now:
            return PromiseBroken(now, promise.promise_id)
    schedule = profile.schedule
    if schedule is not None:
        if schedule.paid >= schedule.total:
            return InstalmentsCompleted(now, schedule.schedule_id)
        if timers != NONE and _instalment_check(profile, policy) <= now:
            if schedule.paid < schedule.due_by_part(schedule.met):
                return InstalmentsBroken(now, schedule.schedule_id)
            return InstalmentMet(now, schedule.schedule_id, schedule.met + 1)
    return None


def _agreements_wake(profile: Profile, policy: Policy) -> int:
    wake_at = NEVER
    if profile.promise is not None:
        wake_at = profile.promise.breaks_at
    if profile.schedule is not None:
        check = _instalment_check(profile, policy)
        if check < wake_at:
            wake_at = check
    return wake_at


def _instalment_check(profile: Profile, policy: Policy) -> int:
    """The midnight at which the next part is looked at."""
    schedule = profile.schedule
    assert schedule is not None
    if schedule.met >= len(schedule.parts):
        return NEVER
    midnight = policy.zone.midnight(schedule.parts[schedule.met][0] + 1)
    return midnight if midnight > schedule.checked_from else schedule.checked_from


def _run_borders(profile: Profile, policy: Policy, now: int, today: int, overdue: int, dpd: int) -> list[Record] | None:
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


def _next_overdue(profile: Profile, policy: Policy, today: int) -> int:
    """The midnight by which more becomes overdue, so that a run may open."""
    for item in profile.ledger.open_items:
        if item.due >= today:
            return policy.zone.midnight(item.due + 1)
    return NEVER


def _next_measure(
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


def _outcomes(profile: Profile, now: int, policy: Policy, timers: int) -> tuple[list[Record] | None, int]:
    """Commands without an outcome: sent again or given up at their deadline, a missing restoration is reported."""
    wake_at = NEVER
    assert profile.outstanding is not None
    for sent in profile.outstanding.values():
        if sent.deadline > now:
            wake_at = min(wake_at, sent.deadline)
            continue
        command = sent.command
        # The same command again is still a contact: nobody is rung at night for want of a confirmation.
        is_ringing = command.kind in CONTACT_KINDS and command.attempt <= command.retries
        opening = contact_opening(profile, policy, now) if is_ringing else now
        # A failure is acted upon with its report; what waits after it is a timer like any other.
        just_reported = sent.reported and sent.deadline == now and command.kind != "restore"
        if opening > now or (timers != ALL and not just_reported):
            wake_at = min(wake_at, opening)
        elif command.kind == "restore":
            return [
                ServiceRestoreOverdue(
                    now, command.command_id, command.measure, command.target, command.run_id, command.at
                )
            ], NEVER
        elif command.attempt > command.retries:
            return given_up(profile, sent, now), NEVER
        else:
            return [retried(sent, now)], NEVER
    return None, wake_at


def _warnings(
    profile: Profile, policy: Policy, now: int, today: int, overdue: int, dpd: int, timers: int
) -> tuple[list[Record] | None, int]:
    """Balance warnings go at once, or at the next contact hours if they are still true then."""
    wake_at = NEVER
    assert profile.warnings is not None
    for rule in policy.warnings:
        if rule.name not in profile.warnings:
            continue
        opening = contact_opening(profile, policy, now) if rule.measure.is_contact else now
        if opening > now or not (timers == ALL or profile.warnings[rule.name] == now):
            wake_at = min(wake_at, opening)
            continue
        assert rule.balance_below is not None
        reports: list[Record] = []
        still_true = profile.account_balance() < rule.balance_below
        if still_true and allows(profile, policy, rule.measure, now, overdue, dpd, reports):
            return [*reports, *warning(profile, policy, rule, None, now, today, overdue, dpd)], NEVER
        return [*reports, PreventionSettled(now, rule.name, None, False)], NEVER
    return None, wake_at


def _pending(
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
        return [MeasureSkipped(now, pending.measure, 0, "gone from the policy")], NEVER
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


def _reminders(
    profile: Profile, policy: Policy, now: int, today: int, overdue: int, dpd: int, timers: int
) -> tuple[list[Record] | None, int]:
    """Reminders of due dates, for each item that is unpaid at their instant and arrived before it, once each."""
    wake_at = NEVER
    zone = policy.zone
    for rule in policy.reminders:
        before = rule.days_before_due
        assert before is not None
        measure = rule.measure
        for item in profile.ledger.open_items:
            if item.due < today or rule.name in item.reminded:
                continue
            instant = zone.instant(item.due - before, measure.at)
            if instant < item.since or _waits(profile, rule.name, item.item_id):
                continue
            if instant > now or timers != ALL:
                wake_at = min(wake_at, instant)
                continue
            opening = contact_opening(profile, policy, now) if measure.is_contact else now
            if opening > now:
                return [ReminderDue(now, rule.name, item.item_id)], NEVER
            return _remind(profile, policy, rule, item, now, today, overdue, dpd), NEVER
    return None, wake_at


def _waits(profile: Profile, rule: str, item_id: str) -> bool:
    return profile.reminders is not None and (rule, item_id) in profile.reminders


def _remind(
    profile: Profile, policy: Policy, rule: Prevention, item: Item, now: int, today: int, overdue: int, dpd: int
) -> list[Record]:
    reports: list[Record] = []
    if allows(profile, policy, rule.measure, now, overdue, dpd, reports):
        return [*reports, *warning(profile, policy, rule, item.item_id, now, today, overdue, dpd)]
    return [*reports, PreventionSettled(now, rule.name, item.item_id, False)]


def _waiting_reminders(
    profile: Profile, policy: Policy, now: int, today: int, overdue: int, dpd: int, timers: int
) -> tuple[list[Record] | None, int]:
    """Reminders whose instant has come outside the contact hours: at the opening they go, if they are still true."""
    assert profile.reminders is not None
    opening = contact_opening(profile, policy, now)
    if opening > now or timers != ALL:
        return None, opening
    name, item_id = profile.reminders[0]
    item = profile.ledger.items.get(item_id)
    for rule in policy.reminders:
        if rule.name == name and item is not None and item.left > 0 and item.due >= today:
            return _remind(profile, policy, rule, item, now, today, overdue, dpd), NEVER
    return [PreventionSettled(now, name, item_id, False)], NEVER
