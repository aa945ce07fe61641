"""The judge: what a receiver saw against what the rules demand.

The reference is a replay of the same script on a virtual clock, with neither broker nor database. The store is asked
for two things only, for they excuse a command and its reversal that are both missing: which commands it says it has
withdrawn at their last look, and which it never decided, because the messages that ended their run had waited for a
node with those that began it: they take effect first, and timers fire after them.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from adapters.policy_files import load_policy
from adapters.replay import Line, Replay
from tests.chaos.seen import Seen

POLICY: Final = Path(__file__).parent / "policy.toml"
REVERSES: Final = {"block": "unblock"}
_COMMAND: Final = "dms.measure.requested.v1"

Effect = tuple[str, str]
"""What a receiver must see of an event: its type, and what tells it from others of the profile."""


@dataclass(slots=True)
class Verdict:
    """``missing``, ``extra`` and ``disordered`` effects. Commands that were ``withdrawn`` or came too ``late`` to be
    decided are neither, nor are their reversals. ``doubles`` are harmless, and counted."""

    effects: int = 0
    doubles: int = 0
    withdrawn: int = 0
    late: int = 0
    missing: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
    disordered: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """No effect lost, none doubled, none out of order."""
        return not (self.missing or self.extra or self.disordered)

    def __str__(self) -> str:
        lost = f"{len(self.missing)} lost, {len(self.extra)} extra, {len(self.disordered)} out of order"
        some = [*self.missing[:3], *self.extra[:3], *self.disordered[:3]]
        excused = f"{self.withdrawn} withdrawn and {self.late} late with their reversal"
        said = f"{self.effects} effects: {lost}, {excused}, {self.doubles} doubles"
        return f"{said} {some}" if some else said


@dataclass(frozen=True, slots=True)
class Journal:
    """What a store says of commands, by their ids: which it decided, and which of these it withdrew."""

    decided: frozenset[str]
    withdrawn: frozenset[str]


def demanded(lines: Sequence[bytes], amounts: bool = False) -> dict[str, list[Effect]]:
    """What the rules demand of each profile, in order; with ``amounts``, of which debt each command speaks as well."""
    replay = Replay(load_policy(POLICY), confirm=False)
    events = replay.run(Line("script", number, line) for number, line in enumerate(lines, 1))
    return _by_profile((json.loads(event.body) for event in events), amounts)


def judge(demands: Mapping[str, list[Effect]], seen: Seen, journal: Journal, amounts: bool = False) -> Verdict:
    """Compares; only profiles that are spoken of in ``demands`` count."""
    found = _by_profile(seen.events, amounts)
    verdict = Verdict(doubles=seen.doubles)
    for profile_id, wanted in demands.items():
        got = found.get(profile_id, [])
        verdict.effects += len(wanted)
        withdrawn = {effect for effect in wanted if effect[0] == _COMMAND and _command_id(effect) in journal.withdrawn}
        late = {effect for effect in wanted if effect[0] == _COMMAND and _command_id(effect) not in journal.decided}
        verdict.withdrawn += sum(1 for effect in withdrawn if _reversal(effect) is not None)
        verdict.late += sum(1 for effect in late if _reversal(effect) is not None)
        excused = withdrawn | late
        due = [effect for effect in wanted if effect not in excused]
        has_all, has_only = set(got), set(due)
        verdict.missing.extend(f"{profile_id} {effect}" for effect in due if effect not in has_all)
        verdict.extra.extend(f"{profile_id} {effect}" for effect in got if effect not in has_only)
        verdict.extra.extend(f"{profile_id} {half}" for half in _halves(wanted, excused))
        if not verdict.missing and not verdict.extra:
            verdict.disordered.extend(f"{profile_id} {place}" for place in _disorder(due, got, amounts))
    return verdict


def _command_id(effect: Effect) -> str:
    return effect[1].partition(" ")[0]


def _reversal(effect: Effect) -> str | None:
    """The id of the command that takes this one back; None where nothing does."""
    run, _, measure = _command_id(effect).rpartition("/")
    reverse = REVERSES.get(measure)
    return None if reverse is None else f"{run}/{reverse}"


def _halves(wanted: Sequence[Effect], excused: Collection[Effect]) -> list[str]:
    """Reversals that left although what they reverse never did, or that did not although it left."""
    if not excused:
        return []
    commands = {_command_id(effect): effect in excused for effect in wanted if effect[0] == _COMMAND}
    pairs = [(_command_id(each), _reversal(each)) for each in wanted if each[0] == _COMMAND]
    return [
        f"of {command_id} and its reversal one alone"
        for command_id, reversal in pairs
        if reversal is not None and reversal in commands and commands[command_id] != commands[reversal]
    ]


def _disorder(wanted: list[Effect], got: list[Effect], strictly: bool) -> list[str]:
    """Where the order is another. Not strictly: of each type by itself, for timers of a node that was away fire after
    the messages that waited for it, and so a command may come after what the reference says later."""
    types = ["dms."] if strictly else sorted({type_ for type_, _ in wanted})
    found: list[str] = []
    for type_ in types:
        pairs = zip(
            [e for e in wanted if e[0].startswith(type_)], [e for e in got if e[0].startswith(type_)], strict=True
        )
        found.extend(f"{b} for {a}" for a, b in pairs if a != b)
    return found[:1]


def _by_profile(events: Iterable[Mapping[str, Any]], amounts: bool) -> dict[str, list[Effect]]:
    effects: dict[str, list[Effect]] = defaultdict(list)
    for event in events:
        subject = event.get("subject")
        if subject is not None:
            effects[subject].append((event["type"], _told(event["type"], event["data"], amounts)))
    return effects


def _told(type_: str, data: Mapping[str, Any], amounts: bool) -> str:
    if type_ == _COMMAND:
        debt = f" {data['overdue']}" if amounts else ""
        return f"{data['command_id']}{debt} {data['reason']}"
    if type_ == "dms.message.rejected.v1":
        return f"{data['source']}/{data['id']} {data['reason']}"
    return json.dumps(data, sort_keys=True)
