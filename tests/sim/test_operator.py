"""What the engine, and whoever judges it, may rely on from the synthetic operator and from its clock."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from adapters.cloud_events import decode
from domain.calendar import DAY, HOUR, MINUTE, SECOND
from engine.envelope import Envelope
from engine.ports import OutgoingEvent
from sim.accelerated import AcceleratedClock
from sim.operator import BATCH_MAX, SyntheticOperator

Event = dict[str, Any]


def published(operator: SyntheticOperator, days: int) -> Iterator[bytes]:
    """All bodies of so many days, hour by hour."""
    for hour in range(days * 24 + 1):
        yield from operator.events_until(operator.start + hour * HOUR)


def events_of(bodies: Iterator[bytes]) -> list[Event]:
    events: list[Event] = []
    for body in bodies:
        parsed = json.loads(body)
        events += parsed if isinstance(parsed, list) else [parsed]
    return events


def command(account: str, measure: str, kind: str, at: int, run: int = 1) -> OutgoingEvent:
    data: dict[str, Any] = {
        "command_id": f"{account}/{run}/{measure}", "measure": measure, "kind": kind, "target": "network",
        "channel": None, "template": None, "params": {}, "plan": "internet", "plan_version": 1,
        "run_id": f"{account}/{run}", "step": 1, "days_past_due": 2, "overdue": 100_00, "reason": "plan",
    }  # fmt: skip
    event = {"specversion": "1.0", "type": "dms.measure.requested.v1", "subject": account, "data": data}
    return OutgoingEvent(account, f"{account}/{at}", at, f"measure.network.{measure}", json.dumps(event).encode())


@pytest.fixture(scope="module")
def month() -> tuple[SyntheticOperator, list[bytes]]:
    """An operator that nobody answers, and what it has published in forty days."""
    operator = SyntheticOperator(accounts=300, seed=7)
    return operator, list(published(operator, 40))


def test_one_seed_makes_one_world() -> None:
    first = list(published(SyntheticOperator(accounts=60, seed=3), 12))
    again = list(published(SyntheticOperator(accounts=60, seed=3), 12))
    other = list(published(SyntheticOperator(accounts=60, seed=4), 12))
    assert first == again
    assert first != other


def test_every_event_is_sound(month: tuple[SyntheticOperator, list[bytes]]) -> None:
    _, bodies = month
    for body in bodies:
        for event in decode(body):
            assert isinstance(event, Envelope)
            assert event.fault is None, event


def test_many_types_of_event_come(month: tuple[SyntheticOperator, list[bytes]]) -> None:
    """Prompt and late payers, disputes, moratoria, calls by hand: a newcomer should see more than invoices."""
    types = Counter(event["type"] for event in events_of(iter(month[1])))
    expected = "account.updated invoice.issued payment.received balance.changed claim.opened contact.made hold.placed"
    for name in expected.split():
        assert types[f"dms.{name}.v1"] > 0, name


def test_only_what_was_doubled_on_purpose_comes_twice(month: tuple[SyntheticOperator, list[bytes]]) -> None:
    operator, bodies = month
    events = events_of(iter(bodies))
    times = Counter((event["source"], event["id"]) for event in events)
    doubled = [event for event in events if times[event["source"], event["id"]] > 1]
    assert len(events) - len(times) <= operator.books.duplicates
    assert len(doubled) > 0
    assert len(events) == operator.books.published
    bodies_of: dict[str, set[str]] = defaultdict(set)
    for event in doubled:
        bodies_of[f"{event['source']} {event['id']}"].add(json.dumps(event))
    assert all(len(same) == 1 for same in bodies_of.values())


def test_bodies_are_batches_of_at_most_a_hundred_in_order_of_time(
    month: tuple[SyntheticOperator, list[bytes]],
) -> None:
    _, bodies = month
    seen: set[tuple[str, str]] = set()
    last = ""
    for body in bodies:
        batch = events_of(iter([body]))
        assert 1 <= len(batch) <= BATCH_MAX
        for event in batch:
            key = event["source"], event["id"]
            assert event["time"] >= last or key in seen
            last = max(last, event["time"])
            seen.add(key)


def test_money_adds_up(month: tuple[SyntheticOperator, list[bytes]]) -> None:
    """Whoever adds up the events comes to the balances in billing's books, and these to the totals."""
    operator, bodies = month
    owed: Counter[str] = Counter()
    seen: set[tuple[str, str]] = set()
    amounts: dict[str, int] = {}
    for event in events_of(iter(bodies)):
        data, subject = event["data"], event["subject"]
        if (event["source"], event["id"]) in seen:
            continue
        seen.add((event["source"], event["id"]))
        match event["type"]:
            case "dms.invoice.issued.v1":
                owed[subject] += data["amount"]
            case "dms.invoice.adjusted.v1":
                owed[subject] += data["delta"]
            case "dms.payment.received.v1":
                amounts[data["payment_id"]] = data["amount"]
                owed[subject] -= data["amount"]
            case "dms.payment.reversed.v1":
                owed[subject] += amounts[data["payment_id"]]
            case "dms.netting.agreed.v1":
                owed[subject] -= data["amount"]
            case "dms.claim.opened.v1":
                amounts[data["claim_id"]] = data["amount"]
            case "dms.claim.closed.v1" if data["outcome"] == "upheld":
                owed[subject] -= amounts[data["claim_id"]]
    for account in operator.accounts:
        if account.ledger == "invoices":
            assert owed[account.id] == -account.balance, account.id
    assert operator.books.outstanding() == -sum(account.balance for account in operator.accounts)


def test_who_is_left_alone_pays_when_the_imagined_one_does() -> None:
    """Without an engine the days to pay with measures and without are the same, but for calls and claims by hand."""
    operator = SyntheticOperator(accounts=300, seed=5)
    for _ in published(operator, 75):
        pass
    debts, real, imagined = operator.books.days_unpaid(operator.today)
    assert debts > 50
    assert abs(real - imagined) < 1.5


def test_a_command_is_carried_out_and_confirmed() -> None:
    operator = SyntheticOperator(accounts=20, seed=1)
    operator.events_until(operator.start + DAY)
    at = operator.start + DAY + 10 * HOUR
    operator.events_until(at)
    operator.receive([command("ACC-1001", "block-internet", "restrict", at)])
    assert [account.id for account in operator.restricted()] == ["ACC-1001"]
    answers_at = operator.answers_at()
    assert answers_at is not None
    assert at < answers_at <= at + 10 * MINUTE
    events = events_of(iter(operator.events_until(at + HOUR)))
    answers = [event for event in events if event["data"].get("command_id") == "ACC-1001/1/block-internet"]
    assert [event["type"] for event in answers] == ["dms.measure.completed.v1"]
    assert operator.accounts[0].off == {"internet"}


def test_a_service_that_is_given_back_at_once_is_not_taken_away_after_that() -> None:
    """Systems carry out the commands for a customer in their order, however fast they are."""
    for seed in range(20):
        operator = SyntheticOperator(accounts=3, seed=seed)
        at = operator.start + DAY
        operator.events_until(at)
        operator.receive([command("ACC-1001", "block-internet", "restrict", at)])
        operator.receive([command("ACC-1001", "unblock-internet", "restore", at + SECOND)])
        answers = [event["type"] for event in events_of(iter(operator.events_until(at + DAY)))]
        assert operator.restricted() == []
        if "dms.measure.failed.v1" not in answers:
            assert operator.accounts[0].off == set(), seed


def test_a_head_decides_on_what_asks_for_approval() -> None:
    operator = SyntheticOperator(accounts=200, seed=2)
    at = operator.start + 40 * DAY
    operator.events_until(at)
    debtor = next(account.id for account in operator.accounts if account.overdue(operator.today) and account.temper > 1)
    task = {"task_id": f"{debtor}/1/terminate", "command_id": f"{debtor}/1/terminate", "measure": "terminate"}
    opened = {"type": "dms.task.opened.v1", "subject": debtor, "data": task | {"why": "approval"}}
    operator.receive([OutgoingEvent(debtor, "1", at, "dms.task.opened.v1", json.dumps(opened).encode())])
    events = events_of(body for hour in range(120) for body in operator.events_until(at + hour * HOUR))
    answers = [event["type"] for event in events if event["data"].get("command_id") == task["command_id"]]
    assert answers in (["dms.measure.approved.v1"], ["dms.measure.rejected.v1"])


class Wall:
    """A wall's clock that a test turns."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_an_accelerated_clock_runs_fast_but_not_past_its_leash() -> None:
    wall = Wall()
    clock = AcceleratedClock(5 * DAY, 86_400.0, wall)
    assert clock.now() == 5 * DAY
    wall.seconds += 0.5
    assert clock.now() == 5 * DAY
    clock.let(6 * DAY)
    assert clock.now() == 5 * DAY + 12 * HOUR
    wall.seconds += 10
    assert clock.now() == 6 * DAY
    assert clock.seconds_until(16 * DAY) == pytest.approx(0.5)


def test_what_is_published_takes_effect_at_the_time_that_it_carries() -> None:
    """Behind the clock it happens now; each event has an instant of its own; nothing comes from the future."""
    wall = Wall()
    clock = AcceleratedClock(0, 86_400.0, wall)
    wall.seconds += 1
    assert clock.stamp(HOUR) == HOUR
    assert clock.stamp(HOUR) == HOUR + 1
    assert clock.stamp(MINUTE) == HOUR + 2
    assert clock.stamp(7 * DAY) == DAY
    assert clock.now() == DAY
    clock.reach(2 * DAY)
    assert clock.stamp(None) == 2 * DAY + 1
