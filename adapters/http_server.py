"""The HTTP server: uvicorn in a thread with an event loop of its own, on an address that is known to be free."""

import ipaddress
import socket
from threading import Thread
from typing import Final

import uvicorn
from litestar import Litestar

from adapters.http import Inside, Limits, create_app, stop_taking
from adapters.logs import Log, in_one_line
from adapters.settings import Unusable

CONNECTIONS_MAX: Final = 1_000


class HttpServer:
    """Listens from the moment it is made, so that a taken port is known at once; answers after `start`."""

    def __init__(self, address: tuple[str, int], inside: Inside, log: Log, limits: Limits | None = None) -> None:
        """Port 0 takes any that is free. Raises `Unusable`."""
        self._log: Final = log
        self._socket: Final = _listening(*address)
        host, port = self._socket.getsockname()[:2]
        self.url: Final = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        try:
            self._app: Final = create_app(inside, log, _hosts(host, port, address[0]), limits or Limits())
            self._server: Final = _server(self._app)
        except BaseException:
            self._socket.close()
            raise
        self._thread: Final = Thread(target=self._run, name="http", daemon=True)

    def start(self) -> None:
        """Answers from now on, in a thread."""
        self._thread.start()

    def stop(self, timeout_seconds: float = 5.0) -> bool:
        """Takes nothing new, answers what is under way, then ends; False where that takes longer than the time."""
        stop_taking(self._app)
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(timeout_seconds)
        self._socket.close()
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._server.run(sockets=[self._socket])
        except Exception as failure:
            self._log.failure("HTTP has ended", failure, url=self.url)


def _server(app: Litestar) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            app,
            loop="asyncio",
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=CONNECTIONS_MAX,
            timeout_graceful_shutdown=3,
        )
    )


def _hosts(host: str, port: int, named: str) -> list[str]:
    """On loopback only its own names: a web page elsewhere may have its name resolve to this address."""
    if not is_loopback(host):
        return ["*"]
    names = [f"[{host}]" if ":" in host else host, "localhost", named]
    return [f"{name}:{port}" for name in names] + names


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost"


def _listening(host: str, port: int) -> socket.socket:
    hint = 'choose another http, or http = "" for none'
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(where)
            listening.listen(1_024)
        except OSError:
            listening.close()
            raise
    except (OSError, UnicodeError) as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else in_one_line(error)
        raise Unusable(f"cannot listen at {host}:{port}: {said} ({hint})") from None
    return listening
