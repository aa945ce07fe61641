"""A shelf: numbered issues of one thing, each written once and never changed, of which the last one holds.

What is published lies on one, in ZooKeeper or in a folder. To go back is to publish an old issue again: the history
only grows at its end, and everybody sees the same last number.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Final, Protocol

ISSUES_MAX: Final = 200
"""So many issues are kept; older ones go when another is put."""
BODY_BYTES_MAX: Final = 1_000_000
"""ZooKeeper takes 1 MiB with all that goes around it."""


class Overtaken(Exception):
    """Another issue of the same number was put first; this one was not."""


class Shelf(Protocol):
    """May be used by many processes at once. Raises OSError, or what its technology raises."""

    @property
    def look_seconds(self) -> float:
        """After so long it is worth looking again, told or not."""

    def listen(self, changed: Callable[[], None]) -> None:
        """Calls it, from any thread, where a connection came or went: it may set a flag and nothing more."""

    def current(self, changed: Callable[..., None] | None = None) -> int:
        """The number of the issue that holds; 0 where there is none. ``changed`` is called, as by `listen`, once there
        is another one, as far as the technology can tell."""

    def numbers(self) -> list[int]:
        """The numbers of the issues that are kept, the oldest first."""

    def body(self, number: int) -> bytes | None:
        """An issue; None where it is not kept."""

    def put(self, number: int, body: bytes) -> None:
        """Puts the issue that follows `current`, durable when it returns.

        Raises `Overtaken`, and ValueError for a body of more than `BODY_BYTES_MAX`.
        """


def fits(body: bytes) -> None:
    """Raises ValueError for a body that no shelf takes."""
    if len(body) > BODY_BYTES_MAX:
        raise ValueError(f"{len(body)} bytes when packed, and {BODY_BYTES_MAX} is the most that can be published")


class FolderShelf:
    """A shelf for nodes that run without ZooKeeper: a file for each issue, named by its number.

    A file that is written once under a name that nobody else can take is all that it needs to be durable, versioned and
    safe between processes; and ``ls`` shows the history.
    """

    look_seconds: Final = 1.0

    def __init__(self, folder: Path) -> None:
        self._folder: Final = folder

    def listen(self, changed: Callable[[], None]) -> None:
        """There is no connection that could come or go."""

    def current(self, changed: Callable[..., None] | None = None) -> int:
        """The highest number. Nobody tells of a change."""
        return max(self.numbers(), default=0)

    def numbers(self) -> list[int]:
        """Of the files that are issues."""
        return sorted(int(path.name) for path in self._folder.glob("[0-9]" * 10))

    def body(self, number: int) -> bytes | None:
        """What is in the file."""
        try:
            return self._file(number).read_bytes()
        except FileNotFoundError:
            return None

    def put(self, number: int, body: bytes) -> None:
        """Writes a file under another name, and gives it its own: whole, or not at all."""
        fits(body)
        self._folder.mkdir(parents=True, exist_ok=True)
        if number != self.current() + 1:
            raise Overtaken
        draft = self._folder / f".draft-{token_hex(8)}"
        try:
            with draft.open("wb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            self._file(number).hardlink_to(draft)
        except FileExistsError:
            raise Overtaken from None
        finally:
            draft.unlink(missing_ok=True)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        for old in self.numbers()[:-ISSUES_MAX]:
            with suppress(OSError):
                self._file(old).unlink()

    def _file(self, number: int) -> Path:
        return self._folder / f"{number:010d}"
