"""A transaction as statements over whole columns, made before PostgreSQL is asked for anything.

Into the journal, whether in one table or in months and parts of shards, ``unnest`` and COPY both bring 50,000 to 90,000
rows a second, at 1.3 and 1.5 µs of the client a row, and `executemany` 25,000 at 13. COPY does not go into a pipeline,
and for what is replaced it needs a table to come from.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from adapters.postgres_arrays import Bodies, Longs, Texts, Truths
from adapters.state_codec import encode_fact, encode_state
from adapters.store_rows import Shards
from engine.ports import Transaction

Column = Texts | Bodies | Longs | Truths

_TAKE_IN: Final = """
INSERT INTO inbox (source, id, accepted_at) SELECT * FROM unnest(%b::text[], %b::text[], %b::int8[])"""
_BEGIN_PROFILES: Final = """
INSERT INTO profiles (profile_id, shard, version, state, policy_segment, service_segment, is_closed, policy_version)
SELECT * FROM unnest(%b::text[], %b::int8[], %b::int8[], %b::bytea[], %b::text[], %b::text[], %b::bool[], %b::int8[])"""
_FOLLOW_PROFILES: Final = """
UPDATE profiles AS p
SET version = n.version, state = n.state, policy_segment = n.policy_segment, service_segment = n.service_segment,
    is_closed = n.is_closed, policy_version = n.policy_version
FROM unnest(%b::text[], %b::int8[], %b::int8[], %b::bytea[], %b::text[], %b::text[], %b::bool[], %b::int8[],
    %b::int8[]) AS n(profile_id, shard, version, state, policy_segment, service_segment, is_closed, policy_version,
    follows)
WHERE p.profile_id = n.profile_id AND p.shard = n.shard::int2 AND p.version = n.follows"""
_NOTE_FACTS: Final = """
INSERT INTO journal (profile_id, shard, number, fact, at, body)
SELECT * FROM unnest(%b::text[], %b::int8[], %b::int8[], %b::text[], %b::int8[], %b::bytea[])"""
_SET_TIMERS: Final = """
INSERT INTO timers (profile_id, shard, wake_at) SELECT * FROM unnest(%b::text[], %b::int8[], %b::int8[])
ON CONFLICT (profile_id, shard) DO UPDATE SET wake_at = excluded.wake_at WHERE timers.wake_at <> excluded.wake_at"""
_CLEAR_TIMERS: Final = """
DELETE FROM timers AS t USING unnest(%b::text[], %b::int8[]) AS n(profile_id, shard)
WHERE t.profile_id = n.profile_id AND t.shard = n.shard::int2"""
_PUT_OUT: Final = """
INSERT INTO outbox (profile_id, shard, event_id, at, routing_key, body, state, breaker)
SELECT profile_id, shard, event_id, at, routing_key, body, state, breaker
FROM unnest(%b::text[], %b::int8[], %b::text[], %b::int8[], %b::text[], %b::bytea[], %b::text[], %b::text[])
    WITH ORDINALITY AS n(profile_id, shard, event_id, at, routing_key, body, state, breaker, place)
ORDER BY place"""
_HOLD: Final = """
INSERT INTO held (profile_id, shard, number, accepted_at, body)
SELECT * FROM unnest(%b::text[], %b::int8[], %b::int8[], %b::int8[], %b::bytea[])"""
_RELEASE: Final = """
DELETE FROM held AS h USING unnest(%b::text[], %b::int8[]) AS n(profile_id, number)
WHERE h.profile_id = n.profile_id AND h.number = n.number"""
_QUARANTINE: Final = """
INSERT INTO quarantine (profile_id, shard, number, accepted_at, body, reason)
SELECT * FROM unnest(%b::text[], %b::int8[], %b::int8[], %b::int8[], %b::bytea[], %b::text[])"""
_UNQUARANTINE: Final = """
DELETE FROM quarantine AS q USING unnest(%b::text[], %b::int8[]) AS n(profile_id, number)
WHERE q.profile_id = n.profile_id AND q.number = n.number"""
_WITHDRAW: Final = "DELETE FROM outbox WHERE event_id = ANY(%b::text[])"
_LET_GO: Final = "UPDATE outbox SET state = 'pending', breaker = NULL WHERE event_id = ANY(%b::text[])"
_SET_DESKS: Final = """
INSERT INTO desks (service_segment, state) SELECT * FROM unnest(%b::text[], %b::bytea[])
ON CONFLICT (service_segment) DO UPDATE SET state = excluded.state"""


class Statements:
    """Statements with their columns, in the order in which they are to run.

    ``touched`` are the shards that they concern, ``followed`` how many profiles must be found at the version that they
    follow: of each statement's count only that one can say that something was overtaken.
    """

    def __init__(self, transaction: Transaction, shards: int) -> None:
        self.latest: Final = transaction.latest()
        self.follow: Final = _FOLLOW_PROFILES
        self.followed = 0
        self._shards: Final = Shards(shards)
        self.run: Final = list(self._made(transaction))
        for subject in transaction.desks:
            _ = self._shards[subject]
        for profile_id, _ in [*transaction.released, *transaction.unquarantined]:
            _ = self._shards[profile_id]
        self.touched: Final = set(self._shards.values())

    def _made(self, transaction: Transaction) -> Iterator[tuple[str, list[Column]]]:
        shard = self._shards.__getitem__
        if inbox := transaction.inbox:
            sources, ids, instants = zip(*inbox, strict=True)
            yield _TAKE_IN, [Texts(sources), Texts(ids), Longs(instants)]
        yield from self._profiles(transaction)
        if journal := transaction.journal:
            names, instants, bodies = zip(*[encode_fact(entry.fact) for entry in journal], strict=True)
            owners = [entry.profile_id for entry in journal]
            numbers = [entry.number for entry in journal]
            yield (
                _NOTE_FACTS,
                [Texts(owners), Longs(list(map(shard, owners))), Longs(numbers), Texts(names), Longs(instants),
                 Bodies(bodies)],
            )  # fmt: skip
        if outbox := transaction.outbox:
            yield (
                _PUT_OUT,
                [
                    Texts([event.profile_id for event in outbox]),
                    Longs([shard(event.profile_id) for event in outbox]),
                    Texts([event.event_id for event in outbox]),
                    Longs([event.at for event in outbox]),
                    Texts([event.routing_key for event in outbox]),
                    Bodies([event.body for event in outbox]),
                    Texts([event.state for event in outbox]),
                    Texts([event.breaker for event in outbox]),
                ],
            )
        yield from self._waiting(transaction)
        if transaction.withdrawn:
            yield _WITHDRAW, [Texts(transaction.withdrawn)]
        if transaction.let_go:
            yield _LET_GO, [Texts(transaction.let_go)]
        if desks := transaction.desks:
            yield _SET_DESKS, [Texts(list(desks)), Bodies([encode_state(state) for state in desks.values()])]

    def _profiles(self, transaction: Transaction) -> Iterator[tuple[str, list[Column]]]:
        begun, followed, timers, cleared = [], [], [], []
        shard = self._shards
        for profile_id, (row, follows) in transaction.followed().items():
            number = shard[profile_id]
            body = encode_state(row.state)
            values = (
                profile_id,
                number,
                row.version,
                body,
                row.policy_segment,
                row.service_segment,
                row.is_closed,
                row.policy_version,
            )
            if follows == 0:
                begun.append(values)
            else:
                followed.append((*values, follows))
            if row.wake_at is not None:
                timers.append((profile_id, number, row.wake_at))
            elif follows > 0:
                cleared.append((profile_id, number))
        self.followed = len(followed)
        kinds: tuple[Callable[[Sequence[Any]], Column], ...] = (
            Texts, Longs, Longs, Bodies, Texts, Texts, Truths, Longs,
        )  # fmt: skip
        if begun:
            yield _BEGIN_PROFILES, _columns(begun, kinds)
        if followed:
            yield _FOLLOW_PROFILES, _columns(followed, (*kinds, Longs))
        if timers:
            yield _SET_TIMERS, _columns(timers, (Texts, Longs, Longs))
        if cleared:
            yield _CLEAR_TIMERS, _columns(cleared, (Texts, Longs))

    def _waiting(self, transaction: Transaction) -> Iterator[tuple[str, list[Column]]]:
        shard = self._shards
        if held := transaction.held:
            rows = [
                (each.profile_id, shard[each.profile_id], each.number, each.accepted_at, each.body) for each in held
            ]
            yield _HOLD, _columns(rows, (Texts, Longs, Longs, Longs, Bodies))
        if transaction.released:
            yield _RELEASE, _columns(transaction.released, (Texts, Longs))
        if put_aside := transaction.quarantined:
            more = [
                (each.profile_id, shard[each.profile_id], each.number, each.accepted_at, each.body, each.reason)
                for each in put_aside
            ]
            yield _QUARANTINE, _columns(more, (Texts, Longs, Longs, Longs, Bodies, Texts))
        if transaction.unquarantined:
            yield _UNQUARANTINE, _columns(transaction.unquarantined, (Texts, Longs))


def _columns(rows: Sequence[tuple[Any, ...]], kinds: Sequence[Callable[[Sequence[Any]], Column]]) -> list[Column]:
    return [kind(values) for kind, values in zip(kinds, zip(*rows, strict=True), strict=True)]
