"""A replay by several processes: what leaves, and in what order, is what one process says."""

import os
import random
import signal
from collections.abc import Iterator
from contextlib import closing
from multiprocessing import active_children

import pytest

from adapters import replay_crew
from adapters.json_lines import InputError
from adapters.policy_files import load_policy
from adapters.replay import Line, Replay
from adapters.replay_crew import ReplayCrew
from domain.policy import Policy
from tests.adapters.test_replay import months_with_managers
from tests.engine.test_faults import TELECOM
from tests.oracle.garbage import spoilt_history
from tests.oracle.histories import policy_for, random_history, settled
from tests.oracle.instants import parse_instant


def numbered(bodies: list[bytes]) -> Iterator[Line]:
    return (Line("history", number, body) for number, body in enumerate(bodies, 1))


def same(policy: Policy, bodies: list[bytes], until: int | None = None, confirm: bool = True) -> list[bytes]:
    """What leaves, in order; two processes say what one says, and have counted the same."""
    one, two = Replay(policy, confirm), ReplayCrew(policy, confirm, 2)
    said = list(one.bodies(numbered(bodies), until))
    assert list(two.bodies(numbered(bodies), until)) == said
    assert two.tally.events == one.tally.events
    assert two.tally.facts == one.tally.facts
    assert active_children() == []
    return said


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_several_processes_give_the_bytes_of_one(seed: int) -> None:
    lines = random_history(seed, accounts=6, events=160)
    until = int(parse_instant(settled(lines)) * 10**6)
    assert len(same(load_policy(policy_for(seed)), [line.encode() for line in lines], until, confirm=seed > 1)) > 50


def test_doubles_faults_and_batches_fall_to_the_same_processes_as_their_profiles() -> None:
    """A double counts whoever's it is; what has no readable subject is refused in its order, too."""
    rng = random.Random(5)
    bodies: list[bytes] = []
    lines = [line.encode() for line in spoilt_history(5)]
    while lines:
        size = rng.choice([1, 1, 1, 4])
        bodies.append(lines[0] if size == 1 else b"[" + b",".join(lines[:size]) + b"]")
        del lines[:size]
    until = int(parse_instant(settled(spoilt_history(5))) * 10**6)
    assert len(same(load_policy(policy_for(5)), bodies, until)) > 50


@pytest.mark.parametrize("seed", [1, 2])
def test_managers_are_asked_by_all_processes_at_the_same_time(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_crew, "EVENTS_AT_ONCE", 40)
    said = same(load_policy(TELECOM), list(months_with_managers(seed)))
    assert sum(b"dms.manager.changed.v1" in each for each in said) > 3


def test_what_stands_before_a_line_that_is_no_event_is_played_all_the_same() -> None:
    good = [line.encode() for line in random_history(1, accounts=3, events=60)]
    policy = load_policy(policy_for(1))
    said = []
    for replay in (Replay(policy), ReplayCrew(policy, True, 2)):
        out: list[bytes] = []
        with pytest.raises(InputError, match=rf"history:{len(good) + 1}: is no event: "):
            out.extend(replay.bodies(numbered([*good, b"{", good[0]])))
        said.append(out)
    assert said[0] == said[1]
    assert len(said[0]) > 10


def test_a_process_that_is_killed_ends_the_replay_with_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_crew, "EVENTS_AT_ONCE", 10)
    lines = [line.encode() for line in random_history(1, accounts=6, events=160)]
    with closing(ReplayCrew(load_policy(policy_for(1)), True, 2).bodies(numbered(lines))) as bodies:
        next(bodies)
        for process in active_children():
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(ChildProcessError, match="was ended from outside"):
            list(bodies)
    assert active_children() == []
