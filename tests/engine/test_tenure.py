"""Engines that share a store: each shard has one of them, whatever they believe."""

import json
import random
from dataclasses import replace

import pytest

from adapters.cloud_events import decode, parse_instant
from domain.calendar import DAY, HOUR
from domain.shards import shard_of
from engine.ports import Fenced, OutgoingEvent
from tests.engine.many import SHARDS, Many, Member
from tests.engine.test_engine import _by_profile
from tests.engine.test_faults import START, TELECOM, account, event, invoice, moves, renewed
from tests.engine.world import World
from tests.oracle.histories import policy_for, random_history, settled

FIRST = tuple(range(SHARDS // 2))
LAST = tuple(range(SHARDS // 2, SHARDS))
ALL = (*FIRST, *LAST)


def accounts(many: Many, count: int) -> None:
    for number in range(count):
        many.publish(account(2 * number, f"ACC-{number}", START), invoice(2 * number + 1, f"ACC-{number}", START))


def subjects(events: list[OutgoingEvent], key: str) -> list[str]:
    return sorted(json.loads(event.body)["subject"] for event in events if event.routing_key == key)


def test_two_engines_work_every_profile_once() -> None:
    many = Many(TELECOM)
    members = [many.join("a", FIRST), many.join("b", LAST)]
    accounts(many, 40)
    many.settle(members, START + HOUR)
    assert subjects(many.published, "dms.run.opened.v1") == sorted(f"ACC-{n}" for n in range(40))
    assert all(member.engine.active > 5 for member in members)


def test_an_event_at_the_queue_of_another_shard_reaches_its_own() -> None:
    many = Many(TELECOM)
    members = [many.join("a", FIRST), many.join("b", LAST)]
    body = account(1, "ACC-1", START)
    many.queues.put((shard_of("ACC-1", SHARDS) + SHARDS // 2) % SHARDS, body)
    many.settle(members, START)
    assert subjects(many.published, "dms.segment.changed.v1") == ["ACC-1"]


def test_shards_that_fall_to_another_engine_are_handed_over_in_good_order() -> None:
    many = Many(TELECOM)
    one = many.join("a", ALL)
    accounts(many, 20)
    many.settle([one], START + HOUR)
    two = many.join("b", LAST)
    assert two.engine.owned == frozenset()
    one.told.shards = frozenset(FIRST)
    one.turn(START + HOUR)
    two.turn(START + HOUR)
    assert (one.engine.owned, two.engine.owned) == (frozenset(FIRST), frozenset(LAST))
    for number in range(20):
        many.publish(event(100 + number, f"ACC-{number}", "payment.received", START + HOUR, payment_id="P", amount=1))
    many.settle([one, two], START + DAY)
    assert subjects(many.published, "dms.message.rejected.v1") == []
    # The notice went on the day of the start; tomorrow's block fires where each profile lives now.
    assert subjects(many.once(), "measure.network.block-internet") == sorted(f"ACC-{n}" for n in range(20))


def test_leases_are_kept_and_taken_over_while_the_clock_on_the_wall_is_set_back() -> None:
    many = Many(TELECOM)
    one, two = many.join("a", FIRST), many.join("b", LAST)
    accounts(many, 20)
    many.settle([one, two], START + HOUR)
    two.clock.is_set_back = True
    one.kill()
    two.told.shards = frozenset(ALL)
    for _ in range(6):
        many.seconds += 2
        two.turn(START + HOUR)
    assert two.engine.owned == frozenset(ALL)


def test_a_dead_engines_shards_are_taken_over_when_its_lease_has_ended() -> None:
    many = Many(TELECOM)
    one, two = many.join("a", FIRST), many.join("b", LAST)
    accounts(many, 20)
    many.settle([one, two], START + HOUR)
    one.kill()
    two.told.shards = frozenset(ALL)
    two.turn(START + HOUR)
    assert two.engine.owned == frozenset(LAST)
    many.seconds += 11
    two.turn(START + HOUR)
    assert two.engine.owned == frozenset(ALL)
    many.settle([two], START + DAY)
    assert subjects(many.once(), "measure.network.block-internet") == sorted(f"ACC-{n}" for n in range(20))


@pytest.mark.parametrize("leaves", [False, True], ids=["dies", "leaves"])
def test_a_policy_that_was_being_carried_goes_on_with_the_shards(leaves: bool) -> None:
    many = Many(TELECOM)
    many.settings = replace(many.settings, carry_max=2)
    one, two = many.join("a", FIRST), many.join("b", LAST)
    accounts(many, 40)
    many.settle([one, two], START + HOUR)
    many.policies.policy = renewed(many.policies.policy)
    for _ in range(30):
        two.turn(START + HOUR)
    one.turn(START + HOUR)
    assert (one.engine.is_busy, two.engine.is_busy) == (True, False)
    one.engine.end() if leaves else one.kill()
    many.seconds += 11
    two.told.shards = frozenset(ALL)
    for _ in range(30):
        two.turn(START + HOUR)
    assert two.engine.owned == frozenset(ALL)
    assert not two.engine.is_busy
    version = many.policies.policy.version
    for number, words in moves(many.store).items():
        assert words[1:] == [str(version - 1), "everybody", str(version)], number


def test_a_frozen_engine_that_thaws_commits_nothing_stale() -> None:
    many = Many(TELECOM)
    frozen, other = many.join("a", ALL), many.join("b", ())
    accounts(many, 10)
    many.settle([frozen], START + HOUR)
    many.seconds += 11
    other.told.shards = frozenset(ALL)
    other.turn(START + HOUR)
    assert other.engine.owned == frozenset(ALL)
    before = len(many.published)
    # It does not know yet, and works on: timers, which need no queue.
    with pytest.raises(Fenced):
        frozen.engine.turn([], START + DAY)
    assert len(many.published) == before
    frozen.turn(START + DAY)
    assert frozen.engine.owned == frozenset()
    many.settle([other], START + DAY)
    assert subjects(many.published[before:], "measure.network.block-internet") == sorted(f"ACC-{n}" for n in range(10))


def test_while_nobody_can_tell_who_lives_everybody_keeps_what_they_have() -> None:
    many = Many(TELECOM)
    one, two = many.join("a", FIRST), many.join("b", LAST)
    one.told.shards = two.told.shards = None
    many.seconds += 8
    accounts(many, 10)
    many.settle([one, two], START + HOUR)
    many.seconds += 8
    many.settle([one, two], START + HOUR)
    assert (one.engine.owned, two.engine.owned) == (frozenset(FIRST), frozenset(LAST))


def test_a_desk_on_another_engine_gives_every_debtor_a_manager() -> None:
    many = Many(TELECOM)
    members = [many.join(str(shard), [shard]) for shard in range(SHARDS)]
    for number in range(16):
        body = event(
            number, f"ACC-{number}", "account.updated", START, projection="account", party="organisation",
            currency="RUB", attributes={"region": "SPB", "revenue_class": "A"},
        )  # fmt: skip
        many.publish(body)
    many.settle(members, START)
    changed = [json.loads(e.body) for e in many.once() if e.routing_key == "dms.manager.changed.v1"]
    personal = {each["subject"]: each["data"]["manager"] for each in changed if each["data"]["manager"]}
    assert sorted(personal) == sorted(f"ACC-{n}" for n in range(16))
    assert len(set(personal.values())) > 1, "the work is spread"


@pytest.mark.parametrize("seed", range(8))
def test_engines_that_come_and_go_and_die_decide_what_one_alone_would(seed: int) -> None:
    lines = [line.encode() for line in random_history(seed, accounts=8, events=200)]
    until = parse_instant(settled([line.decode() for line in lines]))
    expected = World(policy_for(seed)).play(lines, until)
    rng = random.Random(seed)
    many = Many(policy_for(seed))
    members = [many.join("m0", ALL)]
    at = 0
    for number, line in enumerate(lines):
        many.publish(line)
        at = getattr(decode(line)[0], "time", None) or at
        if rng.random() < 0.1:
            _disturb(many, members, f"m{number}", rng)
        if rng.random() < 0.3:
            rng.choice(members).turn(at, limit=1_000)
    many.settle(members, until + 1)
    _wait(many, members)
    many.settle(members, until + 1)
    assert len(many.once()) > 50
    assert _by_profile(many.once()) == _by_profile(expected)


def _wait(many: Many, members: list[Member]) -> None:
    """Long enough for a lease to end, and not too long for those who live to renew theirs."""
    for _ in range(2):
        many.seconds += 6
        for member in members:
            member.clock.instant += 2_000_000
            member.engine.tend()


def _disturb(many: Many, members: list[Member], name: str, rng: random.Random) -> None:
    """Somebody comes, leaves or dies; every shard falls to one of those who live."""
    what = rng.choice(["join", "leave", "die", "move"])
    if what == "join" and len(members) < 4:
        members.append(many.join(name, ()))
    elif what == "leave" and len(members) > 1:
        members.pop(rng.randrange(len(members))).engine.end()
    elif what == "die" and len(members) > 1:
        members.pop(rng.randrange(len(members))).kill()
        _wait(many, members)
    owners = {shard: rng.choice(members) for shard in ALL}
    for member in members:
        member.told.shards = frozenset(shard for shard, owner in owners.items() if owner is member)
