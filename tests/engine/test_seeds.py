"""Seeded worlds: every step of store and broker may fail, engines die and come, and what is decided stays the same.

A failure prints its seed: ``pytest tests/engine/test_seeds.py -k 'seed_17'`` repeats it. `make seeds` runs many.
"""

import os
import random
from contextlib import suppress

import pytest

from adapters.cloud_events import decode, parse_instant
from engine.ports import Fenced
from sim.faults import Broken, Fate
from tests.engine.many import SHARDS, Many, Member
from tests.engine.test_engine import _by_profile, _refusals
from tests.engine.world import World
from tests.oracle.histories import policy_for, random_history, settled

ALL = range(SHARDS)
SEEDS = range(int(os.environ.get("SEEDS_FROM", "0")), int(os.environ.get("SEEDS", "12")))
RATES = (0.05, 0.1, 0.3)


class Run:
    """One seed's history in a world of faults, with engines that come and go."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(f"run {seed}")
        self.fate = Fate(seed, self.rng.choice(RATES))
        self.lines = [line.encode() for line in random_history(seed, accounts=6, events=120)]
        self.until = parse_instant(settled([line.decode() for line in self.lines]))
        self.policy = policy_for(seed)
        self.many = Many(self.policy)
        self.joined = 0
        self.members = [self.join(ALL)]

    def join(self, shards: range) -> Member:
        self.joined += 1
        return self.many.join(f"m{self.joined}", shards, self.fate)

    def play(self) -> "Run":
        at = 0
        for line in self.lines:
            self.many.publish(line)
            at = getattr(decode(line)[0], "time", None) or at
            if self.rng.random() < 0.08:
                self.disturb()
            if self.rng.random() < 0.3:
                self.turn(self.rng.choice(self.members), at)
        self.fate.rate = 0.0
        for _ in range(3):
            self.wait()
            self.many.settle(self.members, self.until + 1)
        return self

    def turn(self, member: Member, until: int) -> None:
        """One turn; what fails is tried again later, as the service does."""
        with suppress(Broken, Fenced):
            member.turn(until, limit=1_000)

    def disturb(self) -> None:
        if self.rng.random() < 0.5 and len(self.members) < 3:
            self.members.append(self.join(range(0)))
        elif len(self.members) > 1:
            self.members.pop(self.rng.randrange(len(self.members))).kill()
            self.wait()
        owners = {shard: self.rng.choice(self.members) for shard in ALL}
        for member in self.members:
            member.told.shards = frozenset(shard for shard, owner in owners.items() if owner is member)

    def wait(self) -> None:
        """Until a dead one's leases have ended; those who live renew theirs, however often it takes."""
        rate, self.fate.rate = self.fate.rate, 0.0
        for _ in range(2):
            self.many.seconds += 6
            for member in self.members:
                member.clock.instant += 2_000_000
                member.engine.tend()
        self.fate.rate = rate


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: f"seed_{seed}")
def test_whatever_fails_the_same_is_decided(seed: int) -> None:
    """No effect is lost and none doubled; the order within a profile holds."""
    run = Run(seed).play()
    expected = World(run.policy).play(run.lines, run.until)
    assert _by_profile(run.many.once()) == _by_profile(expected)
    assert _refusals(run.many.once()) == _refusals(expected)


@pytest.mark.parametrize("seed", list(SEEDS)[:3], ids=lambda seed: f"seed_{seed}")
def test_the_same_seed_is_the_same_world(seed: int) -> None:
    assert Run(seed).play().fate.trace == Run(seed).play().fate.trace
