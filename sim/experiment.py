"""An experiment: policies compared on the same debtors with the same luck, again and again until the answer is narrow.

    from sim import Experiment

    outcome = Experiment(scenario, {"as is": policy, "earlier": other}, replications=8).run()
    outcome.differences("net_value", by=["segment"])

Segments are as the first policy draws them, under every policy: so they can be compared.

A unit of work is one branch in one replication under one policy, and a result is a sum of units: so it does not depend
on who works them, in which order.
"""

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Final, NamedTuple

import polars as pl

from domain.policy import Policy
from sim.comparison import Interval, differences, mean_interval
from sim.interrupts import unheard
from sim.parcel import packed, unpacked
from sim.results import DAYS, KEYS, Results
from sim.scenario import Scenario
from sim.tally import Months
from sim.world import Branch

Frames = tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]
Progress = Callable[[int, int], None]
"""Told how many units are done, of how many at most."""
Stopping = Callable[[int], None]
"""Told on Ctrl-C at once how much is finished, and kept."""

_AHEAD: Final = 2
"""Replications that are begun before it is known whether the ones before them suffice."""


class Unit(NamedTuple):
    """A piece of work."""

    policy: str
    replication: int
    branch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoppingRule:
    """No more replications than needed: it is enough when the 95 % interval of the difference of ``figure``, of every
    policy to the first one, is not wider to either side than ``within`` of the first policy's value. Replications in
    which one of the two has no such figure do not count."""

    figure: str = "net_value"
    within: float = 0.01
    replications_min: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came out. ``results`` holds the finished replications; ``interrupted``: not all that were asked for."""

    results: Results
    policies: tuple[str, ...]
    replications: int
    interrupted: bool = False

    def figures(self, by: Sequence[str] = ()) -> pl.DataFrame:
        """The figures of each policy and replication, by further keys."""
        return self.results.figures(["policy", "replication", *by])

    def mean(self, figure: str, policy: str) -> Interval:
        """A figure's mean over the replications under one policy, with its 95 % interval."""
        values = self.figures().filter(pl.col("policy") == policy)[figure].drop_nulls().to_list()
        return mean_interval(values)

    def differences(self, figure: str, by: Sequence[str] = ()) -> pl.DataFrame:
        """Each policy's figure less the first one's, paired by replication: see `comparison.differences`."""
        return differences(self.figures(by), figure, self.policies[0], by)


class Experiment:
    """Policies, the first of which is what the others are compared with, on the portfolio of a scenario."""

    def __init__(
        self,
        scenario: Scenario,
        policies: Mapping[str, Policy],
        *,
        replications: int = 8,
        seed: int = 1,
        stop: StoppingRule | None = None,
    ) -> None:
        """At most ``replications``, fewer where ``stop`` is content. Raises ValueError for what cannot be compared."""
        if not policies:
            raise ValueError("an experiment needs a policy")
        if replications < 1:
            raise ValueError("an experiment needs a replication")
        if scenario.flaw:
            raise ValueError(scenario.flaw)
        if len({(policy.zone.name, policy.currency) for policy in policies.values()}) > 1:
            raise ValueError("policies of different time zones or currencies cannot be compared")
        self.scenario: Final = scenario
        self.policies: Final = dict(policies)
        self.replications: Final = replications
        self.seed: Final = seed
        self.stop: Final = stop

    def run(
        self,
        workers: int = 1,
        *,
        executor: Executor | None = None,
        progress: Progress | None = None,
        stopping: Stopping | None = None,
    ) -> Outcome:
        """Simulates on ``workers`` processes, or with an ``executor`` of your own (a cluster's).

        Ctrl-C ends it with the replications that are finished; with none, it is a KeyboardInterrupt as usual. Units
        under way are waited for; whoever presses twice should run it within `heard_once`.
        """
        finished: list[Frames] = []
        interrupted = False
        pool = executor
        if pool is None and workers > 1:
            pool = ProcessPoolExecutor(workers, get_context("spawn"))
        try:
            for frames in self._replications(pool, progress):
                finished.append(frames)
                if self._suffices(finished):
                    break
        except KeyboardInterrupt:
            if stopping is not None:
                stopping(len(finished))
            if not finished:
                raise
            interrupted = True
        finally:
            if pool is not None and executor is None:
                pool.shutdown(wait=True, cancel_futures=True)
        return Outcome(
            results=self._results(finished),
            policies=tuple(self.policies),
            replications=len(finished),
            interrupted=interrupted,
        )

    def _replications(self, pool: Executor | None, progress: Progress | None) -> Iterator[Frames]:
        """The replications in their order, each as soon as all its units are done."""
        per_replication = len(self.policies) * self.scenario.branches
        total = per_replication * self.replications
        done = 0
        parcel = packed((self.scenario, self.policies)) if pool is not None else b""
        begun: dict[int, list[Future[Frames]]] = {}
        try:
            for replication in range(self.replications):
                frames = []
                if pool is None:
                    for unit in self._units(replication):
                        frames.append(simulate(self.scenario, self.policies, self.seed, unit))
                        done += 1
                        if progress is not None:
                            progress(done, total)
                else:
                    for ahead in range(replication, min(replication + _AHEAD, self.replications)):
                        if ahead not in begun:
                            with unheard():
                                begun[ahead] = [
                                    pool.submit(simulate_packed, parcel, self.seed, unit) for unit in self._units(ahead)
                                ]
                    for future in begun[replication]:
                        frames.append(future.result())
                        done += 1
                        if progress is not None:
                            progress(done, total)
                    del begun[replication]
                yield _merged(frames)
        finally:
            for futures in begun.values():
                for future in futures:
                    future.cancel()

    def _units(self, replication: int) -> Iterator[Unit]:
        for branch in range(self.scenario.branches):
            for policy in self.policies:
                yield Unit(policy, replication, branch)

    def _suffices(self, finished: list[Frames]) -> bool:
        stop = self.stop
        if stop is None or len(finished) < max(2, stop.replications_min) or len(self.policies) < 2:
            return False
        outcome = Outcome(results=self._results(finished), policies=tuple(self.policies), replications=len(finished))
        is_narrow = pl.col("half_width") <= stop.within * pl.col("base").abs()
        narrow = outcome.differences(stop.figure).filter(is_narrow, pl.col("replications") >= stop.replications_min)
        return len(narrow) == len(self.policies) - 1

    def _results(self, finished: list[Frames]) -> Results:
        order = pl.Enum(list(self.policies))
        months, measures, days = (pl.concat(frames) for frames in zip(*finished, strict=True))
        months = months.sort(pl.col("policy").cast(order), *KEYS[1:])
        measures = measures.sort(pl.col("policy").cast(order), *KEYS[1:], "measure", "kind")
        days = days.sort(pl.col("policy").cast(order), "replication", "day")
        return Results(
            months=months,
            measures=measures,
            days=days,
            month_days=Months(self.scenario.start, self.scenario.days).lengths,
            warm_up=self.scenario.warm_up_months,
        )


def simulate(scenario: Scenario, policies: Mapping[str, Policy], seed: int, unit: Unit) -> Frames:
    """One unit's tables, with segments as the first of ``policies`` draws them."""
    # A branch makes no cycles while it runs, and the collector would visit its profiles again and again.
    collects = gc.isenabled()
    gc.disable()
    try:
        first = next(iter(policies.values()))
        branch = Branch(scenario, policies[unit.policy], seed, unit.replication, unit.branch, drawn_by=first)
        return branch.run().frames(unit.policy, unit.replication)
    finally:
        if collects:
            gc.enable()
            # What the branch has left is young, since nothing was collected meanwhile; the modules need not be visited.
            gc.collect(0)


def _merged(frames: Sequence[Frames]) -> Frames:
    months, measures, days = (pl.concat(each) for each in zip(*frames, strict=True))
    day_keys = list(DAYS)[:3]
    # In order: else the same rows may lie in other bytes.
    return (
        months.group_by(KEYS, maintain_order=True).agg(pl.exclude(KEYS).sum()),
        measures.group_by(*KEYS, "measure", "kind", maintain_order=True).agg(pl.sum("requested", "failed", "cost")),
        days.group_by(day_keys, maintain_order=True).agg(pl.exclude(day_keys).sum()),
    )


def simulate_packed(parcel: bytes, seed: int, unit: Unit) -> Frames:
    """The same in another process or on another machine."""
    return simulate(*unpacked(parcel), seed, unit)
