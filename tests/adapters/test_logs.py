"""Logs: seven levels, one line an entry, and never an exception."""

import json
import logging
from io import StringIO

import pytest

from adapters.logs import LEVELS, Bridge, Log, bridge, open_log

SAYING = ("trace", "debug", "info", "warn", "error")


def said(level: str, format: str = "console") -> tuple[Log, StringIO]:
    """A logger and what it writes to."""
    stream = StringIO()
    return open_log(level, format, stream), stream


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("ALL", ["TRACE", "DEBUG", "INFO", "WARN", "ERROR"]),
        ("TRACE", ["TRACE", "DEBUG", "INFO", "WARN", "ERROR"]),
        ("DEBUG", ["DEBUG", "INFO", "WARN", "ERROR"]),
        ("INFO", ["INFO", "WARN", "ERROR"]),
        ("WARN", ["WARN", "ERROR"]),
        ("ERROR", ["ERROR"]),
        ("OFF", []),
    ],
)
def test_a_level_lets_through_itself_and_what_is_graver(level: str, expected: list[str]) -> None:
    """ALL is everything, OFF nothing."""
    log, stream = said(level, "json")
    for name in SAYING:
        getattr(log, name)("said", number=1)
    assert [json.loads(line)["level"] for line in stream.getvalue().splitlines()] == expected
    assert set(LEVELS) == {"ALL", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "OFF"}


def test_an_entry_is_one_line_whatever_is_in_it() -> None:
    """A line break in a value does not begin another entry, an escape sequence does not colour the terminal."""
    log, stream = said("INFO")
    log.info("said\nin two", one="a\nb", two="c d", three='e"f', four="\x1b[31m", five="")
    (line,) = stream.getvalue().splitlines()
    assert line.endswith('INFO  said\\nin two  one=a\\nb two="c d" three="e\\"f" four=\\x1b[31m five=""')


def test_json_has_the_time_the_level_and_the_values() -> None:
    """In this order, letters beyond ASCII as they are."""
    log, stream = said("INFO", "json")
    log.bind(node="n1").warn("сказано", number=1, other={2})
    entry = json.loads(stream.getvalue())
    assert list(entry) == ["timestamp", "level", "event", "node", "number", "other"]
    assert entry["timestamp"].endswith("Z")
    assert "сказано" in stream.getvalue()


def test_a_failure_is_one_line_and_its_traceback_is_for_debug() -> None:
    """Nobody's screen fills at INFO."""
    for level, lines in (("INFO", 1), ("DEBUG", 2)):
        log, stream = said(level)
        log.failure("it failed", ValueError("one\ntwo"), batch=3)
        assert len(stream.getvalue().splitlines()) == lines
        assert 'it failed  error="ValueError: one two" batch=3' in stream.getvalue()


def test_a_stream_that_is_gone_is_no_reason_to_stop() -> None:
    """The engine goes on without a log."""
    log, stream = said("INFO")
    stream.close()
    log.info("said")


def test_what_libraries_log_comes_a_level_quieter() -> None:
    """Their information is our detail; their errors are errors."""
    log, stream = said("ALL", "json")
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    try:
        bridge(log)
        bridge(log)
        library = logging.getLogger("library")
        library.debug("a")
        library.info("b %d", 1)
        library.warning("c")
        try:
            raise ValueError("d")
        except ValueError:
            library.exception("e")
        assert sum(isinstance(handler, Bridge) for handler in root.handlers) == 1
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    entries = [json.loads(line) for line in stream.getvalue().splitlines()]
    ours = [entry for entry in entries if entry["logger"] == "library"]
    assert [(entry["level"], entry["event"]) for entry in ours] == [
        ("TRACE", "a"), ("DEBUG", "b 1"), ("WARN", "c"), ("ERROR", "e"), ("DEBUG", "e"),
    ]  # fmt: skip
    assert ours[3]["error"] == "ValueError: d"


def test_the_level_moves_while_the_log_is_used() -> None:
    """For everything that is bound to it, and for what libraries log."""
    log, stream = said("WARN")
    bound = log.bind(node="n1")
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    try:
        bridge(log)
        assert root.level == logging.INFO
        log.set_level("trace")
        assert root.level == logging.DEBUG
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    bound.trace("now")
    assert (log.is_on("TRACE"), bound.is_on("TRACE")) == (True, True)
    log.set_level("OFF")
    bound.error("never")
    assert [line.split()[1:3] for line in stream.getvalue().splitlines()] == [["TRACE", "now"]]


def test_levels_can_be_stepped_through() -> None:
    """One at a time, and no further than there are."""
    log, _ = said("INFO")
    names = []
    for by in (-1, -1, -1, -1, 1, 1, 1, 1, 1, 1, 1):
        log.level.step(by)
        names.append(log.level.name)
    assert names == ["DEBUG", "TRACE", "ALL", "ALL", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "OFF", "OFF"]


def test_a_word_that_is_no_level_changes_nothing() -> None:
    """And is told in one line."""
    log, _ = said("INFO")
    with pytest.raises(ValueError, match=r'^the level must be one of ALL, .*, OFF, not "LOUD"$'):
        log.set_level("LOUD")
    assert log.level.name == "INFO"


def test_what_goes_over_the_wire_is_never_logged() -> None:
    """Libraries that log frames, bodies or parameters as details are kept at INFO, whatever our level."""
    log, stream = said("ALL")
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    try:
        bridge(log)
        for name in ("aiormq.connection", "kazoo.client", "psycopg", "sqlalchemy.engine.Engine"):
            logging.getLogger(name).debug("Received frame: Иван Петров")
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    assert stream.getvalue() == ""
