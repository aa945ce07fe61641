"""The service: turns that fail are no end."""

import threading
from typing import cast

import pytest

from engine.engine import Engine
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
