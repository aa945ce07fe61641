"""`dms run` on a clock that is some days ahead, so that what comes due then is due now.

python -m benchmarks.node_ahead DAYS
"""

import signal
import sys
import time
from pathlib import Path
from threading import Event

from adapters.bootstrap import open_node
from adapters.settings import load_settings
from adapters.system_clock import SystemClock
from domain.calendar import DAY


class ClockAhead(SystemClock):
    """The system's clock, put forward."""

    def __init__(self, ahead_us: int) -> None:
        super().__init__()
        self._ahead_us = ahead_us

    def now(self) -> int:
        """The instant that it will be."""
        return max(time.time_ns() // 1_000 + self._ahead_us, self._last)

    def stamp(self, recorded: int | None) -> int:
        """The instant that an event that comes now will have."""
        self._last = max(time.time_ns() // 1_000 + self._ahead_us, self._last + 1)
        return self._last


def main() -> None:
    stopping = Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    clock = ClockAhead(int(float(sys.argv[1]) * DAY))
    with open_node(load_settings(Path("dms.toml")), clock=clock) as node:
        node.start()
        node.wait(stopping)


if __name__ == "__main__":
    main()
