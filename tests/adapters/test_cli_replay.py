"""`dms replay`: what it writes, what it refuses, and that the same input gives the same bytes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.cli import FINE, PIPE_CLOSED, WRONG_USE
from adapters.settings import PACKAGED_POLICY
from tests.adapters.command_line import (
    ACCOUNT,
    INVOICE,
    PAYMENT,
    Ran,
    Run,
    commands_in,
    event,
    is_one_line,
    lines,
    process,
)
from tests.adapters.policy_texts import MINIMAL

POLICY = str(PACKAGED_POLICY)


@pytest.fixture
def dms(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Commands in this process and in an empty folder."""
    return commands_in(tmp_path, capfd, monkeypatch)


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


def test_a_replay_stops_before_an_event_that_is_later(dms: Run) -> None:
    """And before the timers between the two."""
    Path("events.jsonl").write_text(lines(ACCOUNT, INVOICE))
    arguments = ("replay", "--policy", POLICY, "--until", "2026-01-09T00:00:00Z", "events.jsonl")
    alone = dms(*arguments).out
    Path("events.jsonl").write_text(lines(ACCOUNT, INVOICE, {**PAYMENT, "time": "2026-03-01T00:00:00Z"}))
    assert dms(*arguments).out == alone


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"score": 7}, ""),
        (
            {"shoe_size": 43, "hat": 58},
            "attributes ignored that the policy does not declare: 2\nrules that failed and counted as false: 1\n",
        ),
    ],
)
def test_a_replay_counts_attributes_ignored_and_rules_that_failed(
    dms: Run, attributes: dict[str, int], said: str
) -> None:
    """On standard error, in a line each; nothing where there were none."""
    scored = '[[segment]]\nname = "scored"\nwhen = "attributes.score > 5"\nplan = "internet"\n'
    policy = MINIMAL.replace("[[segment]]", f'[attributes]\nscore = "integer"\n{scored}[[segment]]')
    Path("policy.toml").write_text(policy)
    account = event(
        1, "account.updated", "2026-01-01T06:00:00Z", projection="account", party="person", currency="RUB",
        attributes=attributes,
    )  # fmt: skip
    Path("events.jsonl").write_text(lines(account))
    ran = dms("replay", "--policy", "policy.toml", "events.jsonl")
    assert (ran.status, ran.err) == (FINE, said)


def test_a_replay_stops_within_a_batch(dms: Run) -> None:
    """An event after the instant takes none of those before it along."""
    arguments = ("replay", "--policy", POLICY, "--until", "2026-01-11T07:00:00Z", "events.jsonl")
    Path("events.jsonl").write_text(lines(ACCOUNT, INVOICE))
    alone = dms(*arguments).out
    Path("events.jsonl").write_text(lines([ACCOUNT, INVOICE, PAYMENT, ACCOUNT], "never read"))
    assert dms(*arguments) == Ran(FINE, alone, "")


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
        (
            lines({**ACCOUNT, "time": "1969-12-31T23:59:59Z"}),
            "events.jsonl:1: is of a time before 1970, which is not supported",
        ),
        (
            lines({**ACCOUNT, "time": "0001-01-01T00:00:00+10:00"}),
            "events.jsonl:1: is of a time before 1970, which is not supported",
        ),
        (
            lines({**ACCOUNT, "time": "9999-12-31T23:59:59-10:00"}),
            "events.jsonl:1: is of a time from 9999-12-31 on, which is not supported",
        ),
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
