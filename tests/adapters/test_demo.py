"""What somebody who types `dms demo` may rely on."""

import io
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from adapters.bootstrap import open_reader
from adapters.demo import run_demo
from adapters.demo_heads import Heads
from adapters.settings import Settings, Unusable
from domain.calendar import HOUR, MINUTE
from domain.events import CommandFailed, MeasureRequested
from domain.snapshot import thaw
from engine.ballot import VoteRefused

ROOT = Path(__file__).parents[2]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_a_demo_ends_by_itself_with_a_summary() -> None:
    out = io.StringIO()
    assert run_demo(accounts=120, days=60, seconds=3.0, http="", out=out) == 0
    said = out.getvalue()
    assert "What to try next" in said
    assert "0, as it must be" in said
    assert "0 of 120" in said
    assert "0 failures" in said
    assert "0 events rejected" in said


def test_the_same_seed_tells_the_same_story() -> None:
    stories = []
    for _ in range(2):
        out = io.StringIO()
        run_demo(accounts=60, days=45, seconds=2.0, seed=9, http="", out=out)
        lines = out.getvalue().splitlines()
        stories.append([line for line in lines if line.startswith(("  Billed", "  Collected", "  20", "  restrict"))])
    assert len(stories[0]) > 3
    assert stories[0] == stories[1]


def test_nobody_who_has_paid_stays_restricted(tmp_path: Path) -> None:
    """Judged by what the engine has stored: without a run nothing that the run took away is left."""
    store = tmp_path / "kept.db"
    out = io.StringIO()
    assert run_demo(accounts=150, days=70, seconds=4.0, seed=3, http="", keep=store, out=out) == 0
    assert f"DMS_STORE=sqlite:///{store}" in out.getvalue().replace("\n", "")
    cured = 0
    with open_reader(Settings(store=f"sqlite:///{store}")) as reader:
        for profile_id in reader.profile_ids():
            state = reader.state(profile_id)
            assert state is not None
            profile = thaw(profile_id, state)
            if profile.run is not None or profile.blocked:
                continue
            taken: dict[str, str] = {}
            for fact in [entry.fact for entry in reader.journal(profile_id)]:
                if isinstance(fact, MeasureRequested) and fact.kind == "restrict":
                    taken[fact.measure] = fact.command_id
                    cured += 1
                elif isinstance(fact, MeasureRequested) and fact.kind == "restore":
                    assert fact.restores is not None
                    taken.pop(fact.restores)
                elif isinstance(fact, CommandFailed) and fact.reported:
                    taken = {measure: command for measure, command in taken.items() if command != fact.command_id}
            assert taken == {}, profile_id
    assert cured > 10


def test_on_a_terminal_the_picture_is_drawn() -> None:
    out = Terminal()
    assert run_demo(accounts=60, days=30, seconds=2.0, http="", out=out) == 0
    said = out.getvalue()
    for words in ("Accounts", "Measures", "Engine", "What it decides", "overdue by day", "Ctrl-C ends it"):
        assert words in said
    assert "What to try next" in said


class Board:
    """A breaker that has tripped, and what is done about it."""

    def __init__(self) -> None:
        self.holds = ["restrict@vip"]
        self.votes: list[tuple[str, bool]] = []
        self.said: list[str] = []

    def blown(self) -> list[str]:
        return self.holds

    def vote(self, breaker: str, actor: str, let_go: bool) -> None:
        if breaker not in self.holds:
            raise VoteRefused("it holds nothing back")
        self.votes.append((actor, let_go))

    def announce(self, at: int, breaker: str, words: str) -> None:
        self.said.append(f"{breaker}: {words}")


def test_two_heads_let_go_what_a_breaker_holds_after_an_hour() -> None:
    board = Board()
    heads = Heads(board, board.announce)
    heads.look(0)
    heads.look(50 * MINUTE)
    assert board.votes == []
    heads.look(HOUR)
    assert board.votes == [("lebedeva", True), ("guseva", True)]
    board.holds = []
    heads.look(HOUR + MINUTE)
    assert board.said == [
        "restrict@vip: a breaker trips, its commands wait for two heads",
        "restrict@vip: lebedeva and guseva let the commands go",
    ]


def test_what_others_have_decided_is_no_business_of_the_heads() -> None:
    board = Board()
    heads = Heads(board, board.announce)
    heads.look(0)
    board.holds = []
    heads.look(HOUR)
    board.holds = ["restrict@vip"]
    heads.look(HOUR + MINUTE)
    heads.look(HOUR + 2 * MINUTE)
    assert board.votes == []


def test_ctrl_c_ends_it_with_a_summary() -> None:
    code = "import sys; from adapters.demo import run_demo; sys.exit(run_demo(50, 200, 600.0, http=''))"
    demo = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert demo.stdout is not None
    try:
        while b"in a run" not in demo.stdout.readline():
            pass
        time.sleep(0.5)
        demo.send_signal(signal.SIGINT)
        said, wrong = demo.communicate(timeout=20)
    finally:
        demo.kill()
        demo.wait()
    assert demo.returncode == 0, wrong.decode()
    assert b"What to try next" in said
    assert b"0, as it must be" in said
    assert wrong == b""


def test_a_port_that_is_taken_is_no_reason_to_stop() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        http = f"127.0.0.1:{other.getsockname()[1]}"
        assert run_demo(accounts=10, days=2, seconds=0.5, http=http, out=io.StringIO()) == 0


def test_a_store_that_is_there_is_left_alone(tmp_path: Path) -> None:
    store = tmp_path / "mine.db"
    store.write_bytes(b"precious")
    with pytest.raises(Unusable, match="is there already"):
        run_demo(accounts=10, days=2, seconds=0.5, http="", keep=store, out=io.StringIO())
    assert store.read_bytes() == b"precious"
