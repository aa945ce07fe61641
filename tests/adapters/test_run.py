"""`dms run`, whole: a process of its own, fed, killed, started again, and asked what it has done."""

import functools
import json
import random
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import pytest

from tests.adapters.run_process import DMS, POLICY, Node, environment


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """A node that is gone after the test, whatever happened."""
    node = Node(tmp_path / "node")
    yield node
    if node.process is not None and node.process.poll() is None:
        node.end(signal.SIGKILL)


def event(id: str, type: str, subject: str, **data: object) -> dict[str, object]:
    """A CloudEvent of billing's."""
    return {
        "specversion": "1.0", "id": id, "source": "billing", "type": f"dms.{type}.v1", "subject": subject,
        "time": "2026-01-01T00:00:00Z", "data": data,
    }  # fmt: skip


def debt(number: int) -> list[dict[str, object]]:
    """An account and what it owes since long ago; every fifth owes much."""
    subject = f"ACC-{number}"
    return [
        event(f"a{number}", "account.updated", subject, projection="account", party="person", currency="RUB"),
        event(
            f"i{number}", "invoice.issued", subject, invoice_id="I-1", amount=100_000 if number % 5 else 900_000,
            issued_on="2026-01-01", due_on="2026-01-10",
        ),
    ]  # fmt: skip


def payment(number: int) -> dict[str, object]:
    """All of it."""
    return event(
        f"p{number}", "payment.received", f"ACC-{number}", payment_id="P-1", amount=100_000 if number % 5 else 900_000
    )


def expected(number: int, paid: bool) -> list[str]:
    """What the rules demand of one debt, in order."""
    names = ["notice", "block", *(["claim"] if number % 5 == 0 else []), *(["unblock"] if paid else [])]
    return [f"ACC-{number}/1/{name}" for name in names]


def write(file: Path, events: Sequence[object]) -> None:
    """Events as JSON lines."""
    file.write_text("".join(json.dumps(each) + "\n" for each in events))


PROFILES = 1_500
BYTES_OF_A_COMMAND = 600
"""With its share of the other events; too much rather than too little would wait for ever."""


def live_through(node: Node, file: str, commands: int, kills: Sequence[float]) -> None:
    """Feeds a file until so many commands have left in all; killed where about a share of what it brings has."""
    before = node.size()
    bytes_to_come = BYTES_OF_A_COMMAND * (commands - node.count())
    for share in kills:
        node.start("--input", file)
        node.wait_for(functools.partial(lambda size: node.size() >= size, before + int(share * bytes_to_come)))
        assert node.end(signal.SIGKILL) == -signal.SIGKILL
    node.start("--input", file)
    # All may have left before the last kill: then there is only to wait until it listens to signals.
    node.wait_for(lambda: node.has_said("the input is taken in"))
    node.wait_for_commands(commands)
    assert node.end(signal.SIGTERM) == 0


def test_killed_in_the_middle_it_sends_the_same_commands_in_the_same_order(tmp_path: Path) -> None:
    """Debts first, killed four times on the way; then payments, killed three times: none lost, none doubled."""
    numbers = range(PROFILES)
    debts = [each for number in numbers for each in debt(number)]
    payments = [payment(number) for number in numbers if number % 2]
    random.Random(1).shuffle(payments)
    first = sum(len(expected(number, False)) for number in numbers)
    both = first + len(payments)
    lives = {"uninterrupted": ((), ()), "killed": ((0.0, 0.02, 0.3, 0.8), (0.05, 0.5, 0.95))}
    nodes = {}
    for name, (kills_first, kills_second) in lives.items():
        node = nodes[name] = Node(tmp_path / name)
        write(node.folder / "debts.jsonl", debts)
        write(node.folder / "payments.jsonl", payments)
        try:
            live_through(node, "debts.jsonl", first, kills_first)
            live_through(node, "payments.jsonl", both, kills_second)
        finally:
            if node.process is not None and node.process.poll() is None:
                node.end(signal.SIGKILL)
    assert nodes["uninterrupted"].commands() == {
        f"ACC-{number}": expected(number, bool(number % 2)) for number in numbers
    }
    assert nodes["killed"].commands() == nodes["uninterrupted"].commands()
    assert nodes["killed"].lives == 9
    verified = nodes["killed"].ask("store", "verify")
    assert (verified.returncode, verified.stderr) == (0, "")


def test_it_stops_gracefully_under_load_and_goes_on_where_it_stopped(node: Node) -> None:
    """Within 15 seconds of a signal, with status 0; the events come again with the input, and count once."""
    numbers = range(8 * PROFILES)
    write(node.folder / "debts.jsonl", [each for number in numbers for each in debt(number)])
    for number, bytes_more in ((signal.SIGTERM, 1), (signal.SIGINT, 100_000)):
        node.start("--input", "debts.jsonl")
        size = node.size() + bytes_more
        node.wait_for(lambda: node.has_said("working"))
        node.wait_for(functools.partial(lambda size: node.size() >= size, size))
        began = time.monotonic()
        assert node.end(number) == 0
        assert time.monotonic() - began < 15
        assert not node.has_said("the input is taken in"), "it was to be stopped under load"
    node.start("--input", "debts.jsonl")
    node.wait_for(lambda: node.has_said("the input is taken in"))
    node.wait_for_commands(sum(len(expected(each, False)) for each in numbers))
    assert node.end(signal.SIGTERM) == 0
    assert node.commands() == {f"ACC-{each}": expected(each, False) for each in numbers}


def test_what_was_answered_over_http_survives_a_kill(node: Node) -> None:
    """202 means durable: killed the moment after, the events have taken effect when it is back."""
    node.start()
    url = node.url()
    node.wait_for(lambda: httpx.get(f"{url}/readyz").status_code == 200)
    content_type = {"content-type": "application/cloudevents-batch+json"}
    answer = httpx.post(f"{url}/api/v1/events", content=json.dumps(debt(5)), headers=content_type)
    assert (answer.status_code, answer.json()) == (202, {"events": 2, "unreadable": 0})
    node.end(signal.SIGKILL)
    node.start()
    url = node.url()
    node.wait_for(lambda: node.commands() == {"ACC-5": expected(5, False)})
    answer = httpx.get(f"{url}/api/v1/profiles/ACC-5")
    assert answer.status_code == 200, answer.text
    profile = answer.json()
    assert (profile["debt"], profile["run"]["fired"]) == (900_000, ["notice", "block", "claim"])
    assert httpx.post(f"{url}/api/v1/events", content=json.dumps(debt(5)), headers=content_type).status_code == 202
    assert node.end(signal.SIGTERM) == 0
    assert node.commands() == {"ACC-5": expected(5, False)}


def test_a_profile_is_told_with_its_history_and_what_comes_next(node: Node) -> None:
    """While the engine works on the store, and after."""
    write(node.folder / "debts.jsonl", [*debt(5), payment(5)])
    node.start("--input", "debts.jsonl")
    node.wait_for(lambda: node.has_said("the input is taken in"))
    while_it_works = node.ask("profile", "ACC-5", "--why")
    assert node.end(signal.SIGTERM) == 0
    after = node.ask("profile", "ACC-5", "--why")
    for told in (while_it_works, after):
        assert (told.returncode, told.stderr) == (0, "")
        for words in ("ACC-5 (times in UTC)", "History", "outside", "engine", "What comes next"):
            assert words in told.stdout
        assert "invoice I-1 of 9 000.00 RUB, due 2026-01-10" in told.stdout
        assert "nothing is overdue any more" in told.stdout
    assert "nothing is overdue any more" not in node.ask("profile", "ACC-5").stdout
    nobody = node.ask("profile", "NOBODY")
    assert (nobody.returncode, nobody.stderr) == (1, "dms profile: no profile 'NOBODY' in dms.db\n")


def test_a_second_process_on_the_same_store_is_refused_in_one_line(node: Node) -> None:
    """It names the first; that one goes on. After a kill nothing stands in the way."""
    node.start()
    node.wait_for(lambda: node.has_said("working"))
    assert node.process is not None
    for command in (("run",), ("store", "migrate")):
        refused = node.ask(*command)
        assert refused.returncode == 1
        assert refused.stderr == (
            f"dms {' '.join(command)}: dms.db: process {node.process.pid} works on this store"
            " (stop it, or set another store)\n"
        )
    node.end(signal.SIGKILL)
    node.start()
    node.wait_for(lambda: node.has_said("working"))
    assert node.end(signal.SIGTERM) == 0


def test_another_policy_takes_effect_without_a_restart(node: Node) -> None:
    """A wrong one is refused and logged, and so is another one under the same version."""
    node.start()
    node.wait_for(lambda: node.has_said("working"))
    policy = node.folder / "policy.toml"
    refused = "the policy on disk is refused; the one that holds goes on"
    policy.write_text(POLICY.replace('day = 1\nat = "00:00"', 'day = "x"\nat = "00:00"'))
    node.wait_for(lambda: node.has_said(refused))
    policy.write_text(POLICY.replace('name = "notice"', 'name = "letter"'))
    node.wait_for(lambda: node.has_said(refused, 2))
    policy.write_text(POLICY.replace('name = "notice"', 'name = "letter"').replace("version = 1", "version = 2"))
    node.wait_for(lambda: node.has_said("another policy holds"))
    faults = [each["fault"] for each in node.logged() if each["event"] == refused]
    assert faults[0].startswith("policy.toml:")
    assert faults[1] == "policy.toml: another policy under the same version 1 (raise [policy] version)"
    content_type = {"content-type": "application/json"}
    httpx.post(f"{node.url()}/api/v1/events", content=json.dumps(debt(1)), headers=content_type)
    node.wait_for(lambda: node.commands().get("ACC-1") == ["ACC-1/1/letter", "ACC-1/1/block"])
    assert node.end(signal.SIGTERM) == 0


def test_what_a_breaker_holds_leaves_when_two_heads_agree(node: Node) -> None:
    """It is told in the log; who is no head has no voice."""
    (node.folder / "policy.toml").write_text(POLICY + '[[breaker]]\nkind = "restrict"\nper_hour = 1\n')
    managers = [("orlova", "administrator"), ("belov", "head"), ("frolov", "specialist")]
    (node.folder / "managers.toml").write_text(
        "".join(f'[[manager]]\nid = "{id}"\nrole = "{role}"\n' for id, role in managers)
    )
    node.start()
    url = node.url()
    events = [each for number in (1, 2, 3) for each in debt(number)]
    httpx.post(f"{url}/api/v1/events", content=json.dumps(events), headers={"content-type": "application/json"})
    node.wait_for(lambda: node.has_said("a breaker holds commands back until two heads have decided"))
    (breaker,) = httpx.get(f"{url}/api/v1/breakers").json()["blown"]
    votes = f"{url}/api/v1/breakers/{breaker}/votes"
    answers = [httpx.post(votes, json={"actor": id, "let_go": True}).status_code for id in ("frolov", "orlova")]
    assert answers == [409, 202]
    assert sum(f"{each}/1/block" in commands for each, commands in node.commands().items()) == 1
    assert httpx.post(votes, json={"actor": "belov", "let_go": True}).status_code == 202
    node.wait_for(lambda: node.commands() == {f"ACC-{number}": expected(number, False) for number in (1, 2, 3)})
    node.wait_for(lambda: node.has_said("what a breaker held is decided"))
    assert httpx.get(f"{url}/api/v1/breakers").json() == {"blown": []}
    assert node.end(signal.SIGTERM) == 0


def test_without_a_file_events_leave_on_standard_output(node: Node) -> None:
    """As JSON lines, and nothing else; they may come from standard input, a pipe that stays open."""
    (node.folder / "dms.toml").write_text('policy = "policy.toml"\nhttp = ""\n')
    running = subprocess.Popen(
        [*DMS, "run", "--config", "dms.toml", "--input", "-"],
        cwd=node.folder, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    try:
        assert running.stdin is not None
        assert running.stdout is not None
        running.stdin.write("".join(json.dumps(each) + "\n" for each in debt(1)))
        running.stdin.flush()
        types = [json.loads(running.stdout.readline())["type"] for _ in range(4)]
        assert types[-2:] == ["dms.measure.requested.v1", "dms.measure.requested.v1"]
        running.send_signal(signal.SIGTERM)
        assert running.wait(15) == 0
    finally:
        running.kill()
        running.communicate()


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--input", "none.jsonl"], 2, "dms run: none.jsonl: cannot be read: No such file or directory"),
        (["--config", "none.toml"], 2, "dms run: none.toml:1: no such file"),
    ],
)
def test_what_it_cannot_begin_with_is_one_line(arguments: list[str], status: int, said: str, tmp_path: Path) -> None:
    """Before anything is made."""
    ran = subprocess.run(
        [*DMS, "run", *arguments], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (status, "", f"{said}\n")
    assert list(tmp_path.iterdir()) == []


def test_a_taken_port_is_one_line_and_the_store_is_free_again(node: Node) -> None:
    """Nothing has started yet when it is found out."""
    node.start()
    port = node.url().rpartition(":")[2]
    other = Node(node.folder.parent / "other")
    (other.folder / "dms.toml").write_text(f'policy = "policy.toml"\nhttp = "127.0.0.1:{port}"\n')
    refused = other.ask("run")
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"dms run: cannot listen at 127.0.0.1:{port}: Address already in use (choose")
    assert refused.stderr.count("\n") == 1
    assert other.ask("store", "migrate").returncode == 0
    assert node.end(signal.SIGTERM) == 0
