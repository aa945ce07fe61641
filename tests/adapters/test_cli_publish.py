"""`dms policy publish` and `dms config`, as they are typed: over a folder, and over ZooKeeper."""

import os
import signal
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from adapters.cli import FAILED, FINE, WRONG_USE
from tests.adapters.command_line import Run, commands_in, is_one_line
from tests.adapters.policy_texts import MINIMAL
from tests.adapters.run_process import DMS, environment
from tests.contracts.coordination_contract import eventually
from tests.services.zookeeper import ZooKeeperServer, need_zookeeper

ROOTS = count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZooKeeperServer]:
    need_zookeeper()
    server = ZooKeeperServer(tmp_path_factory.mktemp("zookeeper"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(params=["local", pytest.param("zookeeper", marks=pytest.mark.services)])
def dms(
    request: pytest.FixtureRequest,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Run:
    """Commands in an empty folder, with settings that name where things are published."""
    run = commands_in(tmp_path, capfd, monkeypatch)
    if request.param == "zookeeper":
        host = request.getfixturevalue("server").host
        Path("secret").write_text("hunter2\n")
        monkeypatch.setenv("DMS_COORDINATION", f"zookeeper://dms@{host}/cli/{next(ROOTS)}")
        monkeypatch.setenv("DMS_COORDINATION_PASSWORD_FILE", "secret")
    monkeypatch.setenv("DMS_POLICY", f"{request.param}:")
    return run


def write(version: int, minimum: int = 1) -> None:
    text = MINIMAL.replace("version = 1", f"version = {version}") + f"[entry]\nmin_overdue = {minimum}\n"
    Path("policy.toml").write_text(text)


def test_a_policy_is_published_listed_and_taken_back(dms: Run) -> None:
    """Each step says what it changes."""
    write(1)
    ran = dms("policy", "publish", "policy.toml", "--note", "to begin with")
    assert (ran.status, ran.out) == (FINE, "the first to be published: minimal version 1\n")
    assert ran.err == "published as issue 1: minimal version 1\n"
    write(2, 500)
    ran = dms("policy", "publish", "policy.toml", "--dry-run")
    assert (ran.status, ran.err) == (FINE, "")
    assert "least overdue that opens a run now 500, was 1" in ran.out
    assert dms("policy", "publish", "policy.toml").status == FINE
    ran = dms("policy", "rollback", "1", "--note", "too many")
    assert ran.err == "published as issue 3: minimal version 3\n"
    lines = dms("policy", "history").out.splitlines()
    assert [line[:6] for line in lines] == ["*    3", "     2", "     1"]
    assert lines[0].endswith("issue 1 again: too many")
    assert lines[2].endswith("to begin with")
    assert "minimal version 1" in lines[2]


def test_what_may_not_be_published_is_told_in_a_line(dms: Run) -> None:
    """Nothing is published, and the status says so."""
    write(1)
    dms("policy", "publish", "policy.toml")
    ran = dms("policy", "publish", "policy.toml")
    assert (ran.status, ran.out, ran.err) == (FINE, "", "it says what holds already: nothing is published\n")
    write(1, 500)
    ran = dms("policy", "publish", "policy.toml")
    assert (ran.status, ran.out) == (WRONG_USE, "")
    assert ran.err == (
        "dms policy publish: policy.toml: version 1 was published as issue 1, and says something else "
        "(raise [policy] version to 2)\n"
    )
    Path("policy.toml").write_text("[policy]\n")
    ran = dms("policy", "publish", "policy.toml")
    assert ran.status == WRONG_USE
    assert ran.err.startswith("dms policy publish: policy.toml:1: ")
    ran = dms("policy", "rollback", "7")
    assert (ran.status, is_one_line(ran.err)) == (WRONG_USE, True)
    assert len(dms("policy", "history").out.splitlines()) == 1


def test_settings_are_set_shown_listed_and_taken_back(dms: Run) -> None:
    """While nodes run."""
    assert dms("config", "get", "log.level").out == "INFO\n"
    assert dms("config", "set", "log.level", "debug", "--note", "looking").err == "published\n"
    assert dms("config", "set", "hold_unknown", "90s").status == FINE
    assert dms("config", "get", "log.level").out == "DEBUG\n"
    assert dms("config", "get").out.splitlines() == [
        "log.level = DEBUG  (published)",
        "out.batch = 1  (each node's own; of these settings)",
        "hold_unknown = 90s  (published)",
        "ids_remembered = 90d  (each node's own; of these settings)",
        "active_max = 200000  (each node's own; of these settings)",
    ]
    assert dms("config", "set", "log.level", "--own").err == "published\n"
    assert dms("config", "set", "log.level", "--own").err == "it is so already: nothing is published\n"
    assert dms("config", "rollback", "1").err == "published\n"
    lines = dms("config", "history").out.splitlines()
    assert ["log.level = DEBUG" in line for line in lines] == [True, False, False, True]
    assert "log.level: each node's own" in lines[1]
    assert lines[3].endswith("looking")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["set", "log.level", "LOUD"], "log.level must be one of"),
        (["set", "store", "x"], "store is read when a node starts: those that can be changed live are log.level"),
        (["set", "log.levle", "DEBUG"], "log.levle is no setting (did you mean log.level?)"),
        (["get", "log.levle"], "log.levle is no setting (did you mean log.level?)"),
        (["set", "log.level"], "give a VALUE, or --own, and not both"),
        (["set", "log.level", "DEBUG", "--own"], "give a VALUE, or --own, and not both"),
        (["rollback", "1"], "there is no issue 1"),
    ],
)
def test_wrong_settings_are_told_in_a_line(arguments: list[str], said: str, dms: Run) -> None:
    """Nothing is published."""
    ran = dms("config", *arguments)
    assert (ran.status, ran.out, is_one_line(ran.err)) == (WRONG_USE, "", True)
    assert ran.err.startswith(f"dms config {arguments[0]}: {said}")
    assert dms("config", "history").err == "nothing was published (dms config set NAME VALUE)\n"


def test_watching_tells_of_each_change(dms: Run, tmp_path: Path) -> None:
    """As it comes, until somebody has seen enough."""
    dms("config", "set", "log.level", "DEBUG")
    given = {name: value for name, value in os.environ.items() if name.startswith("DMS_")}
    with (tmp_path / "watched").open("w") as out:
        watching = subprocess.Popen(
            [*DMS, "config", "watch"], cwd=tmp_path, env={**environment(), **given}, stdout=out, text=True
        )
    try:
        seen = tmp_path / "watched"
        eventually(lambda: seen.read_text().count("\n") == 1)
        dms("config", "set", "out.batch", "50")
        dms("config", "set", "log.level", "--own")
        eventually(lambda: seen.read_text().count("\n") == 3)
    finally:
        watching.send_signal(signal.SIGINT)
        assert watching.wait(20) == 130
    told = [line.split("  ")[1] for line in seen.read_text().splitlines()]
    assert told == ["log.level = DEBUG", "out.batch = 50", "log.level: each node's own"]


@pytest.mark.services
def test_a_zookeeper_that_does_not_answer_is_told_in_a_line(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """After a while; so is one that does not know us."""
    monkeypatch.setattr("adapters.published.CONNECT_SECONDS", 0.5)
    dms = commands_in(tmp_path, capfd, monkeypatch)
    monkeypatch.setenv("DMS_COORDINATION", "zookeeper://127.0.0.1:1/dms")
    for command in (["policy", "history"], ["config", "get"]):
        ran = dms(*command)
        assert (ran.status, ran.out) == (FAILED, "")
        assert ran.err == f"dms {' '.join(command)}: zookeeper://127.0.0.1:1/dms does not answer\n"


@pytest.mark.services
def test_who_is_not_let_in_is_told_so(
    server: ZooKeeperServer, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without the password of whoever published first."""
    dms = commands_in(tmp_path, capfd, monkeypatch)
    monkeypatch.setenv("DMS_COORDINATION", f"zookeeper://dms@{server.host}/cli/{next(ROOTS)}")
    monkeypatch.setenv("DMS_COORDINATION_PASSWORD", "hunter2")
    write(1)
    assert dms("policy", "publish", "policy.toml").status == FINE
    monkeypatch.setenv("DMS_COORDINATION_PASSWORD", "hunter3")
    for command in (["policy", "history"], ["policy", "publish", "policy.toml"]):
        ran = dms(*command)
        assert ran.status == FAILED
        assert ran.err.endswith(" does not let us in (coordination's user and password)\n")
        assert "hunter" not in ran.err


def test_a_debt_is_shown_under_the_policy_that_is_published(dms: Run) -> None:
    assert dms("store", "migrate").status == FINE
    ran = dms("profile", "A")
    assert (ran.status, ran.err) == (FAILED, "dms profile: no policy is published (dms policy publish PATH)\n")
    write(1)
    dms("policy", "publish", "policy.toml")
    ran = dms("profile", "A")
    assert (ran.status, ran.err) == (FAILED, "dms profile: no profile 'A' in dms.db\n")
