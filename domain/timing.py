"""When the next measure fires: the timing rules of the policy language, each constraint in one place.

Every function here is about the earliest instant not before ``now``. Together with the instant comes its *bound*: the
constraint that set it, so that "what comes next and why" needs no second calculation.
"""

from typing import Final

from domain.calendar import NEVER
from domain.policy import Measure, Plan, Policy
from domain.profile import NO_DAY, Profile, Run

NONE: Final = 0
"""No timer has come: only what a message brings about at once."""
DEADLINES: Final = 1
"""Deadlines that have passed take effect."""
ALL: Final = 2
"""Measures, reminders and retries that are due go, too."""

# In the order in which they are asked; a later one is the reason where it delays what the earlier ones allow.
AT_ONCE: Final = 0
DUE: Final = 1
GAP: Final = 2
OPENED: Final = 3
HOLD: Final = 4
TIME_OF_DAY: Final = 5
BUSINESS_DAY: Final = 6
HOURS: Final = 7
CAP: Final = 8

BOUND_WORDS: Final = (
    "nothing stands in its way",
    "its day after the due date has come",
    "the gap after the measure before it is over",
    "the run has opened",
    "the hold has ended",
    "its time of day has come",
    "it is a business day",
    "the contact hours have begun",
    "the cap on contacts allows it",
)
"""Why a measure fires at its instant, in words, by bound."""

_DAYS_SEARCHED: Final = 400


def standing(profile: Profile, today: int) -> tuple[int, int]:
    """What is overdue and collectible on local day ``today``, and the due day of its oldest item (0: nothing is)."""
    overdue = 0
    oldest = 0
    schedule = profile.schedule
    covered = schedule.covers() if schedule is not None else 0
    for item in profile.ledger.open_items:
        if item.due >= today:
            break
        collectible = item.left - item.claimed
        if collectible <= 0:
            continue
        if covered > 0:
            if covered >= collectible:
                covered -= collectible
                continue
            collectible -= covered
            covered = 0
        if oldest == 0:
            oldest = item.due
        overdue += collectible
    return overdue, oldest


def day_of(run: Run, measure: Measure) -> int:
    """The measure's day in this run, as amended by hand."""
    if run.amendments is not None:
        amendment = run.amendments.get(measure.name)
        if amendment is not None and amendment[1] is not None:
            return amendment[1]
    return measure.day


def next_index(run: Run, plan: Plan) -> int:
    """The index of the first measure that has neither fired nor been skipped, or -1 at the plan's end."""
    for index in range(run.cursor, len(plan.measures)):
        measure = plan.measures[index]
        if measure.name in run.fired or measure.name in run.skipped:
            continue
        if run.amendments is not None:
            amendment = run.amendments.get(measure.name)
            if amendment is not None and amendment[0]:
                continue
        # By the plan's own day: what a switch has skipped is not brought back by moving its day.
        if run.floor_day != NO_DAY and measure.day <= run.floor_day:
            continue
        if run.version_floor != NO_DAY and day_of(run, measure) <= run.version_floor:
            continue
        return index
    return -1


def hold_end(profile: Profile, policy: Policy) -> int:
    """The instant until which a moratorium or a promise stops the run (0 where none does)."""
    end = 0
    if profile.holds is not None:
        for until in profile.holds.values():
            midnight = policy.zone.midnight(until + 1)
            if midnight > end:
                end = midnight
    promise = profile.promise
    if promise is not None and promise.holds_until > end:
        end = promise.holds_until
    return end


def fires_at(
    profile: Profile, policy: Policy, run: Run, plan: Plan, measure: Measure, oldest_due: int, now: int
) -> tuple[int, int]:
    """The earliest instant at which the plan's next measure may fire, and what bounds it."""
    zone = policy.zone
    instant = now
    bound = AT_ONCE
    due = zone.instant(oldest_due + day_of(run, measure), measure.at)
    if due >= instant:
        instant = due
        bound = DUE
    if run.last_fired_on != NO_DAY:
        after_gap = zone.instant(run.last_fired_on + plan.min_gap_days, measure.at)
        if after_gap > instant:
            instant = after_gap
            bound = GAP
    if run.opened_at > instant:
        instant = run.opened_at
        bound = OPENED
    if profile.holds is not None or profile.promise is not None:
        held = hold_end(profile, policy)
        if held > instant:
            instant = held
            bound = HOLD
    if bound in (DUE, GAP) and not measure.is_contact and not measure.business_days:
        return instant, bound  # at its time of day, and nothing else is asked of it
    return admitted(profile, policy, measure, instant, bound, measure.at, measure.business_days)


def admitted(
    profile: Profile, policy: Policy, measure: Measure, instant: int, bound: int, at: int, business_days: bool
) -> tuple[int, int]:
    """The first instant from ``instant`` on that is not before ``at`` of its day, on a business day where asked for,
    and, for a contact with a protected party, within the hours and caps."""
    zone = policy.zone
    contact = measure.is_contact and profile.party in policy.contact.parties
    for _ in range(_DAYS_SEARCHED):
        day = zone.day(instant)
        start = zone.instant(day, at)
        if instant < start:
            instant = start
            bound = TIME_OF_DAY if bound <= OPENED else bound
        if business_days and not policy.calendar.is_business_day(day):
            instant = zone.midnight(day + 1)
            bound = BUSINESS_DAY
            continue
        if contact:
            opens, closes = contact_hours(policy, day)
            if instant < opens:
                instant = opens
                bound = HOURS if bound <= TIME_OF_DAY else bound
            elif instant >= closes:
                instant = zone.midnight(day + 1)
                bound = HOURS
                continue
            if not within_caps(profile, policy, measure.kind, day):
                instant = zone.midnight(day + 1)
                bound = CAP
                continue
        return instant, bound
    return NEVER, bound


def contact_hours(policy: Policy, day: int) -> tuple[int, int]:
    """The instants between which (from, inclusive; to, exclusive) debtors may be contacted on ``day``."""
    rules = policy.contact
    hours = rules.workday if policy.calendar.is_business_day(day) else rules.dayoff
    if hours is None:
        return 0, NEVER
    return policy.zone.instant(day, hours.opens), policy.zone.instant(day, hours.closes)


def contact_opening(profile: Profile, policy: Policy, instant: int) -> int:
    """The first instant from ``instant`` on within the contact hours of a protected party; caps do not matter."""
    if profile.party not in policy.contact.parties:
        return instant
    for _ in range(_DAYS_SEARCHED):
        day = policy.zone.day(instant)
        opens, closes = contact_hours(policy, day)
        if instant < opens:
            return opens
        if instant < closes:
            return instant
        instant = policy.zone.midnight(day + 1)
    return NEVER


def within_caps(profile: Profile, policy: Policy, kind: str, day: int) -> bool:
    """Whether one more contact of ``kind`` on local ``day`` keeps every cap on 1, 7 and 30 consecutive days."""
    days: tuple[int, ...] = ()
    if profile.contacts is not None:
        days = profile.contacts.get(kind, days)
    for cap in policy.contact.caps:
        if cap.kind != kind:
            continue
        if cap.per_day is not None and _since(days, day) >= cap.per_day:
            return False
        if cap.per_week is not None and _since(days, day - 6) >= cap.per_week:
            return False
        if cap.per_month is not None and _since(days, day - 29) >= cap.per_month:
            return False
    return True


def _since(days: tuple[int, ...], first: int) -> int:
    count = 0
    for day in days:
        if day >= first:
            count += 1
    return count
