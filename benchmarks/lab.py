"""The laboratory: speed, memory and growth, each with its peer in the same run.

    python -m benchmarks.lab [year|peer|memory|growth|compare|queue|processes] [--accounts N]

Compiled or not is as the tree is (`make compiled`, `make interpreted`); the first line says which.
"""

import argparse
import gc
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from itertools import count
from math import factorial
from multiprocessing import Process
from pathlib import Path
from random import Random

from simpy import Environment

import domain.work
from adapters.experiment_file import load_experiment
from adapters.policy_files import load_policy
from domain.calendar import DAY
from domain.messages import InvoiceIssued, PaymentReceived, Wake
from domain.policy import Policy
from domain.profile import Profile
from domain.work import work
from sim import Experiment, Scenario
from sim.behaviour import probability, rate_table
from sim.capacity import Servers
from sim.experiment import Unit, simulate
from sim.world import Branch

TELECOM = Path(__file__).parent.parent / "adapters" / "policies" / "telecom"
ROUNDS = 3


def scenario(accounts: int, branch_accounts: int = 10_000, days: int = 365) -> Scenario:
    """The operator that ships, of so many accounts."""
    shipped = load_experiment(Path("telecom")).scenario
    return replace(shipped, accounts=accounts, branch_accounts=min(accounts, branch_accounts), days=days)


def year(accounts: int, policy: Policy) -> None:
    """So many accounts through a year on two processes."""
    seconds = _timed(lambda: Experiment(scenario(accounts), {"telecom": policy}, replications=1).run(2))
    branch = Branch(scenario(min(accounts, 5_000)), policy, 1, 0, 0)
    branch.run()
    size = len(branch.portfolio)
    print(
        f"{accounts:,} accounts x 365 days, 2 processes: {seconds:.1f} s, {seconds / accounts * 1e6:.0f} s a million; "
        f"an account has {branch.cases.messages / size:.1f} messages and timers, "
        f"{branch.cases.facts_seen / size:.1f} facts, {branch.tally.requested.sum() / size:.1f} commands"
    )


def processes(accounts: int, policy: Policy) -> None:
    """The same on one process and on two: by the clock, by the processor's time, and as far as the machine lets two
    processes that only count."""
    world = scenario(accounts, branch_accounts=max(1, accounts // 8))
    clock, spent = [], []
    for workers in (1, 2):
        before = _processor_seconds()
        clock.append(_timed(lambda n=workers: Experiment(world, {"telecom": policy}, replications=1).run(n)))  # type: ignore[misc]
        spent.append(_processor_seconds() - before)
    counting = [_timed(lambda n=n: _count_in(n)) for n in (1, 2)]  # type: ignore[misc]
    print(
        f"{accounts:,} accounts: {clock[0]:.1f} s on one process, {clock[1]:.1f} s on two: {clock[0] / clock[1]:.2f} x "
        f"(two that only count: {2 * counting[0] / counting[1]:.2f} x); of the processor {spent[0]:.1f} s and "
        f"{spent[1]:.1f} s: {2 * spent[0] / spent[1]:.2f} x where nobody else uses it"
    )


def _processor_seconds() -> float:
    return sum(
        used.ru_utime + used.ru_stime
        for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def _count_in(processes: int) -> None:
    counting = [Process(target=sum, args=(range(100_000_000),)) for _ in range(processes)]
    for each in counting:
        each.start()
    for each in counting:
        each.join()


def growth(accounts: int, policy: Policy) -> None:
    """What an account costs in a small and in a large portfolio, on one process."""
    small = 10_000
    costs = []
    for size in (small, accounts):
        world = scenario(size, branch_accounts=small)
        costs.append(_timed(lambda world=world: Experiment(world, {"telecom": policy}, replications=1).run()) / size)  # type: ignore[misc]
    print(
        f"an account costs {costs[0] * 1e6:.0f} us among {small:,}, {costs[1] * 1e6:.0f} us among {accounts:,}: "
        f"{costs[1] / costs[0]:.2f} x"
    )


def memory(accounts: int, policy: Policy) -> None:
    """The peak of one branch of so many accounts, all in memory at once, less what was there before."""
    world = scenario(accounts, branch_accounts=accounts)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    simulate(world, {"telecom": policy}, 1, Unit("telecom", 0, 0))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{accounts:,} accounts at once: {(peak - before) * 1024 / accounts:,.0f} bytes an account")


def compare(accounts: int, policy: Policy) -> None:
    """Two policies, eight replications, with the tables written."""
    earlier = {name: replace(plan, min_gap_days=plan.min_gap_days) for name, plan in policy.plans.items()}
    other = replace(policy, plans=earlier, version=policy.version + 1)

    def run() -> None:
        outcome = Experiment(scenario(accounts), {"as is": policy, "other": other}, replications=8).run(2)
        outcome.differences("net_value", ["segment"])
        with tempfile.TemporaryDirectory() as folder:
            outcome.results.write(Path(folder) / "results.parquet")

    print(f"{accounts:,} accounts x 365 days x 2 policies x 8 replications on 2 processes: {_timed(run):.1f} s")


def peer(accounts: int, policy: Policy) -> None:
    """Account-days a second on one core, against a SimPy process for each account that does the same."""
    world = scenario(accounts, branch_accounts=accounts)
    ours = statistics.median(_timed(lambda: simulate(world, {"t": policy}, 1, Unit("t", 0, 0))) for _ in range(ROUNDS))
    theirs = statistics.median(_timed(lambda: _process_each(world, policy)) for _ in range(ROUNDS))
    days = accounts * world.days
    print(
        f"{accounts:,} accounts on one core: {days / ours / 1e6:.2f} million account-days/s, a SimPy process for each "
        f"account {days / theirs / 1e6:.2f}: {theirs / ours:.1f} x"
    )


def _process_each(world: Scenario, policy: Policy) -> None:
    """As one would write it first: an account is a process that looks at every day, and tells the domain everything."""
    branch = Branch(world, policy, 1, 0, 0)
    portfolio, env, random = branch.portfolio, Environment(policy.zone.midnight(world.start)), Random(1)
    behaviours = [world.behaviours[group.behaviour] for group in world.groups]
    rates = [probability(rate_table(each, -60, 399)).tolist() for each in behaviours]

    def account(i: int):  # type: ignore[no-untyped-def]
        profile = Profile(f"A{i}")
        group = int(portfolio.group[i])
        first = sum(len(each.types) for each in behaviours[:group])
        chances = rates[group][int(portfolio.type[i]) - first]
        work(profile, portfolio.introductions[int(portfolio.kind[i])], policy, [], True)
        issues, charge = int(portfolio.issue_day[i]), int(portfolio.charge[i])
        for day in range(world.days):
            today = world.start + day
            if _day_of_month(today) == issues and charge > 0:
                work(profile, InvoiceIssued(int(env.now), f"I{day}", charge, today, None), policy, [], True)
            yield env.timeout(DAY)
            while profile.wake_at <= env.now:
                work(profile, Wake(profile.wake_at), policy, [], True)
            items = profile.ledger.open_items
            if items and random.random() < chances[min(max(today - items[0].due, -60), 399) + 60]:
                work(profile, PaymentReceived(int(env.now), f"P{day}", profile.ledger.debt()), policy, [], True)

    for i in range(len(portfolio)):
        env.process(account(i))
    env.run()


def _day_of_month(day: int) -> int:
    return date.fromordinal(day).day


class _Customer:
    __slots__ = ("at", "service", "waits")

    def __init__(self, at: int, service: int, waits: list[int]) -> None:
        self.at = at
        self.service = service
        self.waits = waits

    def begin(self, at: int) -> int:
        self.waits.append(at - self.at)
        return self.service

    def end(self, at: int) -> None:
        pass


def queue(customers: int, _: Policy) -> None:
    """M/M/3, 70 % busy: customers a second, and how far the mean wait is from theory, against Ciw and salabim."""
    truth = _erlang_c(2.1, 1.0, 3)
    print(f"M/M/3, mean wait in theory {truth:.4f}")
    for name, run, most in (
        ("ours", _ours, customers),
        ("Ciw", _ciw, customers // 4),
        ("salabim", _salabim, customers // 20),
    ):
        began = time.perf_counter()
        wait = run(most)
        seconds = time.perf_counter() - began
        print(f"  {name}: {most / seconds:,.0f} customers/s, mean wait {wait:.4f} ({wait / truth - 1:+.1%})")


def _erlang_c(arrivals: float, services: float, servers: int) -> float:
    load = arrivals / services
    tail = load**servers / factorial(servers) / (1 - load / servers)
    return tail / (sum(load**k / factorial(k) for k in range(servers)) + tail) / (servers * services - arrivals)


def _ours(customers: int) -> float:
    env, random, waits = Environment(), Random(1), list[int]()
    servers, left = Servers(env, 3), count(customers - 1, -1)

    def arrive(_: object) -> None:
        now = int(env.now)
        servers.ask(now, _Customer(now, int(random.expovariate(1.0) * 1e6), waits))
        if next(left) > 0:
            env.timeout(int(random.expovariate(2.1) * 1e6)).callbacks.append(arrive)

    env.timeout(0).callbacks.append(arrive)
    env.run()
    return statistics.fmean(waits) / 1e6


def _ciw(customers: int) -> float:
    import ciw

    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(2.1)],
        service_distributions=[ciw.dists.Exponential(1.0)],
        number_of_servers=[3],
    )
    ciw.seed(1)
    simulation = ciw.Simulation(network)
    simulation.simulate_until_max_customers(customers)
    return statistics.fmean(record.waiting_time for record in simulation.get_all_records())


def _salabim(customers: int) -> float:
    import salabim

    salabim.yieldless(False)
    env = salabim.Environment(random_seed=1)
    clerks = salabim.Resource("clerks", capacity=3, env=env)
    waits: list[float] = []

    class Client(salabim.Component):  # type: ignore[misc]
        def process(self):  # type: ignore[no-untyped-def]
            came = env.now()
            yield self.request(clerks)
            waits.append(env.now() - came)
            yield self.hold(salabim.Exponential(1.0).sample())

    class Source(salabim.Component):  # type: ignore[misc]
        def process(self):  # type: ignore[no-untyped-def]
            for _ in range(customers):
                Client(env=env)
                yield self.hold(salabim.Exponential(1 / 2.1).sample())

    Source(env=env)
    env.run()
    return statistics.fmean(waits)


def _timed(what: Callable[[], object]) -> float:
    gc.collect()
    began = time.perf_counter()
    what()
    return time.perf_counter() - began


PARTS = {
    "year": (year, 1_000_000),
    "peer": (peer, 10_000),
    "memory": (memory, 100_000),
    "growth": (growth, 1_000_000),
    "compare": (compare, 100_000),
    "queue": (queue, 200_000),
    "processes": (processes, 100_000),
}


def main() -> None:
    """Prints the figures asked for, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="which figures; without, all")
    parser.add_argument("--accounts", type=int, help="instead of each part's own number")
    asked = parser.parse_args()
    policy = load_policy(TELECOM)
    print(f"domain and inner loop {'interpreted' if domain.work.__file__.endswith('.py') else 'compiled'}")
    for name in asked.parts or PARTS:
        part, accounts = PARTS[name]
        part(asked.accounts or accounts, policy)


if __name__ == "__main__":
    main()
