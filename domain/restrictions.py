"""Restrictions: services taken away, and the reversals that give them back."""

from domain import events as e
from domain import messages as m
from domain.calendar import NEVER
from domain.commands import BY_CURE, BY_ORDER, command_id_after, next_command_id, run_number
from domain.decision import Decision, closed, not_allowed, refused, unknown
from domain.events import MeasureRequested
from domain.policy import Policy
from domain.profile import Profile, Restriction, Run, Sent
from domain.record import Record
from domain.timing import standing


def decide_lifted(profile: Profile, message: m.RestrictionLifted, policy: Policy) -> Decision:
    run = profile.run
    if policy.measure(message.measure, run.plan if run is not None else None) is None:
        return unknown("measure", message.measure)
    if profile.closed:
        return closed(profile)
    restriction = profile.liftable(message.measure)
    if restriction is None and run is None:
        return refused("no_run", "there is no run, and nothing is restricted without one")
    if restriction is None:
        return unknown("restriction in force", message.measure)
    if not policy.has_role(message.actor, "specialist"):
        return not_allowed(message.actor, "give a service back")
    today = policy.zone.day(message.at)
    overdue, oldest = standing(profile, today)
    dpd = today - oldest if oldest > 0 else 0
    # Ordered without a run, it is given back without one.
    of_run = None if profile.loose is not None and restriction in profile.loose else run
    command = reversal(profile, policy, of_run, restriction, BY_ORDER, message.at, today, overdue, dpd, 0)
    return Decision([message, command])


def reversal(
    profile: Profile,
    policy: Policy,
    run: Run | None,
    restriction: Restriction,
    reason: str,
    at: int,
    today: int,
    overdue: int,
    dpd: int,
    before: int,
) -> MeasureRequested:
    """The command that gives a restricted service back; its deadline is the policy's patience for it."""
    assert restriction.reverse is not None
    command_id = next_command_id(profile, run, restriction.reverse, before)
    run_id, plan = (run.run_id, run.plan) if run is not None else (None, None)
    return _restoration(
        policy, command_id, restriction.measure, restriction.reverse, restriction.target,
        run_id, plan, reason, at, today, overdue, dpd,
    )  # fmt: skip


def _restoration(
    policy: Policy,
    command_id: str,
    measure: str,
    reverse: str,
    target: str,
    run_id: str | None,
    plan: str | None,
    reason: str,
    at: int,
    today: int,
    overdue: int,
    dpd: int,
) -> MeasureRequested:
    within = policy.restore_within
    return MeasureRequested(
        at,
        command_id,
        reverse,
        "restore",
        target,
        None,
        None,
        {},
        plan,
        policy.version if run_id is not None else 0,
        run_id,
        0,
        dpd,
        overdue,
        reason,
        today,
        0,
        False,
        False,
        None,
        measure,
        at + within if within is not None else NEVER,
        0,
        0,
        1,
        0,
    )


def reversals(profile: Profile, policy: Policy, run: Run, at: int, today: int, overdue: int, dpd: int) -> list[Record]:
    """Everything the run took away and has not given back, the last first."""
    commands: list[Record] = []
    if run.restrictions is None:
        return commands
    names: list[str] = []
    for restriction in reversed(run.restrictions):
        if not restriction.is_in_force or restriction.reverse is None:
            continue
        before = names.count(restriction.reverse)
        commands.append(reversal(profile, policy, run, restriction, BY_CURE, at, today, overdue, dpd, before))
        names.append(restriction.reverse)
    return commands


def late_reversal(profile: Profile, policy: Policy, sent: Sent, at: int) -> MeasureRequested | None:
    """A restriction that had failed took effect after its cure: the service is given back, in the run that was cured.

    None where the run there is now has taken it away as well, and gives it back when it is cured itself.
    """
    command = sent.command
    run_id = sent.cured_in
    if command.reverse is None or run_id is None or _same_in_run(profile, command) is not None:
        return None
    assert profile.past_runs is not None
    issued = profile.past_runs[run_number(run_id) - 1]
    plan = sent.cured_under if sent.cured_under is not None else command.plan
    today = policy.zone.day(at)
    overdue, oldest = standing(profile, today)
    return _restoration(
        policy, command_id_after(run_id, issued, command.reverse), command.measure, command.reverse,
        command.target, run_id, plan, BY_CURE, at, today, overdue, today - oldest if oldest > 0 else 0,
    )  # fmt: skip


def note_cured(profile: Profile, run: Run) -> None:
    """What was reported failed is not given back at the cure, but later if it should have taken effect after all."""
    for restriction in run.restrictions or ():
        if restriction.lifted or restriction.command_ids or profile.outstanding is None:
            continue
        for command_id in restriction.failed_ids:
            sent = profile.outstanding.get(command_id)
            if sent is not None:
                sent.cured_in = run.run_id
                sent.cured_under = run.plan if run.plan != sent.command.plan else None


def _same_in_run(profile: Profile, command: MeasureRequested) -> Restriction | None:
    """The open run's own restriction of the same service, whether or not it was reported failed."""
    in_run = profile.run.restrictions if profile.run is not None else None
    for each in in_run or ():
        if not each.lifted and (each.measure, each.target, each.reverse) == _service(command):
            return each
    return None


def fold_lifted(profile: Profile, event: m.RestrictionLifted) -> None:
    restriction = profile.liftable(event.measure)
    assert restriction is not None
    restriction.lifted = True
    if profile.loose is not None:
        profile.loose = [each for each in profile.loose if not each.lifted] or None
    # A service that is given back is not taken away by a late retry.
    for command_id in restriction.command_ids:
        sent = profile.outstanding.get(command_id) if profile.outstanding is not None else None
        if sent is not None:
            sent.settled = True
            sent.deadline = NEVER


def restrict(profile: Profile, event: e.MeasureRequested) -> None:
    """A service is taken away; one sent again stays one restriction, to be reversed once, in its latest place."""
    run = profile.run if event.run_id is not None else None
    before = (run.restrictions if run is not None else profile.loose) or []
    restrictions: list[Restriction] = []
    command_ids: tuple[str, ...] = ()
    failed_ids: tuple[str, ...] = ()
    for each in before:
        if each.measure != event.measure or each.target != event.target or each.reverse != event.reverse:
            restrictions.append(each)
        elif not each.lifted:
            command_ids = each.command_ids
            failed_ids = each.failed_ids
    command_ids = (*command_ids, event.command_id)
    restrictions.append(Restriction(event.measure, command_ids, event.target, event.reverse, False, failed_ids))
    if run is not None:
        run.restrictions = restrictions
    else:
        profile.loose = restrictions


def without(restrictions: list[Restriction], command_id: str) -> list[Restriction] | None:
    """What is still restricted, or may be, where this command never left."""
    left: list[Restriction] = []
    for restriction in restrictions:
        if command_id in restriction.command_ids or command_id in restriction.failed_ids:
            restriction.command_ids = tuple([each for each in restriction.command_ids if each != command_id])
            restriction.failed_ids = tuple([each for each in restriction.failed_ids if each != command_id])
            if not restriction.command_ids and not restriction.failed_ids:
                continue
        left.append(restriction)
    return left or None


def never_took_effect(profile: Profile, command_id: str) -> None:
    """A restriction whose every command was reported failed has nothing to give back."""
    for restriction in _restrictions(profile):
        if command_id in restriction.command_ids:
            restriction.command_ids = tuple([each for each in restriction.command_ids if each != command_id])
            restriction.failed_ids = (*restriction.failed_ids, command_id)


def took_effect(profile: Profile, sent: Sent) -> None:
    """Confirmed after all: it will be reversed, with what the run has of the same if its own run was cured."""
    if sent.cured_in is not None:
        same = _same_in_run(profile, sent.command)
        if same is not None:
            same.command_ids = (*same.command_ids, sent.command.command_id)
        else:
            _forget_others(profile, sent)
        return
    command_id = sent.command.command_id
    for restriction in _restrictions(profile):
        if command_id in restriction.failed_ids:
            restriction.failed_ids = tuple([each for each in restriction.failed_ids if each != command_id])
            restriction.command_ids = (*restriction.command_ids, command_id)


def _forget_others(profile: Profile, sent: Sent) -> None:
    """The restriction is given back now: what its other commands do matters no more than after any reversal."""
    for other in (profile.outstanding or {}).values():
        if other.cured_in == sent.cured_in and _service(other.command) == _service(sent.command):
            other.cured_in = None
            other.cured_under = None


def _service(command: MeasureRequested) -> tuple[str, str, str | None]:
    """What a restriction takes away, and how it is given back."""
    return command.measure, command.target, command.reverse


def _restrictions(profile: Profile) -> list[Restriction]:
    in_run = profile.run.restrictions if profile.run is not None else None
    return [*(in_run or ()), *(profile.loose or ())]
