"""What a message costs on a lane, beside pykka's threads and a plain call; `lanes_vs_erlang` compares with Erlang too.

An operation is one round: a message to each of the actors, sent and handled. Divide by their number. Not measured
without need: with ``--benchmark-disable`` the sizes stay small.
"""

import gc
from collections.abc import Iterator
from threading import Event
from typing import Any

import pykka
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from actors.lane import LaneActor, LaneRef
from benchmarks.lanes_vs_erlang import Counting, CountingThread
from engine.lanes import InlineLane, ThreadLane

SIZES = [1_000, 100_000, 1_000_000]
THREADS = 1_000


class HandingOver(LaneActor):
    registered = False

    def on_receive(self, message: Any) -> None:
        self.hand_over(message)


@pytest.fixture(params=SIZES)
def actors(request: pytest.FixtureRequest, benchmark: BenchmarkFixture) -> int:
    """How many actors, which is also what the result is divided by."""
    size: int = request.param
    if benchmark.disabled and size > THREADS:
        pytest.skip("only when measured")
    benchmark.extra_info["actors"] = size
    return size


@pytest.fixture
def frozen() -> Iterator[None]:
    """Takes what a test starts with off the garbage collector's hands, as a service does after its warm-up."""
    yield
    gc.unfreeze()


def counting(actors: int, lane: InlineLane | ThreadLane) -> list[LaneRef[Counting]]:
    refs = [Counting.start(lane=lane) for _ in range(actors)]
    gc.collect()
    gc.freeze()
    return refs


@pytest.mark.usefixtures("frozen")
@pytest.mark.benchmark(group="a round of messages")
def bench_tell_from_another_thread(benchmark: BenchmarkFixture, actors: int) -> None:
    lane, through = ThreadLane("bench"), Event()
    refs = counting(actors, lane)

    def tell() -> None:
        through.clear()
        for ref in refs:
            ref.tell("event")
        lane.post(through.set)
        through.wait()

    benchmark(tell)
    lane.stop()


@pytest.mark.usefixtures("frozen")
@pytest.mark.benchmark(group="a round of messages")
def bench_tell_inline(benchmark: BenchmarkFixture, actors: int) -> None:
    lane = InlineLane("bench")
    refs = counting(actors, lane)

    def tell() -> None:
        for ref in refs:
            ref.tell("event")
        lane.run()

    benchmark(tell)


@pytest.mark.usefixtures("frozen")
@pytest.mark.benchmark(group="a round of messages")
def bench_hand_over(benchmark: BenchmarkFixture, actors: int) -> None:
    lane = InlineLane("bench")
    refs = counting(actors, lane)
    supervisor = HandingOver.start(lane=lane)

    def hand_over() -> None:
        for first in range(0, actors, 500):
            supervisor.tell([(ref, "event") for ref in refs[first : first + 500]])
            lane.run()

    benchmark(hand_over)


@pytest.mark.usefixtures("frozen")
@pytest.mark.benchmark(group="a round of messages")
def bench_plain_call(benchmark: BenchmarkFixture, actors: int) -> None:
    plain = [ref._actor for ref in counting(actors, InlineLane("bench"))]

    def call() -> None:
        for actor in plain:
            actor.on_receive("event")

    benchmark(call)


@pytest.mark.benchmark(group="a round of messages")
def bench_tell_threads(benchmark: BenchmarkFixture) -> None:
    benchmark.extra_info["actors"] = THREADS
    refs = [CountingThread.start() for _ in range(10 if benchmark.disabled else THREADS)]

    def tell() -> None:
        for ref in refs:
            ref.tell("event")
        pykka.get_all([ref.ask("event", block=False) for ref in refs])

    benchmark(tell)
    for ref in refs:
        ref.stop()


@pytest.mark.benchmark(group="a question from outside")
@pytest.mark.parametrize("runtime", ["lane", "thread"])
def bench_ask(benchmark: BenchmarkFixture, runtime: str) -> None:
    lane = ThreadLane("bench")
    ref: pykka.ActorRef[Any] = Counting.start(lane=lane) if runtime == "lane" else CountingThread.start()
    benchmark(ref.ask, "event")
    ref.stop()
    lane.stop()


@pytest.mark.benchmark(group="start")
def bench_start(benchmark: BenchmarkFixture, actors: int) -> None:
    lane = InlineLane("bench")
    benchmark.pedantic(lambda: [Counting.start(lane=lane) for _ in range(actors)], rounds=3)  # type: ignore[no-untyped-call]
