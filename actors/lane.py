"""The lane seam: pykka actors by the million, without a thread each.

A lane is one FIFO that one thread at a time takes turns from. An actor is pinned to its lane for life, so the actors
of a lane never run at the same time and need no locks among themselves. This module knows neither threads nor clocks:
what implements `Lane` (a thread, a test, a simulated world) decides who calls `take_turns`, and when.

This is the only module that may touch pykka's underscored names. Replies, failures and drains are pykka's own: its loop
is re-entered for one envelope, and left again when its inbox is asked for the next. Two things do not go through it:

- A plain message that was told reaches `on_receive` directly, 0.10 µs with a small handler; through the loop it would
  be 2.2 µs. Only when the handler raises is the loop entered, with that exception.
- An actor owns neither uuid4, Event nor Queue. Its URN, inbox and stopped flag are made when they are asked for.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from functools import partial
from threading import Lock
from typing import Any, ClassVar, Final, Generic, NoReturn, Protocol, Self, TypeAlias, TypeVar
from uuid import uuid4

import pykka
from pykka import ActorDeadError as ActorDeadError  # for the engine, which must not import pykka
from pykka import Timeout as Timeout
from pykka import messages
from pykka._envelope import Envelope

logger: Final = logging.getLogger("actors.lane")

T = TypeVar("T")
A = TypeVar("A", bound="LaneActor")

# Who receives, and what: a ref with a plain message, or _CALLS with a function for everything else.
Turn: TypeAlias = "tuple[LaneRef[Any] | _Calls, Any]"

# Told without a reply, these still need pykka's loop. Looking the type up costs 30 ns, pykka's four isinstance 140.
_PYKKA_MESSAGES: Final = frozenset(
    {messages._ActorStop, messages.ProxyCall, messages.ProxyGetAttr, messages.ProxySetAttr}
)

# For what happens once in an actor's life. Never held while user code runs.
_once: Final = Lock()


class Lane(Protocol):
    """One FIFO of turns, and the promise that `take_turns` gets them in order, never two of them at a time."""

    @property
    def put(self) -> Callable[[Turn], None]:
        """Appends a turn, from any thread, without waiting and without running it. Raises `LaneStopped`.

        An attribute rather than a method, so that a lane can offer the C function of its queue: 60 ns a message.
        """

    def is_current(self) -> bool:
        """Whether the caller runs in a turn of this lane: ``current_lane() is self``."""


class WouldBlockLane(RuntimeError):
    """A lane must not wait, every actor on it would: tell, and take the answer as a message."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class LaneStopped(ActorDeadError):
    """The lane of the actor takes no more turns."""


class NotOnThisLane(RuntimeError):
    """A message was handed over to an actor that lives on another lane."""


_current: Final[ContextVar[Lane | None]] = ContextVar("current_lane", default=None)


def current_lane() -> Lane | None:
    """The lane in whose turn the caller runs; None outside of lanes."""
    return _current.get()


def _refuse_to_block_a_lane() -> None:
    if _current.get() is not None:
        raise WouldBlockLane


def take_turns(lane: Lane, turns: Iterable[Turn]) -> None:
    """Let each receiver have its turn, until ``turns`` ends. Raises only what ``turns`` itself raises.

    Whatever a handler raises, ``SystemExit`` included, stops its own actor at most.
    """
    before = _current.set(lane)
    try:
        for receiver, message in turns:
            try:
                actor = receiver._actor
                if actor._lane is lane:
                    actor.on_receive(message)
                else:
                    receiver._take(message)
            except BaseException as exception:
                receiver._fail(message, exception)
    finally:
        _current.reset(before)


class _Calls:
    """Receives functions instead of messages. To `take_turns` it looks like a ref whose actor is on no lane."""

    _lane: Final = None

    @property
    def _actor(self) -> Any:
        return self

    def _take(self, function: Callable[[], object]) -> None:
        function()

    def _fail(self, function: Callable[[], object], exception: BaseException) -> None:
        logger.error("Unhandled exception in a turn of %r:", function, exc_info=exception)


_CALLS: Final = _Calls()


def turn_of(function: Callable[[], object]) -> Turn:
    """A turn that calls ``function``. What it raises is logged and harms nobody."""
    return _CALLS, function


class LaneFuture(pykka.ThreadingFuture[T], Generic[T]):
    """A future that a lane may read but not wait for: `get` raises `WouldBlockLane` there while there is no result.

    With ``timeout=0`` it does not wait, and raises `Timeout` on a lane too.
    """

    def get(self, *, timeout: float | None = None) -> Any:
        if self._result is None and self._get_hook is None and timeout != 0:
            _refuse_to_block_a_lane()
        return super().get(timeout=timeout)


class _TurnIsOver(BaseException):
    """Leaves pykka's loop where it asks for the next envelope."""


class _Crashed(BaseException):
    """Leaves pykka's loop before it goes on to stop every actor in the registry."""


class _Raised(Envelope[Any]):
    """Raises what a handler raised once more, inside pykka's loop, where the message would have been handled."""

    __slots__ = ("_exception",)

    def __init__(self, exception: BaseException) -> None:
        self.reply_to = None
        self._exception = exception

    @property
    def message(self) -> NoReturn:
        raise self._exception


class _Inbox:
    """What pykka sees of a lane: all is put into one FIFO, and only the envelope whose turn it is can be got."""

    __slots__ = ("_actor",)

    def __init__(self, actor: LaneActor) -> None:
        self._actor = actor

    def put(self, envelope: Envelope[Any]) -> None:
        actor = self._actor
        if envelope.reply_to is None and type(envelope.message) not in _PYKKA_MESSAGES:
            actor._put((actor.actor_ref, envelope.message))
        else:
            actor._put((_CALLS, partial(actor._enter_loop, envelope)))

    def get(self) -> Envelope[Any]:
        envelope, self._actor._envelope = self._actor._envelope, None
        if envelope is None:
            raise _TurnIsOver
        return envelope

    def empty(self) -> bool:
        return self._actor._envelope is None


class _Stopped:
    """What pykka sees of an actor's end: an Event that costs nothing (threading's: 1.2 KB) until someone waits."""

    __slots__ = ("_actor",)

    def __init__(self, actor: LaneActor) -> None:
        self._actor = actor

    def is_set(self) -> bool:
        return self._actor._stopped

    def set(self) -> None:
        with _once:
            first, self._actor._stopped = not self._actor._stopped, True
            self._actor._lane = None
        if first and self._actor._end is not None:
            self._actor._end.set(True)

    def wait(self, timeout: float | None = None) -> bool:
        """Whether the actor stops within ``timeout`` seconds. Raises `WouldBlockLane` on a lane, if it has not yet."""
        with _once:
            if self._actor._stopped:
                return True
            if self._actor._end is None:
                self._actor._end = LaneFuture()
        try:
            return bool(self._actor._end.get(timeout=timeout))
        except Timeout:
            return False


class LaneRef(pykka.ActorRef[A]):
    """Refers to an actor on a lane. Refs to the same actor are equal.

    A ref keeps its actor in memory, as no thread does it, even when that has stopped: drop refs to the dead.
    """

    # Although pykka's class brings a dict: one cache line less to miss is a quarter of a delivery, when 100,000 actors
    # are sent to in any order (0.40 µs, 0.54 without).
    __slots__ = ("_actor",)

    def __init__(self, actor: A) -> None:
        self._actor = actor

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LaneRef) and other._actor is self._actor

    def __hash__(self) -> int:
        return id(self._actor)

    def tell(self, message: Any) -> None:
        """Send a message without waiting. Raises `ActorDeadError` if the actor has stopped, or its lane."""
        lane = self._actor._lane
        if lane is None or type(message) in _PYKKA_MESSAGES:
            self._tell_unusual(message)
        else:
            # Not lane.put(...): Python 3.11 specialises reading an instance attribute, not calling it as a method.
            put = lane.put
            put((self, message))

    def ask(self, message: Any, *, block: bool = True, timeout: float | None = None) -> Any:
        """As in pykka, but on a lane only with ``block=False``: else raises `WouldBlockLane`, and sends nothing."""
        if block:
            _refuse_to_block_a_lane()
        return super().ask(message, block=block, timeout=timeout)

    def stop(self, *, block: bool = True, timeout: float | None = None) -> Any:
        """As in pykka, but on a lane only with ``block=False``."""
        if block:
            _refuse_to_block_a_lane()
        return super().stop(block=block, timeout=timeout)

    def _tell_unusual(self, message: Any) -> None:
        if self._actor._stopped:
            raise ActorDeadError(f"{self} not found")
        self.actor_inbox.put(Envelope(message))

    def _take(self, message: Any) -> None:
        self._actor._report(self, message, ActorDeadError(f"{self} stopped before handling the message"))

    def _fail(self, message: Any, exception: BaseException) -> None:
        self._actor._enter_loop(_Raised(exception))
        self._actor._report(self, message, exception)

    # pykka's refs keep copies of these, and a weak reference. Reading through saves 100 bytes a ref, and a cycle.

    def _actor_weakref(self) -> A:  # type: ignore[override]
        return self._actor

    actor_class = property(lambda self: self._actor.__class__)
    actor_urn = property(lambda self: self._actor.actor_urn)
    actor_inbox = property(lambda self: _Inbox(self._actor))
    actor_stopped = property(lambda self: _Stopped(self._actor))


def _register(ref: LaneRef[Any]) -> None:
    # pykka's register writes a line to the log even when none is kept, and for it makes the URN: 5 µs of a start's 7.
    if logging.getLogger("pykka").isEnabledFor(logging.DEBUG):
        pykka.ActorRegistry.register(ref)
    else:
        with pykka.ActorRegistry._actor_refs_lock:
            pykka.ActorRegistry._actor_refs.append(ref)


class _Urn:
    """Makes an actor's URN when it is first asked for: uuid4 costs 3 µs, more than the rest of a start."""

    def __get__(self, actor: LaneActor | None, owner: type) -> Any:
        if actor is None:
            return self
        with _once:
            if actor._urn is None:
                actor._urn = uuid4().urn
        return actor._urn


class LaneActor(pykka.Actor):
    """An actor that shares its lane with others. Its lane is the class attribute `lane`, or the keyword of `start`.

    As in pykka: what a handler raises goes to the one who asked and the actor lives on; on `tell`, the actor stops
    after `on_failure`. Other than in pykka: ``SystemExit`` and its like stop this actor alone (with `on_stop`), and
    what was told to an actor that has stopped is reported to `undelivered`.
    """

    lane: Lane
    """The lane it lives on, also after it has stopped."""

    registered: ClassVar[bool] = True
    """Whether `start` enters it in pykka's `ActorRegistry`, a list: 9 ms a look-up, and a stop, among 100,000 actors.

    Set it to False where there are many; whoever starts them keeps the refs.
    """

    # Where it takes plain messages: its lane while it lives, None before and after. One test for both on the hot path.
    _lane: Lane | None = None
    _stopped = False
    _envelope: Envelope[Any] | None = None
    _early: tuple[Turn, ...] = ()
    _end: LaneFuture[bool] | None = None
    _urn: str | None = None

    actor_urn = _Urn()
    actor_inbox = property(_Inbox)
    actor_stopped = property(_Stopped)

    @property
    def actor_ref(self) -> LaneRef[Self]:
        return LaneRef(self)

    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        """Takes anything, as pykka's does, and has nothing to set up."""

    @classmethod
    def start(cls, *args: Any, lane: Lane | None = None, **kwargs: Any) -> LaneRef[Self]:
        """Start an actor on ``lane``, by default the class's; the other arguments go to the constructor.

        `on_start` has a turn of its own on the lane; what the constructor tells the actor itself comes after that.
        """
        lane = lane or getattr(cls, "lane", None)
        if lane is None:
            raise TypeError(f"{cls.__name__} has no lane: set the class attribute, or start(lane=...)")
        actor = cls.__new__(cls)
        actor.lane = lane
        actor.__init__(*args, **kwargs)  # type: ignore[misc]
        ref = LaneRef(actor)
        if cls.registered:
            _register(ref)
        actor._start_actor_loop()
        return ref

    def hand_over(self, deliveries: Sequence[tuple[LaneRef[Any], Any]]) -> None:
        """Send each message to its actor on this lane, all in one turn: a third of the cost of telling each.

        They are handled after everything that was sent before, in their order, with nothing in between; the sequence
        must not be changed afterwards. What its actor did not handle to the end goes to `undelivered` in that order,
        and the others go on. To act when all are done, tell yourself next. Not for pykka's own messages.
        """
        self._put((_CALLS, partial(self._deliver, deliveries)))

    def undelivered(self, ref: LaneRef[Any], message: Any, exception: BaseException) -> None:
        """Called for each message that ``ref`` did not handle to its end, with the reason: what its handler raised,
        `ActorDeadError` when it had stopped before, `NotOnThisLane`.

        For what was handed over it is called on the actor that did so; for what was told, on the receiver itself,
        which has stopped by then. Asks are not reported: who asked gets the exception. The default logs a warning,
        without the content of the message, which may be personal.
        """
        logger.warning("%s did not handle a %s: %s", ref, type(message).__name__, type(exception).__name__)

    @staticmethod
    def _create_actor_inbox() -> NoReturn:
        raise NotImplementedError("a lane actor's inbox is made when it is asked for")

    @staticmethod
    def _create_future() -> LaneFuture[Any]:
        return LaneFuture()

    def _start_actor_loop(self) -> None:
        with _once:
            # Most actors have no on_start, and then no first turn either: a million of them are 0.5 s.
            if self._early or type(self).on_start is not pykka.Actor.on_start:
                self.lane.put((_CALLS, partial(self._begin, self._early)))
            self._lane = self.lane

    def _begin(self, early: Iterable[Turn]) -> None:
        with _once:
            pass  # By then _start_actor_loop is done, on its thread, and the actor takes messages.
        try:
            self._actor_loop_setup()
        except BaseException:
            self._handle_failure(*sys.exc_info())
        take_turns(self.lane, early)

    def _put(self, turn: Turn) -> None:
        """Put a turn of this actor into its lane; before it has started, keep it until then."""
        with _once:
            if self._lane is None and not self._stopped:
                self._early = (*self._early, turn)
                return
        self.lane.put(turn)

    def _deliver(self, deliveries: Iterable[tuple[LaneRef[Any], Any]]) -> None:
        lane = self.lane
        for ref, message in deliveries:
            actor = ref._actor
            if actor._lane is lane:
                try:
                    actor.on_receive(message)
                except BaseException as exception:
                    actor._enter_loop(_Raised(exception))
                    self._report(ref, message, exception)
            elif actor._stopped:
                self._report(ref, message, ActorDeadError(f"{ref} stopped before handling the message"))
            else:
                self._report(ref, message, NotOnThisLane(f"{ref} is not on the lane of {self}"))

    def _report(self, ref: LaneRef[Any], message: Any, exception: BaseException) -> None:
        try:
            self.undelivered(ref, message, exception)
        except BaseException as raised:
            # Then the one whose hook it is has failed too, and the rest of a batch must go on all the same.
            if self._stopped:
                self._handle_failure(type(raised), raised, raised.__traceback__)
            else:
                self._enter_loop(_Raised(raised))

    def _enter_loop(self, envelope: Envelope[Any]) -> None:
        """Let pykka handle one envelope, or answer it in place of an actor that has stopped."""
        self._envelope = envelope
        try:
            if not self._stopped:
                self._actor_loop_running()
        except _TurnIsOver:
            return
        except _Crashed:
            self._envelope = envelope
        except BaseException:
            # on_stop or on_failure raised what pykka does not catch there.
            self._envelope = envelope
            self._handle_failure(*sys.exc_info())
        self._actor_loop_teardown()

    def _handle_receive(self, message: Any) -> Any:
        if isinstance(message, messages._ActorStop):
            return super()._stop()
        return super()._handle_receive(message)

    def _stop(self) -> NoReturn:
        """Called by pykka's loop alone, after a BaseException; what it would do next is stop all registered actors."""
        super()._stop()
        raise _Crashed
