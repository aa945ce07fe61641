"""`dms search`: looks for a better policy on simulated debtors."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from adapters.cli import FAILED, FINE, Failure, WrongUse
from adapters.progress_bar import bar

if TYPE_CHECKING:
    from sim.search import Trial


def search(
    experiment: Annotated[Path, Parameter(help="A TOML file with a [search], or one that ships: telecom.")],
    /,
    *,
    policy: Annotated[Path | None, Parameter(help="The policy to better; else the file's first.")] = None,
    trials: Annotated[int | None, Parameter(help="At most so many.")] = None,
    days: Annotated[int | None, Parameter(help="How many days.")] = None,
    seed: Annotated[int | None, Parameter(help="One seed makes one search.")] = None,
    workers: Annotated[int | None, Parameter(help="Processes; without it, one for each core.")] = None,
    out: Annotated[Path | None, Parameter(help="A new folder for the policy, once it is confirmed.")] = None,
) -> int:
    """Look for values of a policy and of capacity that raise net value while contacts and the like keep their limits.

    The experiment's [search] says what may be changed. All trials meet the same debtors with the same luck; the best is
    confirmed on fresh ones. Ctrl-C ends the trials and confirms the best so far. Status 1: nothing was confirmed.

    For example:

        dms search telecom --trials 40 --out policies/found
    """
    import os

    from adapters.experiment_file import load_experiment
    from adapters.search_candidates import Candidates
    from adapters.search_words import best_so_far, told, verdict
    from sim.interrupts import heard_once
    from sim.search import Search

    for name, value, most in (("trials", trials, 10_000), ("days", days, 3_650), ("workers", workers, 256)):
        if value is not None and not 1 <= value <= most:
            raise WrongUse(f"--{name} must be between 1 and {most}, not {value}")
    if seed is not None and not 0 <= seed < (1 << 63) - 1:
        raise WrongUse(f"--seed must be between 0 and {(1 << 63) - 2}, not {seed}")
    if out is not None and out.exists():
        raise WrongUse(f"--out {out}: is there already; a new folder is needed")
    file = load_experiment(experiment)
    if file.search is None:
        raise WrongUse(f"{file.path}: there is no [search] in it (adapters/experiments/telecom.toml shows one)")
    path = policy or next(iter(file.policies), None)
    if path is None:
        raise WrongUse("the experiment names no policy: --policy says which")
    candidates = Candidates(file, file.search, path, days)
    beside = candidates.experiment_beside(out) if out is not None else None
    if beside is not None and beside.exists():
        raise WrongUse(f"--out {out}: {beside} is there already; it would hold the experiment")
    base, plan = candidates.base(), candidates.plan()
    plan = replace(plan, trials=trials or plan.trials)
    count = workers if workers is not None else len(os.sched_getaffinity(0))
    wanted = Search(plan, base, candidates.made, seed=seed if seed is not None else file.seed, workers=count)
    scenario = base.scenario
    with heard_once():
        with bar("searching", min(plan.trials, plan.size)) as said:

            def progress(done: int, total: int, best: "Trial | None") -> None:
                said(done, total, best_so_far(plan, best, scenario.minor_units))

            found = wanted.run(progress, _stopping)
        if not found.trials:
            raise Failure("interrupted before a trial was finished")
        for line in told(plan, found, min(scenario.accounts, scenario.branch_accounts), scenario.minor_units):
            print(line)
    best = next(iter(found.ranked), None)
    if best is None or wanted.is_today(best.values):
        print("Nothing better than what holds today was found.")
        return FAILED
    print(flush=True)
    with heard_once(), bar("confirming") as confirming:
        confirmed = wanted.confirm(best, confirming, _not_confirmed)
    for line in verdict(plan, confirmed, scenario.accounts, scenario.minor_units):
        print(line)
    if not confirmed.holds or confirmed.gain is None or not confirmed.gain.low > 0:
        return FAILED
    for written in candidates.write(best.values, out) if out is not None else ():
        print(f"written: {written}")
    return FINE


def _stopping(finished: int) -> None:
    print(f"stopping: {finished} finished trials are kept; what is under way ends first", file=sys.stderr, flush=True)


def _not_confirmed(_: int) -> None:
    print("stopping: nothing is confirmed; what is under way ends first", file=sys.stderr, flush=True)
