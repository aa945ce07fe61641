"""`dms backtest`: a recorded history, from files and from a store, under two policies."""

import json
import sqlite3
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from adapters.backtest import LeftOut, course_of, from_files, from_store
from adapters.cli import FINE, WRONG_USE
from adapters.cloud_events import parse_instant
from adapters.policy_files import load_policy
from adapters.settings import PACKAGED_POLICY
from domain.policy import Policy
from sim.backtest import Course
from tests.adapters.command_line import Run, commands_in, event, is_one_line, lines
from tests.sim.recording import worked_by_engine

POLICY = str(PACKAGED_POLICY)
ENDS = "2026-03-01T00:00:00Z"


@pytest.fixture
def dms(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Commands in this process and in an empty folder."""
    return commands_in(tmp_path, capfd, monkeypatch)


def history() -> list[dict[str, object]]:
    """Three debtors of two segments, two of whom pay, with a promise, and an answer to a command."""
    numbers = count(1)
    told = []
    for subject, party, attributes in (
        ("ACC-1", "person", {}),
        ("ACC-2", "person", {"has_phone": False}),
        ("ORG-1", "organisation", {"revenue_class": "A"}),
    ):
        told += [
            event(
                next(numbers), "account.updated", "2026-01-01T06:00:00Z", subject, projection="account", party=party,
                currency="RUB", attributes=attributes,
            ),
            event(
                next(numbers), "invoice.issued", "2026-01-01T06:00:00Z", subject, invoice_id="I", amount=123_450,
                issued_on="2026-01-01", due_on="2026-01-10",
            ),
        ]  # fmt: skip
    for at, type_, subject, data in (
        ("2026-01-12T09:00:00Z", "measure.completed", "ACC-1", {"command_id": "ACC-1/1/2", "detail": ""}),
        ("2026-01-15T09:00:00Z", "promise.made", "ACC-2", {"promise_id": "P", "amount": 1_000, "pay_by": "2026-01-19"}),
        ("2026-01-22T09:00:00Z", "payment.received", "ACC-1", {"payment_id": "P-1", "amount": 123_450}),
        ("2026-02-20T09:00:00Z", "payment.received", "ORG-1", {"payment_id": "P-2", "amount": 123_450}),
    ):
        told.append(event(next(numbers), type_, at, subject, **data))
    return told


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """The history as a file."""
    file = tmp_path / "events.jsonl"
    file.write_text(lines(*history()))
    return file


@pytest.fixture
def earlier(tmp_path: Path) -> str:
    """The packaged policy, with the telephone warned of two days earlier and prevention half an hour earlier."""
    text = (PACKAGED_POLICY / "policy.toml").read_text()
    for old, new in (
        ('template = "phone-will-be-disconnected"\nday = 10', 'template = "phone-will-be-disconnected"\nday = 8'),
        ('days_before_due = 3\nat = "11:00"', 'days_before_due = 3\nat = "10:30"'),
    ):
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "earlier").mkdir()
    (tmp_path / "earlier" / "policy.toml").write_text(text)
    (tmp_path / "earlier" / "managers.toml").write_text((PACKAGED_POLICY / "managers.toml").read_text())
    return str(tmp_path / "earlier")


def test_it_says_what_moves_by_how_much_and_to_whom(dms: Run, recorded: Path, earlier: str) -> None:
    arguments = ("backtest", "--policy", POLICY, "--vs", earlier, "--until", ENDS, str(recorded))
    ran = dms(*arguments, "--out", "changes.jsonl")
    assert (ran.status, ran.err) == (FINE, "")
    table = {" ".join(cells[:2]): cells[2:] for line in ran.out.splitlines() if (cells := line.split())}
    assert table["due-soon (notify)"] == ["-", "-", "-", *"1 (by 0.5 h) -".split()]
    assert table["warn-phone (call)"] == ["-", "-", "-", *"1 (by 2.0 d) -".split()]
    assert table["segment key-organisations"] == []
    assert "4 of " in ran.out.splitlines()[-2]
    assert ran.out.splitlines()[-1].startswith("Left out: 1 recorded confirmations")
    changes = [json.loads(line) for line in Path("changes.jsonl").read_text().splitlines()]
    assert [(each["profile_id"], each["measure"], each["change"], each["days"]) for each in changes] == [
        ("ACC-1", "due-soon", "moves", -0.021),
        ("ACC-1", "warn-phone", "moves", -2.0),
        ("ACC-2", "due-soon", "moves", -0.021),
        ("ORG-1", "due-soon", "moves", -0.021),
    ]
    assert (changes[1]["before"], changes[1]["after"]) == ("2026-01-20T09:00:00Z", "2026-01-18T09:00:00Z")
    assert changes[1]["overdue_before"] == changes[1]["overdue_after"] == 123_450
    assert dms(*arguments).out == ran.out


def test_a_policy_does_not_differ_from_itself(dms: Run, recorded: Path) -> None:
    """Nor does the answer to a command of then disturb it: nothing is rejected."""
    ran = dms("backtest", "--policy", POLICY, "--vs", POLICY, "--out", "changes.jsonl", "--until", ENDS, str(recorded))
    assert ran.out.splitlines()[-2].startswith("Both policies do the same: ")
    assert Path("changes.jsonl").read_bytes() == b""


def test_another_plan_is_other_commands(dms: Run, recorded: Path) -> None:
    soft = str(PACKAGED_POLICY.parent / "soft")
    ran = dms("backtest", "--policy", POLICY, "--vs", soft, "--until", ENDS, str(recorded))
    verdict = ran.out.splitlines()[-2]
    assert verdict.endswith("to 3 of 3 profiles that get any.")
    block = next(line.split() for line in ran.out.splitlines() if "block-internet" in line and "un" not in line)
    assert block[2:] == ["-", "-", "2", "-", "-"]


def test_the_journal_of_a_store_tells_the_same_as_the_files(tmp_path: Path, recorded: Path, earlier: str) -> None:
    """What the policy of then worked out (when a promise ends, say) is worked out anew."""
    worked_by_engine(
        [json.dumps(each).encode() for each in history() if "measure." not in str(each["type"])],
        load_policy(PACKAGED_POLICY),
        tmp_path / "dms.db",
        _ends(),
    )
    for policy in (load_policy(PACKAGED_POLICY), load_policy(Path(earlier))):
        of_store = course_of(policy, from_store(f"sqlite:///{tmp_path / 'dms.db'}", LeftOut()), _ends())
        assert of_store == _of_files(policy, recorded)
        assert of_store.commands


def _ends() -> int:
    return parse_instant(ENDS)


def _of_files(policy: Policy, recorded: Path) -> Course:
    return course_of(policy, from_files([str(recorded)], LeftOut()), _ends())


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("-",),
        ("missing.jsonl",),
        ("broken.jsonl",),
        ("events.jsonl", "--store", "sqlite:///dms.db"),
        ("--store", "sqlite:///none.db"),
        ("--store", "dms.db"),
        ("events.jsonl", "--until", "tomorrow"),
        ("events.jsonl", "--moved-within", "-1"),
        ("events.jsonl", "--out", "nowhere/changes.jsonl"),
    ],
)
def test_what_cannot_be_meant_is_told_in_one_line(dms: Run, recorded: Path, arguments: tuple[str, ...]) -> None:
    Path("broken.jsonl").write_text("{\n")
    ran = dms("backtest", "--policy", POLICY, "--vs", POLICY, *arguments)
    assert ran.status != FINE
    assert is_one_line(ran.err), ran.err
    assert ran.out == ""


def test_the_standard_input_is_no_history(dms: Run) -> None:
    """It cannot be read twice, and it is said so."""
    ran = dms("backtest", "--policy", POLICY, "--vs", POLICY, "-")
    assert ran.status == WRONG_USE
    assert "give a file" in ran.err


def test_policies_of_two_currencies_are_not_compared(dms: Run, recorded: Path, earlier: str) -> None:
    file = Path(earlier) / "policy.toml"
    file.write_text(file.read_text().replace('currency = "RUB"', 'currency = "KZT"'))
    ran = dms("backtest", "--policy", POLICY, "--vs", earlier, str(recorded))
    assert ran.status == WRONG_USE
    assert "RUB" in ran.err
    assert is_one_line(ran.err)


def test_a_profile_without_its_beginning_is_left_out_and_counted(tmp_path: Path) -> None:
    """As after the journal was trimmed."""
    lines_of = [json.dumps(each).encode() for each in history() if "measure." not in str(each["type"])]
    worked_by_engine(lines_of, load_policy(PACKAGED_POLICY), tmp_path / "dms.db", _ends())
    with closing(sqlite3.connect(tmp_path / "dms.db")) as connection:
        connection.execute("DELETE FROM journal WHERE profile_id = 'ACC-1' AND number < 3")
        connection.commit()
    left_out = LeftOut()
    played = list(from_store(f"sqlite:///{tmp_path / 'dms.db'}", left_out))
    assert left_out.profiles == {"ACC-1"}
    assert {event.subject for each in played for event in each.events} == {"ACC-2", "ORG-1"}
