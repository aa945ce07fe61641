"""Python's garbage collector, kept from looking through all profiles again and again.

A full collection visits every object: 120 ms among 20,000 profiles, most of a second among 200,000, in which no thread
moves. Profiles are no garbage, and nothing of the engine makes cycles. So what has come since the last look is gone
through twice a second and then put aside (`gc.freeze`), where counting references frees it all the same. Once a day
everything is gone through, for cycles that were put aside alive.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from time import monotonic
from typing import Final

_LOOK_SECONDS: Final = 0.5
_ALL_SECONDS: Final = 86_400.0
_THRESHOLDS: Final = (10_000, 20, 1_000_000_000)
"""The last one: no full collection ever by itself."""


@contextmanager
def collected_in_passing() -> Iterator[None]:
    """For a process that holds profiles for long; afterwards all is as it was before."""
    before = gc.get_threshold()
    stopping = Event()
    thread = Thread(target=_collect, args=(stopping,), name="collector", daemon=True)
    gc.set_threshold(*_THRESHOLDS)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()
        gc.unfreeze()
        gc.set_threshold(*before)


def _collect(stopping: Event) -> None:
    all_at = monotonic() + _ALL_SECONDS
    while not stopping.wait(_LOOK_SECONDS):
        if monotonic() >= all_at:
            all_at += _ALL_SECONDS
            gc.unfreeze()
        gc.collect()
        gc.freeze()
