"""`dms simulate`: from an experiment file to figures on the terminal and tables in Parquet."""

from dataclasses import replace
from pathlib import Path
from signal import SIGINT, raise_signal
from typing import Any

import polars as pl
import pytest

from adapters.cli import FAILED, FINE, INTERRUPTED, WRONG_USE
from adapters.simulation_words import told
from sim.experiment import Experiment, Outcome, Progress
from sim.results import Results
from tests.adapters.command_line import Run, commands_in, is_one_line
from tests.adapters.outcomes import outcome, promising
from tests.sim.laboratory import shipped, telecom
from tests.sim.recording import worked_by_engine
from tests.sim.test_same_commands import lived

POLICIES = Path(__file__).parents[2] / "adapters" / "policies"


@pytest.fixture
def dms(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    return commands_in(tmp_path, capfd, monkeypatch)


def test_two_policies(dms: Run, tmp_path: Path) -> None:
    """Each figure under the first, what the other changes with its interval, and a verdict; the tables can be read."""
    asked = ("simulate", "telecom", "--vs", str(POLICIES / "fz230"), "--profiles", "300", "--days", "70")
    ran = dms(*asked, "--replications", "2", "--workers", "1", "--seed", "5", "--results", "r.parquet")
    assert (ran.status, ran.err) == (FINE, "")
    assert "a telecom operator: 300 accounts, 70 days, 2 replications, seed 5" in ran.out
    assert "fz230 - telecom" in ran.out
    assert "collected" in ran.out
    assert ran.out.splitlines()[-1].startswith("fz230")
    results = Results.read(tmp_path / "r.parquet")
    assert set(results.months["policy"]) == {"telecom", "fz230"}
    assert results.months["breaches"].sum() == 0
    again = dms(*asked, "--replications", "2", "--workers", "1", "--seed", "5")
    assert again.out == ran.out


def test_base_and_difference_are_of_the_same_replications() -> None:
    """A share that is undefined in some: the pairs are shown, in percentage points, and how many they are."""
    made = promising(outcome(), {("as is", 0): 4, ("as is", 1): 1, ("earlier", 1): 2})
    asked = Experiment(shipped("telecom", 10, 40), dict.fromkeys(made.policies, telecom()))
    line = next(each for each in told(asked, made) if each.startswith("promises kept"))
    assert line.split() == "promises kept 25.00% +25.00 pp (one replication) 1 of 3 replications".split()


def test_report(dms: Run, tmp_path: Path) -> None:
    """One file beside the figures on the terminal, in the language that was asked for; an old one is replaced."""
    (tmp_path / "r.html").write_text("the old one")
    ran = dms(
        "simulate", "telecom", "--vs", str(POLICIES / "fz230"), "--profiles", "100", "--days", "70",
        "--replications", "2", "--workers", "1", "--report", "r.html", "--language", "ru",
    )  # fmt: skip
    assert (ran.status, ran.err) == (FINE, "")
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert '<html lang="ru">' in page
    assert "100 лицевых счетов" in page.replace("\u00a0", " ")
    assert [each.name for each in tmp_path.iterdir()] == ["r.html"]


def test_an_interrupted_run_still_has_its_report(dms: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the second replication leaves a report of the first, which says so."""
    whole = Experiment.run

    def stopped(asked: Experiment, workers: int, **options: Any) -> Outcome:
        return whole(asked, workers, **options | {"progress": _interrupts_after(asked.scenario.branches)})

    monkeypatch.setattr(Experiment, "run", stopped)
    ran = dms(
        "simulate", "telecom", "--profiles", "60", "--days", "70", "--replications", "3", "--workers", "1",
        "--report", "r.html", "--language", "en",
    )  # fmt: skip
    assert ran.status == INTERRUPTED
    assert "The run was interrupted." in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_what_cannot_be_written_loses_nothing_else(dms: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full by the end: the figures are told, the other file is written, a line says what is not."""

    def full(*_: object, **__: object) -> None:
        raise pl.exceptions.ComputeError("No space left on device")

    monkeypatch.setattr(pl.DataFrame, "write_parquet", full)
    ran = dms(
        "simulate", "telecom", "--profiles", "60", "--days", "40", "--replications", "1", "--workers", "1",
        "--results", "r.parquet", "--report", "r.html",
    )  # fmt: skip
    assert ran.status == FAILED
    assert "a telecom operator: 60 accounts" in ran.out
    assert is_one_line(ran.err)
    assert ran.err.startswith("dms simulate: --results: r.measures.parquet: No space left on device")
    assert "fault of this program" not in ran.err
    assert [each.name for each in tmp_path.iterdir()] == ["r.html"]


@pytest.mark.usefixtures("ctrl_c")
def test_a_second_interruption_loses_nothing(dms: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C says at once what is kept; pressed again while that is written, it is nothing."""
    whole, written = Experiment.run, Results.write

    def stopped(asked: Experiment, workers: int, **options: Any) -> Outcome:
        return whole(asked, workers, **options | {"progress": _presses_after(asked.scenario.branches)})

    def pressed(results: Results, path: Path) -> None:
        raise_signal(SIGINT)
        written(results, path)

    monkeypatch.setattr(Experiment, "run", stopped)
    monkeypatch.setattr(Results, "write", pressed)
    ran = dms(
        "simulate", "telecom", "--profiles", "60", "--days", "70", "--replications", "3", "--workers", "1",
        "--results", "r.parquet",
    )  # fmt: skip
    assert ran.status == INTERRUPTED
    assert ran.err.startswith("stopping: 1 finished replications are kept")
    assert Results.read(tmp_path / "r.parquet").months["replication"].n_unique() == 1


def _presses_after(units: int) -> Progress:
    def progress(done: int, _: int) -> None:
        if done > units:
            raise_signal(SIGINT)

    return progress


def _interrupts_after(units: int) -> Progress:
    def progress(done: int, _: int) -> None:
        if done > units:
            raise KeyboardInterrupt

    return progress


def test_a_policy_against_itself(dms: Run) -> None:
    """No difference at all, and it is said so."""
    telecom = str(POLICIES / "telecom")
    ran = dms(
        "simulate", "telecom", "--policy", telecom, "--vs", f"{telecom}/policy.toml",
        "--profiles", "200", "--days", "40", "--replications", "2", "--workers", "1",
    )  # fmt: skip
    assert ran.status == FINE
    assert "no difference" in ran.out


def test_from_a_store(dms: Run, tmp_path: Path) -> None:
    """A laboratory that begins with what the engine has stored: its accounts, on the day after."""
    policy = replace(telecom(), breakers=())
    lines, _, until = lived(shipped("telecom", 40, 60), policy)
    worked_by_engine(lines, policy, tmp_path / "dms.db", until)
    ran = dms(
        "simulate", "telecom", "--from-store", "sqlite:///dms.db", "--days", "40", "--replications", "1",
        "--workers", "1",
    )  # fmt: skip
    assert (ran.status, ran.err) == (FINE, "")
    assert "40 accounts, 40 days" in ran.out


@pytest.mark.parametrize(("was", "other"), [("Europe/Moscow", "Asia/Omsk"), ("RUB", "USD")])
def test_policies_of_different_zones_or_currencies(was: str, other: str, dms: Run, tmp_path: Path) -> None:
    """They cannot be compared, and one line says which is in which."""
    text = (POLICIES / "fz230" / "policy.toml").read_text(encoding="utf-8")
    assert was in text
    (tmp_path / "other.toml").write_text(text.replace(was, other), encoding="utf-8")
    ran = dms("simulate", "telecom", "--policy", str(POLICIES / "fz230"), "--vs", "other.toml")
    assert (ran.status, ran.out) == (WRONG_USE, "")
    assert is_one_line(ran.err)
    assert f"{was}, other.toml in {other}" in ran.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.toml"], "nowhere.toml:1: no such file"),
        (["telecom", "--workers", "2", "--dask", "tcp://127.0.0.1:1"], "give one of them"),
        (["telecom", "--replications", "0"], "--replications must be between 1 and 10000"),
        (["telecom", "--days", "20"], "20 days from 2026-01-01 leave no month to judge"),
        (["telecom", "--seed", "-1"], "--seed must be between"),
        (["telecom", "--from-store", "sqlite:///x.db", "--profiles", "10"], "give one of them"),
        (["telecom", "--results", "nowhere/r.parquet"], "there is no folder"),
        (["telecom", "--report", "nowhere/r.html"], "there is no folder"),
        (["telecom", "--report", "."], "is a folder"),
        (["telecom", "--report", "/dev/null"], "is no regular file"),
        (["telecom", "--results", "/dev/full"], "is no regular file"),
        (["telecom", "--results", "/proc/r.parquet"], "nothing can be written into /proc"),
        (["telecom", "--report", "r.html", "--language", "fr"], "--language must be en or ru"),
        (["telecom", "--language", "ru"], "--report says where to write it"),
        (["telecom", "--policy", str(POLICIES / "soft"), "--vs", "nowhere"], "no such file"),
    ],
)
def test_wrong_use(arguments: list[str], said: str, dms: Run) -> None:
    """One line that says what to do."""
    ran = dms("simulate", *arguments)
    assert (ran.status, ran.out) == (WRONG_USE, "")
    assert is_one_line(ran.err)
    assert said in ran.err
