"""Ctrl-C among processes: it is for the one that collects."""

from collections.abc import Iterator
from contextlib import contextmanager
from signal import SIG_BLOCK, SIG_SETMASK, SIGINT, getsignal, pthread_sigmask, raise_signal, signal
from threading import current_thread, main_thread


@contextmanager
def unheard() -> Iterator[None]:
    """Processes that start within never hear Ctrl-C, not even while they import; who starts them hears it afterwards.

    A pool starts its processes when work is submitted: create it before, submit within.
    """
    pressed: list[int] = []
    handles = current_thread() is main_thread()  # others cannot, and are not interrupted
    before = getsignal(SIGINT)
    if handles:
        signal(SIGINT, lambda number, _: pressed.append(number))  # a thread of some library's may still be hit
    mask = pthread_sigmask(SIG_BLOCK, {SIGINT})  # which a process inherits
    try:
        yield
    finally:
        pthread_sigmask(SIG_SETMASK, mask)
        if handles:
            signal(SIGINT, before)
    if pressed:
        raise_signal(SIGINT)
