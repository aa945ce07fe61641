"""How a replay's lines fall into turns is nobody's business: other accounts' events change nothing for a profile."""

import json
import random
from collections.abc import Iterator
from dataclasses import replace

import pytest

from adapters import replay
from adapters.policy_files import load_policy
from adapters.replay import Line, Replay
from domain.calendar import HOUR
from tests.engine.test_faults import START, TELECOM, event

BY_HEAD = {"actor": "belov", "note": ""}


def key_account(number: int, subject: str, at: int, revenue_class: str = "A") -> bytes:
    return event(
        number, subject, "account.updated", at, projection="account", party="organisation", currency="RUB",
        attributes={"region": "SPB", "revenue_class": revenue_class},
    )  # fmt: skip


def played(lines: list[bytes], capacity: int = 60) -> list[bytes]:
    """What leaves where each specialist has room for so many."""
    policy = load_policy(TELECOM)
    people = {
        who: replace(each, capacity=capacity) if each.role == "specialist" else each
        for who, each in (policy.managers or {}).items()
    }
    recorded = (Line("history", number, line) for number, line in enumerate(lines, 1))
    return [each.body for each in Replay(replace(policy, managers=people)).run(recorded)]


def months_with_managers(seed: int) -> Iterator[bytes]:
    """Accounts that come, move between service segments and close, invoices, and heads who decide."""
    rng = random.Random(seed)
    at = START
    for number in range(120):
        at += rng.choice([1, 1, 2, 30]) * HOUR + number
        who = f"ORG-{rng.randrange(8)}"
        match rng.randrange(8):
            case 0 | 1 | 2:
                yield key_account(number, who, at, rng.choice("AAB"))
            case 3:
                chosen = rng.choice([None, "sokolova", "karelin"])
                yield event(number, who, "manager.assigned", at, manager=chosen, **BY_HEAD)
            case 4:
                yield event(number, who, "group.assigned", at, group=rng.choice([None, "nw-managers"]), **BY_HEAD)
            case 5 if rng.random() < 0.5:
                yield event(number, who, "account.closed", at, reason="left")
            case _:
                yield event(
                    number, who, "invoice.issued", at, invoice_id=f"I-{number}", amount=90_000, issued_on="2026-02-01"
                )


def test_a_desk_answers_before_the_next_decision_about_managers() -> None:
    """As it does in production, where hours are between the two."""
    lines = [
        key_account(1, "ORG", START),
        event(2, "ORG", "manager.assigned", START + HOUR, manager=None, **BY_HEAD),
        event(3, "ORG", "account.closed", START + 2 * HOUR, reason="left"),
    ]
    told = [json.loads(each) for each in played(lines)]
    assert [each["data"]["manager"] for each in told if "manager.changed" in each["type"]] == ["sokolova", None]
    assert [each["id"] for each in told] == ["ORG/1", "ORG/2", "ORG/3"]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("capacity", [1, 2, 60])
def test_turns_of_any_size_give_the_same_bytes(seed: int, capacity: int, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = list(months_with_managers(seed))
    at_once = played(lines, capacity)
    for size in (1, 7):
        monkeypatch.setattr(replay, "EVENTS_AT_ONCE", size)
        assert played(lines, capacity) == at_once
