"""What the engine may rely on from the lanes it runs."""

import logging
from threading import Event, current_thread
from typing import Any, NoReturn

import pytest

from actors.lane import ActorDeadError, LaneActor, LaneStopped, WouldBlockLane
from engine.lanes import InlineLane, ThreadLane


class Relay(LaneActor):
    """Tells itself the next smaller number, down to 0, and remembers them all."""

    registered = False

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []

    def on_receive(self, message: int) -> None:
        self.seen.append(message)
        if message:
            self.actor_ref.tell(message - 1)


def explode() -> NoReturn:
    raise SystemExit("posted")


def test_a_thread_lane_starts_with_its_first_turn() -> None:
    lane, threads = ThreadLane("first"), []
    done = Event()
    lane.post(lambda: threads.append(current_thread().name))
    lane.post(done.set)
    assert done.wait(10)
    assert threads == ["first"]
    assert lane.stop(timeout_s=10)


def test_a_thread_lane_stops_when_nothing_waits_any_more() -> None:
    """Turns that were put before, and those that they put, are taken; then senders are refused."""
    lane, hold = ThreadLane("draining"), Event()
    ref = Relay.start(lane=lane)
    lane.post(hold.wait)
    ref.tell(100)
    assert lane.stop(timeout_s=0.01) is False
    assert lane.depth >= 1
    hold.set()
    assert lane.stop(timeout_s=10) is True
    assert ref._actor.seen == list(range(100, -1, -1))
    assert lane.depth == 0
    with pytest.raises(LaneStopped):
        ref.tell(1)
    with pytest.raises(ActorDeadError):
        ref.ask(1)
    with pytest.raises(LaneStopped):
        lane.start()


def test_a_lane_that_never_started_stops_too() -> None:
    lane = ThreadLane("unused")
    assert lane.stop() is True
    with pytest.raises(LaneStopped):
        lane.post(print)


def test_a_lane_does_not_stop_a_lane() -> None:
    lane: ThreadLane = ThreadLane("own")
    refused: list[Exception] = []

    def stop() -> None:
        try:
            lane.stop()
        except WouldBlockLane as refusal:
            refused.append(refusal)

    lane.post(stop)
    assert lane.stop(timeout_s=10)
    assert len(refused) == 1


@pytest.mark.parametrize("make", [ThreadLane, InlineLane])
def test_what_a_posted_function_raises_is_logged(make: Any, caplog: pytest.LogCaptureFixture) -> None:
    lane = make("posted")
    ref = Relay.start(lane=lane)
    with caplog.at_level(logging.ERROR):
        lane.post(explode)
        ref.tell(0)
        lane.run() if make is InlineLane else lane.stop(timeout_s=10)
    assert ref._actor.seen == [0]
    assert "explode" in caplog.text


def test_a_lane_knows_when_it_is_running() -> None:
    lane, other = InlineLane("one"), InlineLane("other")
    seen: list[bool] = []
    lane.post(lambda: seen.extend((lane.is_current(), other.is_current())))
    assert lane.is_current() is False
    assert lane.run() == 1
    assert seen == [True, False]
    assert lane.is_current() is False


def test_an_inline_lane_runs_as_far_as_it_is_told() -> None:
    lane = InlineLane("inline")
    ref = Relay.start(lane=lane)
    ref.tell(4)
    assert (lane.run(turns_max=2), ref._actor.seen, lane.depth) == (2, [4, 3], 1)
    assert (lane.run(), ref._actor.seen, lane.depth) == (3, [4, 3, 2, 1, 0], 0)
    assert lane.run() == 0


def test_turns_do_not_nest(caplog: pytest.LogCaptureFixture) -> None:
    lane = InlineLane("nested")
    lane.post(lane.run)
    lane.run()
    assert "WouldBlockLane" in caplog.text
