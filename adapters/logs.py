"""Logs: structlog with the levels ALL, TRACE, DEBUG, INFO, WARN, ERROR and OFF, one line an entry, to standard error.

A logger is handed to whoever needs one; nothing here is global but the bridge that brings the libraries' own logs in.
The level may change at any moment, from any thread; what is below it costs 0.15 µs. What debtors are called and where
they live never belongs into an entry: ids do, and `adapters.masking` sees to it.
"""

import json
import logging
import sys
from collections.abc import Callable, Mapping, MutableMapping
from copy import copy
from threading import RLock
from traceback import format_tb
from typing import Any, Final, TextIO

from structlog import BoundLoggerBase, DropEvent
from structlog.processors import TimeStamper
from structlog.typing import Processor

from adapters.faults import one_of, shown
from adapters.masking import mask, said_by

LEVELS: Final[Mapping[str, int]] = {
    "ALL": 0,
    "TRACE": 5,
    "DEBUG": 10,
    "INFO": 20,
    "WARN": 30,
    "ERROR": 40,
    "OFF": 100,
}
_VALUE_MAX: Final = 2_000
_CHAIN_MAX: Final = 10
_WIRES: Final = ("aiormq", "aio_pika", "kazoo", "psycopg", "sqlalchemy")
"""Libraries whose details are what goes over the wire, bodies and parameters included: never below INFO."""
_NUMBERS: Final = {name.lower(): number for name, number in LEVELS.items()}
_COLOURS: Final = {"trace": "\x1b[2m", "debug": "\x1b[2m", "info": "", "warn": "\x1b[33m", "error": "\x1b[31m"}
_PLAIN: Final = "\x1b[0m"


class Level:
    """The threshold of a log, which may be moved while it is used. ``number`` is one of `LEVELS`' values."""

    __slots__ = ("_followers", "name", "number")

    def __init__(self, name: str) -> None:
        self.name: str = name
        self.number: int = LEVELS[name]
        self._followers: Final[list[Callable[[Level], None]]] = []

    def set(self, name: str) -> None:
        """Raises ValueError, in one line, for a word that is no level."""
        wanted = name.upper()
        if wanted not in LEVELS:
            raise ValueError(f"the level must be {one_of(tuple(LEVELS))}, not {shown(name)}")
        self.name = wanted
        self.number = LEVELS[wanted]
        for follower in self._followers:
            follower(self)

    def step(self, by: int) -> None:
        """One level quieter (1) or more talkative (-1), where there is one."""
        names = tuple(LEVELS)
        self.set(names[min(max(names.index(self.name) + by, 0), len(names) - 1)])

    def follow(self, follower: Callable[["Level"], None]) -> None:
        """Told now, and whenever the level moves."""
        self._followers.append(follower)
        follower(self)


class Log(BoundLoggerBase):
    """A logger: an event in words, and values by name. Logging never raises."""

    @property
    def level(self) -> Level:
        """The threshold, one for this logger and all that are bound to it."""
        level: Level = self._logger.level
        return level

    def set_level(self, name: str) -> None:
        """From now on only what is at least as grave. Raises ValueError for a word that is no level."""
        self.level.set(name)

    def is_on(self, level: str) -> bool:
        """Whether an entry of this level would be written: for who would have to gather it first."""
        return LEVELS[level] >= self.level.number

    def trace(self, event: str, **values: object) -> None:
        """What is only wanted when looking for one message's way."""
        self._say("trace", event, values)

    def debug(self, event: str, **values: object) -> None:
        """What helps to find a fault."""
        self._say("debug", event, values)

    def info(self, event: str, **values: object) -> None:
        """What an operator wants to have seen."""
        self._say("info", event, values)

    def warn(self, event: str, **values: object) -> None:
        """What may need somebody, later."""
        self._say("warn", event, values)

    def error(self, event: str, **values: object) -> None:
        """What needs somebody now."""
        self._say("error", event, values)

    def failure(self, event: str, exception: BaseException, **values: object) -> None:
        """An error in one line; its traceback is for who logs at DEBUG."""
        self.error(event, error=in_one_line(exception), **values)
        self.debug(event, traceback=traceback_of(exception), **values)

    def _say(self, level: str, event: str, values: dict[str, object]) -> None:
        if _NUMBERS[level] < self._logger.level.number:
            return
        try:
            (line,), _ = self._process_event(level, event, values)
        except DropEvent:
            return
        self._logger.write(line)


class _Lines:
    """Writes whole lines; a stream that is gone is no reason to stop working."""

    def __init__(self, stream: TextIO, level: Level) -> None:
        self.level: Final = level
        self._stream: Final = stream
        # A signal's handler may log while its own thread is writing.
        self._lock: Final = RLock()

    def write(self, line: str) -> None:
        try:
            with self._lock:
                self._stream.write(line + "\n")
                self._stream.flush()
        except (OSError, ValueError):
            pass


def _levelled(logger: object, name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    event["level"] = name.upper()
    return event


class _Console:
    """``2026-01-06T10:00:00.000000Z INFO  event  name=value``; in colours on a terminal."""

    def __init__(self, colours: bool) -> None:
        self._colours: Final = colours

    def __call__(self, logger: object, name: str, event: MutableMapping[str, Any]) -> str:
        at, level, said = event.pop("timestamp"), event.pop("level"), _printable(str(event.pop("event")))
        values = "".join(f" {key}={_quoted(value)}" for key, value in event.items())
        colour = _COLOURS[name] if self._colours else ""
        return f"{at} {colour}{level:<5} {said}{_PLAIN if colour else ''}{' ' if values else ''}{values}"


def _json(logger: object, name: str, event: MutableMapping[str, Any]) -> str:
    first = {key: event.pop(key) for key in ("timestamp", "level", "event")}
    return json.dumps({**first, **event}, ensure_ascii=False, default=str)


def open_log(level: str = "INFO", format: str = "console", stream: TextIO | None = None) -> Log:
    """A logger of one of `LEVELS`, ``console`` or ``json``, to ``stream`` (standard error)."""
    stream = stream if stream is not None else sys.stderr
    render: Processor = _json if format == "json" else _Console(stream.isatty())
    processors: list[Processor] = [mask, _levelled, TimeStamper(fmt="iso", utc=True), render]
    return Log(_Lines(stream, Level(level)), processors, {})


class Bridge(logging.Handler):
    """The libraries' own logs, a level quieter: their information is our detail."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log: Final = log

    def emit(self, record: logging.LogRecord) -> None:
        """Passes a record on."""
        try:
            self._pass_on(record)
        except Exception:  # a record whose arguments do not fit its text
            self.handleError(record)

    def _pass_on(self, record: logging.LogRecord) -> None:
        values: dict[str, object] = {"logger": record.name}
        if record.exc_info and record.exc_info[1] is not None:
            values["error"] = in_one_line(record.exc_info[1])
        said = _without_details(record).getMessage()
        if record.levelno >= logging.ERROR:
            self._log.error(said, **values)
            if record.exc_info and record.exc_info[1] is not None:
                self._log.debug(said, traceback=traceback_of(record.exc_info[1]), logger=record.name)
        elif record.levelno >= logging.WARNING:
            self._log.warn(said, **values)
        elif record.levelno >= logging.INFO:
            self._log.debug(said, **values)
        else:
            self._log.trace(said, **values)


def _without_details(record: logging.LogRecord) -> logging.LogRecord:
    """Exceptions among the arguments say what they may."""
    if isinstance(record.args, tuple) and any(isinstance(each, BaseException) for each in record.args):
        record = copy(record)
        assert isinstance(record.args, tuple)
        record.args = tuple([said_by(each) if isinstance(each, BaseException) else each for each in record.args])
    return record


def bridge(log: Log) -> None:
    """Sends what libraries log to ``log``, as its level has it; a bridge that was there before goes."""
    root = logging.getLogger()
    for handler in list(root.handlers):
        if isinstance(handler, Bridge):
            root.removeHandler(handler)
    root.addHandler(Bridge(log))
    for name in _WIRES:
        logging.getLogger(name).setLevel(logging.INFO if name != "sqlalchemy" else logging.WARNING)
    # One of our levels lower than theirs: see `Bridge`.
    log.level.follow(lambda level: root.setLevel(logging.INFO if level.number >= LEVELS["DEBUG"] else logging.DEBUG))


def in_one_line(exception: BaseException) -> str:
    """An exception as one line: its class and what it says, without the data that a database puts into it."""
    said = said_by(exception)
    return f"{type(exception).__name__}: {said}" if said else type(exception).__name__


def traceback_of(exception: BaseException) -> str:
    """Where it was raised, and what it was raised from: the frames with their code, and of each exception one line."""
    parts: list[str] = []
    current: BaseException | None = exception
    while current is not None and len(parts) < _CHAIN_MAX:
        group = current.exceptions if isinstance(current, BaseExceptionGroup) else ()
        said = [in_one_line(current), *(f"- {in_one_line(each)}" for each in group[:_CHAIN_MAX])]
        parts.append("".join(format_tb(current.__traceback__)) + "\n".join(said))
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return "\nwhich came of:\n".join(parts)


def _quoted(value: object) -> str:
    text = value if isinstance(value, str) else str(value)
    shown = _printable(text[:_VALUE_MAX])
    if shown and not any(c in shown for c in ' "='):
        return shown
    quoted = shown.replace('"', '\\"')
    return f'"{quoted}"'


def _printable(text: str) -> str:
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
