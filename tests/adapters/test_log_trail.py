"""The trail: one correlation leads from an event to the commands it came to, and nobody pays for it unasked."""

from pathlib import Path
from typing import Any

import pytest

from domain.calendar import HOUR, MINUTE
from tests.adapters.observed import BLOCK_AT, NOTICE_AT, Observed


def lives(observed: Observed) -> None:
    """A debt that is warned, blocked and paid."""
    try:
        observed.owe()
        observed.pass_time(NOTICE_AT)
        observed.pass_time(BLOCK_AT)
        observed.tell(
            "payment.received", at=BLOCK_AT + HOUR - MINUTE, id="paid/by 89161234567", payment_id="P-1", amount=100_000
        )
    finally:
        observed.end()


def steps(observed: Observed, correlation: str) -> list[tuple[str, Any]]:
    """What is logged under a correlation, and of which command or fact."""
    return [
        (entry["event"], entry.get("command_id") or entry.get("fact"))
        for entry in observed.entries()
        if entry.get("correlation") == correlation
    ]


def test_a_command_is_found_by_the_event_that_caused_it(tmp_path: Path) -> None:
    """From its arrival over what was decided to what has left."""
    observed = Observed(tmp_path, "TRACE")
    lives(observed)
    assert steps(observed, "paid/by 89161234567") == [
        ("event accepted", None),
        ("decided", "PaymentReceived"),
        ("decided", "RunClosed"),
        ("decided", "MeasureRequested"),
        ("command requested", "ACC-1/1/unblock"),
        ("event published", None),
        ("event published", "ACC-1/1/unblock"),
    ]


def test_a_command_of_a_timer_carries_the_timer(tmp_path: Path) -> None:
    """By profile and instant."""
    observed = Observed(tmp_path, "TRACE")
    lives(observed)
    assert ("command requested", "ACC-1/1/notice") in steps(observed, "timer/ACC-1/2026-02-03T10:00:00Z")
    assert steps(observed, "timer/ACC-1/2026-02-04T10:00:00Z") == [
        ("decided", "MeasureRequested"),
        ("command requested", "ACC-1/1/block"),
        ("event published", "ACC-1/1/block"),
    ]


def test_at_debug_only_commands_and_refusals_are_told(tmp_path: Path) -> None:
    """A refusal by its reason: its detail may quote an attribute."""
    observed = Observed(tmp_path, "DEBUG")
    observed.tell("payment.reversed", id="bad", payment_id="P-9", reason="Ivan Petrov called")
    observed.tell("payment.received", id="worse", payment_id="P-9", amount="Ivan Petrov")
    observed.tell_bytes(b"Ivan Petrov")
    lives(observed)
    said = [(entry["event"], entry.get("correlation"), entry.get("reason")) for entry in observed.entries()]
    assert said[:2] == [("event refused", "worse", "invalid"), ("unreadable body", None, said[1][2])]
    assert {event for event, *_ in said} == {"event refused", "unreadable body", "command requested"}
    assert "Petrov" not in observed.said.getvalue()


def test_duplicates_and_events_that_wait_are_told(tmp_path: Path) -> None:
    """Nothing that was sent is silent."""
    observed = Observed(tmp_path, "TRACE")
    observed.tell("invoice.issued", id="early", invoice_id="I-9", amount=5, issued_on="2026-01-01", due_on="2026-03-01")
    observed.owe()
    observed.tell("account.updated", id="account")
    observed.end()
    assert steps(observed, "early") == [
        ("event waits for its account", None),
        ("event accepted after its account", None),
    ]
    assert steps(observed, "account")[-1] == ("event dropped as a duplicate", None)


@pytest.mark.parametrize("level", ["INFO", "WARN", "ERROR", "OFF"])
def test_a_trail_that_nobody_wants_is_asked_once_a_batch_and_no_more(
    level: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is gathered, nothing written."""
    observed = Observed(tmp_path, level)

    def never(*_: object) -> None:
        raise AssertionError("nobody wants to know")

    monkeypatch.setattr(type(observed.engine.trail), "decided", never)
    monkeypatch.setattr(type(observed.engine.trail), "published", never)
    lives(observed)
    assert observed.said.getvalue() == ""
    assert len(observed.published) > 3


def test_the_trail_begins_when_the_level_is_lowered(tmp_path: Path) -> None:
    """While the engine runs, in the middle of a debt's life."""
    observed = Observed(tmp_path, "INFO")
    observed.owe()
    observed.log.set_level("TRACE")
    observed.pass_time(NOTICE_AT)
    observed.log.set_level("INFO")
    observed.pass_time(BLOCK_AT)
    observed.end()
    commands = [entry["command_id"] for entry in observed.entries() if entry["event"] == "command requested"]
    assert commands == ["ACC-1/1/notice"]
