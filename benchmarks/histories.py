"""Recorded histories of any size for the benchmarks: one seed, one history."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 1, tzinfo=UTC)


def history(accounts: int, events: int, seed: int = 1) -> Iterator[bytes]:
    """JSON lines in order of time: every account first, then months of invoices and of payments, some late or partial.

    A typical mix: about half invoices, two fifths payments, and a tenth of promises, holds, claims, contacts,
    reversals and duplicates.
    """
    rng = random.Random(seed)
    at = START
    step = timedelta(days=365) / max(1, events)
    open_invoices: list[list[tuple[str, int]]] = [[] for _ in range(accounts)]
    for number in range(events):
        at += step
        if number < accounts:
            account = number
            kind = "person" if account % 5 else "organisation"
            yield _event(number, account, at, "account.updated", _account(kind))
            continue
        account = rng.randrange(accounts)
        unpaid = open_invoices[account]
        draw = rng.random()
        if draw < 0.1:
            yield _event(number, account, at, *_rare(rng, number, at, unpaid))
        elif unpaid and draw < 0.55:
            _, amount = unpaid.pop(0)
            amount = amount if rng.random() < 0.9 else amount // 2 + 1
            yield _event(number, account, at, "payment.received", f'{{"payment_id":"P-{number}","amount":{amount}}}')
        else:
            amount = rng.randrange(10_000, 200_000)
            unpaid.append((f"I-{number}", amount))
            data = f'{{"invoice_id":"I-{number}","amount":{amount},"issued_on":"{at.date()}"}}'
            yield _event(number, account, at, "invoice.issued", data)


def _account(party: str) -> str:
    return (
        f'{{"projection":"account","party":"{party}","currency":"RUB",'
        '"attributes":{"region":"SPB","tenure_months":12,"revenue_class":"B"}}'
    )


def _rare(rng: random.Random, number: int, at: datetime, unpaid: list[tuple[str, int]]) -> tuple[str, str]:
    later = (at + timedelta(days=rng.randrange(1, 20))).date()
    draw = rng.randrange(4)
    if draw == 0:
        return "promise.made", f'{{"promise_id":"R-{number}","amount":10000,"pay_by":"{later}"}}'
    if draw == 1:
        return "hold.placed", f'{{"hold_id":"H-{number}","until":"{later}","reason":"illness"}}'
    if draw == 2 and unpaid:
        return "claim.opened", f'{{"claim_id":"C-{number}","invoice_id":"{unpaid[0][0]}","amount":5000}}'
    return "contact.made", '{"kind":"call","direction":"out","actor":"spec-1","outcome":"spoke","note":""}'


def _event(number: int, account: int, at: datetime, kind: str, data: str) -> bytes:
    return (
        f'{{"specversion":"1.0","id":"e-{number}","source":"billing","type":"dms.{kind}.v1",'
        f'"subject":"ACC-{account:06}","time":"{at.strftime("%Y-%m-%dT%H:%M:%S")}Z","data":{data}}}'
    ).encode()
