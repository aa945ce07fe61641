"""`decide` + `evolve` over a typical mix: what one decision costs, and what a profile weighs.

The peer in the same run is the least that any implementation does: a call that looks a handler up and makes one record.
Run it interpreted and after ``make compiled``; `benchmarks/README.md` says which figure gates a release.
"""

import gc
import tracemalloc
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import adapters
from actors.errand import Arrival, Errand
from actors.profile import Crew, ProfileActor
from adapters.cloud_events import decode
from adapters.policy_files import load_policy
from benchmarks.histories import history
from domain.calendar import NEVER
from domain.decide import decide
from domain.messages import InvoiceIssued, PaymentReceived, Wake
from domain.policy import Policy
from domain.profile import Profile
from domain.record import Record
from domain.work import work
from engine.envelope import Envelope
from engine.lanes import InlineLane

TELECOM = Path(adapters.__file__).parent / "policies" / "telecom"


@pytest.fixture(scope="module")
def policy() -> Policy:
    return load_policy(TELECOM)


@pytest.fixture(scope="module")
def messages() -> dict[str, list[Record]]:
    """A year of 400 accounts: accounts, invoices, payments, promises, holds, claims, contacts."""
    found: dict[str, list[Record]] = {}
    for line in history(accounts=400, events=8_000):
        (envelope,) = decode(line)
        assert isinstance(envelope, Envelope)
        assert envelope.subject is not None
        assert envelope.time is not None
        found.setdefault(envelope.subject, []).append(envelope.message(envelope.time))
    return found


def live(messages: dict[str, list[Record]], policy: Policy) -> int:
    """Every profile through its year, timers included; how many messages were worked."""
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


@pytest.mark.benchmark(group="domain: a year of 400 accounts, messages and timers")
def bench_decide_and_evolve(benchmark: BenchmarkFixture, messages: dict[str, list[Record]], policy: Policy) -> None:
    """``extra_info.per_second`` is messages and timers worked a second, all their consequences included."""
    gc.collect()
    gc.freeze()
    worked = live(messages, policy)
    benchmark.pedantic(live, (messages, policy), rounds=7, warmup_rounds=1)
    benchmark.extra_info["worked"] = worked
    if benchmark.stats is not None:
        benchmark.extra_info["per_second"] = round(worked / benchmark.stats.stats.median)
    gc.unfreeze()


@pytest.mark.benchmark(group="domain: one decision")
def bench_decide_a_payment(benchmark: BenchmarkFixture, policy: Policy) -> None:
    """The decision alone, without its consequences."""
    profile = Profile("ACC-1")
    message = PaymentReceived(1_770_000_000_000_000, "P-1", 100_000)
    benchmark(decide, profile, message, policy)


@pytest.mark.benchmark(group="domain: one decision")
def bench_bare_call_that_makes_a_record(benchmark: BenchmarkFixture) -> None:
    """The peer: a look-up, a call and one record."""

    def payment(at: int) -> Record:
        return PaymentReceived(at, "P-1", 100_000)

    handlers = {PaymentReceived: payment}
    benchmark(lambda: handlers[PaymentReceived](1_770_000_000_000_000))


@pytest.mark.benchmark(group="domain: weight")
def bench_bytes_of_an_actor_with_a_profile_in_a_run(benchmark: BenchmarkFixture, policy: Policy) -> None:
    """At most 2.5 KB: an actor, its ref, and a profile with one invoice whose run has sent a command."""
    accounts = 500
    lane = InlineLane("weight")
    crew = Crew(policy, confirms=False, freezes=False)
    lines = [line for line in history(accounts, accounts)]
    arrivals = []
    for line in lines:
        (envelope,) = decode(line)
        assert isinstance(envelope, Envelope)
        assert envelope.time is not None
        arrivals.append((envelope.subject, envelope.message(envelope.time)))

    def populate() -> int:
        gc.collect()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        refs = []
        for number, (subject, message) in enumerate(arrivals):
            assert subject is not None
            profile_id = f"{subject}-{number}"
            ref = ProfileActor.start(Profile(profile_id), crew, lane=lane)
            issued_on = policy.zone.day(message.at)
            invoice = InvoiceIssued(message.at + 1, f"I-{number}", 100_000, issued_on, issued_on)
            errand = Errand(
                profile_id, [Arrival(message, None), Arrival(invoice, None)], message.at + 3 * 86_400_000_000
            )
            ref.tell(errand)
            refs.append(ref)
        lane.run()
        del errand
        gc.collect()
        weight = (tracemalloc.get_traced_memory()[0] - before) // len(refs)
        tracemalloc.stop()
        assert all(ref._actor.profile.run is not None and ref._actor.profile.wake_at < NEVER for ref in refs)
        return weight

    benchmark.extra_info["bytes"] = benchmark.pedantic(populate, rounds=1)
