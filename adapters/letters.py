"""Letters between engines as events, and the codec that an engine is given.

A letter is a CloudEvent of a type that no publisher knows, from the source ``dms``; what it says is MessagePack, in
base64. To an engine that is alone, and in a replay, it is an event of an unknown type.
"""

from base64 import b64decode, b64encode
from typing import Any, Final

from msgspec import MsgspecError, Struct
from msgspec.json import Decoder, Encoder

from actors.manager import Note
from adapters.cloud_events import decode, encode, encode_rejection, rfc3339
from adapters.state_codec import UnreadableState, decode_fact, decode_state, encode_fact, encode_state
from domain.desk import Standing
from domain.messages import ManagerChosen
from domain.roster import LoadReported
from engine.codec import Codec
from engine.envelope import Envelope
from engine.letters import Contents, DeskAnswer, DeskNote, Letter, Release, Voice
from engine.ports import OutgoingEvent, State

TYPE: Final = "dms.letter.v1"
SOURCE: Final = "dms"


class _Sealed(Struct, gc=False):
    specversion: str
    id: str
    source: str
    type: str
    subject: str
    time: str
    datacontenttype: str
    data: str


class _Data(Struct, gc=False):
    data: str


_encode: Final = Encoder().encode
_data: Final = Decoder(_Data).decode


def seal(letter: Letter, shard: int, at: int) -> OutgoingEvent:
    """A letter as it leaves, for the queue of its shard."""
    said = b64encode(encode_state(_plain(letter))).decode()
    event = _Sealed("1.0", letter.letter_id, SOURCE, TYPE, letter.subject, rfc3339(at), "application/msgpack", said)
    return OutgoingEvent(letter.sender, letter.letter_id, at, f"@{shard}", _encode(event))


def unseal(envelope: Envelope) -> Letter | None:
    """The letter that an event of an unknown type is; None where it is none."""
    if envelope.type != TYPE or envelope.source != SOURCE or envelope.event_id is None or envelope.subject is None:
        return None
    try:
        sender, *said = decode_state(b64decode(_data(envelope.body).data, validate=True))
        return Letter(envelope.event_id, str(sender), envelope.subject, _contents(envelope.subject, said))
    except (MsgspecError, UnreadableState, ValueError, TypeError, KeyError):
        return None


def _plain(letter: Letter) -> State:
    match letter.contents:
        case DeskNote(_, Note(fact=LoadReported() as load)):
            return letter.sender, "load", load.at, load.service_segment, load.manager, load.profiles, load.tasks
        case DeskNote(_, note):
            standing = note.standing
            brings = None if standing is None else (standing.manager, standing.group, standing.tasks)
            name, at, body = encode_fact(note.fact)
            return letter.sender, "note", note.at, note.profile_id, name, at, b64encode(body).decode(), brings
        case DeskAnswer(_, answer):
            return letter.sender, "answer", answer.at, answer.manager
        case Voice(breaker, actor, let_go):
            return letter.sender, "voice", breaker, actor, let_go
        case Release(_, actor):
            return letter.sender, "release", actor


def _contents(subject: str, said: list[Any]) -> Contents:
    match said:
        case ["note", at, profile_id, name, fact_at, body, brings]:
            fact = decode_fact(name, fact_at, b64decode(body))
            standing = None if brings is None else Standing(*brings)
            return DeskNote(subject, Note(at=at, profile_id=profile_id, fact=fact, standing=standing))
        case ["load", at, service_segment, manager, profiles, tasks]:
            load = LoadReported(at, service_segment, manager, profiles, tasks)
            return DeskNote(subject, Note(at=at, profile_id="", fact=load))
        case ["answer", at, manager]:
            return DeskAnswer(subject, ManagerChosen(at, manager))
        case ["voice", breaker, actor, let_go]:
            return Voice(breaker, actor, let_go)
        case ["release", actor]:
            return Release(subject, actor)
        case _:
            raise ValueError(f"no letter says {said[:1]}")


class _Command(Struct, gc=False):
    command_id: str
    run_id: str | None = None


class _Requested(Struct, gc=False):
    data: _Command


_requested: Final = Decoder(_Requested).decode


def command_of(event: OutgoingEvent) -> tuple[str, str | None] | None:
    """The command's id and its run's; None for an event that is no command."""
    if not event.routing_key.startswith("measure."):
        return None
    command = _requested(event.body).data
    return command.command_id, command.run_id


CODEC: Final = Codec(
    decode=decode,
    encode=encode,
    encode_rejection=encode_rejection,
    command_of=command_of,
    seal=seal,
    unseal=unseal,
)
"""How events look outside: CloudEvents in JSON."""
