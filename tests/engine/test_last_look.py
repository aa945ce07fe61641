"""Between its decision and its leaving a command can lose its reason; then it never leaves."""

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from adapters.policy_files import load_policy
from domain.calendar import DAY, HOUR
from domain.events import CommandWithdrawn
from domain.policy import Breaker
from engine.ports import NothingLeft, OutgoingEvent
from sim.broker import MemoryBroker
from tests.engine.test_faults import START, TELECOM, account, event, invoice
from tests.engine.world import World

BLOCK_DAY = START + DAY
"""The block fires on it: the notice of it is sent on the day of the start."""


class Moody(MemoryBroker):
    """A broker that publishes as ``mood`` says: it is away, it takes and does not confirm, or all is well."""

    mood = "well"

    def publish(self, events: Sequence[OutgoingEvent]) -> list[str]:
        if self.mood == "away":
            raise NothingLeft("the broker is away")
        confirmed = super().publish(events)
        return [] if self.mood == "mute" else confirmed


def a_debtor(breaker: Breaker | None = None) -> World:
    """One account, overdue, whose block fires tomorrow."""
    policy = load_policy(TELECOM)
    plans = {
        name: replace(plan, measures=tuple(replace(each, confirm_within=None) for each in plan.measures))
        for name, plan in policy.plans.items()
    }
    world = World(replace(policy, plans=plans, breakers=(breaker,) if breaker is not None else ()))
    world.settings = replace(world.settings, confirms=False)
    world.broker = Moody(world.published.extend)
    world.start()
    world.broker.offer(account(1, "ACC-1", START))
    world.broker.offer(invoice(2, "ACC-1", START))
    world.turn(START + HOUR)
    return world


def pay(world: World, at: int) -> None:
    world.broker.offer(event(3, "ACC-1", "payment.received", at, payment_id="P", amount=100_000))


def services(world: World) -> list[str]:
    """The commands about the network that a receiver sees, doubles dropped."""
    return [e.routing_key.rsplit(".", 1)[1] for e in world.once() if e.routing_key.startswith("measure.network.")]


def withdrawn(world: World) -> list[tuple[str, str]]:
    journal = world.store.reader().journal("ACC-1")
    return [(e.fact.command_id, e.fact.why) for e in journal if isinstance(e.fact, CommandWithdrawn)]


def mood(world: World, mood: str) -> None:
    assert isinstance(world.broker, Moody)
    world.broker.mood = mood


def test_without_a_payment_the_block_leaves() -> None:
    world = a_debtor()
    world.turn(BLOCK_DAY)
    assert services(world) == ["block-internet"]


def test_a_block_that_waits_for_the_broker_is_withdrawn_by_the_payment_and_its_reversal_with_it() -> None:
    world = a_debtor()
    mood(world, "away")
    world.turn(BLOCK_DAY)
    pay(world, BLOCK_DAY + HOUR)
    world.turn(BLOCK_DAY + 2 * HOUR)
    mood(world, "well")
    world.turn(BLOCK_DAY + 3 * HOUR)
    assert services(world) == []
    assert withdrawn(world) == [("ACC-1/1/block-internet", "cured"), ("ACC-1/1/unblock-internet", "cured")]
    assert [e.routing_key for e in world.once()][-1] == "dms.run.closed.v1"
    assert world.store.pending(9) == []


def test_a_block_and_the_payment_that_cures_it_in_one_batch_never_leave() -> None:
    world = a_debtor()
    pay(world, BLOCK_DAY + HOUR)
    world.turn(BLOCK_DAY + 2 * HOUR)
    assert services(world) == []
    assert len(withdrawn(world)) == 2


def test_a_block_that_may_have_left_is_sent_again_and_reversed() -> None:
    world = a_debtor()
    mood(world, "mute")
    world.turn(BLOCK_DAY)
    pay(world, BLOCK_DAY + HOUR)
    world.turn(BLOCK_DAY + 2 * HOUR)
    mood(world, "well")
    world.turn(BLOCK_DAY + 3 * HOUR)
    assert services(world) == ["block-internet", "unblock-internet"]
    assert withdrawn(world) == []


def test_what_an_engine_before_may_have_sent_is_reversed_not_withdrawn() -> None:
    world = a_debtor()
    mood(world, "away")
    world.turn(BLOCK_DAY)
    world.kill()
    pay(world, BLOCK_DAY + HOUR)
    world.turn(BLOCK_DAY + 2 * HOUR)
    mood(world, "well")
    world.turn(BLOCK_DAY + 3 * HOUR)
    assert services(world) == ["block-internet", "unblock-internet"]


@pytest.mark.parametrize("restarts", [False, True])
def test_a_block_that_a_breaker_holds_back_is_withdrawn_by_the_payment(restarts: bool) -> None:
    world = a_debtor(Breaker(kind="restrict", per_hour=1))
    for number in range(10, 13):
        world.broker.offer(account(number, f"ACC-0{number}", START + HOUR))
        world.broker.offer(invoice(number + 10, f"ACC-0{number}", START + HOUR))
    world.turn(BLOCK_DAY)
    held = [json.loads(each.body)["subject"] for each in world.store.withheld()]
    assert len(held) == 3
    if restarts:
        world.kill()
    paid = held[0]
    body = event(30, paid, "payment.received", BLOCK_DAY + HOUR, payment_id="P", amount=100_000)
    world.broker.offer(body)
    world.turn(BLOCK_DAY + 2 * HOUR)
    assert [json.loads(each.body)["subject"] for each in world.store.withheld()] == held[1:]
    assert not any(e.profile_id == paid and "measure.network" in e.routing_key for e in world.once())


def test_what_a_breaker_holds_back_waits_for_no_confirmation_until_it_is_let_go() -> None:
    world = a_debtor(Breaker(kind="restrict", per_hour=1))
    policy = load_policy(TELECOM)
    assert any(each.confirm_within for plan in policy.plans.values() for each in plan.measures)
    world.policies.policy = replace(policy, breakers=(Breaker(kind="restrict", per_hour=1),))
    world.start()
    for number in range(10, 12):
        world.broker.offer(account(number, f"ACC-0{number}", START + HOUR))
        world.broker.offer(invoice(number + 10, f"ACC-0{number}", START + HOUR))
    world.turn(BLOCK_DAY - 2 * HOUR + 1)  # ten in the morning, when the block fires
    held = {each.profile_id for each in world.store.withheld()}
    world.turn(BLOCK_DAY + 5 * HOUR)
    assert sorted(each.profile_id for each in world.store.withheld() if each.profile_id in held) == sorted(held)
    heads = [each.id for each in (policy.managers or {}).values() if each.role in ("head", "administrator")]
    world.clock.reach(BLOCK_DAY + 5 * HOUR)
    for head in heads[:2]:
        world.engine.vote("restrict@everyone", head, let_go=True)
    world.turn(BLOCK_DAY + 5 * HOUR + 1)
    world.turn(BLOCK_DAY + 5 * HOUR + HOUR)
    attempts = [e.at for e in world.once() if e.profile_id in held and "block-internet" in e.routing_key]
    let_go = BLOCK_DAY + 5 * HOUR
    assert sorted(attempts)[:2] == [BLOCK_DAY - 2 * HOUR] * 2
    assert sorted(attempts)[2:4] == [let_go + HOUR // 2] * 2
