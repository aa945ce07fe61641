"""CloudEvents in JSON, both ways: bodies of the broker into envelopes, events of the domain into bodies.

Reading is one typed decode: `adapters.event_types` says what is sound. Only what fails is looked at again, slowly
(`adapters.event_faults`). Writing copies the fields that the table "Out" of the specification names, in its order.
"""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import lru_cache, reduce
from operator import attrgetter, or_
from typing import Any, Final

from msgspec import UNSET, DecodeError, Raw, Struct, UnsetType, ValidationError, convert, defstruct
from msgspec.json import Decoder, Encoder

from adapters.event_faults import EPOCH, MALFORMED, diagnosed, has_control, has_nul, microseconds, one_line
from adapters.event_types import INCOMING, Instant, Name
from domain import events as e
from domain.calendar import SECOND
from domain.decision import Refusal
from domain.record import Record
from engine.envelope import Envelope, Unreadable
from engine.ports import OutgoingEvent

REJECTED: Final = "dms.message.rejected.v1"

_BY_WIRE: Final = {type_.wire: (type_.name, type_.kind, type_.read) for type_ in INCOMING}
_event: Final[Callable[[bytes], Any]] = Decoder(reduce(or_, _BY_WIRE)).decode
_elements: Final = Decoder(list[Raw]).decode


def decode(body: bytes) -> list[Envelope | Unreadable]:
    """The events of a body, which holds one or a JSON array of them, in order.

    Whatever comes is answered, never raised: an object that is no sound event is an envelope with a fault; an element
    that is no object is unreadable, and so is a body that is no JSON.
    """
    # Without escapes and beyond-ASCII bytes the typed decode alone tells the whole truth.
    plain = body.isascii() and body.find(b"\\") < 0
    if body[:1] == b"{" or body.lstrip(b" \t\r\n")[:1] != b"[":
        return [_decoded(body, plain)]
    try:
        # A typed decode of the whole list would save 0.4 µs an event, and lose each one's bytes and, with one bad
        # element, all the others.
        return [_decoded(bytes(element), plain) for element in _elements(body)]
    except RecursionError:
        return [_decoded(element, False) for element in _split(body)]
    except DecodeError as error:
        return [Unreadable(body, f"not JSON: {error}")]


def _decoded(raw: bytes, plain: bool) -> Envelope | Unreadable:
    try:
        event = _event(raw)
    except MALFORMED:
        return diagnosed(raw)
    name, kind, read = _BY_WIRE[type(event)]
    values = read(event)
    if not plain and not _is_storable(raw, event, values):
        return diagnosed(raw)
    time = None if event.time is None else microseconds(event.time)
    return Envelope(
        event.source,
        event.id,
        name,
        event.subject,
        time,
        kind,
        values,
        None,
        raw,
    )


class _Attributes(Struct, gc=False):
    id: Name
    source: Name
    type: Name
    subject: Name
    time: Instant


_attributes: Final = Decoder(_Attributes).decode
_KINDS: Final = {type_.name: type_.kind for type_ in INCOMING}


def glanced(body: bytes) -> list[Envelope | Unreadable]:
    """The events of a body for whoever only hands them on: as `decode`, but the data are not looked at.

    So an envelope without a fault may have one, and has no values; the kind of its type it has.
    """
    # What the typed decode passes over is JSON all the same, so without bytes beyond ASCII it is an event.
    if body[:1] != b"{" or not body.isascii() or body.find(b"\\") >= 0:
        return decode(body)
    try:
        event = _attributes(body)
    except MALFORMED:
        return decode(body)
    type_ = event.type
    time = microseconds(event.time)
    return [Envelope(event.source, event.id, type_, event.subject, time, _KINDS.get(type_), (), None, body)]


def _is_storable(raw: bytes, event: Any, values: tuple[object, ...]) -> bool:
    """Whether what the typed decode lets pass is text: UTF-8 in what it skipped, no control characters in keys (the
    CloudEvents specification excludes them), no NUL anywhere (no text column of PostgreSQL takes it)."""
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    if b"\\" not in raw:  # a control character can only come as an escape
        return True
    if has_control(event.id) or has_control(event.source) or has_control(event.subject):
        return False
    return b"\\u0000" not in raw or not has_nul(values)


_TOKEN: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\Z)|[][{},]', re.DOTALL)


def _split(body: bytes) -> list[bytes]:
    """The elements of an array in which something is nested too deeply for the decoder, or the body if it is none."""
    elements: list[bytes] = []
    depth = start = 0
    for token in _TOKEN.finditer(body):
        match token[0]:
            case b"[" | b"{":
                depth += 1
                start = token.end() if depth == 1 else start
            case b"]" | b"}":
                depth -= 1
            case b"," if depth == 1:
                elements.append(body[start : token.start()].strip())
                start = token.end()
        if depth == 0:
            elements.append(body[start : token.start()].strip())
            return elements if all(elements) and not body[token.end() :].strip() else [body]
    return [body]


def parse_instant(text: str) -> int:
    """The instant of an RFC 3339 text; ValueError, in one line, if it is none or has no offset."""
    try:
        return microseconds(convert(text, Instant))
    except ValidationError:
        raise ValueError(f"{one_line(text)[:60]!r} is not an instant such as 2026-03-01T09:00:00Z") from None


# A batch decides at few instants: nearly every call is a look-up of 0.08 µs; a new instant of a known second costs 1.2.
@lru_cache(maxsize=4_096)
def rfc3339(at: int) -> str:
    """An instant in UTC, with 3 or 6 decimals where it has them. OverflowError beyond the year 9999."""
    seconds, rest = divmod(at, SECOND)
    if rest == 0:
        return f"{_to_the_second(seconds)}Z"
    decimals = f"{rest:06}" if rest % 1_000 else f"{rest // 1_000:03}"
    return f"{_to_the_second(seconds)}.{decimals}Z"


@lru_cache(maxsize=4_096)
def _to_the_second(seconds: int) -> str:
    return (EPOCH + timedelta(seconds=seconds)).isoformat()[:19]


class _Out(Struct, gc=False):
    specversion: str
    id: str
    source: str
    type: str
    subject: str | UnsetType
    time: str
    datacontenttype: str
    data: object


class _Rejection(Struct, gc=False):
    reason: str
    detail: str
    id: str | None
    source: str | None
    type: str | None


DataOf = Callable[[Any], object]


def _copied(kind: type[Record], *names: str) -> DataOf:
    """Copies the fields ``names`` of an event of ``kind`` into its data."""
    data = defstruct(f"{kind.__name__}Data", names, gc=False)
    if len(names) == 1:
        only = attrgetter(*names)
        return lambda event: data(only(event))
    several = attrgetter(*names)
    return lambda event: data(*several(event))


class _Command(Struct, gc=False):
    command_id: str
    measure: str
    kind: str
    target: str
    channel: str | None
    template: str | None
    params: Mapping[str, object]
    plan: str | None
    plan_version: int | None
    run_id: str | None
    step: int | None
    days_past_due: int
    overdue: int
    reason: str


# Most of what leaves are commands: spelt out, their data costs half of what `_copied` takes.
def _command_data(event: e.MeasureRequested) -> object:
    plan = event.plan
    return _Command(
        event.command_id,
        event.measure,
        event.kind,
        event.target,
        event.channel,
        event.template,
        event.params,
        plan,
        None if plan is None else event.plan_version,
        event.run_id,
        event.step or None,
        event.dpd,
        event.overdue,
        event.reason,
    )


_overdue_restore: Final = _copied(e.ServiceRestoreOverdue, "command_id", "measure", "target", "run_id", "requested_at")


def _restore_data(event: e.ServiceRestoreOverdue) -> object:
    data: Any = _overdue_restore(event)
    data.requested_at = rfc3339(event.requested_at)
    return data


_OUTGOING: Final[dict[type[Record], tuple[str, DataOf]]] = {
    kind: (f"dms.{name}.v1", of if callable(of) else _copied(kind, *of.split()))
    for kind, name, of in (
        (e.MeasureRequested, "measure.requested", _command_data),
        (e.RunOpened, "run.opened", "run_id plan"),
        (e.RunClosed, "run.closed", "run_id plan outcome"),
        (
            e.SegmentChanged,
            "segment.changed",
            "policy_segment service_segment previous_policy_segment previous_service_segment",
        ),
        (e.TaskOpened, "task.opened", "task_id measure command_id why"),
        (e.TaskClosed, "task.closed", "task_id measure command_id why actor outcome"),
        (e.ManagerChanged, "manager.changed", "manager group how"),
        (e.PromiseKept, "promise.kept", "promise_id"),
        (e.PromiseBroken, "promise.broken", "promise_id"),
        (e.InstalmentsBroken, "instalments.broken", "schedule_id"),
        (e.InstalmentsCompleted, "instalments.completed", "schedule_id"),
        (e.LedgerMismatch, "ledger.mismatch", "ledger reported"),
        (e.ServiceRestoreOverdue, "service.restore_overdue", _restore_data),
    )
}
assert set(_OUTGOING) == e.PUBLISHED

TYPE_OF: Final[dict[type[Record], str]] = {type_.kind: type_.name for type_ in INCOMING} | {
    kind: name for kind, (name, _) in _OUTGOING.items()
}
"""The CloudEvents type of each message that comes in and each event that goes out."""


def _plain_mapping(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise NotImplementedError(f"no JSON for {type(value).__name__}")


_json: Final = Encoder(enc_hook=_plain_mapping).encode


def encode(event: Record, profile_id: str, number: int) -> OutgoingEvent:
    """A published event as it leaves; ``number`` is its place among the profile's facts and makes its id."""
    name, data_of = _OUTGOING[type(event)]
    said: Any = event
    at: int = said.at
    key = f"measure.{said.target}.{said.measure}" if type(event) is e.MeasureRequested else name
    # A profile called rejected/x would share its ids with the rejections of source x: two events, one key.
    owner = f"./{profile_id}" if profile_id.startswith(("rejected/", "./")) else profile_id
    event_id = f"{owner}/{number}"
    body = _json(_Out("1.0", event_id, "dms", name, profile_id, rfc3339(at), "application/json", data_of(event)))
    return OutgoingEvent(profile_id, event_id, at, key, body)


def encode_rejection(envelope: Envelope, refusal: Refusal, at: int) -> OutgoingEvent:
    """The event that says why an event was not applied. Without a readable subject it belongs to the profile ``""``.

    Its id is ``rejected/<source>/<id>``, a slash in the id written ``%2F``, or a digest of the bytes for an id.
    """
    source, event_id = envelope.key()
    own_id = f"rejected/{source}/{event_id.replace('%', '%25').replace('/', '%2F')}"
    data = _Rejection(refusal.reason, refusal.detail, envelope.event_id, envelope.source, envelope.type)
    subject = UNSET if envelope.subject is None else envelope.subject
    body = _json(_Out("1.0", own_id, "dms", REJECTED, subject, rfc3339(at), "application/json", data))
    return OutgoingEvent(envelope.subject or "", own_id, at, REJECTED, body)
