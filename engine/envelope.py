"""An event as it came in: read once at the border, carried with its bytes until it is accepted, held or rejected."""

from hashlib import sha256
from typing import TYPE_CHECKING, Final

from domain.decision import Refusal
from domain.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable

Kind = type[Record]

UNKNOWN_TYPE: Final = "unknown"
"""What every type counts as that the engine does not know: whoever sends them may invent as many as they like."""


class Envelope:
    """One CloudEvent, sound or with a ``fault``.

    Sound: every field is set, ``values`` are the message's fields after ``at``, in order. With a fault (reason
    ``invalid`` or ``unknown_type``) the event is to be rejected at once: ``kind`` is None, ``values`` is empty, and of
    ``source``, ``event_id``, ``type``, ``subject`` and ``time`` is there what could be read; what is there can be
    stored and indexed. ``time`` is an instant in microseconds. ``body`` is this event's own bytes, also out of a batch.
    """

    __slots__ = ("body", "event_id", "fault", "kind", "source", "subject", "time", "type", "values")

    # Written by hand and positional: creating one costs 0.4 µs, as a frozen dataclass five times that.
    def __init__(
        self,
        source: str | None,
        event_id: str | None,
        type: str | None,
        subject: str | None,
        time: int | None,
        kind: Kind | None,
        values: tuple[object, ...],
        fault: Refusal | None,
        body: bytes,
    ) -> None:
        self.source: Final = source
        self.event_id: Final = event_id
        self.type: Final = type
        self.subject: Final = subject
        self.time: Final = time
        self.kind: Final = kind
        self.values: Final = values
        self.fault: Final = fault
        self.body: Final = body

    def message(self, at: int) -> Record:
        """The message of a sound event, accepted at the instant ``at``."""
        assert self.kind is not None, "an event with a fault carries no message"
        make: Callable[..., Record] = self.kind
        return make(at, *self.values)

    @property
    def counted_type(self) -> str:
        """The type under which it is counted."""
        if self.fault is not None and self.fault.reason == "unknown_type":
            return UNKNOWN_TYPE
        return self.type or ""

    def key(self) -> tuple[str, str]:
        """What a duplicate is known by: ``(source, id)``; where the id cannot be read, a digest of the bytes serves.

        Without it a faulty event that the broker delivers again would be rejected twice under one id.
        """
        return self.source or "", self.event_id or f"sha256:{sha256(self.body).hexdigest()}"

    def __repr__(self) -> str:
        said = f"fault={self.fault!r}" if self.fault else f"values={self.values!r}"
        return f"Envelope({self.source!r}, {self.event_id!r}, {self.type!r}, {self.subject!r}, {self.time!r}, {said})"


class Unreadable:
    """No event at all: goes to the dead letters, byte for byte. ``reason`` is one line for people."""

    __slots__ = ("body", "reason")

    def __init__(self, body: bytes, reason: str) -> None:
        self.body: Final = body
        self.reason: Final = reason

    def __repr__(self) -> str:
        return f"Unreadable({self.body[:100]!r}, {self.reason!r})"
