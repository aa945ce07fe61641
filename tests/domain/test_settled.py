"""What is over is a line: nothing of it is forgotten, and it comes to life again when late news asks for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import messages as m
from domain import settled
from domain.journal import rebuild, same
from domain.ledger import Ledger
from domain.settled import CLAIM, ITEM, PAYMENT
from domain.snapshot import freeze, thaw
from tests.domain.wild_story import Life

# What format 1 kept of an account with a paid and disputed invoice, a reversed payment and a prepayment left.
FIRST_FORMAT = (
    1,
    ("account", "person", "RUB", "invoices", None, {"region": "SPB"}, False),
    (
        None,
        7,
        (
            ("I1", 739695, 1, 0, 1772355600000001),
            ("I2", 739685, 2, 0, 1772355600000001, 30, ()),
            ("I\t3", 739686, 3, 0, 1772355600000001),
        ),
        (
            ("P1", 4, 700, 0, (2, 500, 3, 70, 1, 130)),
            ("P2", 5, 100, 0, (), True),
            ("P3", 6, 2000, 1130, (1, 870)),
        ),
        ((7, 40, 40),),
        (("C1", 1, 100, False), ("C2", 2, 30, True)),
        None,
        None,
    ),
    (1, "rest", "near", "plan", None, "g1", False, None),
    (None, 0, None, False, None),
    (None, None, 0, None),
    (None, None, None, None, None, None, None, None),
    2,
    0,
    4611686018427387904,
)


def settled_life() -> Life:
    life = Life().owes(1000, "03-20").owes(500, "03-10", "I2").owes(70, "03-11", "I\t3").pays(700, "P1").pays(100, "P2")
    for message in (
        (m.ClaimOpened, "C1", "I1", 100),
        (m.ClaimOpened, "C2", "I2", 30),
        (m.ClaimClosed, "C1", "rejected"),
        (m.PaymentReversed, "P2", "bounced"),
        (m.PaymentReceived, "P3", 2000),
        (m.InvoiceAdjusted, "I1", -40, "goodwill"),
    ):
        assert life.tell(*message) == "accepted"
    return life


def test_a_state_of_the_first_format_is_the_same_profile() -> None:
    life = settled_life()
    assert same(thaw("A", FIRST_FORMAT), life.profile)
    assert same(thaw("A", FIRST_FORMAT), rebuild("A", life.facts))


def test_a_paid_item_and_its_payment_are_lines_and_nothing_else() -> None:
    life = Life().owes(500, "03-10").pays(500, "P")
    ledger = life.profile.ledger
    assert (ledger.open_items, ledger.credits, ledger.claims) == ((), None, None)
    assert len(ledger.settled.splitlines()) == 3
    assert (ledger.items["I1"].left, ledger.payments["P"].paid) == (0, (1, 500))


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        ((m.InvoiceIssued, "I1", 10, 739690, 739690), "id_reused"),
        ((m.PaymentReceived, "P1", 10), "id_reused"),
        ((m.NettingAgreed, "P2", 10, "act 7"), "id_reused"),
        ((m.ClaimOpened, "C1", "I2", 10), "id_reused"),
        ((m.ClaimClosed, "C1", "upheld"), "unknown_reference"),
        ((m.PaymentReversed, "P2", "again"), "unknown_reference"),
        ((m.PaymentReversed, "P1", "bounced"), "accepted"),
        ((m.ClaimOpened, "C3", "I\t3", 10), "accepted"),
        ((m.InvoiceAdjusted, "I\t3", 10, "late fee"), "accepted"),
    ],
)
def test_late_news_of_what_is_settled_is_judged_as_if_it_were_open(message: tuple[object, ...], answer: str) -> None:
    life = settled_life()
    assert life.tell(*message) == answer  # type: ignore[arg-type]
    again = thaw("A", freeze(life.profile))
    assert freeze(again) == freeze(life.profile)


def test_a_settled_item_that_is_opened_again_knows_what_has_reminded_of_it() -> None:
    ledger = Ledger()
    ledger.open("I", 100, 20, at=1)
    ledger.remind("I", "due-soon")
    ledger.pay("P", 100)
    ledger.remind("I", "due\tnow")
    ledger.reverse("P", at=9)
    (item,) = ledger.open_items
    assert (item.left, item.since, item.reminded) == (100, 9, ("due-soon", "due\tnow"))
    assert settled.place(ledger.settled, ITEM, "I") == -1


@given(st.lists(st.text(), min_size=1, max_size=5, unique=True))
def test_any_text_is_an_id_that_is_found_and_read_again(names: list[str]) -> None:
    names = [name.encode("utf-8", "ignore").decode() for name in names]
    names = list(dict.fromkeys(names))
    text = "".join([settled.item_line(name, n, 5, 7, (name,)) for n, name in enumerate(names)])
    text += "".join([settled.line(PAYMENT, name, n, 2) for n, name in enumerate(names)])
    assert text.isascii()
    assert [each[0] for each in settled.lines(text, ITEM)] == names
    for n, name in enumerate(names):
        at = settled.place(text, ITEM, name)
        assert settled.place_of_arrival(text, n) == at
        *fields, rule = settled.fields(text, at)
        assert (fields, settled.read(rule)) == ([name, f"#{n}", "5", "7"], name)
        assert settled.place(settled.without(text, at), ITEM, name) == -1
        assert settled.place(settled.without(text, at), PAYMENT, name) >= 0
        assert settled.place(text, CLAIM, name) == -1
