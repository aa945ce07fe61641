"""Items, payments, reversals, claims, balances, terms."""

from .story import BLOCK, COMMANDS, RUNS, Event, Story, account, balance, invoice, measure, payment

TERMS = "[terms]\nperson = { day_of_month = 31 }\norganisation = { days_after = 2 }\n"
MISMATCH = ("dms.ledger.mismatch.v1",)


def _reversal(time: str, name: str = "P1") -> Event:
    return Event(time, "payment.reversed", {"payment_id": name, "reason": "bank"})


MONEY = [
    Story(
        name="a reversal undoes the used prepayment",
        sentence="A reversal undoes exactly what that payment paid, its used prepayment included.",
        plans=BLOCK,
        events=(account("02-20 12:00"), payment("02-21 12:00"), invoice(), _reversal("03-05 12:00")),
        until="03-10 00:00",
        watch=RUNS + COMMANDS,
        expected=("03-05 12:00 run A/1 opened", "03-05 12:00 A/1/block plan"),
    ),
    Story(
        name="another prepayment pays what a reversal opened",
        sentence="While there is a prepayment and an open item, the prepayment pays it at once.",
        plans=BLOCK,
        events=(
            account(),
            invoice(),
            payment("02-27 12:00"),
            payment("02-28 12:00", name="P2"),
            _reversal("03-05 12:00"),
        ),
        until="03-10 00:00",
        watch=RUNS,
        expected=(),
    ),
    Story(
        name="oldest due date first",
        sentence="Payments pay items oldest due date first, then in order of arrival.",
        plans=measure("file", "legal", 4),
        events=(
            account(),
            invoice(due="2024-03-05", name="I1"),
            invoice(due="2024-03-01", name="I2"),
            payment("03-04 12:00"),
        ),
        until="03-20 00:00",
        watch=RUNS + COMMANDS,
        expected=(
            "03-02 00:00 run A/1 opened",
            "03-04 12:00 run A/1 cured",
            "03-06 00:00 run A/2 opened",
            "03-09 10:00 A/2/file plan",
        ),
    ),
    Story(
        name="a credit note beyond what is left",
        sentence="Changes what is left of the item, never below zero: the rest becomes a prepayment.",
        plans=BLOCK,
        events=(
            account(),
            invoice(),
            Event("02-27 12:00", "invoice.adjusted", {"invoice_id": "I1", "delta": -150, "reason": "error"}),
            invoice("02-28 12:00", amount=60, name="I2"),
            balance("02-28 13:00", 0, 1),
        ),
        until="03-02 00:00",
        watch=RUNS + MISMATCH,
        expected=("02-28 13:00 mismatch -10 0", "03-02 00:00 run A/1 opened"),
    ),
    Story(
        name="an open claim",
        sentence="A claim's amount is not collectible while open; rejected, it is again.",
        plans=BLOCK,
        events=(
            account(),
            invoice(),
            Event("02-28 12:00", "claim.opened", {"claim_id": "C1", "invoice_id": "I1", "amount": 100}),
            Event("03-06 15:00", "claim.closed", {"claim_id": "C1", "outcome": "rejected"}),
        ),
        until="03-10 00:00",
        watch=RUNS + COMMANDS,
        expected=("03-06 15:00 run A/1 opened", "03-06 15:00 A/1/block plan"),
    ),
    Story(
        name="an upheld claim",
        sentence="An upheld claim credits the amount that was opened.",
        plans=BLOCK,
        events=(
            account(),
            invoice(),
            Event("03-03 12:00", "claim.opened", {"claim_id": "C1", "invoice_id": "I1", "amount": 40}),
            payment("03-04 12:00", amount=59),
            Event("03-06 15:00", "claim.closed", {"claim_id": "C1", "outcome": "upheld"}),
            balance("03-07 12:00", 0, 1),
        ),
        until="03-10 00:00",
        watch=RUNS + MISMATCH,
        expected=("03-02 00:00 run A/1 opened", "03-07 12:00 mismatch -1 0"),
    ),
    Story(
        name="netting pays",
        sentence="Netting is a payment with a document.",
        plans=BLOCK,
        events=(
            account(),
            invoice(),
            Event("03-01 12:00", "netting.agreed", {"netting_id": "N1", "amount": 100, "document": "act 1"}),
        ),
        until="03-10 00:00",
        watch=RUNS,
        expected=(),
    ),
    Story(
        name="past the month's end",
        sentence="A day_of_month past the month's end is its last day.",
        plans=BLOCK,
        extra=TERMS,
        events=(account("02-01 12:00"), invoice("02-10 12:00", due=None)),
        until="03-03 00:00",
        watch=RUNS,
        expected=("03-01 00:00 run A/1 opened",),
    ),
    Story(
        name="a party without terms",
        sentence="A party without terms: due on the day of issue.",
        plans=BLOCK,
        events=(account("02-01 12:00"), invoice("02-10 12:00", due=None)),
        until="02-12 00:00",
        watch=RUNS,
        expected=("02-11 00:00 run A/1 opened",),
    ),
    Story(
        name="a balance below zero",
        sentence="The account is one item: it opens when the balance falls below zero, its due date fixed then; "
        "a payment raises the balance at once.",
        plans=BLOCK,
        extra=TERMS,
        events=(
            account(ledger="balance", party="organisation"),
            balance("03-01 12:00", -100, 1),
            balance("03-02 12:00", -300, 2),
            payment("03-05 12:00", amount=300),
            _reversal("03-06 12:00"),
        ),
        until="03-10 00:00",
        watch=RUNS + COMMANDS,
        expected=(
            "03-04 00:00 run A/1 opened",
            "03-04 10:00 A/1/block plan",
            "03-05 12:00 run A/1 cured",
            "03-05 12:00 A/1/unblock cured",
            "03-09 00:00 run A/2 opened",
            "03-09 10:00 A/2/block plan",
        ),
    ),
    Story(
        name="a stale snapshot",
        sentence="Becomes the state of the account, unless a higher sequence was seen.",
        plans=BLOCK,
        events=(account(ledger="balance"), balance("03-01 12:00", 50, 10), balance("03-01 13:00", -100, 9)),
        until="03-10 00:00",
        watch=RUNS,
        expected=(),
    ),
    Story(
        name="compared with billing",
        sentence="Ledger invoices: a balance is only compared, and a difference is published.",
        plans=BLOCK,
        events=(
            account(),
            invoice(),
            balance("02-27 12:00", -100, 1),
            balance("02-28 12:00", -90, 2),
            payment("02-28 13:00", amount=130),
            balance("02-28 14:00", 30, 3),
            balance("02-28 15:00", 0, 3),
        ),
        until="02-29 00:00",
        watch=MISMATCH,
        expected=("02-28 12:00 mismatch -100 -90", "02-28 15:00 mismatch 30 0"),
    ),
]
