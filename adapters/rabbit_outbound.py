"""What goes to RabbitMQ: persistent, mandatory, confirmed, many under way at once."""

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from threading import Event
from time import monotonic
from typing import Final

from pamqp.header import ContentHeader

from adapters.rabbit_frames import (
    ACK,
    BODY,
    HEADER,
    METHOD,
    NACK,
    RETURN,
    SHORT_MAX,
    long_long,
    method_id,
    publish,
)
from adapters.rabbit_link import RabbitUnavailable, RabbitWatch, Session
from adapters.rabbit_parcels import Parcel
from adapters.rabbit_topology import OUT, declare

_WINDOW: Final = 2_000
_WINDOW_BYTES: Final = 4 * 1024 * 1024
_RETURN_REST_SECONDS: Final = 1.0


class Flight:
    """Parcels that were handed over together, and what became of them."""

    def __init__(self, parcels: Sequence[Parcel]) -> None:
        self.parcels: Final = parcels
        self.ready: Final[deque[Parcel]] = deque(parcel for parcel in parcels if not parcel.waits)
        self.under_way = 0
        self.confirmed: Final[list[Parcel]] = []
        self.failures: Final[list[str]] = []
        """Why some did not leave, in words."""
        self.answers = 0
        """How many were answered, either way."""
        self.landed: Final = Event()
        self.is_abandoned = False

    @property
    def is_complete(self) -> bool:
        """Whether everything was confirmed."""
        return len(self.confirmed) == len(self.parcels)


class Outbound:
    """Publishes over one connection and one channel, and declares the topology each time it is made.

    `send` may be called from any thread, by several at once; the rest belongs to the loop's thread.
    """

    def __init__(self, shards: int, confirm_seconds: float, watch: RabbitWatch) -> None:
        self.published = 0
        self.confirmed = 0
        self.returned = 0
        self.refused = 0
        self._shards: Final = shards
        self._confirm_seconds: Final = confirm_seconds
        self._watch: Final = watch
        self._session: Session | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._channel = 0
        self._frame_max = 0
        self._last_number = 0
        self._unconfirmed: Final[dict[int, tuple[Parcel, Flight]]] = {}
        self._bytes = 0
        self._flights: Final[deque[Flight]] = deque()
        self._resting: dict[tuple[str, str], float] = {}
        self._returning = False
        self._return_left = 0
        self._answered: list[tuple[Parcel, Flight, bool]] = []

    def resting(self, exchange: str) -> frozenset[str]:
        """Routing keys that had no queue a moment ago: not worth another attempt yet."""
        resting = self._resting
        if not resting:
            return frozenset()
        now = monotonic()
        self._resting = {key: until for key, until in resting.items() if until > now}
        return frozenset(key for name, key in self._resting if name == exchange)

    def send(self, parcels: Sequence[Parcel]) -> Flight:
        """Sends the parcels and waits until each is confirmed, refused, returned, or nothing was heard for too long.

        The flight says which were confirmed. Raises `RabbitUnavailable` where nothing could even be tried.
        """
        flight = Flight(parcels)
        loop, session = self._loop, self._session
        if loop is None or session is None:
            raise RabbitUnavailable("there is no connection to RabbitMQ")
        if session.is_blocked:
            raise RabbitUnavailable("RabbitMQ takes nothing in just now: it is short of memory or disk")
        if not parcels:
            return flight
        loop.call_soon_threadsafe(self._launch, flight)
        answers = -1
        while not flight.landed.wait(self._confirm_seconds):
            if flight.answers == answers or session.is_blocked:
                loop.call_soon_threadsafe(self._abandon, flight, session)
                flight.landed.wait(self._confirm_seconds)
                break
            answers = flight.answers
        return flight

    # In the loop's thread.

    async def attach(self, session: Session) -> None:
        """Declares the topology and opens the channel."""
        topology = session.connection.channel(publisher_confirms=False)
        async with topology:
            await declare(topology, self._shards)
        channel = await session.channel(confirms=True)
        channel.closing.add_done_callback(lambda _: session.give_up("RabbitMQ closed the channel we publish on"))
        assert channel.number is not None
        self._channel = channel.number
        self._frame_max = session.frame_max
        self._last_number = 0
        session.reader.taps[channel.number] = self
        self._loop = asyncio.get_running_loop()
        self._session = session

    def detach(self, reason: str) -> None:
        """What was under way is in doubt: it was not confirmed, and will be sent again."""
        self._session = None
        self._unconfirmed.clear()
        self._answered.clear()
        self._returning = False
        self._bytes = 0
        for flight in self._flights:
            flight.failures.append(reason)
            flight.landed.set()
        self._flights.clear()

    async def tick(self) -> None:
        """Nothing is due."""

    def _launch(self, flight: Flight) -> None:
        if self._session is None:
            flight.failures.append("there is no connection to RabbitMQ")
            flight.landed.set()
            return
        self._flights.append(flight)
        self._pump()

    def _abandon(self, flight: Flight, session: Session) -> None:
        """Too long without an answer. What was sent may have arrived all the same."""
        if flight.landed.is_set():
            return
        flight.is_abandoned = True
        flight.failures.append(
            "RabbitMQ takes nothing in just now: it is short of memory or disk"
            if session.is_blocked
            else f"RabbitMQ confirmed nothing for {self._confirm_seconds:g} s"
        )
        with suppress(ValueError):
            self._flights.remove(flight)
        flight.landed.set()
        if not session.is_blocked and session is self._session:
            session.give_up(flight.failures[-1])

    def _pump(self) -> None:
        """Sends what may leave, as far as the window has room."""
        session = self._session
        if session is None:
            return
        frames: list[bytes] = []
        unconfirmed = self._unconfirmed
        for flight in list(self._flights):
            ready = flight.ready
            while ready and len(unconfirmed) < _WINDOW and self._bytes < _WINDOW_BYTES:
                parcel = ready.popleft()
                if len(parcel.routing_key.encode()) > SHORT_MAX:
                    self._no_receiver(parcel, flight)
                    continue
                self._last_number += 1
                if not parcel.message_id:
                    parcel.message_id = str(self._last_number).encode()
                unconfirmed[self._last_number] = parcel, flight
                self._bytes += len(parcel.body)
                flight.under_way += 1
                frames.append(
                    publish(
                        self._channel,
                        parcel.exchange,
                        parcel.routing_key,
                        parcel.body,
                        parcel.content_type,
                        parcel.message_id,
                        self._frame_max,
                        parcel.header,
                    )
                )
            if not ready and not flight.under_way:
                self._flights.remove(flight)
                flight.landed.set()
        if frames:
            self.published += len(frames)
            session.write(b"".join(frames))

    def frame(self, kind: int, data: bytes, start: int, stop: int) -> bool:
        """Confirmations and returned messages are ours, everything else is the library's."""
        if kind == METHOD:
            method = method_id(data, start)
            if method in (ACK, NACK):
                self._answer(long_long(data, start + 4), bool(data[start + 12] & 1), method == ACK)
                return True
            self._returning = method == RETURN
            return self._returning
        if not self._returning:
            return False
        if kind == HEADER:
            self._came_back(data[start:stop])
            self._return_left = long_long(data, start + 4)
        elif kind == BODY:
            self._return_left -= stop - start
        self._returning = self._return_left > 0
        return True

    def _answer(self, number: int, multiple: bool, is_good: bool) -> None:
        unconfirmed = self._unconfirmed
        if not multiple:
            entry = unconfirmed.pop(number, None)
            if entry is not None:
                self._answered.append((*entry, is_good))
            return
        for each in _up_to(unconfirmed, number):
            self._answered.append((*unconfirmed.pop(each), is_good))

    def _came_back(self, header: bytes) -> None:
        """RabbitMQ returns a message before it confirms it; its id says which one it is."""
        content = ContentHeader()
        content.unmarshal(header)
        name = (content.properties.message_id or "").encode()
        for parcel, _ in self._unconfirmed.values():
            if parcel.message_id == name and not parcel.is_returned:
                parcel.is_returned = True
                return

    def flush(self) -> None:
        """Settles what was answered, and sends what waited for that."""
        answered, self._answered = self._answered, []
        for parcel, flight, is_good in answered:
            self._bytes -= len(parcel.body)
            flight.under_way -= 1
            flight.answers += 1
            if parcel.is_returned:
                self._no_receiver(parcel, flight)
            elif not is_good:
                self.refused += 1
                flight.failures.append(f"RabbitMQ refused a message for {parcel.routing_key!r}")
                self._watch.refused(parcel.exchange, parcel.routing_key)
            else:
                self.confirmed += 1
                flight.confirmed.append(parcel)
                if parcel.then is not None and not flight.is_abandoned:
                    for later in parcel.then:
                        later.waits -= 1
                        if not later.waits:
                            flight.ready.append(later)
        if answered:
            self._pump()

    def _no_receiver(self, parcel: Parcel, flight: Flight) -> None:
        self.returned += 1
        flight.failures.append(f"no queue is bound to {parcel.exchange} for {parcel.routing_key!r}")
        key = parcel.exchange, parcel.routing_key
        now = monotonic()
        if self._resting.get(key, 0.0) < now:
            self._watch.unroutable(*key)
        self._resting = {**self._resting, key: now + _RETURN_REST_SECONDS}
        if self._session is not None and parcel.exchange != OUT:
            self._session.give_up(f"the queue for {parcel.routing_key!r}, which is ours, is gone: it is declared anew")


def _up_to(numbers: dict[int, tuple[Parcel, Flight]], last: int) -> list[int]:
    found: list[int] = []
    for number in numbers:
        if number > last:
            break
        found.append(number)
    return found
