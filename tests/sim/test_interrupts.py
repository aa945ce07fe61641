"""Ctrl-C and processes: those that are started never hear it, who started them does."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from signal import SIG_BLOCK, SIG_IGN, SIGINT, getsignal, pthread_sigmask, raise_signal, signal
from threading import Thread

import pytest

from sim.interrupts import heard_once, unheard


def is_deaf() -> bool:
    """Whether this process holds Ctrl-C back."""
    return SIGINT in pthread_sigmask(SIG_BLOCK, ())


def test_who_starts_within_never_hears_it() -> None:
    """From its first instruction on, and whoever started it is as before."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        with unheard():
            told = pool.submit(is_deaf)
        assert told.result()
    assert not is_deaf()


@pytest.mark.usefixtures("ctrl_c")
def test_who_starts_hears_it_afterwards() -> None:
    """Pressed within, it comes at the end."""
    reached = []

    def pressed() -> None:
        with unheard():
            raise_signal(SIGINT)
            reached.append(True)

    with pytest.raises(KeyboardInterrupt):
        pressed()
    assert reached


def test_a_thread_may_start_processes_too() -> None:
    """Where nothing may be handled, what is inherited is."""
    deaf = []

    def start() -> None:
        with unheard():
            deaf.append(is_deaf())

    thread = Thread(target=start)
    thread.start()
    thread.join()
    assert deaf == [True]


@pytest.mark.usefixtures("ctrl_c")
def test_it_is_heard_once() -> None:
    """The second press is nothing, and afterwards all is as before."""
    before = getsignal(SIGINT)
    with heard_once():
        with pytest.raises(KeyboardInterrupt):
            raise_signal(SIGINT)
        raise_signal(SIGINT)
    assert getsignal(SIGINT) is before


@pytest.mark.usefixtures("ctrl_c")
def test_who_ignores_it_goes_on_ignoring_it() -> None:
    """A process in the background of a shell, for one."""
    signal(SIGINT, SIG_IGN)
    with heard_once():
        raise_signal(SIGINT)
    assert getsignal(SIGINT) is SIG_IGN
