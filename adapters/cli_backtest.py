"""`dms backtest`: the same recorded history under two policies; which commands appear, vanish, move."""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from adapters.cli import FINE, STANDARD, WrongUse, file_named, out_named

if TYPE_CHECKING:
    from sim.backtest import Course

DAYS_MAX = 365


def backtest(
    *inputs: Annotated[str, Parameter(name="INPUT", help="Recorded events, JSON lines.")],
    policy: Annotated[Path, Parameter(help="The policy that the other is compared with: a file or a folder.")],
    vs: Annotated[Path, Parameter(help="The other policy.")],
    store: Annotated[str | None, Parameter(help="The history out of a store's journal instead: its URL.")] = None,
    until: Annotated[str | None, Parameter(help="Plays up to this instant; without it, to the last event's.")] = None,
    moved_within: Annotated[int, Parameter(help="Days between one command and the same one moved.")] = 15,
    out: Annotated[str | None, Parameter(help="A file for every command that changes, as JSON lines.")] = None,
) -> int:
    """Replay one history under two policies: which commands appear, vanish and move, per segment and measure.

    Debtors do in both what they did then: who would have paid earlier for an earlier warning is for `dms simulate` to
    say. Commands count as confirmed at once; recorded confirmations and failures, which answered the commands of
    another day, are left out.

    For example:

        dms backtest --policy policies/telecom --vs policies/soft --out changes.jsonl events.jsonl
    """
    from adapters.backtest_words import changed, told
    from adapters.cloud_events import parse_instant
    from adapters.json_lines import line_writer
    from domain.calendar import DAY
    from sim.backtest import counted, differences

    if bool(inputs) == (store is not None):
        raise WrongUse("a history is needed: recorded files, or --store with a store's URL; one of them")
    if STANDARD in map(file_named, inputs):
        raise WrongUse("the history is read twice, which standard input cannot be: give a file")
    if not 0 <= moved_within <= DAYS_MAX:
        raise WrongUse(f"--moved-within must be between 0 and {DAYS_MAX} days, not {moved_within}")
    try:
        limit = None if until is None else parse_instant(until)
    except ValueError as error:
        raise WrongUse(f"--until: {error}") from None
    target = out_named(out)
    source = store if store is not None else inputs
    before, after = _courses((policy, vs), source, limit)
    found = list(differences(before, after, moved_within * DAY))
    if target is not None:
        with line_writer(target) as writer:
            for line in changed(found):
                writer.write(line)
    for said in told(counted(found), (before, after), found):
        print(said)
    return FINE


def _courses(paths: tuple[Path, Path], source: str | tuple[str, ...], until: int | None) -> "tuple[Course, Course]":
    """Both policies at the same time, the second one in a process of its own."""
    from adapters.policy_files import load_policy
    from sim.interrupts import unheard

    policies = [load_policy(path) for path in paths]
    if policies[0].currency != policies[1].currency:
        raise WrongUse(f"{paths[0]} is in {policies[0].currency}, {paths[1]} in {policies[1].currency}")
    with ProcessPoolExecutor(1, get_context("spawn")) as beside, _heard(source) as heard:
        with unheard():
            other = beside.submit(play, paths[1], source, until)
        return play(paths[0], source, until, heard), other.result()


def play(
    path: Path, source: str | tuple[str, ...], until: int | None, heard: Callable[[int], None] | None = None
) -> "Course":
    """What the policy at ``path`` does with a history: files, or a store's URL."""
    from adapters.backtest import LeftOut, course_of, from_files, from_store
    from adapters.policy_files import load_policy

    left_out = LeftOut()
    if isinstance(source, str):
        history = from_store(source, left_out, heard)
    else:
        history = from_files(source, left_out, heard)
    course = course_of(load_policy(path), history, until)
    course.answers, course.beheaded = left_out.answers, len(left_out.profiles)
    return course


@contextmanager
def _heard(source: str | tuple[str, ...]) -> Iterator[Callable[[int], None] | None]:
    """A progress bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    sizes = [] if isinstance(source, str) else [Path(file).stat().st_size for file in source if Path(file).is_file()]
    known = bool(sizes) and not any(file.endswith(".gz") for file in source)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("replaying under both", total=sum(sizes) if known else None)
        yield lambda done: bar.update(task, completed=done)
