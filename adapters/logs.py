"""Logs: structlog with the levels ALL, TRACE, DEBUG, INFO, WARN, ERROR and OFF, one line an entry, to standard error.

A logger is handed to whoever needs one; nothing here is global but the bridge that brings the libraries' own logs in.
What debtors are called and where they live never belongs into an entry: ids do.
"""

import json
import logging
import sys
from collections.abc import Mapping, MutableMapping
from threading import Lock
from traceback import format_exception
from typing import Any, Final, TextIO

from structlog import BoundLoggerBase, DropEvent
from structlog.processors import TimeStamper
from structlog.typing import Processor

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
_COLOURS: Final = {"trace": "\x1b[2m", "debug": "\x1b[2m", "info": "", "warn": "\x1b[33m", "error": "\x1b[31m"}
_PLAIN: Final = "\x1b[0m"


class Log(BoundLoggerBase):
    """A logger: an event in words, and values by name. Logging never raises."""

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
        self.debug(event, traceback="".join(format_exception(exception)), **values)

    def _say(self, level: str, event: str, values: dict[str, object]) -> None:
        try:
            (line,), _ = self._process_event(level, event, values)
        except DropEvent:
            return
        self._logger.write(line)


class _Lines:
    """Writes whole lines; a stream that is gone is no reason to stop working."""

    def __init__(self, stream: TextIO) -> None:
        self._stream: Final = stream
        self._lock: Final = Lock()

    def write(self, line: str) -> None:
        try:
            with self._lock:
                self._stream.write(line + "\n")
                self._stream.flush()
        except (OSError, ValueError):
            pass


class _Threshold:
    """Drops what is below the level."""

    def __init__(self, level: int) -> None:
        self._level: Final = level

    def __call__(self, logger: object, name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if LEVELS[name.upper()] < self._level:
            raise DropEvent
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
    processors: list[Processor] = [_Threshold(LEVELS[level]), TimeStamper(fmt="iso", utc=True), render]
    return Log(_Lines(stream), processors, {})


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
        said = record.getMessage()
        if record.levelno >= logging.ERROR:
            self._log.error(said, **values)
            if record.exc_info and record.exc_info[1] is not None:
                self._log.debug(said, traceback="".join(format_exception(record.exc_info[1])), logger=record.name)
        elif record.levelno >= logging.WARNING:
            self._log.warn(said, **values)
        elif record.levelno >= logging.INFO:
            self._log.debug(said, **values)
        else:
            self._log.trace(said, **values)


def bridge(log: Log, level: str) -> None:
    """Sends what libraries log to ``log``; a bridge that was there before goes."""
    root = logging.getLogger()
    for handler in list(root.handlers):
        if isinstance(handler, Bridge):
            root.removeHandler(handler)
    root.addHandler(Bridge(log))
    # One of our levels lower than theirs: see `Bridge`.
    root.setLevel(logging.INFO if LEVELS[level] >= LEVELS["DEBUG"] else logging.DEBUG)


def in_one_line(exception: BaseException) -> str:
    """An exception as one line: its class and what it says."""
    said = " ".join(str(exception).split())
    return f"{type(exception).__name__}: {said}" if said else type(exception).__name__


def _quoted(value: object) -> str:
    text = value if isinstance(value, str) else str(value)
    shown = _printable(text[:_VALUE_MAX])
    if shown and not any(c in shown for c in ' "='):
        return shown
    quoted = shown.replace('"', '\\"')
    return f'"{quoted}"'


def _printable(text: str) -> str:
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
