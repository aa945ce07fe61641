"""Actors on lanes beside pykka's own threads and Erlang's processes, in one run: python -m benchmarks.lanes_vs_erlang

Every case runs in a process of its own: N actors, which count their messages, are sent to in rounds, and the clock
stops when the last message is handled. All cases are run once, then again, so that whatever else the machine does hits
them alike. The table shows medians and their ratios. Python cases call `gc.freeze()` between start and measurement, as
a service does after its warm-up.

    threads            pykka.ThreadingActor, a thread each
    tell               LaneActor on a ThreadLane, through ActorRef.tell from another thread
    tell on the lane   ActorRef.tell from an actor on the same lane: it takes a batch of 500 (number, event), looks the
                       actors up, tells them, and when they are through takes the next batch
    hand over          the path of events: as before, but it hands the batch over
    erlang             a process each, told by another, on one scheduler (a lane is one thread) and on one a core

"Any order" sends to the actors in a random order rather than in that of their start: then it is memory that limits.
"""

import argparse
import gc
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain, repeat
from pathlib import Path
from random import Random
from statistics import median
from threading import Event
from typing import Any, Final, NamedTuple

import pykka

from actors.lane import LaneActor, LaneRef
from engine.lanes import ThreadLane

BATCH: Final = 500
PAGE_BYTES: Final = 4096
ERLANG_SOURCE: Final = Path(__file__).with_name("lanes.erl")
ANY_ORDER: Final = ", any order"

Batch = Sequence[tuple[int, str]]


class Case(NamedTuple):
    name: str
    actors: int
    messages: int


class Measured(NamedTuple):
    rate: float  # messages sent and handled a second
    bytes: float  # of memory for each actor
    start_s: float  # for all of them


LANE_SIZES: Final = ((1_000, 1_000_000), (100_000, 1_000_000), (1_000_000, 4_000_000))
CASES: Final = (
    Case("threads", 1_000, 20_000),
    *(Case("tell", *size) for size in LANE_SIZES),
    *(Case("tell on the lane", *size) for size in LANE_SIZES),
    *(Case("hand over", *size) for size in LANE_SIZES),
    *(Case("erlang, 1 core", *size) for size in LANE_SIZES),
    *(Case("erlang, all cores", *size) for size in LANE_SIZES),
    *(Case("tell on the lane" + ANY_ORDER, *size) for size in LANE_SIZES[1:]),
    *(Case("hand over" + ANY_ORDER, *size) for size in LANE_SIZES[1:]),
    *(Case("erlang, 1 core" + ANY_ORDER, *size) for size in LANE_SIZES[1:]),
)


class Counting(LaneActor):
    """Stands for a profile."""

    registered = False

    def __init__(self) -> None:
        super().__init__()
        self.counted = 0

    def on_receive(self, message: Any) -> None:
        self.counted += 1


class CountingThread(pykka.ThreadingActor):
    use_daemon_thread = True

    def __init__(self) -> None:
        super().__init__()
        self.counted = 0

    def on_receive(self, message: Any) -> None:
        self.counted += 1


class Supervisor(LaneActor):
    """At any message, sends the next batch to its profiles, known by their numbers; sets ``through`` after the last."""

    registered = False

    def __init__(self, profiles: dict[int, LaneRef[Counting]], batches: Iterator[Batch], through: Event) -> None:
        super().__init__()
        self.profiles = profiles
        self.batches = batches
        self.through = through

    def on_receive(self, message: Any) -> None:
        batch = next(self.batches, None)
        if batch is None:
            self.through.set()
        else:
            self.send(batch)
            self.actor_ref.tell("next")

    def send(self, batch: Batch) -> None:
        profiles = self.profiles
        self.hand_over([(profiles[number], event) for number, event in batch])


class TellingSupervisor(Supervisor):
    def send(self, batch: Batch) -> None:
        profiles = self.profiles
        for number, event in batch:
            profiles[number].tell(event)


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


def started(start: Callable[[], Any], actors: int) -> tuple[list[Any], float, float]:
    """Refs to so many actors, the bytes that each takes with its ref, the seconds they all took."""
    refs: list[Any] = [None] * actors
    gc.collect()
    resident, begun = resident_bytes(), time.perf_counter()
    for index in range(actors):
        refs[index] = start()
    start_s = time.perf_counter() - begun
    each = (resident_bytes() - resident) / actors
    gc.collect()
    gc.freeze()
    return refs, each, start_s


def tell_from_outside(actors: int, messages: int) -> Measured:
    lane, through = ThreadLane("tell"), Event()
    refs, size, start_s = started(lambda: Counting.start(lane=lane), actors)
    begun = time.perf_counter()
    for _ in range(messages // actors):
        for ref in refs:
            ref.tell("event")
    lane.post(through.set)
    through.wait()
    elapsed = time.perf_counter() - begun
    check(refs, messages)
    return Measured(messages / elapsed, size, start_s)


def send_on_the_lane(kind: type[Supervisor], any_order: bool, actors: int, messages: int) -> Measured:
    lane, through = ThreadLane("send"), Event()
    refs, size, start_s = started(lambda: Counting.start(lane=lane), actors)
    numbers = list(range(actors))
    if any_order:
        Random(1).shuffle(numbers)
    # Numbers of their own, lying in the order in which they are read: as if just decoded.
    events = [(int(str(number)), "event") for number in numbers]
    batches = [events[first : first + BATCH] for first in range(0, actors, BATCH)]
    intake = chain.from_iterable(repeat(batches, messages // actors))
    supervisor = kind.start(dict(enumerate(refs)), intake, through, lane=lane)
    gc.freeze()
    begun = time.perf_counter()
    supervisor.tell("begin")
    through.wait()
    elapsed = time.perf_counter() - begun
    check(refs, messages)
    return Measured(messages / elapsed, size, start_s)


def check(refs: Sequence[LaneRef[Counting]], messages: int) -> None:
    counted = sum(ref._actor.counted for ref in refs)
    assert counted == messages, f"{messages} were sent, {counted} were handled"


def tell_threads(actors: int, messages: int) -> Measured:
    refs, size, start_s = started(CountingThread.start, actors)
    begun = time.perf_counter()
    for _ in range(messages // actors - 1):
        for ref in refs:
            ref.tell("event")
    pykka.get_all([ref.ask("event", block=False) for ref in refs])
    elapsed = time.perf_counter() - begun
    return Measured(messages / elapsed, size, start_s)


HERE: Final[dict[str, Callable[[int, int], Measured]]] = {
    "threads": tell_threads,
    "tell": tell_from_outside,
    "tell on the lane": partial(send_on_the_lane, TellingSupervisor, False),
    "hand over": partial(send_on_the_lane, Supervisor, False),
    "tell on the lane" + ANY_ORDER: partial(send_on_the_lane, TellingSupervisor, True),
    "hand over" + ANY_ORDER: partial(send_on_the_lane, Supervisor, True),
}


def output_of(command: Sequence[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=600).stdout


def measure(case: Case, compiled: str) -> Measured:
    if case.name in HERE:
        this = [sys.executable, "-m", "benchmarks.lanes_vs_erlang", "--case", *map(str, case)]
        return Measured(*json.loads(output_of(this)))
    schedulers = ["+S", "1:1"] if case.name.startswith("erlang, 1 core") else []
    order = "any" if case.name.endswith(ANY_ORDER) else "started"
    arguments = [str(case.actors), str(case.messages // case.actors), order]
    erlang = ["erl", *schedulers, "+P", str(case.actors + 100_000), "-noshell", "-pa", compiled]
    return Measured(**json.loads(output_of([*erlang, "-run", "lanes", "main", *arguments])))


def compare(rounds: int, cases: Sequence[Case]) -> dict[Case, Measured]:
    """The medians of each case."""
    found: dict[Case, list[Measured]] = {case: [] for case in cases}
    with tempfile.TemporaryDirectory() as compiled:
        if any(case.name not in HERE for case in cases):
            output_of(["erlc", "-o", compiled, str(ERLANG_SOURCE)])
        for number in range(1, rounds + 1):
            for case in cases:
                measured = measure(case, compiled)
                found[case].append(measured)
                print(f"round {number}: {case.name}, {case.actors:,}: {measured.rate:,.0f}/s", file=sys.stderr)
    return {case: Measured(*map(median, zip(*runs, strict=True))) for case, runs in found.items()}


def table(results: dict[Case, Measured]) -> str:
    """One line a case, with ratios to pykka's threads and to the fastest Erlang of as many actors in the same order."""
    lines = [
        f"{'':27}{'actors':>10}{'messages/s':>12}{'bytes each':>12}{'start s':>9}{'x threads':>11}{'x erlang':>10}"
    ]
    threads = [found.rate for case, found in results.items() if case.name == "threads"]
    for case, found in results.items():
        erlang = [
            other.rate
            for peer, other in results.items()
            if peer.name not in HERE
            and peer.actors == case.actors
            and peer.name.endswith(ANY_ORDER) == case.name.endswith(ANY_ORDER)
        ]
        by_threads, by_erlang = (f"{found.rate / max(peers):.2f}" if peers else "-" for peers in (threads, erlang))
        lines.append(
            f"{case.name:27}{case.actors:>10,}{found.rate:>12,.0f}{found.bytes:>12,.0f}{found.start_s:>9.2f}"
            f"{by_threads:>11}{by_erlang:>10}"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Actors on lanes beside pykka's threads and Erlang's processes.")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each case, whose median counts (3)")
    parser.add_argument("--quick", action="store_true", help="leave the million out")
    parser.add_argument(
        "--case", nargs=3, metavar=("NAME", "ACTORS", "MESSAGES"), help="measure this one here, as JSON"
    )
    options = parser.parse_args()
    if options.case:
        name, actors, messages = options.case
        print(json.dumps(HERE[name](int(actors), int(messages))))
        return
    cases = [case for case in CASES if not (options.quick and case.actors >= 1_000_000)]
    if shutil.which("erl") is None or shutil.which("erlc") is None:
        print("Erlang is left out: there are no erl and erlc on the path.")
        cases = [case for case in cases if case.name in HERE]
    print(table(compare(options.rounds, cases)))


if __name__ == "__main__":
    main()
