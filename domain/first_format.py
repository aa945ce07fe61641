"""Ledgers as the first format of snapshots kept them: settled items, payments and claims among the open ones."""

from typing import Any

from domain import settled
from domain.ledger import Claim, Item, Payment
from domain.profile import Profile
from domain.settled import CLAIM, PAYMENT, REVERSED


def thaw_ledger_1(profile: Profile, state: tuple[Any, ...]) -> None:
    """Fills the ledger from its state in format 1; what is over becomes lines."""
    ledger = profile.ledger
    profile.balance, ledger.arrivals, items, payments, unnamed, claims, sequences, ids = state
    by_arrival = {values[2]: Item(*values) for values in items}
    ledger.open_items = tuple(sorted([item for item in by_arrival.values() if item.left > 0], key=_by_due_date))
    over = [
        settled.item_line(item.item_id, item.arrival, item.due, item.since, item.reminded)
        for item in by_arrival.values()
        if item.left == 0 and item.claimed == 0
    ]
    waiting = [Payment(None, arrival, amount, rest) for arrival, amount, rest in unnamed or ()]
    for payment_id, arrival, amount, rest, *more in payments:
        if rest > 0:
            waiting.append(Payment(payment_id, arrival, amount, rest, tuple(more[0]) if more else ()))
        elif len(more) > 1:
            over.append(settled.line(REVERSED, payment_id, amount, arrival))
        else:
            over.append(settled.line(PAYMENT, payment_id, amount, arrival, *(more[0] if more else ())))
    if waiting:
        ledger.credits = sorted(waiting, key=_by_arrival)
    for claim_id, arrival, amount, is_open in claims or ():
        if is_open:
            ledger.claims = ledger.claims or {}
            ledger.claims[claim_id] = Claim(by_arrival[arrival], amount)
        else:
            over.append(settled.line(CLAIM, claim_id))
    ledger.settled = "".join(over)
    profile.sequences = dict(sequences) if sequences is not None else None
    profile.ids = set(ids) if ids is not None else None


def _by_due_date(item: Item) -> tuple[int, int]:
    return item.due, item.arrival


def _by_arrival(payment: Payment) -> int:
    return payment.arrival
