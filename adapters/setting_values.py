"""How one setting's value is read: a reader takes what a file or a variable holds, and gives what the node works with.

A value out of the environment or the command line is `Text`, since everything is text there; a file has its own types.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from adapters.faults import Faults, one_of, shown
from adapters.part_urls import Secret, UrlFault, read_amqp, read_postgresql, read_zookeeper
from domain.calendar import DAY, HOUR, MINUTE, SECOND

PUBLISHED: Final = {"zookeeper:": "zookeeper", "local:": "local"}
"""Policies that were published by command, and the kind of coordination in which they are."""

_TEXT_MAX: Final = 1_000
_SECRET_MAX: Final = 1_000
_LATER: Final = frozenset({"kafka"})
_UNITS: Final = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
_DURATION: Final = re.compile(r"([0-9]{1,6})([smhd])", re.ASCII)
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]{0,30}", re.ASCII)
_ADDRESS: Final = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._-]{1,253}):([0-9]{1,5})", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)


class Wrong(Exception):
    """A value that its setting does not take: what it must be, and a hint."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message} ({hint})" if hint else message)


class Text(str):
    """A value out of the environment or the command line."""

    __slots__ = ()


def text(value: object) -> str:
    """One line of something: a plain text, for not everything takes what is merely like one."""
    if not isinstance(value, str):
        raise Wrong(f"must be a string, not {shown(value)}", "in quotes")
    if not value.strip() or len(value) > _TEXT_MAX or not value.isprintable():
        raise Wrong(f"must have between 1 and {_TEXT_MAX} printable characters")
    return str(value)


def path(value: object) -> Path:
    """A file or a folder."""
    return Path(text(value))


def policy(value: object) -> Path:
    """A file or a folder, or one of `PUBLISHED`."""
    said = text(value)
    scheme, colon, _ = said.partition(":")
    if colon and said not in PUBLISHED and f"{scheme}:" in PUBLISHED:
        raise Wrong(f"takes nothing after {scheme}:", f'write "{scheme}:"; coordination says where')
    return Path(said)


def name(value: object) -> str:
    """A node's name."""
    said = text(value)
    if not _NAME.fullmatch(said):
        raise Wrong(f"must be up to 100 letters, digits and ._- of ASCII, not {shown(said)}", 'such as "node-1"')
    return said


def password(value: object) -> Secret:
    """A password as it is; what is wrong with it is not told by quoting it."""
    if not isinstance(value, str) or not 0 < len(value) <= _SECRET_MAX or not value.isprintable():
        raise Wrong(f"must have between 1 and {_SECRET_MAX} printable characters")
    return Secret(value)


def password_file(value: object) -> Secret:
    """The password in a file, which may end in a line break."""
    file = path(value)
    try:
        with file.open("rb") as opened:
            content = opened.read(4 * _SECRET_MAX + 2)
    except OSError as error:
        raise Wrong(f"cannot be read: {shown(str(file))}: {error.strerror or 'no file'}") from None
    try:
        return password(content.decode("utf-8").removesuffix("\n").removesuffix("\r"))
    except (Wrong, UnicodeDecodeError):
        raise Wrong(f"must hold one line of text, and nothing else: {shown(str(file))}") from None


def url(readers: Mapping[str, Callable[[str], object]], *examples: str) -> Callable[[object], str]:
    """Reads a URL of one of the schemes. What is refused is not quoted: it may carry a password."""

    def read(value: object) -> str:
        said = text(value)
        scheme, separator, _ = said.partition("://")
        hint = "such as " + " or ".join(f'"{each}"' for each in examples)
        if not separator or not _SCHEME.fullmatch(scheme):
            raise Wrong("must be a URL", hint)
        if scheme in _LATER:
            raise Wrong(f"cannot be {scheme}://: it is not in this release", hint)
        if scheme not in readers:
            raise Wrong(f"cannot be {scheme}://", hint)
        try:
            readers[scheme](said)
        except UrlFault as fault:
            raise Wrong(str(fault), fault.hint) from None
        return said

    return read


def _sqlite(said: str) -> None:
    rest = said.removeprefix("sqlite://")
    if not rest.startswith("/") or rest.endswith("/") or any(mark in rest for mark in ("?", "#", ":memory:")):
        raise UrlFault("must name a file", 'such as "sqlite:///dms.db" or "sqlite:////var/lib/dms/dms.db"')


def _bare(said: str) -> None:
    scheme, _, rest = said.partition("://")
    if rest:
        raise UrlFault(f"takes nothing after {scheme}://", f'write "{scheme}://"')


store: Final = url(
    {"sqlite": _sqlite, "postgresql": read_postgresql}, "sqlite:///dms.db", "postgresql://dms@db.example:5432/dms"
)
broker: Final = url(
    {"memory": _bare, "amqp": read_amqp, "amqps": read_amqp}, "memory://", "amqp://dms@mq.example:5672/dms"
)
coordination: Final = url(
    {"local": _bare, "zookeeper": read_zookeeper}, "local://", "zookeeper://zk1:2181,zk2:2181,zk3:2181/dms"
)


def address(value: object) -> str:
    """``HOST:PORT``, or nothing."""
    if value == "":
        return ""
    said = text(value)
    match = _ADDRESS.fullmatch(said)
    if match is None or int(match[2]) > 65_535:
        raise Wrong(f"must be HOST:PORT, not {shown(said)}", 'such as "127.0.0.1:8080", or "" for none')
    return said


def choice(allowed: tuple[str, ...], same_case: Callable[[str], str]) -> Callable[[object], str]:
    """One of a few words."""

    def read(value: object) -> str:
        said = same_case(text(value))
        if said not in allowed:
            guess = Faults().guess(said, allowed)
            raise Wrong(f"must be {one_of(allowed)}, not {shown(value)}", guess if "mean" in guess else "")
        return said

    return read


def whole(least: int, most: int) -> Callable[[object], int]:
    """A whole number within bounds, both included."""

    def read(value: object) -> int:
        if isinstance(value, Text) and value.isascii() and value.isdecimal() and len(value) < 20:
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise Wrong(f"must be a whole number, not {shown(value)}", "" if isinstance(value, Text) else "unquoted")
        if not least <= value <= most:
            raise Wrong(f"must be between {least} and {most}, not {shown(value)}")
        return value

    return read


def duration(least: str = "1s", most: str = "3650d") -> Callable[[object], int]:
    """A duration within bounds, both included, in microseconds."""
    bounds = _microseconds(least), _microseconds(most)

    def read(value: object) -> int:
        found = _microseconds(value) if isinstance(value, str) else None
        if not found or found > 3_650 * DAY:
            raise Wrong(f"must be a duration, not {shown(value)}", 'such as "90s", "10m", "4h" or "90d"')
        if bounds[0] is None or bounds[1] is None or not bounds[0] <= found <= bounds[1]:
            raise Wrong(f"must be between {least} and {most}, not {shown(value)}")
        return found

    return read


def _microseconds(said: str) -> int | None:
    match = _DURATION.fullmatch(said)
    return int(match[1]) * _UNITS[match[2]] if match else None
