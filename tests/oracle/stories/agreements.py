"""Moratoria, promises, instalments."""

from typing import Any

from .story import BLOCK, COMMANDS, RUNS, Event, Story, account, invoice, payment

PROMISES = ("dms.promise.kept.v1", "dms.promise.broken.v1")
INSTALMENTS = ("dms.instalments.broken.v1", "dms.instalments.completed.v1")


def _hold(time: str, until: str, name: str = "H1") -> Event:
    return Event(time, "hold.placed", {"hold_id": name, "until": until, "reason": "illness"})


def _promise(time: str, amount: int, pay_by: str, name: str = "PR1") -> Event:
    return Event(time, "promise.made", {"promise_id": name, "amount": amount, "pay_by": pay_by})


def _instalments(time: str, *parts: tuple[str, int]) -> Event:
    agreed: list[dict[str, Any]] = [{"pay_by": pay_by, "amount": amount} for pay_by, amount in parts]
    return Event(time, "instalments.agreed", {"schedule_id": "S1", "parts": agreed})


AGREEMENTS = [
    Story(
        name="a moratorium ends at midnight",
        sentence="Nothing of the run fires until the end of that date; "
        "a hold that ends at midnight blocks nobody at night.",
        plans=BLOCK,
        events=(account(), invoice(), _hold("03-01 12:00", "2024-03-04")),
        until="03-10 00:00",
        watch=RUNS + COMMANDS,
        expected=("03-02 00:00 run A/1 opened", "03-05 10:00 A/1/block plan"),
    ),
    Story(
        name="a moratorium moves",
        sentence="The same hold_id again moves it.",
        plans=BLOCK,
        events=(account(), invoice(), _hold("03-01 12:00", "2024-03-20"), _hold("03-02 12:00", "2024-03-03")),
        until="03-10 00:00",
        expected=("03-04 10:00 A/1/block plan",),
    ),
    Story(
        name="a moratorium is lifted",
        sentence="Not during a hold; after it, at once.",
        plans=BLOCK,
        events=(
            account(),
            invoice(),
            _hold("03-01 12:00", "2024-03-20"),
            Event("03-05 15:00", "hold.lifted", {"hold_id": "H1"}),
        ),
        until="03-10 00:00",
        expected=("03-05 15:00 A/1/block plan",),
    ),
    Story(
        name="a broken promise",
        sentence="Nothing fires until the end of pay_by; broken at the midnight after it.",
        plans=BLOCK,
        events=(account(), invoice(), _promise("02-28 12:00", 100, "2024-03-03")),
        until="03-10 00:00",
        watch=COMMANDS + PROMISES,
        expected=("03-04 00:00 promise PR1 broken", "03-04 10:00 A/1/block plan"),
    ),
    Story(
        name="a payment at the midnight after pay_by is in time",
        sentence="A payment that arrives at the midnight after a pay_by is in time.",
        plans=BLOCK,
        events=(account(), invoice(), _promise("03-01 12:00", 40, "2024-03-03"), payment("03-04 00:00", amount=40)),
        until="03-10 00:00",
        watch=COMMANDS + PROMISES,
        expected=("03-04 00:00 promise PR1 kept", "03-04 10:00 A/1/block plan"),
    ),
    Story(
        name="a kept promise ends its hold",
        sentence="Kept at the moment when payments since it was made reach its amount "
        "(the hold ends; kept stays kept).",
        plans=BLOCK,
        events=(
            account(),
            invoice(),
            payment("02-27 12:00", amount=1, name="before"),
            _promise("02-28 12:00", 40, "2024-03-20"),
            payment("03-04 12:00", amount=39, name="P1"),
            payment("03-05 15:00", amount=1, name="P2"),
            Event("03-06 12:00", "payment.reversed", {"payment_id": "P2", "reason": "bank"}),
        ),
        until="03-25 00:00",
        watch=COMMANDS + PROMISES,
        expected=("03-05 15:00 promise PR1 kept", "03-05 15:00 A/1/block plan"),
    ),
    Story(
        name="a new promise replaces the one before",
        sentence="A new promise replaces the one before, which then is neither.",
        plans=BLOCK,
        events=(
            account(),
            invoice(),
            _promise("03-01 12:00", 100, "2024-03-20", "PR1"),
            _promise("03-02 12:00", 100, "2024-03-03", "PR2"),
        ),
        until="03-30 00:00",
        watch=COMMANDS + PROMISES,
        expected=("03-04 00:00 promise PR2 broken", "03-04 10:00 A/1/block plan"),
    ),
    Story(
        name="a promise for a day that has passed",
        sentence="Else broken at the midnight after pay_by (at the next midnight, if that has passed).",
        plans=BLOCK,
        events=(account(), invoice(), _promise("03-05 12:00", 100, "2024-03-03")),
        until="03-30 00:00",
        watch=PROMISES,
        expected=("03-06 00:00 promise PR1 broken",),
    ),
    Story(
        name="instalments kept, then broken",
        sentence="Broken at the midnight after a pay_by by which less was paid than the parts due so far, "
        "and then covers nothing.",
        plans=BLOCK,
        events=(
            account(),
            invoice(),
            _instalments("02-28 12:00", ("2024-03-05", 50), ("2024-03-20", 50)),
            payment("03-06 00:00", amount=50),
        ),
        until="03-25 00:00",
        watch=RUNS + COMMANDS + INSTALMENTS,
        expected=(
            "03-21 00:00 instalments S1 broken",
            "03-21 00:00 run A/1 opened",
            "03-21 10:00 A/1/block plan",
        ),
    ),
    Story(
        name="instalments completed",
        sentence="Completed when everything is paid.",
        plans=BLOCK,
        events=(
            account(),
            invoice(),
            _instalments("02-28 12:00", ("2024-03-05", 50), ("2024-03-20", 50)),
            payment("03-05 12:00", amount=70),
            payment("03-07 12:00", amount=30, name="P2"),
        ),
        until="03-25 00:00",
        watch=RUNS + INSTALMENTS,
        expected=("03-07 12:00 instalments S1 completed",),
    ),
    Story(
        name="a schedule covers the oldest items first",
        sentence="Less what a kept instalment schedule covers (oldest items first).",
        plans=BLOCK,
        events=(
            account(),
            invoice(due="2024-03-01", name="I1"),
            invoice(due="2024-03-04", name="I2"),
            _instalments("02-28 12:00", ("2024-03-30", 100)),
        ),
        until="03-06 00:00",
        watch=RUNS + COMMANDS,
        expected=("03-05 00:00 run A/1 opened", "03-05 10:00 A/1/block plan"),
    ),
    Story(
        name="cancelled instalments",
        sentence="A cancelled schedule covers nothing any more.",
        plans=BLOCK,
        events=(
            account(),
            invoice(),
            _instalments("02-28 12:00", ("2024-03-30", 100)),
            Event("03-05 15:00", "instalments.cancelled", {"schedule_id": "S1"}),
        ),
        until="04-06 00:00",
        watch=RUNS + COMMANDS + INSTALMENTS,
        expected=("03-05 15:00 run A/1 opened", "03-05 15:00 A/1/block plan"),
    ),
]
