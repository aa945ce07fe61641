"""The store of many processes: PostgreSQL, written in a few round trips a batch, each shard by one owner at a time.

An owner has a row of its own in ``owners``, which every commit of its writes and so holds until it ends. Whoever takes
a shard over locks that row first: so no commit of the former owner can be under way, and its next one finds that the
shard is not its own any more. That is one row to lock in place of one for each shard, and it keeps the latest instant
as well, where a number of the whole store would have all of them wait for each other.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import md5
from typing import Any, Final

from psycopg.errors import IntegrityError

from adapters.part_urls import Server
from adapters.postgres_arrays import Longs, Texts
from adapters.postgres_connection import CUT_SECONDS, PLANS, PostgresLink, Rows, Watch, said_by_database
from adapters.postgres_partitions import make_months_ahead
from adapters.postgres_rows import Statements
from adapters.postgres_schema import check
from adapters.state_codec import decode_state
from adapters.store_rows import loaded_of
from adapters.system_clock import SystemClock
from domain.shards import shard_of
from engine.ports import Fenced, HeldEvent, Loaded, OutgoingEvent, QuarantinedEvent, State, StoreConflict, Transaction

_VERSION: Final = "SELECT version FROM profiles WHERE profile_id = %b::text AND shard = %b"
# A row stays as long as anybody may still be surprised that it is gone.
_FORGET_OWNERS: Final = """
WITH gone AS (
    DELETE FROM owners AS o WHERE lease_until < clock_timestamp() - interval '1 day' AND owner <> %b::text
        AND NOT EXISTS (SELECT FROM shards WHERE shards.owner = o.owner) RETURNING last_instant
)
UPDATE owners SET last_instant = greatest(last_instant, (SELECT max(last_instant) FROM gone)) WHERE owner = %b::text"""
_FORGOTTEN_AT_ONCE: Final = 10_000
_FORGETTING: Final = 0x646D74
"""The advisory lock of whoever forgets: one owner at a time is enough."""
_FORGET: Final = """
WITH old AS MATERIALIZED (SELECT source, id FROM inbox WHERE accepted_at < %b::int8 ORDER BY accepted_at LIMIT %b)
DELETE FROM inbox AS i USING old WHERE i.source = old.source AND i.id = old.id"""

_SEEN: Final = """
SELECT n.source, n.id FROM unnest(%b::text[], %b::text[]) AS n(source, id)
JOIN inbox AS i ON i.source = n.source AND i.id = n.id"""
_STATES: Final = """
SELECT p.profile_id, p.state, p.version FROM unnest(%b::text[], %b::int8[]) AS n(profile_id, shard)
JOIN profiles AS p ON p.profile_id = n.profile_id AND p.shard = n.shard::int2"""
_HELD: Final = """
SELECT profile_id, number, accepted_at, body FROM held WHERE profile_id = ANY(%b::text[]) ORDER BY profile_id, number"""
_PUT_ASIDE: Final = "SELECT DISTINCT profile_id FROM quarantine WHERE profile_id = ANY(%b::text[])"
_OUTGOING: Final = """
SELECT profile_id, event_id, at, routing_key, body, state, breaker FROM outbox
WHERE state = %s AND shard = ANY(%b::int8[]) ORDER BY number LIMIT %s"""
_PRESENT: Final = """
UPDATE owners SET last_instant = greatest(last_instant, %b::int8) WHERE owner = %b::text"""
_OWNED: Final = """
SELECT count(*) FROM unnest(%b::int8[], %b::int8[]) AS n(shard, epoch)
JOIN shards AS s ON s.shard = n.shard::int2 AND s.epoch = n.epoch AND s.owner = %b::text"""


class PostgresStore:
    """Implements `engine.ports.Store`. Its methods may be called from several threads."""

    def __init__(
        self, server: Server, owner: str, shards: int, lease_us: int, *, cut_seconds: float = CUT_SECONDS
    ) -> None:
        """Opens a store that `dms store migrate` has made. ``owner`` names this life of this process, ``lease_us`` is
        how long its shards stay its own when it falls silent. A server that does not answer for ``cut_seconds`` is
        given up.

        Raises `SchemaRefused` for a schema or a number of shards that is not ours, `psycopg.Error` without a server.
        """
        self._owner: Final = owner
        self._lease_us: Final = lease_us
        self._watch: Final = Watch(cut_seconds)
        # By its tag others find it: see `_end_frozen`.
        tag = md5(owner.encode(), usedforsecurity=False).hexdigest()[:16]
        self._writer: Final = PostgresLink(server, PLANS, tag, self._watch)
        self._looker: Final = PostgresLink(server, PLANS, watch=self._watch)
        self._keeper: Final = PostgresLink(server, watch=self._watch)
        self._cleaner: Final = PostgresLink(server, PLANS)
        # Replaced and never changed: a commit may look at it meanwhile.
        self._epochs: Mapping[int, int] = {}
        self.shards: Final = shards
        try:
            with self._looker.use() as connection:
                check(connection, shards)
        except BaseException:
            self.close()
            raise

    # Who works what.

    def claim(self, shards: Collection[int]) -> frozenset[int]:
        with self._keeper.transaction() as connection:
            self._appear(connection)
            free = {shard for (shard,) in connection.execute(
                "SELECT s.shard FROM shards AS s LEFT JOIN owners AS o ON o.owner = s.owner "
                "WHERE s.shard = ANY(%b::int8[]) AND s.owner IS DISTINCT FROM %b "
                "AND (o.owner IS NULL OR o.lease_until < clock_timestamp()) FOR UPDATE OF s SKIP LOCKED",
                (Longs(list(shards)), self._owner),
            ).fetchall()}  # fmt: skip
            if free:
                self._take(connection, sorted(free))
            self._epochs = self._held(connection)
        return frozenset(self._epochs).intersection(shards)

    def _appear(self, connection: Rows) -> None:
        """This owner's row, with a lease from now on."""
        connection.execute(
            "INSERT INTO owners (owner, lease_until, last_instant) "
            "VALUES (%b, clock_timestamp() + %b * interval '1 microsecond', 0) "
            "ON CONFLICT (owner) DO UPDATE SET lease_until = excluded.lease_until",
            (self._owner, self._lease_us),
        )

    def _take(self, connection: Rows, shards: list[int]) -> None:
        """Takes over shards whose rows are locked, from owners whose leases have ended and who are not committing."""
        former = connection.execute(
            "SELECT owner, last_instant FROM owners WHERE lease_until < clock_timestamp() AND owner IN "
            "(SELECT owner FROM shards WHERE shard = ANY(%b::int8[])) FOR UPDATE SKIP LOCKED",
            (Longs(shards),),
        ).fetchall()
        gone = [owner for owner, _ in former]
        self._end_frozen(connection, shards)
        # One that is just renewing its lease, or committing, is not gone: what is his stays his.
        connection.execute(
            "UPDATE shards SET owner = %b, epoch = epoch + 1 WHERE shard = ANY(%b::int8[]) "
            "AND (owner = ANY(%b::text[]) OR owner IS NULL "
            "OR NOT EXISTS (SELECT FROM owners WHERE owners.owner = shards.owner))",
            (self._owner, Longs(shards), Texts(gone)),
        )
        connection.execute(_PRESENT, (max([instant for _, instant in former], default=0), self._owner))
        connection.execute(
            "DELETE FROM owners AS o WHERE owner = ANY(%b::text[]) AND NOT EXISTS "
            "(SELECT FROM shards WHERE shards.owner = o.owner)",
            (Texts(gone),),
        )

    def _end_frozen(self, connection: Rows, shards: list[int]) -> None:
        """Ends the connections of owners who stand still in the middle of a commit, and hold their row, for as long as
        a lease after theirs has ended: in the middle of a pipeline no time limit of PostgreSQL's applies."""
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity, owners WHERE datname = current_database() "
            "AND application_name LIKE '%% ' || left(md5(owner), 16) AND state <> 'idle' "
            "AND lease_until < clock_timestamp() - %b * interval '1 microsecond' "
            "AND owner IN (SELECT owner FROM shards WHERE shard = ANY(%b::int8[]))",
            (self._lease_us, Longs(shards)),
        )

    def renew(self) -> frozenset[int]:
        with self._keeper.transaction() as connection:
            connection.execute(
                "UPDATE owners SET lease_until = clock_timestamp() + %b * interval '1 microsecond' WHERE owner = %b",
                (self._lease_us, self._owner),
            )
            self._epochs = self._held(connection)
        return frozenset(self._epochs)

    def hand_over(self, shards: Collection[int]) -> None:
        if not shards:
            return
        with self._keeper.transaction() as connection:
            connection.execute(
                "UPDATE shards SET owner = NULL WHERE owner = %b AND shard = ANY(%b::int8[])",
                (self._owner, Longs(list(shards))),
            )
            self._epochs = self._held(connection)

    def _held(self, connection: Rows) -> Mapping[int, int]:
        """The shards that are this owner's, each with its epoch."""
        return dict(connection.execute("SELECT shard, epoch FROM shards WHERE owner = %b", (self._owner,)).fetchall())

    # What happens.

    def commit(self, transaction: Transaction) -> None:
        statements = Statements(transaction, self.shards)
        fence = sorted({shard: self._epochs.get(shard, -1) for shard in statements.touched}.items())
        fenced = Longs([shard for shard, _ in fence]), Longs([epoch for _, epoch in fence]), self._owner
        with _conflicts(), self._writer.transaction() as connection, connection.pipeline() as pipeline:
            present = connection.execute(_PRESENT, (statements.latest, self._owner), prepare=True)
            owned = connection.execute(_OWNED, fenced, prepare=True)
            cursors = [connection.execute(statement, columns, prepare=True) for statement, columns in statements.run]
            pipeline.sync()
            if present.rowcount != 1 or owned.fetchone() != (len(statements.touched),):
                raise Fenced("a shard that was worked is not ours any more")
            for (statement, _), cursor in zip(statements.run, cursors, strict=True):
                if statement is statements.follow and cursor.rowcount != statements.followed:
                    raise StoreConflict(self._overtaken(connection, transaction))

    def _overtaken(self, connection: Rows, transaction: Transaction) -> str:
        """Which profile does not follow, for the log. The statement that did not find it has changed nothing of it."""
        for profile_id, (row, follows) in transaction.followed().items():
            if follows:
                stored = connection.execute(_VERSION, (profile_id, shard_of(profile_id, self.shards))).fetchone()
                version = stored[0] if stored is not None else 0
                if version != row.version:
                    return f"profile {profile_id!r} is at {version}: {row.version} follows {follows}"
        return "a profile did not follow its stored version"

    def mark_sent(self, event_ids: Sequence[str]) -> None:
        """Durable with the next commit: an event that is sent twice after a power cut is known by its id."""
        if not event_ids:
            return
        with self._writer.transaction() as connection:
            connection.execute("SET LOCAL synchronous_commit = off")
            connection.execute("DELETE FROM outbox WHERE event_id = ANY(%b::text[])", (Texts(event_ids),), prepare=True)

    def forget(self, before: int) -> int:
        """In portions, by one owner at a time; the journal's next months are made on the way."""
        forgotten = 0
        with self._cleaner.use() as connection:
            make_months_ahead(connection, max(self.last_instant(), SystemClock().now()))
            if connection.execute("SELECT pg_try_advisory_lock(%b)", (_FORGETTING,)).fetchone() != (True,):
                return 0
            try:
                with connection.transaction():
                    self._appear(connection)
                    connection.execute(_FORGET_OWNERS, (self._owner, self._owner))
                while portion := connection.execute(_FORGET, (before, _FORGOTTEN_AT_ONCE)).rowcount:
                    forgotten += portion
            finally:
                connection.execute("SELECT pg_advisory_unlock(%b)", (_FORGETTING,))
        return forgotten

    # What is there.

    def seen(self, keys: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        if not keys:
            return set()
        sources, ids = zip(*keys, strict=True)
        return set(self._looker.rows(_SEEN, Texts(sources), Texts(ids)))

    def load(self, profile_ids: Sequence[str]) -> Mapping[str, Loaded]:
        ids = list(dict.fromkeys(profile_ids))
        column = Texts(ids)
        held: dict[str, list[HeldEvent]] = {}
        with self._looker.transaction() as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            found = connection.execute(
                _STATES, (column, Longs([shard_of(each, self.shards) for each in ids])), binary=True
            )
            waiting = connection.execute(_HELD, (column,), binary=True)
            put_aside = connection.execute(_PUT_ASIDE, (column,), binary=True)
            states = {profile_id: (state, version) for profile_id, state, version in found}
            for row in waiting:
                held.setdefault(row[0], []).append(HeldEvent(*row))
            quarantined = {row[0] for row in put_aside}
        return loaded_of(ids, states, held, quarantined)

    def due(self, until: int, limit: int) -> list[tuple[str, int]]:
        return self._look(
            "SELECT profile_id, wake_at FROM timers WHERE wake_at <= %b::int8 AND shard = ANY(%b::int8[]) "
            "ORDER BY wake_at, profile_id LIMIT %b",
            until, self._mine(), limit,
        )  # fmt: skip

    def pending(self, limit: int) -> list[OutgoingEvent]:
        return [OutgoingEvent(*row) for row in self._look(_OUTGOING, "pending", self._mine(), limit)]

    def withheld(self) -> list[OutgoingEvent]:
        return [OutgoingEvent(*row) for row in self._look(_OUTGOING, "held", self._mine(), None)]

    def quarantined(self, profile_id: str) -> list[QuarantinedEvent]:
        columns = "profile_id, number, accepted_at, body, reason"
        rows = self._look(f"SELECT {columns} FROM quarantine WHERE profile_id = %b ORDER BY number", profile_id)
        return [QuarantinedEvent(*row) for row in rows]

    def desks(self) -> Mapping[str, State]:
        rows = self._look("SELECT service_segment, state FROM desks")
        return {name: decode_state(body) for name, body in rows if shard_of(name, self.shards) in self._epochs}

    def blown(self) -> list[str]:
        rows = self._look(
            "SELECT DISTINCT breaker FROM outbox WHERE state = 'held' AND shard = ANY(%b::int8[]) ORDER BY breaker",
            self._mine(),
        )
        return [row[0] for row in rows]

    def segment_sizes(self) -> Mapping[str | None, int]:
        rows = self._look(
            "SELECT policy_segment, count(*) FROM profiles "
            "WHERE NOT is_closed AND shard = ANY(%b::int8[]) GROUP BY policy_segment",
            self._mine(),
        )
        return dict(rows)

    def profile_ids(self) -> list[str]:
        rows = self._look(
            "SELECT profile_id FROM profiles WHERE NOT is_closed AND shard = ANY(%b::int8[]) ORDER BY profile_id",
            self._mine(),
        )
        return [row[0] for row in rows]

    def outdated(self, version: int) -> list[str]:
        # Not <>, for which PostgreSQL goes through the whole index; and the number within, or it plans for a third of
        # all profiles and does the same (100 ms of a million).
        rows = self._look(
            "SELECT profile_id FROM profiles WHERE NOT is_closed "
            f"AND (policy_version < {version:d} OR policy_version > {version:d}) "
            "AND shard = ANY(%b::int8[]) ORDER BY profile_id",
            self._mine(),
        )
        return [row[0] for row in rows]

    def waiting_for_account(self) -> list[str]:
        rows = self._look(
            "SELECT DISTINCT h.profile_id FROM held AS h WHERE shard = ANY(%b::int8[]) AND NOT EXISTS (SELECT FROM "
            "profiles AS p WHERE p.profile_id = h.profile_id AND p.shard = h.shard) ORDER BY h.profile_id",
            self._mine(),
        )
        return [row[0] for row in rows]

    def last_instant(self) -> int:
        return int(self._look("SELECT coalesce(max(last_instant), 0) FROM owners")[0][0])

    def close(self) -> None:
        for link in (self._writer, self._looker, self._keeper, self._cleaner):
            link.close()
        self._watch.close()

    def _mine(self) -> Longs:
        return Longs(sorted(self._epochs))

    def _look(self, query: str, *values: object) -> list[Any]:
        return self._looker.rows(query, *values)


@contextmanager
def _conflicts() -> Iterator[None]:
    """What contradicts what is stored, without the values that PostgreSQL tells of."""
    try:
        yield
    except IntegrityError as error:
        raise StoreConflict(said_by_database(error)) from None
