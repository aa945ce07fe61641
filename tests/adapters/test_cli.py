"""The command line: exit statuses, errors of one line, an example in every help."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.cli import COMMANDS, FAILED, FINE, PIPE_CLOSED, WRONG_USE, main
from adapters.settings import PACKAGED_POLICY

POLICY = str(PACKAGED_POLICY)


class Ran(NamedTuple):
    """What a command did."""

    status: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def dms(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs a command in this process and in an empty folder, without settings of the developer's."""
    for name in os.environ:
        if name.startswith("DMS_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, **environment: str) -> Ran:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        status = main(arguments)
        return Ran(status, *capfd.readouterr())

    return run


def process(*arguments: str, cwd: Path, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    """Runs a command as its user does."""
    return subprocess.run(
        [sys.executable, "-c", "import sys; from adapters.cli import main; sys.exit(main())", *arguments],
        input=stdin,
        capture_output=True,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        timeout=60,
        check=False,
    )


def event(number: int, type: str, at: str, subject: str = "ACC-1", **data: object) -> dict[str, object]:
    """A CloudEvent of billing's."""
    return {
        "specversion": "1.0", "id": str(number), "source": "billing", "type": f"dms.{type}.v1", "subject": subject,
        "time": at, "data": data,
    }  # fmt: skip


ACCOUNT = event(
    1, "account.updated", "2026-01-01T06:00:00Z", projection="account", party="person", currency="RUB",
    attributes={"region": "MSK"},
)  # fmt: skip
INVOICE = event(
    2, "invoice.issued", "2026-01-01T06:00:01Z", invoice_id="I-1", amount=123_450, issued_on="2026-01-01",
    due_on="2026-01-10",
)  # fmt: skip
PAYMENT = event(3, "payment.received", "2026-01-20T06:00:00Z", payment_id="P-1", amount=123_450)


def lines(*events: object) -> str:
    """Events as JSON lines."""
    return "".join(json.dumps(each) + "\n" for each in events)


def is_one_line(text: str) -> bool:
    """Nothing but a line: no traceback, no control characters."""
    return text.endswith("\n") and text[:-1].isprintable() and len(text) > 1


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


@pytest.mark.parametrize("group", ["policy", "store"])
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
        (["simulate", "x.toml"], "dms: no command 'simulate'"),
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


# dms replay


def test_a_replay_writes_what_would_have_left(dms: Run, tmp_path: Path) -> None:
    """In order of time, to standard output or to a file, byte for byte the same."""
    Path("events.jsonl").write_text(lines(ACCOUNT, INVOICE, PAYMENT))
    ran = dms("replay", "--policy", POLICY, "events.jsonl")
    assert (ran.status, ran.err) == (FINE, "")
    events = [json.loads(line) for line in ran.out.splitlines()]
    times = [each["time"] for each in events]
    assert times == sorted(times)
    commands = [each["data"]["measure"] for each in events if each["type"] == "dms.measure.requested.v1"]
    assert commands == ["due-soon", "notice-of-block", "block-internet", "unblock-internet"]
    again = dms("replay", "events.jsonl", "--out", "out.jsonl", "--policy", POLICY)
    assert again == Ran(FINE, "", "")
    assert Path("out.jsonl").read_text() == ran.out


def test_a_replay_stops_where_it_is_told_to(dms: Run) -> None:
    """Up to and including the instant; without it timers fire no later than the last event."""
    Path("events.jsonl").write_text(lines(ACCOUNT, INVOICE))
    assert "measure" not in dms("replay", "--policy", POLICY, "events.jsonl").out
    until = dms("replay", "--policy", POLICY, "--until", "2026-01-11T07:00:00Z", "events.jsonl").out
    assert until.splitlines()[-1].count('"measure":"notice-of-block"') == 1
    before = dms("replay", "--policy", POLICY, "--until", "2026-01-11T06:59:59Z", "events.jsonl").out
    assert "notice-of-block" not in before


def test_without_confirmations_a_command_is_sent_again(dms: Run) -> None:
    """Twice after the first time, then a task is opened."""
    Path("events.jsonl").write_text(lines(ACCOUNT, INVOICE))
    arguments = ("replay", "--policy", POLICY, "--until", "2026-01-13T06:00:00Z", "events.jsonl")
    assert dms(*arguments).out.count('"measure":"block-internet"') == 1
    ran = dms(*arguments, "--no-confirm")
    assert ran.out.count('"type":"dms.measure.requested.v1"') - ran.out.count("due-soon") // 3 >= 3
    assert '"why":"failed"' in ran.out


@pytest.mark.parametrize("arguments", [[], ["-"]])
def test_a_replay_reads_standard_input(arguments: list[str], tmp_path: Path) -> None:
    """Where no file is named, or a hyphen."""
    ran = process("replay", "--policy", POLICY, *arguments, cwd=tmp_path, stdin=lines(ACCOUNT).encode())
    assert (ran.returncode, ran.stderr) == (FINE, b"")
    assert ran.stdout.count(b"\n") == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (lines(ACCOUNT) + "no json\n", "events.jsonl:2: is no event: "),
        (lines({**ACCOUNT, "time": None}), "events.jsonl:1: has no time"),
        (lines(INVOICE, ACCOUNT), "events.jsonl:2: steps back in time: 2026-01-01T06:00:00Z after"),
    ],
)
def test_a_line_that_cannot_be_replayed_is_told_with_its_place(content: str, said: str, dms: Run) -> None:
    """Status 2."""
    Path("events.jsonl").write_text(content)
    ran = dms("replay", "--policy", POLICY, "--out", "out.jsonl", "events.jsonl")
    assert ran.status == WRONG_USE
    assert is_one_line(ran.err)
    assert ran.err.startswith(f"dms replay: {said}")
    assert not Path("out.jsonl").exists()


def test_rejected_events_are_no_failure(dms: Run) -> None:
    """They are in the output."""
    Path("events.jsonl").write_text(lines(event(1, "payment.received", "2026-01-01T06:00:00Z", amount=-1)))
    ran = dms("replay", "--policy", POLICY, "events.jsonl")
    assert ran.status == FINE
    assert '"reason":"invalid"' in ran.out


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--policy", "none", "events.jsonl"], WRONG_USE, "none:1: no such file"),
        (["--policy", POLICY, "none.jsonl"], WRONG_USE, "none.jsonl: cannot be read: No such file or directory"),
        (
            ["--policy", POLICY, "--until", "tomorrow", "events.jsonl"],
            WRONG_USE,
            "--until: 'tomorrow' is not an instant",
        ),
        (["--policy", POLICY, "--out", "no/out", "events.jsonl"], WRONG_USE, "--out no/out: there is no folder"),
        (["--policy", POLICY, "--out", ".", "events.jsonl"], WRONG_USE, "--out .: is a folder"),
    ],
)
def test_what_a_replay_cannot_work_with(arguments: list[str], status: int, said: str, dms: Run) -> None:
    """One line each."""
    Path("events.jsonl").write_text(lines(ACCOUNT))
    ran = dms("replay", *arguments)
    assert (ran.status, ran.out) == (status, "")
    assert is_one_line(ran.err)
    assert ran.err.startswith(f"dms replay: {said}")


def test_a_reader_that_had_enough_is_no_failure(tmp_path: Path) -> None:
    """Not a word, and the status that a shell gives to what a closed pipe has ended."""
    many = lines(*(event(n, "payment.received", "2026-01-01T06:00:00Z", f"ACC-{n}") for n in range(20_000)))
    (tmp_path / "events.jsonl").write_text(many)
    running = subprocess.Popen(
        [sys.executable, "-c", "import sys; from adapters.cli import main; sys.exit(main())",
         "replay", "--policy", POLICY, "events.jsonl"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert running.stdout is not None
    assert running.stderr is not None
    running.stdout.readline()
    running.stdout.close()
    assert running.wait(60) == PIPE_CLOSED
    assert running.stderr.read() == b""
    running.stderr.close()


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
    Path("dms.toml").write_text('store = "postgresql://db/dms"\nshads = 1\n')
    ran = dms(*command, "--config", "dms.toml")
    assert (ran.status, ran.out) == (WRONG_USE, "")
    told = [line.removeprefix(f"dms {' '.join(command[:2] if command[0] == 'store' else command[:1])}: ")
            for line in ran.err.splitlines()]  # fmt: skip
    assert told[0].startswith('dms.toml:2: unknown setting "shads" (did you mean shards?)')
    assert told[1].startswith(
        "dms.toml:1: store cannot be postgresql:// yet: this release runs on sqlite, memory and local"
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
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
