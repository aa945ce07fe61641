"""The command line: exit statuses, errors of one line, an example in every help."""

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.cli import COMMANDS, FAILED, FINE, WRONG_USE
from adapters.settings import PACKAGED_POLICY
from adapters.sqlite_store import SqliteStore
from engine.ports import QuarantinedEvent, Transaction
from tests.adapters.command_line import ACCOUNT, Ran, Run, commands_in, is_one_line

POLICY = str(PACKAGED_POLICY)


@pytest.fixture
def dms(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Commands in this process and in an empty folder."""
    return commands_in(tmp_path, capfd, monkeypatch)


# What is typed first, and what is typed wrong.


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_help_lists_every_command(arguments: list[str], dms: Run) -> None:
    """With what it does, and an example."""
    ran = dms(*arguments)
    assert (ran.status, ran.err) == (FINE, "")
    for name, command in COMMANDS.items():
        assert f"  {name} " in ran.out
        assert command.does in ran.out
    assert "Example:\n  dms " in ran.out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_an_example_in_its_help(name: str, dms: Run) -> None:
    """One that begins with the command itself."""
    ran = dms(*name.split(), "--help")
    assert (ran.status, ran.err) == (FINE, "")
    assert ran.out.startswith(f"Usage: dms {name}")
    assert f"    dms {name}" in ran.out.partition("For example:")[2]


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    """Neither the engine nor the parser: that is how it stays quick."""
    code = (
        "import sys; from adapters.cli import main; main(['--help']);"
        "heavy = {'cyclopts', 'rich', 'msgspec', 'domain', 'engine', 'litestar', 'sqlalchemy', 'holidays'};"
        "print(*sorted(heavy & set(sys.modules)))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        check=True,
    )
    assert ran.stdout.splitlines()[-1] == ""


def test_the_version_is_told(dms: Run) -> None:
    """As the package says it."""
    assert dms("--version").out.startswith("dms 0.")


@pytest.mark.parametrize("group", ["policy", "config", "store"])
def test_a_group_lists_its_commands(group: str, dms: Run) -> None:
    """With and without asking for help."""
    for arguments in ([group], [group, "--help"]):
        ran = dms(*arguments)
        assert ran.status == FINE
        assert [line.split()[:2] for line in ran.out.splitlines() if line.startswith("  ")] == [
            name.split() for name in COMMANDS if name.startswith(f"{group} ")
        ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rum"], "dms: no command 'rum' (did you mean dms run?)"),
        (["polcy"], "dms: no command 'polcy' (did you mean dms policy?)"),
        (["policy", "chekc"], "dms: no command 'policy chekc' (did you mean dms policy check?)"),
        (["xyzzy"], "dms: no command 'xyzzy' (dms --help lists the commands)"),
        (["imagine", "x.toml"], "dms: no command 'imagine'"),
        (["replay", "--polcy", "x"], "dms replay: Unknown option: --polcy. Did you mean --policy? (dms replay --help)"),
        (["replay"], "dms replay: Parameter --policy requires an argument (dms replay --help)"),
        (["replay", "--policy", "p", "-x"], "dms replay: Unknown option: -x (dms replay --help)"),
        (["run", "--workers", "two"], 'dms run: Invalid value for --workers: unable to convert "two" into int'),
        (["run", "--workers", "0"], "dms run: --workers: workers must be between 1 and 256, not 0"),
        (["profile"], "dms profile: "),
        (["policy", "check", "a", "b"], "dms policy check: "),
        (["demo", "--days", "0"], "dms demo: --days must be between 1 and 3650, not 0"),
        (["demo", "--http", "nowhere"], "dms demo: --http: http must be HOST:PORT"),
    ],
)
def test_wrong_use_is_one_line_and_status_2(arguments: list[str], said: str, dms: Run) -> None:
    """That says what to do."""
    ran = dms(*arguments)
    assert (ran.status, ran.out) == (WRONG_USE, "")
    assert is_one_line(ran.err)
    assert ran.err.startswith(said)


def test_a_fault_of_the_program_is_one_line_and_a_traceback_on_demand(
    dms: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Status 1; ``--debug`` may stand anywhere."""

    def broken(*_: object) -> int:
        raise ZeroDivisionError("a\nb")

    monkeypatch.setattr("adapters.cli_policy.check", broken)
    ran = dms("policy", "check", "x")
    assert ran.status == FAILED
    assert ran.err == ("dms policy check: ZeroDivisionError: a b (a fault of this program: --debug shows where)\n")
    for arguments in (["--debug", "policy", "check", "x"], ["policy", "check", "x", "--debug"]):
        assert "Traceback (most recent call last):" in dms(*arguments).err


# dms import, dms policy


def test_a_payment_history_becomes_events_that_can_be_replayed(dms: Run) -> None:
    """A round through both commands."""
    Path("history.csv").write_text(
        "customer,number,sum,issued,due,settled\nC-1,1,100.50,2026-01-01,2026-01-31,2026-02-10\n"
    )
    columns = (
        "customer=subject",
        "number=invoice_id",
        "sum=amount",
        "issued=issued_on",
        "due=due_on",
        "settled=settled_on",
    )
    mapped = [word for column in columns for word in ("--map", column)]
    ran = dms("import", "history.csv", *mapped, "--amount-unit", "major", "--out", "events.jsonl")
    assert (ran.status, ran.out) == (FINE, "")
    assert ran.err == "1 of 1 rows became 3 events\n"
    replayed = dms("replay", "--policy", POLICY, "events.jsonl")
    assert replayed.status == FINE
    assert '"type":"dms.segment.changed.v1"' in replayed.out


def test_rows_that_cannot_be_used_are_named_and_left_out(dms: Run) -> None:
    """Status 2, and the others are there."""
    Path("history.csv").write_text("c,n,s,i\nC-1,1,100,2026-01-01\nC-1,2,much,2026-01-01\n")
    ran = dms("import", "history.csv", "--map", "c=subject", "n=invoice_id", "s=amount", "i=issued_on")
    assert ran.status == WRONG_USE
    assert ran.out.count("\n") == 2
    assert ran.err.splitlines()[0].startswith("history.csv:3: ")
    assert ran.err.splitlines()[-1] == "1 of 2 rows became 2 events"


@pytest.mark.parametrize(
    "arguments", [["none.csv", "--map", "a=subject"], ["history.csv", "--map", "a=nothing"], ["history.csv"]]
)
def test_an_import_that_cannot_begin(arguments: list[str], dms: Run) -> None:
    """One line, status 2."""
    Path("history.csv").write_text("a,b\n1,2\n")
    ran = dms("import", *arguments)
    assert (ran.status, ran.out) == (WRONG_USE, "")
    assert is_one_line(ran.err)


def test_a_policy_is_checked(dms: Run) -> None:
    """0 and a summary, or 2 and every fault with its place."""
    ran = dms("policy", "check", POLICY)
    assert (ran.status, ran.err) == (FINE, "")
    assert ran.out.startswith("telecom, version 1: Europe/Moscow")
    Path("policy.toml").write_text('[policy]\nname = "x"\n')
    ran = dms("policy", "check", "policy.toml")
    assert (ran.status, ran.out) == (WRONG_USE, "")
    assert all(line.startswith("policy.toml:") for line in ran.err.splitlines())


def test_policies_are_compared(dms: Run) -> None:
    """A sentence for each change; none for none."""
    assert dms("policy", "diff", POLICY, POLICY) == Ran(FINE, "", "")
    ran = dms("policy", "diff", POLICY, str(PACKAGED_POLICY.parent / "soft"))
    assert ran.status == FINE
    assert "policy: now soft version 1, was telecom version 1" in ran.out


# Settings reach the commands


@pytest.mark.parametrize("command", [["run"], ["profile", "ACC-1"], ["store", "verify"], ["store", "migrate"]])
def test_settings_that_cannot_be_used_are_told_with_their_place(command: list[str], dms: Run) -> None:
    """By every command that has any; each fault on a line."""
    Path("dms.toml").write_text('broker = "kafka://mq"\nshads = 1\n')
    ran = dms(*command, "--config", "dms.toml")
    assert (ran.status, ran.out) == (WRONG_USE, "")
    told = [line.removeprefix(f"dms {' '.join(command[:2] if command[0] == 'store' else command[:1])}: ")
            for line in ran.err.splitlines()]  # fmt: skip
    assert told[0].startswith('dms.toml:2: unknown setting "shads" (did you mean shards?)')
    assert told[1].startswith("dms.toml:1: broker cannot be kafka://: it is not in this release")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(
    content=st.one_of(st.binary(max_size=80), st.sampled_from([b'store = "sqlite:///x/y.db"', b'policy = "\\u0000"']))
)
def test_whatever_the_settings_hold_no_command_ends_in_a_traceback(content: bytes, dms: Run) -> None:
    """Lines that can be read, and a status that says whose fault it is."""
    Path("dms.toml").write_bytes(content)
    ran = dms("store", "verify", "--config", "dms.toml")
    assert (ran.status in (FAILED, WRONG_USE), ran.out) == (True, "")
    assert all(line.isprintable() for line in ran.err.split("\n"))
    assert "a fault of this program" not in ran.err


@pytest.mark.parametrize("command", [["profile", "ACC-1"], ["store", "verify"]])
def test_a_store_that_is_not_there_is_told(command: list[str], dms: Run) -> None:
    """Who only looks makes none."""
    ran = dms(*command)
    assert (ran.status, ran.out) == (FAILED, "")
    assert is_one_line(ran.err)
    assert "dms.db: no such store" in ran.err
    assert not Path("dms.db").exists()


def test_a_debt_in_quarantine_is_shown_with_what_waits_and_why(dms: Run) -> None:
    """Also one whose very first event could not be worked."""
    body = json.dumps(ACCOUNT).encode()
    with closing(SqliteStore(Path("dms.db"))) as store:
        store.claim(range(store.shards))
        store.commit(
            Transaction(quarantined=[QuarantinedEvent("ACC-1", 1, 1_767_250_800_000_000, body, "KeyError: x")])
        )
    ran = dms("profile", "ACC-1")
    assert (ran.status, ran.err) == (FINE, "")
    assert ran.out.splitlines()[0] == "ACC-1 is in quarantine until somebody releases it"
    assert ran.out.splitlines()[2].split() == [
        "2026-01-01", "10:00", "dms.account.updated.v1", "1", "KeyError:", "x"
    ]  # fmt: skip
