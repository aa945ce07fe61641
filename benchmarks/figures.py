"""The figures of a release, each with its peer in the same run: ``python -m benchmarks.figures [--quick]``.

Medians of several rounds. The lanes have a table of their own: ``python -m benchmarks.lanes_vs_erlang``.
"""

import argparse
import gc
import os
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import domain.decide
from actors.errand import Arrival, Errand
from actors.profile import Crew, ProfileActor
from adapters.cloud_events import decode
from adapters.policy_files import load_policy
from benchmarks.histories import history
from domain.decide import decide
from domain.events import MeasureRequested
from domain.evolve import evolve
from domain.follow import follow
from domain.messages import InvoiceIssued, MeasureCompleted, PaymentReceived, Wake
from domain.policy import Policy
from domain.profile import Profile
from domain.record import Record
from domain.timing import ALL, NONE
from domain.work import work
from engine.envelope import Envelope
from engine.lanes import InlineLane

TELECOM = Path(__file__).parent.parent / "adapters" / "policies" / "telecom"


def median_seconds(run: Callable[[], object], rounds: int) -> float:
    """The median wall time of ``rounds`` runs after one that is not counted."""
    run()
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def messages_of(lines: list[bytes]) -> dict[str, list[Record]]:
    """Sound events by profile, as messages."""
    found: dict[str, list[Record]] = {}
    for line in lines:
        (envelope,) = decode(line)
        assert isinstance(envelope, Envelope)
        assert envelope.subject is not None
        assert envelope.time is not None
        found.setdefault(envelope.subject, []).append(envelope.message(envelope.time))
    return found


def live(messages: dict[str, list[Record]], policy: Policy) -> int:
    """Every profile through its year, timers included; how many messages and timers were worked."""
    worked = 0
    facts: list[Record] = []
    for profile_id, some in messages.items():
        profile = Profile(profile_id)
        for message in some:
            while profile.wake_at < message.at:
                work(profile, Wake(profile.wake_at), policy, facts, True)
                worked += 1
            work(profile, message, policy, facts, True)
            worked += 1
        facts.clear()
    return worked


def decisions_in(messages: dict[str, list[Record]], policy: Policy) -> int:
    """How often `live` asks for a decision: once for each message or timer, and again until nothing follows."""
    asked = 0
    for profile_id, some in messages.items():
        profile = Profile(profile_id)
        for message in some:
            while profile.wake_at < message.at:
                asked += _ask(profile, Wake(profile.wake_at), policy)
            asked += _ask(profile, message, policy)
    return asked


def _ask(profile: Profile, message: Record, policy: Policy) -> int:
    """What `work` does, counted."""
    decision = decide(profile, message, policy)
    asked = 1
    while not decision.settled and decision.refusal is None:
        for event in decision.events:
            evolve(profile, event)
            if isinstance(event, MeasureRequested):
                evolve(profile, MeasureCompleted(event.at, event.command_id, ""))
        decision = follow(profile, policy, message.at, ALL if isinstance(message, Wake) else NONE)
        asked += 1
    if decision.settled:
        profile.wake_at = decision.wake_at
    return asked


def bare(count: int) -> None:
    """The least that any implementation does: a look-up, a call and one record."""
    handlers = {PaymentReceived: lambda at: PaymentReceived(at, "P-1", 100_000)}
    for at in range(count):
        handlers[PaymentReceived](at)


def decisions(rounds: int) -> None:
    """`decide` + `evolve` with all consequences, over a typical year."""
    policy = load_policy(TELECOM)
    messages = messages_of(list(history(accounts=1_000, events=20_000)))
    gc.collect()
    gc.freeze()
    worked = live(messages, policy)
    seconds = median_seconds(lambda: live(messages, policy), rounds)
    peer = median_seconds(lambda: bare(100_000), rounds) / 100_000
    gc.unfreeze()
    decided = decisions_in(messages, policy)
    print(
        f"decide + evolve: {worked / seconds:,.0f} messages and timers/s with all that follows from them, which are "
        f"{decided / seconds:,.0f} decisions/s ({seconds / decided / peer:.1f} x a bare call that makes a record)"
    )


def weight(accounts: int = 1_000) -> None:
    """Bytes of a lane actor with a profile in a run: one invoice, one command without an outcome."""
    policy = load_policy(TELECOM)
    messages = messages_of(list(history(accounts, accounts)))
    lane = InlineLane("weight")
    crew = Crew(policy, freezes=False)
    day = 86_400_000_000
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    refs = []
    for subject, (message,) in messages.items():
        ref = ProfileActor.start(Profile(subject), crew, lane=lane)
        issued_on = policy.zone.day(message.at)
        invoice = InvoiceIssued(message.at + 1, f"I-{subject}", 100_000, issued_on, issued_on)
        ref.tell(Errand(subject, [Arrival(message, None), Arrival(invoice, None)], message.at + 2 * day))
        refs.append(ref)
        lane.run()
    gc.collect()
    size = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    in_a_run = sum(1 for ref in refs if ref._actor.profile.run is not None)
    print(f"an actor with its profile, {in_a_run} of {len(refs)} in a run: {size / len(refs):,.0f} bytes")


_REPLAY = """
import os, sys, time
from multiprocessing import active_children
from pathlib import Path
from adapters.policy_files import load_policy
from adapters.replay import Line, Replay
from adapters.replay_crew import ReplayCrew

def peak_of(pid):  # not getrusage's, which begins with what the process had that started this one
    [line] = [line for line in open(f"/proc/{pid}/status") if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024

policy = load_policy(Path(sys.argv[1]))
workers = int(sys.argv[3])
lines = (Line("f", n, line) for n, line in enumerate(open(sys.argv[2], "rb"), 1))
began = time.perf_counter()
replay = Replay(policy) if workers == 1 else ReplayCrew(policy, True, workers)
out = 0
peaks = {}
with open("/dev/null", "wb") as sink:
    for body in replay.bodies(lines):
        sink.write(body)
        out += 1
        if out % 10_000 == 1:
            peaks.update((process.pid, peak_of(process.pid)) for process in active_children())
seconds = time.perf_counter() - began
taken = sum(replay.tally.events.values())
print(taken, out, seconds, peak_of(os.getpid()) + sum(peaks.values()))
"""


def replay(accounts: int, events: int, rounds: int) -> None:
    """`dms replay` by one process and by one for each core, and what the same lines cost to decode alone; memory by a
    run of half as many events."""
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "events.jsonl"
        lines = list(history(accounts, events))
        whole.write_bytes(b"\n".join(lines))
        half = Path(folder) / "half.jsonl"
        half.write_bytes(b"\n".join(lines[: events // 2]))
        peer = median_seconds(lambda: [decode(line) for line in lines[:50_000]], 3) / min(events, 50_000)
        # In turn, so that the machine's moods fall on both.
        runs = [(_replayed(whole, 1), _replayed(whole, cores)) for _ in range(rounds)]
        halved = _replayed(half, 1), _replayed(half, cores)
    for workers, several, less in zip((1, cores), zip(*runs, strict=True), halved, strict=True):
        _, out, seconds, memory = sorted(several, key=lambda run: run[2])[len(several) // 2]
        print(
            f"dms replay --workers {workers}, {events:,} events over {accounts:,} accounts, {out:,.0f} out: "
            f"{events / seconds:,.0f} events/s ({seconds / events / peer:.1f} x decoding alone), "
            f"{memory / 2**20:,.0f} MiB, {(memory - less[3]) / (events - events // 2):,.0f} bytes an event in the "
            "second half"
        )


def _replayed(file: Path, workers: int) -> tuple[float, float, float, float]:
    command = [sys.executable, "-c", _REPLAY, str(TELECOM), str(file), str(workers)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    taken, out, seconds, memory = (float(word) for word in printed.split())
    return taken, out, seconds, memory


def help_time(rounds: int) -> None:
    """`dms --help` as a whole process, and an interpreter that does nothing."""
    command = [str(Path(sys.executable).parent / "dms"), "--help"]
    ours = median_seconds(lambda: subprocess.run(command, check=True, capture_output=True), rounds)
    peer = median_seconds(lambda: subprocess.run([sys.executable, "-c", "pass"], check=True), rounds)
    print(f"dms --help: {ours * 1_000:.0f} ms ({ours / peer:.1f} x an empty interpreter)")


def main() -> None:
    """Prints one line a figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes: that it runs, not how fast")
    parser.add_argument("--only", help="decisions, weight, replay, engine or help")
    options = parser.parse_args()
    compiled = not str(domain.decide.__file__).endswith(".py")
    print(f"domain {'compiled' if compiled else 'interpreted'}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    rounds = 1 if options.quick else 5
    from benchmarks.engine_sqlite import engine

    figures: dict[str, Callable[[], None]] = {
        "decisions": lambda: decisions(rounds),
        "weight": lambda: weight(100 if options.quick else 10_000),
        "replay": lambda: replay(*((1_000, 10_000, 1) if options.quick else (50_000, 1_000_000, 3))),
        "engine": lambda: engine(2_000 if options.quick else 100_000, 1 if options.quick else 3),
        "help": lambda: help_time(1 if options.quick else 10),
    }
    for name, figure in figures.items():
        if options.only in (None, name):
            figure()


if __name__ == "__main__":
    main()
