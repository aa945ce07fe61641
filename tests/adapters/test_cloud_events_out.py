"""What leaves the engine: each published event as the table of outgoing types says, and why an event was rejected."""

import json
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.cloud_events import REJECTED, TYPE_OF, decode, encode, encode_rejection, parse_instant, rfc3339
from adapters.event_types import NAME_MAX
from domain import events as e
from domain.calendar import NEVER
from domain.decision import Refusal
from domain.record import Record
from engine.envelope import Envelope
from tests.adapters.event_samples import NINE, PAYMENT, body_of, event


def command(**fields: Any) -> e.MeasureRequested:
    """A text message in a run, or what the fields make of it."""
    sound: dict[str, Any] = {
        "at": NINE,
        "command_id": "A/1/sms",
        "measure": "sms",
        "kind": "notify",
        "target": "crm",
        "channel": "sms",
        "template": "reminder",
        "params": {"tone": "soft"},
        "plan": "standard",
        "plan_version": 7,
        "run_id": "A/1",
        "step": 2,
        "dpd": 15,
        "overdue": 500,
        "reason": "plan",
        "on": 739_000,
        "day": 3,
        "counts": True,
        "contact": True,
        "reverse": "unblock",
        "restores": None,
        "confirm_by": NEVER,
        "confirm_within": 0,
        "retries": 2,
        "attempt": 1,
        "bound": 4,
    }
    return e.MeasureRequested(**(sound | fields))


COMMAND = {
    "command_id": "A/1/sms",
    "measure": "sms",
    "kind": "notify",
    "target": "crm",
    "channel": "sms",
    "template": "reminder",
    "params": {"tone": "soft"},
    "plan": "standard",
    "plan_version": 7,
    "run_id": "A/1",
    "step": 2,
    "days_past_due": 15,
    "overdue": 500,
    "reason": "plan",
}
PUBLISHED: list[tuple[Record, str, dict[str, object]]] = [
    (command(), "measure.requested", COMMAND),
    (
        e.SegmentChanged(NINE, "b2c", None, None, None, "standard", "g1", True),
        "segment.changed",
        {
            "policy_segment": "b2c",
            "service_segment": None,
            "previous_policy_segment": None,
            "previous_service_segment": None,
        },
    ),
    (e.ManagerChanged(NINE, None, "g1", "rule"), "manager.changed", {"manager": None, "group": "g1", "how": "rule"}),
    (e.RunOpened(NINE, 1, "A/1", "standard", 7, 15, 500), "run.opened", {"run_id": "A/1", "plan": "standard"}),
    (
        e.RunClosed(NINE, "A/1", "standard", "cured"),
        "run.closed",
        {"run_id": "A/1", "plan": "standard", "outcome": "cured"},
    ),
    (
        e.TaskOpened(NINE, "T1", "sue", "A/1/sue", "approval", "standard", False),
        "task.opened",
        {"task_id": "T1", "measure": "sue", "command_id": "A/1/sue", "why": "approval"},
    ),
    (
        e.TaskClosed(NINE, "T1", "sue", "A/1/sue", "approval", None, "cured"),
        "task.closed",
        {
            "task_id": "T1",
            "measure": "sue",
            "command_id": "A/1/sue",
            "why": "approval",
            "actor": None,
            "outcome": "cured",
        },
    ),
    (e.PromiseKept(NINE, "P1"), "promise.kept", {"promise_id": "P1"}),
    (e.PromiseBroken(NINE, "P1"), "promise.broken", {"promise_id": "P1"}),
    (e.InstalmentsBroken(NINE, "S1"), "instalments.broken", {"schedule_id": "S1"}),
    (e.InstalmentsCompleted(NINE, "S1"), "instalments.completed", {"schedule_id": "S1"}),
    (e.LedgerMismatch(NINE, -500, -600), "ledger.mismatch", {"ledger": -500, "reported": -600}),
    (
        e.ServiceRestoreOverdue(NINE, "A/1/unblock", "unblock", "oss", None, NINE - 1_000_000),
        "service.restore_overdue",
        {
            "command_id": "A/1/unblock",
            "measure": "unblock",
            "target": "oss",
            "run_id": None,
            "requested_at": "2026-03-01T08:59:59Z",
        },
    ),
]


def rejection_of(body: bytes) -> dict[str, Any]:
    (envelope,) = decode(body)
    assert isinstance(envelope, Envelope)
    refusal = envelope.fault or Refusal("unknown_reference", "no such payment")
    out = encode_rejection(envelope, refusal, NINE)
    said: dict[str, Any] = json.loads(out.body)
    assert (out.event_id, out.routing_key, out.profile_id) == (said["id"], REJECTED, said.get("subject", ""))
    return said


@pytest.mark.parametrize(("record", "type_", "data"), PUBLISHED, ids=[row[1] for row in PUBLISHED])
def test_each_published_event_says_what_the_table_says(record: Record, type_: str, data: dict[str, object]) -> None:
    """Its fields, in that order, null for what is absent; nothing that is only for the engine."""
    out = encode(record, "ACC-1", 15)
    said = json.loads(out.body)
    assert said == {
        "specversion": "1.0",
        "id": "ACC-1/15",
        "source": "dms",
        "type": f"dms.{type_}.v1",
        "subject": "ACC-1",
        "time": "2026-03-01T09:00:00Z",
        "datacontenttype": "application/json",
        "data": data,
    }
    assert list(said["data"]) == list(data)
    assert (out.profile_id, out.event_id, out.at) == ("ACC-1", "ACC-1/15", NINE)
    assert (out.state, out.breaker) == ("pending", None)


def test_every_published_event_has_a_case_here() -> None:
    """And each its type."""
    assert {type(record) for record, _, _ in PUBLISHED} == e.PUBLISHED
    assert {TYPE_OF[type(record)] for record, _, _ in PUBLISHED} == {f"dms.{type_}.v1" for _, type_, _ in PUBLISHED}


@pytest.mark.parametrize(("record", "type_", "_"), PUBLISHED, ids=[row[1] for row in PUBLISHED])
def test_commands_go_to_their_target_and_all_else_by_type(record: Record, type_: str, _: object) -> None:
    """The routing key lets an executing system bind to its own commands."""
    key = encode(record, "ACC-1", 1).routing_key
    assert key == ("measure.crm.sms" if type_ == "measure.requested" else f"dms.{type_}.v1")


def test_a_reversal_has_no_step() -> None:
    """Position 0 means none."""
    said = json.loads(encode(command(step=0), "A", 1).body)["data"]
    assert said == COMMAND | {"step": None}


def test_without_a_plan_there_is_no_version_of_it() -> None:
    """A warning before the due date belongs to no plan and no run."""
    absent = {"plan": None, "run_id": None, "channel": None, "template": None}
    said = json.loads(encode(command(step=0, **absent), "A", 1).body)["data"]
    assert said == COMMAND | absent | {"step": None, "plan_version": None}


def test_params_may_be_any_mapping() -> None:
    """A policy may have frozen them."""
    said = json.loads(encode(command(params=MappingProxyType({"tone": "мягко"})), "A", 1).body)["data"]
    assert said["params"] == {"tone": "мягко"}


def test_a_business_rejection_names_the_event() -> None:
    """By its id, source and type, with the reason and what exactly is wrong."""
    said = rejection_of(body_of(event("payment.received", PAYMENT)))
    assert said == {
        "specversion": "1.0",
        "id": "rejected/billing/e1",
        "source": "dms",
        "type": "dms.message.rejected.v1",
        "subject": "ACC-1",
        "time": "2026-03-01T09:00:00Z",
        "datacontenttype": "application/json",
        "data": {
            "reason": "unknown_reference",
            "detail": "no such payment",
            "id": "e1",
            "source": "billing",
            "type": "dms.payment.received.v1",
        },
    }


def test_what_was_missing_is_null_in_the_rejection() -> None:
    """Without a subject the rejection has none either; without an id it is known by the event's bytes."""
    said = rejection_of(b"{}")
    assert "subject" not in said
    assert said["data"] == {"reason": "invalid", "detail": "id is missing", "id": None, "source": None, "type": None}
    assert said["id"].startswith("rejected//sha256:")
    assert said["id"] != rejection_of(b"{ }")["id"]


def test_different_events_never_share_an_id() -> None:
    """However publishers and profiles are named."""
    ids = [
        rejection_of(body_of(event("hold.lifted", {}, source="a/b", id="c")))["id"],
        rejection_of(body_of(event("hold.lifted", {}, source="a", id="b/c")))["id"],
        rejection_of(body_of(event("hold.lifted", {}, source="a", id="b%2Fc")))["id"],
        rejection_of(body_of(event("hold.lifted", {}, source="a", id="5")))["id"],
        encode(e.PromiseKept(NINE, "P1"), "rejected/a", 5).event_id,
        encode(e.PromiseKept(NINE, "P1"), "./rejected/a", 5).event_id,
    ]
    assert len(set(ids)) == len(ids)


def test_the_longest_names_stay_within_an_index_row() -> None:
    """PostgreSQL indexes 2,700 bytes."""
    longest = body_of(event("hold.lifted", {}, source="я" * NAME_MAX, id="/" * NAME_MAX, subject="я" * NAME_MAX))
    assert len(rejection_of(longest)["id"].encode()) < 2_700


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (NINE, "2026-03-01T09:00:00Z"),
        (NINE + 500_000, "2026-03-01T09:00:00.500Z"),
        (NINE + 1, "2026-03-01T09:00:00.000001Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
    ],
)
def test_instants_have_as_many_decimals_as_they_need(at: int, text: str) -> None:
    """None, three or six."""
    assert rfc3339(at) == text


@given(st.integers(parse_instant("0001-01-01T00:00:00Z"), parse_instant("9999-12-31T23:59:59Z")))
def test_instants_come_back(at: int) -> None:
    """Written and read, an instant is the same, to the microsecond."""
    assert parse_instant(rfc3339(at)) == at


@pytest.mark.parametrize("text", ["", "yesterday", "2026-03-01", "2026-03-01T09:00:00", "2026-13-01T09:00:00Z", "1\n2"])
def test_what_is_no_instant_is_said_in_one_line(text: str) -> None:
    """With an example of what would be one."""
    with pytest.raises(ValueError, match=r"^'[^\n]*' is not an instant such as 2026-03-01T09:00:00Z$"):
        parse_instant(text)


@given(st.text(min_size=1, max_size=NAME_MAX).filter(str.isprintable), st.integers(1, 10**12))
def test_what_goes_out_could_come_in(profile_id: str, number: int) -> None:
    """Its attributes are sound CloudEvents: a reader of ours only misses the type."""
    (found,) = decode(encode(e.PromiseKept(NINE, "P1"), profile_id, number).body)
    assert isinstance(found, Envelope)
    assert found.fault is not None
    assert (found.subject, found.source, found.time) == (profile_id, "dms", NINE)
