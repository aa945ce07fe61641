"""The manager supervisor: one for each service segment, with the desk at which its managers' work is spread.

It decides nothing itself: notes go into the desk in their order, and what came of them goes back to who sent them. It
keeps no more than its last report said, so one that fails is started again from the state that was committed.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from actors.lane import LaneActor
from domain.calendar import NEVER
from domain.decision import Refusal
from domain.desk import TOLD, Desk, Standing, TaskTaken, WorkAssigned, desks_for, role_for, thaw
from domain.events import SegmentChanged
from domain.messages import ManagerChosen
from domain.policy import Policy
from domain.profile import Profile
from domain.record import Record
from domain.roster import LoadReported

State = tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A fact for a desk; ``standing`` is what the profile brings where the fact puts it into a service segment."""

    at: int
    profile_id: str
    fact: Record
    standing: Standing | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskReport:
    """What came of notes or of a tick.

    ``answers`` are for their profiles, to be worked as messages. ``loads`` are for the other desks (`desks_for`), in
    one message with the notes that wait for these: capacities are kept as far as the desks know of each other, exactly
    where one desk takes its notes after the other. ``state`` is to be committed with all that, None where it is as
    before. ``wake_at`` is the next instant for a `Tick`, None: nothing waits.
    """

    service_segment: str
    answers: tuple[tuple[str, ManagerChosen], ...]
    assignments: tuple[WorkAssigned, ...]
    refusals: tuple[tuple[TaskTaken, Refusal], ...]
    loads: tuple[LoadReported, ...]
    state: State | None
    wake_at: int | None


Reply = Callable[[DeskReport], None]
"""Called on the lane, once for each message that has one."""


@dataclass(frozen=True, slots=True)
class Notes:
    """What a batch brings to one desk, sorted by ``(at, profile_id)``; each fact once."""

    notes: Sequence[Note]
    reply: Reply


@dataclass(frozen=True, slots=True)
class PolicyChanged:
    """Another policy holds from the next message on, or other people work. Tell all desks, then each a `Tick`."""

    policy: Policy


@dataclass(frozen=True, slots=True)
class Tick:
    """It is ``at``: what is due by then is done. Sent at ``wake_at``, after a `PolicyChanged`, and after the start."""

    at: int
    reply: Reply


def standing_of(profile: Profile, policy: Policy) -> Standing:
    """The profile as another desk must know it."""
    plans = {pending.command_id: pending.plan for pending in profile.pending or ()}
    return Standing(
        profile.manager,
        profile.group if profile.hand_group else None,
        tuple(
            (
                task.task_id,
                task.why,
                role_for(task.why, plans.get(task.command_id), task.measure, policy),
                task.opened_at,
            )
            for task in (profile.tasks or {}).values()
        ),
    )


def notes_of(profile: Profile, facts: Iterable[Record], policy: Policy) -> list[tuple[str, Note]]:
    """The notes that ``facts`` are worth, each with the service segment of its desk, in the facts' order.

    ``facts`` are the latest of ``profile``, all of them folded into it.
    """
    told = [fact for fact in facts if type(fact) in TOLD]
    where = profile.service_segment
    for fact in told:
        if isinstance(fact, SegmentChanged):
            where = fact.previous_service_segment
            break
    found: list[tuple[str, Note]] = []
    for fact in told:
        desks = desks_for(fact, where, policy)
        standing = None
        if isinstance(fact, SegmentChanged):
            where = fact.service_segment
            standing = standing_of(profile, policy) if desks else None
        for desk in desks:
            note = Note(at=fact.at, profile_id=profile.profile_id, fact=fact, standing=standing)
            found.append((desk, note))
    return found


def loads_of(state: State) -> list[LoadReported]:
    """What a frozen desk has given to whom: what the others must hear before their first tick."""
    return thaw(state).roster.loads(0)


class ManagerSupervisor(LaneActor):
    """Holds the desk of one service segment. Whatever it raises is a defect, and stops it."""

    registered = False

    def __init__(
        self,
        service_segment: str,
        policy: Policy,
        state: State | None = None,
        loads: Iterable[LoadReported] = (),
        freezes: bool = True,
    ) -> None:
        """``state`` is the last that was committed, ``loads`` what all other desks have given (`loads_of`).

        Without ``freezes`` (nobody keeps it) reports bring no state.
        """
        self.freezes: Final = freezes
        self.desk: Final = Desk(service_segment) if state is None else thaw(state)
        for load in loads:
            self.desk.roster.hear(load)
        self.desk.adopt(policy)

    def on_receive(self, message: Any) -> None:
        """Takes `Notes`, `PolicyChanged` and `Tick`."""
        match message:
            case Notes():
                self._learn(message.notes)
            case PolicyChanged():
                self.desk.adopt(message.policy)
                return
            case Tick():
                self.desk.look(message.at)
            case _:
                raise TypeError(f"a manager supervisor takes no {type(message).__name__}")
        message.reply(self._summed_up())

    def _learn(self, notes: Sequence[Note]) -> None:
        """Who has become full elsewhere is heard first, and who has room again last.

        A profile that moves here with its manager may make that manager as full as before.
        """
        desk = self.desk
        loads = [note.fact for note in notes if isinstance(note.fact, LoadReported)]
        for load in loads:
            desk.hear(load, more_only=True)
        for note in notes:
            if not isinstance(note.fact, LoadReported):
                desk.learn(note.at, note.profile_id, note.fact, note.standing)
        for load in loads:
            desk.hear(load)
        if loads:
            desk.look(max(load.at for load in loads))

    def _summed_up(self) -> DeskReport:
        desk = self.desk
        wake_at = desk.wake_at()
        report = DeskReport(
            service_segment=desk.service_segment,
            answers=tuple(desk.answers.items()),
            assignments=tuple(desk.assignments),
            refusals=tuple(desk.refusals),
            loads=tuple(desk.take_moved_loads()),
            state=desk.freeze() if desk.is_changed and self.freezes else None,
            wake_at=wake_at if wake_at < NEVER else None,
        )
        desk.answers.clear()
        desk.assignments.clear()
        desk.refusals.clear()
        desk.is_changed = False
        return report
