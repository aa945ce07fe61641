"""What is wrong with an event that the typed decode refused, in words for the people who sent it."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from msgspec import DecodeError, Raw, ValidationError
from msgspec.json import Decoder

from adapters.event_types import (
    CURRENCY,
    INCOMING,
    KEPT_SEQUENCE,
    SEQUENCE,
    Incoming,
    Instant,
    Name,
    Sequence,
    Version,
)
from domain.calendar import SECOND
from domain.decision import Refusal
from engine.envelope import Envelope, Unreadable

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MALFORMED: Final = (DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding may raise, whatever the bytes."""
_DETAIL_MAX: Final = 300
_BY_NAME: Final[dict[str, Incoming]] = {type_.name: type_ for type_ in INCOMING}
_fields: Final = Decoder(dict[str, Raw]).decode
_ATTRIBUTES: Final[dict[str, Callable[[Raw], Any]]] = {
    "id": Decoder(Name).decode,
    "source": Decoder(Name).decode,
    "type": Decoder(Name).decode,
    "subject": Decoder(Name).decode,
    "time": Decoder(Instant | None).decode,
    "specversion": Decoder(Version).decode,
    "sequence": Decoder(Sequence | None).decode,
}
_OPTIONAL: Final = ("specversion", "sequence", "time")


def diagnosed(raw: bytes) -> Envelope | Unreadable:
    """What is wrong with an event that the typed decode refused: the first reason in the order of the specification."""
    try:
        raw.decode()
        fields = _fields(raw)
    except UnicodeDecodeError as error:
        return Unreadable(raw, f"not UTF-8: {error.reason} at byte {error.start}")
    except RecursionError:
        return Unreadable(raw, "nested too deeply")
    except ValidationError:
        return Unreadable(raw, "not a JSON object")
    except DecodeError as error:
        return Unreadable(raw, f"not JSON: {error}")
    found: dict[str, Any] = {}
    problems: list[str] = []
    for name, read in _ATTRIBUTES.items():
        found[name], problem = _attribute(name, fields.get(name), read)
        if problem:
            problems.append(problem)
    type_ = found["type"]
    known = _BY_NAME.get(type_)
    if problems:
        fault = Refusal("invalid", problems[0])
    elif known is None:
        fault = Refusal("unknown_type", one_line(f"there is no type {type_}"))
    else:
        fault = Refusal("invalid", _wrong_data(raw, known))
    at = None if found["time"] is None else microseconds(found["time"])
    return Envelope(found["source"], found["id"], type_, found["subject"], at, None, (), fault, raw)


def _attribute(name: str, raw: Raw | None, read: Callable[[Raw], Any]) -> tuple[Any, str]:
    """The value (None: not to be used) and what is wrong with it."""
    if raw is None:
        return None, "" if name in _OPTIONAL else f"{name} is missing"
    try:
        value = read(raw)
    except ValidationError as error:
        return None, _plainly(str(error), name)
    except MALFORMED:
        return None, f"{name}: cannot be read"
    if isinstance(value, str) and has_control(value):
        return None, f"{name}: control characters"
    return value, ""


def _wrong_data(raw: bytes, known: Incoming) -> str:
    try:
        event = Decoder(known.wire).decode(raw)
    except ValidationError as error:
        return _plainly(str(error))
    except MALFORMED as error:
        return one_line(f"data: {error}")
    return "data: a NUL character" if has_nul(known.read(event)) else "an attribute is given twice"


_WORDS: Final = {
    "str": "text",
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "object": "an object",
    "array": "an array",
    "null": "null",
    "date": "a date (YYYY-MM-DD)",
    "datetime": "an instant",
}
_SAID: Final = {
    f"matching regex {CURRENCY!r}": "of three capital letters",
    f"matching regex {SEQUENCE!r}": "of digits",
    f"matching regex {KEPT_SEQUENCE!r}": "of at most 19 digits after leading zeros",
    "invalid RFC3339 encoded datetime": "not an instant such as 2026-03-01T09:00:00Z",
    "invalid RFC3339 encoded date": "not a date such as 2026-03-01",
    "with a timezone component": "with an offset from UTC",
    "invalid enum value": "unknown word",
}


def _plainly(said: str, where: str = "") -> str:
    """A complaint of the decoder in words of the specification: ``data.amount: expected an integer, got text``."""
    said, _, path = said.partition(" - at `$")
    path = path.rstrip("`").lstrip(".") or where
    missing = re.fullmatch("Object missing required field `(.*)`", said)
    if missing:
        return f"{path}.{missing[1]} is missing" if path else f"{missing[1]} is missing"
    said = said[:1].lower() + said[1:]
    for theirs, ours in _SAID.items():
        said = said.replace(theirs, ours)
    said = re.sub(r"`([^`]*)`", lambda found: " or ".join(_WORDS.get(w, w) for w in found[1].split(" | ")), said)
    return one_line(f"{path}: {said}" if path else said)


def one_line(text: str) -> str:
    """The text as a detail: without control characters, not longer than a glance."""
    return "".join([c if c.isprintable() else "?" for c in text[:_DETAIL_MAX]])


def microseconds(moment: datetime) -> int:
    """The instant of a moment that knows its offset."""
    since = moment - EPOCH
    return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds


def has_control(text: str) -> bool:
    """Whether a text that is not empty contains a character below the space."""
    return not text.isprintable() and min(text) < " "  # the first half is ten times as fast and nearly always enough


def has_nul(value: object) -> bool:
    """Whether a NUL hides in a text, or in the texts of a tuple or a dict."""
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(has_nul(each) for pair in value.items() for each in pair)
    return isinstance(value, tuple) and any(has_nul(each) for each in value)
