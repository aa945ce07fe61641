"""Ctrl-C: it is for the process that collects, and heard once, so that impatience loses nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from signal import (
    SIG_BLOCK,
    SIG_IGN,
    SIG_SETMASK,
    SIGINT,
    default_int_handler,
    getsignal,
    pthread_sigmask,
    raise_signal,
    signal,
)
from threading import current_thread, main_thread
from types import FrameType
from typing import NoReturn


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


@contextmanager
def heard_once() -> Iterator[None]:
    """Ctrl-C is a KeyboardInterrupt; pressed again, it is nothing until the block ends. SIGQUIT and SIGTERM stay.

    Somebody else's handling, or a process that ignores Ctrl-C as a whole, is left alone.
    """
    if current_thread() is not main_thread() or getsignal(SIGINT) is not default_int_handler:
        yield
        return

    def interrupt(_: int, frame: FrameType | None) -> NoReturn:
        signal(SIGINT, SIG_IGN)
        raise KeyboardInterrupt

    signal(SIGINT, interrupt)
    try:
        yield
    finally:
        signal(SIGINT, default_int_handler)
