"""What goes wrong inside: failing profiles, a policy that changes under way, an engine that was away."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

import adapters
from adapters.cloud_events import parse_instant
from adapters.policy_files import load_policy
from domain.calendar import DAY, HOUR
from domain.events import PolicyAdopted, SegmentChanged
from domain.policy import Policy, Segment
from engine.engine import EngineSettings
from engine.ports import OutgoingEvent
from engine.trail import Trail
from sim.store import MemoryStore
from tests.engine.world import FaultyStore, Killed, World

TELECOM = Path(adapters.__file__).parent / "policies" / "telecom"
START = parse_instant("2026-02-02T09:00:00Z")


class Poison:
    """A rule that fails in a way nobody foresaw, for one region."""

    source = "poison"

    def __init__(self) -> None:
        self.tries = 0
        self.is_mended = False

    def holds(self, facts: Mapping[str, object]) -> bool:
        attributes = facts["attributes"]
        assert isinstance(attributes, dict)
        if attributes.get("region") == "POISON" and not self.is_mended:
            self.tries += 1
            raise RuntimeError("nobody foresaw this")
        return False


def poisoned() -> tuple[Policy, Poison]:
    """The telecom policy with a segment rule in front that fails."""
    policy = load_policy(TELECOM)
    poison = Poison()
    first = Segment(name="poison", plan=policy.segments[-1].plan, when=poison)
    return replace(policy, segments=(first, *policy.segments)), poison


def event(number: int, subject: str, kind: str, at: int, **data: object) -> bytes:
    from adapters.cloud_events import rfc3339

    return json.dumps(
        {
            "specversion": "1.0",
            "id": f"e-{number}",
            "source": "billing",
            "type": f"dms.{kind}.v1",
            "subject": subject,
            "time": rfc3339(at),
            "data": data,
        }
    ).encode()


def account(number: int, subject: str, at: int, region: str = "SPB") -> bytes:
    return event(
        number,
        subject,
        "account.updated",
        at,
        projection="account",
        party="person",
        currency="RUB",
        attributes={"region": region},
    )


def invoice(number: int, subject: str, at: int, due_on: str = "2026-02-01") -> bytes:
    return event(
        number,
        subject,
        "invoice.issued",
        at,
        invoice_id=f"I-{number}",
        amount=100_000,
        issued_on="2026-01-01",
        due_on=due_on,
    )


def commands(events: list[OutgoingEvent], subject: str) -> list[str]:
    return [e.routing_key.rsplit(".", 1)[1] for e in events if e.profile_id == subject and "measure." in e.routing_key]


def offer(world: World, *bodies: bytes) -> None:
    for body in bodies:
        world.broker.offer(body)


def test_poison_is_quarantined_after_five_tries_and_what_comes_later_waits_behind_it_in_order() -> None:
    policy, poison = poisoned()
    world = World(policy)
    offer(
        world,
        account(1, "GOOD", START),
        account(2, "BAD", START),
        invoice(3, "BAD", START),
        account(4, "BAD", START + 1_000_000, region="POISON"),
        invoice(5, "BAD", START + 2_000_000),
        invoice(6, "GOOD", START + 2_000_000),
    )
    world.turn(START + HOUR)
    offer(world, invoice(7, "BAD", START + 3_000_000))
    world.turn(START + 12 * HOUR)
    waiting = world.store.quarantined("BAD")
    assert poison.tries == 5
    assert [json.loads(each.body)["id"] for each in waiting] == ["e-4", "e-5", "e-7"]
    assert "nobody foresaw this" in waiting[0].reason
    # What came before the poison took effect, and everybody else goes on.
    assert world.store.reader().state("BAD") is not None
    assert commands(world.published, "GOOD") == ["notice-of-block"]


def test_whoever_reads_the_log_learns_which_profile_is_set_aside_and_why() -> None:
    told: list[tuple[str, str]] = []

    class Listening(Trail):
        def set_aside(self, profile_id: str, reason: str) -> None:
            told.append((profile_id, reason))

    policy, _ = poisoned()
    world = World(policy)
    world.engine.trail = Listening()  # type: ignore[misc]
    offer(world, account(1, "BAD", START, region="POISON"), account(2, "GOOD", START))
    world.turn(START + HOUR)
    world.turn(START + 2 * HOUR)
    assert [(profile_id, "nobody foresaw this" in reason) for profile_id, reason in told] == [("BAD", True)]


def test_timers_of_many_profiles_in_quarantine_do_not_hide_those_of_others() -> None:
    """Nine are set aside, whose timers come before the good one's; the engine looks four ahead, and then rests."""
    policy, _ = poisoned()
    world = World(policy, settings=EngineSettings(confirms=True, pipelined=False, late_us=10**15, timers_max=1))
    bad = [f"BAD-{number}" for number in range(9)]
    offer(world, *[account(number, subject, START) for number, subject in enumerate(bad)], account(50, "GOOD", START))
    offer(world, *[invoice(100 + number, subject, START) for number, subject in enumerate([*bad, "GOOD"])])
    offer(world, *[account(200 + n, subject, START + 1, region="POISON") for n, subject in enumerate(bad)])
    world.turn(START + 1)
    world.kill()
    for _ in range(40):
        world.turn(START + 12 * HOUR)
    assert commands(world.published, "GOOD") == ["notice-of-block"]
    assert world.engine.next_at() > START + 12 * HOUR


def test_a_quarantine_outlives_the_engine() -> None:
    policy, _ = poisoned()
    world = World(policy)
    offer(world, account(1, "BAD", START, region="POISON"))
    world.turn(START + HOUR)
    world.kill()
    offer(world, invoice(2, "BAD", START + HOUR))
    world.turn(START + 2 * HOUR)
    assert len(world.store.quarantined("BAD")) == 2


def test_what_waits_in_quarantine_is_worked_in_order_when_it_is_released() -> None:
    """By an engine that has it only from the store, and as if nothing had been wrong; once released, once worked."""
    policy, poison = poisoned()
    world = World(policy)
    offer(
        world, account(1, "BAD", START), invoice(2, "BAD", START), account(3, "BAD", START + 1_000_000, region="POISON")
    )
    world.turn(START + HOUR)
    offer(world, invoice(4, "BAD", START + HOUR), account(5, "BAD", START + HOUR + 1))
    offer(world, event(6, "BAD", "weather.changed", START + HOUR + 2, rain=True))
    world.turn(START + 2 * HOUR)
    world.engine.release("BAD", "orlova")
    world.turn(START + 3 * HOUR)
    assert len(world.store.quarantined("BAD")) == 4, "what fails again goes on waiting"
    world.kill()
    poison.is_mended = True
    world.engine.release("BAD", "belov")
    world.engine.release("BAD", "sokolova")
    world.turn(START + 12 * HOUR)
    assert world.store.quarantined("BAD") == []
    facts = [type(entry.fact).__name__ for entry in world.store.reader().journal("BAD")]
    assert facts.count("InvoiceIssued") == 2
    assert facts.count("AccountUpdated") == 3
    rejections = [json.loads(e.body)["data"] for e in world.published if "rejected" in e.routing_key]
    assert [(each["id"], each["reason"]) for each in rejections] == [("e-6", "unknown_type")]
    assert "notice-of-block" in commands(world.published, "BAD")


def test_a_profile_whose_timer_could_not_be_worked_goes_on_when_it_is_released() -> None:
    policy = load_policy(TELECOM)
    poison = Poison()
    plan = policy.plans["internet"]
    first = replace(plan.measures[0], when=poison)
    plans = {**policy.plans, "internet": replace(plan, measures=(first, *plan.measures[1:]))}
    world = World(replace(policy, plans=plans))
    offer(world, account(1, "BAD", START, region="POISON"), invoice(2, "BAD", START))
    world.turn(START + 12 * HOUR)
    assert (poison.tries, commands(world.published, "BAD")) == (5, [])
    poison.is_mended = True
    world.turn(START + 40 * HOUR)
    assert commands(world.published, "BAD") == []
    world.engine.release("BAD", "orlova")
    world.turn(START + 41 * HOUR)
    world.turn(START + 41 * HOUR)
    assert commands(world.published, "BAD") != []


def renewed(policy: Policy) -> Policy:
    """Its next version, which moves everybody into a segment of another name."""
    renamed = tuple(replace(each, name="everybody") if each.when is None else each for each in policy.segments)
    return replace(policy, version=policy.version + 1, segments=renamed)


def few_at_a_time(store: MemoryStore | None = None) -> World:
    """Ten accounts under the first version; a policy is carried to three of them a turn."""
    settings = EngineSettings(confirms=True, pipelined=False, late_us=10**15, carry_max=3)
    world = World(load_policy(TELECOM), store, settings)
    offer(world, *[account(n, f"ACC-{n}", START) for n in range(10)])
    world.turn(START + HOUR)
    return world


def carry_all(world: World) -> None:
    for _ in range(20):
        if not world.engine.is_due(world.clock.now()):
            return
        world.turn(START + HOUR)
    raise AssertionError("it is carried for ever")


def moves(store: MemoryStore) -> dict[str, list[str]]:
    """What each account's journal tells of its segments and policy versions."""
    return {
        profile_id: [
            each.fact.policy_segment or "" if isinstance(each.fact, SegmentChanged) else str(each.fact.version)
            for each in store.reader().journal(profile_id)
            if isinstance(each.fact, SegmentChanged | PolicyAdopted)
        ]
        for profile_id in store.reader().profile_ids()
    }


def moved_once(world: World) -> bool:
    first = world.policies.policy.version - 1
    told = [json.loads(e.body) for e in world.once() if e.routing_key == "dms.segment.changed.v1"]
    subjects = [each["subject"] for each in told if each["data"]["policy_segment"] == "everybody"]
    some = moves(world.store)
    return sorted(subjects) == sorted(some) and all(
        each == [each[0], str(first), "everybody", str(first + 1)] for each in some.values()
    )


@pytest.mark.parametrize("dies", ["between commits", "before a commit", "after a commit"])
def test_what_an_engine_had_still_to_carry_when_it_was_killed_is_carried_by_the_next_one_once(dies: str) -> None:
    store = FaultyStore()
    world = few_at_a_time(store)
    world.policies.policy = renewed(world.policies.policy)
    world.turn(START + HOUR)
    assert sum("everybody" in each for each in moves(store).values()) == 3
    if dies != "between commits":
        (store.before if dies == "before a commit" else store.after).add(store.commits + 1)
        with pytest.raises(Killed):
            world.turn(START + HOUR)
    world.kill()
    assert world.engine.is_busy
    carry_all(world)
    assert moved_once(world)
    world.kill()
    assert not world.engine.is_busy


def test_a_policy_that_was_published_while_nobody_worked_is_carried_at_the_start() -> None:
    world = few_at_a_time()
    world.engine._lane.stop(timeout_s=5)
    world.policies.policy = renewed(world.policies.policy)
    world.start()
    carry_all(world)
    assert moved_once(world)


def test_what_was_being_carried_when_a_commit_failed_is_carried_again_though_nobody_knows_its_version() -> None:
    """Programs of before have written the rows: the store does not tell under which version."""
    store = FaultyStore()
    world = few_at_a_time(store)
    for profile_id, stored in store.tables.rows.items():
        store.tables.rows[profile_id] = replace(stored, policy_version=None)
    world.kill()
    assert not world.engine.is_busy, "what is not known is assumed to be carried"
    world.policies.policy = renewed(world.policies.policy)
    world.turn(START + HOUR)
    store.before.add(store.commits + 1)
    with pytest.raises(Killed):
        world.turn(START + HOUR)
    carry_all(world)
    assert moved_once(world)


def test_messages_that_waited_come_before_a_policy_that_is_carried_at_the_start() -> None:
    world = few_at_a_time()
    world.engine._lane.stop(timeout_s=5)
    world.policies.policy = renewed(world.policies.policy)
    world.start()
    offer(world, account(20, "ACC-5", START + HOUR))
    world.engine.turn(world.broker.receive(10, 0), START + HOUR, backlog=True)
    assert [each for each, words in moves(world.store).items() if "everybody" in words] == ["ACC-5"]
    carry_all(world)
    assert moved_once(world)


def test_a_closed_account_has_no_policy_version_to_be_outdated() -> None:
    world = few_at_a_time()
    offer(world, event(20, "ACC-5", "account.closed", START + HOUR, reason="moved"))
    world.turn(START + HOUR)
    versions = {each.profile_id: each.policy_version for each in world.store.reader().rows()}
    assert versions.pop("ACC-5") is None
    assert set(versions.values()) == {world.policies.policy.version}


def test_a_new_policy_reaches_every_profile_a_few_at_a_time() -> None:
    """Whoever is touched adopts it at once, the others follow in slices, each exactly once."""
    policy = load_policy(TELECOM)
    settings = EngineSettings(confirms=True, pipelined=False, late_us=10**15, carry_max=3)
    world = World(policy, MemoryStore(), settings)
    offer(world, *[account(n, f"ACC-{n}", START) for n in range(10)])
    world.turn(START + HOUR)
    before = len(world.published)
    world.policies.policy = renewed(policy)
    turns = 0
    while world.engine.is_due(world.clock.now()) and turns < 20:
        world.turn(START + HOUR)
        turns += 1
    moved = [json.loads(e.body) for e in world.published[before:] if e.routing_key == "dms.segment.changed.v1"]
    assert turns >= 3
    assert sorted(each["subject"] for each in moved) == sorted(f"ACC-{n}" for n in range(10))
    assert {each["data"]["policy_segment"] for each in moved} == {"everybody"}


def test_after_an_absence_waiting_messages_come_first_and_then_one_measure_fires_under_the_rules_of_now() -> None:
    """The payment that waited stops the block that became due meanwhile; the other debtor gets one measure, today."""
    world = World(load_policy(TELECOM))
    offer(world, *[account(n, f"ACC-{n}", START) for n in (1, 2)])
    offer(world, *[invoice(n + 10, f"ACC-{n}", START, due_on="2026-02-10") for n in (1, 2)])
    world.turn(START + HOUR)
    back = START + 30 * DAY  # 2026-03-04 09:00 UTC, noon in Moscow
    world.clock.reach(back)
    world.engine = world.start()
    world.engine._started_at = back
    before = len(world.published)
    offer(world, event(20, "ACC-1", "payment.received", back, payment_id="P-1", amount=100_000))
    world.engine.turn(world.broker.receive(10, 0), back + 1, backlog=True)
    world.turn(back + 1)
    later = world.published[before:]
    assert [e for e in commands(later, "ACC-1") if e != "due-soon"] == []
    assert commands(later, "ACC-2") == ["notice-of-block"]
    assert {e.at for e in later if e.profile_id == "ACC-2"} == {back}


def test_events_for_an_unknown_account_outlive_the_engine_and_take_effect_when_it_comes() -> None:
    world = World(load_policy(TELECOM))
    offer(world, invoice(1, "ACC-1", START))
    world.turn(START)
    world.kill()
    offer(world, account(2, "ACC-1", START + HOUR // 12))
    world.turn(START + 12 * HOUR)
    assert commands(world.published, "ACC-1") == ["notice-of-block"]


def test_events_for_an_account_that_never_comes_are_rejected_when_their_time_is_over() -> None:
    world = World(load_policy(TELECOM))
    offer(world, invoice(1, "ACC-1", START))
    world.turn(START)
    world.kill()
    world.turn(START + HOUR)
    (rejected,) = [json.loads(e.body) for e in world.published]
    assert (rejected["data"]["reason"], rejected["time"]) == ("unknown_subject", "2026-02-02T09:10:00Z")
    assert world.store.waiting_for_account() == []
