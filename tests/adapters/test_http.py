"""HTTP: a real uvicorn on a free loopback port, in front of a node that a test can hold back or break."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from io import StringIO
from threading import Event, Thread

import httpx
import pytest

from adapters.health import Board, Component
from adapters.http import CONTENT_TYPES, Limits
from adapters.http_server import HttpServer
from adapters.logs import open_log
from adapters.metrics import Metrics
from adapters.profile_view import ProfileView
from adapters.readings import Readings
from adapters.settings import Unusable
from engine.ballot import VoteRefused
from engine.ports import StandsStill
from sim.broker import BrokerFull

EVENT = {
    "specversion": "1.0",
    "id": "1",
    "source": "billing",
    "type": "dms.payment.received.v1",
    "subject": "ACC-1",
    "time": "2026-01-01T00:00:00Z",
    "data": {"payment_id": "P-1", "amount": 100},
}
JSON = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"


class Inside:
    """A node that answers as it is told to."""

    def __init__(self) -> None:
        self.begin_again()
        self.board = self.board_of(answer_seconds=2.0)
        self.metrics = Metrics(lambda: Readings(profiles_active=7), self.board, 64, lambda: 0)

    def board_of(self, answer_seconds: float) -> Board:
        """Of an engine, a store that may hang, and a coordination that may be away."""

        def store() -> str | None:
            self.store_answers.wait(10)
            return self.why.get("store")

        return Board(
            [
                Component("engine", lambda: self.why.get("engine"), is_vital=True),
                Component("store", store),
                Component("zookeeper", lambda: self.why.get("zookeeper"), is_needed=False),
            ],
            answer_seconds,
            fresh_seconds=0,
        )

    def begin_again(self) -> None:
        self.taken: list[bytes] = []
        self.votes: list[tuple[str, str, bool]] = []
        self.released: list[tuple[str, str]] = []
        self.waiting: list[Future[None]] = []
        self.is_durable_at_once = True
        self.is_full = False
        self.why: dict[str, str] = {}
        self.views: dict[str, ProfileView] = {}
        self.store_answers = Event()
        self.store_answers.set()

    def blown(self) -> list[str]:
        return ["restrict@everyone"]

    def vote(self, breaker: str, actor: str, let_go: bool) -> None:
        if actor != "orlova":
            raise VoteRefused(f"{actor!r} is no head or administrator")
        self.votes.append((breaker, actor, let_go))

    def quarantine(self) -> list[StandsStill]:
        return [StandsStill("ACC-1", 3, 1_767_250_800_000_000, "KeyError: 'name of a person'")]

    def release(self, profile_id: str, actor: str) -> None:
        self.released.append((profile_id, actor))

    def offer(self, body: bytes) -> "Future[None]":
        if self.is_full:
            raise BrokerFull("3 bodies wait already")
        self.taken.append(body)
        future: Future[None] = Future()
        if self.is_durable_at_once:
            future.set_result(None)
        else:
            self.waiting.append(future)
        return future

    def profile(self, profile_id: str) -> ProfileView | None:
        if profile_id == "BROKEN":
            raise RuntimeError("secret")
        return self.views.get(profile_id)


LOG = StringIO()


@pytest.fixture(scope="module")
def server() -> Iterator[HttpServer]:
    """One for all tests but those that stop it or set limits: to stop takes uvicorn 0.3 s."""
    server = HttpServer(("127.0.0.1", 0), INSIDE, open_log("INFO", "json", LOG))
    server.start()
    yield server
    assert server.stop()


INSIDE = Inside()


@pytest.fixture
def inside() -> Inside:
    INSIDE.begin_again()
    return INSIDE


@pytest.fixture
def client(server: HttpServer, inside: Inside) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=20) as client:
        yield client


def post(client: httpx.Client, content: bytes | str | object, content_type: str = JSON) -> httpx.Response:
    """Posts a body: bytes and text as they are, anything else as JSON."""
    if not isinstance(content, (bytes, str)):
        content = json.dumps(content)
    return client.post("/api/v1/events", content=content, headers={"content-type": content_type})


def error_of(response: httpx.Response) -> str:
    """What an answer says is wrong: one JSON line."""
    assert response.headers["content-type"].startswith("application/json")
    assert b"\n" not in response.content
    said = response.json()
    assert set(said) == {"error"}
    return str(said["error"])


@pytest.mark.parametrize("content_type", [JSON, BATCH, "application/json", "Application/JSON; charset=utf-8"])
def test_events_are_taken_as_they_came(content_type: str, client: httpx.Client, inside: Inside) -> None:
    """Byte for byte, one or a batch, under each of the content types."""
    one, batch = json.dumps(EVENT).encode(), json.dumps([EVENT, EVENT]).encode()
    answers = [post(client, body, content_type) for body in (one, batch)]
    assert [(each.status_code, each.json()) for each in answers] == [
        (202, {"events": 1, "unreadable": 0}),
        (202, {"events": 2, "unreadable": 0}),
    ]
    assert inside.taken == [one, batch]


def test_the_answer_waits_until_the_event_is_durable(client: httpx.Client, inside: Inside) -> None:
    """Not a moment earlier."""
    inside.is_durable_at_once = False
    answers: list[int] = []
    thread = Thread(target=lambda: answers.append(post(client, EVENT).status_code))
    thread.start()
    deadline = time.monotonic() + 10
    while not inside.waiting and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.2)
    assert answers == []
    inside.waiting[0].set_result(None)
    thread.join(10)
    assert answers == [202]


@contextmanager
def limited(inside: Inside, **limits: float) -> Iterator[httpx.Client]:
    """A client of a server with other limits."""
    server = HttpServer(("127.0.0.1", 0), inside, open_log("OFF"), Limits(**limits))  # type: ignore[arg-type]
    server.start()
    with httpx.Client(base_url=server.url) as client:
        yield client
    assert server.stop()


def test_what_takes_too_long_is_to_be_sent_again(inside: Inside) -> None:
    """503, and the engine may still answer later: nothing was cancelled."""
    inside.is_durable_at_once = False
    with limited(inside, durable_seconds=0.2) as client:
        answer = post(client, EVENT)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert error_of(answer) == "not durable yet: send it again, doubles have no effect"
    inside.waiting[0].set_result(None)


@pytest.mark.parametrize("body", [b"", b"no json", b"[]", b'"text"', b"[1, 2]", b"\xff\xfe", b"{", b"[" * 10_000])
def test_what_holds_no_event_is_told_in_one_line(body: bytes, client: httpx.Client, inside: Inside) -> None:
    """400, and nothing reaches the engine."""
    answer = post(client, body)
    assert answer.status_code == 400
    assert error_of(answer).startswith("no event: ")
    assert inside.taken == []


def test_an_invalid_event_is_taken_and_rejected_by_the_engine(client: httpx.Client, inside: Inside) -> None:
    """It is an event: what is wrong with it leaves as dms.message.rejected.v1."""
    answer = post(client, {**EVENT, "data": {}})
    assert (answer.status_code, answer.json()) == (202, {"events": 1, "unreadable": 0})
    assert len(inside.taken) == 1


def test_of_a_batch_only_the_elements_that_are_no_events_are_left_out(client: httpx.Client) -> None:
    """They go to the dead letters, and are counted."""
    assert post(client, [EVENT, 1, EVENT]).json() == {"events": 2, "unreadable": 1}


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_only_json_is_taken(content_type: str, client: httpx.Client, inside: Inside) -> None:
    """What a web page of another site may send without asking first is refused."""
    answer = post(client, EVENT, content_type)
    assert (answer.status_code, inside.taken) == (415, [])
    assert "application/cloudevents+json" in error_of(answer)


def test_a_body_over_the_limit_is_refused(client: httpx.Client, inside: Inside) -> None:
    """Declared or not."""
    body = b" " * (Limits().body_bytes + 1)
    chunked = client.post(
        "/api/v1/events", content=iter([body[: 1 << 19], body[1 << 19 :]]), headers={"content-type": JSON}
    )
    for answer in (post(client, body), chunked):
        assert answer.status_code == 413
        assert "smaller batches" in error_of(answer)
    assert inside.taken == []


def test_more_than_the_engine_can_take_is_refused(client: httpx.Client, inside: Inside) -> None:
    """503 while the broker is full, 202 as soon as it is not."""
    inside.is_full = True
    answer = post(client, EVENT)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert error_of(answer) == "3 bodies wait already: send it again later"
    inside.is_full = False
    assert post(client, EVENT).status_code == 202


def test_what_waits_is_bounded_in_bytes(inside: Inside) -> None:
    """And what has become durable does not count any more."""
    with limited(inside, in_flight_bytes=len(json.dumps(EVENT))) as client:
        assert [post(client, EVENT).status_code for _ in range(3)] == [202, 202, 202]
        inside.is_durable_at_once = False
        waiting = Thread(target=lambda: post(client, EVENT))
        waiting.start()
        while not inside.waiting:
            time.sleep(0.01)
        assert "wait to become durable" in error_of(post(client, EVENT))
        inside.waiting[0].set_result(None)
        waiting.join(10)
        inside.is_durable_at_once = True
        assert post(client, EVENT).status_code == 202


def test_health_names_every_part_and_says_what_is_wrong(client: httpx.Client, inside: Inside) -> None:
    """200 and 503; the process is worth keeping while its vital parts work, whatever is the matter with the others."""
    answer = client.get("/readyz")
    ok = {"status": "ok"}
    assert (answer.status_code, answer.json()) == (
        200, {"status": "ok", "components": {"engine": ok, "store": ok, "zookeeper": ok}},
    )  # fmt: skip
    assert client.get("/healthz").json() == {"status": "ok", "components": {"engine": ok}}
    inside.why = {"store": "connection refused"}
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["why"]) == (503, "store: connection refused")
    assert ready.json()["components"]["store"] == {"status": "failing", "why": "connection refused"}
    assert client.get("/healthz").status_code == 200
    inside.why = {"engine": "the engine has ended: EngineFault"}
    for path in ("/healthz", "/readyz"):
        assert (client.get(path).status_code, client.get(path).json()["status"]) == (503, "failing")


def test_what_may_be_away_for_a_while_is_told_and_changes_nothing(client: httpx.Client, inside: Inside) -> None:
    """Without ZooKeeper the work goes on."""
    inside.why = {"zookeeper": "session suspended"}
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["components"]["zookeeper"]["status"]) == (200, "failing")


def test_a_store_that_does_not_answer_is_not_ready_and_the_process_is_sound(inside: Inside) -> None:
    """Within the time for an answer, whatever the store does, however often it is asked."""
    inside.store_answers.clear()
    board = inside.board
    inside.board = inside.board_of(answer_seconds=0.2)
    try:
        with limited(inside) as client:
            answers = [client.get("/readyz") for _ in range(6)]
            began = time.monotonic()
            sound = client.get("/healthz")
            took = time.monotonic() - began
            assert 'dms_component_up{component="store"} 0.0' in client.get("/metrics").text
            inside.store_answers.set()
    finally:
        inside.board = board
    assert {answer.status_code for answer in answers} == {503}
    assert answers[-1].json()["why"].startswith("store: no answer for ")
    assert sound.status_code == 200
    assert took < 5


def test_metrics_are_read_when_they_are_asked_for(client: httpx.Client, inside: Inside) -> None:
    """As text for Prometheus, or OpenMetrics for who asks for it."""
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert "\ndms_profiles_active 7.0\n" in answer.text
    newer = client.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert newer.headers["content-type"].startswith("application/openmetrics-text")
    assert newer.text.endswith("# EOF\n")


def test_the_level_of_the_log_changes_while_it_runs(inside: Inside) -> None:
    """PUT by whoever may send JSON; a word that is no level is told in one line."""
    log = open_log("INFO", "json", StringIO())
    server = HttpServer(("127.0.0.1", 0), inside, log)
    server.start()
    with httpx.Client(base_url=server.url) as client:
        path = "/api/v1/log-level"
        assert client.get(path).json() == {"level": "INFO"}
        assert client.put(path, json={"level": "trace"}).json() == {"level": "TRACE"}
        assert log.is_on("TRACE")
        refused = client.put(path, json={"level": "LOUD"})
        assert (refused.status_code, client.get(path).json()) == (400, {"level": "TRACE"})
        assert error_of(refused) == 'the level must be one of ALL, TRACE, DEBUG, INFO, WARN, ERROR, OFF, not "LOUD"'
        text = client.put(path, content='{"level":"OFF"}', headers={"content-type": "text/plain"})
        assert (text.status_code, log.level.name) == (415, "TRACE")
    assert server.stop()


def view(profile_id: str) -> ProfileView:
    """A profile without debt."""
    return ProfileView(
        profile_id=profile_id, projection="account", party="person", currency="RUB", ledger="invoices",
        customer_id=None, attributes={"region": "MSK"}, closed=False, policy_segment="everyone",
        service_segment=None, plan="internet", plan_by_hand=False, group=None, manager=None, debt=0, overdue=0,
        days_past_due=0, prepaid=0, items_count=0, items=[], run=None, runs=0, restrictions=[], tasks=[],
        standing=["owes nothing"], next=[],
    )  # fmt: skip


@pytest.mark.parametrize("profile_id", ["ACC-1", "A/B C", "счёт №1", "a?b#c%"])
def test_a_profile_is_found_by_whatever_its_id_holds(profile_id: str, client: httpx.Client, inside: Inside) -> None:
    """Slashes, spaces and letters beyond ASCII, encoded as in any URL."""
    from urllib.parse import quote

    inside.views[profile_id] = view(profile_id)
    answer = client.get(f"/api/v1/profiles/{quote(profile_id, safe='/')}")
    assert (answer.status_code, answer.json()["profile_id"]) == (200, profile_id)
    assert answer.json()["attributes"] == {"region": "MSK"}


def test_what_a_breaker_holds_is_decided_by_people(client: httpx.Client, inside: Inside) -> None:
    """A vote counts; one of somebody who may not is 409, half a vote 400."""
    assert client.get("/api/v1/breakers").json() == {"blown": ["restrict@everyone"]}
    votes = "/api/v1/breakers/restrict@everyone/votes"
    assert client.post(votes, json={"actor": "orlova", "let_go": True}).status_code == 202
    assert inside.votes == [("restrict@everyone", "orlova", True)]
    refused = client.post(votes, json={"actor": "nobody", "let_go": True})
    assert (refused.status_code, error_of(refused)) == (409, "'nobody' is no head or administrator")
    halves: tuple[object, ...] = ({"actor": "orlova"}, {"actor": 1, "let_go": True}, [])
    for half in halves:
        assert client.post(votes, json=half).status_code == 400
    text = client.post(votes, content='{"actor":"orlova","let_go":true}', headers={"content-type": "text/plain"})
    assert text.status_code == 415
    assert len(inside.votes) == 1


def test_who_stands_still_is_told_with_the_kind_of_failure_and_nothing_of_the_person(client: httpx.Client) -> None:
    assert client.get("/api/v1/quarantine").json() == {
        "profiles": [{"profile": "ACC-1", "events": 3, "since": "2026-01-01T07:00:00Z", "reason": "KeyError"}]
    }


def test_what_waits_in_quarantine_is_released_by_somebody_with_a_name(client: httpx.Client, inside: Inside) -> None:
    """Who it was is in the log."""
    where = "/api/v1/quarantine/ACC-1"
    assert client.post(where, json={"actor": "orlova"}).status_code == 202
    assert inside.released == [("ACC-1", "orlova")]
    assert '"orlova"' in LOG.getvalue() or "actor=orlova" in LOG.getvalue()
    for wrong in ({"actor": ""}, {"actor": "a\nb"}, {}, {"actor": "x" * 101}):
        assert client.post(where, json=wrong).status_code == 400
    assert len(inside.released) == 1


def test_an_unknown_profile_and_an_unknown_path_are_told_in_one_line(client: httpx.Client) -> None:
    """404 for both."""
    for path in ("/api/v1/profiles/NOBODY", "/api/v2"):
        answer = client.get(path)
        assert answer.status_code == 404
        assert error_of(answer)


def test_a_fault_of_ours_is_logged_and_says_nothing_to_the_caller(client: httpx.Client) -> None:
    """Its class, not its text."""
    answer = client.get("/api/v1/profiles/BROKEN")
    assert (answer.status_code, error_of(answer)) == (500, "a fault of this program: RuntimeError")
    assert "RuntimeError: secret" in LOG.getvalue()


def test_the_openapi_document_names_the_doors(client: httpx.Client) -> None:
    """With the body that is posted, which the framework cannot know."""
    document = client.get("/api/v1/openapi.json").json()
    assert document["openapi"].startswith("3.")
    assert {"/api/v1/events", "/healthz", "/readyz"} <= set(document["paths"])
    posted = document["paths"]["/api/v1/events"]["post"]
    assert set(posted["requestBody"]["content"]) == set(CONTENT_TYPES)
    assert {"202", "400", "413", "415", "503"} <= set(posted["responses"])
    assert any(path.startswith("/api/v1/profiles/") for path in document["paths"])


def test_another_host_name_is_refused_on_loopback(client: httpx.Client, inside: Inside) -> None:
    """A web page that has its own name resolve to loopback gets nowhere."""
    answer = client.get("/readyz", headers={"host": "evil.example"})
    assert answer.status_code == 400
    port = client.base_url.port
    assert client.get("/readyz", headers={"host": f"localhost:{port}"}).status_code == 200


def test_a_taken_port_is_one_clear_line(server: HttpServer, inside: Inside) -> None:
    """Known before anything starts."""
    port = int(server.url.rpartition(":")[2])
    with pytest.raises(Unusable, match=rf"^cannot listen at 127\.0\.0\.1:{port}: Address already in use \(choose"):
        HttpServer(("127.0.0.1", port), inside, open_log("OFF"))
    with pytest.raises(Unusable, match="cannot listen at"):
        HttpServer(("no.such.host.invalid", 80), inside, open_log("OFF"))


def test_while_it_stops_it_answers_what_is_under_way_and_takes_nothing_new(inside: Inside) -> None:
    """The one that waits gets its 202."""
    inside.is_durable_at_once = False
    server = HttpServer(("127.0.0.1", 0), inside, open_log("OFF"))
    server.start()
    answers: list[int] = []

    def work() -> None:
        with httpx.Client(base_url=server.url) as client:
            answers.append(post(client, EVENT).status_code)

    working = Thread(target=work)
    working.start()
    while not inside.waiting:
        time.sleep(0.01)
    stopping = Thread(target=server.stop)
    stopping.start()
    time.sleep(0.3)
    inside.waiting[0].set_result(None)
    working.join(10)
    stopping.join(10)
    assert answers == [202]
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{server.url}/readyz")
