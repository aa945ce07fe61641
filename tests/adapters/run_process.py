"""`dms run` as a process of its own, in a folder of its own, for tests to feed, to kill and to ask."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DMS = [sys.executable, "-c", "import sys; from adapters.cli import main; sys.exit(main())"]
PATIENCE_SECONDS = 60

POLICY = """
[policy]
name = "at-once"
version = 1
timezone = "UTC"
currency = "RUB"

[[segment]]
name = "everyone"
plan = "all"

[plans.all]
min_gap_days = 0

[[plans.all.measure]]
name = "notice"
kind = "notify"
channel = "sms"
template = "notice"
day = 1
at = "00:00"

[[plans.all.measure]]
name = "block"
kind = "restrict"
target = "network"
day = 2
at = "00:00"
reverse = "unblock"

[[plans.all.measure]]
name = "claim"
kind = "legal"
day = 3
at = "00:00"
when = "overdue >= 500000"
"""


def environment() -> dict[str, str]:
    """Without the developer's own settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DMS_")}
    return {**kept, "PYTHONPATH": str(ROOT)}


class Node:
    """A folder with a policy and settings, and one `dms run` at a time in it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.out = folder / "out.jsonl"
        self.process: subprocess.Popen[str] | None = None
        self.lives = 0
        (folder / "policy.toml").write_text(POLICY)
        (folder / "dms.toml").write_text(
            'policy = "policy.toml"\nhttp = "127.0.0.1:0"\nout.file = "out.jsonl"\nlog.format = "json"\n'
        )

    def start(self, *arguments: str) -> None:
        """Starts it; its log goes to a file."""
        self.lives += 1
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*DMS, "run", "--config", "dms.toml", *arguments],
                cwd=self.folder, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                text=True,
            )  # fmt: skip

    @property
    def log(self) -> Path:
        """What the present life has said."""
        return self.folder / f"log-{self.lives}.jsonl"

    def end(self, how: signal.Signals) -> int:
        """Ends it; returns the status, which for a signal that it did not handle is its number below zero."""
        assert self.process is not None
        self.process.send_signal(how)
        try:
            return self.process.wait(PATIENCE_SECONDS)
        finally:
            assert self.process.stdout is not None
            self.process.stdout.close()

    def ask(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Runs another command in the same folder."""
        return subprocess.run(
            [*DMS, *arguments, "--config", "dms.toml"],
            cwd=self.folder, env=environment(), capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False,
        )  # fmt: skip

    def logged(self) -> list[dict[str, Any]]:
        """What the present life has said so far."""
        lines = self.log.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def url(self) -> str:
        """Where it answers."""
        said = self.wait_for(lambda: [each for each in self.logged() if each["event"] == "HTTP answers"])
        return str(said[-1]["url"])

    def has_said(self, event: str, times: int = 1) -> bool:
        """Whether it has logged this so often."""
        return len([each for each in self.logged() if each["event"] == event]) >= times

    def size(self) -> int:
        """How many bytes have left."""
        return self.out.stat().st_size if self.out.exists() else 0

    def events(self) -> list[dict[str, Any]]:
        """What has left, without doubles; half a line at the end is none."""
        if not self.out.exists():
            return []
        found = [json.loads(line) for line in self.out.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
        return list({each["id"]: each for each in reversed(found)}.values())[::-1]

    def commands(self) -> dict[str, list[str]]:
        """Command ids by profile, in the order in which they left."""
        by_profile: dict[str, list[str]] = {}
        for each in self.events():
            if each["type"] == "dms.measure.requested.v1":
                by_profile.setdefault(each["subject"], []).append(each["data"]["command_id"])
        return by_profile

    def count(self) -> int:
        """How many commands have left."""
        return sum(map(len, self.commands().values()))

    def wait_for_commands(self, wanted: int) -> None:
        """Waits until so many have left in all."""
        self.wait_for(lambda: self.count() >= wanted)

    def wait_for(self, look: Callable[[], Any]) -> Any:
        """Waits until ``look`` finds something."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            assert self.process is not None
            ended = self.process.poll() is not None
            found = look()
            if found:
                return found
            assert not ended, f"it has ended: {self.logged()[-3:]}"
            time.sleep(0.02)
        raise AssertionError(f"waited in vain: {self.logged()[-3:]}")
