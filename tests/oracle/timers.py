"""What time alone brings: deadlines, prevention, the measures that are due.

`tick` does everything that is due at an instant; `wake_at` says when there is something to do next. Both look at the
whole profile each time.
"""

from collections.abc import Iterator
from datetime import date, timedelta

from .instants import Instant, Minutes, format_instant
from .ledger import Item
from .policy import Measure, Prevention
from .profile import Command, Profile, Schedule, Waiting
from .runs import decide, fire, has_lost_its_reason, next_measure, not_done, open_task, review, send, send_again

# Caps forget after 30 days and no holidays last as long: what finds no day in this time (a cap of 0) finds none later.
HORIZON_DAYS = 60


def tick(p: Profile, now: Instant) -> None:
    """All timers of an instant, after all its messages."""
    if not p.known or p.closed:
        return
    break_promise(p, now)
    break_schedule(p, now)
    review(p, now)
    look_for_confirmations(p, now)
    report_restores(p, now)
    send_prevention(p, now)
    while fire_waiting(p, now) or fire_next(p, now):
        pass


def wake_at(p: Profile, now: Instant) -> Instant | None:
    """The next instant after now at which something may be due."""
    if not p.known or p.closed:
        return None
    return min((instant for instant in _instants(p, now) if instant > now), default=None)


def _instants(p: Profile, now: Instant) -> Iterator[Instant]:
    zone = p.policy.zone
    for item in p.items:
        yield zone.end_of(item.due)
    if p.promise is not None:
        yield deadline(p, p.promise.pay_by, p.promise.made_at)
    if p.schedule is not None:
        yield from schedule_deadlines(p, p.schedule)
    for command in p.commands.values():
        if command.is_to_be_repeated:
            yield from _if_any(repeat_instant(p, command, now))
        elif not command.confirmed and not command.given_up and command.confirm_within is not None:
            yield command.last_sent + command.confirm_within
        if not command.confirmed and command.restore_due is not None:
            yield command.restore_due
    for rule, item in rules_and_items(p):
        yield due_soon_at(p, rule, item)
    for rule, _ in p.prevention_waiting:
        yield from _if_any(earliest(p, rule.measure, now, at=None, caps=False))
    for waiting in p.waiting:
        yield from _if_any(waiting_instant(p, waiting, now))
    yield from _if_any(next_instant(p, now))


def _if_any(instant: Instant | None) -> Iterator[Instant]:
    if instant is not None:
        yield instant


# Promises and instalments.


def deadline(p: Profile, pay_by: date, made_at: Instant) -> Instant:
    """The midnight after `pay_by`; at the next midnight, if that has passed."""
    zone = p.policy.zone
    midnight = zone.end_of(pay_by)
    return midnight if midnight >= made_at else zone.end_of(zone.date_of(made_at))


def schedule_deadlines(p: Profile, schedule: Schedule) -> list[Instant]:
    return [deadline(p, pay_by, schedule.agreed_at) for pay_by, _ in schedule.parts]


def break_promise(p: Profile, now: Instant) -> None:
    if p.promise is not None and deadline(p, p.promise.pay_by, p.promise.made_at) == now:
        p.publish("dms.promise.broken.v1", now, promise_id=p.promise.promise_id)
        p.broken_promises += 1
        p.promise = None


def break_schedule(p: Profile, now: Instant) -> None:
    """Broken at the midnight after a `pay_by` by which less was paid than the parts due so far."""
    schedule = p.schedule
    if schedule is None or now not in schedule_deadlines(p, schedule):
        return
    due_so_far = sum(amount for pay_by, amount in schedule.parts if deadline(p, pay_by, schedule.agreed_at) <= now)
    if p.paid_since(schedule.number) < due_so_far:
        p.publish("dms.instalments.broken.v1", now, schedule_id=schedule.schedule_id)
        p.schedule = None


# Outcomes of commands.


def look_for_confirmations(p: Profile, now: Instant) -> None:
    """A command not confirmed within `confirm_within` is sent again, then fails."""
    for command in list(p.commands.values()):
        if command.confirmed or command.given_up:
            continue
        within = None if command.is_to_be_repeated else command.confirm_within
        if within is not None and command.last_sent + within == now:
            not_done(p, command, now)
        repeat_if_allowed(p, command, now)


def repeat_instant(p: Profile, command: Command, now: Instant) -> Instant | None:
    """When a command that is to be sent again goes: a contact within the contact hours, all others at once."""
    assert command.measure is not None
    return earliest(p, command.measure, now, at=None, caps=False)


def repeat_if_allowed(p: Profile, command: Command, now: Instant) -> None:
    if command.is_to_be_repeated:
        if has_lost_its_reason(p, command):
            command.is_to_be_repeated = False
            command.given_up = True
        elif repeat_instant(p, command, now) == now:
            send_again(p, command, now)


def report_restores(p: Profile, now: Instant) -> None:
    """A lifted restriction not confirmed within the policy's limit is reported."""
    for command in p.commands.values():
        if command.restore_due == now and not command.confirmed:
            p.publish(
                "dms.service.restore_overdue.v1",
                now,
                command_id=command.command_id,
                measure=command.data["measure"],
                target=command.data["target"],
                run_id=command.data["run_id"],
                requested_at=format_instant(command.last_sent),
            )
            command.restore_due = None


# Prevention.


def rules_and_items(p: Profile) -> list[tuple[Prevention, Item]]:
    rules = [rule for rule in p.policy.preventions if rule.days_before_due is not None]
    return [(rule, item) for rule in rules for item in p.items if item.is_open]


def due_soon_at(p: Profile, rule: Prevention, item: Item) -> Instant:
    """At `at` of that local date."""
    assert rule.days_before_due is not None
    return p.policy.zone.at(item.due - timedelta(days=rule.days_before_due), rule.measure.at)


def balance_moved(p: Profile, before: int | None, now: Instant) -> None:
    """The balance passed from one value to another: warn on a crossing downwards, arm again."""
    after = p.account.balance
    assert after is not None
    for rule in p.policy.preventions:
        if rule.balance_below is None or rule.rearm_at is None:
            continue
        if after >= rule.rearm_at:
            p.disarmed.discard(rule)
        crossed = before is not None and before >= rule.balance_below > after
        if crossed and rule not in p.disarmed:
            p.disarmed.add(rule)
            if (rule, None) not in p.prevention_waiting:
                send_or_wait(p, rule, None, now)


def send_prevention(p: Profile, now: Instant) -> None:
    """Messages that waited for contact hours, then those of the items whose day has come."""
    for rule, item in list(p.prevention_waiting):
        if earliest(p, rule.measure, now, at=None, caps=False) == now:
            p.prevention_waiting.remove((rule, item))
            if still_true(p, rule, item, now):
                warn(p, rule, now)
    for rule, item in rules_and_items(p):
        if due_soon_at(p, rule, item) == now and item.arrived < now and (rule, item) not in p.prevention_done:
            p.prevention_done.add((rule, item))
            send_or_wait(p, rule, item, now)


def send_or_wait(p: Profile, rule: Prevention, item: Item | None, now: Instant) -> None:
    if earliest(p, rule.measure, now, at=None, caps=False) == now:
        warn(p, rule, now)
    else:
        p.prevention_waiting.append((rule, item))


def warn(p: Profile, rule: Prevention, now: Instant) -> None:
    """As with a measure of a plan, `when` is evaluated at the instant at which it would go."""
    if rule.measure.when is None or rule.measure.when.true(p.names_for_measures(now)):
        command = send(p, rule.measure, None, "prevention", now)
        if rule.measure.kind == "task":
            open_task(p, rule.measure.name, command.command_id, "measure", None, now)


def still_true(p: Profile, rule: Prevention, item: Item | None, now: Instant) -> bool:
    if item is not None:
        return item in p.items and item.is_open and item.due >= p.policy.zone.date_of(now)
    assert rule.balance_below is not None
    return p.balance is not None and p.balance < rule.balance_below


# Measures.


def next_instant(p: Profile, now: Instant) -> Instant | None:
    """When the next measure of the run fires, as things stand."""
    measure, run, oldest_due = next_measure(p), p.run, p.oldest_due(now)
    if measure is None or run is None or oldest_due is None:
        return None
    zone = p.policy.zone
    not_before = [now, run.opened_at, zone.at(oldest_due + timedelta(days=run.day_of(measure)), measure.at)]
    if run.last_fired_on is not None:
        not_before.append(zone.at(run.last_fired_on + timedelta(days=run.plan.min_gap_days), measure.at))
    if (hold_end := p.hold_end()) is not None:
        not_before.append(hold_end)
    return earliest(p, measure, max(not_before), at=measure.at, business_days=measure.business_days)


def waiting_instant(p: Profile, waiting: Waiting, now: Instant) -> Instant | None:
    """When an ordered or approved measure fires: contact rules hold, and for one of the plan a hold is waited for."""
    if waiting.for_approval:
        return None
    not_before = now
    if waiting.reason == "plan" and (hold_end := p.hold_end()) is not None:
        not_before = max(now, hold_end)
    return earliest(p, waiting.measure, not_before, at=None)


def fire_waiting(p: Profile, now: Instant) -> bool:
    """The first of those that wait and may go now."""
    for waiting in p.waiting:
        if waiting_instant(p, waiting, now) == now:
            p.waiting.remove(waiting)
            fire(p, waiting, now)
            return True
    return False


def fire_next(p: Profile, now: Instant) -> bool:
    measure = next_measure(p)
    if measure is None or next_instant(p, now) != now:
        return False
    decide(p, measure, now)
    return True


def earliest(
    p: Profile,
    measure: Measure,
    start: Instant,
    *,
    at: Minutes | None,
    business_days: bool = False,
    caps: bool = True,
) -> Instant | None:
    """The earliest instant from `start` that the day's rules allow, looked for day by day.

    Not before `at` of the local day; on a business day if asked; for a contact with a protected party within the
    contact hours of that day and under the caps.
    """
    zone = p.policy.zone
    first = zone.date_of(start)
    for day in (first + timedelta(days=n) for n in range(HORIZON_DAYS)):
        instant = max(start, zone.midnight(day))
        if business_days and not p.policy.is_business_day(day):
            continue
        if at is not None:
            instant = max(instant, zone.at(day, at))
        if p.is_protected(measure):
            if caps and p.cap_is_reached(measure.kind, day):
                continue
            hours = p.policy.hours_on(day)
            if hours is not None:
                instant = max(instant, zone.at(day, hours.opens))
                if instant >= zone.at(day, hours.closes):
                    continue
        if instant < zone.end_of(day):
            return instant
    return None
