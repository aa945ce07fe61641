"""The segment supervisor: one for each policy segment and lane, responsible for the profiles worked there.

It activates them in bulk, routes a batch to them, restarts the ones that fail within a budget, lets go of those that
have been idle longest, and hands a profile over when the rules put it into another segment.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from actors.errand import Errand
from actors.lane import LaneActor, LaneRef
from actors.profile import Crew, ProfileActor
from domain.profile import Profile

TRIES_MAX: Final = 5
"""How often an errand is tried before its message is put into quarantine."""


@dataclass(slots=True)
class Batch:
    """Errands for profiles of one segment. ``reply`` is called on the lane, with the batch, when all are done."""

    errands: list[Errand]
    reply: "Callable[[Batch], None]"
    moved: list[tuple[str, str | None]] = field(default_factory=list)
    """Profiles that are another segment's now: ``(profile_id, segment)``."""
    passivated: list[str] = field(default_factory=list)
    """Profiles that are not active any more."""


@dataclass(frozen=True, slots=True)
class Adopt:
    """A profile of another segment is yours from now on."""

    profile_id: str
    ref: LaneRef[ProfileActor]


@dataclass(frozen=True, slots=True)
class ResetFuse:
    """People have decided what becomes of the commands that a breaker held: it begins to count again."""

    name: str


@dataclass(frozen=True, slots=True)
class BlowFuse:
    """The store holds commands behind this breaker from before: it lets none through."""

    name: str


@dataclass(frozen=True, slots=True)
class Dismiss:
    """Stop these profiles: what they hold may differ from what was committed."""

    profile_ids: tuple[str, ...]


class _Done:
    """Comes after everything that a batch has handed over."""

    __slots__ = ("batch",)

    def __init__(self, batch: Batch) -> None:
        self.batch: Final = batch


class SegmentSupervisor(LaneActor):
    """Supervises the profiles of one segment on one lane (``name`` None: those that no account event has made yet)."""

    registered = False

    def __init__(
        self,
        name: str | None,
        crew: Crew,
        siblings: "Mapping[str | None, LaneRef[SegmentSupervisor]]",
    ) -> None:
        """``siblings`` may grow later."""
        self.name: Final = name
        self.crew: Final = crew
        self.siblings: Final = siblings
        # In order of last use: the first is the one to let go.
        self.profiles: Final[dict[str, LaneRef[ProfileActor]]] = {}

    def on_receive(self, message: Any) -> None:
        """Takes `Batch`, `Adopt`, `Dismiss`, `ResetFuse` and `BlowFuse`."""
        match message:
            case Batch():
                self._work(message)
            case _Done():
                self._finish(message.batch)
            case Adopt():
                self.profiles[message.profile_id] = message.ref
            case Dismiss():
                for profile_id in message.profile_ids:
                    self._forget(profile_id)
            case ResetFuse() | BlowFuse():
                self.crew.panel.set(message.name, isinstance(message, BlowFuse))
            case _:
                raise TypeError(f"a segment supervisor takes no {type(message).__name__}")

    def undelivered(self, ref: LaneRef[Any], message: Any, exception: BaseException) -> None:
        """A profile failed on its errand: it is gone, and the errand says why."""
        if isinstance(message, Errand):
            message.failure = exception
            self.profiles.pop(message.profile_id, None)

    def _work(self, batch: Batch) -> None:
        profiles = self.profiles
        deliveries = []
        for errand in batch.errands:
            ref = profiles.pop(errand.profile_id, None)
            if ref is None:
                ref = self._activate(errand)
            profiles[errand.profile_id] = ref
            deliveries.append((ref, errand))
        self.hand_over(deliveries)
        self.actor_ref.tell(_Done(batch))

    def _activate(self, errand: Errand) -> LaneRef[ProfileActor]:
        profile = errand.profile if errand.profile is not None else Profile(errand.profile_id)
        return ProfileActor.start(profile, self.crew, lane=self.lane)

    def _finish(self, batch: Batch) -> None:
        has_breakers = bool(self.crew.policy.breakers) and not self.crew.confirms
        name = self.name
        for errand in batch.errands:
            profile = errand.profile
            if profile is None or errand.failure is not None:
                continue
            if has_breakers:
                errand.withheld = self.crew.panel.held_back(self.crew.policy, profile, errand.facts)
            if profile.projection == "" and errand.wake_at > errand.until and not self._holds(errand.profile_id):
                self._forget(errand.profile_id)
                batch.passivated.append(errand.profile_id)
            elif profile.policy_segment != name and profile.projection != "":
                self._move(errand.profile_id, profile.policy_segment, batch)
        if self.crew.active_max:
            self._passivate(batch)
        batch.reply(batch)

    def _holds(self, profile_id: str) -> bool:
        ref = self.profiles.get(profile_id)
        return ref is not None and bool(ref._actor.held)

    def _move(self, profile_id: str, segment: str | None, batch: Batch) -> None:
        sibling = self.siblings.get(segment)
        ref = self.profiles.get(profile_id)
        if sibling is None or ref is None:
            return
        del self.profiles[profile_id]
        batch.moved.append((profile_id, segment))
        sibling.tell(Adopt(profile_id, ref))

    def _passivate(self, batch: Batch) -> None:
        working = {errand.profile_id for errand in batch.errands}
        excess = len(self.profiles) - self.crew.active_max
        if excess <= 0:
            return
        idle = [profile_id for profile_id in list(self.profiles)[:excess] if profile_id not in working]
        for profile_id in idle:
            self._forget(profile_id)
        batch.passivated.extend(idle)

    def _forget(self, profile_id: str) -> None:
        # Nothing is queued for it and nobody else holds it: letting go of the ref frees it, a stop would cost 20 µs.
        self.profiles.pop(profile_id, None)
