"""The judge: what a receiver saw against what the rules demand."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from adapters.policy_files import load_policy
from adapters.replay import Line, Replay

POLICY: Final = Path(__file__).parent / "policy.toml"
REVERSES: Final = {"block": "unblock"}

Effect = tuple[str, str]
"""What a receiver must see of an event: its type, and what tells it from others of the profile."""


@dataclass(slots=True)
class Verdict:
    """``missing``, ``extra`` and ``disordered`` effects; ``withdrawn`` pairs of a restriction and its reversal are
    neither. ``doubles`` are harmless, and counted."""

    effects: int = 0
    doubles: int = 0
    withdrawn: int = 0
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
        said = f"{self.effects} effects: {lost}, {self.withdrawn} withdrawn with their reversal, {self.doubles} doubles"
        return f"{said} {some}" if some else said


def demanded(lines: Sequence[bytes], amounts: bool) -> dict[str, list[Effect]]:
    """What the rules demand of each profile, in order; with ``amounts``, of which debt each command speaks as well."""
    replay = Replay(load_policy(POLICY), confirm=False)
    events = replay.run(Line("script", number, line) for number, line in enumerate(lines, 1))
    return _by_profile((json.loads(event.body) for event in events), amounts)


def seen(file: Path, amounts: bool) -> tuple[dict[str, list[Effect]], int]:
    """What a receiver wrote, doubles dropped, and how many of these there were."""
    first: dict[str, dict[str, Any]] = {}
    count = 0
    for line in file.read_bytes().splitlines():
        event = json.loads(line)
        for each in event if isinstance(event, list) else [event]:
            count += 1
            first.setdefault(each["id"], each)
    return _by_profile(first.values(), amounts), count - len(first)


def judge(demands: dict[str, list[Effect]], file: Path, amounts: bool) -> Verdict:
    """Compares; only profiles that are spoken of in ``demands`` count."""
    found, doubles = seen(file, amounts)
    verdict = Verdict(doubles=doubles)
    for profile_id, wanted in demands.items():
        got = found.get(profile_id, [])
        verdict.effects += len(wanted)
        withdrawn = _withdrawn(wanted, got)
        verdict.withdrawn += len(withdrawn) // 2
        wanted = [effect for effect in wanted if effect not in withdrawn]
        verdict.missing.extend(f"{profile_id} {effect}" for effect in wanted if effect not in got)
        verdict.extra.extend(f"{profile_id} {effect}" for effect in got if effect not in wanted)
        if not verdict.missing and not verdict.extra:
            verdict.disordered.extend(f"{profile_id} {place}" for place in _disorder(wanted, got, amounts))
    return verdict


def _disorder(wanted: list[Effect], got: list[Effect], strictly: bool) -> list[str]:
    """Where the order is another. Not strictly: of each type by itself, for timers of a node that was away fire after
    the messages that waited for it, and so a command may come after what the reference says later."""
    types = ["dms."] if strictly else sorted({type_ for type_, _ in wanted})
    found: list[str] = []
    for type_ in types:
        pairs = zip(
            [e for e in wanted if e[0].startswith(type_)], [e for e in got if e[0].startswith(type_)], strict=True
        )
        found.extend(f"{b} for {a}" for a, b in list(pairs) if a != b)
    return found[:1]


def _withdrawn(wanted: list[Effect], got: list[Effect]) -> set[Effect]:
    """Restrictions that never left, with their reversals: both are missing."""
    pairs: set[Effect] = set()
    for type_, key in wanted:
        run, _, measure = key.partition(" ")[0].rpartition("/")
        reverse = REVERSES.get(measure)
        if type_ == "dms.measure.requested.v1" and reverse is not None and (type_, key) not in got:
            back = next((e for e in wanted if e[0] == type_ and e[1].startswith(f"{run}/{reverse} ")), None)
            if back is None or back not in got:
                pairs.add((type_, key))
                if back is not None:
                    pairs.add(back)
    return pairs


def _by_profile(events: Iterable[dict[str, Any]], amounts: bool) -> dict[str, list[Effect]]:
    effects: dict[str, list[Effect]] = defaultdict(list)
    for event in events:
        subject = event.get("subject")
        if subject is not None:
            effects[subject].append((event["type"], _told(event["type"], event["data"], amounts)))
    return effects


def _told(type_: str, data: dict[str, Any], amounts: bool) -> str:
    if type_ == "dms.measure.requested.v1":
        debt = f" {data['overdue']}" if amounts else ""
        return f"{data['command_id']}{debt} {data['reason']}"
    if type_ == "dms.message.rejected.v1":
        return f"{data['source']}/{data['id']} {data['reason']}"
    return json.dumps(data, sort_keys=True)
