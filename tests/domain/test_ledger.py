"""What is owed and what paid it: allocation, exact reversals, prepayments, adjustments, claims, balances."""

import random

import pytest

from domain import events as e
from domain import messages as m
from domain.ledger import BALANCE_ITEM, Ledger
from domain.timing import standing
from tests.domain.world import ACCEPTED, Story, at, on, policy

Sums = dict[str, int]


class Book:
    """A ledger whose items are due on days 10, 20, 30 … in the order of their names, or as told."""

    def __init__(self, **items: int) -> None:
        self.ledger = Ledger()
        for number, (item_id, amount) in enumerate(items.items(), start=1):
            self.issue(item_id, amount, 10 * number)

    def issue(self, item_id: str, amount: int, due: int) -> None:
        self.ledger.open(item_id, amount, due, at=due)

    def adjust(self, item_id: str, delta: int) -> None:
        self.ledger.adjust(item_id, delta, at=1)

    def claim(self, claim_id: str, item_id: str, amount: int) -> None:
        self.ledger.dispute(claim_id, item_id, amount)

    @property
    def left(self) -> Sums:
        """What is left of each item, the open ones as the ledger lists them."""
        items = self.ledger.items.values()
        in_order = list(self.ledger.open_items)
        assert sorted(map(id, in_order)) == sorted(id(item) for item in items if item.left > 0)
        assert [(item.due, item.arrival) for item in in_order] == sorted((item.due, item.arrival) for item in in_order)
        return {item.item_id: item.left for item in items if item.left > 0}

    @property
    def total(self) -> int:
        return self.ledger.prepaid() - self.ledger.debt()


# Payments.


def test_a_payment_pays_the_oldest_due_date_first() -> None:
    book = Book()
    book.issue("late", 100, due=30)
    book.issue("early", 100, due=10)
    book.issue("middle", 100, due=20)
    book.ledger.pay("P", 150)
    assert book.left == {"late": 100, "middle": 50}


def test_of_one_due_date_the_first_that_arrived_is_paid_first() -> None:
    book = Book()
    for name in ("b", "a", "c"):
        book.issue(name, 100, due=10)
    book.ledger.pay("P", 150)
    assert book.left == {"a": 50, "c": 100}


def test_what_no_item_takes_is_a_prepayment_that_pays_the_next_invoice_on_arrival() -> None:
    book = Book(I1=100)
    book.ledger.pay("P", 250)
    assert (book.left, book.ledger.prepaid()) == ({}, 150)
    book.issue("I2", 200, due=5)
    assert (book.left, book.ledger.prepaid()) == ({"I2": 50}, 0)


def test_prepayments_are_used_in_their_order_of_arrival() -> None:
    book = Book()
    book.ledger.pay("P1", 100)
    book.ledger.pay("P2", 100)
    book.issue("I1", 150, due=10)
    book.ledger.reverse("P2", at=1)
    assert (book.left, book.ledger.prepaid()) == ({"I1": 50}, 0)
    book.ledger.reverse("P1", at=1)
    assert (book.left, book.total) == ({"I1": 150}, -150)


# Reversals.


def test_a_reversal_puts_back_what_that_payment_paid_and_nothing_else() -> None:
    book = Book(I1=100, I2=100, I3=100)
    book.ledger.pay("P1", 150)
    book.ledger.pay("P2", 100)
    assert book.left == {"I3": 50}
    book.ledger.reverse("P1", at=1)
    assert book.left == {"I1": 100, "I2": 50, "I3": 50}


def test_a_reversal_takes_back_the_prepayment_used_and_unused() -> None:
    book = Book(I1=100)
    book.ledger.pay("P1", 250)
    book.issue("I2", 70, due=50)
    assert (book.left, book.ledger.prepaid()) == ({}, 80)
    book.ledger.reverse("P1", at=1)
    assert (book.left, book.ledger.prepaid()) == ({"I1": 100, "I2": 70}, 0)


def test_another_prepayment_pays_at_once_what_a_reversal_has_opened_again() -> None:
    book = Book(I1=100)
    book.ledger.pay("P1", 100)
    book.ledger.pay("P2", 60)
    book.ledger.reverse("P1", at=1)
    assert (book.left, book.ledger.prepaid()) == ({"I1": 40}, 0)
    book.ledger.reverse("P2", at=1)
    assert book.left == {"I1": 100}


def test_an_item_opened_again_stands_in_its_old_place() -> None:
    book = Book(I1=100, I2=100, I3=100)
    book.ledger.pay("P1", 100)
    book.ledger.pay("P2", 100)
    book.ledger.reverse("P1", at=1)
    book.ledger.pay("P3", 50)
    assert book.left == {"I1": 50, "I3": 100}


@pytest.mark.parametrize("seed", range(30))
def test_reversing_the_last_payments_in_turn_gives_every_state_before_again(seed: int) -> None:
    """Without prepayments waiting, reversals undo exactly, whatever was paid meanwhile."""
    chance = random.Random(seed)
    book = Book(**{f"I{n}": chance.randrange(1, 300) for n in range(10)})
    states: list[Sums] = []
    for number in range(8):
        states.append(book.left)
        book.ledger.pay(f"P{number}", chance.randrange(1, 200))
    for number in reversed(range(8)):
        book.ledger.reverse(f"P{number}", at=1)
        assert book.left == states[number]
    assert book.ledger.prepaid() == 0


@pytest.mark.parametrize("seed", range(30))
def test_reversing_all_payments_in_any_order_leaves_what_was_issued(seed: int) -> None:
    chance = random.Random(seed)
    amounts = {f"I{n}": chance.randrange(1, 300) for n in range(6)}
    book = Book(**amounts)
    for number in range(12):
        book.ledger.pay(f"P{number}", chance.randrange(1, 400))
    for number in chance.sample(range(12), 12):
        book.ledger.reverse(f"P{number}", at=1)
    assert (book.left, book.ledger.prepaid()) == (amounts, 0)


# Adjustments and claims.


def test_a_credit_note_below_zero_leaves_a_prepayment() -> None:
    book = Book(I1=100, I2=100)
    book.adjust("I1", -130)
    assert (book.left, book.ledger.prepaid()) == ({"I2": 70}, 0)
    book.adjust("I2", -100)
    assert (book.left, book.ledger.prepaid()) == ({}, 30)


def test_a_credit_note_for_exactly_what_is_left_closes_the_item() -> None:
    book = Book(I1=100)
    book.adjust("I1", -100)
    assert (book.left, book.ledger.prepaid()) == ({}, 0)


def test_a_debit_note_opens_a_paid_item_again_and_a_prepayment_pays_it_at_once() -> None:
    book = Book(I1=100, I2=100)
    book.ledger.pay("P1", 100)
    book.adjust("I1", 30)
    assert book.left == {"I1": 30, "I2": 100}
    book.ledger.pay("P2", 200)
    book.adjust("I1", 50)
    assert (book.left, book.ledger.prepaid()) == ({}, 20)


def test_reversing_the_payment_of_a_credited_item_puts_back_what_was_paid() -> None:
    """I1 of 100 was paid, then credited by 40 (a prepayment): the reversal leaves 100 less the 40."""
    book = Book(I1=100)
    book.ledger.pay("P1", 100)
    book.adjust("I1", -40)
    assert book.ledger.prepaid() == 40
    book.ledger.reverse("P1", at=1)
    assert (book.left, book.ledger.prepaid()) == ({"I1": 60}, 0)


def test_a_claim_takes_its_amount_out_of_collection_and_a_rejected_one_gives_it_back() -> None:
    book = Book(I1=100)
    book.claim("C", "I1", 60)
    assert (book.ledger.items["I1"].claimed, book.left) == (60, {"I1": 100})
    book.ledger.settle_claim("C", upheld=False, at=1)
    assert (book.ledger.items["I1"].claimed, book.left) == (0, {"I1": 100})


def test_an_upheld_claim_credits_the_amount_that_was_opened_even_if_less_is_left() -> None:
    book = Book(I1=100, I2=100)
    book.claim("C", "I1", 60)
    book.ledger.pay("P", 70)
    book.ledger.settle_claim("C", upheld=True, at=1)
    assert (book.left, book.ledger.prepaid()) == ({"I2": 70}, 0)


def test_two_claims_on_one_item_are_told_apart() -> None:
    book = Book(I1=100)
    book.claim("C1", "I1", 30)
    book.claim("C2", "I1", 50)
    book.ledger.settle_claim("C1", upheld=True, at=1)
    assert (book.ledger.items["I1"].claimed, book.left) == (50, {"I1": 70})


# The ledger of a profile: what is overdue and collectible.


def overdue(story: Story) -> tuple[int, int]:
    """What is overdue now, and for how many days."""
    today = story.policy.zone.day(story.now)
    amount, oldest = standing(story.profile, today)
    return amount, today - oldest if oldest else 0


def test_an_item_is_overdue_from_local_midnight_after_its_due_date() -> None:
    story = Story(policy()).owes(500, due="03-02")
    assert overdue(story.until("03-02 23:59:59.999999")) == (0, 0)
    assert overdue(story.until("03-03 00:00")) == (500, 1)
    assert overdue(story.until("03-12 12:00")) == (500, 10)


def test_days_past_due_count_from_the_oldest_item_of_which_something_is_collectible() -> None:
    story = Story(policy()).owes(100, due="03-02", invoice="I1").owes(200, due="03-07", invoice="I2").until("03-10")
    assert overdue(story) == (300, 8)
    assert story.tell(m.ClaimOpened, "C", "I1", 100) == ACCEPTED
    assert overdue(story) == (200, 3)
    assert story.tell(m.ClaimClosed, "C", "rejected") == ACCEPTED
    assert overdue(story) == (300, 8)
    assert overdue(story.pays(100)) == (200, 3)


def test_a_claim_above_what_is_left_hides_no_other_item() -> None:
    story = Story(policy()).owes(100, invoice="I1").owes(200, invoice="I2").until("03-10")
    assert story.tell(m.ClaimOpened, "C", "I1", 1_000) == ACCEPTED
    assert overdue(story) == (200, 8)


def test_an_upheld_claim_pays_other_items_with_what_it_credits_too_much() -> None:
    story = Story(policy()).owes(100, invoice="I1").owes(200, invoice="I2").until("03-10")
    story.tell(m.ClaimOpened, "C", "I1", 150)
    assert story.tell(m.ClaimClosed, "C", "upheld") == ACCEPTED
    assert overdue(story) == (150, 8)


def test_netting_is_a_payment_with_a_document() -> None:
    story = Story(policy()).owes(500).until("03-10")
    assert story.tell(m.NettingAgreed, "N", 200, "act 7") == ACCEPTED
    assert overdue(story) == (300, 8)
    assert story.tell(m.PaymentReversed, "N", "act annulled") == ACCEPTED
    assert overdue(story) == (500, 8)


@pytest.mark.parametrize(
    ("party", "issued", "expected"),
    [
        ("organisation", "03-03", "03-08"),  # days_after = 5
        ("person", "03-05", "03-05"),  # day_of_month = 5: the day of issue itself
        ("person", "03-06", "04-05"),
        ("stranger", "03-06", "03-06"),  # no terms: due on the day of issue
    ],
)
def test_an_invoice_without_a_due_date_is_due_by_the_terms_of_the_party(party: str, issued: str, expected: str) -> None:
    story = Story(policy(), party=party).owes(due=None, issued=issued)
    assert story.profile.ledger.items["I1"].due == on(expected)


# Ledger balance: the account is one item.


def test_a_balance_below_zero_is_one_item_due_by_the_terms_from_that_day() -> None:
    story = Story(policy(), ledger="balance", since="03-06 12:00").has(-300)
    item = story.profile.ledger.items[BALANCE_ITEM]
    assert (item.left, item.due) == (300, on("04-05"))


def test_falling_further_keeps_the_due_date_and_falling_again_takes_a_new_one() -> None:
    story = Story(policy(), party="organisation", ledger="balance", since="03-06 12:00").has(-300)
    story.until("03-09 12:00").has(-900)
    assert overdue(story.until("03-12 12:00")) == (900, 1)
    story.has(0).until("03-13 12:00").has(-100)
    assert overdue(story.until("03-18 12:00")) == (0, 0)
    assert overdue(story.until("03-19 12:00")) == (100, 1)


def test_a_payment_raises_the_balance_until_the_next_snapshot_replaces_it() -> None:
    story = Story(policy(), party="organisation", ledger="balance").has(-500).until("03-10 12:00").pays(200, "P")
    assert (story.profile.balance, overdue(story)) == (-300, (300, 4))
    assert story.tell(m.PaymentReversed, "P", "bounced") == ACCEPTED
    assert (story.profile.balance, overdue(story)) == (-500, (500, 4))
    assert overdue(story.pays(600).has(-450)) == (0, 0)


def test_before_the_first_snapshot_payments_leave_the_balance_unknown() -> None:
    story = Story(policy(), ledger="balance").pays(200, "P")
    assert (story.profile.balance, story.profile.ledger.debt()) == (None, 0)
    assert story.tell(m.PaymentReversed, "P", "bounced") == ACCEPTED
    assert story.profile.balance is None


def test_a_reversal_that_takes_the_balance_below_zero_opens_an_item_by_the_terms_of_that_day() -> None:
    story = Story(policy(), party="organisation", ledger="balance").has(-100).pays(100, "P").until("03-10 12:00")
    assert story.tell(m.PaymentReversed, "P", "bounced") == ACCEPTED
    assert story.profile.ledger.items[BALANCE_ITEM].due == on("03-15")


def test_a_snapshot_with_a_lower_sequence_is_stale_one_with_the_same_is_taken_and_sources_count_alone() -> None:
    story = Story(policy(), ledger="balance").has(-300, sequence=7)
    assert story.tell(m.BalanceChanged, -100, 6, "billing") == "stale"
    assert story.profile.balance == -300
    assert story.has(-200, sequence=7).profile.balance == -200
    assert story.has(-150, sequence=1, source="other").profile.balance == -150


def test_a_snapshot_of_a_ledger_of_invoices_is_only_compared() -> None:
    story = Story(policy()).owes(500).pays(200)
    story.has(-300).has(-301)
    assert story.told(e.LedgerMismatch) == ["03-01 12:00 ours -300, theirs -301"]
    assert story.profile.ledger.debt() == 300


def test_an_item_opened_again_before_its_reminder_is_as_old_as_its_arrival() -> None:
    """``since`` moves forward only when a paid item is opened again."""
    story = Story(policy()).owes(500).until("03-01 13:00").pays(500, "P").until("03-01 14:00")
    assert story.tell(m.PaymentReversed, "P", "bounced") == ACCEPTED
    assert story.profile.ledger.items["I1"].since == at("03-01 14:00")
