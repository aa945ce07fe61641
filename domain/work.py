"""`work`: a message with all that follows from it; the loop that production, replay and the laboratory share."""

from typing import Final

from domain.decide import decide
from domain.decision import Decision, Refusal
from domain.events import MeasureRequested
from domain.evolve import evolve
from domain.follow import follow
from domain.messages import Lapse, ManagerChosen, MeasureCompleted, PolicyPublished, Wake
from domain.policy import Policy
from domain.profile import Profile
from domain.record import Record
from domain.timing import ALL, DEADLINES, NONE

_STEPS_MAX: Final = 10_000


class Unsettled(Exception):
    """Consequences did not come to an end: a defect, stopped before it fills the journal."""


def work(
    profile: Profile, message: Record, policy: Policy, facts: list[Record], confirms: bool = False
) -> Refusal | None:
    """Decides ``message``, folds its facts and all that follows at its instant into the profile, and appends them.

    Returns the refusal where the message itself changed nothing. ``profile.wake_at`` then says when to send a `Wake`;
    it may be the message's own instant: timers come after all messages of their instant. A profile that worked under
    another policy version adopts this one first. With ``confirms`` every command counts as confirmed at once.
    """
    at = message.at
    if profile.policy_version != policy.version and profile.projection != "" and not profile.closed:
        _settle(profile, decide(profile, PolicyPublished(at), policy), at, policy, facts, NONE, confirms)
    decision = decide(profile, message, policy)
    if decision.refusal is not None:
        return decision.refusal
    if isinstance(message, ManagerChosen):
        # It changes nothing that timing looks at, and in a replay it may come later than its instant.
        for event in decision.events:
            evolve(profile, event)
            facts.append(event)
        return None
    timers = ALL if isinstance(message, Wake) else DEADLINES if isinstance(message, Lapse) else NONE
    _settle(profile, decision, at, policy, facts, timers, confirms)
    return None


def _settle(
    profile: Profile,
    decision: Decision,
    at: int,
    policy: Policy,
    facts: list[Record],
    timers: int,
    confirms: bool,
) -> None:
    for _ in range(_STEPS_MAX):
        for event in decision.events:
            evolve(profile, event)
            facts.append(event)
            if confirms and isinstance(event, MeasureRequested):
                completed = MeasureCompleted(at, event.command_id, "confirmed at once")
                evolve(profile, completed)
                facts.append(completed)
        if decision.settled:
            profile.wake_at = decision.wake_at
            return
        decision = follow(profile, policy, at, timers)
    raise Unsettled(f"profile {profile.profile_id} does not settle at {at}: {decision.events!r}")
