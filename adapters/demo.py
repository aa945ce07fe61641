"""`dms demo`: a synthetic operator feeds a real engine on an accelerated clock, and the terminal shows what it does."""

import io
import signal
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, current_thread, main_thread
from types import FrameType
from typing import TextIO

from rich.console import Console

from adapters.bootstrap import open_node, open_reader
from adapters.demo_heads import Heads
from adapters.demo_screen import Screen
from adapters.demo_summary import Summary
from adapters.demo_watch import Watch
from adapters.demo_words import spaced
from adapters.logs import open_log
from adapters.node import Node
from adapters.settings import Settings, Unusable
from domain.calendar import DAY
from engine.engine import EngineSettings
from engine.ports import OutgoingEvent
from sim.accelerated import AcceleratedClock, Pace
from sim.broker import MemoryBroker
from sim.operator import SyntheticOperator


def run_demo(
    accounts: int = 3_000,
    days: int = 120,
    seconds: float = 75.0,
    seed: int = 1,
    http: str = "127.0.0.1:8080",
    keep: Path | None = None,
    out: TextIO | None = None,
) -> int:
    """Shows ``days`` of a synthetic operator in about so many ``seconds``, then a summary; 0, also at Ctrl-C.

    The simulated time ends today. ``http`` is where the engine answers meanwhile (another port where that one is taken,
    empty for nowhere); ``keep`` is the file in which the store stays. Raises `Unusable` where that is there already.
    """
    if keep is not None and keep.exists():
        raise Unusable(f"{keep}: is there already (choose another file, or remove it)")
    stream = out if out is not None else sys.stdout
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")  # a bar that a terminal cannot show is a question mark, no failure
    console = Console(file=stream, highlight=False)
    console.print(f"A synthetic operator with {spaced(accounts)} accounts opens its books ...", style="dim")
    with tempfile.TemporaryDirectory(prefix="dms-demo-") as folder:
        store = keep.absolute() if keep is not None else Path(folder) / "demo.db"
        operator = SyntheticOperator(accounts, seed, datetime.now(UTC).date() - timedelta(days=days))
        clock = AcceleratedClock(operator.start, days * 86_400 / seconds)
        sent: deque[OutgoingEvent] = deque()
        said = io.StringIO()
        try:
            with _open(Settings(store=f"sqlite:///{store}", http=http), sent, clock, said) as node:
                watch = Watch(operator, node)
                assert isinstance(node.parts.broker, MemoryBroker), "the demo runs on the embedded parts"
                pace = Pace(clock, node.parts.broker, sent, operator, operator.start, lambda: node.service.is_ready)
                node.start()
                node.service.wait_until_caught_up(30)
                with _interruptible() as stopping:
                    _play(Screen(console, watch, pace, days), Heads(node, watch.announce), stopping)
        finally:
            for line in said.getvalue().splitlines():
                console.print(line, style="red", soft_wrap=True)
        with open_reader(node.settings) as reader:
            console.print(Summary(watch, pace, reader).picture(store if keep is not None else None, console.width))
    return 0


def _open(settings: Settings, sent: deque[OutgoingEvent], clock: AcceleratedClock, said: TextIO) -> Node:
    log = open_log("WARN", stream=said)
    # A few milliseconds of the wall's clock are minutes on this one: no timer is late for that.
    limits = EngineSettings(active_max=settings.active_max, hold_unknown_us=settings.hold_unknown, late_us=DAY)
    try:
        return open_node(settings, log=log, sink=sent.extend, clock=clock, limits=limits)
    except Unusable:
        if not settings.http:
            raise
        # Somebody listens there already, perhaps another demo: any other port will do.
        return open_node(replace(settings, http="127.0.0.1:0"), log=log, sink=sent.extend, clock=clock, limits=limits)


def _play(screen: Screen, heads: Heads, stopping: Event) -> None:
    """Steps when their time has come, and a frame now and then, until the days are over or somebody has had enough."""
    frame_at = 0.0
    with screen:
        while not screen.is_over and not stopping.is_set():
            if time.monotonic() >= frame_at:
                frame_at = time.monotonic() + screen.every_seconds
                screen.show()
            wait = screen.pace.seconds_until_next()
            if wait > 0:
                stopping.wait(min(wait, max(0.0, frame_at - time.monotonic())))
            else:
                screen.watch.see(screen.pace.step())
                heads.look(screen.pace.at)


@contextmanager
def _interruptible() -> Iterator[Event]:
    """Ctrl-C ends after the step, which is a matter of milliseconds; a second one at once."""
    stopping = Event()
    if current_thread() is not main_thread():
        yield stopping
        return
    before = signal.getsignal(signal.SIGINT)

    def stop(number: int, frame: FrameType | None) -> None:
        stopping.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, stop)
    try:
        yield stopping
    finally:
        signal.signal(signal.SIGINT, before)
