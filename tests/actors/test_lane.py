"""What an actor may rely on when it shares a lane with others."""

import gc
import logging
import tracemalloc
import weakref
from collections.abc import Callable, Iterator
from threading import Event, Thread, current_thread
from typing import Any

import pykka
import pytest

from actors.lane import LaneActor, LaneFuture, WouldBlockLane, current_lane
from engine.lanes import InlineLane, ThreadLane
from tests.actors.tellers import ENDS, Story, Teller, raising


@pytest.fixture
def thread_lane() -> Iterator[ThreadLane]:
    lane = ThreadLane("test")
    yield lane
    assert lane.stop(timeout_s=10)


# --- where it lives ----------------------------------------------------------------------------------------------


def test_the_lane_is_the_attribute_of_the_class_or_the_keyword_of_start(lane: InlineLane, story: Story) -> None:
    """The keyword goes before the attribute, and does not reach the constructor."""

    class AtHome(Teller):
        pass

    AtHome.lane = home = InlineLane("home")
    assert AtHome.start(story)._actor.lane is home
    assert AtHome.start(story, lane=lane)._actor.lane is lane


def test_an_actor_without_a_lane_does_not_start(story: Story) -> None:
    with pytest.raises(TypeError, match="Teller has no lane"):
        Teller.start(story)


def test_only_registered_actors_are_in_the_registry(lane: InlineLane, story: Story) -> None:
    """The registry is a list: profiles by the hundred thousand are kept by their supervisor instead."""

    class Known(Teller):
        registered = True

    unknown, known = Teller.start(story, lane=lane), Known.start(story, lane=lane)
    try:
        assert known in pykka.ActorRegistry.get_all()
        assert unknown not in pykka.ActorRegistry.get_all()
    finally:
        known.stop(block=False)
        lane.run()
    assert known not in pykka.ActorRegistry.get_all()


def test_the_registry_says_whom_it_enters_only_when_asked(lane: InlineLane, caplog: pytest.LogCaptureFixture) -> None:
    """Else pykka would make a URN for each start, for the line."""

    class Known(LaneActor):
        pass

    silent = Known.start(lane=lane)
    with caplog.at_level(logging.DEBUG, logger="pykka"):
        logged = Known.start(lane=lane)
    try:
        assert caplog.messages == [f"Registered {logged}"]
        assert pykka.ActorRegistry.get_by_urn(silent.actor_urn) == silent
        assert silent.actor_urn != logged.actor_urn
    finally:
        pykka.ActorRegistry.stop_all(block=False)
        lane.run()


def test_refs_to_the_same_actor_are_equal(lane: InlineLane, story: Story) -> None:
    one, other = Teller.start(story, lane=lane), Teller.start(story, lane=lane)
    assert one == one._actor.actor_ref
    assert len({one, one._actor.actor_ref, other}) == 2


def test_the_actors_of_a_lane_share_its_thread(thread_lane: ThreadLane, story: Story) -> None:
    refs = [Teller.start(story, lane=thread_lane) for _ in range(10)]
    threads = {ref.ask(current_thread, timeout=10) for ref in refs}
    assert [thread.name for thread in threads] == ["test"]
    assert refs[0].ask(current_lane, timeout=10) is thread_lane
    assert current_lane() is None


def test_an_actor_costs_little(lane: InlineLane) -> None:
    """The budget is 0.6 KB without its profile; 0.2 are used, the ref included."""

    class Idle(LaneActor):
        registered = False

    warm_up = [Idle.start(lane=lane) for _ in range(100)]
    tracemalloc.start()
    try:
        refs = [Idle.start(lane=lane) for _ in range(10_000)]
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size / len(refs) < 300
    assert len(warm_up) == 100


def test_a_stopped_actor_leaves_the_memory_with_its_last_ref(lane: InlineLane, story: Story) -> None:
    """Without the garbage collector, which does not look at what was frozen after the warm-up."""
    gc.disable()
    try:
        ref = Teller.start(story, lane=lane)
        ref.tell("hello")
        ref.stop(block=False)
        lane.run()
        actor = weakref.ref(ref._actor)
        del ref
        assert actor() is None
    finally:
        gc.enable()


# --- order -------------------------------------------------------------------------------------------------------


def test_messages_are_handled_in_the_order_sent_across_the_actors_of_a_lane(lane: InlineLane, story: Story) -> None:
    a, b = Teller.start(story, "A", lane=lane), Teller.start(story, "B", lane=lane)
    a.tell(1)
    b.ask(2, block=False)
    a.ask(3, block=False)
    b.tell(4)
    lane.run()
    assert story == [("A", 1), ("B", 2), ("A", 3), ("B", 4)]


def test_each_sender_is_heard_in_its_order(thread_lane: ThreadLane, story: Story) -> None:
    refs = [Teller.start(story, lane=thread_lane) for _ in range(5)]

    def send(sender: int) -> None:
        for number in range(500):
            refs[number % 5].tell((sender, number))

    senders = [Thread(target=send, args=(sender,)) for sender in range(4)]
    for thread in senders:
        thread.start()
    for thread in senders:
        thread.join()
    refs[0].ask("done", timeout=10)
    heard = [message for _, message in story if message != "done"]
    for sender in range(4):
        assert [number for who, number in heard if who == sender] == list(range(500))


def test_on_start_comes_before_what_the_constructor_told(lane: InlineLane, story: Story) -> None:
    class Early(Teller):
        def __init__(self, story: Story) -> None:
            super().__init__(story)
            self.actor_ref.tell("told in the constructor")
            self.answer = self.actor_ref.ask("asked in the constructor", block=False)

        def on_start(self) -> None:
            self.story.append("on_start")

    ref = Early.start(story, lane=lane)
    ref.tell("told after start")
    assert story == []
    lane.run()
    assert [entry if isinstance(entry, str) else entry[1] for entry in story] == [
        "on_start",
        "told in the constructor",
        "asked in the constructor",
        "told after start",
    ]
    assert ref._actor.answer.get(timeout=0) == "A got asked in the constructor"


# --- the end -----------------------------------------------------------------------------------------------------


def test_a_stop_lets_earlier_messages_pass_and_answers_later_ones(lane: InlineLane, story: Story) -> None:
    """Who asked gets `ActorDeadError`, what was told is reported, and a second stop is content."""
    ref = Teller.start(story, lane=lane)
    ref.tell("before")
    stopped = ref.stop(block=False)
    asked = ref.ask("after", block=False)
    ref.tell("behind")
    again = ref.stop(block=False)
    lane.run()
    assert story == [("A", "before"), ("A", "stopped"), ("A", "undelivered", "behind", pykka.ActorDeadError)]
    assert stopped.get(timeout=0) is True
    assert again.get(timeout=0) is True
    with pytest.raises(pykka.ActorDeadError):
        asked.get(timeout=0)
    assert not ref.is_alive()
    with pytest.raises(pykka.ActorDeadError):
        ref.tell("much later")
    assert ref.stop(block=False).get(timeout=0) is False


def test_a_proxy_can_call_without_waiting(lane: InlineLane, story: Story) -> None:
    ref = Teller.start(story, lane=lane)
    ref.proxy().on_receive.defer("deferred")
    lane.run()
    assert story == [("A", "deferred")]


def test_an_actor_can_stop_itself(lane: InlineLane, story: Story) -> None:
    ref = Teller.start(story, lane=lane)
    ref.tell(ref._actor.stop)
    lane.run()
    assert story == [("A", "stopped")]


def test_its_end_can_be_waited_for(thread_lane: ThreadLane, story: Story) -> None:
    ref = Teller.start(story, lane=thread_lane)
    assert ref.actor_stopped.wait(0.01) is False
    ref.stop(block=False)
    assert ref.actor_stopped.wait(10) is True
    assert ref.actor_stopped.wait() is True


@pytest.mark.parametrize("end", ENDS)
def test_a_failing_on_start_stops_the_actor_alone(lane: InlineLane, story: Story, end: type[BaseException]) -> None:
    class Stillborn(Teller):
        def on_start(self) -> None:
            raise end

    ref, other = Stillborn.start(story, "A", lane=lane), Teller.start(story, "B", lane=lane)
    ref.tell("told")
    asked = ref.ask("asked", block=False)
    other.tell("hello")
    lane.run()
    assert not ref.is_alive()
    assert story == [("A", "undelivered", "told", pykka.ActorDeadError), ("B", "hello")]
    with pytest.raises(pykka.ActorDeadError):
        asked.get(timeout=0)


# --- failures ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ENDS)
def test_a_failing_actor_is_alone(lane: InlineLane, story: Story, end: type[BaseException]) -> None:
    """It stops; the others of its lane go on, registered ones too; nothing behind it vanishes."""

    class Known(Teller):
        registered = True

    ref, other = Teller.start(story, "A", lane=lane), Teller.start(story, "B", lane=lane)
    known = Known.start(story, "C", lane=lane)
    try:
        fails = raising(end)
        ref.tell(fails)
        ref.tell("behind")
        other.tell("hello")
        known.tell("hello")
        lane.run()
        # pykka calls on_stop, not on_failure, for what is no Exception.
        last_words = ("A", "failed", end) if issubclass(end, Exception) else ("A", "stopped")
        assert story == [
            last_words,
            ("A", "undelivered", fails, end),
            ("A", "undelivered", "behind", pykka.ActorDeadError),
            ("B", "hello"),
            ("C", "hello"),
        ]
        assert (ref.is_alive(), other.is_alive(), known.is_alive()) == (False, True, True)
    finally:
        known.stop(block=False)
        lane.run()


def test_who_asks_gets_the_exception_and_the_actor_lives_on(lane: InlineLane, story: Story) -> None:
    ref = Teller.start(story, lane=lane)
    asked = ref.ask(raising(ValueError("no")), block=False)
    lane.run()
    with pytest.raises(ValueError, match="no"):
        asked.get(timeout=0)
    assert ref.is_alive()
    assert story == []


def test_who_asks_does_not_wait_for_an_actor_that_exits(lane: InlineLane, story: Story) -> None:
    """pykka leaves the asker waiting for ever."""
    ref = Teller.start(story, lane=lane)
    asked = ref.ask(raising(SystemExit), block=False)
    lane.run()
    with pytest.raises(pykka.ActorDeadError):
        asked.get(timeout=0)
    assert story == [("A", "stopped")]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("hook", ["on_failure", "on_stop", "undelivered"])
def test_a_failing_hook_harms_nobody_else(lane: InlineLane, story: Story, hook: str, end: type[BaseException]) -> None:
    clumsy: Any = type("Clumsy", (Teller,), {hook: lambda *_: raising(end)()})
    failing, stopping = clumsy.start(story, "A", lane=lane), clumsy.start(story, "B", lane=lane)
    other = Teller.start(story, "C", lane=lane)
    failing.tell(raising(ValueError))
    failing.tell("behind")
    stopped = stopping.stop(block=False)
    other.tell("hello")
    lane.run()
    assert story[-1] == ("C", "hello")
    assert (failing.is_alive(), stopping.is_alive(), other.is_alive()) == (False, False, True)
    assert stopped.get(timeout=0) is True


def test_by_default_the_undelivered_is_logged_without_its_content(
    lane: InlineLane, caplog: pytest.LogCaptureFixture
) -> None:
    class Plain(LaneActor):
        registered = False

    ref = Plain.start(lane=lane)
    ref.stop(block=False)
    ref.tell("+7 900 000-00-00")
    with caplog.at_level(logging.WARNING):
        lane.run()
    assert "did not handle a str: ActorDeadError" in caplog.text
    assert "900" not in caplog.text


# --- no lane waits -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("whose", ["the same lane", "another lane"])
@pytest.mark.parametrize("way", ["ask", "ask with a timeout", "stop", "get", "wait"])
def test_a_lane_refuses_to_wait(thread_lane: ThreadLane, story: Story, whose: str, way: str) -> None:
    """At once, instead of a deadlock; a refused ask or stop is not sent."""
    other = Teller.start(story, "B", lane=thread_lane if whose == "the same lane" else InlineLane("other"))
    ways: dict[str, Callable[[], object]] = {
        "ask": lambda: other.ask("refused"),
        "ask with a timeout": lambda: other.ask("refused", timeout=60),
        "stop": other.stop,
        "get": lambda: other.ask("sent", block=False).get(timeout=60),
        "wait": lambda: other.actor_stopped.wait(60),
    }
    asker = Teller.start(story, "A", lane=thread_lane)
    with pytest.raises(WouldBlockLane, match="must not wait"):
        asker.ask(ways[way], timeout=10)
    assert other.is_alive()
    assert ("B", "refused") not in story


def test_a_lane_may_look_at_a_future_without_waiting(lane: InlineLane, story: Story) -> None:
    future: LaneFuture[int] = LaneFuture()
    ref = Teller.start(story, lane=lane)
    too_early = ref.ask(lambda: future.get(timeout=0), block=False)
    lane.run()
    with pytest.raises(pykka.Timeout):
        too_early.get(timeout=0)
    future.set(7)
    in_time = ref.ask(future.get, block=False)
    lane.run()
    assert in_time.get(timeout=0) == 7


def test_the_edge_may_ask_with_a_timeout(thread_lane: ThreadLane, story: Story) -> None:
    ref, busy = Teller.start(story, lane=thread_lane), Event()
    assert ref.ask("hello", timeout=10) == "A got hello"
    ref.tell(busy.wait)
    with pytest.raises(pykka.Timeout):
        ref.ask("in vain", timeout=0.01)
    busy.set()
