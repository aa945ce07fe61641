"""`dms search`: from the [search] of an experiment file to a policy that is written down, or to a plain no."""

import re
from pathlib import Path

import pytest

from adapters.cli import FAILED, FINE, WRONG_USE
from adapters.experiment_file import EXPERIMENTS, load_experiment
from adapters.policy_files import load_policy
from adapters.search_candidates import Candidates
from adapters.search_words import best_so_far
from adapters.settings import PACKAGED_POLICY
from adapters.toml_edits import DROPPED
from sim.comparison import Interval
from sim.search import SearchPlan, Trial
from tests.adapters.command_line import Run, commands_in, is_one_line


@pytest.fixture
def dms(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    return commands_in(tmp_path, capfd, monkeypatch)


def experiment(search: str, name: str = "small.toml") -> Path:
    """A small telecom operator with another [search]."""
    text = (EXPERIMENTS / "telecom.toml").read_text()
    text = re.sub(r"# What dms search may change.*?(?=\[\[group\]\])", search + "\n", text, count=1, flags=re.DOTALL)
    for key, value in (("days", 75), ("accounts", 200), ("branch_accounts", 200)):
        text = re.sub(rf"(?m)^{key} = [0-9_]+", f"{key} = {value}", text, count=1)
    text = text.replace('policies = ["../policies/telecom"]', f'policies = ["{PACKAGED_POLICY}"]')
    path = Path(name)
    path.write_text(text)
    return path


NOTICE = "plans.internet.measure.notice-of-block"
WITHOUT_NOTICE = f"""\
[[search.vary]]
policy = "{NOTICE}"
drop = true
"""
EARLIER = f"""\
[search]
trials = 2
replications = 2
confirm = 4
figure = "collected"
[[search.vary]]
policy = "plans.internet.measure.block-internet.day"
values = [2, 3]
{WITHOUT_NOTICE}
[[search.limit]]
figure = "breaches"
most = 0
"""


def test_what_ships_can_be_searched() -> None:
    """Each of its parameters has a place, and what holds today is among its values."""
    file = load_experiment(Path("telecom"))
    assert file.search is not None
    plan = Candidates(file, file.search, file.policies[0]).plan()
    assert all(each.now in each.values for each in plan.parameters)
    assert plan.limits


def test_a_better_policy_is_written_with_its_authors_comments(dms: Run) -> None:
    """Two sets of values, of which one surely makes the figure grow: more are blocked on the second day."""
    late = Path("late")
    late.mkdir()
    text = (PACKAGED_POLICY / "policy.toml").read_text()
    for now, later in (("day = 2\n", "day = 12\n"), ("day = 3\n", "day = 12\n"), ("day = 10\n", "day = 12\n")):
        text = text.replace(now, later, 1)
    (late / "policy.toml").write_text(text)
    (late / "managers.toml").write_text((PACKAGED_POLICY / "managers.toml").read_text())
    asked = EARLIER.replace("[2, 3]", "[2, 12]").replace(WITHOUT_NOTICE, "").replace('"collected"', '"restrictions"')
    ran = dms("search", str(experiment(asked)), "--policy", "late", "--out", "found", "--workers", "1", "--seed", "3")
    assert (ran.status, ran.err) == (FINE, ""), ran.out
    assert "on a branch of 200 accounts" in ran.out
    assert "confirmed." in ran.out
    found = load_policy(Path("found"))
    measures = {each.name: each for each in found.plans["internet"].measures}
    assert measures["block-internet"].day == 2
    assert found.version == 2
    assert "# How the operator works its receivables" in Path("found/policy.toml").read_text()
    assert Path("found/managers.toml").exists()


def test_the_best_so_far_is_told_in_roubles() -> None:
    """As the result will be, whatever the minor unit; without a trial that keeps the limits there is nothing to say."""
    plan = SearchPlan(parameters=())
    assert best_so_far(plan, Trial(values={}, gain=Interval(108_000_000, 1)), 100) == "net_value +1,080,000"
    assert best_so_far(plan, None, 100) == ""


CALLERS = f"""\
[search]
[[search.vary]]
experiment = "crew.callers.people"
from = 1
to = 6
{WITHOUT_NOTICE}
"""


def test_capacity_is_written_beside_the_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its comments, and paths that lead where they led. A policy that stays as it is keeps its version."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old").mkdir()
    path = experiment(CALLERS, "old/small.toml")
    (tmp_path / "old" / "extra.toml").write_text('bins = [1]\n[[type]]\nname = "alike"\nshare = 1\nrates = [0.1]\n')
    extra = '[behaviour.extra]\nfile = "extra.toml"\n'
    path.write_text(path.read_text().replace(f'"{PACKAGED_POLICY}"', '"policy"') + extra)
    (tmp_path / "old" / "policy").symlink_to(PACKAGED_POLICY)
    file = load_experiment(path)
    assert file.search is not None
    candidates = Candidates(file, file.search, PACKAGED_POLICY)
    kept = {each.name: each.now for each in candidates.plan().parameters}
    written = candidates.write({**kept, "crew.callers.people": 6}, Path("new/found"))
    assert written[-1] == Path("new/found.experiment.toml")
    assert written[-1].read_text().splitlines()[0] == path.read_text().splitlines()[0]
    found = load_experiment(written[-1])
    assert {crew.name: crew.people for crew in found.scenario.crews}["callers"] == 6
    assert found.policies[0].samefile(PACKAGED_POLICY)
    assert load_policy(Path("new/found")).version == load_policy(PACKAGED_POLICY).version
    assert Path("new/found/policy.toml").read_text() == (PACKAGED_POLICY / "policy.toml").read_text()


def test_what_stays_as_it_is_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where only the policy is better, no experiment is."""
    monkeypatch.chdir(tmp_path)
    file = load_experiment(experiment(CALLERS))
    assert file.search is not None
    candidates = Candidates(file, file.search, PACKAGED_POLICY)
    values = {each.name: each.now for each in candidates.plan().parameters} | {NOTICE: DROPPED}
    assert {each.parent for each in candidates.write(values, Path("found"))} == {Path("found")}
    assert load_policy(Path("found")).version == load_policy(PACKAGED_POLICY).version + 1


def test_an_experiment_is_not_written_over(dms: Run) -> None:
    Path("found.experiment.toml").touch()
    ran = dms("search", str(experiment(CALLERS)), "--out", "found")
    assert ran.status == WRONG_USE
    assert "found.experiment.toml is there already" in ran.err


def test_where_nothing_is_better_nothing_is_written(dms: Run) -> None:
    asked = EARLIER.replace("most = 0", 'most = 0\n[[search.limit]]\nfigure = "collected"\nleast_of_base = 2.0')
    ran = dms("search", str(experiment(asked)), "--out", "found", "--workers", "1")
    assert (ran.status, ran.err) == (FAILED, "")
    assert "None keeps every limit." in ran.out
    assert not Path("found").exists()


@pytest.mark.parametrize(
    ("search", "said"),
    [
        ("[search]", "vary is missing"),
        (EARLIER.replace("block-internet.day", "block-tv.day"), "there is no plans.internet.measure.block-tv.day"),
        (EARLIER.replace("values = [2, 3]", "values = [2]"), "2 to 1000 values"),
        (EARLIER.replace("values = [2, 3]", "values = [2, 2]"), "no two alike"),
        (EARLIER.replace("values = [2, 3]", "values = [-2, -3]"), "at least 0"),
        (EARLIER.replace("values = [2, 3]", "from = 3\nto = 2"), "2 to 1000 values"),
        (EARLIER.replace("values = [2, 3]", "from = 3"), "one of them"),
        (EARLIER.replace("values = [2, 3]", "values = [2, 3]\ndrop = true"), "one of them"),
        (EARLIER.replace("values = [2, 3]", "values = [2, 3]\nmonthly = 5"), "monthly"),
        (EARLIER.replace("drop = true", "drop = false"), "drop is true"),
        (EARLIER.replace('policy = "plans.internet.measure.block-internet.day"\n', ""), "policy or experiment"),
        (EARLIER.replace("notice-of-block", "block-internet.day").replace("drop = true", "values=[1, 2]"), "same"),
        (EARLIER.replace('"collected"', '"colected"'), "did you mean collected?"),
        (EARLIER.replace("most = 0", "most = 0\nleast = 0"), "one of them"),
        (EARLIER.replace("trials = 2", "trial = 2"), "unknown key"),
    ],
)  # fmt: skip
def test_a_wrong_search_is_refused_with_its_line(dms: Run, search: str, said: str) -> None:
    ran = dms("search", str(experiment(search)), "--workers", "1")
    assert ran.status == WRONG_USE
    assert said in ran.err
    assert re.search(r"small\.toml:\d+: ", ran.err)
    assert ran.out == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("agency",), ("telecom", "--trials", "0"), ("telecom", "--seed", "-1"), ("telecom", "--workers", "999"),
        ("telecom", "--out", "."), ("telecom", "--policy", "nowhere"), ("nowhere.toml",),
        ("telecom", "--days", "20"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_told_in_one_line(dms: Run, arguments: tuple[str, ...]) -> None:
    ran = dms("search", *arguments)
    assert ran.status == WRONG_USE
    assert is_one_line(ran.err), ran.err
