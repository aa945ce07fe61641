"""States and facts as bytes: MessagePack, compact, and exact both ways.

MessagePack knows one kind of array. Tuples stay tuples and lists stay lists by one rule, which `domain.snapshot` and
the facts keep: outside of a map every array is a tuple, inside of one (a measure's params, say) every array is a list.
"""

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, Final

from msgspec import MsgspecError
from msgspec.msgpack import Decoder, Encoder

from domain.journal import FACTS, fact_name
from domain.record import Record
from engine.ports import State

# A type that mentions itself would have to be a class; the nesting of states is known, and twice as deep as needed.
_Plain = None | bool | int | float | str | dict[str, Any]
_Plain1 = _Plain | tuple[_Plain, ...]
_Plain2 = _Plain | tuple[_Plain1, ...]
_Plain3 = _Plain | tuple[_Plain2, ...]
_Plain4 = _Plain | tuple[_Plain3, ...]
_Plain5 = _Plain | tuple[_Plain4, ...]
_Plain6 = _Plain | tuple[_Plain5, ...]
_Plain7 = _Plain | tuple[_Plain6, ...]


class UnreadableState(ValueError):
    """Bytes that are no state or no fact."""


def _mapping(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no place in a state or a fact")


_encode: Final = Encoder(enc_hook=_mapping).encode
_decode: Final = Decoder(tuple[_Plain7, ...]).decode

# 0.5 µs for a command where Record.values takes 1.7. An attrgetter of a single name answers with no tuple.
_values: Final[dict[type[Record], Callable[[Any], tuple[object, ...]]]] = {
    kind: attrgetter(*kind.__match_args__) if len(kind.__match_args__) > 1 else kind.values for kind in FACTS.values()
}


def encode_state(state: State) -> bytes:
    """A state as bytes. TypeError for what is not plain, OverflowError for an integer beyond 64 bits."""
    return _encode(state)


def decode_state(body: bytes) -> State:
    """The state that was encoded, equal and of the same types. Raises `UnreadableState`."""
    try:
        return _decode(body)
    except (MsgspecError, UnicodeDecodeError) as error:
        raise UnreadableState(f"no state: {error}") from None


def encode_fact(fact: Record) -> tuple[str, int, bytes]:
    """A fact as its name, its instant and the rest of its values; KeyError for a record that is no fact."""
    name = fact_name(fact)
    return name, fact.at, _encode(_values[type(fact)](fact)[1:])


def decode_fact(name: str, at: int, body: bytes) -> Record:
    """The fact that was encoded. Fields that it did not have yet get their defaults. Raises `UnreadableState`."""
    kind: Callable[..., object] | None = FACTS.get(name)
    if kind is None:
        raise UnreadableState(f"no fact is called {name!r}")
    try:
        fact = kind(at, *_decode(body))
    except (MsgspecError, UnicodeDecodeError, TypeError) as error:
        raise UnreadableState(f"no {name}: {error}") from None
    assert isinstance(fact, Record)
    return fact
