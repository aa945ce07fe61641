"""Free ports on this machine, for servers that are killed and come back."""

import random
import socket
from typing import Final

_RANGE: Final = range(20_000, 32_000)
"""Below those from which the system takes a client's own port. A client that tries to reach a server that is away could
be given the server's port: it would be connected to itself, and the server could not come back."""


def free_port() -> int:
    """A port that nobody listens on just now."""
    while True:
        port = random.SystemRandom().choice(_RANGE)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
