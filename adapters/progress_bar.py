"""A progress bar for long work, on a terminal alone."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Bar(Protocol):
    """Told how much is done, of how much, and a word about what is found."""

    def __call__(self, done: int, total: int, said: str = "") -> None: ...


@contextmanager
def bar(does: str, total: int | None = None) -> Iterator[Bar]:
    """A progress bar with the time left, and a word about what is found, on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda done, total, said="": None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("left:"), TimeRemainingColumn()
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(does, total=total)

        def progress(done: int, total: int, said: str = "") -> None:
            shown.update(task, completed=done, total=total, description=f"{does}: {said}" if said else does)

        yield progress
