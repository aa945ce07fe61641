"""A PostgreSQL server of a test's own, on a free port, its data in a folder: it may be stopped, killed and frozen."""

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
from typing import Any, Final

import psycopg
from psycopg.sql import SQL, Identifier

from adapters.part_urls import Server, read_postgresql
from tests.services.missing import missing
from tests.services.ports import free_port

_START_SECONDS: Final = 60.0
_SETTINGS: Final = """\
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
synchronous_commit = on
shared_buffers = 32MB
max_connections = 60
logging_collector = off
"""


def _programs() -> Path | None:
    """Where initdb is: of the newest release that is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    named = shutil.which("initdb")
    return Path(named).resolve().parent if named else None


class PostgresServer:
    """One server. `start`, `stop_at_once` or `kill`, `start` again: the data stays. Use it as a context manager, which
    clears it away."""

    def __init__(self, folder: Path, settings: str = "") -> None:
        """Makes the cluster; ``settings`` are more lines of its postgresql.conf."""
        programs = _programs()
        if programs is None:
            missing("PostgreSQL is not installed")
        self.port: Final = free_port()
        self._programs: Final = programs
        self._folder: Final = folder
        self._data: Final = folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        if self._user() is not None:
            self._hand_over()
        self._run("initdb", "-D", str(self._data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8",
                  "--no-sync", "--no-instructions")  # fmt: skip
        with (self._data / "postgresql.conf").open("a") as configuration:
            configuration.write(_SETTINGS.format(port=self.port) + settings)

    def __enter__(self) -> "PostgresServer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        shutil.rmtree(self._data, ignore_errors=True)

    def url(self, database: str = "postgres") -> str:
        """Of a database in it."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def server(self, database: str = "postgres") -> Server:
        """The same, read."""
        return read_postgresql(self.url(database))

    def make_database(self, name: str) -> Server:
        """A new and empty database."""
        with psycopg.connect(self.url(), autocommit=True) as admin:
            admin.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        return self.server(name)

    def ask(self, database: str, query: str) -> list[tuple[Any, ...]]:
        """What a query finds, past everything of ours."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            return connection.execute(query.encode()).fetchall()

    def start(self) -> None:
        """Starts the server and waits until it takes connections. RuntimeError where it does not come."""
        assert self._process is None, "it runs"
        with (self._folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                [str(self._programs / "postgres"), "-D", str(self._data)],
                cwd=self._folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
                user=self._user(), group=self._user(), env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
            )  # fmt: skip
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = (self._folder / "output").read_text(errors="replace")[-2_000:]
                self.kill()
                raise RuntimeError(f"PostgreSQL did not start: {said}")
            time.sleep(0.05)

    def stop_at_once(self) -> None:
        """``pg_ctl stop -m immediate``: no checkpoint, every connection cut; it recovers when it starts again."""
        self._end(signal.SIGQUIT)

    def kill(self) -> None:
        """``kill -9``, to the server and all its processes."""
        if self._process is None:
            return
        pids = self._pids()
        self._signal(signal.SIGKILL)
        self._process.wait(10)
        self._process = None
        # They hold the shared memory until they are gone, and a successor must not meet them.
        while any(_is_there(pid) for pid in pids[1:]):
            time.sleep(0.01)

    def freeze(self) -> None:
        """It holds its connections and says nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        self._signal(signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        assert process is not None, "it does not run"
        process.send_signal(how)
        process.wait(30)

    def _signal(self, what: signal.Signals) -> None:
        for pid in self._pids():
            with suppress(ProcessLookupError):
                os.kill(pid, what)

    def _pids(self) -> list[int]:
        """The server, and its processes, each of which has a group of its own."""
        assert self._process is not None, "it does not run"
        server = self._process.pid
        with suppress(OSError):
            return [server, *map(int, Path(f"/proc/{server}/task/{server}/children").read_text().split())]
        return [server]

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url(), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._programs / program), *arguments], cwd=self._folder, capture_output=True, text=True, timeout=120,
            user=self._user(), group=self._user(), env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stderr[-1_000:]}")

    def _user(self) -> str | None:
        """PostgreSQL does not run as root."""
        return "postgres" if os.geteuid() == 0 else None

    def _hand_over(self) -> None:
        """The folder becomes theirs who run the server; pytest's own folders are closed to others."""
        user = pwd.getpwnam("postgres")
        os.chown(self._folder, user.pw_uid, user.pw_gid)
        temporary = Path(tempfile.gettempdir())
        for parent in self._folder.parents:
            if temporary in parent.parents and not parent.stat().st_mode & 0o001:
                parent.chmod(parent.stat().st_mode | 0o011)


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@contextmanager
def postgres_server(folder: Path, settings: str = "") -> Iterator[PostgresServer]:
    """A server that runs. Skips, or fails in CI, where PostgreSQL is not installed."""
    with PostgresServer(folder, settings) as server:
        server.start()
        yield server
