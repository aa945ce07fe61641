"""What the laboratory's domain heard, told to production's engine on its real store, brings the same commands."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from adapters.cloud_events import parse_instant, rfc3339
from adapters.letters import CODEC
from adapters.replay import FixedPolicy, Line, Replay
from adapters.sqlite_store import SqliteStore
from domain.command_events import MeasureRequested
from domain.policy import Policy
from engine.engine import Engine, EngineSettings
from engine.ports import Delivery, OutgoingEvent
from sim.broker import MemoryBroker
from sim.clock import VirtualClock
from sim.scenario import Scenario
from sim.world import Branch
from tests.sim.laboratory import shipped, telecom
from tests.sim.recording import lines_of

Command = tuple[str, str, str, int, int, str]


def lived(scenario: Scenario, policy: Policy, seed: int = 1) -> tuple[list[bytes], list[Command], int]:
    """A branch all of whose accounts are watched: what was heard, what was asked for, and when it ended."""
    branch = Branch(scenario, policy, seed, 0, 0, watched=range(scenario.accounts))
    branch.run()
    ends = policy.zone.midnight(scenario.start + scenario.days)
    heard = [(f"B0-{account}", message) for account, message in branch.cases.heard if message.at < ends]
    asked = sorted(_told(f"B0-{account}", command) for account, command in branch.cases.asked)
    return lines_of(heard), asked, ends - 1


def _told(profile_id: str, command: object) -> Command:
    assert isinstance(command, MeasureRequested)
    return (
        rfc3339(command.at), profile_id, command.command_id, command.overdue,
        command.dpd, command.reason,
    )  # fmt: skip


def commands(events: list[OutgoingEvent]) -> list[Command]:
    """The commands among what left, in the same shape."""
    found = []
    for event in events:
        if event.routing_key.startswith("measure."):
            told = msgspec.json.decode(event.body)
            data = told["data"]
            found.append(
                (
                    told["time"], event.profile_id, data["command_id"], data["overdue"], data["days_past_due"],
                    data["reason"],
                )
            )  # fmt: skip
    return sorted(found)


def rejections(events: list[OutgoingEvent]) -> list[bytes]:
    """What was refused, but work that had become moot."""
    return [
        event.body
        for event in events
        if event.routing_key == "dms.message.rejected.v1" and b"task.done" not in event.body
    ]


@pytest.mark.parametrize("seed", [1, 2])
def test_in_a_replay(seed: int) -> None:
    """The textbook policy for eight months: every command, at its instant, for its reason."""
    policy = telecom()
    lines, asked, until = lived(shipped("telecom", 150, 240), policy, seed)
    replay = Replay(policy, confirm=False)
    events = list(replay.run((Line("lab", number, line) for number, line in enumerate(lines, 1)), until))
    assert not rejections(events)
    assert len(asked) > 500
    assert commands(events) == asked


def test_on_the_real_store(tmp_path: Path) -> None:
    """The same through the engine that production runs, on SQLite, profiles frozen and thawed."""
    # Breakers hold commands back until people let them go: the laboratory has none, nor has a replay.
    policy = replace(telecom(), breakers=())
    lines, asked, until = lived(shipped("telecom", 100, 150), policy, 3)
    published: list[OutgoingEvent] = []
    store = SqliteStore(tmp_path / "dms.db")
    clock = VirtualClock()
    settings = EngineSettings(confirms=False, pipelined=False, active_max=20, timers_max=100_000, late_us=10**18)
    engine = Engine(store, MemoryBroker(published.extend), clock, FixedPolicy(policy), CODEC, settings)
    engine.begin()
    try:
        for number, line in enumerate(lines):
            # What is due before the event has left by then, as in a life that is lived: no last look withdraws it.
            at = parse_instant(msgspec.json.decode(line)["time"])
            engine.turn([], at)
            engine.turn([Delivery(number, line)], at)
        clock.reach(until)
        engine.turn([], until + 1)
        engine.settle()
    finally:
        engine.end()
        store.close()
    assert not rejections(published)
    assert commands(published) == asked


def test_debts_that_paid_in_time_are_not_missed() -> None:
    """To tell the domain everything, or only what it could act upon, is the same."""
    policy = telecom()
    scenario = replace(shipped("telecom", 200, 120), crews=())
    watched = Branch(scenario, policy, 5, 0, 0, watched=range(200))
    tables = watched.run().frames("p", 0)
    alone = Branch(scenario, policy, 5, 0, 0).run().frames("p", 0)
    for one, other in zip(tables, alone, strict=True):
        assert one.equals(other)
