"""A thread that looks at something whenever it may have changed, and every few seconds whether it may or not."""

from collections.abc import Callable
from threading import Event, Thread, current_thread
from typing import Final

FAILED_SECONDS: Final = 1.0
"""After a look that failed, the next one comes so much later."""


class Unreachable(Exception):
    """What is looked at did not answer: what was asked of it may have been done or not."""


class Lookout:
    """Calls ``look`` from one thread; what it returns is the number of seconds after which it wants to look again.

    ``poke`` may be called from anywhere, a library's own thread or a state listener included: it only sets a flag.
    """

    def __init__(self, name: str, look: Callable[[], float], failed: Callable[[Exception], None]) -> None:
        self._look: Final = look
        self._failed: Final = failed
        self._poked: Final = Event()
        self._stopping: Final = Event()
        self._thread: Final = Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Looks for the first time, and from then on."""
        self._thread.start()

    def poke(self, *_: object) -> None:
        """Something may have changed."""
        self._poked.set()

    def stop(self, seconds: float = 5.0) -> None:
        """Looks no more; a look that is under way is waited for, but not for ever."""
        self._stopping.set()
        self._poked.set()
        if self._thread.is_alive() and self._thread is not current_thread():
            self._thread.join(seconds)

    @property
    def is_stopping(self) -> bool:
        """Whether it was told to stop."""
        return self._stopping.is_set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            # Cleared before the look: a poke during it leads to another one.
            self._poked.clear()
            try:
                seconds = self._look()
            except Exception as failure:  # a lookout that died would leave an old world without a word
                self._failed(failure)
                seconds = FAILED_SECONDS
            self._poked.wait(seconds)
