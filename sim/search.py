"""The search for a better policy: trials of changed policies and capacity on the same debtors with the same luck.

What is to be changed, within which bounds, is a `SearchPlan`; how a set of values becomes a policy and a scenario is
the caller's business. Trials are proposed by a tree-structured Parzen estimator (Bergstra et al. 2011; Optuna), which
learns from those before it what raises the figure and what breaks a limit. The best of many trials is in part the
luckiest, so the winner is tried again on debtors that no trial has met.
"""

import warnings
from calendar import monthrange
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import date
from math import prod
from multiprocessing import get_context
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from domain.policy import Policy
from sim.comparison import Interval, mean_interval
from sim.experiment import Experiment, Stopping
from sim.experiment import Progress as Units
from sim.results import TOTALS, Results
from sim.scenario import Scenario

if TYPE_CHECKING:
    import optuna

_PROPOSED: Final = 20
"""So many proposals for each trial: those that were worked already, or are refused, do not count."""

Values = Mapping[str, object]
"""A value for each parameter, by name."""


class Candidate(NamedTuple):
    """What is tried: a policy, in a world that may have other people and lines."""

    scenario: Scenario
    policy: Policy


Made = Callable[[Values], Candidate | str]
"""From values to what is tried with them, or why they cannot be meant together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """Something that may be changed. ``values`` are in order if ``ordered``, so that neighbours are alike.

    ``now`` is what holds today. ``monthly`` is what one unit more costs a month and branch, in minor units.
    """

    name: str
    values: tuple[object, ...]
    ordered: bool
    now: object = None
    monthly: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A figure's bound, for the whole portfolio; with ``of_base`` it is a share of what the figure is today."""

    figure: str
    most: float | None = None
    least: float | None = None
    of_base: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPlan:
    """``figure`` is to grow while ``limits`` hold. At most ``trials`` of ``replications`` each, on one branch of the
    portfolio; the winner is confirmed with ``confirm`` replications of all of it."""

    parameters: tuple[Parameter, ...]
    limits: tuple[Limit, ...] = ()
    figure: str = "net_value"
    trials: int = 60
    replications: int = 3
    confirm: int = 8

    @property
    def size(self) -> int:
        """How many sets of values there are."""
        return prod(len(each.values) for each in self.parameters)


class Kept(NamedTuple):
    """A limit, where it lay, and the figure's mean under it."""

    limit: Limit
    bound: float
    value: float | None

    @property
    def excess(self) -> float:
        """By how much it is broken, relative to the bound; not above 0 where it holds."""
        if self.value is None:
            return 0.0
        over = self.value - self.bound if self.limit.most is not None else self.bound - self.value
        return over / (abs(self.bound) or 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What became of a set of values: ``gain`` is what they add to the figure; or they were ``refused``."""

    values: Values
    gain: Interval | None = None
    kept: tuple[Kept, ...] = ()
    refused: str = ""

    @property
    def holds(self) -> bool:
        """All limits do."""
        return self.gain is not None and all(each.excess <= 0 for each in self.kept)


@dataclass(slots=True)
class Found:
    """The trials in their order. ``interrupted``: there would have been more."""

    trials: list[Trial] = field(default_factory=list)
    interrupted: bool = False

    @property
    def ranked(self) -> list[Trial]:
        """Those that keep every limit, the best first."""
        sound = [each for each in self.trials if each.holds]
        return sorted(sound, key=lambda each: each.gain.mean if each.gain else 0.0, reverse=True)


Progress = Callable[[int, int, "Trial | None"], None]
"""Told how many trials are done, of how many at most, and the best so far."""


class Search:
    """One search; ``base`` is what holds today."""

    def __init__(self, plan: SearchPlan, base: Candidate, made: Made, *, seed: int = 1, workers: int = 1) -> None:
        if not plan.parameters:
            raise ValueError("there is nothing to change")
        self.plan: Final = plan
        self.seed: Final = seed
        self._base: Final = base
        self._made: Final = made
        self._workers: Final = workers

    def run(self, progress: Progress | None = None, stopping: Stopping | None = None) -> Found:
        """The trials. Ctrl-C ends them; what is finished stays."""
        found = Found()
        most = min(self.plan.trials, self.plan.size)
        known: dict[tuple[object, ...], Trial] = {}
        with self._pool() as pool:
            try:
                today = self._worked(self._sample(self._base), pool)
                study = self._study()
                worked = 0
                while worked < most and len(study.trials) < _PROPOSED * most:
                    asked = study.ask()
                    values = self._values(asked)
                    key = tuple(values.values())
                    if key not in known:
                        known[key] = trial = self._tried(values, today, pool)
                        found.trials.append(trial)
                        worked += not trial.refused
                        if progress is not None:
                            progress(worked, most, next(iter(found.ranked), None))
                    _tell(study, asked, known[key])
            except KeyboardInterrupt:
                if stopping is not None:
                    stopping(len(found.trials))
                found.interrupted = True
        return found

    def confirm(self, trial: Trial, progress: Units | None = None, stopping: Stopping | None = None) -> Trial:
        """The same values on the whole portfolio, with seeds that no trial has had. Of half of it, nothing is kept."""

        def then(done: int, total: int) -> None:
            if progress is not None:
                progress(total + done, 2 * total)

        def first(done: int, total: int) -> None:
            then(done - total, total)

        with self._pool() as pool:
            try:
                today = self._worked(self._base, pool, fresh=True, progress=first)
                return self._tried(trial.values, today, pool, fresh=True, progress=then)
            except KeyboardInterrupt:
                if stopping is not None:
                    stopping(0)
                raise

    def is_today(self, values: Values) -> bool:
        """Nothing is changed by these."""
        return all(values[each.name] == each.now for each in self.plan.parameters)

    def _pool(self) -> "ProcessPoolExecutor | nullcontext[None]":
        if self._workers < 2:
            return nullcontext()
        return ProcessPoolExecutor(self._workers, get_context("spawn"))

    def _sample(self, candidate: Candidate) -> Candidate:
        """Of one branch: crews and lines belong to a branch, so a smaller one would have too many of them."""
        scenario = candidate.scenario
        accounts = min(scenario.accounts, scenario.branch_accounts)
        return candidate._replace(scenario=replace(scenario, accounts=accounts))

    def _worked(
        self, candidate: Candidate, pool: Executor | None, fresh: bool = False, progress: Units | None = None
    ) -> Results:
        experiment = Experiment(
            candidate.scenario,
            {"tried": candidate.policy},
            replications=self.plan.confirm if fresh else self.plan.replications,
            seed=self.seed + 1 if fresh else self.seed,
        )
        outcome = experiment.run(executor=pool, progress=progress)
        if outcome.interrupted:
            raise KeyboardInterrupt
        return outcome.results

    def _tried(
        self,
        values: Values,
        today: Results,
        pool: Executor | None,
        fresh: bool = False,
        progress: Units | None = None,
    ) -> Trial:
        made = self._made(values)
        if isinstance(made, str):
            return Trial(values=values, refused=made)
        candidate = made if fresh else self._sample(made)
        results = today if self.is_today(values) else self._worked(candidate, pool, fresh, progress)
        theirs, ours = today.figures(["replication"]), results.figures(["replication"])
        paid = self._monthly(values) * _judged_months(results, candidate.scenario.start) * candidate.scenario.branches
        gains = [
            after - before - paid
            for before, after in zip(_column(theirs, self.plan.figure), _column(ours, self.plan.figure), strict=True)
            if before is not None and after is not None
        ]
        if not gains:
            return Trial(values=values, refused=f"{self.plan.figure} cannot be computed")
        share = candidate.scenario.accounts / made.scenario.accounts
        kept = tuple(_kept(limit, theirs, ours, share) for limit in self.plan.limits)
        return Trial(values=values, gain=mean_interval(gains), kept=kept)

    def _monthly(self, values: Values) -> float:
        """What the values cost a month and branch beyond today."""
        total = 0.0
        for each in self.plan.parameters:
            value, now = values[each.name], each.now
            if each.monthly and isinstance(value, int | float) and isinstance(now, int | float):
                total += (value - now) * each.monthly
        return total

    def _study(self) -> "optuna.Study":
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        with warnings.catch_warnings():
            # That limits are told to the sampler is marked experimental; it has been since 2022.
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = optuna.samplers.TPESampler(
                seed=self.seed % (1 << 32), constraints_func=_excesses, n_startup_trials=min(10, self.plan.trials // 3)
            )
        study = optuna.create_study(direction="maximize", sampler=sampler)
        today = {each.name: each.values.index(each.now) for each in self.plan.parameters if each.now in each.values}
        if len(today) == len(self.plan.parameters):
            study.enqueue_trial(today)
        return study

    def _values(self, asked: "optuna.Trial") -> dict[str, object]:
        values = {}
        for each in self.plan.parameters:
            last = len(each.values) - 1
            if each.ordered:
                chosen = asked.suggest_int(each.name, 0, last)
            else:
                chosen = asked.suggest_categorical(each.name, list(range(last + 1)))
            values[each.name] = each.values[chosen]
        return values


def _excesses(trial: "optuna.trial.FrozenTrial") -> Sequence[float]:
    excesses: Sequence[float] = trial.user_attrs["excesses"]
    return excesses


def _tell(study: "optuna.Study", asked: "optuna.Trial", trial: Trial) -> None:
    import optuna

    asked.set_user_attr("excesses", [each.excess for each in trial.kept] or [0.0])
    if trial.gain is None:
        study.tell(asked, state=optuna.trial.TrialState.FAIL)
    else:
        study.tell(asked, trial.gain.mean)


def _judged_months(results: Results, start: int) -> float:
    """How many months are judged; of one that is not simulated as a whole, that part."""
    first = date.fromordinal(start)
    found = 0.0
    for number, days in enumerate(results.month_days):
        years, month = divmod(first.month - 1 + number, 12)
        if number >= results.warm_up:
            found += days / monthrange(first.year + years, month + 1)[1]
    return found


def _column(of: pl.DataFrame, figure: str) -> list[float | None]:
    return of.sort("replication")[figure].to_list()


def _kept(limit: Limit, theirs: pl.DataFrame, ours: pl.DataFrame, share: float) -> Kept:
    """Where a limit lies for this ``share`` of the portfolio."""
    value = ours[limit.figure].drop_nulls().mean()
    bound = limit.most if limit.most is not None else limit.least
    assert bound is not None
    if limit.of_base:
        today = theirs[limit.figure].drop_nulls().mean()
        bound *= float(today) if isinstance(today, int | float) else 0.0
    elif limit.figure in TOTALS:
        bound *= share
    return Kept(limit, bound, float(value) if isinstance(value, int | float) else None)
