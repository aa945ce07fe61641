"""The message codec: what comes in is read or answered with a reason, what goes out says what the table says."""

from typing import Any

import pytest

from adapters.cloud_events import TYPE_OF, decode, parse_instant
from adapters.event_types import AMENDED_DAY_MAX, INCOMING, MONEY_MAX
from adapters.state_codec import decode_fact, decode_state, encode_fact, encode_state
from engine.envelope import Envelope, Unreadable
from tests.adapters.event_samples import MARCH_15, NINE, OPTIONAL, PAYMENT, SOUND, Data, body_of, event, sequence_for


def payment(data: Any = PAYMENT, **attributes: Any) -> Data:
    return event("payment.received", data, **attributes)


def snapshot(sequence: str) -> Data:
    return event("balance.changed", {"balance": 5}, sequence=sequence)


def read(sent: object) -> Envelope:
    (found,) = decode(body_of(sent))
    assert isinstance(found, Envelope)
    return found


def fault_of(sent: object) -> tuple[str, str]:
    envelope = read(sent)
    assert envelope.fault is not None, f"taken as sound: {envelope}"
    assert envelope.kind is None
    assert envelope.values == ()
    return envelope.fault.reason, envelope.fault.detail


REQUIRED = [(type_, data, field) for type_, data, _ in SOUND for field in data if field not in OPTIONAL.get(type_, ())]


class TestSoundEvents:
    @pytest.mark.parametrize(("type_", "data", "values"), SOUND, ids=[row[0] for row in SOUND])
    def test_each_type_becomes_its_message(self, type_: str, data: Data, values: tuple[object, ...]) -> None:
        """Every field of the table arrives, dates as ordinals, and the message takes them after its instant."""
        sent = event(type_, data, sequence=sequence_for(type_))
        envelope = read(sent)
        assert envelope.fault is None
        assert (envelope.source, envelope.event_id, envelope.subject) == ("billing", "e1", "ACC-1")
        assert (envelope.type, envelope.time) == (sent["type"], NINE)
        assert envelope.values == values
        message = envelope.message(NINE + 5)
        assert TYPE_OF[type(message)] == sent["type"]
        assert message.values()[: 1 + len(values)] == (NINE + 5, *values)
        assert envelope.body == body_of(sent)

    def test_the_table_knows_every_type(self) -> None:
        """No incoming type is without a case here."""
        assert {f"dms.{type_}.v1" for type_, _, _ in SOUND} == {type_.name for type_ in INCOMING}

    @pytest.mark.parametrize(("type_", "data", "_"), SOUND, ids=[row[0] for row in SOUND])
    def test_a_type_says_how_many_fields_it_brings(self, type_: str, data: Data, _: object) -> None:
        """Which is how a fact is told from what a policy added to it."""
        of = next(each for each in INCOMING if each.name == f"dms.{type_}.v1")
        assert of.brings == len(read(event(type_, data, sequence=sequence_for(type_))).values)

    @pytest.mark.parametrize(("type_", "data", "_"), SOUND, ids=[row[0] for row in SOUND])
    def test_an_unknown_field_is_ignored(self, type_: str, data: Data, _: object) -> None:
        """Publishers may add fields and attributes, whatever is in them."""
        more = {"extra": {"deep": [1.5, None]}}
        assert read(event(type_, data | more, sequence=sequence_for(type_), **more)).fault is None

    def test_what_is_optional_may_be_missing_or_null(self) -> None:
        """Nothing said and null said mean the same."""
        assert read(event("account.updated", {})).values == (None, None, None, None, None, {})
        null = dict.fromkeys(OPTIONAL["account.updated"])
        assert read(event("account.updated", null)).values == (None, None, None, None, None, {})
        invoice = {"invoice_id": "I1", "amount": 5, "issued_on": "2026-03-15", "due_on": None}
        assert read(event("invoice.issued", invoice)).values == ("I1", 5, MARCH_15, None)
        assert read(payment(specversion=...)).fault is None
        assert (read(payment(time=...)).fault, read(payment(time=...)).time) == (None, None)

    @pytest.mark.parametrize("sequence", ["0", "007", "1767225600000000000", "9" * 5_000, "0" * 5_000])
    def test_a_sequence_has_as_many_digits_as_its_publisher_likes(self, sequence: str) -> None:
        """Only snapshots compare it."""
        assert read(payment(sequence=sequence)).fault is None

    @pytest.mark.parametrize(
        ("sequence", "number"),
        [
            ("0", 0),
            ("007", 7),
            ("1767225600000000000", 1_767_225_600_000_000_000),
            ("00000000000000000042", 42),
            ("0" * 5_000 + "9" * 19, 10**19 - 1),
        ],
    )
    def test_a_snapshot_keeps_its_sequence_as_a_number(self, sequence: str, number: int) -> None:
        """Which the journal and a frozen profile hold."""
        envelope = read(snapshot(sequence))
        assert envelope.values == (5, number, "billing")
        fact = envelope.message(NINE)
        assert decode_fact(*encode_fact(fact)) == fact
        assert decode_state(encode_state((number,))) == (number,)

    @pytest.mark.parametrize(
        ("time", "at"),
        [
            ("2026-03-01T12:00:00+03:00", NINE),
            ("2026-03-01T09:00:00.000001Z", NINE + 1),
            ("2026-03-01t09:00:00.5z", NINE + 500_000),
            ("1969-12-31T23:59:59.999999Z", -1),
            ("0001-01-01T00:00:00+10:00", -62_135_632_800_000_000),
        ],
    )
    def test_time_becomes_microseconds(self, time: str, at: int) -> None:
        """Whatever its offset, down to the microsecond."""
        assert read(payment(time=time)).time == at
        assert parse_instant(time) == at


INVALID: list[tuple[str, Data, str]] = [
    ("an id is missing", payment(id=...), "id is missing"),
    ("an id is empty", payment(id=""), "id: expected text of length >= 1"),
    ("an id is no text", payment(id=5), "id: expected text, got an integer"),
    ("a source is empty", payment(source=""), "source: expected text of length >= 1"),
    ("a type is missing", payment(type=...), "type is missing"),
    ("a type is empty", payment(type=""), "type: expected text of length >= 1"),
    ("a subject is null", payment(subject=None), "subject: expected text, got null"),
    ("a subject is too long", payment(subject="x" * 257), "subject: expected text of length <= 256"),
    ("a subject has a control character", payment(subject="a\nb"), "subject: control characters"),
    ("an id has a NUL", payment(id="a\0"), "id: control characters"),
    ("a time has no offset", payment(time="2026-03-01T09:00:00"), "time: expected an instant with an offset from UTC"),
    ("a time is a day", payment(time="2026-03-01"), "time: not an instant such as 2026-03-01T09:00:00Z"),
    ("a time is a number", payment(time=1_700_000_000), "time: expected an instant or null, got an integer"),
    ("it is of another version", payment(specversion="0.3"), "specversion: unknown word '0.3'"),
    ("a sequence is a number", payment(sequence=17), "sequence: expected text or null, got an integer"),
    ("a sequence has letters", payment(sequence="1a"), "sequence: expected text of digits"),
    ("a sequence has foreign digits", payment(sequence="١٢"), "sequence: expected text of digits"),
    ("a sequence is empty", payment(sequence=""), "sequence: expected text of digits"),
    ("a snapshot's sequence is empty", snapshot(""), "sequence: expected text of digits"),
    (
        "a snapshot's sequence is beyond 64 bits",
        snapshot("1" + "0" * 19),
        "sequence: expected text of at most 19 digits after leading zeros",
    ),
    ("a snapshot has no sequence", event("balance.changed", {"balance": 5}), "sequence is missing"),
    ("an unknown type has no subject", event("x", {}, subject=...), "subject is missing"),
    ("there is no data", payment(data=...), "data is missing"),
    ("data is no object", payment(data=[]), "data: expected an object, got an array"),
    ("a text in data has a NUL", payment(data=PAYMENT | {"payment_id": "\0"}), "data: a NUL character"),
]
AMOUNTS: list[tuple[object, str]] = [
    (0, "expected an integer >= 1"),
    (-1, "expected an integer >= 1"),
    (MONEY_MAX + 1, f"expected an integer <= {MONEY_MAX}"),
    (10**30, f"expected an integer <= {MONEY_MAX}"),
    (10**1_000, f"expected an integer <= {MONEY_MAX}"),
    (100.0, "expected an integer, got a number"),
    (True, "expected an integer, got true or false"),
    ("100", "expected an integer, got text"),
    (None, "expected an integer, got null"),
]
FIELDS: list[tuple[str, Data, str]] = [
    ("account.updated", {"projection": "phone"}, "data.projection: unknown word 'phone'"),
    ("account.updated", {"party": "robot"}, "data.party: unknown word 'robot'"),
    ("account.updated", {"ledger": "cash"}, "data.ledger: unknown word 'cash'"),
    ("account.updated", {"currency": "rub"}, "data.currency: expected text of three capital letters"),
    ("account.updated", {"currency": "RUB\n"}, "data.currency: expected text of three capital letters"),
    ("account.updated", {"customer_id": 5}, "data.customer_id: expected text or null, got an integer"),
    ("account.updated", {"attributes": []}, "data.attributes: expected an object or null, got an array"),
    ("invoice.adjusted", {"delta": -MONEY_MAX - 1}, f"data.delta: expected an integer >= -{MONEY_MAX}"),
    ("balance.changed", {"balance": MONEY_MAX + 1}, f"data.balance: expected an integer <= {MONEY_MAX}"),
    ("claim.closed", {"outcome": "lost"}, "data.outcome: unknown word 'lost'"),
    ("contact.made", {"kind": "sms"}, "data.kind: unknown word 'sms'"),
    ("contact.made", {"direction": "up"}, "data.direction: unknown word 'up'"),
    ("hold.placed", {"until": "2026-02-30"}, "data.until: not a date such as 2026-03-01"),
    ("hold.placed", {"until": "2026-03-01T00:00:00Z"}, "data.until: not a date such as 2026-03-01"),
    ("hold.placed", {"until": 20260301}, "data.until: expected a date (YYYY-MM-DD), got an integer"),
    ("instalments.agreed", {"parts": []}, "data.parts: expected an array of length >= 1"),
    ("instalments.agreed", {"parts": [{"pay_by": "2026-03-15"}]}, "data.parts[0].amount is missing"),
    ("plan.amended", {"changes": [{"skip": True}]}, "data.changes[0].measure is missing"),
    (
        "plan.amended",
        {"changes": [{"measure": "sms", "skip": 1}]},
        "data.changes[0].skip: expected true or false or null, got an integer",
    ),
    (
        "plan.amended",
        {"changes": [{"measure": "sms", "day": -1}]},
        "data.changes[0].day: expected an integer >= 0",
    ),
    (
        "plan.amended",
        {"changes": [{"measure": "sms", "day": AMENDED_DAY_MAX + 1}]},
        f"data.changes[0].day: expected an integer <= {AMENDED_DAY_MAX}",
    ),
    ("plan.assigned", {"plan": 5}, "data.plan: expected text or null, got an integer"),
]
DATA_OF = {type_: data for type_, data, _ in SOUND}


class TestInvalidEvents:
    @pytest.mark.parametrize(("why", "sent", "detail"), INVALID, ids=[row[0] for row in INVALID])
    def test_it_is_invalid_if(self, why: str, sent: Data, detail: str) -> None:
        """The detail names what is wrong."""
        assert fault_of(sent) == ("invalid", detail)

    @pytest.mark.parametrize(("type_", "data", "field"), REQUIRED, ids=[f"{row[0]} {row[2]}" for row in REQUIRED])
    def test_every_field_named_is_required(self, type_: str, data: Data, field: str) -> None:
        """Also those that may be null."""
        rest = {name: value for name, value in data.items() if name != field}
        sent = event(type_, rest, sequence=sequence_for(type_))
        assert fault_of(sent) == ("invalid", f"data.{field} is missing")

    @pytest.mark.parametrize(("amount", "said"), AMOUNTS, ids=[repr(row[0])[:20] for row in AMOUNTS])
    @pytest.mark.parametrize("type_", ["invoice.issued", "payment.received", "claim.opened", "promise.made",
                                       "netting.agreed"])  # fmt: skip
    def test_amounts_are_positive_integers(self, type_: str, amount: object, said: str) -> None:
        """Minor units: no fractions, no texts, no booleans, nothing beyond 10^15."""
        assert fault_of(event(type_, DATA_OF[type_] | {"amount": amount})) == ("invalid", f"data.amount: {said}")

    def test_no_number_is_too_long_to_be_refused(self) -> None:
        """A million digits, or an exponent beyond all floats."""
        for number in (b"9" * 1_000_000, b"1e999"):
            (found,) = decode(body_of(payment()).replace(b"100", number))
            assert isinstance(found, Envelope)
            assert found.fault is not None
            assert found.fault.detail.startswith("data.amount: ")

    @pytest.mark.parametrize(("type_", "wrong", "detail"), FIELDS, ids=[f"{row[0]} {row[1]}"[:60] for row in FIELDS])
    def test_each_field_is_checked(self, type_: str, wrong: Data, detail: str) -> None:
        """Words, dates, limits and what is inside arrays."""
        sent = event(type_, DATA_OF[type_] | wrong, sequence=sequence_for(type_))
        assert fault_of(sent) == ("invalid", detail)

    @pytest.mark.parametrize("value", [[], {}, {"a": 1}, 10**400])
    def test_an_attribute_may_hold_anything_until_the_policy_is_asked(self, value: object) -> None:
        """One that the policy does not declare is ignored, whatever it holds; a declared one is checked there."""
        assert read(event("account.updated", {"attributes": {"a": value}})).fault is None

    def test_an_unknown_type_is_said_so(self) -> None:
        """Whatever its data, if its attributes are sound."""
        assert fault_of(event("x", ...)) == (
            "unknown_type",
            "there is no type dms.x.v1",
        )

    def test_what_can_be_read_is_kept(self) -> None:
        """A rejection says whose event it was as far as that is known; what no index can hold is not."""
        envelope = read(payment(id=5, subject="x" * 300))
        assert (envelope.source, envelope.event_id, envelope.subject) == ("billing", None, None)
        assert (envelope.type, envelope.time) == ("dms.payment.received.v1", NINE)
        assert read({}).type is None

    def test_an_event_without_an_id_is_known_by_its_bytes(self) -> None:
        """Delivered again it is the same, and another one is another."""
        first, again, other = read(payment(id=...)), read(payment(id=...)), read(payment(id=..., subject="ACC-2"))
        assert first.key() == again.key() != other.key()
        assert read(payment()).key() == ("billing", "e1")

    def test_nul_outside_the_message_is_ignored(self) -> None:
        """An unknown field may hold anything."""
        assert read(payment(data=PAYMENT | {"extra": "\0", "payment_id": "\\u0000"})).fault is None


class TestBodies:
    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            (b"", "not JSON"),
            (b"{", "not JSON"),
            (b"[1, ", "not JSON"),
            (b'{"id":NaN}', "not JSON"),
            (b"\xff\xfe{}", "not UTF-8"),
            (b'{"extra":"\xff"}', "not UTF-8"),
            (body_of(payment())[:-1] + b',"extra":"\xff"}', "not UTF-8"),
            (b"5", "not a JSON object"),
            (b'"event"', "not a JSON object"),
            (b'{"id":"\\ud800"}', "not JSON"),
            (b'{"extra":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        ],
        ids=range(11),
    )
    def test_what_is_no_event_is_unreadable_byte_for_byte(self, body: bytes, reason: str) -> None:
        """It goes to the dead letters as it came."""
        (found,) = decode(body)
        assert isinstance(found, Unreadable)
        assert found.body == body
        assert found.reason.startswith(reason)

    def test_a_batch_keeps_order_and_each_its_bytes(self) -> None:
        """Only what is no event is unreadable; blanks between the elements belong to nobody."""
        parts = [body_of(payment(id="a")), b"5", b'{"id": "\xff"}', body_of(payment(id="b", data={})), b"[]"]
        found = decode(b" [ " + b" ,\n".join(parts) + b" ] ")
        assert [each.body for each in found] == parts
        assert [type(each) for each in found] == [Envelope, Unreadable, Unreadable, Envelope, Unreadable]

    def test_an_empty_batch_holds_nothing(self) -> None:
        """It is a batch all the same."""
        assert decode(b"[]") == []

    def test_a_cut_batch_is_unreadable_as_a_whole(self) -> None:
        """Where one element ends cannot be told."""
        cut = b"[" + body_of(payment()) + b',{"id'
        (found,) = decode(cut)
        assert isinstance(found, Unreadable)
        assert found.body == cut

    def test_an_element_nested_too_deeply_spares_its_neighbours(self) -> None:
        """Brackets within texts do not mislead."""
        deep = b'{"a":"]\\"[",' + b'"b":' + b"[" * 50_000 + b"]" * 50_000 + b"}"
        sound = [body_of(payment(id="a", extra='"]}')), body_of(payment(id="b"))]
        found = decode(b"[" + sound[0] + b", " + deep + b"," + sound[1] + b"]\n")
        assert [each.body for each in found] == [sound[0], deep, sound[1]]
        assert [type(each) for each in found] == [Envelope, Unreadable, Envelope]

    def test_of_a_field_given_twice_the_last_one_holds(self) -> None:
        """And a type given twice, differently, is answered."""
        twice = b'{"subject":"ACC-0",' + body_of(payment())[1:]
        (found,) = decode(twice)
        assert isinstance(found, Envelope)
        assert (found.subject, found.fault) == ("ACC-1", None)
        assert isinstance(decode(b'{"type":"dms.hold.lifted.v1",' + body_of(payment())[1:])[0], Envelope)
