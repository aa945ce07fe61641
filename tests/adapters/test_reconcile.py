"""A store restored from a backup, set against what had left since: on SQLite and on PostgreSQL."""

import json
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from adapters.cli import FAILED, FINE, WRONG_USE
from adapters.json_lines import InputError
from adapters.letters import CODEC
from adapters.policy_files import load_policy
from adapters.postgres_reader import PostgresReader
from adapters.postgres_store import PostgresStore
from adapters.reconcile import Reconciled, left_since, reconciled
from adapters.sqlite_reader import SqliteReader
from adapters.sqlite_store import SqliteStore
from domain.calendar import MINUTE
from engine.engine import Engine, EngineSettings
from engine.ports import OutgoingEvent, Store, StoreReader
from sim.broker import MemoryBroker
from sim.clock import VirtualClock
from sim.rehearsal import Rehearsed, StoreAtWork, rehearse
from tests.adapters.command_line import commands_in, is_one_line
from tests.adapters.policy_texts import MINIMAL
from tests.domain.world import at
from tests.engine.test_faults import account, event, invoice
from tests.engine.world import PolicyHolder
from tests.services.postgres import Databases, databases

POLICY = (
    MINIMAL
    + """
[[plans.internet.measure]]
name = "block"
kind = "restrict"
day = 1
reverse = "unblock"
"""
)
BEFORE = at("02-01 12:00")
AFTER = at("02-02 12:00")
"""A day later: day 1 of an invoice that was due on the 1st has come, at 10:00."""


class Silent(MemoryBroker):
    """Nobody listens: nothing leaves."""

    def publish(self, events: object) -> list[str]:
        return []


class Place:
    """A store that was backed up, and its world, which went on."""

    def __init__(self, folder: Path, kind: str, stock: Databases | None) -> None:
        self.folder = folder
        self.stock = stock
        (folder / "policy.toml").write_text(POLICY)
        self.policy = load_policy(folder / "policy.toml")
        self.name = stock.store() if stock is not None else str(folder / "dms.db")
        if stock is None:
            SqliteStore(Path(self.name)).close()

    @contextmanager
    def opened(self, name: str | None = None) -> Iterator[Store]:
        name = name or self.name
        if self.stock is not None:
            with closing(PostgresStore(self.stock.server(name), "test", 64, 60_000_000)) as shared:
                yield shared
        else:
            with closing(SqliteStore(Path(name))) as own:
                yield own

    @contextmanager
    def reader(self) -> Iterator[StoreReader]:
        with closing(
            PostgresReader(self.stock.server(self.name)) if self.stock is not None else SqliteReader(Path(self.name))
        ) as reader:
            yield reader

    def lives(self, until: int, *bodies: bytes, name: str | None = None, is_heard: bool = True) -> list[OutgoingEvent]:
        """An engine works these events, and time goes on; what left."""
        left: list[OutgoingEvent] = []
        broker = MemoryBroker(left.extend) if is_heard else Silent(left.extend)
        clock = VirtualClock()
        with self.opened(name) as store:
            settings = EngineSettings(confirms=True, pipelined=False, late_us=10**15)
            engine = Engine(store, broker, clock, PolicyHolder(self.policy), CODEC, settings)
            engine.begin()
            for body in bodies:
                broker.offer(body)
            engine._started_at = 0
            engine.turn(broker.receive(1_000, 0), until)
            while engine.is_due(until - 1):
                engine.turn([], until)
            engine.end()
        return left

    def goes_on(self, until: int, *bodies: bytes) -> list[bytes]:
        """The world after the backup, in which the store is another one; what receivers have kept."""
        if self.stock is not None:
            name = self.stock.copy(self.name)
        else:
            name = str(self.folder / "other.db")
            shutil.copy(self.name, name)
        return [each.body for each in self.lives(until, *bodies, name=name)]

    def rehearsed(self, *bodies: bytes) -> Rehearsed:
        with self.opened() as store:
            return rehearse(store, self.policy, bodies, AFTER, CODEC, 10 * MINUTE)

    def reconciled(self, left: list[bytes], *bodies: bytes, now: int = AFTER) -> Reconciled:
        archive = self.folder / "left.jsonl"
        archive.write_bytes(b"".join(each + b"\n" for each in left))
        with self.opened() as store:
            rehearsed = rehearse(store, self.policy, bodies, now, CODEC, 10 * MINUTE)
            return reconciled(left_since([str(archive)]), rehearsed, self.policy)


@pytest.fixture(scope="module")
def stock() -> Iterator[Databases]:
    with databases() as some:
        yield some


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A store with the debtor ACC-1, who owed before the backup, and whose measure was still to come."""
    of_server = request.getfixturevalue("stock") if request.param == "postgresql" else None
    place = Place(tmp_path, request.param, of_server)
    assert place.lives(BEFORE, account(1, "ACC-1", BEFORE - 2), invoice(2, "ACC-1", BEFORE - 1))
    return place


NEWCOMER = (account(11, "ACC-2", BEFORE + 1), invoice(12, "ACC-2", BEFORE + 2))


def names(commands: object) -> list[str]:
    return [each.command_id for each in commands]  # type: ignore[attr-defined]


def test_what_left_after_the_backup_and_is_decided_again_leaves_under_its_own_id(place: Place) -> None:
    found = place.reconciled(place.goes_on(AFTER))
    assert (names(found.again), found.known, found.forgotten, found.new) == (["ACC-1/1/block"], 0, [], [])


def test_what_is_decided_again_when_its_hour_comes_is_neither_forgotten_nor_standing(place: Place) -> None:
    """A node that starts at midnight blocks nobody before ten."""
    found = place.reconciled(place.goes_on(AFTER), now=at("02-03 00:30"))
    assert (found.again, names(found.later), found.forgotten, found.standing) == ([], ["ACC-1/1/block"], [], [])


def test_what_had_left_before_the_backup_is_known(place: Place) -> None:
    left = [each.body for each in place.lives(AFTER)]
    found = place.reconciled(left)
    assert (found.known, found.again, found.forgotten, found.new) == (1, [], [], [])


def test_a_block_whose_debt_nobody_sends_again_is_forgotten_and_nothing_would_give_it_back(place: Place) -> None:
    left = place.goes_on(AFTER, *NEWCOMER)
    found = place.reconciled(left)
    assert (names(found.forgotten), names(found.standing)) == (["ACC-2/1/block"], ["ACC-2/1/block"])
    found = place.reconciled(left, *NEWCOMER)
    assert (names(found.again), found.forgotten) == (["ACC-1/1/block", "ACC-2/1/block"], [])


def test_a_block_that_was_lifted_meanwhile_stands_no_more(place: Place) -> None:
    paid = event(13, "ACC-2", "payment.received", AFTER, payment_id="P", amount=100_000)
    left = place.goes_on(AFTER, *NEWCOMER, paid)
    found = place.reconciled(left)
    assert (len(found.forgotten), found.standing) == (2, [])


def test_what_had_not_left_is_new(place: Place) -> None:
    assert names(place.reconciled([]).new) == ["ACC-1/1/block"]


def test_what_was_committed_and_not_noted_as_sent_leaves_again(place: Place) -> None:
    place.lives(AFTER, is_heard=False)
    with place.reader() as reader:
        left = [each.body for each in reader.outbox()]
    assert names(place.reconciled(left).again) == ["ACC-1/1/block"]


def test_doubles_and_batches_in_an_archive_count_once(place: Place) -> None:
    left = place.goes_on(AFTER)
    found = place.reconciled([*left, b"[" + b",".join(left) + b"]"])
    assert names(found.again) == ["ACC-1/1/block"]


def test_whose_account_is_not_there_waits_and_is_told(place: Place) -> None:
    assert place.reconciled([], NEWCOMER[1]).waiting == ["ACC-2"]


def test_nothing_of_the_store_changes(place: Place) -> None:
    def stored() -> tuple[object, ...]:
        with place.reader() as reader:
            return dict(reader.counts()), [*reader.rows()], [*reader.outbox()]

    before = stored()
    assert len(place.rehearsed(*NEWCOMER).left) > 3
    assert stored() == before


@pytest.mark.services
def test_while_an_engine_works_a_shard_nothing_is_rehearsed(stock: Databases, tmp_path: Path) -> None:
    place = Place(tmp_path, "postgresql", stock)
    with closing(PostgresStore(stock.server(place.name), "engine", 64, 60_000_000)) as at_work:
        at_work.claim([3, 4])
        with pytest.raises(StoreAtWork, match="2 of 64 shards are worked by engines"):
            place.rehearsed()
        at_work.hand_over([3, 4])
    assert place.rehearsed().left == []


def test_a_line_that_is_no_outgoing_event_is_named(tmp_path: Path) -> None:
    (tmp_path / "left.jsonl").write_text('{"type":"dms.run.opened.v1"}\n\n{"type":"dms.measure.requested.v1"}\n')
    with pytest.raises(InputError, match=r"left\.jsonl:3: is no outgoing event: "):
        list(left_since([str(tmp_path / "left.jsonl")]))


def test_the_command_tells_the_figures_writes_the_lists_and_warns_of_what_stands(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(tmp_path, "sqlite", None)
    place.lives(BEFORE, account(1, "ACC-1", BEFORE - 2), invoice(2, "ACC-1", BEFORE - 1))
    left = place.goes_on(AFTER, *NEWCOMER)
    Path(tmp_path / "left.jsonl").write_bytes(b"\n".join(left))
    Path(tmp_path / "events.jsonl").write_bytes(b"\n".join(NEWCOMER))
    dms = commands_in(tmp_path, capfd, monkeypatch)
    monkeypatch.setenv("DMS_POLICY", "policy.toml")
    ran = dms("store", "reconcile", "--left", "left.jsonl", "--out", "lists")
    assert ran.status == FAILED
    assert ran.err.startswith("ACC-2: block at network left as ACC-2/1/block at ")
    assert is_one_line(ran.err)
    assert "2  commands had left" in ran.out
    assert "1      of these took a service away that nothing will give back" in ran.out
    [standing] = map(json.loads, Path("lists/standing.jsonl").read_text().splitlines())
    assert standing["command_id"] == "ACC-2/1/block"
    ran = dms("store", "reconcile", "--left", "left.jsonl", "--events", "events.jsonl")
    assert (ran.status, ran.err) == (FINE, "")
    Path("events.jsonl").write_text("{")
    ran = dms("store", "reconcile", "--left", "left.jsonl", "--events", "events.jsonl")
    assert (ran.status, ran.err) == (
        WRONG_USE,
        "dms store reconcile: events.jsonl:1: is no event: not JSON: Input data was truncated\n",
    )
