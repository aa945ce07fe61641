"""Recorded events in, outgoing events out: the virtual clock of a replay."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .arrivals import take_effect
from .envelope import Event, read_events, without_duplicates
from .instants import Instant, format_instant, parse_instant
from .policy import Policy, load_policy
from .profile import Profile
from .rejections import reason_at_arrival, reason_for_rejection, reject
from .timers import tick, wake_at

HOLD_UNKNOWN_SECONDS = 600  # how long an event for a profile not yet known is held

Outgoing = tuple[Instant, dict[str, Any]]


def play(
    policy_path: str | Path, lines: Iterable[str], until: str | None = None, confirm: bool = True
) -> list[dict[str, Any]]:
    """Every outgoing event with type, subject, time and data, in order of time.

    Later events than `until` are not played (without it: the last event's instant is the end). With `confirm` every
    command is confirmed at once; without it, outcomes come only from the input.
    """
    policy = load_policy(policy_path)
    events = read_events(lines)
    if not events:
        return []
    end = events[-1].time if until is None else parse_instant(until)
    events = without_duplicates([event for event in events if event.time <= end])
    out: list[Outgoing] = []
    for subject in dict.fromkeys(event.subject for event in events):
        own = [event for event in events if event.subject == subject]
        out += [(now, said | {"subject": subject}) for now, said in play_profile(policy, subject, own, end, confirm)]
    out.sort(key=lambda outgoing: outgoing[0])
    return [
        {"type": said["type"], "subject": said["subject"], "time": format_instant(now), "data": said["data"]}
        for now, said in out
    ]


def play_profile(policy: Policy, subject: str, events: list[Event], end: Instant, confirm: bool) -> list[Outgoing]:
    """One profile's life: at each instant all messages first, then timers."""
    profile = Profile(subject, policy, confirm)
    held: list[Event] = []
    upcoming = list(events)
    now = events[0].time
    while now <= end:
        while upcoming and upcoming[0].time == now:
            arrive(profile, upcoming.pop(0), held, now)
        reject_held(profile, held, now)
        tick(profile, now)
        candidates = [upcoming[0].time] if upcoming else []
        candidates += [event.time + HOLD_UNKNOWN_SECONDS for event in held]
        wake = wake_at(profile, now)
        candidates += [wake] if wake is not None else []
        if not candidates:
            break
        now = min(candidates)
    return profile.out


def arrive(profile: Profile, event: Event, held: list[Event], now: Instant) -> None:
    """Reject it, hold it for its account, or let it take effect; an account lets what was held take effect."""
    reason = reason_at_arrival(profile, event)
    if reason is not None:
        reject(profile, event, reason, now)
        return
    creates = event.type == "dms.account.updated.v1" and not profile.known
    if not profile.known and not creates:
        held.append(event)
        return
    apply(profile, event, now)
    if creates and profile.known:
        for earlier in held:
            apply(profile, earlier, now)
        held.clear()


def apply(profile: Profile, event: Event, now: Instant) -> None:
    reason = reason_for_rejection(profile, event)
    if reason is not None:
        reject(profile, event, reason, now)
    else:
        take_effect(profile, event, now)


def reject_held(profile: Profile, held: list[Event], now: Instant) -> None:
    """Held until its time is over, that instant included."""
    for event in list(held):
        if event.time + HOLD_UNKNOWN_SECONDS <= now:
            held.remove(event)
            reject(profile, event, "unknown_subject", now)
