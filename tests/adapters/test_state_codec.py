"""States and facts come back from their bytes equal, and of the same types."""

from collections.abc import Mapping
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.state_codec import UnreadableState, decode_fact, decode_state, encode_fact, encode_state
from domain import messages as m
from domain.events import MeasureRequested
from domain.journal import FACTS
from domain.record import Record
from domain.snapshot import freeze
from engine.ports import State
from tests.domain.wild_story import LEDGERS, STEPS, Life, Step

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
)
MAPS = st.dictionaries(st.text(max_size=4), JSON, max_size=4)


def tuples(depth: int) -> st.SearchStrategy[State]:
    inner: st.SearchStrategy[object] = SCALARS | MAPS
    if depth > 1:
        inner = st.one_of(inner, tuples(depth - 1))
    return st.lists(inner, max_size=4).map(tuple)


def command(params: Mapping[str, object]) -> MeasureRequested:
    return MeasureRequested(
        1, "A/1/x", "x", "notify", "y", None, None, params, None, 1, None, 0, 0, 0, "plan", 1, 1, True, True, None,
        None, 2**62, 0, 0, 1, 0,
    )  # fmt: skip


@given(tuples(7))
@settings(max_examples=300, deadline=None)
def test_a_state_comes_back_equal_and_of_the_same_types(state: State) -> None:
    assert repr(decode_state(encode_state(state))) == repr(state)


@given(LEDGERS, STEPS)
@settings(max_examples=100, deadline=None)
def test_lives_come_back_from_their_bytes(ledger: str, steps: list[Step]) -> None:
    life = Life(ledger).live(steps)
    state = freeze(life.profile)
    assert repr(decode_state(encode_state(state))) == repr(state)
    again = [decode_fact(*encode_fact(fact)) for fact in life.facts]
    assert again == life.facts
    assert repr(again) == repr(life.facts)


@given(MAPS)
@settings(max_examples=100, deadline=None)
def test_the_params_of_a_command_come_back_as_they_were(params: dict[str, object]) -> None:
    fact = command(params)
    again = decode_fact(*encode_fact(fact))
    assert again == fact
    assert repr(again) == repr(fact)


def test_params_may_be_any_mapping() -> None:
    fact = command(MappingProxyType({"language": "ru", "tags": ["a", {"b": [1]}]}))
    assert decode_fact(*encode_fact(fact)) == command({"language": "ru", "tags": ["a", {"b": [1]}]})


def test_what_is_not_plain_has_no_place_in_a_state() -> None:
    with pytest.raises(TypeError, match="object has no place"):
        encode_state((object(),))
    with pytest.raises(OverflowError):
        encode_state((1 << 64,))


@pytest.mark.parametrize("body", [b"", b"\x01", b"\x92\x01", b"\xc1", b"\x91\xa1\xff", b"\x90\x00"])
def test_bytes_that_are_no_state_are_refused(body: bytes) -> None:
    with pytest.raises(UnreadableState):
        decode_state(body)


def test_a_fact_is_kept_as_its_name_its_instant_and_the_rest() -> None:
    name, at, body = encode_fact(m.PaymentReceived(7, "P1", 100))
    assert (name, at, body) == ("PaymentReceived", 7, b"\x92\xa2P1d")
    assert encode_fact(m.AccountClosed(7, "left"))[2] == b"\x91\xa4left"


def test_fields_that_an_older_fact_did_not_have_get_their_defaults() -> None:
    older = encode_state(("P1", "no funds"))
    assert decode_fact("PaymentReversed", 7, older) == m.PaymentReversed(7, "P1", "no funds", None)


@pytest.mark.parametrize(
    ("name", "body"), [("Nonsense", b"\x90"), ("AccountClosed", b"\x90"), ("AccountClosed", b"\xc1")]
)
def test_what_is_no_fact_is_refused(name: str, body: bytes) -> None:
    with pytest.raises(UnreadableState):
        decode_fact(name, 1, body)


def test_a_message_that_is_no_fact_is_not_written() -> None:
    with pytest.raises(KeyError):
        encode_fact(m.Wake(1))


# By name, since compiled records check their types and do not tell them.
FLAGS = frozenset("awaits_approval personal counts contact ordered in_run sent reported".split())
NUMBERS = frozenset(
    "at amount issued_on due_on delta balance sequence until pay_by holds_until breaks_at checked_from on version"
    " number plan_version dpd overdue step day confirm_by confirm_within retries attempt bound part"
    " requested_at".split()
)
OTHERS: dict[str, object] = {
    "params": {"tags": ["a", {"b": [1]}]},
    "attributes": {"vip": True, "share": 0.5, "since": None},
    "parts": ((739_000, 5), (739_030, 6)),
    "changes": (("ring", None, 7), ("block", True, None)),
}


def sample(kind: str, field: str, position: int) -> object:
    """A value that the field may have, and that no other field of the record has."""
    if field in FLAGS and kind != "LedgerMismatch":
        return position % 2 == 0
    if field in NUMBERS or kind == "LedgerMismatch":
        return position + 1
    return OTHERS.get(field, f"{field} {position}")


@pytest.mark.parametrize("kind", FACTS)
def test_every_kind_of_fact_is_read_as_it_was_written(kind: str) -> None:
    """Also those that no random life leads to."""
    fields = FACTS[kind].__match_args__
    fact: Record = FACTS[kind](*[sample(kind, field, position) for position, field in enumerate(fields)])
    assert encode_fact(fact)[0] == kind
    again = decode_fact(*encode_fact(fact))
    assert again == fact
    assert repr(again) == repr(fact)
