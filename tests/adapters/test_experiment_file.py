"""Experiment files: what ships is sound, and what is wrong is refused with its line."""

from pathlib import Path

import pytest

from adapters.experiment_file import EXPERIMENTS, load_experiment
from adapters.faults import PolicyError
from adapters.policy_files import load_policy
from domain.calendar import MINUTE, SECOND

SMALLEST = """\
[experiment]
name = "small"
start = 2026-01-01
days = 30
accounts = 100

[[group]]
name = "persons"
share = 1
party = "person"
behaviour = "theirs"
charge = 1000

[behaviour.theirs]
bins = [-10, 1]

[[behaviour.theirs.type]]
name = "alike"
share = 1
rates = [0.1, 0.2]
"""


@pytest.mark.parametrize("name", sorted(path.stem for path in EXPERIMENTS.glob("*.toml")))
def test_what_ships_is_sound(name: str) -> None:
    """Each experiment loads, names its source, and finds its policies."""
    file = load_experiment(Path(name))
    assert file.scenario.source
    assert file.policies
    for policy in file.policies:
        assert load_policy(policy).name
    for group in file.scenario.groups:
        assert group.behaviour in file.scenario.behaviours


def test_the_smallest_file(tmp_path: Path) -> None:
    """What is left out has its default."""
    path = tmp_path / "small.toml"
    path.write_text(SMALLEST, encoding="utf-8")
    file = load_experiment(path)
    assert file.scenario.groups[0].issue_days == (1,)
    assert file.scenario.behaviours["theirs"].types[0].rates == (0.1, 0.2)
    assert file.stop is None
    assert file.replications == 8


def test_units_of_time() -> None:
    """Durations are microseconds within."""
    gateway = load_experiment(Path("telecom")).scenario.gateways["network"]
    assert (gateway.fastest, gateway.slowest) == (15 * SECOND, 7 * MINUTE)


@pytest.mark.parametrize(
    ("was", "is_", "line", "said"),
    [
        ("days = 30", "days = 0", 4, "days must be at least 1"),
        ("days = 30", "days = 30\nwarm_up_months = 1", 4, "30 days from 2026-01-01 leave no month to judge"),
        ("start = 2026-01-01", "start = 9999-12-03", 4, "30 days from 9999-12-03 end after 9999-12-31"),
        ("accounts = 100", 'accounts = "100"', 5, "accounts must be an integer"),
        ("start = 2026-01-01", 'start = "soon"', 3, "start must be a date"),
        ('party = "person"', 'party = "persona"', 10, "party must be one of organisation, person"),
        ('behaviour = "theirs"', 'behaviour = "ours"', 11, "there is no sound [behaviour.ours]"),
        ("charge = 1000", "charges = 1000", 12, 'unknown key "charges" (did you mean charge?)'),
        ("bins = [-10, 1]", "bins = [1, -10]", 15, "each greater than the one before"),
        ("rates = [0.1, 0.2]", "rates = [0.1]", 20, "rates must hold 2 numbers, not 1"),
        ("rates = [0.1, 0.2]", "rates = [0.1, -1]", 20, "rates must hold numbers between 0 and 50"),
        ("charge = 1000", "issue_days = [31]", 12, "issue_days must hold numbers between 1 and 28"),
        ("[behaviour.theirs]", "[dialler]\nlines = -1\n[behaviour.theirs]", 15, "lines must be at least 0"),
        ("[behaviour.theirs]", '[[crew]]\nname = "x"\npeople = 1\nworks = ["sing"]\n[behaviour.theirs]', 17, "works"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(was: str, is_: str, line: int, said: str, tmp_path: Path) -> None:
    """File, line, reason."""
    path = tmp_path / "small.toml"
    path.write_text(SMALLEST.replace(was, is_, 1), encoding="utf-8")
    with pytest.raises(PolicyError) as caught:
        load_experiment(path)
    assert any(fault.line == line and said in str(fault) for fault in caught.value.faults), str(caught.value)


def test_all_faults_at_once(tmp_path: Path) -> None:
    """One reading finds everything."""
    path = tmp_path / "small.toml"
    path.write_text(SMALLEST.replace("days = 30", "days = 0").replace("share = 1", "share = -1"), encoding="utf-8")
    with pytest.raises(PolicyError) as caught:
        load_experiment(path)
    assert len(caught.value.faults) >= 2
