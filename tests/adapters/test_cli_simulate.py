"""`dms simulate`: from an experiment file to figures on the terminal and tables in Parquet."""

from dataclasses import replace
from pathlib import Path

import pytest

from adapters.cli import FINE, WRONG_USE
from sim.results import Results
from tests.adapters.command_line import Run, commands_in, is_one_line
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


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.toml"], "nowhere.toml:1: no such file"),
        (["telecom", "--workers", "2", "--dask", "tcp://127.0.0.1:1"], "give one of them"),
        (["telecom", "--replications", "0"], "--replications must be between 1 and 10000"),
        (["telecom", "--seed", "-1"], "--seed must be between"),
        (["telecom", "--from-store", "sqlite:///x.db", "--profiles", "10"], "give one of them"),
        (["telecom", "--results", "nowhere/r.parquet"], "there is no folder"),
        (["telecom", "--policy", str(POLICIES / "soft"), "--vs", "nowhere"], "no such file"),
    ],
)
def test_wrong_use(arguments: list[str], said: str, dms: Run) -> None:
    """One line that says what to do."""
    ran = dms("simulate", *arguments)
    assert (ran.status, ran.out) == (WRONG_USE, "")
    assert is_one_line(ran.err)
    assert said in ran.err
