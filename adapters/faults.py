"""What is wrong with a policy file, and where: faults as values, and the exception that carries all of them."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from adapters.toml_lines import Path, line_at

FAULTS_MAX: Final = 1_000
_GUESSED_MAX: Final = 100
_SHOWN_MAX: Final = 60


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing to put right. ``line`` counts from 1; what concerns a whole file stands at line 1."""

    file: str
    line: int
    message: str
    hint: str = ""

    def __str__(self) -> str:
        said = f"{self.file}:{self.line}: {self.message}"
        return f"{said} ({self.hint})" if self.hint else said


class PolicyError(Exception):
    """A policy that cannot be used: every fault found in its files, in order of file and line."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults: Final[list[Fault]] = sorted(set(faults), key=lambda fault: (fault.file, fault.line, fault.message))
        super().__init__("\n".join(str(fault) for fault in self.faults))

    def __reduce__(self) -> tuple[type["PolicyError"], tuple[list[Fault]]]:
        return PolicyError, (self.faults,)


class Faults:
    """Collects faults. A file of a million mistakes is answered with the first `FAULTS_MAX`."""

    def __init__(self) -> None:
        self.found: Final[list[Fault]] = []

    def add(self, place: "Place", message: str, hint: str = "") -> None:
        """Notes that what stands at ``place`` is wrong."""
        if len(self.found) < FAULTS_MAX:
            self.found.append(Fault(place.file, place.line, _printable(message), _printable(hint)))

    def guess(self, word: str, known: Iterable[str]) -> str:
        """A hint that names the nearest of ``known``, or all of them where they are few."""
        names = sorted(set(known))
        # The comparison is quadratic in the length of the words, and a broken file has many of them.
        if len(self.found) < _GUESSED_MAX and len(word) <= _SHOWN_MAX:
            near = difflib.get_close_matches(word, names, n=1)
            if near:
                return f"did you mean {near[0]}?"
        return one_of(names) if 0 < len(names) <= 8 else ""

    def refuse(self) -> None:
        """Raises `PolicyError` if anything was found."""
        if self.found:
            raise PolicyError(self.found)


@dataclass(frozen=True, slots=True)
class Place:
    """A key, table or array element of a file."""

    file: str
    lines: Mapping[Path, int]
    path: Path = ()

    @property
    def line(self) -> int:
        return line_at(self.lines, self.path)

    def at(self, *keys: str | int) -> "Place":
        """The place of ``keys`` within this one."""
        return Place(self.file, self.lines, (*self.path, *keys))


def one_of(words: Sequence[str]) -> str:
    """The words as a choice: ``one of a, b, c``."""
    return f"one of {', '.join(words)}"


def shown(value: object) -> str:
    """A value as a fault quotes it: on one line, without control characters, not longer than a glance."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and abs(value) > 1 << 64:
        return "an integer beyond 64 bits"  # and beyond what Python would print
    if isinstance(value, (dict, list)):
        return "a table" if isinstance(value, dict) else "an array"
    text = f'"{value[:_SHOWN_MAX]}"' if isinstance(value, str) else str(value)
    text = _printable(text)
    return text if len(text) <= _SHOWN_MAX else text[: _SHOWN_MAX - 1] + "…"


def _printable(text: str) -> str:
    """The text with control characters escaped: it goes to terminals and to logs of one line an entry."""
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
