"""What follows: the consequences of what is so now, one at a time, in the order in which they take effect.

After a message, and when a timer has come, the engine asks `follow` until nothing follows any more. Runs open and
close with every message; deadlines and measures belong to the timers, which come after all messages of their instant.
"""

from domain import agreements, measures, orders, outcomes, prevention, runs
from domain.calendar import NEVER
from domain.decision import Decision
from domain.policy import Policy
from domain.profile import Profile
from domain.timing import standing


def follow(profile: Profile, policy: Policy, now: int, timers: int) -> Decision:
    """The next consequence at ``now``; a settled decision with the instant of the next look where there is none."""
    if profile.closed or profile.projection == "":
        return Decision([], None, True, NEVER)
    wake_at = NEVER
    if profile.promise is not None or profile.schedule is not None:
        agreed = agreements.due(profile, policy, now, timers)
        if agreed is not None:
            return Decision([agreed])
        wake_at = agreements.wake(profile, policy)
    today = policy.zone.day(now)
    overdue, oldest = standing(profile, today)
    dpd = today - oldest if oldest > 0 else 0
    events = runs.borders(profile, policy, now, today, overdue, dpd)
    if events is not None:
        return Decision(events)
    if profile.outstanding is not None:
        events, instant = outcomes.due(profile, now, policy, timers)
        if events is not None:
            return Decision(events)
        if instant < wake_at:
            wake_at = instant
    if profile.warnings is not None:
        events, instant = prevention.due_warnings(profile, policy, now, today, overdue, dpd, timers)
        if events is not None:
            return Decision(events)
        if instant < wake_at:
            wake_at = instant
    if profile.reminders is not None:
        events, instant = prevention.due_waiting_reminders(profile, policy, now, today, overdue, dpd, timers)
        if events is not None:
            return Decision(events)
        if instant < wake_at:
            wake_at = instant
    if policy.reminders and profile.ledger.open_items:
        events, instant = prevention.due_reminders(profile, policy, now, today, overdue, dpd, timers)
        if events is not None:
            return Decision(events)
        if instant < wake_at:
            wake_at = instant
    if profile.pending is not None:
        events, instant = orders.due(profile, policy, now, today, overdue, dpd, timers)
        if events is not None:
            return Decision(events)
        if instant < wake_at:
            wake_at = instant
    run = profile.run
    if run is not None:
        events, instant = measures.due(profile, policy, run, now, today, overdue, oldest, timers)
        if events is not None:
            return Decision(events)
    else:
        instant = measures.next_overdue(profile, policy, today)
    if instant < wake_at:
        wake_at = instant
    # Whatever is due already is due now: nobody wakes, and acts, in the past.
    return Decision([], None, True, wake_at if wake_at > now else now)
