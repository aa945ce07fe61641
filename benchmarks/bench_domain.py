"""`decide` + `evolve` over a typical mix, and the least that any implementation does: for comparing two versions."""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from adapters.policy_files import load_policy
from benchmarks.figures import TELECOM, bare, live, messages_of
from benchmarks.histories import history
from domain.decide import decide
from domain.messages import PaymentReceived
from domain.profile import Profile


@pytest.mark.benchmark(group="domain: a year of 100 accounts, messages and timers")
def bench_decide_and_evolve(benchmark: BenchmarkFixture) -> None:
    policy = load_policy(TELECOM)
    benchmark(live, messages_of(list(history(accounts=100, events=2_000))), policy)


@pytest.mark.benchmark(group="domain: one decision")
def bench_decide_a_payment(benchmark: BenchmarkFixture) -> None:
    """The decision alone, without its consequences."""
    message = PaymentReceived(1_770_000_000_000_000, "P-1", 100_000)
    benchmark(decide, Profile("ACC-1"), message, load_policy(TELECOM))


@pytest.mark.benchmark(group="domain: one decision")
def bench_bare_call_that_makes_a_record(benchmark: BenchmarkFixture) -> None:
    """The peer: a look-up, a call and one record."""
    benchmark(bare, 1)
