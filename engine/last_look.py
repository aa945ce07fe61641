"""The last look: commands that lose their reason between their decision and their leaving are withdrawn.

A command whose run has ended (cured, closed, switched) and which has surely not left never will, nor will a reversal of
it. One that may have left is left alone: its reversal undoes it. Withdrawals are facts of the profile, so they are
committed with the end of the run.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from actors.errand import Arrival, Errand
from domain.events import MeasureRequested, RunClosed
from domain.messages import HoldCommand, WithdrawCommands
from domain.profile import Profile
from engine.ports import OutgoingEvent

_ENDS: Final = frozenset({"cured", "closed", "switched"})


@dataclass(slots=True)
class Withdrawals:
    """What a batch withdraws: ``event_ids`` of the outbox, ``unwritten`` ids of commands that this very batch decided,
    and the ``errands`` that tell the profiles."""

    event_ids: list[str] = field(default_factory=list)
    unwritten: set[str] = field(default_factory=set)
    errands: list[Errand] = field(default_factory=list)


def ended_runs(worked: Iterable[Errand]) -> Iterator[tuple[Errand, int, RunClosed]]:
    """The runs that ended for a reason that takes the commands' own away, with the fact's place in its errand."""
    for errand in worked:
        for place, fact in enumerate(errand.facts):
            if type(fact) is RunClosed and fact.outcome in _ENDS:
                yield errand, place, fact


def commanded_runs(worked: Iterable[Errand]) -> frozenset[tuple[str, str | None]]:
    """The runs, by profile, that gave a command: whether it has left is known only when it has been tried."""
    return frozenset(
        (errand.profile_id, fact.run_id) for errand in worked for fact in errand.facts if type(fact) is MeasureRequested
    )


def held_back(worked: Iterable[Errand], unwritten: set[str]) -> list[Errand]:
    """What breakers hold back is told to the profiles: its deadline does not run meanwhile."""
    errands = []
    for errand in worked:
        if errand.withheld is not None:
            messages = [
                HoldCommand(fact.at, fact.command_id, errand.withheld[fact.command_id])
                for fact in errand.facts
                if isinstance(fact, MeasureRequested)
                and fact.command_id in errand.withheld
                and fact.command_id not in unwritten
            ]
            errands.append(Errand(errand.profile_id, [Arrival(message, None) for message in messages]))
    return errands


def withdraw(
    errand: Errand,
    place: int,
    ended: RunClosed,
    waiting: Sequence[tuple[str, OutgoingEvent]],
    withdrawals: Withdrawals,
) -> None:
    """Adds to ``withdrawals`` what of the run has not left: what is ``waiting``, and what this very batch decided."""
    just_now = [
        fact.command_id
        for fact in errand.facts[:place]
        if isinstance(fact, MeasureRequested) and fact.run_id == ended.run_id and fact.kind != "restore"
    ]
    unsent = Counter([*(command_id for command_id, _ in waiting), *just_now])
    if not unsent:
        return
    withdrawals.event_ids.extend(event.event_id for _, event in waiting)
    # A retry alone is dropped without a word: the command itself has left, and may have taken effect.
    never_left = [each for each, times in unsent.items() if times >= _attempts(errand.profile, each)]
    withdrawals.unwritten.update(just_now)
    if not never_left:
        return
    reversals = [
        fact.command_id
        for fact in errand.facts[place:]
        if isinstance(fact, MeasureRequested)
        and fact.run_id == ended.run_id
        and fact.restores is not None
        and f"{ended.run_id}/{fact.restores}" in never_left
    ]
    withdrawals.unwritten.update(reversals)
    message = WithdrawCommands(ended.at, (*never_left, *reversals), ended.outcome)
    withdrawals.errands.append(Errand(errand.profile_id, [Arrival(message, None)]))


def _attempts(profile: Profile | None, command_id: str) -> int:
    """How often the command was decided to be sent."""
    outstanding = profile.outstanding if profile is not None else None
    sent = outstanding.get(command_id) if outstanding is not None else None
    return sent.command.attempt if sent is not None else 1
