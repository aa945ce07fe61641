"""The profile actor: one debt profile, alive for as long as it is worked.

A cache of what the store holds: a crash loses nothing, since nothing is told to anybody before it is committed.
"""

from dataclasses import dataclass, field
from typing import Final

from actors.breaker import Panel
from actors.errand import Arrival, Errand, Refused
from actors.lane import LaneActor
from domain.calendar import MINUTE, NEVER
from domain.decision import Refusal
from domain.messages import AccountUpdated, Lapse, Wake
from domain.policy import Policy
from domain.profile import Profile
from domain.record import Record
from domain.snapshot import freeze
from domain.work import work


@dataclass(slots=True)
class Crew:
    """What all profile actors of a lane share: the policy that holds, and how the world around them behaves.

    Timers that came due before ``late_before`` are late: a measure fires now, once, under the rules of now, and after
    the messages that wait. ``confirms``: every command counts as confirmed at once (replay). ``active_max`` bounds the
    profiles of a segment that are held in memory (0: no bound); it and ``hold_unknown`` may change between batches.
    """

    policy: Policy
    hold_unknown: int = 10 * MINUTE
    active_max: int = 0
    confirms: bool = False
    freezes: bool = True
    late_before: int = 0
    panel: Panel = field(default_factory=Panel)


class ProfileActor(LaneActor):
    """Works errands. Whatever it raises stops this actor alone; its supervisor knows the errand."""

    registered = False
    held: list[Arrival] | None = None
    last_held = 0

    def __init__(self, profile: Profile, crew: Crew) -> None:
        self.profile: Final = profile
        self.crew: Final = crew

    def on_receive(self, errand: Errand) -> None:
        """Works the arrivals in order, each after the timers before it, then the timers up to the errand's end."""
        profile = self.profile
        crew = self.crew
        facts = errand.facts
        errand.version = profile.version
        errand.published = profile.published
        errand.wake_before = profile.wake_at
        if errand.held:
            self.held = errand.held
            self.last_held = errand.held[-1].number
        for arrival in errand.arrivals:
            message = arrival.message
            at = message.at
            if profile.wake_at < at:
                self._catch_up(at, at, facts)
            if arrival.fault is not None:
                self._refuse(arrival, arrival.fault, at, errand)
            elif profile.projection == "" and type(message) is not AccountUpdated:
                self._hold(arrival, at, errand)
            else:
                if self.held:
                    self._expire(at, errand)
                refusal = self._work(message, facts)
                if refusal is not None:
                    self._refuse(arrival, refusal, at, errand)
                elif self.held:
                    self._release(at, errand)
            errand.handled += 1
        if errand.until > 0:
            if profile.wake_at < errand.until:
                self._catch_up(errand.until, errand.until - 1, facts, late_too=True)
            if self.held:
                self._expire(errand.until, errand)
        profile.version += len(facts)
        errand.wake_at = self._wake_at()
        errand.profile = profile
        # A timer that came up for nothing still moves.
        if crew.freezes and (facts or errand.wake_at != errand.wake_before) and profile.projection != "":
            errand.state = freeze(profile)

    def _work(self, message: Record, facts: list[Record]) -> Refusal | None:
        return work(self.profile, message, self.crew.policy, facts, self.crew.confirms)

    def _catch_up(self, before: int, now: int, facts: list[Record], late_too: bool = False) -> None:
        """Timers before an instant fire at theirs; late ones (``late_too``) at ``now``, else only their deadlines."""
        profile = self.profile
        while profile.wake_at < before:
            wake_at = profile.wake_at
            if wake_at >= self.crew.late_before:
                self._work(Wake(wake_at), facts)
                if profile.wake_at <= wake_at:
                    raise RuntimeError(f"{profile.profile_id} wakes at {wake_at} for ever")
            elif late_too:
                self._work(Wake(now), facts)
                return
            else:
                self._work(Lapse(now), facts)
                return

    def _hold(self, arrival: Arrival, at: int, errand: Errand) -> None:
        """The account may be on its way: the event waits for it."""
        if self.held is None:
            self.held = []
        self._expire(at, errand)
        self.last_held += 1
        arrival.number = self.last_held
        self.held.append(arrival)
        if errand.newly_held is None:
            errand.newly_held = []
        errand.newly_held.append(arrival)

    def _release(self, at: int, errand: Errand) -> None:
        """The account is there: what waited takes effect at this very instant, in its order."""
        waiting, self.held = self.held, None
        assert waiting is not None
        for arrival in waiting:
            # A fault is news of a release that reads it otherwise than the one that let it wait.
            refusal = arrival.fault or self._work(arrival.at(at).message, errand.facts)
            if refusal is not None:
                self._refuse(arrival, refusal, at, errand)
            self._note_released(arrival, errand)

    def _expire(self, before: int, errand: Errand) -> None:
        """What has waited too long is rejected, each at the end of its own time."""
        assert self.held is not None
        while self.held and self._expiry(self.held[0]) < before:
            arrival = self.held.pop(0)
            refusal = Refusal("unknown_subject", f"no account {self.profile.profile_id!r} came in time")
            self._refuse(arrival, refusal, self._expiry(arrival), errand)
            self._note_released(arrival, errand)

    @staticmethod
    def _refuse(arrival: Arrival, refusal: Refusal, at: int, errand: Errand) -> None:
        errand.refused.append(Refused(arrival, refusal, at, len(errand.facts)))

    @staticmethod
    def _note_released(arrival: Arrival, errand: Errand) -> None:
        if errand.released is None:
            errand.released = []
        errand.released.append(arrival)

    def _expiry(self, arrival: Arrival) -> int:
        return arrival.message.at + self.crew.hold_unknown

    def _wake_at(self) -> int:
        if self.profile.projection != "":
            return self.profile.wake_at
        return self._expiry(self.held[0]) if self.held else NEVER
