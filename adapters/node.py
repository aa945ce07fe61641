"""A node: one process that works events, and the doors through which others look in."""

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, field
from threading import Event, Thread
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Final, Protocol

from adapters.health import Board, Component
from adapters.letters import CODEC
from adapters.log_trail import LogTrail
from adapters.logs import Log, in_one_line
from adapters.metrics import Metrics
from adapters.profile_view import ProfileView, view_of
from adapters.readings import readings_of
from adapters.settings import Settings
from domain.calendar import SECOND
from engine.engine import Engine, EngineSettings
from engine.ports import Broker, Clock, Coordination, PolicySource, StandsStill, Store, StoreReader
from engine.service import Service
from sim.broker import BrokerSink

if TYPE_CHECKING:
    from adapters.http_server import HttpServer

FORGETTING_SECONDS: Final = 3_600.0
QUARANTINE_MAX: Final = 200
LOOK_SECONDS: Final = 1.0
COUNT_SECONDS: Final = 10.0
SAY_AGAIN_SECONDS: Final = 30.0
HTTP_STOP_SECONDS: Final = 4.0


class Mailbox(Protocol):
    """Takes in the bodies that come through this process: HTTP's, and those of an input file."""

    def offer(self, body: bytes, block: bool = False) -> "Future[None]":
        """The future is done when the body is durable. Raises `sim.broker.BrokerFull`, or waits."""


class Watched(Protocol):
    """Something that runs beside the engine, in a thread of its own."""

    def start(self) -> None:
        """Runs from now on."""

    def stop(self) -> object:
        """Runs no more."""


@dataclass(slots=True, kw_only=True)
class Parts:
    """What a node is made of, while it is put together. ``quarantined`` counts the events in quarantine, and may wait;
    ``dead_letters`` those of the doors beside the engine; ``closing`` lets go of all of it when the engine has ended,
    what came last first."""

    clock: Clock
    closing: ExitStack
    store: Store = field(init=False)
    reader: StoreReader = field(init=False)
    broker: Broker = field(init=False)
    mailbox: Mailbox = field(init=False)
    policies: PolicySource = field(init=False)
    coordination: Coordination | None = None
    sink: BrokerSink | None = None
    beside: list[Watched] = field(default_factory=list)
    components: list[Component] = field(default_factory=list)
    quarantined: Callable[[], int] | None = None
    dead_letters: Callable[[], int] = int


class Node:
    """A node, as `bootstrap.open_node` has put it together. `start` it, then `stop` it; or use it as a context."""

    def __init__(self, settings: Settings, log: Log, parts: Parts, limits: EngineSettings | None = None) -> None:
        self.settings = settings
        """Those of `LIVE` may change while it runs."""
        self.log: Final = log
        self.parts: Final = parts
        self.reader: Final = parts.reader
        self.sink: Final = parts.sink
        self.clock: Final = parts.clock
        self.engine: Final = Engine(
            parts.store,
            parts.broker,
            parts.clock,
            parts.policies,
            CODEC,
            limits or EngineSettings(active_max=settings.active_max, hold_unknown_us=settings.hold_unknown),
            parts.coordination,
            LogTrail(log),
        )
        self.service: Final = Service(self.engine, parts.broker, parts.clock, self._failed, self._delayed)
        self._quarantined: int | None = None
        self.board: Final = Board(
            [
                Component("engine", self.service.failing, is_vital=True),
                Component("intake", self._unready),
                *parts.components,
            ]
        )
        self.metrics: Final = Metrics(
            lambda: readings_of(self.engine, parts.clock, parts.dead_letters()),
            self.board,
            parts.store.shards,
            lambda: self._quarantined,
        )
        self.http: HttpServer | None = None
        self._failures = 0
        self._said = ""
        self._say_again_at = 0.0
        self._stopping: Final = Event()
        self._housekeeper: Final = Thread(target=self._keep_house, name="housekeeping", daemon=True)

    def start(self) -> None:
        """Works from now on, in threads of its own; returns at once."""
        self.service.start()
        for each in self.parts.beside:
            each.start()
        self._housekeeper.start()
        if self.http is not None:
            self.http.start()
            self.log.info("HTTP answers", url=self.http.url)

    def wait(self, stopping: Event) -> None:
        """Returns when ``stopping`` is set, or when the engine has ended by itself."""
        while not stopping.wait(0.2) and self.service.failure is None:
            pass

    def stop(self) -> bool:
        """Answers what is under way, finishes what was begun, lets go of everything; False where that takes longer than
        ``drain``.

        What waits in the broker is not worked any more: whoever offered it was not answered, and offers it again.
        """
        if self._stopping.is_set():
            return True
        self._stopping.set()
        deadline = monotonic() + self.settings.drain / SECOND
        ended = self.http is None or self.http.stop(HTTP_STOP_SECONDS)
        # All at once: with a broker that does not answer, each of them waits as long as it may.
        beside = [Thread(target=each.stop, name="stopping", daemon=True) for each in self.parts.beside]
        for each in beside:
            each.start()
        drained = self.service.stop(max(0.0, deadline - monotonic()))
        for each in (*beside, self._housekeeper):
            if each.is_alive():
                each.join(max(0.0, deadline - monotonic()))
        if not drained or any(each.is_alive() for each in beside):
            return False
        self.parts.closing.close()
        return ended

    def __enter__(self) -> "Node":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def is_working(self) -> bool:
        """Whether what is offered now will be worked: neither told to stop nor ended by itself."""
        return not self._stopping.is_set() and self.service.failure is None

    def offer(self, body: bytes, block: bool = False) -> "Future[None]":
        """Takes a body in; the future is done when it is durable. Raises `BrokerFull`, or waits."""
        return self.parts.mailbox.offer(body, block)

    def _unready(self) -> str | None:
        """Why the engine cannot work events now; None where it can, or where others have all shards."""
        if self._stopping.is_set():
            return "stopping"
        return self.service.failing() or (None if self.service.is_ready else "the engine begins")

    def profile(self, profile_id: str) -> ProfileView | None:
        """A profile as it is stored; None for one that is not known."""
        state = self.reader.state(profile_id)
        if state is None:
            return None
        return view_of(profile_id, state, self.parts.policies.current(), self.clock.now())

    def blown(self) -> list[str]:
        """The breakers that hold commands back."""
        return sorted(self.engine.blown)

    def quarantine(self) -> list[StandsStill]:
        """The profiles that stand still, those that have waited longest first."""
        return [*self.reader.quarantine(QUARANTINE_MAX)]

    def release(self, profile_id: str, actor: str) -> None:
        """Has what waits in quarantine for a profile worked again."""
        self.engine.release(profile_id, actor)

    def vote(self, breaker: str, actor: str, let_go: bool) -> None:
        """A head's voice on what a breaker holds. Raises `engine.ballot.VoteRefused`."""
        self.engine.vote(breaker, actor, let_go)

    def _keep_house(self) -> None:
        """Tells of breakers that hold commands back; counts what is in quarantine, which is a look into the store and
        so nothing for whoever asks for metrics; forgets ids of events that are too old to come again."""
        known: list[str] = []
        count_at = forget_at = 0.0
        while not self._stopping.wait(LOOK_SECONDS):
            blown = self.blown()
            for breaker in blown:
                if breaker not in known:
                    self.log.error("a breaker holds commands back until two heads have decided", breaker=breaker)
            for breaker in known:
                if breaker not in blown:
                    self.log.info("what a breaker held is decided", breaker=breaker)
            known = blown
            if monotonic() >= count_at:
                count_at = monotonic() + COUNT_SECONDS
                self._count_quarantined()
            if monotonic() >= forget_at:
                forget_at = monotonic() + FORGETTING_SECONDS
                self._forget()

    def _count_quarantined(self) -> None:
        if self.parts.quarantined is not None:
            try:
                self._quarantined = self.parts.quarantined()
            except Exception as failure:  # the board tells of a store that does not answer
                self.log.debug("what is in quarantine could not be counted", error=in_one_line(failure))

    def _forget(self) -> None:
        try:
            forgotten = self.parts.store.forget(self.clock.now() - self.settings.ids_remembered)
        except Exception as failure:
            self.log.failure("old ids could not be forgotten", failure)
        else:
            self.log.debug("old ids are forgotten", ids=forgotten)

    def _failed(self, failure: BaseException) -> None:
        self._tell("the engine begins again from the store", failure)

    def _delayed(self, failure: BaseException) -> None:
        self._tell("what is committed could not leave, and is tried again", failure)

    def _tell(self, what: str, failure: BaseException) -> None:
        """A broken world fails with every turn: the same failure is told again after a while, and how often it came."""
        self._failures += 1
        said = f"{what}: {in_one_line(failure)}"
        if said == self._said and monotonic() < self._say_again_at:
            return
        self._said, self._say_again_at = said, monotonic() + SAY_AGAIN_SECONDS
        self.log.failure(what, failure, times=self._failures)
        self._failures = 0
