"""Lanes of the running system: one on a thread of its own, one that runs when it is told to."""

from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any, Final

from actors.lane import LaneStopped, Turn, WouldBlockLane, current_lane, take_turns, turn_of

# Ends a lane's FIFO. A tuple, because every turn is compared with it: 15 ns for two tuples, 40 with None.
_END: Final[Any] = ()


class ThreadLane:
    """A lane with a thread of its own, which starts with the first turn, or with `start`.

    The thread is a daemon: a lane holds nothing that is not stored, so nothing is lost when the process ends without
    `stop`. The FIFO is unbounded; those who fill it watch `depth`.
    """

    def __init__(self, name: str) -> None:
        self.name: Final = name
        self.put: Callable[[Turn], None] = self._put_first
        self._turns: Final[SimpleQueue[Turn]] = SimpleQueue()
        self._lock: Final = Lock()
        self._thread: Thread | None = None
        self._stopping = False

    def __repr__(self) -> str:
        return f"<ThreadLane {self.name}>"

    @property
    def depth(self) -> int:
        """How many turns wait."""
        return self._turns.qsize()

    def is_current(self) -> bool:
        """Whether the caller runs in a turn of this lane."""
        return current_lane() is self

    def post(self, function: Callable[..., object], *args: object) -> None:
        """Call ``function`` on the lane, after all that was put before. What it raises is logged."""
        self.put(turn_of(partial(function, *args)))

    def start(self) -> None:
        """Start the thread, unless it runs already. Raises `LaneStopped`."""
        with self._lock:
            if self._stopping:
                raise LaneStopped(f"{self} has stopped")
            if self._thread is None:
                self._thread = Thread(target=self._run, name=self.name, daemon=True)
                self._thread.start()
                # From now on a put is one call of a C function, without a test for the thread.
                self.put = self._turns.put

    def stop(self, timeout_s: float | None = None) -> bool:
        """Take the turns that wait, and those that they put, then end the thread. Whether it ended within the time.

        Afterwards `put` raises `LaneStopped`; until then it is open. Actors are not stopped: stop them first where
        their `on_stop` matters. May be called again, to wait longer. Raises `WouldBlockLane` on a lane.
        """
        if current_lane() is not None:
            raise WouldBlockLane
        with self._lock:
            if not self._stopping:
                self._stopping = True
                if self._thread is None:
                    self.put = self._refuse
                else:
                    self._turns.put(_END)
        if self._thread is None:
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _put_first(self, turn: Turn) -> None:
        self.start()
        self._turns.put(turn)

    def _refuse(self, turn: Turn) -> None:
        raise LaneStopped(f"{self} has stopped")

    def _run(self) -> None:
        take_turns(self, iter(self._turns.get, _END))
        take_turns(self, self._waiting())
        self.put = self._refuse
        # Once more for the sender that had fetched the old put and was about to call it.
        take_turns(self, self._waiting())

    def _waiting(self) -> Iterator[Turn]:
        while True:
            try:
                yield self._turns.get_nowait()
            except Empty:
                return


class InlineLane:
    """A lane without a thread: its turns are taken by whoever calls `run`, in the same order every time."""

    def __init__(self, name: str) -> None:
        self.name: Final = name
        self._turns: Final[deque[Turn]] = deque()
        self.put: Final[Callable[[Turn], None]] = self._turns.append

    def __repr__(self) -> str:
        return f"<InlineLane {self.name}>"

    @property
    def depth(self) -> int:
        """How many turns wait."""
        return len(self._turns)

    def is_current(self) -> bool:
        """Whether the caller runs in a turn of this lane."""
        return current_lane() is self

    def post(self, function: Callable[..., object], *args: object) -> None:
        """Call ``function`` in its turn. What it raises is logged."""
        self.put(turn_of(partial(function, *args)))

    def run(self, turns_max: int | None = None) -> int:
        """Take turns until none wait, those put meanwhile included, or ``turns_max`` were taken. How many were taken.

        Raises `WouldBlockLane` within a turn of any lane: turns do not nest.
        """
        if current_lane() is not None:
            raise WouldBlockLane
        taken = 0

        def waiting() -> Iterator[Turn]:
            nonlocal taken
            while self._turns and (turns_max is None or taken < turns_max):
                taken += 1
                yield self._turns.popleft()

        take_turns(self, waiting())
        return taken
