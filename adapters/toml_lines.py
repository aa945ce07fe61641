"""Where in a TOML text each key stands: the standard parser tells values, not lines.

One pass over the tokens, in linear time and constant stack, which neither raises on a text that is no TOML (the parser
says that better) nor descends deeper than `DEPTH_MAX`. Run it first: the standard parser recurses on nested values and
is quadratic in the parts of a dotted key.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

Path = tuple[str | int, ...]

DEPTH_MAX: Final = 16

_BLANK: Final = re.compile(r"[ \t\r]+|#[^\n]*")
_BARE: Final = re.compile(r"[^\s\[\]{},=.#\"']+")
_BASIC: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_LITERAL: Final = re.compile(r"'[^'\n]*'")
_LONG_BASIC: Final = re.compile(r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}', re.DOTALL)
_LONG_LITERAL: Final = re.compile(r"'''(?:[^']|'(?!''))*'{3,5}")


class TooDeep(Exception):
    """Tables, arrays or dotted keys nested deeper than `DEPTH_MAX`."""

    def __init__(self, line: int) -> None:
        super().__init__(f"nested deeper than {DEPTH_MAX} levels")
        self.line: Final = line


class _Token(NamedTuple):
    kind: str  # "word", "text", "newline", or the punctuation itself
    text: str
    line: int


@dataclass(slots=True)
class _Open:
    """A table or array whose end has not been seen. In a table, ``key`` gathers the parts before the ``=``."""

    closes: str
    path: Path
    index: int = 0
    key: list[str] | None = None


def lines_of(text: str) -> Mapping[Path, int]:
    """The line, from 1, of every key, table and array element that begins on another line than what contains it.

    Elements of arrays (also arrays of tables) appear with their index. Where the text is broken the answer is partial.
    Raises `TooDeep`.
    """
    scan = _Scan()
    for token in _tokens(text):
        scan.take(token)
    return scan.lines


def line_at(lines: Mapping[Path, int], path: Path) -> int:
    """The line of ``path``, or of the nearest thing around it that has one."""
    for length in range(len(path), 0, -1):
        line = lines.get(path[:length])
        if line is not None:
            return line
    return 1


@dataclass(slots=True)
class _Scan:
    """Follows the tokens: a statement is a header in brackets, or a key, ``=`` and a value that may nest."""

    lines: dict[Path, int] = field(default_factory=dict)
    table: Path = ()
    counts: dict[Path, int] = field(default_factory=dict)
    nested: list[_Open] = field(default_factory=list)
    key: list[str] = field(default_factory=list)
    state: str = "key"  # of the statement: "key", "header", "value"
    brackets: int = 0
    dots: int = 0  # of the key being read

    def take(self, token: _Token) -> None:
        self.dots = self.dots + 1 if token.kind == "." else 0 if token.kind in "=,newline" else self.dots
        if self.dots > DEPTH_MAX:
            raise TooDeep(token.line)
        if self.state == "value":
            self._value(token)
        elif self.state == "header":
            self._header(token)
        elif token.kind == "[" and not self.key:
            self.state, self.brackets = "header", 1
        elif token.kind == "=":
            path = self._note(self.table, self.key, token.line)
            self.nested, self.state = [_Open(closes="", path=path)], "value"
        elif token.kind in ("word", "text"):
            self.key.append(token.text)
        elif token.kind == "newline":
            self.key = []

    def _header(self, token: _Token) -> None:
        if token.kind == "[":
            self.brackets += 1
        elif token.kind in ("word", "text"):
            self.key.append(token.text)
        elif token.kind in ("]", "newline"):
            if self.key:
                self._enter(token.line)
            # What follows a header on its line is skipped like a value: the second bracket, a comment.
            self.nested = [_Open(closes="", path=self.table)]
            self.key, self.state = [], "value" if token.kind == "]" else "key"

    def _enter(self, line: int) -> None:
        path: Path = ()
        for part in self.key[:-1]:
            path = _bounded((*path, part), line)
            self.lines.setdefault(path, line)
            if path in self.counts:
                path = (*path, self.counts[path] - 1)
        path = (*path, self.key[-1])
        self.lines.setdefault(path, line)
        if self.brackets > 1:
            index = self.counts.get(path, 0)
            self.counts[path] = index + 1
            path = (*path, index)
        self.lines[path] = line
        self.table = _bounded(path, line)

    def _value(self, token: _Token) -> None:
        inner = self.nested[-1]
        if token.kind == "newline":
            if len(self.nested) == 1:
                self.key, self.nested, self.state = [], [], "key"
            return
        if inner.key is not None:
            self._table_key(inner, token)
            return
        if token.kind in ("[", "{"):
            self._mark(inner, token.line)
            path = (*inner.path, inner.index) if inner.closes == "]" else inner.path
            bounded = _bounded(path, token.line)
            self.nested.append(_Open("]", bounded) if token.kind == "[" else _Open("}", bounded, key=[]))
        elif token.kind == ",":
            if inner.closes == "]":
                inner.index += 1
            elif len(self.nested) > 2:
                self._after_entry()
        elif token.kind in ("]", "}"):
            self._close(token.kind)
        else:
            self._mark(inner, token.line)

    def _table_key(self, inner: _Open, token: _Token) -> None:
        assert inner.key is not None
        if token.kind == "=":
            path = self._note(inner.path, inner.key, token.line)
            inner.key = []
            self.nested.append(_Open(closes="", path=path))
        elif token.kind in ("word", "text"):
            inner.key.append(token.text)
        elif token.kind in ("]", "}"):
            self._close(token.kind)

    def _after_entry(self) -> None:
        """Leaves the value of a table's entry, so that the table waits for its next key."""
        if self.nested[-1].closes == "":
            self.nested.pop()

    def _close(self, kind: str) -> None:
        if len(self.nested) > 2 and self.nested[-1].closes == "":
            self.nested.pop()
        if len(self.nested) > 1 and self.nested[-1].closes == kind:
            self.nested.pop()

    def _mark(self, inner: _Open, line: int) -> None:
        if inner.closes == "]":
            path = (*inner.path, inner.index)
            if path not in self.lines and line_at(self.lines, inner.path) != line:
                self.lines[path] = line

    def _note(self, table: Path, key: list[str], line: int) -> Path:
        path = table
        for part in key:
            path = _bounded((*path, part), line)
            if line_at(self.lines, path) != line:
                self.lines.setdefault(path, line)
        return path


def _bounded(path: Path, line: int) -> Path:
    if len(path) > DEPTH_MAX:
        raise TooDeep(line)
    return path


def _tokens(text: str) -> Iterator[_Token]:
    position, line = 0, 1
    while position < len(text):
        first = text[position]
        if first == "\n":
            yield _Token("newline", "", line)
            position, line = position + 1, line + 1
        elif first in "\"'":
            found = _string(text, position)
            if found is None:
                return
            yield _Token("text", _unquoted(found), line)
            position, line = position + len(found), line + found.count("\n")
        elif first in "[]{},=.":
            yield _Token(first, first, line)
            position += 1
        else:
            blank = _BLANK.match(text, position)
            word = None if blank else _BARE.match(text, position)
            if word:
                yield _Token("word", word.group(), line)
            found_at = blank or word
            position = found_at.end() if found_at else position + 1


def _string(text: str, position: int) -> str | None:
    """The string that begins here, quotes included; None where it never ends."""
    quote = text[position]
    if text.startswith(quote * 3, position):
        match = (_LONG_BASIC if quote == '"' else _LONG_LITERAL).match(text, position)
    else:
        match = (_BASIC if quote == '"' else _LITERAL).match(text, position)
    return match.group() if match else None


def _unquoted(string: str) -> str:
    """The content as it is written: escapes in keys are rare, and cost no more than a less exact line."""
    width = 3 if len(string) >= 6 and string.startswith(string[0] * 3) else 1
    return string[width:-width]
