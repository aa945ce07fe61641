"""The system's clock, made to go forward only."""

import time


class SystemClock:
    """Now, in microseconds. A clock that is set back stands still until it has caught up: nothing happens twice."""

    def __init__(self) -> None:
        self._last = 0

    def now(self) -> int:
        """The current instant, never before one that was given out."""
        return max(time.time_ns() // 1_000, self._last)

    def elapsed(self) -> int:
        """Goes on while `now` stands still: the database's leases do not wait for our clock."""
        return time.monotonic_ns() // 1_000

    def stamp(self, recorded: int | None) -> int:
        """An instant of its own for each event; what the publisher says is information only."""
        self._last = max(time.time_ns() // 1_000, self._last + 1)
        return self._last

    def reach(self, instant: int) -> None:
        """Goes on from what the store has seen."""
        self._last = max(self._last, instant)
