"""The side of PostgreSQL that looks: on a connection that cannot change anything, while engines work."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from adapters.part_urls import Server
from adapters.postgres_connection import PostgresLink, Watch
from adapters.postgres_schema import check
from adapters.state_codec import decode_fact, decode_state
from domain.calendar import DAY
from domain.record import Record
from engine.ports import JournalEntry, OutgoingEvent, ProfileRow, QuarantinedEvent, StandsStill, State

_ROWS_AT_ONCE: Final = 5_000
_WINDOW: Final = 10 * DAY
_OPTIONS: Final = "-c default_transaction_read_only=on -c jit=off"
# Who looks at a whole store takes his time.
_PATIENCE: Final = "-c statement_timeout=0 -c idle_in_transaction_session_timeout=0"

_ROW: Final = """
SELECT p.profile_id, p.version, p.state, t.wake_at, p.policy_segment, p.service_segment, p.is_closed,
    p.policy_version
FROM profiles AS p LEFT JOIN timers AS t ON t.profile_id = p.profile_id AND t.shard = p.shard"""
_COUNTS: Final = """
SELECT (SELECT count(*) FROM profiles), (SELECT count(*) FROM journal), (SELECT count(*) FROM inbox),
    (SELECT count(*) FROM timers), (SELECT count(*) FROM outbox WHERE state = 'pending'),
    (SELECT count(*) FROM held), (SELECT count(*) FROM quarantine)"""
_TABLES: Final = ("profiles", "journal", "inbox", "timers", "pending", "held", "quarantined")
_STRAYS: Final = """
SELECT 'journal', j.profile_id FROM (SELECT DISTINCT profile_id FROM journal) AS j
WHERE NOT EXISTS (SELECT FROM profiles AS p WHERE p.profile_id = j.profile_id)
UNION ALL SELECT 'timers', t.profile_id FROM timers AS t
WHERE NOT EXISTS (SELECT FROM profiles AS p WHERE p.profile_id = t.profile_id AND p.shard = t.shard)
UNION ALL SELECT 'held', h.profile_id FROM (SELECT DISTINCT profile_id FROM held) AS h
WHERE EXISTS (SELECT FROM profiles AS p WHERE p.profile_id = h.profile_id)"""


class PostgresReader:
    """Implements `engine.ports.StoreReader`. Its methods may be called from several threads, one of which has its turn.

    What it yields is read in portions: no answer is held in memory as a whole.
    """

    def __init__(self, server: Server) -> None:
        """Opens a store; raises `SchemaRefused` for anything else, and `psycopg.Error` without a server."""
        self._watch: Final = Watch()
        self._link: Final = PostgresLink(server, _OPTIONS, watch=self._watch)
        self._patient: Final = PostgresLink(server, f"{_OPTIONS} {_PATIENCE}")
        self._is_still = False
        try:
            with self._link.use() as connection:
                check(connection)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """Within it everything is as it was at one moment, whatever is committed meanwhile. Nothing is too slow."""
        with self._patient.transaction() as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            self._is_still = True
            try:
                yield
            finally:
                self._is_still = False

    def state(self, profile_id: str) -> State | None:
        rows = self.look("SELECT state FROM profiles WHERE profile_id = %b", profile_id)
        return decode_state(rows[0][0]) if rows else None

    def journal(self, profile_id: str) -> Iterator[JournalEntry]:
        query = (
            "SELECT number, fact, at, body FROM journal WHERE profile_id = %b AND number > %b ORDER BY number LIMIT %b"
        )
        last = -1
        while rows := self.look(query, profile_id, last, _ROWS_AT_ONCE):
            for number, fact, at, body in rows:
                yield JournalEntry(profile_id, number, decode_fact(fact, at, body))
            last = rows[-1][0]

    def history(self, kinds: Collection[type[Record]]) -> Iterator[JournalEntry]:
        first, last = self.look("SELECT min(at), max(at) FROM journal")[0]
        # The journal lies by month: a window reads a partition or two, and that is what is held in memory.
        for begin in range(first, last + 1, _WINDOW) if first is not None else ():
            query = (
                "SELECT profile_id, number, fact, at, body FROM journal"
                " WHERE at >= %b AND at < %b AND fact = ANY(%b) ORDER BY at, profile_id, number"
            )
            names = [kind.__name__ for kind in kinds]
            for profile_id, number, fact, at, body in self.look(query, begin, begin + _WINDOW, names):
                yield JournalEntry(profile_id, number, decode_fact(fact, at, body))

    def profile_ids(self) -> Iterator[str]:
        last = ""
        query = "SELECT profile_id FROM profiles WHERE profile_id > %b ORDER BY profile_id LIMIT %b"
        while rows := self.look(query, last, _ROWS_AT_ONCE):
            last = rows[-1][0]
            yield from (row[0] for row in rows)

    def counts(self) -> Mapping[str, int]:
        return dict(zip(_TABLES, self.look(_COUNTS)[0], strict=True))

    def quarantine_size(self) -> int:
        """How many events wait in quarantine."""
        return int(self.look("SELECT count(*) FROM quarantine")[0][0])

    def quarantine(self, limit: int) -> list[StandsStill]:
        rows = self.look(
            "SELECT q.profile_id, g.events, q.accepted_at, q.reason FROM quarantine AS q JOIN "
            "(SELECT profile_id, count(*) AS events, min(number) AS number FROM quarantine GROUP BY profile_id) AS g "
            "ON g.profile_id = q.profile_id AND g.number = q.number ORDER BY q.accepted_at, q.profile_id LIMIT %b",
            limit,
        )
        return [StandsStill(*row) for row in rows]

    def quarantined(self, profile_id: str) -> list[QuarantinedEvent]:
        query = (
            "SELECT profile_id, number, accepted_at, body, reason FROM quarantine WHERE profile_id = %b ORDER BY number"
        )
        return [QuarantinedEvent(*row) for row in self.look(query, profile_id)]

    def wake_at(self, profile_id: str) -> int | None:
        rows = self.look("SELECT wake_at FROM timers WHERE profile_id = %b", profile_id)
        return rows[0][0] if rows else None

    def row(self, profile_id: str) -> ProfileRow | None:
        rows = self.look(f"{_ROW} WHERE p.profile_id = %b", profile_id)
        return profile_row(*rows[0]) if rows else None

    def rows(self) -> Iterator[ProfileRow]:
        last = ""
        while rows := self.look(f"{_ROW} WHERE p.profile_id > %b ORDER BY p.profile_id LIMIT %b", last, _ROWS_AT_ONCE):
            yield from (profile_row(*row) for row in rows)
            last = rows[-1][0]

    def outbox(self) -> Iterator[OutgoingEvent]:
        query = (
            "SELECT number, profile_id, event_id, at, routing_key, body, state, breaker FROM outbox"
            " WHERE number > %b ORDER BY number LIMIT %b"
        )
        last = -1
        while rows := self.look(query, last, _ROWS_AT_ONCE):
            yield from (OutgoingEvent(*row[1:]) for row in rows)
            last = rows[-1][0]

    def strays(self) -> list[tuple[str, str]]:
        return self.look(_STRAYS)

    def close(self) -> None:
        """Ends the connections."""
        self._link.close()
        self._patient.close()
        self._watch.close()

    def journal_begins(self) -> int:
        """The instant before which facts were dropped (0: none were)."""
        rows = self.look("SELECT value FROM meta WHERE name = 'journal_begins'")
        return int(rows[0][0]) if rows else 0

    def look(self, query: str, *values: object) -> list[Any]:
        """What a query finds, all of it."""
        return (self._patient if self._is_still else self._link).rows(query, *values)


def profile_row(profile_id: str, version: int, state: bytes, *more: Any) -> ProfileRow:
    return ProfileRow(profile_id, version, decode_state(state), *more)
