"""The service: turns that fail are no end."""

import threading
from types import SimpleNamespace
from typing import cast

import pytest

from engine.engine import Engine, EngineSettings
from engine.ports import Broker
from engine.service import Service
from engine.tally import Tally
from sim.clock import VirtualClock


class Away:
    """An engine and a broker whose database is away for a number of turns."""

    def __init__(self, turns: int) -> None:
        self.tally = Tally()
        self.left = turns
        self.is_back = threading.Event()

    def begin(self) -> None:
        """Nothing to take up."""

    def end(self) -> None:
        """Nothing to give up."""

    def close(self) -> None:
        """Nobody is connected."""

    def backlog(self) -> int:
        return 0

    def is_behind(self) -> bool:
        return False

    def tend(self) -> bool:
        if self.left > 0:
            self.left -= 1
            raise ConnectionError("the database is away")
        self.is_back.set()
        raise SystemExit


def test_a_database_may_be_away_for_any_number_of_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.service._PAUSE_SECONDS_MAX", 0.0)
    told: list[BaseException] = []
    away = Away(200)
    service = Service(cast(Engine, away), cast(Broker, away), VirtualClock(), told.append, told.append)
    service.start()
    assert away.is_back.wait(10)
    service.join(10)
    assert [type(each) for each in told] == [ConnectionError] * 200 + [SystemExit]
    assert away.tally.restarts == 200


class SlowToCome:
    """An engine with a timer that is due, and a broker whose five bodies wait, and come when they come."""

    is_busy = False
    outbox = ()

    def __init__(self, comes: list[int], behind: list[bool]) -> None:
        self.settings = EngineSettings()
        self.departure = SimpleNamespace(failure=None)
        self.comes = comes
        self.behind = behind
        self.turns: list[tuple[int, bool]] = []

    def begin(self) -> None:
        """Nothing to take up."""

    def end(self) -> None:
        """Nothing to give up."""

    def close(self) -> None:
        """Nobody is connected."""

    def tend(self) -> bool:
        return False

    def rest(self) -> None:
        """Nothing is under way."""

    def backlog(self) -> int:
        return 5

    def is_behind(self) -> bool:
        return self.behind.pop(0) if self.behind else False

    def receive(self, limit: int, timeout_seconds: float) -> list[int]:
        return [0] * (self.comes.pop(0) if self.comes else 0)

    def is_due(self, now: int) -> bool:
        return True

    def next_at(self) -> int:
        return 0

    def turn(self, deliveries: list[int], backlog: bool = False) -> None:
        self.turns.append((len(deliveries), backlog))
        if not backlog:
            raise SystemExit


def turns(comes: list[int], behind: tuple[bool, ...] = ()) -> list[tuple[int, bool]]:
    """Of each turn, how many bodies it had, and whether timers stayed where they were; up to the first in which not."""
    world = SlowToCome(comes, list(behind))
    service = Service(cast(Engine, world), cast(Broker, world), VirtualClock(), print, print)
    service.start()
    service.join(10)
    return world.turns


def test_timers_wait_for_all_that_waited_at_the_start_however_long_it_is_on_its_way() -> None:
    """RabbitMQ has said how much there is before the first of it comes."""
    assert turns([0, 0, 3, 0, 0, 2]) == [(3, True), (2, True), (0, False)]


def test_what_has_gone_elsewhere_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.service._SILENT_SECONDS", 0.2)
    assert turns([3]) == [(3, True), (0, False)]


def test_timers_wait_for_what_waited_at_the_open_door_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """And for what is being split at the moment when nothing waits there any more."""
    monkeypatch.setattr("engine.service._ASK_SECONDS", 0.0)
    some = turns([5, 0, 7, 0, 1], behind=(True, True, True, False))
    assert some[:4] == [(5, True), (7, True), (1, True), (0, False)]


def test_a_door_that_is_never_empty_does_not_stop_timers_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.service._BEHIND_SECONDS_MAX", 0.2)
    assert turns([5], behind=(True,) * 10_000)[-1] == (0, False)
