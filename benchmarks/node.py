"""A node on its real parts: RabbitMQ in, PostgreSQL with `synchronous_commit = on`, RabbitMQ out with confirmations.

    python -m benchmarks.node [--rounds N] [--scale X] [NAME…]

Names: single, batch, two, open, latency, memory, start, timers, policy. Bare loops run in the same round, on the same
servers, with the same messages. Compile the domain first (`make compiled`) for the figures that a release is judged by.
"""

import argparse
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Final

import psutil
import psycopg

from adapters.cloud_events import decode
from adapters.rabbit_broker import RabbitBroker
from adapters.rabbit_link import RabbitAddress
from benchmarks.node_field import (
    BATCH,
    POLICY,
    SHARDS,
    Field,
    accounts,
    coming_due,
    debts,
    field,
    operator,
    probed,
    traffic,
)
from benchmarks.node_latency import way
from benchmarks.rabbit_rates import bare
from engine.envelope import Envelope
from engine.ports import OutgoingEvent

MOVED: Final = POLICY.replace("version = 1", "version = 2").replace('"everyone"', '"moved"').replace("all", "other")
_ELSEWHERE: Final = 10_000_000
"""Accounts with numbers from here are nobody else's."""
_PROBES: Final = 5_000_000
"""Accounts with numbers from here to there are those whose commands are timed."""
_STATE: Final = bytes(400)
_FACT: Final = bytes(60)
_COMMAND: Final = bytes(500)
_ROWS_AT_ONCE: Final = 2_000


def single(scale: float, rounds: int) -> None:
    """Single events by the fast door, beside a bare aio-pika loop that only consumes, acknowledges and publishes."""
    events = int(40_000 * scale)
    ours, peers = [], []
    for _ in range(rounds):
        with field() as some:
            some.fill_fast_door(operator(events), 1)
            ours.append(some.start().rate(events))
        with field() as some:
            some.fill_fast_door(operator(events), 1)
            peers.append(bare(some.rabbit, events // 2, SHARDS).per_second)
    _say("single events, fast door, one process", ours, peers, "bare aio-pika (consume, acknowledge, publish)")


def batch(scale: float, rounds: int) -> None:
    """A hundred events a message, beside a loop that decodes, writes as many rows and publishes as many commands."""
    events = int(200_000 * scale)
    ours, peers = [], []
    for _ in range(rounds):
        with field() as some:
            some.fill_fast_door(operator(events), BATCH)
            ours.append(some.start().rate(events))
            counts, left = {"journal": some.count("journal")}, some.received()
        with field() as some:
            some.fill_fast_door(operator(events), BATCH)
            peers.append(_bare_loop(some, events, counts, left))
    _say("100 events a message, fast door, one process", ours, peers, "a bare loop with the same rows and commands")


def two(scale: float, rounds: int) -> None:
    """Two processes beside one."""
    events = int(400_000 * scale)
    ones: list[float] = []
    twos: list[float] = []
    busy: list[float] = []
    for _ in range(rounds):
        for workers, rates in ((1, ones), (2, twos)):
            with field() as some:
                some.fill_fast_door(operator(events), BATCH)
                rate, share = some.start(workers).steady_rate(events)
                rates.append(rate)
                if workers == 2:
                    busy.append(share)
    _say("two processes", twos, ones, "one process")
    print(f"    both cores {statistics.median(busy):.0%} busy meanwhile")


def open_door(scale: float, rounds: int) -> None:
    """Mixed batches at the open door, split and forwarded, beside the fast door."""
    events = int(200_000 * scale)
    opened, fast = [], []
    for _ in range(rounds):
        with field() as some:
            some.fill_open_door(operator(events), BATCH)
            opened.append(some.start().rate(events))
        with field() as some:
            some.fill_fast_door(operator(events), BATCH)
            fast.append(some.start().rate(events))
    _say("the open door", opened, fast, "the fast door")


def latency(scale: float, rounds: int) -> None:
    """From publish to the command at the receiver, at half of the highest rate.

    The highest is what goes through from the publisher to the receiver, who share the two cores with all the rest. The
    stream is an operator's; what is timed are the commands of debts among it that bring them at once.
    """
    count = int(100_000 * scale)
    highest, medians, tails = [], [], []
    for _ in range(rounds):
        with field() as some:
            _warm(some)
            highest.append(way(some.rabbit, probed(count, 20, _PROBES), None).events_a_second)
        with field() as some:
            _warm(some)
            took = way(some.rabbit, probed(count, 20, _PROBES), highest[-1] / 2).seconds_from(_PROBES)
            medians.append(statistics.median(took))
            tails.append(_tail(took))
    print(
        f"latency at {statistics.median(highest) / 2:,.0f} single events/s (half of the highest): median "
        f"{statistics.median(medians) * 1e3:.0f} ms, 99 % within {statistics.median(tails) * 1e3:.0f} ms"
    )


def memory(scale: float, rounds: int) -> None:
    """A worker with 100,000 profiles, each in a run."""
    count = int(100_000 * scale)
    with field() as some:
        some.fill_fast_door(debts(count), BATCH)
        nodes = some.start()
        nodes.rate(2 * count)
        active = nodes.readings()["dms_profiles_active"]
        size = sum(psutil.Process(pid).memory_info().rss for pid in nodes.pids())
    print(f"a worker with {active:,.0f} profiles active, each in a run: {size / 2**20:,.0f} MiB")


def start(scale: float, rounds: int) -> None:
    """From `dms run` to the first event that is committed, with a million profiles in the store."""
    count = int(1_000_000 * scale)
    took = []
    with field() as some:
        some.fill_fast_door(accounts(count), BATCH)
        filler = some.start()
        filler.rate(count)
        filler.stop()
        for number in range(max(3, rounds)):
            some.fill_fast_door(debts(1, first=_ELSEWHERE + number), 1)
            nodes = some.start()
            while not nodes.events():
                time.sleep(0.01)
            took.append(time.perf_counter() - nodes.began)
            nodes.stop()
    print(
        f"start with {count:,} profiles in the store: the first event is worked after {statistics.median(took):.2f} s"
    )


def timers(scale: float, rounds: int) -> None:
    """Debts that become overdue at the same instant: each wakes, begins a run and sends two commands."""
    count = int(1_000_000 * scale)
    days, lead_seconds = 20, 30.0
    with field() as some:
        some.fill_fast_door(coming_due(count, days), BATCH)
        filler = some.start()
        events_a_second = filler.rate(2 * count)
        filler.stop()
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=days)
        ahead = (midnight - datetime.now(UTC)).total_seconds() - lead_seconds
        due_at = time.time() + lead_seconds
        nodes = some.start(days_ahead=ahead / 86_400)
        some.fill_fast_door(debts(10, first=_ELSEWHERE), 1)
        nodes.rate(10)
        time.sleep(max(0.0, due_at - time.time()))
        with ThreadPoolExecutor(1) as beside:
            beginning = _ELSEWHERE + 10
            meanwhile = beside.submit(way, some.rabbit, debts(count // 250, beginning), 50)
            while some.count("outbox") or some.count("journal", "fact = 'RunOpened'") < count:
                time.sleep(1.0)
            took = time.time() - due_at
            tail = _tail(meanwhile.result().seconds_from(beginning))
    print(
        f"{count:,} timers of one instant: {count / took:,.0f}/s decided, committed and sent (events before: "
        f"{events_a_second:,.0f}/s); meanwhile 99 % of new debts had their command within {tail * 1e3:,.0f} ms"
    )


def policy(scale: float, rounds: int) -> None:
    """A new version that moves everybody into another segment and plan, while events come."""
    count = int(200_000 * scale)
    with field() as some:
        some.fill_fast_door(accounts(count), BATCH)
        nodes = some.start()
        nodes.rate(count)
        some.fill_fast_door(traffic(count, count, seed=2), BATCH)
        before = nodes.rate(2 * count)
        some.publish_policy(MOVED)
        # Until nodes look at the folder again.
        while not some.count("profiles", "policy_segment = 'moved'"):
            time.sleep(0.05)
        began = time.perf_counter()
        some.fill_fast_door(traffic(count, count, seed=3), BATCH)
        during = nodes.rate(3 * count)
        while some.count("profiles", "policy_segment = 'moved'") < count:
            time.sleep(0.5)
        took = time.perf_counter() - began
    print(
        f"a policy that moves {count:,} profiles within {took:.0f} s: meanwhile {during:,.0f} events/s, "
        f"{during / before:.2f} x the rate before ({before:,.0f}/s)"
    )


def _warm(some: Field) -> None:
    nodes = some.start()
    some.fill_fast_door(debts(10, first=_ELSEWHERE), 1)
    nodes.rate(20)


def _bare_loop(some: Field, events: int, rows: dict[str, int], left: int) -> float:
    """Consumes, decodes, writes in transactions of 2,000 events, publishes with confirmations, acknowledges: events/s.

    A profile's row is an upsert of 400 bytes, the others are appended: what the engine wrote, in number and kind.
    """
    broker = RabbitBroker(RabbitAddress(url=some.rabbit), SHARDS)
    broker.start()
    with psycopg.connect(some.database) as connection:
        connection.execute(
            "CREATE TABLE b_inbox (source text, id text, at bigint, PRIMARY KEY (source, id));"
            "CREATE TABLE b_profiles (id text PRIMARY KEY, version bigint, state bytea) WITH (fillfactor = 80);"
            "CREATE TABLE b_journal (id text, number bigint, body bytea, PRIMARY KEY (id, number));"
            "CREATE TABLE b_outbox (number bigint PRIMARY KEY, key text, body bytea);"
            "CREATE TEMPORARY TABLE staged (id text, version bigint, state bytea)"
        )
        connection.commit()
        facts, commands = rows["journal"] / events, left / events
        broker.subscribe(range(SHARDS))
        began, done, entries, sent = time.perf_counter(), 0, 0, 0
        while done < events:
            deliveries = broker.receive(_ROWS_AT_ONCE // BATCH, 1.0)
            came = [each for delivery in deliveries for each in decode(delivery.body) if isinstance(each, Envelope)]
            done += len(came)
            out = []
            with connection.cursor() as cursor:
                with cursor.copy("COPY b_inbox FROM STDIN") as copy:
                    for each in came:
                        copy.write_row((each.source, each.event_id, done))
                with cursor.copy("COPY staged FROM STDIN") as copy:
                    for subject in {each.subject for each in came}:
                        copy.write_row((subject, done, _STATE))
                cursor.execute(
                    "INSERT INTO b_profiles SELECT * FROM staged ON CONFLICT (id) DO UPDATE "
                    "SET version = excluded.version, state = excluded.state; TRUNCATE staged"
                )
                with cursor.copy("COPY b_journal FROM STDIN") as copy:
                    while entries < facts * done:
                        copy.write_row((came[entries % len(came)].subject, entries, _FACT))
                        entries += 1
                with cursor.copy("COPY b_outbox FROM STDIN") as copy:
                    while sent < commands * done:
                        copy.write_row((sent, "measure.network", _COMMAND))
                        out.append(OutgoingEvent(f"ACC-{sent % 5_000}", str(sent), 0, "measure.network", _COMMAND))
                        sent += 1
            connection.commit()
            assert len(broker.publish(out)) == len(out)
            connection.execute("DELETE FROM b_outbox")
            connection.commit()
            broker.acknowledge([each.tag for each in deliveries])
        took = time.perf_counter() - began
    broker.disconnect()
    return events / took


def _tail(values: list[float]) -> float:
    hundredths: list[float] = statistics.quantiles(values, n=100)
    return hundredths[98]


def _say(what: str, ours: list[float], peers: list[float], peer: str) -> None:
    rate, other = statistics.median(ours), statistics.median(peers)
    print(f"{what}: {rate:,.0f} events/s = {rate / other:.2f} x {peer} ({other:,.0f}/s)", flush=True)


_ALL: Final = {
    "single": single,
    "batch": batch,
    "two": two,
    "open": open_door,
    "latency": latency,
    "memory": memory,
    "start": start,
    "timers": timers,
    "policy": policy,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(_ALL), choices=[*_ALL, []], metavar="NAME")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="of the counts; 1 is the release's")
    options = parser.parse_args()
    for name in options.names:
        _ALL[name](options.scale, options.rounds)


if __name__ == "__main__":
    main()
