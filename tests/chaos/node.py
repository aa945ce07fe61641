"""A node of a ground: `dms run` as a process, which is killed, frozen, stopped and asked; its log stays."""

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

from tests.adapters.run_process import DMS, environment
from tests.services.ports import free_port


class Node:
    """One node; started again it keeps its name and its port."""

    def __init__(self, folder: Path, name: str, workers: int = 1) -> None:
        self.folder: Final = folder
        self.name: Final = name
        self.workers: Final = workers
        self.port: Final = free_port()
        self.log: Final = folder / f"{name}.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *odd: str) -> "Node":
        """Starts it; with ``odd``, the process of `odd_node` with these options."""
        command = [*DMS, "run", "--config", "dms.toml", "--workers", str(self.workers)]
        if odd:
            command = [sys.executable, "-m", "tests.chaos.odd_node", *odd]
        variables = {"DMS_HTTP": f"127.0.0.1:{self.port}", "DMS_NODE": self.name}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, env={**environment(), **variables},
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log,
            )  # fmt: skip
        return self

    @property
    def is_alive(self) -> bool:
        """Whether its process runs."""
        return self.process is not None and self.process.poll() is None

    def send(self, number: signal.Signals) -> None:
        """A signal to it."""
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """``kill -9``. The workers of a node that has several live on for a moment."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                self.process.kill()
            self.process.wait(10)

    def worker_pids(self) -> list[int]:
        """The processes that work for a node of several; they are started again by it."""
        assert self.process is not None
        children = psutil.Process(self.process.pid).children()
        return [each.pid for each in children if any("spawn_main" in word for word in each.cmdline())]

    def stop(self, patience_seconds: float = 30.0) -> float:
        """SIGTERM; returns how long it took. AssertionError where it does not end well."""
        assert self.process is not None
        began = time.monotonic()
        self.process.terminate()
        status = self.process.wait(patience_seconds)
        assert status in (0, -signal.SIGTERM), f"{self.name} ended with {status}: {self.said()[-3:]}"
        return time.monotonic() - began

    def said(self) -> list[str]:
        """Its log, line by line."""
        return self.log.read_text(errors="replace").splitlines()

    def ask(self, path: str, body: object = None) -> tuple[int, bytes]:
        """A GET, or with a body a POST; 0 where nobody answers."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("content-type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read()
        except OSError:
            return 0, b""

    def is_ready(self) -> bool:
        """Whether it takes events."""
        return self.ask("/readyz")[0] == 200

    def reading(self, metric: str) -> float:
        """The sum of a metric over its labels."""
        lines = self.ask("/metrics")[1].decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.partition("{")[0].split(" ")[0] == metric)

    @property
    def worked(self) -> float:
        """The events that it has taken in since its start, whatever became of them."""
        return self.reading("dms_events_total")
