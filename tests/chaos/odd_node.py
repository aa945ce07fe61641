"""`dms run` in a process whose clock is ahead, or in which some messages fail. Reads dms.toml of the working folder.

python -m tests.chaos.odd_node [--days-ahead D] [--fails-once SHARE] [--poison ID]
"""

import argparse
import signal
import sys
import zlib
from pathlib import Path
from threading import Event
from typing import Any

from actors import profile as profile_actor
from adapters.bootstrap import open_node
from adapters.settings import load_settings
from adapters.system_clock import SystemClock
from benchmarks.node_ahead import ClockAhead
from domain.calendar import DAY
from domain.messages import PaymentReceived
from domain.work import work

FAULT = "a fault of the test's"


class Faults:
    """Stands before the domain. ``share`` of the payments raise the first time, some of them what ends a thread; the
    ``poison`` raises always. Each is told on the standard error."""

    def __init__(self, share: float, poison: str | None) -> None:
        self._work = work
        self._share = share
        self._poison = poison
        self._failed: set[str] = set()

    def __call__(self, profile: Any, message: Any, *more: Any) -> Any:
        if isinstance(message, PaymentReceived):
            name = message.payment_id
            if name == self._poison:
                raise _told(RuntimeError("poison"))
            luck = zlib.crc32(name.encode()) / 2**32
            if luck < self._share and name not in self._failed:
                self._failed.add(name)
                raise _told(SystemExit(1) if luck < self._share / 5 else RuntimeError("once"))
        return self._work(profile, message, *more)


def _told(failure: BaseException) -> BaseException:
    print(f"{FAULT}: {failure!r}", file=sys.stderr, flush=True)
    return failure


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--days-ahead", type=float, default=0.0)
    parser.add_argument("--fails-once", type=float, default=0.0)
    parser.add_argument("--poison")
    options = parser.parse_args()
    if options.fails_once or options.poison:
        # Written so that mypy lets it pass: the module does not offer this name.
        vars(profile_actor)["work"] = Faults(options.fails_once, options.poison)
    stopping = Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    clock = ClockAhead(int(options.days_ahead * DAY)) if options.days_ahead else SystemClock()
    with open_node(load_settings(Path("dms.toml")), clock=clock) as node:
        node.start()
        node.wait(stopping)


if __name__ == "__main__":
    main()
