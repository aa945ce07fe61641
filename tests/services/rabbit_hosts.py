"""Virtual hosts on a RabbitMQ server that runs already: one for each test, made and deleted many at a time."""

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from yarl import URL

from tests.services.missing import missing

_DEFAULT = "amqp://guest:guest@127.0.0.1:5672"
# Starting rabbitmqctl costs a second and a half, a virtual host only a few milliseconds.
_AT_ONCE = 4
_NAME = "dms-test-{pid}-{unique}"


def server_url() -> URL:
    """Where the tests' RabbitMQ is: ``DMS_TEST_RABBIT``, or the usual port on this machine."""
    return URL(os.environ.get("DMS_TEST_RABBIT", _DEFAULT))


def control(*arguments: str, node: str | None = None, timeout_seconds: float = 60.0) -> str:
    """Runs rabbitmqctl; CalledProcessError where it fails."""
    command = ["rabbitmqctl", "-q", *(["-n", node] if node else []), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_seconds, check=True)
    return done.stdout


class VirtualHosts:
    """A stock of empty virtual hosts, a handful at a time: each queue takes descriptors of the server,
    and one that has none left (of 1,024, where nobody raised the limit) accepts no connection."""

    def __init__(self) -> None:
        self._user = server_url().user or "guest"
        self._fresh: list[str] = []
        self._made: list[str] = _left_behind()

    def take(self) -> str:
        """The URL of a virtual host that nobody has used."""
        if not self._fresh:
            self._make()
        return str(server_url().with_path("/" + self._fresh.pop()))

    def _make(self) -> None:
        """Makes room first: what was taken before, by a test that is over, goes."""
        self.delete()
        self._fresh = [_NAME.format(pid=os.getpid(), unique=uuid.uuid4().hex[:8]) for _ in range(_AT_ONCE)]
        self._made = list(self._fresh)
        _evaluate(
            self._made,
            'rabbit_vhost:add(H, <<"tests">>), rabbit_auth_backend_internal:set_permissions('
            f'<<"{self._user}">>, H, <<".*">>, <<".*">>, <<".*">>, <<"tests">>)',
        )

    def delete(self) -> None:
        """Deletes all that were made, with what is in them."""
        if self._made:
            _evaluate(self._made, 'rabbit_vhost:delete(H, <<"tests">>)')
            self._made.clear()
            self._fresh.clear()


def _left_behind() -> list[str]:
    """The hosts of test runs that were killed."""
    names = [name for name in control("list_vhosts", "--silent").splitlines() if name.startswith("dms-test-")]
    return [name for name in names if not _is_alive(name.removeprefix("dms-test-").partition("-")[0])]


def _is_alive(pid: str) -> bool:
    return pid.isdecimal() and os.path.exists(f"/proc/{pid}")


def _evaluate(names: list[str], body: str) -> None:
    listed = ", ".join(f'<<"{name}">>' for name in names)
    control("eval", f"[begin {body} end || H <- [{listed}]], ok.")


@contextmanager
def virtual_hosts() -> Iterator[VirtualHosts]:
    """A stock of virtual hosts that is cleared away afterwards. Skips, or fails in CI, without a server."""
    if shutil.which("rabbitmqctl") is None:
        missing("rabbitmqctl is not installed")
    try:
        control("await_startup", "--timeout", "5")
    except (subprocess.SubprocessError, OSError):
        missing("no RabbitMQ runs here that rabbitmqctl may administer")
    stock = VirtualHosts()
    try:
        yield stock
    finally:
        stock.delete()


@pytest.fixture(scope="session")
def hosts() -> Iterator[VirtualHosts]:
    with virtual_hosts() as stock:
        yield stock


@pytest.fixture
def rabbit_url(hosts: VirtualHosts) -> str:
    """A virtual host of the test's own, until the next ones are made."""
    return hosts.take()
