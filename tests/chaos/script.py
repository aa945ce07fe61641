"""What publishers say in a chaos run: one seed, one script. What must come out does not depend on when it is said."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

PAST_DUE: Final = "2025-01-15"


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
        event = {
            "specversion": "1.0",
            "id": f"{number}",
            "source": source,
            "type": f"dms.{kind}.v1",
            "subject": subject,
            "time": at.isoformat().replace("+00:00", "Z"),
            "data": data,
        }
        body = json.dumps(event, separators=(",", ":")).encode()
        bodies.append((subject, body))
        lines.append(body)
        if rng.random() < 0.05:
            bodies.append(rng.choice(bodies[-50:]))
        if rng.random() < 0.005:
            unreadable += 1
            bodies.append(("", b'{"unreadable": %d' % unreadable))
    return Script(bodies, lines, unreadable)


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
    while told < events:
        told += 1
        luck = rng.random()
        name = f"{subject}-{told}"
        if owed == 0 or luck < 0.3:
            amount = rng.randrange(1, 1_000) * 100
            owed += amount
            data = {"invoice_id": name, "amount": amount, "issued_on": "2025-01-01", "due_on": PAST_DUE}
            yield subject, "invoice.issued", data
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
