"""A clock that does not run: time is where the recorded events, or a test, have moved it."""


class TimeWentBack(Exception):
    """An event carries an earlier time than the one before it."""


class VirtualClock:
    """The twin of the system's clock. In a replay it moves with the events; a test moves it with `move_to`."""

    def __init__(self, start: int = 0) -> None:
        self._now = start
        self._set_back = 0

    def now(self) -> int:
        """The instant it stands at."""
        return self._now

    def elapsed(self) -> int:
        """Time passes with the clock; where that is set back, none does."""
        return self._now + self._set_back

    def stamp(self, recorded: int | None) -> int:
        """Moves to ``recorded`` and returns it. Raises `TimeWentBack`; an event without a time happens now."""
        if recorded is not None:
            if recorded < self._now:
                raise TimeWentBack(f"{recorded} is before {self._now}")
            self._now = recorded
        return self._now

    def reach(self, instant: int) -> None:
        """Moves forward to ``instant``; never back."""
        self._now = max(self._now, instant)

    def move_to(self, instant: int) -> None:
        """Moves to any instant, backwards too."""
        self._set_back += max(0, self._now - instant)
        self._now = instant
