"""What publishers say in a chaos run: one seed, one script. What must come out does not depend on when it is said."""

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

PAST_DUE: Final = "2025-01-15"
NO_JSON: Final = b'{"unreadable": %d'
NO_EVENT: Final = b'"unreadable: %d"'
"""It may stand in a batch, of which it alone is a dead letter."""
DEBT: Final = 50_000
"""What each of `debts` owes, in minor units."""


@dataclass(frozen=True, slots=True)
class Script:
    """``bodies`` in the order of publishing, each with its subject; ``lines`` are the sound ones, for the reference."""

    bodies: list[tuple[str, bytes]]
    lines: list[bytes]
    unreadable: int


def script(seed: int, accounts: int, events: int, first: int = 0) -> Script:
    """Debts that are overdue on arrival, and what pays, reverses, disputes and closes them; with duplicates, disorder
    between profiles, types that nobody knows, and bodies that are no events at all. ``first`` numbers the accounts."""
    rng = random.Random(seed)
    source = f"billing-{seed}"
    at = datetime.now(UTC).replace(hour=0, minute=0, second=1, microsecond=0)
    bodies: list[tuple[str, bytes]] = []
    lines: list[bytes] = []
    stories = [_story(rng, f"ACC-{first + number:06}", events // accounts) for number in range(accounts)]
    number = 0
    unreadable = 0
    while stories:
        story = rng.choice(stories)
        try:
            subject, kind, data = next(story)
        except StopIteration:
            stories.remove(story)
            continue
        number += 1
        at += timedelta(milliseconds=1)
        body = _event(f"{number}", source, subject, kind, at, data)
        bodies.append((subject, body))
        lines.append(body)
        if rng.random() < 0.05:
            bodies.append(rng.choice(bodies[-50:]))
        if rng.random() < 0.005:
            unreadable += 1
            bodies.append(("", NO_JSON % unreadable if unreadable % 2 else NO_EVENT % unreadable))
    return Script(bodies, lines, unreadable)


def debts(count: int, name: str, region: str = "N", today: date | None = None) -> Script:
    """So many debtors, each with an account and one invoice that was due the day before ``today`` (None: in UTC)."""
    today = today or datetime.now(UTC).date()
    bodies: list[tuple[str, bytes]] = []
    for number in range(count):
        subject = f"{name}-{number:06}"
        account = {"projection": "account", "party": "person", "currency": "RUB", "attributes": {"region": region}}
        invoice = {"invoice_id": "I-1", "amount": DEBT, "issued_on": str(today - timedelta(days=30)),
                   "due_on": str(today - timedelta(days=1))}  # fmt: skip
        bodies.append((subject, event(f"a-{subject}", subject, "account.updated", account)))
        bodies.append((subject, event(f"i-{subject}", subject, "invoice.issued", invoice)))
    return Script(bodies, [body for _, body in bodies], 0)


def event(id: str, subject: str, kind: str, data: Mapping[str, object], source: str = "chaos") -> bytes:
    """An event that happens now."""
    return _event(id, source, subject, kind, datetime.now(UTC), data)


def _event(id: str, source: str, subject: str, kind: str, at: datetime, data: Mapping[str, object]) -> bytes:
    said = {
        "specversion": "1.0",
        "id": id,
        "source": source,
        "type": f"dms.{kind}.v1",
        "subject": subject,
        "time": at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "data": data,
    }
    return json.dumps(said, separators=(",", ":")).encode()


def _story(rng: random.Random, subject: str, events: int) -> Iterator[tuple[str, str, dict[str, object]]]:
    account: dict[str, object] = {
        "projection": "account",
        "party": "person",
        "currency": "RUB",
        "attributes": {"region": "N"},
    }
    yield subject, "account.updated", account
    owed = 0
    told = 1
    invoice = ""
    amounts: dict[str, int] = {}
    while told < events:
        told += 1
        luck = rng.random()
        name = f"{subject}-{told}"
        if owed == 0 or luck < 0.3:
            amount = rng.randrange(1, 1_000) * 100
            owed += amount
            invoice, amounts[name] = name, amount
            data = {"invoice_id": name, "amount": amount, "issued_on": "2025-01-01", "due_on": PAST_DUE}
            yield subject, "invoice.issued", data
        elif luck < 0.35:
            told += 1
            claim = {"claim_id": name, "invoice_id": invoice, "amount": amounts[invoice]}
            yield subject, "claim.opened", claim
            yield subject, "claim.closed", {"claim_id": name, "outcome": "rejected"}
        elif luck < 0.85:
            amount = owed if rng.random() < 0.7 else max(1, owed // 2)
            owed -= amount
            yield subject, "payment.received", {"payment_id": name, "amount": amount}
            if rng.random() < 0.2:
                told += 1
                owed += amount
                yield subject, "payment.reversed", {"payment_id": name, "reason": "chargeback"}
        elif luck < 0.9:
            yield subject, "payment.received", {"payment_id": "P", "amount": "much"}
        elif luck < 0.95:
            yield subject, "weather.changed", {"rain": True}
        else:
            yield subject, "account.updated", {"attributes": {"region": rng.choice("NS")}}
    if owed:
        yield subject, "payment.received", {"payment_id": f"{subject}-last", "amount": owed}
    if rng.random() < 0.2:
        yield subject, "account.closed", {"reason": "left"}
        yield subject, "payment.received", {"payment_id": f"{subject}-late", "amount": 100}
