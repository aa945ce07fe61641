"""What was agreed with the debtor: moratoria, promises and instalment schedules, and what becomes of them."""

from typing import Final

from domain import events as e
from domain import messages as m
from domain.calendar import NEVER
from domain.decision import Decision, closed, reused, unknown
from domain.events import InstalmentMet, InstalmentsBroken, InstalmentsCompleted, PromiseBroken, PromiseKept
from domain.policy import Policy
from domain.profile import Profile, Promise, Schedule
from domain.record import Record
from domain.timing import NONE

OF_SCHEDULE: Final = "\x1f"
"""Before the ids of schedules, which are kept with those of promises: the same number may be one of either."""


def decide_hold_placed(profile: Profile, message: m.HoldPlaced, policy: Policy) -> Decision:
    return closed(profile) if profile.closed else Decision([message])


def decide_hold_lifted(profile: Profile, message: m.HoldLifted, policy: Policy) -> Decision:
    if profile.holds is None or message.hold_id not in profile.holds:
        return unknown("hold", message.hold_id)
    return closed(profile) if profile.closed else Decision([message])


def decide_promise_made(profile: Profile, message: m.PromiseMade, policy: Policy) -> Decision:
    if profile.ids is not None and message.promise_id in profile.ids:
        return reused("promise", message.promise_id)
    if profile.closed:
        return closed(profile)
    zone = policy.zone
    ends = zone.midnight(message.pay_by + 1)
    breaks_at = ends if ends >= message.at else zone.midnight(zone.day(message.at) + 1)
    return Decision([m.PromiseMade(message.at, message.promise_id, message.amount, message.pay_by, ends, breaks_at)])


def decide_instalments_agreed(profile: Profile, message: m.InstalmentsAgreed, policy: Policy) -> Decision:
    if profile.ids is not None and OF_SCHEDULE + message.schedule_id in profile.ids:
        return reused("schedule", message.schedule_id)
    if profile.closed:
        return closed(profile)
    parts = tuple(sorted(message.parts, key=_pay_by))
    # A day that has passed already is looked at by the next midnight, which may be this very instant.
    checked_from = policy.zone.midnight(policy.zone.day(message.at - 1) + 1)
    return Decision([m.InstalmentsAgreed(message.at, message.schedule_id, parts, checked_from)])


def _pay_by(part: tuple[int, int]) -> int:
    return part[0]


def decide_instalments_cancelled(profile: Profile, message: m.InstalmentsCancelled, policy: Policy) -> Decision:
    schedule = profile.schedule
    if schedule is None or schedule.schedule_id != message.schedule_id:
        return unknown("schedule", message.schedule_id)
    return closed(profile) if profile.closed else Decision([message])


def due(profile: Profile, policy: Policy, now: int, timers: int) -> Record | None:
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


def wake(profile: Profile, policy: Policy) -> int:
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


def fold_hold_placed(profile: Profile, event: m.HoldPlaced) -> None:
    if profile.holds is None:
        profile.holds = {}
    profile.holds[event.hold_id] = event.until


def fold_hold_lifted(profile: Profile, event: m.HoldLifted) -> None:
    assert profile.holds is not None
    del profile.holds[event.hold_id]
    if not profile.holds:
        profile.holds = None


def fold_promise_made(profile: Profile, event: m.PromiseMade) -> None:
    _use_id(profile, event.promise_id)
    profile.promise = Promise(
        event.promise_id, event.amount, event.holds_until, event.breaks_at, profile.ledger.arrivals
    )


def fold_promise_kept(profile: Profile, event: e.PromiseKept) -> None:
    profile.promise = None
    profile.published += 1


def fold_promise_broken(profile: Profile, event: e.PromiseBroken) -> None:
    profile.promise = None
    profile.broken_promises += 1
    profile.published += 1


def fold_instalments_agreed(profile: Profile, event: m.InstalmentsAgreed) -> None:
    _use_id(profile, OF_SCHEDULE + event.schedule_id)
    profile.schedule = Schedule(event.schedule_id, event.parts, event.checked_from, profile.ledger.arrivals)


def fold_instalment_met(profile: Profile, event: e.InstalmentMet) -> None:
    assert profile.schedule is not None
    profile.schedule.met = event.part


def fold_instalments_cancelled(profile: Profile, event: m.InstalmentsCancelled) -> None:
    profile.schedule = None


def fold_instalments_ended(profile: Profile, event: Record) -> None:
    profile.schedule = None
    profile.published += 1


def _use_id(profile: Profile, business_id: str) -> None:
    if profile.ids is None:
        profile.ids = set()
    profile.ids.add(business_id)
