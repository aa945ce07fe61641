"""The thread in which RabbitMQ's connections live, beside the engine's own."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from threading import Event, Thread
from typing import Final

from adapters.rabbit_link import Link

_STOP_SECONDS: Final = 10.0


class RabbitThread:
    """Runs links in an event loop of their own until it is stopped. A daemon: a process may end without it."""

    def __init__(self, links: Sequence[Link], name: str) -> None:
        self._links: Final = links
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._running: Final = Event()
        self._thread: Final = Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begins to connect; returns at once."""
        self._thread.start()
        self._running.wait(_STOP_SECONDS)

    def stop(self) -> None:
        """Closes the connections, what was written before included. May be called again."""
        loop, stopping = self._loop, self._stopping
        if loop is not None and stopping is not None:
            with suppress(RuntimeError):  # the loop has ended by itself
                loop.call_soon_threadsafe(stopping.set)
            self._thread.join(_STOP_SECONDS)

    def _run(self) -> None:
        asyncio.run(self._live())

    async def _live(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        running = [asyncio.ensure_future(link.run()) for link in self._links]
        self._running.set()
        try:
            await self._stopping.wait()
        finally:
            for link in running:
                link.cancel()
            await asyncio.wait(running, timeout=_STOP_SECONDS / 2)
