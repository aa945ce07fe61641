"""The account itself: how it begins, its segments and attributes, who serves it, and what is refused and why."""

from dataclasses import replace
from typing import Any

import pytest

from domain import events as e
from domain import messages as m
from domain.policy import Attribute, Manager, Policy, Segment, ServiceSegment
from domain.profile import Profile
from domain.record import Record
from domain.snapshot import freeze
from domain.work import work
from tests.domain.world import (
    ACCEPTED,
    Broken,
    Rule,
    Story,
    at,
    attribute,
    block,
    file,
    on,
    plan,
    policy,
    terminate,
)

ATTRIBUTES = {
    "region": Attribute(name="region", type="string"),
    "tenure": Attribute(name="tenure", type="integer"),
    "score": Attribute(name="score", type="number"),
    "vip": Attribute(name="vip", type="boolean"),
    "born": Attribute(name="born", type="date"),
    "class": Attribute(name="class", type="enum", values=("A", "B"), default="B"),
}
SEGMENTS = (
    Segment(name="organisations", plan="soft", when=Rule("party", lambda facts: facts["party"] == "organisation")),
    Segment(name="vip", plan="soft", when=attribute("class", "A")),
    Segment(name="everyone", plan="plan"),
)
SERVICE = (
    ServiceSegment(name="west", group="west-group", when=attribute("region", "west"), assign="least-loaded"),
    ServiceSegment(
        name="east",
        group="east-group",
        when=attribute("region", "east"),
        personal=attribute("class", "A"),
        assign="least-loaded",
    ),
)
PEOPLE = {
    who: Manager(id=who, name=who, role=role)
    for who, role in (("anna", "specialist"), ("hanna", "head"), ("adam", "administrator"))
}


def rules(**more: Any) -> Policy:
    fields: dict[str, Any] = {
        "plans": [plan("soft", file(20))],
        "segments": SEGMENTS,
        "service_segments": SERVICE,
        "attributes": ATTRIBUTES,
    }
    return policy(block(1), file(5), terminate(9, approval="head"), **{**fields, **more})


def update(story: Story, **fields: object) -> str:
    """An account event that tells these fields and attributes only."""
    own = {name: fields.pop(name, None) for name in ("projection", "party", "currency", "ledger", "customer_id")}
    return story.tell(m.AccountUpdated, *own.values(), fields)


# It begins.


@pytest.mark.parametrize("missing", ["projection", "party", "currency"])
def test_the_first_event_of_an_account_says_what_it_is(missing: str) -> None:
    profile, facts = Profile("A"), list[Record]()
    projection, party, currency = (
        None if field == missing else value
        for field, value in (("projection", "account"), ("party", "person"), ("currency", "RUB"))
    )
    first = m.AccountUpdated(1, projection, party, currency, None, None, {})
    refusal = work(profile, first, rules(), facts)
    assert (refusal and refusal.reason, facts, profile.is_known) == ("invalid", [], False)


def test_a_new_account_is_put_into_its_segments() -> None:
    story = Story(rules(), party="organisation", attributes={"region": "west"})
    [changed] = [fact for fact in story.facts if isinstance(fact, e.SegmentChanged)]
    assert (changed.policy_segment, changed.service_segment) == ("organisations", "west")
    assert (changed.previous_policy_segment, changed.previous_service_segment) == (None, None)


def test_a_later_event_merges_what_it_tells_and_leaves_the_rest() -> None:
    story = Story(rules(), attributes={"region": "west", "tenure": 3})
    assert update(story, customer_id="C-1", tenure=4) == ACCEPTED
    assert update(story, projection="contract", region=None) == ACCEPTED
    profile = story.profile
    assert (profile.projection, profile.party, profile.customer_id) == ("contract", "person", "C-1")
    assert profile.attributes == {"tenure": 4}


def test_an_attribute_that_the_policy_does_not_declare_is_ignored_and_noted() -> None:
    story = Story(rules())
    assert update(story, shoe_size=44, tenure=1) == ACCEPTED
    assert story.profile.attributes == {"tenure": 1}
    assert [fact.name for fact in story.facts if isinstance(fact, e.AttributeIgnored)] == ["shoe_size"]


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("region", ["", "west"], [1, True, 1.5]),
        ("tenure", [0, -3], ["3", 3.5, True]),
        ("score", [0, 0.5], ["1", False]),
        ("vip", [True, False], [0, 1, "true"]),
        ("born", ["2000-02-29"], ["2000-2-9", "yesterday", 20000229]),
        ("class", ["A", "B"], ["C", "a", 1, True]),
    ],
)
def test_a_declared_attribute_has_a_value_of_its_type_or_null(name: str, good: list[object], bad: list[object]) -> None:
    story = Story(rules())
    assert [update(story, **{name: value}) for value in (*good, None)] == [ACCEPTED] * (len(good) + 1)
    assert [update(story, **{name: value}) for value in bad] == ["invalid"] * len(bad)


def test_a_date_that_no_calendar_has_is_no_date() -> None:
    assert update(Story(rules()), born="2001-02-29") == "invalid"


def test_ledger_and_currency_cannot_change_but_may_be_repeated() -> None:
    story = Story(rules())
    assert update(story, ledger="balance") == "not_changeable"
    assert update(story, currency="USD") == "wrong_currency"
    assert update(story, ledger="invoices", currency="RUB") == ACCEPTED


# Its segments.


def test_the_first_rule_that_is_true_wins_and_defaults_count() -> None:
    story = Story(rules())
    assert story.profile.policy_segment == "everyone", "class is B by default"
    update(story, **{"class": "A"})
    update(story, party="organisation")
    assert story.told(e.SegmentChanged)[1:] == ["03-01 12:00 everyone -> vip", "03-01 12:00 vip -> organisations"]
    assert story.profile.rule_plan == "soft"


def test_no_segment_is_told_again_while_it_stays() -> None:
    story = Story(rules(), attributes={"region": "west"})
    update(story, tenure=4, region="west")
    assert len(story.told(e.SegmentChanged)) == 1


def test_where_no_service_rule_is_true_there_is_no_service_segment() -> None:
    story = Story(rules(), attributes={"region": "west"})
    update(story, region="north")
    assert (story.profile.service_segment, story.profile.policy_segment) == (None, "everyone")


def test_a_rule_that_fails_counts_as_false_and_is_reported() -> None:
    segments = Segment(name="odd", plan="soft", when=Broken()), Segment(name="everyone", plan="plan")
    story = Story(rules(segments=segments)).owes().until("03-04")
    [reported] = [fact for fact in story.facts if isinstance(fact, e.ConditionReported)]
    assert (story.profile.policy_segment, reported.expression, reported.error) == (
        "everyone",
        "1 / 0",
        "division by zero",
    )


def test_a_condition_of_a_measure_that_fails_skips_it_and_is_reported() -> None:
    story = Story(policy(block(1, when=Broken()), file(2))).owes().until("03-10")
    assert story.told(e.ConditionReported, e.MeasureSkipped, e.MeasureRequested) == [
        "03-03 10:00 ConditionReported",
        "03-03 10:00 block skipped: condition",
        "03-04 10:00 file",
    ]


def test_a_condition_sees_the_account_and_its_debt() -> None:
    seen: dict[str, object] = {}

    def look(facts: object) -> bool:
        seen.update(facts)  # type: ignore[call-overload]
        return True

    story = Story(policy(block(3, when=Rule("everything", look)), attributes=ATTRIBUTES), attributes={"tenure": 7})
    story.owes(700, invoice="I1").owes(300, due="03-20", invoice="I2")
    story.tell(m.PromiseMade, "PR", 5_000, on("03-01"))
    story.until("03-10")
    assert seen == {
        "party": "person",
        "projection": "account",
        "ledger": "invoices",
        "currency": "RUB",
        "attributes": {"class": "B", "tenure": 7},
        "balance": -1_000,
        "debt": 1_000,
        "overdue": 700,
        "days_past_due": 3,
        "open_items": 2,
        "broken_promises": 1,
        "segment": "everyone",
    }


def test_a_profile_that_no_rule_gives_a_plan_has_no_run_and_one_that_loses_it_goes_on() -> None:
    nobody = Segment(name="vip", plan="soft", when=attribute("class", "A"))
    story = Story(rules(segments=(nobody,))).owes().until("03-10")
    assert story.runs == []
    assert update(story, **{"class": "A"}) == ACCEPTED
    assert update(story, **{"class": "B"}) == ACCEPTED
    assert story.until("04-01").runs == ["03-10 00:00 run 1 opens under soft", "03-22 10:00 file"]


def test_a_profile_without_a_segment_whose_runs_plan_a_version_drops_does_not_fail() -> None:
    nobody = Segment(name="vip", plan="soft", when=attribute("class", "A"))
    story = Story(rules(segments=(nobody,)), attributes={"class": "A"}).owes().until("03-10")
    update(story, **{"class": "B"})
    never = Segment(name="vip", plan="plan", when=attribute("class", "A"))
    story.under(rules(plans=[], segments=(never,), version=2)).tell(m.PolicyPublished)
    story.until("04-01")


# Who serves it.


def served(**attributes: m.AttributeValue) -> Story:
    return Story(rules(managers=PEOPLE), attributes=attributes)


def told_managers(story: Story) -> list[tuple[str | None, str | None, str]]:
    return [(fact.manager, fact.group, fact.how) for fact in story.facts if isinstance(fact, e.ManagerChanged)]


def test_the_group_follows_the_service_segment() -> None:
    story = served(region="west")
    update(story, region="east")
    update(story, region="nowhere")
    assert told_managers(story) == [(None, "west-group", "rule"), (None, "east-group", "rule"), (None, None, "rule")]


def test_where_a_personal_manager_is_to_be_chosen_both_are_told_at_once() -> None:
    story = served(region="east", **{"class": "A"})
    assert told_managers(story) == []
    assert story.tell(m.ManagerChosen, "anna") == ACCEPTED
    assert told_managers(story) == [("anna", "east-group", "rule")]
    assert story.tell(m.ManagerChosen, "boris") == ACCEPTED
    assert len(told_managers(story)) == 1, "somebody was chosen already"


def test_by_hand_a_head_gives_a_manager_or_a_group_and_the_rules_no_longer_change_the_group() -> None:
    story = served(region="west")
    assert story.tell(m.ManagerAssigned, "anna", "hanna", "") == ACCEPTED
    assert story.tell(m.GroupAssigned, "friends", "hanna", "") == ACCEPTED
    update(story, region="east")
    assert story.tell(m.GroupAssigned, None, "hanna", "") == ACCEPTED
    assert told_managers(story)[1:] == [
        ("anna", "west-group", "hand"),
        ("anna", "friends", "hand"),
        ("anna", "east-group", "rule"),
    ]


def test_nobody_by_hand_stays_nobody_in_this_service_segment_and_the_group_is_told() -> None:
    story = served(region="east", **{"class": "A"})
    assert story.tell(m.ManagerAssigned, None, "hanna", "") == ACCEPTED
    assert story.tell(m.ManagerChosen, "anna") == ACCEPTED
    assert told_managers(story) == [(None, "east-group", "hand")]
    update(story, region="west")
    update(story, region="east")
    assert story.tell(m.ManagerChosen, "anna") == ACCEPTED
    assert told_managers(story)[-1] == ("anna", "east-group", "rule")


def test_who_is_to_have_nobody_is_told_of_another_group_at_once() -> None:
    story = served(region="east", **{"class": "A"})
    story.tell(m.ManagerAssigned, None, "hanna", "")
    renamed = tuple([replace(each, group="far-group") for each in SERVICE])
    story.under(rules(managers=PEOPLE, service_segments=renamed, segments=SEGMENTS[2:], version=2))
    story.tell(m.HoldPlaced, "H", on("03-02"), "flood")
    assert told_managers(story)[-1] == (None, "far-group", "rule")


def test_without_managers_nobody_is_assigned_by_rule_and_actors_are_not_checked() -> None:
    story = Story(rules(), attributes={"region": "west"})
    assert told_managers(story) == []
    assert story.tell(m.ManagerAssigned, "anybody", "nobody", "") == ACCEPTED


# What is refused.


def everything() -> Story:
    """A debtor of whom there is one of everything: I1, P, C (open), H, PR, S, a run that waits for its approval."""
    story = served().owes(invoice="I1").pays(10, "P")
    story.tell(m.ClaimOpened, "C", "I1", 10)
    story.tell(m.HoldPlaced, "H", on("03-02"), "flood")
    story.tell(m.PromiseMade, "PR", 900, on("03-02"))
    story.tell(m.InstalmentsAgreed, "S", ((on("04-01"), 1),))
    story.until("03-20")
    assert story.profile.tasks
    return story


TOLD: list[tuple[str, type[Record], tuple[object, ...]]] = [
    ("id_reused", m.InvoiceIssued, ("I1", 5, on("03-01"), None)),
    ("unknown_reference", m.InvoiceAdjusted, ("I9", -5, "")),
    ("id_reused", m.PaymentReceived, ("P", 5)),
    ("id_reused", m.NettingAgreed, ("P", 5, "")),
    ("unknown_reference", m.PaymentReversed, ("P9", "")),
    ("id_reused", m.ClaimOpened, ("C", "I1", 5)),
    ("unknown_reference", m.ClaimOpened, ("C9", "I9", 5)),
    ("unknown_reference", m.ClaimOpened, ("C", "I9", 5)),
    ("unknown_reference", m.ClaimClosed, ("C9", "upheld")),
    ("unknown_reference", m.HoldLifted, ("H9",)),
    ("id_reused", m.PromiseMade, ("PR", 5, on("04-01"))),
    ("id_reused", m.InstalmentsAgreed, ("S", ((on("04-01"), 5),))),
    ("unknown_reference", m.InstalmentsCancelled, ("S9",)),
    ("unknown_reference", m.RestrictionLifted, ("nonsense", "nobody", "")),
    ("unknown_reference", m.RestrictionLifted, ("file", "nobody", "")),
    ("not_allowed", m.RestrictionLifted, ("block", "nobody", "")),
    ("unknown_reference", m.TaskDone, ("T9", "nobody", "", "")),
    ("not_changeable", m.TaskDone, ("A/1/terminate", "nobody", "", "")),
    ("unknown_reference", m.MeasureCompleted, ("A/1/nonsense", "")),
    ("unknown_reference", m.MeasureFailed, ("A/9/block", "")),
    ("unknown_reference", m.MeasureOrdered, ("nonsense", "nobody", "")),
    ("not_changeable", m.MeasureOrdered, ("terminate", "nobody", "")),
    ("not_allowed", m.MeasureOrdered, ("block", "nobody", "")),
    ("unknown_reference", m.MeasureApproved, ("A/1/block", "nobody", "")),
    ("not_allowed", m.MeasureApproved, ("A/1/terminate", "anna", "")),
    ("not_allowed", m.MeasureRejected, ("A/1/terminate", "nobody", "")),
    ("unknown_reference", m.PlanAssigned, ("nonsense", "nobody", "")),
    ("not_allowed", m.PlanAssigned, ("soft", "nobody", "")),
    ("unknown_reference", m.PlanAmended, ((("block", True, None), ("nonsense", True, None)), "nobody", "")),
    ("not_changeable", m.PlanAmended, ((("block", True, None),), "nobody", "")),
    ("not_allowed", m.PlanAmended, ((("terminate", True, None),), "nobody", "")),
    ("unknown_reference", m.ManagerAssigned, ("nobody", "nobody", "")),
    ("not_allowed", m.ManagerAssigned, ("anna", "anna", "")),
    ("not_allowed", m.GroupAssigned, ("west-group", "anna", "")),
]


@pytest.mark.parametrize(("reason", "make", "values"), TOLD, ids=[f"{make.__name__}: {r}" for r, make, _ in TOLD])
def test_what_cannot_be_applied_is_refused_for_the_first_reason_that_holds_and_changes_nothing(
    reason: str, make: type[Record], values: tuple[object, ...]
) -> None:
    assert everything().tell(make, *values) == reason


@pytest.mark.parametrize(("reason", "make", "values"), TOLD, ids=[f"{make.__name__}: {r}" for r, make, _ in TOLD])
def test_of_a_closed_profile_only_what_is_worse_is_said_first(
    reason: str, make: type[Record], values: tuple[object, ...]
) -> None:
    """An unknown reference and a used id come before ``closed_profile``, all the rest after it."""
    story = everything()
    story.tell(m.AccountClosed, "left")
    expected = reason if reason in ("unknown_reference", "id_reused") else "closed_profile"
    if make in (m.MeasureApproved, m.MeasureRejected, m.TaskDone):
        expected = "unknown_reference"  # what waited went with the account
    if make is m.RestrictionLifted and values[0] == "file":
        expected = "closed_profile"  # the measure is known, and that there is no run any more comes later
    assert story.tell(make, *values) == expected


@pytest.mark.parametrize(
    ("expected", "make", "values"),
    [
        ("wrong_ledger", m.InvoiceIssued, ("I1", 5, on("03-01"), None)),
        ("unknown_reference", m.InvoiceAdjusted, ("I1", 5, "")),
        ("unknown_reference", m.InvoiceAdjusted, ("", 5, "")),
        ("unknown_reference", m.ClaimOpened, ("C1", "I1", 5)),
        ("unknown_reference", m.ClaimClosed, ("C1", "upheld")),
    ],
)
def test_an_account_with_a_balance_takes_no_invoices(
    expected: str, make: type[Record], values: tuple[object, ...]
) -> None:
    story = Story(rules(), ledger="balance").has(-100)
    assert story.tell(make, *values) == expected
    story.tell(m.AccountClosed, "left")
    assert story.tell(make, *values) == ("closed_profile" if expected == "wrong_ledger" else expected)


@pytest.mark.parametrize(
    ("expected", "fields"),
    [
        ("invalid", {"currency": "USD", "ledger": "balance", "tenure": "long"}),
        ("wrong_currency", {"currency": "USD", "ledger": "balance"}),
        ("not_changeable", {"ledger": "balance"}),
    ],
)
def test_of_several_reasons_the_first_in_the_order_of_the_list_is_given(
    expected: str, fields: dict[str, object]
) -> None:
    story = Story(rules())
    assert update(story, **fields) == expected
    story.tell(m.AccountClosed, "left")
    assert update(story, **fields) == ("invalid" if expected == "invalid" else "closed_profile")
    assert story.tell(m.AccountClosed, "again") == "closed_profile"


def test_without_a_run_a_known_measure_is_neither_amended_nor_lifted() -> None:
    story = served()
    assert story.tell(m.PlanAmended, (("block", True, None),), "nobody", "") == "no_run"
    assert story.tell(m.RestrictionLifted, "block", "nobody", "") == "no_run"
    assert story.tell(m.PlanAmended, (("nonsense", True, None),), "nobody", "") == "unknown_reference"


def test_a_payment_or_claim_is_reversed_or_closed_once() -> None:
    story = everything()
    assert [story.tell(m.PaymentReversed, "P", "") for _ in range(2)] == [ACCEPTED, "unknown_reference"]
    assert [story.tell(m.ClaimClosed, "C", "upheld") for _ in range(2)] == [ACCEPTED, "unknown_reference"]
    assert story.tell(m.PaymentReceived, "P", 5) == "id_reused", "also after its reversal"


def test_a_refused_first_event_leaves_the_profile_unknown() -> None:
    profile, facts = Profile("A"), list[Record]()
    before = freeze(profile)
    message = m.AccountUpdated(at("03-01"), "account", "person", "USD", None, None, {})
    refusal = work(profile, message, rules(), facts)
    assert (refusal and refusal.reason, facts, freeze(profile)) == ("wrong_currency", [], before)
