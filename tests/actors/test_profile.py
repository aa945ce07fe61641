"""The profile actor: what waits for its account, timers between arrivals, and what came due while it was away."""

from collections.abc import Sequence
from typing import Any

import pytest

from actors.errand import Arrival, Errand
from actors.lane import LaneRef
from actors.profile import Crew, ProfileActor
from domain import events as e
from domain import messages as m
from domain.calendar import DAY, HOUR, MINUTE, NEVER
from domain.policy import Cap, Policy
from domain.profile import Profile
from domain.record import Record
from domain.snapshot import freeze, thaw
from engine.lanes import InlineLane
from tests.domain.world import at, block, contact, file, line, on, policy, remind, ring, shown, terminate


class Actor:
    """A profile actor on a lane of its own, to which errands are told; arrivals bear their message as a ticket."""

    def __init__(self, rules: Policy, profile: Profile | None = None, **crew: Any) -> None:
        self.lane = InlineLane("profile")
        self.crew = Crew(rules, **crew)
        self.ref: LaneRef[ProfileActor] = ProfileActor.start(profile or Profile("A"), self.crew, lane=self.lane)
        self.told: list[Record] = []

    def does(self, *messages: Record, until: int = 0, held: Sequence[Record] = ()) -> Errand:
        errand = Errand("A", [Arrival(message, message) for message in messages], until)
        if held:
            errand.held = [Arrival(message, message, number) for number, message in enumerate(held, start=1)]
        self.ref.tell(errand)
        self.lane.run()
        self.told += errand.facts
        return errand

    @property
    def profile(self) -> Profile:
        return self.ref._actor.profile


def account(when: str) -> Record:
    return m.AccountUpdated(at(when), "account", "person", "RUB", None, None, {})


def invoice(when: str, due: str = "03-02", name: str = "I1", amount: int = 1_000) -> Record:
    return m.InvoiceIssued(at(when), name, amount, on("02-20"), on(due))


def payment(when: str, amount: int = 1_000, name: str = "P1") -> Record:
    return m.PaymentReceived(at(when), name, amount)


def told(facts: Sequence[Record], *kinds: type[Record]) -> list[str]:
    """Runs and commands, or facts of these kinds, one line each."""
    wanted = kinds or (e.RunOpened, e.RunClosed, e.MeasureRequested)
    return [f"{shown(fact.at)} {line(fact)}" for fact in facts if isinstance(fact, wanted)]


def refusals(errand: Errand) -> list[tuple[str, str]]:
    return [(shown(each.at), each.refusal.reason) for each in errand.refused]


def debtor(rules: Policy, **crew: Any) -> Actor:
    """Owes 1,000 since the 2nd of March."""
    actor = Actor(rules, **crew)
    actor.does(account("03-01 12:00"), invoice("03-01 12:00"))
    return actor


# Events that overtake their account.


def test_events_of_an_unknown_account_wait_and_take_effect_in_order_at_the_instant_at_which_it_arrives() -> None:
    actor = Actor(policy())
    waiting = invoice("03-01 12:00:00"), payment("03-01 12:00:05", 300), payment("03-01 12:00:07", 200, "P2")
    held = actor.does(*waiting)
    assert (held.facts, [arrival.ticket for arrival in held.newly_held or ()]) == ([], list(waiting))
    assert [arrival.number for arrival in held.newly_held or ()] == [1, 2, 3]
    assert (shown(held.wake_at), held.state) == ("03-01 12:10", None)
    arrived = actor.does(account("03-01 12:04"))
    assert [type(fact).__name__ for fact in arrived.facts if fact.at == at("03-01 12:04")][-3:] == [
        "InvoiceIssued",
        "PaymentReceived",
        "PaymentReceived",
    ]
    assert [arrival.ticket for arrival in arrived.released or ()] == list(waiting)
    assert actor.profile.ledger.debt() == 500


def test_an_account_that_arrives_at_the_very_end_of_the_wait_is_in_time() -> None:
    actor = Actor(policy())
    actor.does(invoice("03-01 12:00"))
    assert refusals(actor.does(account("03-01 12:10"))) == []
    assert actor.profile.ledger.debt() == 1_000


def test_what_has_waited_too_long_is_rejected_each_at_the_end_of_its_own_time() -> None:
    actor = Actor(policy())
    actor.does(invoice("03-01 12:00"), payment("03-01 12:00:01"))
    errand = actor.does(account("03-01 12:10:00.5"))
    assert refusals(errand) == [("03-01 12:10", "unknown_subject")]
    assert actor.profile.ledger.prepaid() == 1_000, "the payment was still waiting"
    assert len(errand.released or ()) == 2


def test_the_wait_is_over_when_its_timer_comes_and_no_account_did() -> None:
    actor = Actor(policy(), hold_unknown=MINUTE)
    assert actor.does(invoice("03-01 12:00")).wake_at == at("03-01 12:01")
    assert refusals(actor.does(until=at("03-01 12:01"))) == [], "at that instant it may still come"
    errand = actor.does(until=at("03-01 12:01") + 1)
    assert (refusals(errand), errand.wake_at, errand.state) == ([("03-01 12:01", "unknown_subject")], NEVER, None)


def test_an_account_event_that_is_refused_releases_nothing() -> None:
    actor = Actor(policy())
    actor.does(invoice("03-01 12:00"))
    wrong = m.AccountUpdated(at("03-01 12:01"), "account", "person", "USD", None, None, {})
    assert refusals(actor.does(wrong)) == [("03-01 12:01", "wrong_currency")]
    actor.does(account("03-01 12:02"))
    assert actor.profile.ledger.debt() == 1_000


def test_what_waits_may_be_refused_when_its_account_arrives() -> None:
    actor = Actor(policy())
    actor.does(invoice("03-01 12:00"), invoice("03-01 12:01"))
    assert refusals(actor.does(account("03-01 12:02"))) == [("03-01 12:02", "id_reused")]


def test_an_actor_that_is_woken_again_goes_on_with_what_the_store_had_kept_waiting() -> None:
    actor = Actor(policy())
    errand = actor.does(payment("03-01 12:03", 100), held=[invoice("03-01 12:00")])
    assert [arrival.number for arrival in errand.newly_held or ()] == [2]
    assert shown(errand.wake_at) == "03-01 12:10"
    actor.does(account("03-01 12:04"))
    assert actor.profile.ledger.debt() == 900


# Timers between arrivals.


def test_timers_fire_before_each_arrival_and_then_up_to_the_end_of_the_errand() -> None:
    actor = Actor(policy(block(1), file(2), terminate(9)))
    errand = actor.does(
        account("03-01 12:00"),
        invoice("03-01 12:00"),
        payment("03-03 12:00", 400),
        until=at("03-05"),
    )
    assert told(errand.facts, e.RunOpened, e.MeasureRequested, m.PaymentReceived) == [
        "03-03 00:00 run 1 opens",
        "03-03 10:00 block",
        "03-03 12:00 PaymentReceived",
        "03-04 10:00 file",
    ]
    assert (errand.handled, shown(errand.wake_at)) == (3, "03-11 10:00")


def test_at_one_instant_messages_come_before_timers() -> None:
    actor = debtor(policy(block(1)))
    errand = actor.does(payment("03-03 10:00"), until=at("03-03 10:00") + 1)
    assert told(errand.facts) == ["03-03 00:00 run 1 opens", "03-03 10:00 run 1 cured"]


def test_the_end_of_an_errand_is_exclusive() -> None:
    actor = debtor(policy(block(1)))
    assert told(actor.does(until=at("03-03 10:00")).facts) == ["03-03 00:00 run 1 opens"]
    assert told(actor.does(until=at("03-03 10:00") + 1).facts) == ["03-03 10:00 block"]


def test_an_errand_says_where_its_facts_begin_and_what_to_store() -> None:
    actor = debtor(policy(block(1)))
    before = actor.profile.version, actor.profile.published
    errand = actor.does(until=at("03-03 12:00"))
    assert (errand.version, errand.published) == before
    assert (errand.wake_before, errand.wake_at) == (at("03-03"), NEVER)
    assert actor.profile.version == before[0] + len(errand.facts) == len(actor.told)
    assert errand.state == freeze(actor.profile)
    assert errand.profile is actor.profile


def test_where_nothing_happened_there_is_nothing_to_store() -> None:
    actor = debtor(policy(block(1)))
    errand = actor.does(payment("03-02 12:00", name="P"), payment("03-02 12:00", name="P"))
    assert (len(errand.facts), refusals(errand)) == (1, [("03-02 12:00", "id_reused")])
    nothing = actor.does(payment("03-02 12:01", name="P"), until=at("03-02 12:02"))
    assert (nothing.facts, nothing.state) == ([], None)


def test_in_a_replay_commands_count_as_confirmed_and_no_state_is_kept() -> None:
    actor = debtor(policy(block(1, confirm_within=HOUR, retries=3)), confirms=True, freezes=False)
    errand = actor.does(until=at("03-10"))
    assert (told(errand.facts)[1:], errand.state) == (["03-03 10:00 block"], None)


def test_the_same_errands_do_the_same() -> None:
    rules = policy(remind(1), ring(2), block(3), contact=contact("09:00-18:00", "12:00-16:00"))

    def once() -> tuple[list[Record], object]:
        actor = debtor(rules)
        actor.does(payment("03-04 12:00", 10), until=at("03-06"))
        actor.does(until=at("03-20"))
        return actor.told, freeze(actor.profile)

    assert once() == once()


def test_an_actor_woken_from_its_snapshot_goes_on_as_if_it_had_never_slept() -> None:
    rules = policy(remind(1), ring(2), block(3), contact=contact("09:00-18:00", "12:00-16:00"))
    awake = debtor(rules)
    state = awake.does(until=at("03-04 12:00")).state
    assert state is not None
    woken = Actor(rules, thaw("A", state))
    assert woken.does(until=at("03-20")).facts == awake.does(until=at("03-20")).facts


# Away: timers that came due meanwhile are late.

RULES = policy(
    remind(1),
    ring(2),
    block(3),
    file(4),
    contact=contact("09:00-18:00", "12:00-16:00", caps=[Cap(kind="call", per_week=1)]),
)


def away(since: str, back: str, *waiting: Record, rules: Policy = RULES) -> Actor:
    """The engine stops, and when it is back the messages that wait are taken first, then what is due."""
    actor = debtor(rules)
    actor.does(until=at(since))
    actor.told.clear()
    actor.crew.late_before = at(back)
    actor.does(*waiting, until=at(back) + 1)
    return actor


@pytest.mark.parametrize(
    ("back", "expected"),
    [
        ("03-03 10:30", ["03-03 10:30 remind", "03-04 10:00 ring", "03-05 10:00 block", "03-06 10:00 file"]),
        ("03-04 09:30", ["03-04 10:00 remind", "03-05 10:00 ring", "03-06 10:00 block", "03-07 10:00 file"]),
        ("03-06 15:00", ["03-06 15:00 remind", "03-07 12:00 ring", "03-08 10:00 block", "03-09 10:00 file"]),
        ("04-07 15:00", ["04-07 15:00 remind", "04-08 10:00 ring", "04-09 10:00 block", "04-10 10:00 file"]),
    ],
    ids=["an hour", "a day", "3 days", "35 days"],
)
def test_a_measure_that_became_due_meanwhile_fires_now_and_the_others_follow_a_day_apart(
    back: str, expected: list[str]
) -> None:
    """At 09:30 it is too early for what goes at ten: then the first waits for it, and does not go at once."""
    actor = away("03-03 09:30", back)
    actor.does(until=at(back) + 20 * DAY)
    assert told(actor.told, e.MeasureRequested) == expected


def test_back_in_the_night_nothing_is_sent_before_the_rules_of_now_allow_it() -> None:
    actor = away("03-02 12:00", "03-08 03:00")
    actor.does(until=at("03-20"))
    assert told(actor.told) == [
        "03-08 03:00 run 1 opens",
        "03-08 12:00 remind",
        "03-09 10:00 ring",
        "03-10 10:00 block",
        "03-11 10:00 file",
    ]


def test_messages_that_waited_take_effect_before_what_came_due_meanwhile() -> None:
    """The run opens by its deadline, and the payment comes before its first measure."""
    actor = away("03-02 12:00", "03-05 12:00", payment("03-05 12:00"))
    assert told(actor.told) == ["03-05 12:00 run 1 opens", "03-05 12:00 run 1 cured"]


def test_deadlines_that_passed_count_from_their_own_dates() -> None:
    """A promise for the 4th is broken when the payment that waited is taken on the 6th."""
    actor = debtor(RULES)
    actor.does(m.PromiseMade(at("03-02 12:00"), "PR", 1_000, on("03-04")), until=at("03-02 13:00"))
    actor.told.clear()
    actor.crew.late_before = at("03-06 12:00")
    actor.does(payment("03-06 12:00"), until=at("03-06 12:00") + 1)
    assert told(actor.told, e.PromiseBroken, e.PromiseKept, m.PaymentReceived, e.RunClosed) == [
        "03-06 12:00 PR broken",
        "03-06 12:00 PaymentReceived",
        "03-06 12:00 run 1 cured",
    ]


def test_several_messages_that_waited_each_find_the_deadlines_passed_and_no_measure_fired_between_them() -> None:
    waiting = [payment(f"03-05 12:00:0{n}", 300, f"P{n}") for n in range(3)]
    actor = away("03-02 12:00", "03-05 12:00:02", *waiting)
    assert told(actor.told, m.PaymentReceived, e.MeasureRequested, e.RunOpened) == [
        "03-05 12:00 run 1 opens",
        "03-05 12:00 PaymentReceived",
        "03-05 12:00:01 PaymentReceived",
        "03-05 12:00:02 PaymentReceived",
        "03-05 12:00:02 remind",
    ]


def test_what_is_due_after_the_return_fires_at_its_own_instant() -> None:
    actor = away("03-02 12:00", "03-02 18:00")
    actor.does(until=at("03-03 12:00"))
    assert told(actor.told) == ["03-03 00:00 run 1 opens", "03-03 10:00 remind"]


def test_a_retry_that_came_due_meanwhile_is_sent_once_and_its_deadline_begins_now() -> None:
    rules = policy(block(1, confirm_within=HOUR, retries=2))
    actor = away("03-03 10:30", "03-03 20:15", rules=rules)
    actor.does(until=at("03-04"))
    assert told(actor.told, e.MeasureRequested, e.CommandFailed) == [
        "03-03 20:15 block (attempt 2)",
        "03-03 21:15 block (attempt 3)",
        "03-03 22:15 A/1/block failed?",
    ]


def test_events_that_wait_for_their_account_survive_an_absence_by_their_own_time() -> None:
    actor = Actor(policy(), late_before=at("03-01 13:00"))
    errand = actor.does(account("03-01 13:00"), held=[invoice("03-01 12:00"), payment("03-01 12:55")])
    assert refusals(errand) == [("03-01 12:10", "unknown_subject")]
    assert actor.profile.ledger.prepaid() == 1_000
