"""Contact hours, caps, and prevention."""

from .story import HOURS, Event, Story, account, balance, by_hand, invoice, measure, payment

CAPS = HOURS + 'caps = [ { kind = "notify", per_week = 2 }, { kind = "call", per_day = 1 } ]\n'
LOW = """
[[prevention]]
name = "low"
balance_below = 1000
rearm_at = 1500
measure = { kind = "notify", channel = "sms", template = "low" }
"""
SOON = """
[[prevention]]
name = "soon"
days_before_due = 3
measure = { kind = "notify", channel = "sms", template = "soon" }
"""
REMIND_LATE = measure("remind", "notify", 1, "at = '19:00'")
CALL = measure("dial", "call", 1)

CONTACTS = [
    Story(
        name="hours of days off",
        sentence="Within the contact hours of its local day, and never before `at` of it. 2 March 2024 is a Saturday.",
        plans=REMIND_LATE,
        extra=HOURS,
        events=(account(), invoice()),
        until="03-10 00:00",
        expected=("03-04 19:00 A/1/remind plan",),
    ),
    Story(
        name="whom the hours protect",
        sentence="`parties`: whom the caps and hours protect.",
        plans=REMIND_LATE,
        extra=HOURS,
        events=(account(party="organisation"), invoice()),
        until="03-10 00:00",
        expected=("03-02 19:00 A/1/remind plan",),
    ),
    Story(
        name="from inclusive, to exclusive",
        sentence="Contact hours: from, inclusive; to, exclusive.",
        plans=measure("remind", "notify", 90),
        extra=HOURS,
        events=(
            account(),
            by_hand("03-04 08:00", "measure.ordered", measure="remind"),
            by_hand("03-04 20:00", "measure.ordered", measure="remind"),
        ),
        until="03-10 00:00",
        expected=("03-04 08:00 A/0/remind ordered", "03-05 08:00 A/0/remind/2 ordered"),
    ),
    Story(
        name="any seven consecutive days",
        sentence="`per_week` counts any 7 consecutive local days, this day included.",
        plans=measure("one", "notify", 1) + measure("two", "notify", 2) + measure("three", "notify", 3),
        extra=CAPS,
        events=(account(), invoice()),
        until="03-20 00:00",
        expected=("03-02 10:00 A/1/one plan", "03-03 10:00 A/1/two plan", "03-09 10:00 A/1/three plan"),
    ),
    Story(
        name="a manager's own call counts",
        sentence="Outgoing contacts count under the caps.",
        plans=CALL,
        extra=CAPS,
        events=(
            account(),
            invoice(),
            by_hand("03-02 09:00", "contact.made", kind="call", direction="out", outcome="spoke"),
        ),
        until="03-10 00:00",
        expected=("03-03 10:00 A/1/dial plan",),
    ),
    Story(
        name="the debtor's own call does not",
        sentence="A contact by a manager, or the debtor's own call: outgoing ones count.",
        plans=CALL,
        extra=CAPS,
        events=(
            account(),
            invoice(),
            by_hand("03-02 09:00", "contact.made", kind="call", direction="in", outcome="spoke"),
        ),
        until="03-10 00:00",
        expected=("03-02 10:00 A/1/dial plan",),
    ),
    Story(
        name="crossing a threshold",
        sentence="Fires on crossing downwards, once, until it has been at or above rearm_at; "
        "the first snapshot crosses nothing.",
        plans=measure("remind", "notify", 90),
        extra=LOW,
        events=(
            account(ledger="balance"),
            balance("02-27 12:00", 900, 1),
            balance("02-28 12:00", 1000, 2),
            balance("02-29 12:00", 999, 3),
            balance("03-01 12:00", 1499, 4),
            balance("03-02 12:00", 999, 5),
            balance("03-03 12:00", 1500, 6),
            balance("03-04 12:00", 999, 7),
        ),
        until="03-05 00:00",
        expected=("02-29 12:00 A/0/low prevention", "03-04 12:00 A/0/low/2 prevention"),
    ),
    Story(
        name="a warning at night waits",
        sentence="One that waits for contact hours goes at their next opening.",
        plans=measure("remind", "notify", 90),
        extra=LOW + HOURS,
        events=(account(ledger="balance"), balance("03-04 12:00", 1000, 1), balance("03-05 03:00", 900, 2)),
        until="03-06 00:00",
        expected=("03-05 08:00 A/0/low prevention",),
    ),
    Story(
        name="a warning that is no longer true",
        sentence="It is dropped if it is no longer true then.",
        plans=measure("remind", "notify", 90),
        extra=LOW + HOURS,
        events=(
            account(ledger="balance"),
            balance("03-04 12:00", 1000, 1),
            balance("03-05 03:00", 900, 2),
            balance("03-05 08:00", 1000, 3),
        ),
        until="03-06 00:00",
        expected=(),
    ),
    Story(
        name="due soon",
        sentence="At `at` of that local date for each item that is then unpaid and arrived before that instant.",
        plans=measure("remind", "notify", 90),
        extra=SOON,
        events=(
            account("02-20 12:00"),
            invoice("02-20 12:00", name="unpaid"),
            invoice("02-20 12:00", name="unpaid too"),
            invoice("02-20 12:00", due="2024-03-02", name="paid"),
            Event("02-21 12:00", "invoice.adjusted", {"invoice_id": "paid", "delta": -100, "reason": "error"}),
            invoice("02-27 10:00", name="at that instant"),
        ),
        until="03-03 00:00",
        expected=("02-27 10:00 A/0/soon prevention", "02-27 10:00 A/0/soon/2 prevention"),
    ),
    Story(
        name="paid at the second of the warning",
        sentence="At one instant all messages come before timers.",
        plans=measure("remind", "notify", 90),
        extra=SOON,
        events=(account("02-20 12:00"), invoice("02-20 12:00"), payment("02-27 10:00")),
        until="03-03 00:00",
        expected=(),
    ),
]
