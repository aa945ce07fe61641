"""A process of a replay that several share (`adapters.replay_crew`), and the end of it that the others hold."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from errno import ECHILD
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pickle import loads
from typing import Any, Final, cast

from actors.errand import Errand
from actors.manager import Note
from adapters.cloud_events import decode
from adapters.replay import Replay, asks_desks
from domain.messages import ManagerChosen
from domain.policy import Policy
from engine.desks import Desks
from engine.envelope import Envelope
from engine.lanes import ThreadLane
from engine.tally import Tally

Told = tuple[int, str, bytes]
"""An outgoing event: when, whose, and its bytes."""
Notes = list[tuple[str, Note]]
"""For the desks, each with its service segment."""
Answers = dict[str, list[ManagerChosen]]
"""The desks' answers, by profile."""

_GONE: Final = (EOFError, BrokenPipeError, ConnectionResetError)


class Player:
    """The process as whoever started it has it."""

    def __init__(
        self, process: SpawnProcess, connection: Connection, meanwhile: Callable[[Callable[[], bool]], None]
    ) -> None:
        """``meanwhile`` is told whenever we wait for it, with what says whether we still do."""
        self._process: Final = process
        self._connection: Final = connection
        self._meanwhile: Final = meanwhile

    def tell(self, message: object) -> None:
        """Sends it a turn, ``(before, bodies)``, or the answers to its notes."""
        try:
            self._connection.send(message)
        except _GONE:
            self._is_gone()

    def said(self) -> Any:
        """What it says next. Raises what it has raised."""
        self._meanwhile(lambda: not self._connection.poll())
        try:
            said = self._connection.recv()
        except _GONE:
            self._is_gone()
        if isinstance(said, Exception):
            raise said
        return said

    def finished(self) -> Tally:
        """There are no more turns; what it has counted."""
        self.tell(None)
        tally: Tally = self.said()
        return tally

    def dismiss(self, seconds: float) -> None:
        """It ends, whatever it does."""
        self._connection.close()
        if self._process.pid is not None:
            self._process.terminate()
            self._process.join(seconds)

    def _is_gone(self) -> None:
        raise ChildProcessError(ECHILD, "a process of the replay was ended from outside (is there memory enough?)")


class DesksAfar(Desks):
    """The desks as the process has them: at the other end of its connection, where there are any to be asked."""

    connection: Connection | None = None

    def tell(self, worked: Iterable[Errand], until: int) -> Answers:
        """Sends what happened, and waits for the answers to our profiles."""
        if self.connection is None:
            return {}
        self._collect(worked)
        self.connection.send(self.take_away())
        return cast(Answers, self.connection.recv())


def play(connection: Connection, parcel: bytes, confirm: bool) -> None:
    """The process's life: turns in, outgoing events out, until there are no more."""
    with suppress(*_GONE):
        try:
            _play(connection, loads(parcel), confirm)
        except _GONE:
            raise
        except Exception as failure:
            connection.send(failure)


def _play(connection: Connection, policy: Policy, confirm: bool) -> None:
    def make_desks(lane: ThreadLane, policy: Policy, keeps: bool, _: object) -> Desks:
        desks = DesksAfar(lane, policy, keeps, lambda _: False)
        desks.connection = connection if asks_desks(policy) else None
        return desks

    replay = Replay(policy, confirm, knows_doubles=False, make_desks=make_desks)
    with replay.begun():
        while (turn := connection.recv()) is not None:
            before, bodies = turn
            events = cast(list[Envelope], [event for body in bodies for event in decode(body)])
            connection.send([(each.at, each.profile_id, each.body) for each in replay.turn(events, before)])
        connection.send(replay.tally)
