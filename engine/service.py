"""The service: one engine, turning for as long as it is let, with a graceful start and stop."""

import threading
from collections.abc import Callable
from time import monotonic
from typing import Final

from domain.calendar import SECOND
from engine.engine import Engine
from engine.ports import Broker, Clock

_WAIT_SECONDS_MAX: Final = 0.5
_PAUSE_SECONDS_MAX: Final = 5.0
_COMING_SECONDS: Final = 0.1
_SILENT_SECONDS: Final = 10.0
"""What was seen to wait and has not come by then does not come: somebody else has it, or it is a dead letter now."""
_BEHIND_SECONDS_MAX: Final = 300.0
"""So long timers wait for a door that is never empty: more comes than can be split."""
_SPLIT_SECONDS: Final = 1.0
_ASK_SECONDS: Final = 0.2
_OUTBOX_MAX: Final = 1_000_000
"""Events that are committed and could not leave: with more of them, nothing more is taken in."""
_STUCK_SECONDS: Final = 120.0
"""A turn takes a fraction of a second, and a database or broker that is away is noticed within 30 s."""


class Service:
    """Runs an engine in a thread of its own.

    Messages that waited while the engine was away take effect first; only then do timers fire. A turn that fails is
    told to ``on_failure`` and begins again from the store, later each time, for as long as it takes: a process started
    anew would find the same database away, or the same broker full. Why something that is committed could not leave yet
    is told to ``on_delay``.
    """

    def __init__(
        self,
        engine: Engine,
        broker: Broker,
        clock: Clock,
        on_failure: Callable[[BaseException], None],
        on_delay: Callable[[BaseException], None],
    ) -> None:
        self.engine: Final = engine
        self.failure: BaseException | None = None
        self.turned_at: float = monotonic()
        """When the last turn ended, in seconds of `time.monotonic`: clocks on the wall may step."""
        self._broker: Final = broker
        self._clock: Final = clock
        self._on_failure: Final = on_failure
        self._on_delay: Final = on_delay
        self._stopping: Final = threading.Event()
        self._ready: Final = threading.Event()
        self._caught_up: Final = threading.Event()
        self._came_at: float = monotonic()
        # Until then what waited before the queues of shards may be on its way to them.
        self._behind_until = 0.0
        self._ask_at = 0.0
        self._thread: Final = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        """Starts the thread; returns at once."""
        self.turned_at = monotonic()
        self._thread.start()

    @property
    def is_ready(self) -> bool:
        """Whether the engine has begun and has not ended."""
        return self._ready.is_set() and self._thread.is_alive()

    def failing(self) -> str | None:
        """Why its process is not worth keeping, in one line; None where it is. May be called from any thread."""
        if self.failure is not None:
            return f"the engine has ended: {type(self.failure).__name__}"
        silent = monotonic() - self.turned_at
        if self._thread.is_alive() and silent > _STUCK_SECONDS:
            return f"the engine is stuck: no turn has ended for {silent:.0f} seconds"
        return None

    def wait_until_caught_up(self, timeout_seconds: float | None = None) -> bool:
        """Waits until nothing is left that had waited for the engine's start."""
        return self._caught_up.wait(timeout_seconds)

    def stop(self, timeout_seconds: float = 15.0) -> bool:
        """Finishes the turn and the commit in flight, then ends; False where that takes longer than the time."""
        self._stopping.set()
        self._broker.close()
        if self._thread.is_alive():
            self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def join(self, timeout_seconds: float | None = None) -> None:
        """Waits for the thread's end."""
        self._thread.join(timeout_seconds)

    def _run(self) -> None:
        try:
            self.engine.begin()
            self._ready.set()
            self._turn_until_stopped()
        except BaseException as failure:  # the thread's last words
            self.failure = failure
            self._on_failure(failure)
        finally:
            try:
                self.engine.end()
            except Exception as failure:
                self._on_failure(failure)

    def _turn_until_stopped(self) -> None:
        failures = 0
        # What waits now came while the engine was away; what comes from now on is worked with the timers.
        backlog = self._broker.backlog()
        self._came_at = monotonic()
        if self._broker.is_behind():
            self._behind_until = monotonic() + _BEHIND_SECONDS_MAX
        while not self._stopping.is_set():
            try:
                backlog = self._turn(backlog)
                failures = 0
            except Exception as failure:
                failures += 1
                self.engine.tally.restarts += 1
                self._on_failure(failure)
                self._stopping.wait(min(_PAUSE_SECONDS_MAX, 0.05 * 2 ** min(failures, 10)))
            self.turned_at = monotonic()

    def _turn(self, backlog: int) -> int:
        """One turn; returns how many of the messages that waited before the start may still be left."""
        if self.engine.tend():
            # What waits in the queues of shards that have just become ours came while nobody worked them.
            backlog = self._broker.backlog()
            self._came_at = monotonic()
        if len(self.engine.outbox) > _OUTBOX_MAX:
            self.engine.rest()  # nothing more is taken in until something has left
            return backlog
        is_behind = self._is_behind()
        deliveries = self._broker.receive(self.engine.settings.batch_max, self._wait_seconds(is_behind or backlog > 0))
        left = self._left(backlog, len(deliveries))
        if deliveries:
            self.engine.turn(deliveries, backlog=is_behind or backlog > 0)
        elif not left and not is_behind and self.engine.is_due(self._clock.now()):
            self.engine.turn(deliveries)
        else:
            self.engine.rest()
        if not left and not is_behind:
            self._caught_up.set()
        self._tell_of_what_stayed()
        return left

    def _is_behind(self) -> bool:
        """Whether what waited at the open door may still be on its way to the queues of shards."""
        now = monotonic()
        if now >= self._behind_until:
            return False
        if now >= self._ask_at:
            self._ask_at = now + _ASK_SECONDS
            if not self._broker.is_behind():
                # The last of it is being split at this very moment.
                self._behind_until = min(self._behind_until, now + _SPLIT_SECONDS)
        return True

    def _left(self, backlog: int, came: int) -> int:
        """How many of those that waited are still to come. That nothing is here yet does not say that nothing comes."""
        now = monotonic()
        if came:
            self._came_at = now
        return max(0, backlog - came) if now - self._came_at < _SILENT_SECONDS else 0

    def _tell_of_what_stayed(self) -> None:
        departure = self.engine.departure
        failure, departure.failure = departure.failure, None
        if failure is not None:
            self._on_delay(failure)

    def _wait_seconds(self, is_catching_up: bool) -> float:
        if self.engine.is_busy:
            return 0.0
        if is_catching_up:
            return _COMING_SECONDS
        until_timer = (self.engine.next_at() - self._clock.now()) / SECOND
        return max(0.0, min(_WAIT_SECONDS_MAX, until_timer))
