"""The side of the embedded store that looks: on a connection that cannot change anything, while the engine works."""

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from sqlite3 import Cursor
from threading import RLock
from typing import Any, Final

from adapters.sqlite_file import check, driver_connection, engine_of, path_of
from adapters.state_codec import decode_fact, decode_state
from domain.record import Record
from engine.ports import JournalEntry, OutgoingEvent, ProfileRow, QuarantinedEvent, StandsStill, State

_ROWS_AT_ONCE: Final = 1_000

_ROW: Final = """
SELECT p.profile_id, p.version, p.state, t.wake_at, p.policy_segment, p.service_segment, p.is_closed,
    p.policy_version
FROM profiles AS p LEFT JOIN timers AS t ON t.profile_id = p.profile_id AND t.shard = p.shard"""
_COUNTS: Final = {
    "profiles": "SELECT count(*) FROM profiles",
    "journal": "SELECT count(*) FROM journal",
    "inbox": "SELECT count(*) FROM inbox",
    "timers": "SELECT count(*) FROM timers",
    "pending": "SELECT count(*) FROM outbox WHERE state = 'pending'",
    "held": "SELECT count(*) FROM held",
    "quarantined": "SELECT count(*) FROM quarantine",
}
_WITHOUT: Final = "profile_id NOT IN (SELECT profile_id FROM profiles)"
_STRAYS: Final = f"""
SELECT DISTINCT 'journal', profile_id FROM journal WHERE {_WITHOUT}
UNION ALL SELECT 'timers', profile_id FROM timers WHERE {_WITHOUT}
UNION ALL SELECT DISTINCT 'held', profile_id FROM held WHERE profile_id IN (SELECT profile_id FROM profiles)"""


class SqliteReader:
    """Implements `engine.ports.StoreReader`. Its methods may be called from several threads, one of which has its turn.

    What it yields is read in portions, so a long reading does not keep SQLite from folding its log into the file.
    """

    def __init__(self, where: str | os.PathLike[str]) -> None:
        """Opens an existing store (a path, or ``sqlite:///…``); raises `StoreRefused` for anything else."""
        path = path_of(where)
        engine = engine_of(path, writes=False)
        check(engine, path)
        self._connection: Final = driver_connection(engine)
        self._turn: Final = RLock()

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """Within it everything is as it was at one moment, whatever is committed meanwhile."""
        with self._turn:
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                self._connection.execute("ROLLBACK")

    def state(self, profile_id: str) -> State | None:
        rows = self._look("SELECT state FROM profiles WHERE profile_id = ?", profile_id)
        return decode_state(rows[0][0]) if rows else None

    def journal(self, profile_id: str) -> Iterator[JournalEntry]:
        sql = "SELECT number, fact, at, body FROM journal WHERE profile_id = ? AND number > ? ORDER BY number LIMIT ?"
        last = -1
        while rows := self._look(sql, profile_id, last, _ROWS_AT_ONCE):
            for number, fact, at, body in rows:
                yield JournalEntry(profile_id, number, decode_fact(fact, at, body))
            last = rows[-1][0]

    def history(self, kinds: Collection[type[Record]]) -> Iterator[JournalEntry]:
        names = [kind.__name__ for kind in kinds]
        sql = (
            f"SELECT profile_id, number, fact, at, body FROM journal WHERE fact IN ({', '.join('?' * len(names))})"
            " ORDER BY at, profile_id, number"
        )
        with self._turn:
            cursor = self._connection.execute(sql, names)
        while rows := self._portion(cursor):
            for profile_id, number, fact, at, body in rows:
                yield JournalEntry(profile_id, number, decode_fact(fact, at, body))

    def profile_ids(self) -> Iterator[str]:
        last = ""
        sql = "SELECT profile_id FROM profiles WHERE profile_id > ? ORDER BY profile_id LIMIT ?"
        while rows := self._look(sql, last, _ROWS_AT_ONCE):
            last = rows[-1][0]
            yield from (row[0] for row in rows)

    def counts(self) -> Mapping[str, int]:
        return {table: self._look(sql)[0][0] for table, sql in _COUNTS.items()}

    def quarantine_size(self) -> int:
        """How many events wait in quarantine."""
        return int(self._look(_COUNTS["quarantined"])[0][0])

    def quarantine(self, limit: int) -> list[StandsStill]:
        # Of a group SQLite takes what stands bare from the row that has the least number.
        sql = (
            "SELECT profile_id, count(*), accepted_at, reason, min(number) FROM quarantine GROUP BY profile_id"
            " ORDER BY accepted_at, profile_id LIMIT ?"
        )
        return [StandsStill(*row[:4]) for row in self._look(sql, limit)]

    def quarantined(self, profile_id: str) -> list[QuarantinedEvent]:
        sql = (
            "SELECT profile_id, number, accepted_at, body, reason FROM quarantine WHERE profile_id = ? ORDER BY number"
        )
        return [QuarantinedEvent(*row) for row in self._look(sql, profile_id)]

    def wake_at(self, profile_id: str) -> int | None:
        rows = self._look("SELECT wake_at FROM timers WHERE profile_id = ?", profile_id)
        return rows[0][0] if rows else None

    def row(self, profile_id: str) -> ProfileRow | None:
        rows = self._look(f"{_ROW} WHERE p.profile_id = ?", profile_id)
        return _profile_row(*rows[0]) if rows else None

    def rows(self) -> Iterator[ProfileRow]:
        last = ""
        while rows := self._look(f"{_ROW} WHERE p.profile_id > ? ORDER BY p.profile_id LIMIT ?", last, _ROWS_AT_ONCE):
            yield from (_profile_row(*row) for row in rows)
            last = rows[-1][0]

    def outbox(self) -> Iterator[OutgoingEvent]:
        sql = (
            "SELECT number, profile_id, event_id, at, routing_key, body, state, breaker FROM outbox"
            " WHERE number > ? ORDER BY number LIMIT ?"
        )
        last = -1
        while rows := self._look(sql, last, _ROWS_AT_ONCE):
            yield from (OutgoingEvent(*row[1:]) for row in rows)
            last = rows[-1][0]

    def strays(self) -> list[tuple[str, str]]:
        return self._look(_STRAYS)

    def close(self) -> None:
        """Lets go of the file."""
        with self._turn:
            self._connection.close()

    def _portion(self, cursor: Cursor) -> list[Any]:
        with self._turn:
            return cursor.fetchmany(_ROWS_AT_ONCE)

    def _look(self, sql: str, *values: object) -> list[Any]:
        with self._turn:
            return self._connection.execute(sql, values).fetchall()


def _profile_row(profile_id: str, version: int, state: bytes, *more: Any) -> ProfileRow:
    wake_at, policy_segment, service_segment, is_closed, policy_version = more
    return ProfileRow(
        profile_id,
        version,
        decode_state(state),
        wake_at,
        policy_segment,
        service_segment,
        bool(is_closed),
        policy_version,
    )
