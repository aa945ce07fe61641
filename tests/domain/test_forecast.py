"""What comes next and why: what is foretold is what then happens when nobody pays, and asking changes nothing."""

import pytest

from domain import messages as m
from domain.calendar import HOUR
from domain.forecast import Step, forecast, money, standing_in_words
from domain.policy import Attribute, Cap, Manager, Policy, Prevention, Segment
from domain.snapshot import freeze
from tests.domain.world import (
    Story,
    attribute,
    block,
    contact,
    file,
    on,
    overdue_of,
    plan,
    policy,
    remind,
    ring,
    shown,
    terminate,
)


def foretold(story: Story, steps_max: int = 20) -> list[str]:
    """When and what, one line each; asked twice, with the profile as it was."""
    before = freeze(story.profile)
    steps = forecast(story.profile, story.policy, story.now, steps_max)
    assert forecast(story.profile, story.policy, story.now, steps_max) == steps
    assert freeze(story.profile) == before
    return [f"{shown(step.at)} {step.what}" for step in steps]


def reasons(story: Story) -> list[str]:
    return [step.why for step in forecast(story.profile, story.policy, story.now)]


FULL = policy(
    remind(1, "08:00"),
    ring(5, "17:00"),
    block(5),
    file(6, business_days=True),
    ring(7, name="ring-again"),
    file(30, name="big-debt", when=overdue_of(50_000)),
    terminate(61),
    contact=contact("09:00-18:00", "12:00-16:00", caps=[Cap(kind="call", per_week=1)]),
    preventions=(Prevention(name="due-soon", measure=remind(), days_before_due=1),),
)


def test_everything_to_come_is_foretold_in_order() -> None:
    assert foretold(Story(FULL).owes(due="03-03")) == [
        "03-02 10:00 due-soon (notify to messaging)",
        "03-04 00:00 run 1 of plan plan opens",
        "03-04 09:00 remind (notify to messaging)",
        "03-09 17:00 ring (call to messaging)",
        "03-10 10:00 block (restrict to network)",
        "03-11 10:00 file (legal to legal)",
        "03-16 10:00 ring-again (call to messaging)",
        "04-02 10:00 big-debt is skipped",
        "05-03 10:00 terminate (terminate to billing)",
        "05-03 10:00 the run closes: terminated",
    ]


@pytest.mark.parametrize("when", ["03-01 13:00", "03-04 00:00", "03-08 12:00", "03-10 10:00", "03-30 12:00"])
def test_what_was_foretold_at_any_time_is_what_happens_when_nobody_pays(when: str) -> None:
    story = Story(FULL, confirms=True).owes(due="03-03").until(when)
    expected, past = foretold(story), len(story.facts)
    story.until("2026-12-31")
    happened = [fact for fact in story.sent if fact in story.facts[past:]]
    assert [f"{shown(each.at)} {each.measure} ({each.kind} to {each.target})" for each in happened] == [
        line for line in expected if line.endswith(")")
    ]


def test_commands_count_as_confirmed_at_once() -> None:
    story = Story(policy(block(1, confirm_within=HOUR, retries=3), file(2))).owes()
    assert foretold(story)[1:] == ["03-03 10:00 block (restrict to network)", "03-04 10:00 file (legal to legal)"]


def test_only_so_many_steps_are_told() -> None:
    assert foretold(Story(FULL).owes(due="03-03"), steps_max=2) == [
        "03-02 10:00 due-soon (notify to messaging)",
        "03-04 00:00 run 1 of plan plan opens",
    ]


def test_of_a_debtor_who_owes_nothing_and_of_a_closed_account_nothing_is_foretold() -> None:
    assert foretold(Story(FULL)) == []
    story = Story(FULL).owes(due="03-03")
    story.tell(m.AccountClosed, "left")
    assert foretold(story) == []


# Why.


def test_the_reason_of_a_measure_names_its_day_and_the_due_date_it_counts_from() -> None:
    assert reasons(Story(policy(block(1))).owes()) == [
        "10.00 RUB are overdue, 1 day past due",
        "its day after the due date has come: day 1 after the due date 2026-03-02",
    ]


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        (policy(ring(1, "08:00"), contact=contact("09:00-18:00")), "the contact hours have begun"),
        (policy(block(5, business_days=True)), "it is a business day"),
    ],
)
def test_the_reason_of_a_measure_is_the_rule_that_set_its_instant(rules: Policy, why: str) -> None:
    assert reasons(Story(rules).owes())[1].startswith(why)


def test_the_reason_may_be_the_gap_a_hold_a_cap_or_a_condition() -> None:
    rules = policy(
        ring(1),
        file(1, when=overdue_of(50_000)),
        block(1),
        ring(2, name="ring-again"),
        contact=contact(caps=[Cap(kind="call", per_week=1)]),
    )
    story = Story(rules).owes()
    story.tell(m.HoldPlaced, "H", on("03-05"), "flood")
    assert reasons(story)[1:] == [
        "the hold has ended (its day 1 after 2026-03-02 came before)",
        "its condition is false",
        "the gap after the measure before it is over (its day 1 after 2026-03-02 came before)",
        "the cap on contacts allows it; it is day 2 of plan plan after the due date 2026-03-02",
    ]


def test_deadlines_are_foretold_with_their_reasons() -> None:
    story = Story(policy(file(1))).owes(1_000)
    story.tell(m.PromiseMade, "PR", 1_000, on("03-05"))
    story.tell(m.InstalmentsAgreed, "S", ((on("03-10"), 600), (on("04-10"), 400)))
    steps = forecast(story.profile, story.policy, story.now)
    assert [(step.what, step.why) for step in steps[:2]] == [
        ("promise PR is broken", "its day has passed without the amount"),
        ("instalments S are broken", "less was paid than was due by then"),
    ]


def managed(*people: Manager) -> Policy:
    return policy(block(1), terminate(3, approval="administrator"), managers={each.id: each for each in people})


def test_where_a_head_must_decide_it_says_so_and_goes_on_as_if_approved() -> None:
    people = Manager(id="hanna", name="Hanna", role="head"), Manager(id="adam", name="Adam", role="administrator")
    for rules in (managed(*people), policy(block(1), terminate(3, approval="head"))):
        assert foretold(Story(rules).owes())[2:] == [
            "03-05 10:00 terminate asks for approval",
            "03-05 10:00 terminate (terminate to billing)",
            "03-05 10:00 the run closes: terminated",
        ]


def test_it_goes_on_as_if_approved_also_where_the_head_has_been_asked_already() -> None:
    rules = policy(block(1), file(3, approval="head"), file(4, name="last"))
    story = Story(rules).owes().until("03-10 12:00")
    assert [line[12:] for line in foretold(story)] == ["file (legal to legal)", "last (legal to legal)"]


def test_where_nobody_may_approve_the_forecast_ends_with_the_question() -> None:
    steps = foretold(Story(managed(Manager(id="anna", name="Anna", role="specialist"))).owes())
    assert steps[2:] == ["03-05 10:00 terminate asks for approval"]


def test_a_warning_beside_an_overdue_debt_does_not_say_that_nothing_is_overdue() -> None:
    reminder = Prevention(name="due-soon", measure=remind(), days_before_due=1)
    story = Story(policy(preventions=(reminder,))).owes(invoice="I1").owes(due="03-20", invoice="I2").until("03-10")
    [step] = forecast(story.profile, story.policy, story.now)
    assert "nothing is overdue" not in step.why


# Where it stands.


def test_the_standing_says_what_is_owed_the_plan_and_what_holds_it() -> None:
    declared = {"class": Attribute(name="class", type="string")}
    segments = Segment(name="vip", plan="soft", when=attribute("class", "A")), Segment(name="everyone", plan="plan")
    rules = policy(
        block(1), terminate(2, approval="head"), plans=[plan("soft")], segments=segments, attributes=declared
    )
    story = Story(rules).owes(123_456).until("03-04 12:00")
    story.tell(m.HoldPlaced, "H", on("03-20"), "flood")
    story.tell(m.PromiseMade, "PR", 5_000, on("03-20"))
    story.pays(1_000)
    assert standing_in_words(story.profile, story.policy, story.now) == [
        "owes 1 224.56 RUB, of which 1 224.56 RUB are overdue and collectible",
        "2 days past due (oldest due date 2026-03-02)",
        "plan plan (by rule), segment everyone",
        "run A/1 is open; fired: block",
        "moratorium H until the end of 2026-03-20",
        "promised 50.00 RUB, 10.00 RUB came",
        "task A/1/terminate is open (approval) since 2026-03-04 10:00",
    ]


def test_the_standing_of_one_who_paid_too_much_of_one_terminated_and_of_one_closed() -> None:
    story = Story(policy(terminate(1))).owes().until("03-04")
    assert "no run opens until the debt has been cleared once" in standing_in_words(story.profile, story.policy, 0)[2]
    story.pays(1_250)
    assert "has prepaid 2.50 RUB" in standing_in_words(story.profile, story.policy, story.now)
    story.tell(m.AccountClosed, "left")
    assert standing_in_words(story.profile, story.policy, story.now)[-1] == "is closed: nothing more is sent"


@pytest.mark.parametrize(
    ("amount", "expected"), [(0, "0.00 RUB"), (5, "0.05 RUB"), (-123_456_789, "-1 234 567.89 RUB")]
)
def test_money_is_shown_as_people_read_it(amount: int, expected: str) -> None:
    assert money(amount, policy()) == expected


def test_a_step_is_a_value() -> None:
    assert Step(1, "what", "why") == Step(1, "what", "why")
