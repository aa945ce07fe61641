"""The embedded store: one SQLite file, written by one process, looked at by any number.

A commit is one transaction and is on the disk when it returns (WAL, ``synchronous = FULL``). Reading goes through
connections of its own and waits for nobody. The items of a profile are part of its state, not a table.
"""

import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from operator import itemgetter
from threading import Lock
from typing import Any, Final

from adapters.sqlite_file import StoreRefused, driver_connection, engine_of, path_of, prepare, select_in
from adapters.state_codec import decode_state, encode_fact, encode_state
from adapters.store_rows import Shards, loaded_of
from domain.shards import SHARDS
from engine.ports import HeldEvent, Loaded, OutgoingEvent, QuarantinedEvent, State, StoreConflict, Transaction

_FORGOTTEN_AT_ONCE: Final = 10_000

_TAKE_IN: Final = "INSERT INTO inbox (source, id, accepted_at) VALUES (?, ?, ?)"
_BEGIN_PROFILE: Final = """
INSERT INTO profiles
    (version, state, policy_segment, service_segment, is_closed, policy_version, profile_id, shard)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""
_FOLLOW_PROFILE: Final = """
UPDATE profiles
SET version = ?, state = ?, policy_segment = ?, service_segment = ?, is_closed = ?, policy_version = ?
WHERE profile_id = ? AND shard = ? AND version = ?"""
_NOTE_FACT: Final = "INSERT INTO journal (profile_id, shard, number, fact, at, body) VALUES (?, ?, ?, ?, ?, ?)"
_SET_TIMER: Final = """
INSERT INTO timers (profile_id, shard, wake_at) VALUES (?, ?, ?)
ON CONFLICT (profile_id, shard) DO UPDATE SET wake_at = excluded.wake_at WHERE wake_at <> excluded.wake_at"""
_CLEAR_TIMER: Final = "DELETE FROM timers WHERE profile_id = ?"
_PUT_OUT: Final = """
INSERT INTO outbox (number, profile_id, shard, event_id, at, routing_key, body, state, breaker)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_HOLD: Final = "INSERT INTO held (profile_id, shard, number, accepted_at, body) VALUES (?, ?, ?, ?, ?)"
_RELEASE: Final = "DELETE FROM held WHERE profile_id = ? AND number = ?"
_QUARANTINE: Final = """
INSERT INTO quarantine (profile_id, shard, number, accepted_at, body, reason) VALUES (?, ?, ?, ?, ?, ?)"""
_UNQUARANTINE: Final = "DELETE FROM quarantine WHERE profile_id = ? AND number = ?"
_WITHDRAW: Final = "DELETE FROM outbox WHERE event_id = ?"
_LET_GO: Final = "UPDATE outbox SET state = 'pending', breaker = NULL WHERE event_id = ?"
_SET_DESK: Final = """
INSERT INTO desks (service_segment, state) VALUES (?, ?)
ON CONFLICT (service_segment) DO UPDATE SET state = excluded.state"""
_SET_NUMBER: Final = """
INSERT INTO meta (name, value) VALUES (?, ?)
ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE value < excluded.value"""


class SqliteStore:
    """Implements `engine.ports.Store`. Its methods may be called from several threads."""

    def __init__(self, where: str | os.PathLike[str], *, shards: int | None = None) -> None:
        """Opens the file (a path, or ``sqlite:///…``), makes it where there is none, brings its schema up to date.

        ``shards`` holds for a new file; one that has another number raises `StoreRefused`, as does what is no store.
        """
        path = path_of(where)
        engine = engine_of(path, writes=True)
        prepare(engine, path)
        self._writer: Final = driver_connection(engine)
        self._looker: Final = driver_connection(engine)
        self._writing: Final = Lock()
        self._looking: Final = Lock()
        self.shards: Final = self._agree_on_shards(path, shards)
        self._ours: Final[set[int]] = set()

    def _agree_on_shards(self, path: os.PathLike[str], shards: int | None) -> int:
        with self._transaction() as connection:
            connection.execute("INSERT OR IGNORE INTO meta (name, value) VALUES ('shards', ?)", (shards or SHARDS,))
            (stored,) = connection.execute("SELECT value FROM meta WHERE name = 'shards'").fetchone()
        if shards is not None and shards != stored:
            self.close()
            raise StoreRefused(f"{path}: it has {stored} shards, which cannot become {shards}")
        return int(stored)

    def claim(self, shards: Collection[int]) -> frozenset[int]:
        """One process works an SQLite store (its lock sees to that): what it claims is its own, and it claims all."""
        self._ours.update(shards)
        return frozenset(shards)

    def renew(self) -> frozenset[int]:
        return frozenset(self._ours)

    def hand_over(self, shards: Collection[int]) -> None:
        self._ours.difference_update(shards)

    def seen(self, keys: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        found: set[tuple[str, str]] = set()
        sql = "SELECT id FROM inbox WHERE source = ? AND id IN ({keys})"
        with self._looking:
            for source, some in groupby(sorted(keys), itemgetter(0)):
                rows = select_in(self._looker, sql, [event_id for _, event_id in some], source)
                found.update([(source, event_id) for (event_id,) in rows])
        return found

    def load(self, profile_ids: Sequence[str]) -> Mapping[str, Loaded]:
        ids = list(dict.fromkeys(profile_ids))
        held: dict[str, list[HeldEvent]] = {}
        with self._looking, _one_moment(self._looker) as looker:
            states = {
                profile_id: (state, version)
                for profile_id, state, version in select_in(
                    looker, "SELECT profile_id, state, version FROM profiles WHERE profile_id IN ({keys})", ids
                )
            }
            for row in select_in(
                looker,
                "SELECT profile_id, number, accepted_at, body FROM held WHERE profile_id IN ({keys})"
                " ORDER BY profile_id, number",
                ids,
            ):
                held.setdefault(row[0], []).append(HeldEvent(*row))
            quarantined = {
                row[0]
                for row in select_in(looker, "SELECT profile_id FROM quarantine WHERE profile_id IN ({keys})", ids)
            }
        return loaded_of(ids, states, held, quarantined)

    def commit(self, transaction: Transaction) -> None:
        statements = _Statements(transaction, self.shards)
        with self._transaction() as connection:
            statements.run(connection)

    def due(self, until: int, limit: int) -> list[tuple[str, int]]:
        return self._look(
            "SELECT profile_id, wake_at FROM timers WHERE wake_at <= ? ORDER BY wake_at, profile_id LIMIT ?",
            until,
            limit,
        )

    def pending(self, limit: int) -> list[OutgoingEvent]:
        return self._outgoing("pending", limit)

    def withheld(self) -> list[OutgoingEvent]:
        return self._outgoing("held", -1)

    def _outgoing(self, state: str, limit: int) -> list[OutgoingEvent]:
        sql = (
            "SELECT profile_id, event_id, at, routing_key, body, state, breaker FROM outbox"
            " WHERE state = ? ORDER BY number LIMIT ?"
        )
        return [OutgoingEvent(*row) for row in self._look(sql, state, limit)]

    def quarantined(self, profile_id: str) -> list[QuarantinedEvent]:
        columns = "profile_id, number, accepted_at, body, reason"
        rows = self._look(f"SELECT {columns} FROM quarantine WHERE profile_id = ? ORDER BY number", profile_id)
        return [QuarantinedEvent(*row) for row in rows]

    def mark_sent(self, event_ids: Sequence[str]) -> None:
        """Durable with the next commit: an event that is sent twice after a power cut is known by its id."""
        if not event_ids:
            return
        with self._transaction(synchronous="NORMAL") as connection:
            connection.executemany("DELETE FROM outbox WHERE event_id = ?", [(event_id,) for event_id in event_ids])

    def desks(self) -> Mapping[str, State]:
        return {name: decode_state(body) for name, body in self._look("SELECT service_segment, state FROM desks")}

    def blown(self) -> list[str]:
        rows = self._look("SELECT DISTINCT breaker FROM outbox WHERE state = 'held' ORDER BY breaker")
        return [row[0] for row in rows]

    def segment_sizes(self) -> Mapping[str | None, int]:
        return dict(self._look("SELECT policy_segment, count(*) FROM profiles WHERE NOT is_closed GROUP BY 1"))

    def profile_ids(self) -> list[str]:
        return [row[0] for row in self._look("SELECT profile_id FROM profiles WHERE NOT is_closed ORDER BY profile_id")]

    def outdated(self, version: int) -> list[str]:
        sql = "SELECT profile_id FROM profiles WHERE NOT is_closed AND policy_version <> ? ORDER BY profile_id"
        return [row[0] for row in self._look(sql, version)]

    def waiting_for_account(self) -> list[str]:
        sql = (
            "SELECT DISTINCT profile_id FROM held"
            " WHERE profile_id NOT IN (SELECT profile_id FROM profiles) ORDER BY profile_id"
        )
        return [row[0] for row in self._look(sql)]

    def last_instant(self) -> int:
        rows = self._look("SELECT value FROM meta WHERE name = 'last_instant'")
        return int(rows[0][0]) if rows else 0

    def forget(self, before: int) -> int:
        """In portions, between which commits have their turn."""
        forgotten = 0
        while True:
            with self._transaction() as connection:
                last = connection.execute(
                    "SELECT max(accepted_at) FROM"
                    " (SELECT accepted_at FROM inbox WHERE accepted_at < ? ORDER BY accepted_at LIMIT ?)",
                    (before, _FORGOTTEN_AT_ONCE),
                ).fetchone()[0]
                if last is None:
                    return forgotten
                forgotten += connection.execute("DELETE FROM inbox WHERE accepted_at <= ?", (last,)).rowcount

    def close(self) -> None:
        with self._writing, self._looking:
            self._looker.close()
            self._writer.close()

    def _look(self, sql: str, *values: object) -> list[Any]:
        with self._looking:
            return self._looker.execute(sql, values).fetchall()

    @contextmanager
    def _transaction(self, synchronous: str = "FULL") -> Iterator[sqlite3.Connection]:
        """One transaction: all of it, or nothing and the exception."""
        with self._writing:
            connection = self._writer
            connection.execute(f"PRAGMA synchronous = {synchronous}")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except sqlite3.IntegrityError as error:
                raise StoreConflict(str(error)) from error
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")


class _Statements:
    """A transaction as rows, made before the database is asked for anything: encoding needs no lock."""

    def __init__(self, transaction: Transaction, shards: int) -> None:
        shard = Shards(shards)
        self.latest: Final = transaction.latest()
        self.begun: Final[list[tuple[object, ...]]] = []
        self.followed: Final[list[tuple[object, ...]]] = []
        self.set: Final[list[tuple[object, ...]]] = []
        self.cleared: Final[list[tuple[object, ...]]] = []
        for profile_id, (row, follows) in transaction.followed().items():
            number = shard[profile_id]
            values = (
                row.version,
                encode_state(row.state),
                row.policy_segment,
                row.service_segment,
                row.is_closed,
                row.policy_version,
                profile_id,
                number,
            )
            if follows == 0:
                self.begun.append(values)
            else:
                self.followed.append((*values, follows))
            if row.wake_at is not None:
                self.set.append((profile_id, number, row.wake_at))
            elif follows > 0:
                self.cleared.append((profile_id,))
        self.inbox: Final = transaction.inbox
        self.facts: Final = [
            (e.profile_id, shard[e.profile_id], e.number, *encode_fact(e.fact)) for e in transaction.journal
        ]
        self.outbox: Final = [
            (e.profile_id, shard[e.profile_id], e.event_id, e.at, e.routing_key, e.body, e.state, e.breaker)
            for e in transaction.outbox
        ]
        self.held: Final = [
            (e.profile_id, shard[e.profile_id], e.number, e.accepted_at, e.body) for e in transaction.held
        ]
        self.released: Final = transaction.released
        self.quarantined: Final = [
            (e.profile_id, shard[e.profile_id], e.number, e.accepted_at, e.body, e.reason)
            for e in transaction.quarantined
        ]
        self.unquarantined: Final = transaction.unquarantined
        self.withdrawn: Final = [(event_id,) for event_id in transaction.withdrawn]
        self.let_go: Final = [(event_id,) for event_id in transaction.let_go]
        self.desks: Final = [(name, encode_state(state)) for name, state in transaction.desks.items()]

    def run(self, connection: sqlite3.Connection) -> None:
        """Writes everything. Raises `StoreConflict` where a profile does not follow what is stored."""
        many = connection.executemany
        _many(many, _TAKE_IN, self.inbox)
        _many(many, _BEGIN_PROFILE, self.begun)
        if self.followed and many(_FOLLOW_PROFILE, self.followed).rowcount != len(self.followed):
            raise StoreConflict(self._overtaken(connection))
        _many(many, _NOTE_FACT, self.facts)
        _many(many, _SET_TIMER, self.set)
        _many(many, _CLEAR_TIMER, self.cleared)
        if self.outbox:
            (last,) = connection.execute("SELECT coalesce(max(number), 0) FROM outbox").fetchone()
            many(_PUT_OUT, [(last + n, *row) for n, row in enumerate(self.outbox, 1)])
        _many(many, _HOLD, self.held)
        _many(many, _RELEASE, self.released)
        _many(many, _QUARANTINE, self.quarantined)
        _many(many, _UNQUARANTINE, self.unquarantined)
        _many(many, _WITHDRAW, self.withdrawn)
        _many(many, _LET_GO, self.let_go)
        _many(many, _SET_DESK, self.desks)
        if self.latest:
            connection.execute(_SET_NUMBER, ("last_instant", self.latest))

    def _overtaken(self, connection: sqlite3.Connection) -> str:
        """Which profile does not follow, for the log."""
        connection.execute("ROLLBACK")
        for version, *_, profile_id, _shard, follows in self.followed:
            row = connection.execute("SELECT version FROM profiles WHERE profile_id = ?", (profile_id,)).fetchone()
            stored = row[0] if row is not None else 0
            if stored != follows:
                return f"profile {profile_id!r} is at {stored}: {version} follows {follows}"
        return "a profile did not follow its stored version"


def _many(executemany: Any, sql: str, rows: Iterable[Sequence[object]]) -> None:
    if rows:
        executemany(sql, rows)


@contextmanager
def _one_moment(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Everything that is read inside is of one moment."""
    connection.execute("BEGIN")
    try:
        yield connection
    finally:
        connection.execute("ROLLBACK")
