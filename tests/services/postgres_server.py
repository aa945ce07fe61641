"""A PostgreSQL server of a test's own, on a free port, with its data in a folder: it may be stopped, killed
and frozen."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Final

import pytest

from tests.services.missing import missing
from tests.services.ports import free_port

_SETTINGS: Final = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
max_connections = 50
shared_buffers = 64MB
log_min_messages = fatal
"""


class PostgresServer:
    """One server. `start`, `stop` at once, `kill`, `start` again: the data stays. Use it as a context manager."""

    def __init__(self, folder: Path) -> None:
        self.port: Final = free_port()
        self.url: Final = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self._data: Final = folder / "data"
        self._bin: Final = _binaries()
        folder.mkdir(parents=True, exist_ok=True)
        self._open(folder)
        self._run("initdb", "-D", str(self._data), "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8", "--locale=C")
        with (self._data / "postgresql.conf").open("a") as settings:
            settings.write(_SETTINGS.format(port=self.port))

    def __enter__(self) -> "PostgresServer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(subprocess.CalledProcessError):
            self.stop()

    def start(self) -> None:
        """Starts it, and waits until it takes connections."""
        self._run("pg_ctl", "-D", str(self._data), "-w", "-t", "60", "-l", str(self._data / "log"), "start")

    def dumped(self, url: str) -> bytes:
        """A consistent backup of a database, whatever goes on in it meanwhile."""
        return self._tool("pg_dump", "--format=custom", url)

    def restore(self, url: str, backup: bytes) -> None:
        """The database as it was then; what it is now is gone."""
        address, _, name = url.rpartition("/")
        self._tool("dropdb", "--force", "--maintenance-db", f"{address}/postgres", name)
        self._tool("createdb", "--maintenance-db", f"{address}/postgres", name)
        self._tool("pg_restore", "--exit-on-error", "--dbname", url, given=backup)

    def _tool(self, name: str, *arguments: str, given: bytes = b"") -> bytes:
        done = subprocess.run([self._bin / name, *arguments], input=given, capture_output=True, check=False)
        assert done.returncode == 0, f"{name}: {done.stderr.decode(errors='replace')[-300:]}"
        return done.stdout

    def stop(self, mode: str = "immediate") -> None:
        """``immediate`` is a crash: nothing is finished, and the next start recovers."""
        self._run("pg_ctl", "-D", str(self._data), "-w", "-m", mode, "stop")

    def kill(self) -> None:
        """``kill -9`` to all of it."""
        self._signal(signal.SIGKILL)
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    def freeze(self) -> None:
        """It holds its connections and says nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        self._signal(signal.SIGCONT)

    def _signal(self, what: signal.Signals) -> None:
        pid = int((self._data / "postmaster.pid").read_text().split()[0])
        children = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout.split()
        for each in (pid, *map(int, children)):
            with suppress(ProcessLookupError):
                os.kill(each, what)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self._bin / program), *arguments],
            check=True, capture_output=program != "pg_ctl", cwd="/", user=_user(), group=_user(), extra_groups=[],
            stdout=None if program != "pg_ctl" else subprocess.DEVNULL,
            stderr=None if program != "pg_ctl" else subprocess.DEVNULL,
        )  # fmt: skip

    @staticmethod
    def _open(folder: Path) -> None:
        """PostgreSQL does not run as root; pytest's own folders are closed to others."""
        user = _user()
        if user is None:
            return
        entry = pwd.getpwnam(user)
        os.chown(folder, entry.pw_uid, entry.pw_gid)
        temporary = Path(tempfile.gettempdir())
        for parent in folder.parents:
            if temporary in parent.parents and not parent.stat().st_mode & 0o001:
                parent.chmod(parent.stat().st_mode | 0o011)


def _user() -> str | None:
    return "postgres" if os.geteuid() == 0 else None


def _binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda each: int(each.parts[4]))
    if found:
        return found[-1].parent
    named = shutil.which("initdb")
    if named is None:
        missing("PostgreSQL's server is not installed")
    return Path(named).parent


@contextmanager
def postgres_server(folder: Path) -> Iterator[PostgresServer]:
    """A server that runs, and is gone afterwards."""
    with PostgresServer(folder) as server:
        server.start()
        yield server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    with postgres_server(tmp_path_factory.mktemp("postgres") / "server") as running:
        yield running
