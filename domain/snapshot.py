"""Snapshots: a profile as nested tuples of plain values, and back.

A snapshot is what the store keeps of a profile. It begins with the number of its format: `thaw` reads every format
that was ever written, `freeze` writes the newest. Sequences are tuples; inside a dict they are lists, as in JSON. Items
are referred to by their arrival, which is unique within a profile.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final

from domain.events import MeasureRequested
from domain.first_format import thaw_ledger_1
from domain.ledger import Claim, Item, Payment
from domain.profile import NO_DAY, Pending, Profile, Promise, Restriction, Run, Schedule, Sent, Task
from domain.shared import shared

FORMAT: Final = 2
"""The format that `freeze` writes."""

State = tuple[object, ...]
"""A frozen profile; its last two values are its version and its wake-up."""

# 0.5 µs where Record.values takes 1.6: nearly every profile in a run has a command without an outcome.
_command_values: Final = attrgetter(*MeasureRequested.__match_args__)
_PARAMS: Final = MeasureRequested.__match_args__.index("params")


class UnknownFormat(ValueError):
    """The state was written by a later version of this program, or is no state at all."""


def freeze(profile: Profile, settled: bool = True) -> State:
    """The profile as plain values that share nothing mutable with it; ``profile_id`` is left to who asks.

    Without ``settled`` what is over in its ledger is left out, too.
    """
    run = profile.run
    promise = profile.promise
    schedule = profile.schedule
    attributes = profile.attributes
    past_runs = profile.past_runs
    return (
        FORMAT,
        (
            profile.projection,
            profile.party,
            profile.currency,
            profile.ledger_kind,
            profile.customer_id,
            dict(attributes) if attributes else None,
            profile.closed,
        ),
        _frozen_ledger(profile, settled),
        _frozen_service(profile),
        (
            _frozen_run(run) if run is not None else None,
            profile.runs,
            tuple(past_runs) if past_runs else None,
            profile.blocked,
            _frozen_restrictions(profile.loose),
        ),
        (
            dict(profile.holds) if profile.holds else None,
            (
                promise.promise_id,
                promise.amount,
                promise.holds_until,
                promise.breaks_at,
                promise.since,
                promise.paid,
            )
            if promise is not None
            else None,
            profile.broken_promises,
            (
                schedule.schedule_id,
                schedule.parts,
                schedule.checked_from,
                schedule.since,
                schedule.paid,
                schedule.met,
            )
            if schedule is not None
            else None,
        ),
        _frozen_waiting(profile),
        profile.published,
        profile.version,
        profile.wake_at,
    )


def _frozen_service(profile: Profile) -> State:
    service = (
        profile.policy_version,
        profile.policy_segment,
        profile.service_segment,
        profile.rule_plan,
        profile.hand_plan,
        profile.group,
        profile.hand_group,
        profile.manager,
    )
    # A ninth value where it is true alone: all other states stay as the version before wrote them, and can read them.
    return (*service, True) if profile.declined else service


def _frozen_ledger(profile: Profile, settled: bool) -> State:
    ledger = profile.ledger
    claims = ledger.claims
    prepaid = ledger.credits
    sequences = profile.sequences
    ids = profile.ids
    return (
        profile.balance,
        ledger.arrivals,
        tuple(
            [
                (item.item_id, item.due, item.arrival, item.left, item.since, item.claimed, item.reminded)
                if item.claimed or item.reminded
                else (item.item_id, item.due, item.arrival, item.left, item.since)
                for item in (ledger.live_items() if claims else ledger.open_items)
            ]
        ),
        # What a prepayment without an id has paid is never asked for.
        tuple(
            [(c.payment_id, c.arrival, c.amount, c.rest, c.paid if c.payment_id is not None else ()) for c in prepaid]
        )
        if prepaid
        else None,
        tuple([(claim_id, each.item.arrival, each.amount) for claim_id, each in claims.items()]) if claims else None,
        ledger.settled if settled else "",
        dict(sequences) if sequences else None,
        # Sorted, since the order of a set is another one in every process.
        tuple(sorted(ids)) if ids else None,
    )


def _frozen_run(run: Run) -> State:
    assert not run.closed, "a run that was switched is followed by another in the same decision"
    amendments = run.amendments
    return (
        run.number,
        run.run_id,
        run.plan,
        run.plan_version,
        run.opened_at,
        run.cursor,
        run.fired,
        run.skipped,
        run.issued,
        run.fired_day,
        run.floor_day,
        run.last_fired_on,
        _frozen_restrictions(run.restrictions),
        tuple([(measure, skip, day) for measure, (skip, day) in amendments.items()]) if amendments else None,
        # Hardly any run has one, and programs of the version before could not read it.
        *((run.version_floor,) if run.version_floor != NO_DAY else ()),
    )


def _frozen_restrictions(restrictions: list[Restriction] | None) -> State | None:
    if not restrictions:
        return None
    return tuple([(r.measure, r.command_ids, r.target, r.reverse, r.lifted, r.failed_ids) for r in restrictions])


def _frozen_waiting(profile: Profile) -> State:
    contacts = profile.contacts
    disarmed = profile.disarmed
    warnings = profile.warnings
    pending = profile.pending
    tasks = profile.tasks
    outstanding = profile.outstanding
    outside = profile.outside
    return (
        {kind: list(days) for kind, days in contacts.items()} if contacts else None,
        tuple(disarmed) if disarmed else None,
        dict(warnings) if warnings else None,
        tuple([(p.measure, p.plan, p.command_id, p.ordered, p.granted, p.in_run, p.since) for p in pending])
        if pending
        else None,
        tuple([(t.task_id, t.measure, t.command_id, t.why, t.opened_at, t.in_run) for t in tasks.values()])
        if tasks
        else None,
        tuple(
            [
                (_frozen_command(s.command), s.deadline, s.reported, s.settled, s.cured_in)
                if s.cured_under is None
                else (_frozen_command(s.command), s.deadline, s.reported, s.settled, s.cured_in, s.cured_under)
                for s in outstanding.values()
            ]
        )
        if outstanding
        else None,
        dict(outside) if outside else None,
        tuple(profile.reminders) if profile.reminders else None,
    )


def _frozen_command(command: MeasureRequested) -> State:
    values: tuple[Any, ...] = _command_values(command)
    params = values[_PARAMS]
    if type(params) is dict:
        # A policy's own, never changed, and shared by all its commands.
        return values
    return (*values[:_PARAMS], dict(params), *values[_PARAMS + 1 :])


def thaw(profile_id: str, state: State) -> Profile:
    """The profile that was frozen; the state stays as it is. Raises `UnknownFormat`."""
    format = state[0] if state else None
    if format == 1 or format == 2:
        return _thawed(profile_id, state, _thaw_ledger if format == 2 else thaw_ledger_1)
    raise UnknownFormat(f"the state of profile {profile_id!r} has format {format!r}; this version reads 1 to {FORMAT}")


def _thawed(
    profile_id: str, state: tuple[Any, ...], thaw_ledger: Callable[[Profile, tuple[Any, ...]], None]
) -> Profile:
    profile = Profile(profile_id)
    _, account, ledger, served, runs, agreed, waiting, profile.published, profile.version, profile.wake_at = state
    (
        profile.projection,
        profile.party,
        profile.currency,
        profile.ledger_kind,
        profile.customer_id,
        attributes,
        profile.closed,
    ) = account
    profile.attributes = shared(dict(attributes)) if attributes is not None else None
    thaw_ledger(profile, ledger)
    (
        profile.policy_version,
        profile.policy_segment,
        profile.service_segment,
        profile.rule_plan,
        profile.hand_plan,
        profile.group,
        profile.hand_group,
        profile.manager,
        *declined,
    ) = served
    profile.declined = bool(declined)
    run, profile.runs, past_runs, profile.blocked, loose = runs
    profile.run = _thawed_run(run) if run is not None else None
    profile.past_runs = list(past_runs) if past_runs is not None else None
    profile.loose = [Restriction(*each) for each in loose] if loose is not None else None
    holds, promise, profile.broken_promises, schedule = agreed
    profile.holds = dict(holds) if holds is not None else None
    profile.promise = Promise(*promise) if promise is not None else None
    profile.schedule = Schedule(*schedule) if schedule is not None else None
    _thaw_waiting(profile, waiting)
    return profile


def _thaw_ledger(profile: Profile, state: tuple[Any, ...]) -> None:
    ledger = profile.ledger
    profile.balance, ledger.arrivals, items, prepaid, claims, ledger.settled, sequences, ids = state
    live = [Item(*values) for values in items]
    ledger.open_items = tuple([item for item in live if item.left > 0])
    if prepaid is not None:
        ledger.credits = [Payment(*values) for values in prepaid]
    if claims is not None:
        by_arrival = {item.arrival: item for item in live}
        ledger.claims = {claim_id: Claim(by_arrival[arrival], amount) for claim_id, arrival, amount in claims}
    profile.sequences = dict(sequences) if sequences is not None else None
    profile.ids = set(ids) if ids is not None else None


def _thawed_run(state: tuple[Any, ...]) -> Run:
    number, run_id, plan, plan_version, opened_at, cursor, fired, skipped, issued, *rest = state
    run = Run(number, run_id, plan, plan_version, opened_at)
    run.cursor = cursor
    run.fired = tuple(fired)
    run.skipped = tuple(skipped)
    run.issued = tuple(issued)
    run.fired_day, run.floor_day, run.last_fired_on, restrictions, amendments, *more = rest
    run.version_floor = more[0] if more else NO_DAY
    if restrictions is not None:
        run.restrictions = [Restriction(*each) for each in restrictions]
    if amendments is not None:
        run.amendments = {measure: (skip, day) for measure, skip, day in amendments}
    return run


def _thaw_waiting(profile: Profile, state: tuple[Any, ...]) -> None:
    contacts, disarmed, warnings, pending, tasks, outstanding, outside, reminders = state
    profile.reminders = [(rule, item) for rule, item in reminders] if reminders is not None else None
    if contacts is not None:
        profile.contacts = {kind: tuple(days) for kind, days in contacts.items()}
    profile.disarmed = list(disarmed) if disarmed is not None else None
    profile.warnings = dict(warnings) if warnings is not None else None
    if pending is not None:
        profile.pending = [Pending(*each) for each in pending]
    if tasks is not None:
        profile.tasks = {each[0]: Task(*each) for each in tasks}
    if outstanding is not None:
        profile.outstanding = {}
        for values, *more in outstanding:
            command = MeasureRequested(*values)
            profile.outstanding[command.command_id] = Sent(command, *more)
    profile.outside = dict(outside) if outside is not None else None
