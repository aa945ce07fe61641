"""Prevention: warnings of a low balance and reminders of due dates, before anything is overdue."""

from domain import events as e
from domain.calendar import NEVER
from domain.commands import BY_PREVENTION, next_command_id
from domain.events import MeasureRequested, PreventionSettled, ReminderDue, TaskOpened
from domain.ledger import Item
from domain.policy import Policy, Prevention
from domain.profile import Profile
from domain.record import Record
from domain.rules import allows
from domain.tasks import task_id_for
from domain.timing import ALL, contact_opening


def crossings(profile: Profile, policy: Policy, balance: int, at: int) -> list[Record]:
    """Balance warnings raised and armed again by the step to ``balance``; the first snapshot crosses nothing."""
    events: list[Record] = []
    before = profile.balance
    for rule in policy.warnings:
        threshold = rule.balance_below
        assert threshold is not None
        is_disarmed = profile.disarmed is not None and rule.name in profile.disarmed
        if is_disarmed and balance >= rule.rearm_at:
            events.append(e.WarningRearmed(at, rule.name))
        elif not is_disarmed and before is not None and before >= threshold > balance:
            events.append(e.WarningRaised(at, rule.name))
    return events


def passed_reminders(profile: Profile, policy: Policy, at: int) -> list[Record]:
    """A version reminds of nothing whose instant had passed before it came.

    What the profile was to be woken for is late, and goes: the engine was away.
    """
    events: list[Record] = []
    before_it_came = min(at, profile.wake_at)
    for rule in policy.reminders:
        before = rule.days_before_due
        assert before is not None
        for item in profile.ledger.open_items:
            instant = policy.zone.instant(item.due - before, rule.measure.at)
            waits = profile.reminders is not None and (rule.name, item.item_id) in profile.reminders
            if item.since <= instant < before_it_came and rule.name not in item.reminded and not waits:
                events.append(e.PreventionSettled(at, rule.name, item.item_id, False))
    return events


def due_warnings(
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


def due_reminders(
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


def due_waiting_reminders(
    profile: Profile, policy: Policy, now: int, today: int, overdue: int, dpd: int, timers: int
) -> tuple[list[Record] | None, int]:
    """Reminders whose instant has come outside the contact hours: at the opening they go, if they are still true."""
    assert profile.reminders is not None
    opening = contact_opening(profile, policy, now)
    if opening > now or timers != ALL:
        return None, opening
    name, item_id = profile.reminders[0]
    item = profile.ledger.live_item(item_id)
    for rule in policy.reminders:
        if rule.name == name and item is not None and item.left > 0 and item.due >= today:
            return _remind(profile, policy, rule, item, now, today, overdue, dpd), NEVER
    return [PreventionSettled(now, name, item_id, False)], NEVER


def warning(
    profile: Profile, policy: Policy, rule: Prevention, item: str | None, at: int, today: int, overdue: int, dpd: int
) -> list[Record]:
    """A prevention measure goes; ``item`` is the one whose due date it reminds of."""
    measure = rule.measure
    confirm_within = measure.confirm_within if measure.confirm_within is not None else 0
    command_id = next_command_id(profile, None, rule.name)
    events: list[Record] = [
        MeasureRequested(
            at,
            command_id,
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
    if measure.kind == "task":
        task_id = task_id_for(profile, command_id, "measure")
        events.append(TaskOpened(at, task_id, rule.name, command_id, "measure", None, False, False))
    events.append(PreventionSettled(at, rule.name, item, True))
    return events


def fold_warning_raised(profile: Profile, event: e.WarningRaised) -> None:
    profile.disarmed = [*(profile.disarmed or []), event.rule]
    if profile.warnings is None:
        profile.warnings = {}
    profile.warnings.setdefault(event.rule, event.at)


def fold_warning_rearmed(profile: Profile, event: e.WarningRearmed) -> None:
    assert profile.disarmed is not None
    profile.disarmed = [each for each in profile.disarmed if each != event.rule] or None


def fold_reminder_due(profile: Profile, event: e.ReminderDue) -> None:
    profile.reminders = [*(profile.reminders or ()), (event.rule, event.item)]


def fold_settled(profile: Profile, event: e.PreventionSettled) -> None:
    if event.item is None:
        assert profile.warnings is not None
        del profile.warnings[event.rule]
        if not profile.warnings:
            profile.warnings = None
        return
    if profile.reminders is not None:
        profile.reminders = [each for each in profile.reminders if each != (event.rule, event.item)] or None
    profile.ledger.remind(event.item, event.rule)
