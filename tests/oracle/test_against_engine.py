"""The production engine, in a replay, says what the reference says: to every story and to random histories."""

import json
from pathlib import Path

import pytest

from adapters import replay as replay_module
from adapters.cloud_events import REJECTED
from adapters.event_types import INCOMING
from adapters.policy_files import load_policy
from adapters.replay import Line, Replay

from .compare import differences, differences_of, from_engine, replayed, report
from .garbage import spoilt_history
from .histories import policy_for, random_history, settled
from .instants import parse_instant
from .reference import play
from .stories import STORIES, Story, told

# The policies take turns: seven seeds are one of each.
CHUNK = 7
SEEDS = range(63)
SLOW_SEEDS = range(1_000, 1_500)
ODD_SEEDS = range(7)
FUZZ_SEEDS = range(14)


def chunks(seeds: range) -> list[range]:
    """Tests of a few seconds each, to be spread over processes."""
    return [seeds[n : n + CHUNK] for n in range(0, len(seeds), CHUNK)]


def of_chunk(chunk: range) -> str:
    return f"seeds {chunk.start} to {chunk.stop - 1}"


def agree(seeds: range) -> None:
    reports = [report(seed, confirm, found) for seed in seeds for confirm, found in differences_of(seed) if found]
    if reports:
        pytest.fail("\n\n".join(["the reference and the engine differ", *reports]), pytrace=False)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_stories(story: Story, tmp_path: Path) -> None:
    """What leaves the engine is what the story's sentence demands, and in all else what the reference says."""
    policy = tmp_path / "policy.toml"
    policy.write_text(story.policy, encoding="utf-8")
    outgoing = from_engine(policy, story.lines, story.until_instant, story.confirm)
    assert [told(event) for event in outgoing if event["type"] in story.watch] == list(story.expected)
    assert not differences(play(policy, story.lines, story.until_instant, story.confirm), outgoing)


@pytest.mark.parametrize("seeds", chunks(SEEDS), ids=of_chunk)
def test_random_histories(seeds: range) -> None:
    """The same events with the same data at the same instants, and commands in the same order."""
    agree(seeds)


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.parametrize("seeds", chunks(SLOW_SEEDS), ids=of_chunk)
def test_many_random_histories(seeds: range) -> None:
    """The same over more histories."""
    agree(seeds)


# What a replay does not depend on.


def bodies(seed: int, lines: list[str]) -> list[bytes]:
    return [event.body for event in replayed(policy_for(seed), lines, settled(lines))]


@pytest.mark.parametrize("seed", ODD_SEEDS)
def test_same_bytes_twice_and_in_any_portions(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A replay is a function of its policy and its lines: of no clock, no chance, and no size of a batch."""
    lines = random_history(seed, accounts=6, events=160)
    expected = bodies(seed, lines)
    assert bodies(seed, lines) == expected
    for size in (1, 7, 5_000):
        monkeypatch.setattr(replay_module, "EVENTS_AT_ONCE", size)
        assert bodies(seed, lines) == expected


@pytest.mark.parametrize("seed", ODD_SEEDS)
def test_accounts_do_not_touch_each_other(seed: int) -> None:
    """An account alone is worked to the same bytes as among others."""
    lines = random_history(seed, accounts=6, events=160)
    policy, until = policy_for(seed), settled(lines)
    together = replayed(policy, lines, until)
    for subject in {json.loads(line)["subject"] for line in lines}:
        alone = [line for line in lines if json.loads(line)["subject"] == subject]
        expected = [event.body for event in together if event.profile_id == subject]
        assert [event.body for event in replayed(policy, alone, until)] == expected


@pytest.mark.parametrize("seed", ODD_SEEDS)
def test_times_and_ids(seed: int) -> None:
    """Times never step back, and no two events share an id."""
    lines = random_history(seed, accounts=6, events=160)
    outgoing = replayed(policy_for(seed), lines, settled(lines), confirm=False)
    times = [event.at for event in outgoing]
    assert times == sorted(times)
    assert len({event.event_id for event in outgoing}) == len(outgoing)


# What comes in need not be sound.


@pytest.mark.parametrize("seed", FUZZ_SEEDS)
def test_each_event_has_one_fate(seed: int) -> None:
    """Whatever is in the fields, nothing raises: what is no duplicate takes effect, is stale, or is rejected, once."""
    lines = spoilt_history(seed)
    replay = Replay(load_policy(policy_for(seed)), confirm=False)
    recorded = (Line("history", number, line.encode()) for number, line in enumerate(lines, start=1))
    # Long enough for what waits for its account.
    outgoing = list(replay.run(recorded, int(parse_instant(settled(lines)) * 10**6)))
    rejections = [json.loads(event.body) for event in outgoing if event.routing_key == REJECTED]
    tally = replay.engine.tally
    outcomes = tally.outcomes()
    effective = sum(tally.facts[type_.kind] for type_ in INCOMING)
    assert effective + outcomes["stale"] + len(rejections) == len(lines) - outcomes["duplicate"]
    assert outcomes["rejected"] == len(rejections) == len({rejection["id"] for rejection in rejections})
    assert outcomes["duplicate"] == doubles(lines)
    assert effective > 0
    assert len(rejections) > 0


def doubles(lines: list[str]) -> int:
    """How many come again with a source and an id that can be read."""
    seen: set[tuple[str, str]] = set()
    count = 0
    for line in lines:
        event = json.loads(line)
        key = event.get("source"), event.get("id")
        if all(isinstance(name, str) and 0 < len(name) <= 256 and min(name) >= " " for name in key):
            count += key in seen
            seen.add(key)
    return count
