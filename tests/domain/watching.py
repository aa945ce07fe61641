"""Laws of a single step: working a message under the eyes of whoever knows what must not be seen."""

from typing import Final

from domain import messages as m
from domain.calendar import DAY, NEVER, Zone
from domain.decide import decide
from domain.decision import Refusal
from domain.policy import Policy
from domain.profile import Profile
from domain.record import Record
from domain.snapshot import freeze, thaw
from domain.work import work

_FAR: Final = 90 * DAY


def watched(profile: Profile, message: Record, policy: Policy, facts: list[Record]) -> Refusal | None:
    """Works a message, and sees to it that deciding is pure, a refusal nothing, and a wake-up not in vain."""
    before = freeze(profile)
    was_in_time = profile.wake_at >= message.at  # else the engine was away, and its timers wait behind the messages
    decided = decide(profile, message, policy)
    assert freeze(profile) == before, "to decide changes nothing"
    copy, again = _copy(profile), list[Record]()
    refusal = work(profile, message, policy, facts)
    refused_again = work(copy, message, policy, again)
    assert (again, freeze(copy)) == (facts, freeze(profile)), "the same message upon the same profile does the same"
    assert repr(refused_again) == repr(refusal) == repr(decided.refusal)
    if refusal is not None:
        assert (facts, freeze(profile)) == ([], before), "what was refused has changed nothing"
        return refusal
    at, wake_at = message.at, profile.wake_at
    assert all(fact.at == at for fact in facts), "what follows at an instant bears it"
    if isinstance(message, m.Wake):
        assert wake_at > at, "nobody wakes in the past"
    elif was_in_time:
        assert wake_at >= at, "nobody wakes in the past"
    for instant in (at, (at + min(wake_at, at + _FAR)) // 2, wake_at - 1):
        if at <= instant < min(wake_at, NEVER - 1):
            _wakes_for_nothing(profile, instant, policy)
    return None


def _copy(profile: Profile) -> Profile:
    return thaw(profile.profile_id, freeze(profile))


def _wakes_for_nothing(profile: Profile, instant: int, policy: Policy) -> None:
    copy, facts = _copy(profile), list[Record]()
    assert work(copy, m.Wake(instant), policy, facts) is None
    assert (facts, freeze(copy)) == ([], freeze(profile)), f"nothing is due at {_shown(instant, policy.zone)}"


def _shown(instant: int, zone: Zone) -> str:
    return f"day {zone.day(instant)}, second {zone.time_of_day(instant)}"
