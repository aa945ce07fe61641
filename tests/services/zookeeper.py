"""A ZooKeeper of the tests' own: an ensemble of one, of Debian's package, on a free port and in a folder of its own."""

import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Final

from tests.services.missing import missing
from tests.services.ports import free_port

JAR: Final = Path("/usr/share/java/zookeeper.jar")
PATIENCE_SECONDS: Final = 30.0
TICK_MS: Final = 200
"""A session lasts at least two ticks: tests need not wait long for one to end."""


def need_zookeeper() -> None:
    """Ends the test where ZooKeeper is not installed."""
    for what, there in (("java", shutil.which("java")), (str(JAR), JAR.is_file())):
        if not there:
            missing(f"no {what}: apt-get install zookeeper")


class ZooKeeperServer:
    """One server, which can be killed, stopped, wiped, and started again on the same port."""

    def __init__(self, folder: Path) -> None:
        self.folder: Final = folder
        self.port: Final = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "zoo.cfg").write_text(
            f"tickTime={TICK_MS}\ndataDir={folder / 'data'}\nclientPort={self.port}\nclientPortAddress=127.0.0.1\n"
            "maxClientCnxns=0\nmaxSessionTimeout=60000\nadmin.enableServer=false\n4lw.commands.whitelist=ruok\n"
            "snapshot.trust.empty=true\n"
        )

    @property
    def host(self) -> str:
        """``HOST:PORT``."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["java", "-Xmx96m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", str(JAR),
                 "org.apache.zookeeper.server.ZooKeeperServerMain", str(self.folder / "zoo.cfg")],
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"ZooKeeper did not start: {(self.folder / 'log').read_text()[-1_000:]}")
            time.sleep(0.05)

    def kill(self) -> None:
        """Ends it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop_still(self) -> None:
        """It holds its connections and says nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """It goes on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def wipe(self) -> None:
        """Forgets everything; only while it does not run."""
        assert self._process is None
        shutil.rmtree(self.folder / "data", ignore_errors=True)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.sendall(b"ruok")
                return connection.recv(16) == b"imok"
        except OSError:
            return False
