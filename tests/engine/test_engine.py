"""The engine as a whole, actors included: what it promises whatever happens to it."""

import random
from collections import defaultdict
from collections.abc import Sequence

import pytest

from adapters.cloud_events import parse_instant

# from adapters.verify import verify
from engine.ports import OutgoingEvent
from sim.store import MemoryStore
from tests.engine.world import FaultyStore, World
from tests.oracle.histories import policy_for, random_history, settled

SEEDS = range(8)


def _history(seed: int) -> tuple[list[bytes], int]:
    lines = random_history(seed, accounts=8, events=200)
    return [line.encode() for line in lines], parse_instant(settled(lines))


def _by_profile(events: Sequence[OutgoingEvent]) -> dict[str, list[tuple[str, bytes]]]:
    told: dict[str, list[tuple[str, bytes]]] = defaultdict(list)
    for event in events:
        # Refusals are decided at the door or by the profile, so only their set is fixed.
        if "/rejected/" not in event.event_id and not event.event_id.startswith("rejected/"):
            told[event.profile_id].append((event.event_id, event.body))
    return dict(told)


def _refusals(events: Sequence[OutgoingEvent]) -> set[bytes]:
    return {event.body for event in events if event.event_id.startswith("rejected/")}


@pytest.mark.parametrize("seed", SEEDS)
def test_batches_of_any_size_give_the_same_events(seed: int) -> None:
    """How deliveries are cut into batches is nobody's business but the engine's."""
    lines, until = _history(seed)
    once = World(policy_for(seed)).play(lines, until)
    cut = World(policy_for(seed)).play(lines, until, random.Random(seed))
    assert _by_profile(cut) == _by_profile(once)
    assert _refusals(cut) == _refusals(once)


@pytest.mark.parametrize("seed", SEEDS)
def test_killing_the_engine_between_any_two_batches_changes_no_outgoing_event(seed: int) -> None:
    """Before a commit nothing has happened; after it everything has, whether or not anybody heard of it."""
    lines, until = _history(seed)
    expected = World(policy_for(seed)).play(lines, until, random.Random(seed))
    store = FaultyStore()
    rng = random.Random(seed)
    store.before = {rng.randrange(1, 40) for _ in range(8)}
    store.after = {rng.randrange(1, 40) for _ in range(8)} - store.before
    world = World(policy_for(seed), store)
    actual = world.play(lines, until, random.Random(seed))
    assert store.commits > 5
    assert _by_profile(actual) == _by_profile(expected)
    assert _refusals(actual) == _refusals(expected)
    # assert list(verify(store.reader())) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_redelivery_of_everything_has_no_effect(seed: int) -> None:
    """Each event delivered one to five times gives what each once gives."""
    lines, until = _history(seed)
    rng = random.Random(seed)
    expected = World(policy_for(seed)).play(lines, until)
    again = [line for line in lines for _ in range(rng.randrange(1, 6))]
    world = World(policy_for(seed))
    assert _by_profile(world.play(again, until)) == _by_profile(expected)
    assert world.engine.tally.outcomes()["duplicate"] >= len(again) - len(lines)


@pytest.mark.parametrize("seed", SEEDS)
def test_profiles_that_are_let_go_and_loaded_again_behave_as_if_they_had_stayed(seed: int) -> None:
    """An actor is a cache of what the store holds."""
    from engine.engine import EngineSettings

    lines, until = _history(seed)
    expected = World(policy_for(seed)).play(lines, until)
    few = EngineSettings(confirms=True, pipelined=False, late_us=10**15, active_max=1)
    world = World(policy_for(seed), MemoryStore(), few)
    assert _by_profile(world.play(lines, until)) == _by_profile(expected)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_pipelined_commit_gives_the_same_events(seed: int) -> None:
    """Commit k runs while batch k+1 decides; nobody can tell from outside."""
    from engine.engine import EngineSettings

    lines, until = _history(seed)
    expected = World(policy_for(seed)).play(lines, until)
    piped = EngineSettings(confirms=True, pipelined=True, late_us=10**15)
    world = World(policy_for(seed), MemoryStore(), piped)
    assert _by_profile(world.play(lines, until)) == _by_profile(expected)
