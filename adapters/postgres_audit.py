"""Checking a whole store in PostgreSQL: what SQL can tell of millions of rows, and reading ahead for what it cannot."""

from collections.abc import Iterator
from typing import Any, Final

from adapters.postgres_reader import PostgresReader, profile_row
from adapters.state_codec import decode_fact
from engine.ports import JournalEntry, OutgoingEvent, ProfileRow

_PORTION: Final = 1_000

_ROWS: Final = """
SELECT p.profile_id, p.version, p.state, t.wake_at, p.policy_segment, p.service_segment, p.is_closed,
    p.policy_version
FROM profiles AS p LEFT JOIN timers AS t ON t.profile_id = p.profile_id AND t.shard = p.shard
WHERE p.profile_id > %b ORDER BY p.profile_id LIMIT %b"""
_FACTS: Final = """
SELECT profile_id, number, fact, at, body FROM journal
WHERE profile_id > %b AND profile_id <= %b ORDER BY profile_id, number"""

_NUMBERS: Final = """
SELECT j.profile_id, CASE WHEN j.last <> p.version THEN format('journal: it ends at %s, the version is %s', j.last,
    p.version) ELSE format('journal: from %s to %s there are %s facts', j.first, j.last, j.facts) END
FROM (SELECT profile_id, shard, min(number) AS first, max(number) AS last, count(*) AS facts
    FROM journal GROUP BY profile_id, shard) AS j
JOIN profiles AS p ON p.profile_id = j.profile_id AND p.shard = j.shard
WHERE j.last <> p.version OR j.facts <> j.last - j.first + 1"""
# Of whoever has been quiet for long they were dropped, perhaps.
_WITHOUT_FACTS: Final = """
SELECT p.profile_id, format('journal: it is empty, the version is %s', p.version) FROM profiles AS p
WHERE p.version > 0 AND NOT EXISTS (SELECT FROM meta WHERE name = 'journal_begins')
    AND NOT EXISTS (SELECT FROM journal AS j WHERE j.profile_id = p.profile_id)"""
_CLOSED: Final = """
SELECT profile_id, 'it is closed and has a timer' FROM profiles JOIN timers USING (profile_id, shard) WHERE is_closed"""
_OUTBOX: Final = """
SELECT profile_id, format('outgoing event %L is %L by %L', event_id, state, breaker) FROM outbox
WHERE state NOT IN ('pending', 'held', 'withdrawn') OR (breaker IS NULL) = (state IN ('held', 'withdrawn'))"""
_TWICE: Final = """
SELECT profile_id, format('outgoing event %L is there twice', event_id) FROM outbox
GROUP BY profile_id, event_id HAVING count(*) > 1"""
_SHARDS: Final = """
SELECT 'shard ' || number, 'it has no row: nobody can work it'
FROM meta, generate_series(0, value - 1) AS number WHERE name = 'shards' AND number NOT IN (SELECT shard FROM shards)"""


class ReadAhead:
    """A reader of a whole store: what is asked of a profile was read with a thousand others.

    Profiles are asked for in the order in which `profile_ids` gives them; the answers of a portion are gone with it.
    """

    def __init__(self, reader: PostgresReader) -> None:
        self._reader: Final = reader
        self._rows: dict[str, tuple[Any, ...]] = {}
        self._facts: dict[str, list[tuple[Any, ...]]] = {}

    def profile_ids(self) -> Iterator[str]:
        """All profiles, in order of id."""
        last = ""
        while rows := self._reader.look(_ROWS, last, _PORTION):
            self._rows = {row[0]: row for row in rows}
            self._facts = {}
            for profile_id, *fact in self._reader.look(_FACTS, last, rows[-1][0]):
                self._facts.setdefault(profile_id, []).append(tuple(fact))
            last = rows[-1][0]
            yield from self._rows

    def row(self, profile_id: str) -> ProfileRow | None:
        """What is stored of a profile of this portion. Raises `UnreadableState`."""
        row = self._rows.get(profile_id)
        return profile_row(*row) if row is not None else None

    def journal(self, profile_id: str) -> Iterator[JournalEntry]:
        """The facts of a profile of this portion, in order. Raises `UnreadableState`."""
        for number, fact, at, body in self._facts.get(profile_id, ()):
            yield JournalEntry(profile_id, number, decode_fact(fact, at, body))

    def strays(self) -> list[tuple[str, str]]:
        """As the reader's."""
        return self._reader.strays()

    def outbox(self) -> Iterator[OutgoingEvent]:
        """As the reader's."""
        return self._reader.outbox()

    def journal_begins(self) -> int:
        """As the reader's."""
        return self._reader.journal_begins()


def quick_findings(reader: PostgresReader) -> Iterator[str]:
    """What is wrong as far as SQL can tell, one line each: the journal's numbers, timers, what waits, shards."""
    for query in (_NUMBERS, _WITHOUT_FACTS, _CLOSED, _OUTBOX, _TWICE, _SHARDS):
        for subject, finding in reader.look(query):
            yield f"{subject}: {finding}"
    for table, profile_id in reader.strays():
        said = "events are held for its account, which is there" if table == "held" else f"{table} without a profile"
        yield f"{profile_id}: {said}"
