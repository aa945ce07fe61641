"""`dms replay`: recorded events in, what the engine would have sent out."""

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from adapters.cli import FINE, STANDARD, WrongUse, file_named, out_named

if TYPE_CHECKING:
    from rich.progress import Progress

    from adapters.replay import Line, Replay
    from adapters.replay_crew import ReplayCrew
    from domain.policy import Policy
    from engine.tally import Tally

WORKERS_MAX: Final = 64
_WORKERS_USEFUL: Final = 8
"""With more of them, they wait for whoever reads the lines."""
_WORTH_PROCESSES: Final = 100_000
"""Lines: with fewer the processes' start costs more time than they save."""


def replay(
    *inputs: Annotated[str, Parameter(name="INPUT", help="Recorded events, JSON lines; - or none: standard input.")],
    policy: Annotated[Path, Parameter(help="The policy: a file or a folder.")],
    until: Annotated[str | None, Parameter(help="Plays up to this instant; without it, to the last event's.")] = None,
    out: Annotated[str | None, Parameter(help="Where the outgoing events go instead of standard output.")] = None,
    confirm: Annotated[
        bool,
        Parameter(negative="--no-confirm", show_default=False, help="Whether commands count as confirmed at once."),
    ] = True,
    workers: Annotated[
        int | None, Parameter(help="Processes; without it, one for each core if much is played.")
    ] = None,
) -> int:
    """Run recorded events on a virtual clock, and write every outgoing event as a JSON line in order of time.

    Each event arrives at its time, timers fire between them. The same input gives the same bytes, on however many
    processes. Attributes that were ignored and rules that failed are counted on standard error.

    For example:

        dms replay --policy policies/telecom --until 2026-03-01T00:00:00Z --out commands.jsonl events.jsonl
    """
    from adapters.json_lines import line_writer
    from adapters.policy_files import load_policy

    if workers is not None and not 1 <= workers <= WORKERS_MAX:
        raise WrongUse(f"--workers must be between 1 and {WORKERS_MAX}, not {workers}")
    limit = _instant(until)
    target = out_named(out)
    files = [file_named(name) for name in inputs] or [STANDARD]
    loaded = load_policy(policy)
    with line_writer(target) as writer, _bar(files) as bar:
        lines = _lines(files, bar)
        if workers is None:
            is_long, lines = _looked_ahead(lines)
            workers = min(len(os.sched_getaffinity(0)), _WORKERS_USEFUL) if is_long else 1
        played = _replay(loaded, confirm, workers)
        # Closed here and now: a reader of ours that had enough must not leave threads and processes to chance.
        with closing(played.bodies(lines, limit)) as bodies:
            for body in bodies:
                writer.write(body)
    _count_what_came_to_nothing(played.tally)
    return FINE


def _looked_ahead(lines: "Iterator[Line]") -> "tuple[bool, Iterator[Line]]":
    """Whether so many lines come that processes are worth while; and all lines, with what is wrong at its place."""
    from adapters.json_lines import InputError

    head: list[Line] = []
    try:
        head.extend(islice(lines, _WORTH_PROCESSES))
    except InputError as wrong:
        return False, chain(head, _wrong(wrong))
    return len(head) == _WORTH_PROCESSES, chain(head, lines)


def _wrong(error: Exception) -> "Iterator[Line]":
    yield from ()
    raise error


def _replay(policy: "Policy", confirm: bool, workers: int) -> "Replay | ReplayCrew":
    if workers == 1:
        from adapters.replay import Replay

        return Replay(policy, confirm)
    from adapters.replay_crew import ReplayCrew

    return ReplayCrew(policy, confirm, workers)


def _count_what_came_to_nothing(tally: "Tally") -> None:
    from domain.events import AttributeIgnored, ConditionReported

    for count, said in (
        (tally.facts[AttributeIgnored], "attributes ignored that the policy does not declare"),
        (tally.facts[ConditionReported], "rules that failed and counted as false"),
    ):
        if count:
            print(f"{said}: {count}", file=sys.stderr)


def _instant(until: str | None) -> int | None:
    from adapters.cloud_events import parse_instant

    try:
        return None if until is None else parse_instant(until)
    except ValueError as error:
        raise WrongUse(f"--until: {error}") from None


def _lines(files: list[str], bar: "Progress | None") -> "Iterator[Line]":
    from adapters.json_lines import read_lines
    from adapters.replay import Line

    task = bar.add_task("replaying", total=_size(files)) if bar is not None else None
    done = 0
    for file in files:
        for number, body in read_lines(file):
            if bar is not None and task is not None:
                done += len(body) + 1
                if number % 1_000 == 0:
                    bar.update(task, completed=done)
            yield Line(file, number, body)


def _bar(files: list[str]) -> "AbstractContextManager[Progress | None]":
    """A progress bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        return nullcontext()
    if STANDARD in files and sys.stdin.isatty():
        print("reading events from the standard input (Ctrl-D ends them)", file=sys.stderr)
    from rich.console import Console
    from rich.progress import Progress

    return Progress(console=Console(stderr=True), transient=True)


def _size(files: list[str]) -> int | None:
    """The bytes to come; None where that cannot be known beforehand."""
    if any(file == STANDARD or file.endswith(".gz") for file in files):
        return None
    return sum(Path(file).stat().st_size for file in files if Path(file).is_file())
