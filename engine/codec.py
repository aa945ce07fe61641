"""The codec: how events and letters look outside, as functions that an adapter brings."""

from collections.abc import Callable
from dataclasses import dataclass

from domain.decision import Refusal
from domain.record import Record
from engine.envelope import Envelope, Unreadable
from engine.letters import Letter, Seal, Unseal
from engine.outbox import CommandOf
from engine.ports import OutgoingEvent

Decode = Callable[[bytes], list[Envelope | Unreadable]]
"""The events of a body, in order; never raises."""

Encode = Callable[[Record, str, int], OutgoingEvent]
"""A published fact as it leaves: the fact, its profile, its number among what the profile publishes."""

EncodeRejection = Callable[[Envelope, Refusal, int], OutgoingEvent]
"""The event that says why another was not applied, and when that was decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """Everything the engine needs of the format of events."""

    decode: Decode
    encode: Encode
    encode_rejection: EncodeRejection
    command_of: CommandOf
    seal: Seal
    unseal: Unseal


def no_letter(envelope: Envelope) -> Letter | None:
    """For an engine to which nobody writes: what looks like a letter is an event of an unknown type."""
    return None
