"""What the reference and the production engine say to the same history, and where they differ.

`python -m tests.oracle.compare SEED…` prints the differences of random histories, all of them.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from adapters.policy_files import load_policy
from adapters.replay import Line, Replay
from engine.ports import OutgoingEvent

from .histories import policy_for, random_history, settled
from .instants import Instant, parse_instant
from .reference import play

ACCOUNTS, EVENTS = 6, 160
COMMAND = "dms.measure.requested.v1"
FREE = ("detail",)
"""What the specification leaves to the engine's own words."""

Told = tuple[str, Instant, str, str]
"""Of which profile, when, what (a type), and its data as canonical JSON."""


def replayed(policy: Path, lines: Iterable[str], until: str | None = None, confirm: bool = True) -> list[OutgoingEvent]:
    """What the engine publishes."""
    replay = Replay(load_policy(policy), confirm)
    recorded = (Line("history", number, line.encode()) for number, line in enumerate(lines, start=1))
    # The engine counts microseconds.
    end = None if until is None else int(parse_instant(until) * 10**6)
    return list(replay.run(recorded, end))


def from_engine(policy: Path, lines: Iterable[str], until: str, confirm: bool) -> list[dict[str, Any]]:
    """The same in the reference's form: among others type, subject, time and data."""
    return [json.loads(event.body) for event in replayed(policy, lines, until, confirm)]


def in_short(outgoing: dict[str, Any]) -> Told:
    """All that the specification says of an event."""
    data = {name: value for name, value in outgoing["data"].items() if name not in FREE}
    if "requested_at" in data:
        data["requested_at"] = str(parse_instant(data["requested_at"]))
    said = json.dumps(data, sort_keys=True, ensure_ascii=False)
    return outgoing.get("subject", ""), parse_instant(outgoing["time"]), outgoing["type"], said


def differences(theirs: list[dict[str, Any]], ours: list[dict[str, Any]]) -> list[str]:
    """In lines, in order of time: what only the reference says, what only the engine says, or says in another order.

    Of one profile and instant only commands have an order.
    """
    expected, found = [in_short(each) for each in theirs], [in_short(each) for each in ours]
    missing, surplus = Counter(expected) - Counter(found), Counter(found) - Counter(expected)
    only = [(told, "the reference") for told in missing.elements()] + [
        (told, "the engine") for told in surplus.elements()
    ]
    if only:
        at = {in_short(each): each["time"] for each in [*ours, *theirs]}
        only.sort(key=lambda each: (each[0][1], each[0]))
        return [f"{told[0]} {at[told]} only {who}: {told[2]} {told[3]}" for told, who in only]
    return [
        f"{a[0]} {float(a[1])} another order of commands: the reference {a[3]}, the engine {b[3]}"
        for a, b in zip(_commands(expected), _commands(found), strict=True)
        if a != b
    ]


def _commands(all_: list[Told]) -> list[Told]:
    """Those of one profile in the order in which they leave; the profiles one after the other."""
    return sorted((each for each in all_ if each[2] == COMMAND), key=lambda each: each[:2])


def differences_of(seed: int) -> Iterator[tuple[bool, list[str]]]:
    """Those of a random history, with commands confirmed at once and without."""
    policy, lines = policy_for(seed), random_history(seed, ACCOUNTS, EVENTS)
    until = settled(lines)
    for confirm in (True, False):
        theirs = play(policy, lines, until, confirm)
        yield confirm, differences(theirs, from_engine(policy, lines, until, confirm))


def report(seed: int, confirm: bool, found: list[str], limit: int = 8) -> str:
    """The seed, its policy, the first differences, and how to see them again."""
    more = [f"... and {len(found) - limit} more"] if len(found) > limit else []
    how = "confirmed at once" if confirm else "not confirmed"
    head = f"seed {seed}, policy {policy_for(seed).name}, commands {how}: {len(found)} differences; "
    head += f"again: python -m tests.oracle.compare {seed}"
    return "\n".join([head, *found[:limit], *more])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.oracle.compare", description=__doc__)
    parser.add_argument("seeds", nargs="+", type=int, metavar="SEED")
    options = parser.parse_args()
    for seed in options.seeds:
        for confirm, found in differences_of(seed):
            print(report(seed, confirm, found, limit=100))


if __name__ == "__main__":
    main()
