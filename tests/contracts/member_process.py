"""A member of this host's nodes in a process of its own: to be killed, and to be stopped in the middle of a word."""

import signal
import subprocess
import sys
from pathlib import Path

from tests.contracts.coordination_contract import SHARDS

STILL_SECONDS = 2.0


class MemberProcess:
    """Answers like the coordination in it."""

    def __init__(self, folder: Path, name: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _MEMBER, str(folder), name, str(SHARDS), str(STILL_SECONDS)],
            cwd=Path(__file__).parents[2], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def wanted(self) -> frozenset[int] | None:
        """What it answers; nothing where it is dead."""
        if self._process.poll() is not None:
            return frozenset()
        said = self._ask("?")
        return None if said == "None" else frozenset(map(int, said.split()))

    def close(self) -> None:
        """It leaves, and ends."""
        if self._process.poll() is None:
            self._ask("!")
            self._process.wait(20)

    def kill(self) -> None:
        """It ends without a word."""
        self._process.kill()
        self._process.wait()

    def stop_still(self) -> None:
        """It holds what it holds, and does nothing."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """It goes on."""
        self._process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """Nothing of it is left."""
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()

    def _ask(self, what: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(what + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()


_MEMBER = """
import sys
from pathlib import Path
from adapters.local_members import LocalCoordination
from adapters.logs import open_log

member = LocalCoordination(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), open_log("OFF"), 0.1, float(sys.argv[4]))
for line in sys.stdin:
    if line == "!\\n":
        member.close()
        print("closed", flush=True)
        break
    wanted = member.wanted()
    print("None" if wanted is None else " ".join(map(str, wanted)), flush=True)
"""
