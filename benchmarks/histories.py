"""Recorded histories of any size for the benchmarks: one seed, one history."""

import heapq
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 1, tzinfo=UTC)


def history(accounts: int, events: int, seed: int = 1) -> Iterator[bytes]:
    """JSON lines in order of time: every account first, then a year of invoices and of what becomes of them.

    A typical operator: of a hundred invoices 85 are paid within four days, 12 within a month (one in ten of these in
    part), 3 never. One event in ten is a promise, a hold or a contact.
    """
    rng = random.Random(seed)
    at = START
    step = timedelta(days=365) / max(1, events)
    coming: list[tuple[datetime, int, int, int]] = []
    for number in range(events):
        at += step
        if number < accounts:
            yield _event(number, number, at, "account.updated", _account("person" if number % 5 else "organisation"))
            continue
        if coming and coming[0][0] <= at:
            _, invoice, account, amount = heapq.heappop(coming)
            yield _event(number, account, at, "payment.received", f'{{"payment_id":"P-{invoice}","amount":{amount}}}')
            continue
        account = rng.randrange(accounts)
        if rng.random() < 0.2:
            yield _event(number, account, at, *_rare(rng, number, at))
            continue
        amount = rng.randrange(10_000, 200_000)
        data = f'{{"invoice_id":"I-{number}","amount":{amount},"issued_on":"{at.date()}"}}'
        yield _event(number, account, at, "invoice.issued", data)
        luck = rng.random()
        if luck < 0.97:
            days = rng.uniform(0.1, 4) if luck < 0.85 else rng.uniform(4, 30)
            part = amount // 2 if luck > 0.96 else amount
            heapq.heappush(coming, (at + timedelta(days=days), number, account, part))


def _account(party: str) -> str:
    return (
        f'{{"projection":"account","party":"{party}","currency":"RUB",'
        '"attributes":{"region":"SPB","tenure_months":12,"revenue_class":"B"}}'
    )


def _rare(rng: random.Random, number: int, at: datetime) -> tuple[str, str]:
    later = (at + timedelta(days=rng.randrange(1, 20))).date()
    draw = rng.randrange(3)
    if draw == 0:
        return "promise.made", f'{{"promise_id":"R-{number}","amount":10000,"pay_by":"{later}"}}'
    if draw == 1:
        return "hold.placed", f'{{"hold_id":"H-{number}","until":"{later}","reason":"illness"}}'
    return "contact.made", '{"kind":"call","direction":"out","actor":"belov","outcome":"spoke","note":""}'


def _event(number: int, account: int, at: datetime, kind: str, data: str) -> bytes:
    return (
        f'{{"specversion":"1.0","id":"e-{number}","source":"billing","type":"dms.{kind}.v1",'
        f'"subject":"ACC-{account:06}","time":"{at.strftime("%Y-%m-%dT%H:%M:%S")}Z","data":{data}}}'
    ).encode()
