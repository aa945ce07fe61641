"""A RabbitMQ node of a test's own, on free ports, with its data in a folder: it may be killed, filled and starved."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Final

import pika

from tests.services.missing import missing
from tests.services.ports import free_port

_SCRIPTS: Final = Path("/usr/lib/rabbitmq/bin")
_START_SECONDS: Final = 90.0
_SETTINGS: Final = """\
listeners.tcp.1 = 127.0.0.1:{port}
loopback_users = none
vm_memory_high_watermark.absolute = 1GB
disk_free_limit.absolute = 10MB
log.file = false
log.console = true
log.console.level = warning
"""


class RabbitNode:
    """One node. `start`, `kill`, `start` again: the data stays. Use it as a context manager, which clears it away."""

    def __init__(self, folder: Path) -> None:
        self.port: Final = free_port()
        self.url: Final = f"amqp://guest:guest@127.0.0.1:{self.port}/"
        self._folder: Final = folder
        self._epmd_port: Final = free_port()
        self._name: Final = f"dms{self.port}@localhost"
        self._process: subprocess.Popen[bytes] | None = None
        self._names: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "rabbitmq.conf").write_text(_SETTINGS.format(port=self.port))
        (folder / "enabled_plugins").write_text("[].")
        (folder / "env.conf").write_text("")
        self._environment: Final = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(folder),
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": self._name,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "env.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            # One scheduler: these nodes come beside each other, and beside the tests.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none",
        }

    def __enter__(self) -> "RabbitNode":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        if self._names is not None:
            self._names.kill()
            self._names.wait(10)

    def start(self) -> None:
        """Starts the node and waits until it takes connections. RuntimeError where it does not come."""
        assert self._process is None, "it runs"
        if self._names is None:
            # Erlang's name server; a node would start one that stays when it is gone.
            self._names = subprocess.Popen(["epmd"], env=self._environment, start_new_session=True)
        if self._user() is not None:
            self._hand_over()
        with (self._folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                [str(_SCRIPTS / "rabbitmq-server")],
                env=self._environment,
                cwd=self._folder,
                stdout=output,
                stderr=output,
                start_new_session=True,
                user=self._user(),
                group=self._user(),
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = (self._folder / "output").read_text(errors="replace")[-2_000:]
                self.kill()
                raise RuntimeError(f"RabbitMQ did not start: {said}")
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            pika.BlockingConnection(pika.URLParameters(self.url)).close()
        except Exception:  # whatever it is: not yet
            return False
        return True

    def _user(self) -> str | None:
        """Not root, where there is somebody else to be."""
        return "rabbitmq" if os.geteuid() == 0 else None

    def _hand_over(self) -> None:
        """The folder becomes theirs who run the node; pytest's own folders are closed to others."""
        user = pwd.getpwnam("rabbitmq")
        for each in (self._folder, *self._folder.rglob("*")):
            os.chown(each, user.pw_uid, user.pw_gid)
        temporary = Path(tempfile.gettempdir())
        for parent in self._folder.parents:
            if temporary in parent.parents and not parent.stat().st_mode & 0o001:
                parent.chmod(parent.stat().st_mode | 0o011)

    def kill(self) -> None:
        """``kill -9``, to the node and all that it started."""
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):  # it has ended by itself
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)

    def control(self, *arguments: str) -> str:
        """Runs rabbitmqctl against this node."""
        done = subprocess.run(
            [str(_SCRIPTS / "rabbitmqctl"), "-q", "-n", self._name, *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            user=self._user(),
            group=self._user(),
        )
        return done.stdout

    def raise_memory_alarm(self) -> None:
        """It takes nothing in any more."""
        self.control("set_vm_memory_high_watermark", "absolute", "1MB")

    def end_memory_alarm(self) -> None:
        """It has enough again."""
        self.control("set_vm_memory_high_watermark", "absolute", "1GB")


@contextmanager
def rabbit_node(folder: Path) -> Iterator[RabbitNode]:
    """A node that runs. Skips, or fails in CI, where RabbitMQ is not installed."""
    if not (_SCRIPTS / "rabbitmq-server").exists() or shutil.which("epmd") is None:
        missing("RabbitMQ is not installed")
    with RabbitNode(folder) as node:
        node.start()
        yield node
