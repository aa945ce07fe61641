"""After a restore from a backup: what had left, set against what the store, as it is now, knows and would send.

The store is behind the world. Commands that left after the backup may be decided again out of the events that are sent
again, under their own ids, which receivers drop; or never again, since an event is missing or time has gone on.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from msgspec import DecodeError, Raw, Struct, ValidationError
from msgspec.json import Decoder
from msgspec.json import encode as to_json

from adapters.cloud_events import TYPE_OF, decode
from adapters.json_lines import InputError, read_lines
from domain.commands import is_sent
from domain.events import MeasureRequested
from domain.policy import Policy
from domain.profile import Profile, Restriction
from engine.envelope import Unreadable
from sim.rehearsal import Rehearsed

_COMMAND: Final = TYPE_OF[MeasureRequested]


class _Said(Struct):
    command_id: str
    measure: str
    kind: str
    target: str
    plan: str | None = None


class _Event(Struct):
    type: str
    subject: str | None = None
    time: str | None = None
    data: Raw = Raw(b"null")


_events: Final = Decoder(_Event | list[_Event]).decode
_said: Final = Decoder(_Said).decode


class Left(NamedTuple):
    """A command that has left, or would."""

    command_id: str
    subject: str
    time: str
    measure: str
    kind: str
    target: str
    plan: str | None

    def line(self) -> bytes:
        """As a JSON line."""
        return to_json(self._asdict())


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Commands by what becomes of them, each once.

    ``known`` is how many of those that had left the store has as sent. ``again``: had left, and leave again under
    their ids; ``later``: within a day, when their hour comes. ``forgotten``: had left, and nobody knows of them any
    more; ``standing`` are those of them that took a service away which nothing will give back. ``new`` leave, and had
    not. ``waiting`` are subjects whose events wait for their account, ``quarantined`` those that stand still.
    """

    known: int
    again: Sequence[Left]
    later: Sequence[Left]
    forgotten: Sequence[Left]
    standing: Sequence[Left]
    new: Sequence[Left]
    waiting: Sequence[str]
    quarantined: Sequence[str]


def left_since(files: Iterable[str]) -> Iterator[Left]:
    """The commands in what receivers have kept: outgoing events, one or a batch a line. Raises `InputError`."""
    for file in files:
        for number, line in read_lines(file):
            try:
                yield from _commands_in(line)
            except (ValidationError, DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise InputError(file, number, f"is no outgoing event: {' '.join(str(error).split())[:200]}") from None


def resent(files: Iterable[str]) -> Iterator[bytes]:
    """The bodies that publishers have sent again, and that wait in the queues. Raises `InputError`."""
    for file in files:
        for number, line in read_lines(file):
            for event in decode(line):
                if isinstance(event, Unreadable):
                    raise InputError(file, number, f"is no event: {event.reason}")
            yield line


def reconciled(left: Iterable[Left], rehearsed: Rehearsed, policy: Policy) -> Reconciled:
    """Sets what had left, in its order, against what would leave now."""
    had_left: dict[str, Left] = {}
    in_force: dict[tuple[str, str, str], Left] = {}
    for each in left:
        had_left.setdefault(each.command_id, each)
        _follow(each, policy, in_force)
    leaving = {each.command_id: each for event in rehearsed.left for each in _commands_in(event.body)}
    in_a_day = {each.command_id for event in rehearsed.later for each in _commands_in(event.body)}
    known = 0
    again: list[Left] = []
    later: list[Left] = []
    forgotten: list[Left] = []
    for command_id, each in had_left.items():
        if command_id in leaving:
            again.append(each)
            continue
        if command_id in in_a_day:
            later.append(each)
            continue
        profile = rehearsed.profile(each.subject)
        if profile is not None and is_sent(profile, command_id):
            known += 1
        else:
            forgotten.append(each)
    lost = {each.command_id for each in forgotten}
    standing = [
        each
        for each in in_force.values()
        if each.command_id in lost and not _is_given_back(each, rehearsed.profile(each.subject))
    ]
    new = [each for command_id, each in leaving.items() if command_id not in had_left]
    return Reconciled(
        known, again, later, forgotten, standing, new, sorted(rehearsed.waiting), sorted(rehearsed.quarantined)
    )


def told(found: Reconciled) -> Iterator[str]:
    """The figures, a line each."""
    had_left = found.known + len(found.again) + len(found.later) + len(found.forgotten)
    counted: Mapping[str, int] = {
        "commands had left": had_left,
        "  the store has them as sent": found.known,
        "  leave again under their own ids, which receivers drop": len(found.again),
        "  do so within a day, when their hour comes": len(found.later),
        "  are forgotten: no event that is here brings them about": len(found.forgotten),
        "    of these took a service away that nothing will give back": len(found.standing),
        "commands leave that had not": len(found.new),
        "profiles have events that wait for their account": len(found.waiting),
        "profiles are in quarantine": len(found.quarantined),
    }
    width = max(len(f"{count:,}") for count in counted.values())
    for said, count in counted.items():
        yield f"{count:>{width},}  {said}"


def _commands_in(body: bytes) -> Iterator[Left]:
    decoded = _events(body)
    for event in decoded if isinstance(decoded, list) else [decoded]:
        if event.type == _COMMAND:
            said = _said(event.data)
            yield Left(
                said.command_id, event.subject or "", event.time or "", said.measure, said.kind, said.target, said.plan
            )


def _follow(each: Left, policy: Policy, in_force: dict[tuple[str, str, str], Left]) -> None:
    """Which services are away at the receivers, by what gives them back."""
    if each.kind == "restrict":
        reverse = _reverse_of(each, policy)
        if reverse is not None:
            in_force[each.subject, each.target, reverse] = each
    elif each.kind == "restore":
        in_force.pop((each.subject, each.target, each.measure), None)


def _reverse_of(each: Left, policy: Policy) -> str | None:
    found = policy.measure(each.measure, each.plan)
    return found[0].measures[found[1]].reverse if found is not None else None


def _is_given_back(each: Left, profile: Profile | None) -> bool:
    """Whether the profile will give this service back, with its run or when a person lifts it."""
    if profile is None:
        return False
    restrictions: list[Restriction] = [*(profile.loose or ())]
    if profile.run is not None:
        restrictions.extend(profile.run.restrictions or ())
    return any(
        one.measure == each.measure and one.target == each.target and one.is_in_force and one.reverse is not None
        for one in restrictions
    )
