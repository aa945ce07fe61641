"""Experiments: policies on the same debtors with the same luck, whoever does the work."""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from distributed import Client, LocalCluster
from polars.testing import assert_frame_equal

from adapters.policy_files import load_policy
from sim import Experiment, StoppingRule
from sim.results import COLUMNS, KEYS, Results
from tests.sim.laboratory import POLICIES, policy_of, shipped, telecom

WORLD = shipped("telecom", 600, 75, branch_accounts=200)


def test_a_policy_does_not_differ_from_itself() -> None:
    """The same policy under two names: every figure of every replication is the same."""
    experiment = Experiment(WORLD, {"one": telecom(), "other": telecom()}, replications=2)
    months = experiment.run().results.months
    rows = months.group_by("policy", "replication", *KEYS[2:]).agg(pl.sum(*COLUMNS)).sort(*KEYS)
    one, other = (rows.filter(pl.col("policy") == name).drop("policy") for name in ("one", "other"))
    assert_frame_equal(one, other)
    assert one["collected"].sum() > 0


def test_results_do_not_depend_on_who_works(tmp_path: Path) -> None:
    """One process, two or three, or somebody else's executor: the same bytes."""
    policies = {"telecom": telecom(), "fz230": load_policy(POLICIES / "fz230")}
    experiment = Experiment(WORLD, policies, replications=2, seed=7)
    alone = experiment.run()
    with ThreadPoolExecutor(2) as executor:
        elsewhere = experiment.run(executor=executor)
    expected = _files(alone.results, tmp_path / "alone")
    assert set(expected) == {"r.parquet", "r.measures.parquet", "r.days.parquet"}
    for number, other in enumerate((experiment.run(2), experiment.run(3), elsewhere)):
        assert _files(other.results, tmp_path / str(number)) == expected


def _files(results: Results, folder: Path) -> dict[str, bytes]:
    folder.mkdir()
    results.write(folder / "r.parquet")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_segments_are_the_first_policy_s() -> None:
    """Another policy draws other segments of other names: its accounts are told by those of the first."""
    policies = {"telecom": telecom(), "fz230": load_policy(POLICIES / "fz230")}
    outcome = Experiment(WORLD, policies, replications=2).run()
    months = outcome.results.months
    one, other = (set(months.filter(pl.col("policy") == name)["segment"]) for name in policies)
    assert one == other
    assert set(outcome.differences("collected", by=["segment"])["segment"]) == one


def test_a_horizon_of_warm_up_alone_is_refused() -> None:
    """There would be nothing to compare."""
    with pytest.raises(ValueError, match="leave no month to judge"):
        Experiment(replace(WORLD, warm_up_months=3), {"telecom": telecom()})


def test_another_seed_is_another_world() -> None:
    """Seeds differ."""
    first, second = (
        Experiment(WORLD, {"telecom": telecom()}, replications=1, seed=seed).run().results.months for seed in (1, 2)
    )
    assert first["collected"].sum() != second["collected"].sum()


def test_no_more_replications_than_needed() -> None:
    """A rule that is content at once ends an experiment at its least number of replications."""
    stop = StoppingRule(figure="collected", within=10.0, replications_min=3)
    policies = {"one": telecom(), "other": telecom()}
    assert Experiment(WORLD, policies, replications=9, stop=stop).run().replications == 3


def test_what_is_not_known_yet_does_not_suffice() -> None:
    """Nothing is old enough to roll on, so that the figure is undefined: all replications are made, and kept."""
    stop = StoppingRule(figure="roll_3_4", within=10.0, replications_min=2)
    policies = {"one": telecom(), "other": telecom()}
    assert Experiment(WORLD, policies, replications=3, stop=stop).run().replications == 3


def test_what_one_policy_lacks_does_not_suffice() -> None:
    """A policy that does nothing has no promises to compare: no reason to stop."""
    stop = StoppingRule(figure="promises_kept_share", within=10.0, replications_min=2)
    nothing = policy_of(name="nothing")
    policies = {"telecom": telecom(), "nothing": replace(nothing, terms=telecom().terms)}
    outcome = Experiment(WORLD, policies, replications=3, stop=stop).run()
    assert outcome.mean("promises_kept_share", "telecom").mean > 0
    assert outcome.replications == 3


def test_interrupted_work_is_kept() -> None:
    """Ctrl-C in the second replication leaves the first."""

    def interrupt(done: int, total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    told: list[int] = []
    outcome = Experiment(WORLD, {"telecom": telecom()}, replications=5).run(progress=interrupt, stopping=told.append)
    assert outcome.interrupted
    assert outcome.replications == 1
    assert told == [1]


def test_nothing_finished_is_nothing_kept() -> None:
    """Ctrl-C in the first replication is Ctrl-C."""

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Experiment(WORLD, {"telecom": telecom()}, replications=5).run(progress=interrupt)


def test_what_nobody_waits_for_is_not_begun() -> None:
    """Who interrupts, on an executor that stays, leaves no queue of units there."""
    begun = []

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    class Watched(ThreadPoolExecutor):
        def submit(self, *asked: Any, **more: Any) -> Future[Any]:
            begun.append(super().submit(*asked, **more))
            return begun[-1]

    with Watched(1) as executor, pytest.raises(KeyboardInterrupt):
        Experiment(WORLD, {"telecom": telecom()}, replications=5).run(executor=executor, progress=interrupt)
    assert any(each.cancelled() for each in begun)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the cluster's own, of its clean-up
def test_a_dask_cluster_finds_the_same(tmp_path: Path) -> None:
    """Two processes of a Dask cluster, reached by its address: the same bytes."""
    experiment = Experiment(WORLD, {"telecom": telecom()}, replications=2, seed=7)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,  # type: ignore[no-untyped-call]
        Client(cluster.scheduler_address) as client,  # type: ignore[no-untyped-call]
    ):
        elsewhere = experiment.run(executor=client.get_executor(pure=False))
    assert _files(elsewhere.results, tmp_path / "dask") == _files(experiment.run().results, tmp_path / "alone")
