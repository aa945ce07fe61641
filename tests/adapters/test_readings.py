"""Readings: what an engine has done and how it stands, told as it is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.calendar import DAY, HOUR, MINUTE
from engine.tally import Spread, Tally
from tests.adapters.observed import BLOCK_AT, NOTICE_AT, START, Observed


@pytest.fixture
def observed(tmp_path: Path) -> Iterator[Observed]:
    """An engine that nobody has told anything yet."""
    observed = Observed(tmp_path)
    yield observed
    observed.end()


def test_every_event_is_counted_with_what_became_of_it(observed: Observed) -> None:
    """By its type; what the engine does not know, and whoever sends it may invent, is one type."""
    observed.owe()
    observed.tell("invoice.issued", invoice_id="I-2", amount=-5, issued_on="2026-01-01")
    observed.tell("account.updated", id="account", projection="account")
    for number in range(3):
        observed.tell(f"invented.{number}")
    observed.tell("invoice.issued", "ACC-2", invoice_id="I-2", amount=5, issued_on="2026-01-01", due_on="2026-02-02")
    observed.tell_bytes(b"no event")
    assert observed.readings().events == {
        ("dms.account.updated.v1", "accepted"): 1,
        ("dms.account.updated.v1", "duplicate"): 1,
        ("dms.invoice.issued.v1", "accepted"): 1,
        ("dms.invoice.issued.v1", "rejected"): 1,
        ("dms.invoice.issued.v1", "held"): 1,
        ("unknown", "rejected"): 3,
        ("", "unreadable"): 1,
    }


def test_invented_types_do_not_fill_the_memory() -> None:
    """An event that is invalid may name any type besides."""
    tally = Tally()
    for number in range(10_000):
        tally.count(f"invented.{number}", "rejected")
    assert len(tally.events) < 1_000
    assert tally.outcomes() == {"rejected": 10_000}


def test_every_command_is_counted_with_what_became_of_it(observed: Observed) -> None:
    """Sent, sent again, given up without an answer; the reversal completed, by the kind and target of the policy."""
    observed.owe()
    observed.pass_time(NOTICE_AT)
    observed.pass_time(BLOCK_AT)
    observed.pass_time(BLOCK_AT + HOUR)
    observed.pass_time(BLOCK_AT + 2 * HOUR)
    paid_at = BLOCK_AT + 3 * HOUR
    observed.tell("payment.received", at=paid_at, payment_id="P-1", amount=100_000)
    observed.tell("measure.completed", at=paid_at + MINUTE, command_id="ACC-1/1/unblock", detail="")
    assert observed.readings().measures == {
        ("notify", "messaging", "requested"): 1,
        ("restrict", "network", "requested"): 1,
        ("restrict", "network", "retried"): 1,
        ("restrict", "network", "unknown"): 1,
        ("restore", "network", "requested"): 1,
        ("restore", "network", "completed"): 1,
    }


def test_a_reported_failure_counts_when_the_command_is_given_up(observed: Observed) -> None:
    """While it is sent again, it may still succeed."""
    observed.owe()
    observed.pass_time(NOTICE_AT)
    observed.pass_time(BLOCK_AT)
    for minute, failed in ((1, 0), (2, 1)):
        at = BLOCK_AT + minute * MINUTE
        observed.tell("measure.failed", at=at, command_id="ACC-1/1/block", detail="no such line")
        observed.pass_time(at + 1)
        assert observed.readings().measures.get(("restrict", "network", "failed"), 0) == failed


def test_a_command_that_lost_its_reason_before_it_left_is_withdrawn(observed: Observed) -> None:
    """The debt was paid while nothing could leave."""
    observed.owe()
    observed.pass_time(NOTICE_AT)
    observed.is_routable = False
    observed.pass_time(BLOCK_AT)
    observed.tell("payment.received", at=BLOCK_AT + MINUTE, payment_id="P-1", amount=100_000)
    assert observed.readings().measures["restrict", "network", "withdrawn"] == 1


def test_a_timer_that_nobody_works_is_late(observed: Observed) -> None:
    """By as much as the clock has gone on since its instant."""
    observed.owe()
    observed.pass_time(NOTICE_AT - MINUTE)
    assert observed.readings().timer_lag_seconds == 0
    observed.clock.reach(NOTICE_AT + 5 * MINUTE)
    assert observed.readings().timer_lag_seconds == 300
    observed.pass_time(NOTICE_AT + 5 * MINUTE)
    assert observed.readings().timer_lag_seconds == 0


def test_what_the_store_has_not_told_is_late_too(observed: Observed) -> None:
    """Timers are fetched a while ahead: past the end of what is known, an engine that does not turn is behind."""
    observed.owe()
    known_until = START + observed.engine.settings.horizon_us
    observed.clock.reach(known_until + 7 * MINUTE)
    assert observed.readings().timer_lag_seconds == pytest.approx(420, abs=1)


def test_what_cannot_leave_is_pending_and_grows_old(observed: Observed) -> None:
    """Until it can."""
    observed.is_routable = False
    observed.owe()
    readings = observed.readings()
    assert (readings.outbox_pending, readings.publish_failures) == (len(observed.engine.outbox), 2)
    assert readings.outbox_pending > 0
    observed.clock.reach(START + DAY)
    assert observed.readings().outbox_oldest_seconds == pytest.approx(86_400, abs=1)
    observed.is_routable = True
    observed.pass_time(START + DAY)
    readings = observed.readings()
    assert (readings.outbox_pending, readings.outbox_oldest_seconds, readings.publish_failures) == (0, 0, 2)


def test_how_things_stand(observed: Observed) -> None:
    """Profiles in memory, shards, commits."""
    observed.owe()
    observed.tell("account.updated", "ACC-2", projection="account", party="person", currency="RUB")
    readings = observed.readings()
    assert (readings.profiles_active, readings.shards_owned) == (2, observed.store.shards)
    assert sum(readings.commit_seconds.counts) == sum(readings.commit_events.counts) == 3
    assert sum(readings.event_seconds.counts) == readings.commit_events.total == 3


def test_a_spread_counts_each_value_under_its_bound() -> None:
    """A bound belongs to what lies under it, as Prometheus has it; what is beyond all comes last."""
    spread = Spread((1.0, 2.0))
    spread.add(1.0)
    spread.add(1.5, 3)
    spread.add(9.0)
    assert (spread.counts, spread.total) == ([1, 3, 1], 14.5)
