"""A rule gone wild is stopped at its breaker, and goes on only when two people say so."""

import json
from dataclasses import replace

import pytest

from adapters.cloud_events import rfc3339
from adapters.policy_files import load_policy
from domain.calendar import DAY, HOUR
from domain.policy import Breaker
from engine.ballot import VoteRefused
from engine.letters import Voice
from sim.store import MemoryStore
from tests.engine.test_faults import START, TELECOM, account, invoice
from tests.engine.world import FaultyStore, Killed, World


def wild(accounts: int, breaker: Breaker, store: MemoryStore | None = None) -> World:
    """So many accounts overdue at once, under the telecom policy with one breaker."""
    policy = load_policy(TELECOM)
    plans = {
        name: replace(plan, measures=tuple(replace(each, confirm_within=None) for each in plan.measures))
        for name, plan in policy.plans.items()
    }
    world = World(replace(policy, breakers=(breaker,), plans=plans), store)
    world.settings = replace(world.settings, confirms=False)
    world.engine = world.start()
    for n in range(accounts):
        world.broker.offer(account(2 * n, f"ACC-{n:03}", START))
        world.broker.offer(invoice(2 * n + 1, f"ACC-{n:03}", START))
    world.turn(START + HOUR)
    return world


def blocks(world: World) -> int:
    return sum(1 for event in world.published if event.routing_key == "measure.network.block-internet")


def managers(world: World, role: str) -> list[str]:
    people = world.policies.policy.managers
    assert people is not None
    return [each.id for each in people.values() if each.role == role]


def test_ten_times_too_many_blocks_stop_at_the_breaker_and_everything_else_goes_on() -> None:
    world = wild(100, Breaker(kind="restrict", per_hour=10))
    world.turn(START + DAY)
    assert blocks(world) == 10
    assert world.engine.blown == {"restrict@everyone"}
    assert sum(1 for event in world.published if event.routing_key == "dms.run.opened.v1") == 100


def test_a_share_counts_the_profiles_of_the_segment() -> None:
    world = wild(100, Breaker(kind="restrict", share_per_hour=0.05))
    world.turn(START + DAY)
    assert blocks(world) == 5


def test_two_heads_let_them_go_and_one_alone_does_not() -> None:
    world = wild(30, Breaker(kind="restrict", per_hour=10))
    world.turn(START + DAY)
    first, second = (managers(world, "head") + managers(world, "administrator"))[:2]
    world.engine.vote("restrict@everyone", first, let_go=True)
    world.engine.vote("restrict@everyone", first, let_go=True)
    world.turn(START + DAY)
    assert blocks(world) == 10
    world.engine.vote("restrict@everyone", second, let_go=True)
    world.turn(START + DAY)
    assert blocks(world) == 30
    assert world.engine.blown == set()


def test_two_heads_withdraw_them() -> None:
    world = wild(30, Breaker(kind="restrict", per_hour=10))
    world.turn(START + DAY)
    for head in (managers(world, "head") + managers(world, "administrator"))[:2]:
        world.engine.vote("restrict@everyone", head, let_go=False)
    world.turn(START + DAY)
    assert blocks(world) == 10
    assert world.store.blown() == []


def pass_a_day(world: World) -> None:
    """However many batches that takes."""
    while world.broker.unfinished or world.engine.next_at() <= START + DAY:
        world.turn(START + DAY + 1)


@pytest.mark.parametrize("is_pipelined", [False, True])
@pytest.mark.parametrize(("fault", "let_go", "accounts"), [
    ("before", True, 3_000), ("before", False, 100), ("after", True, 100), ("after", False, 100)
])  # fmt: skip
def test_thousands_are_decided_at_once_and_no_voice_is_lost_or_kept_where_that_commit_fails(
    fault: str, let_go: bool, accounts: int, is_pipelined: bool
) -> None:
    """The first voice is committed and does not come again; the second one does."""
    store = FaultyStore()
    world = wild(accounts, Breaker(kind="restrict", per_hour=10), store)
    pass_a_day(world)
    world.settings = replace(world.settings, pipelined=is_pipelined)
    world.kill()
    assert (blocks(world), len(store.withheld())) == (10, accounts - 10)
    first, second, third = (managers(world, "head") + managers(world, "administrator"))[:3]
    world.engine.vote("restrict@everyone", first, let_go=let_go)
    world.turn(START + DAY)
    world.engine.vote("restrict@everyone", second, let_go=let_go)
    getattr(store, fault).add(store.commits + 1)
    with pytest.raises(Killed):
        world.turn(START + DAY)
    pass_a_day(world)
    assert store.withheld() == []
    assert len({event.event_id for event in world.published if "block-internet" in event.routing_key}) == (
        accounts if let_go else 10
    )
    assert world.engine.blown == set()
    # Of what is held from now on, nobody has spoken yet.
    world.engine.blown.add("restrict@everyone")
    assert not world.engine.ballot.hear("restrict@everyone", third, let_go, world.engine.policy)


def test_a_specialist_has_no_voice_and_nobody_votes_on_a_breaker_that_holds_nothing() -> None:
    world = wild(30, Breaker(kind="restrict", per_hour=10))
    with pytest.raises(VoteRefused, match="holds nothing back"):
        world.engine.vote("restrict@everyone", managers(world, "head")[0], let_go=True)
    world.turn(START + DAY)
    with pytest.raises(VoteRefused, match="no head"):
        world.engine.vote("restrict@everyone", managers(world, "specialist")[0], let_go=True)


def test_voices_that_somebody_makes_up_and_publishes_open_no_breaker() -> None:
    world = wild(30, Breaker(kind="restrict", per_hour=10))
    world.turn(START + DAY)
    for actor in ("eve", "mallory"):
        world.engine._post(["shard/0"], actor, Voice("restrict@everyone", actor, True))
    pass_a_day(world)
    assert world.engine.blown == {"restrict@everyone"}


def test_a_breaker_that_holds_commands_back_still_does_after_a_restart() -> None:
    world = wild(30, Breaker(kind="restrict", per_hour=10))
    world.turn(START + DAY)
    world.kill()
    assert world.engine.blown == {"restrict@everyone"}
    world.broker.offer(account(900, "LATE", START + DAY))
    world.broker.offer(invoice(901, "LATE", START + DAY))
    world.turn(START + 3 * DAY)
    assert blocks(world) == 10


def test_a_payment_is_not_held_back_and_the_service_comes_back() -> None:
    """Reversals are of another kind: they pass."""
    world = wild(5, Breaker(kind="restrict", per_hour=2))
    world.turn(START + DAY)
    paid = {
        "specversion": "1.0",
        "id": "paid",
        "source": "billing",
        "type": "dms.payment.received.v1",
        "subject": "ACC-000",
        "time": rfc3339(START + DAY),
        "data": {"payment_id": "P", "amount": 100_000},
    }
    world.broker.offer(json.dumps(paid).encode())
    world.turn(START + DAY)
    mine = [event.routing_key for event in world.published if event.profile_id == "ACC-000"]
    assert mine[-2:] == ["dms.run.closed.v1", "measure.network.unblock-internet"]
