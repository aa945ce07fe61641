"""A road to a server that can be cut, slowed down, or lead nowhere. Knows nothing of what travels on it."""

import contextlib
import socket
import threading
import time
from types import TracebackType
from typing import Final

_CHUNK: Final = 65_536


class Proxy:
    """Listens on a free port of this machine and passes bytes to ``host:port`` and back, for any number of connections.

    The switches may be set at any time and hold for all connections, old and new:

    - `delay_seconds`: each chunk is held for so long, both ways;
    - `swallows_answers`: what the server says vanishes, what the client says arrives;
    - `is_black_hole`: nothing arrives anywhere, and nothing is closed: neither side hears of the other again;
    - `refuses`: new connections are closed at once.
    """

    def __init__(self, host: str, port: int) -> None:
        self.delay_seconds = 0.0
        self.swallows_answers = False
        self.is_black_hole = False
        self.refuses = False
        self.passed_bytes = 0
        self.swallowed_bytes = 0
        self._target: Final = host, port
        self._listener: Final = socket.create_server(("127.0.0.1", 0))
        self.port: Final = int(self._listener.getsockname()[1])
        self._open: Final[list[socket.socket]] = []
        self._lock: Final = threading.Lock()
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()

    def __enter__(self) -> "Proxy":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def cut(self) -> int:
        """Ends all connections at once, as a cable does that is pulled and plugged in again; how many there were."""
        with self._lock:
            ended = self._open.copy()
            self._open.clear()
        for each in ended:
            with contextlib.suppress(OSError):
                # A reset, not a polite end.
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        return len(ended) // 2

    def heal(self) -> None:
        """All switches off; a connection that lost bytes is cut, for it is of no use any more."""
        lost = self.is_black_hole or self.swallows_answers
        self.delay_seconds = 0.0
        self.swallows_answers = self.is_black_hole = self.refuses = False
        if lost:
            self.cut()

    def close(self) -> None:
        """Nobody comes through any more."""
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.refuses:
                client.close()
                continue
            try:
                server = socket.create_connection(self._target, timeout=5.0)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            with self._lock:
                self._open.extend((client, server))
            threading.Thread(target=self._pass, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self._pass, args=(server, client, True), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, is_answer: bool) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(_CHUNK):
                if self.delay_seconds:
                    time.sleep(self.delay_seconds)
                if self.is_black_hole or (is_answer and self.swallows_answers):
                    self.swallowed_bytes += len(chunk)
                    continue
                target.sendall(chunk)
                self.passed_bytes += len(chunk)
        if self.is_black_hole:
            return  # that the other side has gone is not heard either
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
