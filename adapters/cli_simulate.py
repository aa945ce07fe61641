"""`dms simulate`: the policy laboratory from the command line."""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from adapters.cli import FAILED, FINE, INTERRUPTED, Failure, WrongUse, explain
from adapters.progress_bar import bar

if TYPE_CHECKING:
    from adapters.experiment_file import ExperimentFile
    from domain.policy import Policy
    from sim.experiment import Experiment, Outcome


def simulate(
    experiment: Annotated[Path, Parameter(help="A TOML file, or one that ships: telecom, agency, card.")],
    /,
    *,
    policy: Annotated[Path | None, Parameter(help="What is compared with; else the file's policies.")] = None,
    vs: Annotated[list[Path] | None, Parameter(help="A policy to compare; may be repeated.")] = None,
    profiles: Annotated[int | None, Parameter(help="How many accounts.")] = None,
    days: Annotated[int | None, Parameter(help="How many days.")] = None,
    replications: Annotated[int | None, Parameter(help="At most so many.")] = None,
    seed: Annotated[int | None, Parameter(help="One seed makes one world.")] = None,
    workers: Annotated[int | None, Parameter(help="Processes; without it, one for each core.")] = None,
    from_store: Annotated[str | None, Parameter(help="Begins with a copy of a store's profiles: its URL.")] = None,
    dask: Annotated[str | None, Parameter(help="The address of a Dask scheduler instead.")] = None,
    results: Annotated[Path | None, Parameter(help="A Parquet file for the tables, or an old one anew.")] = None,
    report: Annotated[Path | None, Parameter(help="An HTML file for a report with charts, or an old one anew.")] = None,
    language: Annotated[str | None, Parameter(help="The report's: en, ru; without it, the locale's.")] = None,
) -> int:
    """Simulate policies on a portfolio: what they do to cash, contacts, suspensions and workload, with 95 % intervals.

    The policies meet the same debtors with the same luck. The same seed gives the same results, on however many
    processes. Ctrl-C keeps the replications that are finished.

    For example:

        dms simulate telecom --policy policies/telecom --vs policies/earlier --profiles 10000 --report out.html
    """
    from adapters.experiment_file import load_experiment

    _check(profiles, days, replications, seed, workers, dask)
    for option, path in (("results", results), ("report", report)):
        if path is not None:
            _check_target(option, path)
    if language not in (None, "en", "ru"):
        raise WrongUse(f"--language must be en or ru, not {language!r}")
    if language is not None and report is None:
        raise WrongUse("--language is the report's: --report says where to write it")
    file = load_experiment(experiment)
    scenario = file.scenario
    scenario = replace(scenario, accounts=profiles or scenario.accounts, days=days or scenario.days)
    policies = _policies(file, policy, vs or [])
    if from_store is not None:
        from adapters.twin_store import copied

        if profiles is not None:
            raise WrongUse("--profiles draws accounts, --from-store copies them: give one of them")
        scenario, policies = copied(from_store, scenario, policies)
    if scenario.flaw:
        raise WrongUse(scenario.flaw)
    from sim.experiment import Experiment
    from sim.interrupts import heard_once

    asked = Experiment(
        scenario,
        policies,
        replications=replications or file.replications,
        seed=seed if seed is not None else file.seed,
        stop=file.stop,
    )
    with heard_once():
        outcome = _outcome(asked, workers, dask)
        status = _tell(asked, outcome)
        if results is not None and not _is_written("results", lambda: outcome.results.write(results)):
            status = FAILED
        if report is not None:
            from adapters.report import About, written

            about = About.of(asked, experiment.name)
            if not _is_written("report", lambda: written(report, outcome, about, language)):
                status = FAILED
    return status


def _check(
    profiles: int | None,
    days: int | None,
    replications: int | None,
    seed: int | None,
    workers: int | None,
    dask: str | None,
) -> None:
    """Refuses numbers that no run can have."""
    if dask is not None and workers is not None:
        raise WrongUse("--workers are this machine's, --dask means a cluster: give one of them")
    for name, value, most in (
        ("profiles", profiles, 10**8),
        ("days", days, 3_650),
        ("replications", replications, 10**4),
    ):
        if value is not None and not 1 <= value <= most:
            raise WrongUse(f"--{name} must be between 1 and {most}, not {value}")
    if seed is not None and not 0 <= seed < 1 << 63:
        raise WrongUse(f"--seed must be between 0 and {(1 << 63) - 1}, not {seed}")
    if workers is not None and not 1 <= workers <= 256:
        raise WrongUse(f"--workers must be between 1 and 256, not {workers}")


def _check_target(option: str, path: Path) -> None:
    """Refuses what a file cannot be written to, before hours are spent on what would be in it."""
    folder = path.resolve().parent
    if not folder.is_dir():
        raise WrongUse(f"--{option} {path}: there is no folder {folder}")
    if path.exists() and not path.is_file():
        raise WrongUse(f"--{option} {path}: is {'a folder' if path.is_dir() else 'no regular file'}")
    try:
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise WrongUse(f"--{option} {path}: nothing can be written into {folder} ({error.strerror})") from None


def _is_written(option: str, write: Callable[[], None]) -> bool:
    """Writes; where that fails, one line says why: the figures are told by then, and the other file may be written."""
    try:
        write()
    except OSError as error:
        explain("simulate", Failure(f"--{option}: {error.strerror or error}"))
        return False
    return True


def _policies(file: "ExperimentFile", policy: Path | None, others: list[Path]) -> "dict[str, Policy]":
    from adapters.policy_files import load_policy

    paths = [policy, *others] if policy is not None else [*file.policies, *others]
    if not paths:
        raise WrongUse("the experiment names no policies: --policy says which, --vs what to compare it with")
    found: dict[str, Policy] = {}
    for path in paths:
        loaded = load_policy(path)
        name = loaded.name if loaded.name not in found else f"{loaded.name} ({path})"
        if name in found:
            raise WrongUse(f"{path} stands twice among the policies")
        found[name] = loaded
        first = next(iter(found.values()))
        if loaded.currency != first.currency:
            raise WrongUse(f"{paths[0]} is in {first.currency}, {path} in {loaded.currency}")
        if loaded.zone.name != first.zone.name:
            raise WrongUse(f"{paths[0]} is in the time zone {first.zone.name}, {path} in {loaded.zone.name}")
    return found


def _outcome(asked: "Experiment", workers: int | None, dask: str | None) -> "Outcome":
    import os

    count = workers if workers is not None else len(os.sched_getaffinity(0))
    with _cluster(dask) as executor, bar("simulating") as progress:
        return asked.run(count, executor=executor, progress=progress, stopping=_stopping)


def _stopping(finished: int) -> None:
    kept = f"{finished} finished replications are kept" if finished else "no replication is finished yet"
    print(f"stopping: {kept}; what is under way ends first", file=sys.stderr, flush=True)


def _tell(asked: "Experiment", outcome: "Outcome") -> int:
    from adapters.simulation_words import told

    for line in told(asked, outcome):
        print(line)
    if outcome.interrupted:
        print(f"interrupted: {outcome.replications} replications were finished", file=sys.stderr)
    return INTERRUPTED if outcome.interrupted else FINE


@contextmanager
def _cluster(address: str | None) -> Iterator[Executor | None]:
    """The cluster at an address; None where this machine does."""
    if address is None:
        yield None
        return
    try:
        from distributed import Client
    except ImportError:
        raise WrongUse("--dask needs the package distributed: pip install 'dms[dask]'") from None
    try:
        client = Client(address, timeout="10s")  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise WrongUse(f"--dask {address}: no scheduler answers there ({error})") from None
    with client:
        yield client.get_executor(pure=False, retries=2)  # type: ignore[no-untyped-call]
