"""The desks within a batch: by hand goes before the rule, and nothing steps back in time."""

import json

from adapters.cloud_events import parse_instant
from domain.calendar import MINUTE
from tests.engine.test_faults import TELECOM, event
from tests.engine.world import World

NINE = parse_instant("2026-02-02T09:00:00+03:00")


def key_account(then: str, **data: object) -> World:
    """A key account begins, and a minute later something happens to it; both in one batch."""
    world = World(TELECOM)
    attributes = {"revenue_class": "A"}
    account = {"projection": "account", "party": "organisation", "currency": "RUB", "attributes": attributes}
    lines = [event(1, "ORG", "account.updated", NINE, **account), event(2, "ORG", then, NINE + MINUTE, **data)]
    world.play(lines, NINE + 2 * MINUTE)
    return world


def test_nobody_by_hand_goes_before_the_answer_of_the_desk() -> None:
    world = key_account("manager.assigned", manager=None, actor="belov", note="")
    told = [json.loads(each.body)["data"] for each in world.once() if each.routing_key == "dms.manager.changed.v1"]
    assert told == [{"manager": None, "group": "key-account-managers", "how": "hand"}]


def test_an_answer_comes_no_earlier_than_what_was_decided_before_it() -> None:
    world = key_account("hold.placed", hold_id="H", until="2026-02-09", reason="flood")
    facts = [(type(entry.fact).__name__, entry.fact.at) for entry in world.store.reader().journal("ORG")]
    assert facts[-2:] == [("HoldPlaced", NINE + MINUTE), ("ManagerChanged", NINE + MINUTE)]
