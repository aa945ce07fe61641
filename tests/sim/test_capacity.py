"""Limited capacity: queues as the theory of queues has them, opening hours, and jobs that became moot."""

from math import factorial
from random import Random
from statistics import fmean

import pytest
from simpy import Environment, Event

from domain.calendar import HOUR
from sim.capacity import NO_TIME, Servers

SECOND = 1_000_000


class Customer:
    """Comes at an instant, wants to be served for a while, and tells how long it waited."""

    def __init__(self, at: int, service: int, waits: list[int], ends: list[int]) -> None:
        self.at = at
        self.service = service
        self.waits = waits
        self.ends = ends

    def begin(self, at: int) -> int:
        if self.service == NO_TIME:
            return NO_TIME
        self.waits.append(at - self.at)
        return self.service

    def end(self, at: int) -> None:
        self.ends.append(at)


def waiting_time(arrivals: float, services: float, servers: int) -> float:
    """The mean wait of M/M/c (Erlang's C), in units of time."""
    load = arrivals / services
    rho = load / servers
    tail = load**servers / factorial(servers) / (1 - rho)
    busy = tail / (sum(load**k / factorial(k) for k in range(servers)) + tail)
    return busy / (servers * services - arrivals)


def mean_wait(seed: int, customers: int, arrivals: float, count: int) -> float:
    """The mean wait of so many customers, in seconds; a service takes one on average."""
    random, env = Random(seed), Environment()
    servers = Servers(env, count)
    waits: list[int] = []
    ends: list[int] = []

    def arrive(_: Event) -> None:
        now = int(env.now)
        servers.ask(now, Customer(now, int(random.expovariate(1.0) * SECOND), waits, ends))
        if len(waits) + len(servers.waiting) < customers:
            following = env.timeout(int(random.expovariate(arrivals) * SECOND))
            assert following.callbacks is not None
            following.callbacks.append(arrive)

    first = env.timeout(0)
    assert first.callbacks is not None
    first.callbacks.append(arrive)
    env.run()
    assert len(ends) == len(waits) == customers
    return sum(waits) / len(waits) / SECOND


def test_waiting_times_are_erlangs() -> None:
    """Three servers, 70 % busy: over half a million customers the mean wait is within 2 % of theory."""
    found = fmean(mean_wait(seed, 100_000, 2.1, 3) for seed in range(5))
    assert found == pytest.approx(waiting_time(2.1, 1.0, 3), rel=0.02)


def test_who_comes_after_hours_is_served_first_thing() -> None:
    """Servers that open at ten: of three who came at night two begin at ten, the third when one is free."""
    env = Environment()
    waits: list[int] = []
    ends: list[int] = []
    servers = Servers(env, 2, lambda at: max(at, 10 * HOUR))
    for _ in range(3):
        servers.ask(HOUR, Customer(HOUR, HOUR, waits, ends))
    env.run()
    assert waits == [9 * HOUR, 9 * HOUR, 10 * HOUR]
    assert ends == [11 * HOUR, 11 * HOUR, 12 * HOUR]
    assert servers.served_time == 3 * HOUR


def test_what_is_moot_takes_nobodys_time() -> None:
    """A job that nobody needs any more is passed over."""
    env = Environment()
    waits: list[int] = []
    ends: list[int] = []
    servers = Servers(env, 1)
    servers.ask(0, Customer(0, HOUR, waits, ends))
    servers.ask(0, Customer(0, NO_TIME, waits, ends))
    servers.ask(0, Customer(0, HOUR, waits, ends))
    env.run()
    assert ends == [HOUR, 2 * HOUR]
    assert servers.busy == 0
