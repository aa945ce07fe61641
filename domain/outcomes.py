"""What becomes of a command: confirmed, failed or unknown; held back, let go or withdrawn before it ever left."""

from domain import events as e
from domain import messages as m
from domain.calendar import NEVER
from domain.commands import given_up, is_sent, retried
from domain.decision import Decision, closed, unknown
from domain.events import ServiceRestoreOverdue
from domain.policy import CONTACT_KINDS, Policy
from domain.profile import Profile
from domain.record import Record
from domain.restrictions import late_reversal, never_took_effect, took_effect, without
from domain.timing import ALL, contact_opening


def decide_completed(profile: Profile, message: m.MeasureCompleted, policy: Policy) -> Decision:
    if not is_sent(profile, message.command_id):
        return unknown("command", message.command_id)
    if profile.closed:
        return closed(profile)
    sent = profile.outstanding.get(message.command_id) if profile.outstanding is not None else None
    given_back = (
        late_reversal(profile, policy, sent, message.at) if sent is not None and sent.cured_in is not None else None
    )
    return Decision([message] if given_back is None else [message, given_back])


def decide_failed(profile: Profile, message: m.MeasureFailed, policy: Policy) -> Decision:
    if not is_sent(profile, message.command_id):
        return unknown("command", message.command_id)
    if profile.closed:
        return closed(profile)
    sent = profile.outstanding.get(message.command_id) if profile.outstanding is not None else None
    if sent is not None and not sent.settled and sent.command.kind == "restore":
        _, opened = given_up(profile, sent, message.at)
        return Decision([message, e.CommandFailed(message.at, message.command_id, True), opened])
    return Decision([message])


def decide_hold(profile: Profile, message: m.HoldCommand, policy: Policy) -> Decision:
    if not _has_outstanding(profile, message.command_id):
        return Decision([])
    return Decision([e.CommandHeld(message.at, message.command_id, message.breaker)])


def decide_release(profile: Profile, message: m.ReleaseCommand, policy: Policy) -> Decision:
    if not _has_outstanding(profile, message.command_id):
        return Decision([])
    return Decision([e.CommandReleased(message.at, message.command_id)])


def decide_withdraw(profile: Profile, message: m.WithdrawCommands, policy: Policy) -> Decision:
    # An account that is closed waits for no outcome any more; that its last commands never left is told all the same.
    return Decision(
        [
            e.CommandWithdrawn(message.at, command_id, message.why)
            for command_id in dict.fromkeys(message.command_ids)
            if (is_sent(profile, command_id) if profile.closed else _has_outstanding(profile, command_id))
        ]
    )


def _has_outstanding(profile: Profile, command_id: str) -> bool:
    return profile.outstanding is not None and command_id in profile.outstanding


def due(profile: Profile, now: int, policy: Policy, timers: int) -> tuple[list[Record] | None, int]:
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


def fold_completed(profile: Profile, event: m.MeasureCompleted) -> None:
    if profile.outstanding is None:
        return
    sent = profile.outstanding.pop(event.command_id, None)
    if not profile.outstanding:
        profile.outstanding = None
    if sent is not None and sent.settled and sent.reported:
        took_effect(profile, sent)


def fold_failed(profile: Profile, event: m.MeasureFailed) -> None:
    sent = profile.outstanding.get(event.command_id) if profile.outstanding is not None else None
    if sent is None:
        return
    sent.reported = True
    if sent.settled:
        never_took_effect(profile, event.command_id)
    elif sent.command.kind != "restore":
        sent.deadline = event.at


def fold_command_failed(profile: Profile, event: e.CommandFailed) -> None:
    assert profile.outstanding is not None
    sent = profile.outstanding[event.command_id]
    sent.settled = True
    if sent.command.kind != "restore":
        sent.deadline = NEVER
    if event.reported:
        never_took_effect(profile, event.command_id)


def fold_held(profile: Profile, event: e.CommandHeld) -> None:
    assert profile.outstanding is not None
    profile.outstanding[event.command_id].deadline = NEVER


def fold_released(profile: Profile, event: e.CommandReleased) -> None:
    assert profile.outstanding is not None
    sent = profile.outstanding[event.command_id]
    command = sent.command
    # What has lost its reason meanwhile is not sent again, so that nothing is waited for.
    if command.confirm_by != NEVER and (not sent.settled or command.kind == "restore"):
        sent.deadline = event.at + command.confirm_by - command.at


def fold_withdrawn(profile: Profile, event: e.CommandWithdrawn) -> None:
    if profile.outstanding is not None:
        profile.outstanding.pop(event.command_id, None)
        profile.outstanding = profile.outstanding or None
    run = profile.run
    if run is not None and run.restrictions is not None:
        run.restrictions = without(run.restrictions, event.command_id)
    if profile.loose is not None:
        profile.loose = without(profile.loose, event.command_id)


def fold_restore_overdue(profile: Profile, event: e.ServiceRestoreOverdue) -> None:
    assert profile.outstanding is not None
    profile.outstanding[event.command_id].deadline = NEVER
    profile.published += 1
