"""HTTP: events in, answered only when they are durable; health; a profile with what comes next and why.

The application (Litestar); `adapters.http_server` serves it. There is no sign-in here: the door is for loopback, or for
a network in which everybody may post events.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, Final, Protocol, TypeVar

from litestar import Litestar, Request, Response, get, post, put
from litestar.config.allowed_hosts import AllowedHostsConfig
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.params import JSONBody, Parameter
from msgspec import Struct

from adapters.cloud_events import decode, rfc3339
from adapters.faults import one_of
from adapters.health import Board
from adapters.logs import Log
from adapters.metrics import Metrics
from adapters.profile_view import ProfileView
from engine.ballot import VoteRefused
from engine.envelope import Envelope, Unreadable
from engine.ports import StandsStill
from sim.broker import BrokerFull

T = TypeVar("T")

CONTENT_TYPES: Final = ("application/cloudevents+json", "application/cloudevents-batch+json", "application/json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """A number on everything. ``in_flight_bytes`` is of all bodies that wait to become durable together, and with that
    of what one turn of the engine may have to work."""

    body_bytes: int = 1 << 20
    in_flight_bytes: int = 16 << 20
    durable_seconds: float = 30.0
    answer_seconds: float = 2.0


class Inside(Protocol):
    """What the doors need of a running node. All but ``offer`` may block for as long as the store does."""

    def offer(self, body: bytes) -> "Future[None]":
        """Takes a body in; the future is done when it is durable. Raises `BrokerFull`."""

    @property
    def board(self) -> Board:
        """What the node is made of, and whether it works."""

    @property
    def metrics(self) -> Metrics:
        """What it shows to Prometheus."""

    def profile(self, profile_id: str) -> ProfileView | None:
        """A profile as it is stored; None for one that is not known."""

    def blown(self) -> list[str]:
        """The breakers that hold commands back."""

    def quarantine(self) -> list[StandsStill]:
        """The profiles that stand still, those that have waited longest first; `QUARANTINE_MAX` of them at most."""

    def release(self, profile_id: str, actor: str) -> None:
        """Has what waits in quarantine for a profile worked again."""

    def vote(self, breaker: str, actor: str, let_go: bool) -> None:
        """A head's voice on what a breaker holds. Raises `engine.engine.VoteRefused`."""


class Taken(Struct, frozen=True):
    """The events of a body are durable. ``unreadable`` elements of a batch went to the dead letters."""

    events: int
    unreadable: int


class Vote(Struct, frozen=True, forbid_unknown_fields=True):
    """``actor`` is a head or administrator; two who agree let what is held go, or withdraw it."""

    actor: str
    let_go: bool


class Still(Struct, frozen=True):
    """A profile in quarantine: its events wait until somebody has them worked again. ``reason`` is the kind of failure
    of the first of them; the log of that instant has more."""

    profile: str
    events: int
    since: str
    reason: str


class Quarantine(Struct, frozen=True):
    """Those that have waited longest first; the metric ``dms_quarantined`` counts all events."""

    profiles: list[Still]


class Releasing(Struct, frozen=True, forbid_unknown_fields=True):
    """``actor`` is who takes the responsibility: he is in the log."""

    actor: str


class Breakers(Struct, frozen=True):
    """The breakers that hold commands back until two people have decided."""

    blown: list[str]


class Failed(Struct, frozen=True):
    """What is wrong, in one line, and what to do."""

    error: str


class Part(Struct, frozen=True, omit_defaults=True):
    """``status`` is ok or failing; ``why`` in one line."""

    status: str
    why: str | None = None


class Health(Struct, frozen=True, omit_defaults=True):
    """``status`` is ok or failing, ``why`` is the first reason; ``components`` are all that were asked."""

    status: str
    why: str | None = None
    components: dict[str, Part] = {}


class LogLevel(Struct, frozen=True, forbid_unknown_fields=True):
    """``level`` is ALL, TRACE, DEBUG, INFO, WARN, ERROR or OFF."""

    level: str


class _Refused(HTTPException):
    """An answer other than the one that was hoped for."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(said, status_code=status)


class _Doors:
    """The state of the handlers; all of it belongs to the event loop's thread."""

    def __init__(self, inside: Inside, log: Log, limits: Limits) -> None:
        self.inside: Final = inside
        self.log: Final = log
        self.limits: Final = limits
        self.in_flight_bytes = 0
        self.is_stopping = False
        # Threads of their own: those of `to_thread` may all wait for a store that hangs, and the process is sound.
        self._watchers: Final = ThreadPoolExecutor(4, "watch")

    async def take(self, body: bytes) -> Taken:
        """Hands a body in and waits until it is durable."""
        events = decode(body)
        if not any(isinstance(event, Envelope) for event in events):
            why = next((event.reason for event in events if isinstance(event, Unreadable)), "an empty batch")
            raise _Refused(400, f"no event: {why}")
        if self.is_stopping:
            raise _Refused(503, "stopping: send it again later")
        if self.in_flight_bytes + len(body) > self.limits.in_flight_bytes:
            raise _Refused(503, f"{self.in_flight_bytes} bytes wait to become durable: send it again later")
        self.in_flight_bytes += len(body)
        try:
            await self._durable(body)
        finally:
            self.in_flight_bytes -= len(body)
        unreadable = sum(isinstance(event, Unreadable) for event in events)
        return Taken(len(events) - unreadable, unreadable)

    async def answered(self, ask: Callable[[], T]) -> T:
        """What the node says, asked in a thread. Raises TimeoutError."""
        return await asyncio.wait_for(asyncio.to_thread(ask), self.limits.answer_seconds)

    async def watched(self, ask: Callable[[], T]) -> T:
        """What is asked for to watch the node. Limited in time by itself."""
        return await asyncio.get_running_loop().run_in_executor(self._watchers, ask)

    async def health(self, *, vital_only: bool) -> Response[Health]:
        """200 where every part works that is vital, or needed."""
        board = self.inside.board
        found = await self.watched(lambda: board.look(vital_only=vital_only))
        parts = {name: Part("ok") if why is None else Part("failing", why) for name, why in found.items()}
        counts = [each.name for each in board.components() if each.is_vital or (each.is_needed and not vital_only)]
        wrong = [name for name in counts if found[name] is not None]
        if wrong:
            return Response(Health("failing", f"{wrong[0]}: {found[wrong[0]]}", parts), status_code=503)
        return Response(Health("ok", None, parts))

    async def _durable(self, body: bytes) -> None:
        try:
            future = self.inside.offer(body)
        except BrokerFull as full:
            raise _Refused(503, f"{full}: send it again later") from None
        loop = asyncio.get_running_loop()
        done = asyncio.Event()
        # Not asyncio.wrap_future: whoever goes away here must not cancel what the engine is about to answer.
        future.add_done_callback(lambda _: _call_soon(loop, done.set))
        try:
            await asyncio.wait_for(done.wait(), self.limits.durable_seconds)
        except TimeoutError:
            raise _Refused(503, "not durable yet: send it again, doubles have no effect") from None


def _call_soon(loop: asyncio.AbstractEventLoop, function: Callable[[], None]) -> None:
    with suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(function)


def _refuse_unless(request: Request[Any, Any, Any], content_types: Sequence[str]) -> None:
    """A web page of another site can post what it likes as text, but has to ask before it posts JSON."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type not in content_types:
        raise _Refused(415, f"the content type must be {one_of(content_types)}")


@dataclass
class _PostOperation(Operation):
    """The body is read as it comes, so that Litestar cannot know what is in it."""

    def __post_init__(self) -> None:
        event = Schema(
            type="object",  # type: ignore[arg-type]
            description="A CloudEvents 1.0 event of one of the types that the engine takes.",
            required=["specversion", "id", "source", "type", "subject", "time", "data"],
        )
        batch = Schema(type="array", items=event)  # type: ignore[arg-type]
        contents = (event, batch, Schema(one_of=[event, batch]))
        self.request_body = RequestBody(
            content={
                content_type: OpenAPIMediaType(schema=schema)
                for content_type, schema in zip(CONTENT_TYPES, contents, strict=True)
            },
            required=True,
        )


def _failures(*statuses: int) -> dict[int, ResponseSpec]:
    return {status: ResponseSpec(Failed, description="See `error`.", generate_examples=False) for status in statuses}


@post(
    "/api/v1/events",
    status_code=202,
    operation_class=_PostOperation,
    responses=_failures(400, 413, 415, 503),
    summary="Post one event, or a batch",
)
async def post_events(request: Request[Any, Any, Any], state: State) -> Taken:
    """Answered when the events are durable; what they come to leaves as events. Doubles have no effect."""
    _refuse_unless(request, CONTENT_TYPES)
    doors: _Doors = state.doors
    return await doors.take(await request.body())


@get(
    "/api/v1/profiles/{profile_id:path}",
    responses=_failures(404, 503),
    summary="A profile: its state, what comes next and why",
)
async def get_profile(
    profile_id: Annotated[str, Parameter(description="The profile's id, such as `ACC-1001`.")], state: State
) -> ProfileView:
    """The state as it was last committed, and what happens if nobody pays and no event comes."""
    doors: _Doors = state.doors
    asked_for = profile_id.removeprefix("/")
    try:
        view = await doors.answered(lambda: doors.inside.profile(asked_for))
    except TimeoutError:
        raise _Refused(503, "the store does not answer") from None
    if view is None:
        raise _Refused(404, "no such profile")
    return view


@get("/api/v1/breakers", responses=_failures(503), summary="The breakers that hold commands back")
async def get_breakers(state: State) -> Breakers:
    """A breaker is named ``<kind>@<policy segment>``."""
    doors: _Doors = state.doors
    return Breakers(await doors.answered(doors.inside.blown))


@post(
    "/api/v1/breakers/{breaker:str}/votes",
    status_code=202,
    responses=_failures(400, 409, 415, 503),
    summary="Let what a breaker holds go, or withdraw it",
)
async def post_vote(
    breaker: Annotated[str, Parameter(description="Such as `restrict@everyone`.")],
    data: JSONBody[Vote],
    request: Request[Any, Any, Any],
    state: State,
) -> Breakers:
    """Counts with the engine's next turn; the second of two voices that agree decides."""
    _refuse_unless(request, ("application/json",))
    doors: _Doors = state.doors
    try:
        await doors.answered(lambda: doors.inside.vote(breaker, data.actor, data.let_go))
    except TimeoutError:
        raise _Refused(503, "the broker does not answer") from None
    except VoteRefused as refused:
        raise _Refused(409, str(refused)) from None
    return Breakers(await doors.answered(doors.inside.blown))


@get("/api/v1/quarantine", responses=_failures(503), summary="The profiles that stand still")
async def get_quarantine(state: State) -> Quarantine:
    """What could not be worked five times, and what came after it, waits here, profile by profile."""
    doors: _Doors = state.doors
    try:
        found = await doors.answered(doors.inside.quarantine)
    except TimeoutError:
        raise _Refused(503, "the store does not answer") from None
    return Quarantine(
        [Still(each.profile_id, each.events, rfc3339(each.since), each.reason.partition(":")[0]) for each in found]
    )


@post(
    "/api/v1/quarantine/{profile_id:path}",
    status_code=202,
    responses=_failures(400, 415, 503),
    summary="Work again what waits in quarantine for a profile",
)
async def post_release(
    profile_id: Annotated[str, Parameter(description="The profile's id, such as `ACC-1001`.")],
    data: JSONBody[Releasing],
    request: Request[Any, Any, Any],
    state: State,
) -> None:
    """For when what made them fail is mended. Counts with a next turn; what fails again goes back, in its order."""
    _refuse_unless(request, ("application/json",))
    doors: _Doors = state.doors
    asked_for = profile_id.removeprefix("/")
    if not data.actor or len(data.actor) > 100 or not data.actor.isprintable():
        raise _Refused(400, "actor must name who releases, in at most 100 letters")
    try:
        await doors.answered(lambda: doors.inside.release(asked_for, data.actor))
    except TimeoutError:
        raise _Refused(503, "the broker does not answer") from None
    doors.log.info("quarantine is released", profile=asked_for, actor=data.actor)


@get("/api/v1/log-level", summary="How much is logged")
async def get_log_level(state: State) -> LogLevel:
    """ALL and TRACE are everything, OFF is nothing."""
    doors: _Doors = state.doors
    return LogLevel(doors.log.level.name)


@put("/api/v1/log-level", responses=_failures(400, 415), summary="Log more, or less")
async def put_log_level(data: JSONBody[LogLevel], request: Request[Any, Any, Any], state: State) -> LogLevel:
    """From now on, until the process ends or somebody changes it again."""
    _refuse_unless(request, ("application/json",))
    doors: _Doors = state.doors
    before = doors.log.level.name
    try:
        doors.log.set_level(data.level)
    except ValueError as wrong:
        raise _Refused(400, str(wrong)) from None
    doors.log.info("the log's level has changed", level_before=before, level_now=doors.log.level.name)
    return LogLevel(doors.log.level.name)


@get("/metrics", include_in_schema=False)
async def get_metrics(request: Request[Any, Any, Any], state: State) -> Response[bytes]:
    """For Prometheus, in its text format or OpenMetrics'."""
    doors: _Doors = state.doors
    accept = request.headers.get("accept", "")
    body, content_type = await doors.watched(lambda: doors.inside.metrics.exposition(accept))
    return Response(body, media_type=content_type)


@get("/healthz", responses={503: ResponseSpec(Health, generate_examples=False)}, summary="Is it worth keeping?")
async def get_health(state: State) -> Response[Health]:
    """503 where the engine has ended or is stuck: start the process again. A database that is away is no reason."""
    doors: _Doors = state.doors
    return await doors.health(vital_only=True)


@get("/readyz", responses={503: ResponseSpec(Health, generate_examples=False)}, summary="Does it take events?")
async def get_readiness(state: State) -> Response[Health]:
    """503 while the engine begins or stops, or something that it needs does not work; names every component."""
    doors: _Doors = state.doors
    if doors.is_stopping:
        return Response(Health("failing", "stopping"), status_code=503)
    return await doors.health(vital_only=False)


def create_app(inside: Inside, log: Log, hosts: list[str], limits: Limits) -> Litestar:
    """The application over a node. ``hosts`` are the ``Host`` headers that are answered; ``*`` is any."""

    def refused(_: Request[Any, Any, Any], exception: HTTPException) -> Response[Failed]:
        said = exception.detail
        if exception.status_code == 413:
            said = f"larger than {limits.body_bytes} bytes: send smaller batches"
        headers = {"Retry-After": "1"} if exception.status_code == 503 else None
        return Response(Failed(" ".join(said.split())), status_code=exception.status_code, headers=headers)

    def failed(request: Request[Any, Any, Any], exception: Exception) -> Response[Failed]:
        log.failure("a request failed", exception, path=request.url.path)
        return Response(Failed(f"a fault of this program: {type(exception).__name__}"), status_code=500)

    return Litestar(
        [
            post_events,
            get_profile,
            get_breakers,
            post_vote,
            get_quarantine,
            post_release,
            get_log_level,
            put_log_level,
            get_metrics,
            get_health,
            get_readiness,
        ],
        state=State({"doors": _Doors(inside, log, limits)}),
        exception_handlers={HTTPException: refused, Exception: failed},
        request_max_body_size=limits.body_bytes,
        allowed_hosts=AllowedHostsConfig(allowed_hosts=hosts),
        openapi_config=OpenAPIConfig(
            title="DMS",
            version="1",
            description="Debt management: events in, commands out.",
            path="/api/v1",
            render_plugins=[JsonRenderPlugin(path="/openapi.json")],
        ),
        logging_config=None,
    )


def stop_taking(app: Litestar) -> None:
    """From now on nothing new is taken in; what is under way goes on. May be called from any thread."""
    doors: _Doors = app.state.doors
    doors.is_stopping = True
