"""The tables of a store, shared by SQLite and PostgreSQL.

`migrations` makes them and changes them; what is here is how they are now. The tables of profiles carry ``shard``,
crc32 of the profile's id modulo the number of shards. It stands last in their keys, because a profile is looked for by
its id. PostgreSQL has the large ones in partitions (`adapters.postgres_partitions`): profiles and timers by ranges of
shards, the inbox by a hash of the id, the journal by month, so that old months can be dropped.

What moves with every event has no index but its key, and timers are a table of their own, narrow: setting one
rewrites 60 bytes and not a profile's state.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Identity,
    Index,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

VERSION: Final = "0002"
"""The newest migration: the schema that this file describes."""
SERVES: Final = "0001"
"""The oldest release's schema whose engines can work on this one, as long as migrations only add: so that nodes of the
release before may be started again in the midst of an upgrade."""

metadata: Final = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)


inbox: Final = Table(
    "inbox",
    metadata,
    Column("source", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("accepted_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("source", "id"),
    Index(None, "accepted_at"),
    sqlite_with_rowid=False,
    postgresql_partition_by="HASH (id)",
)
"""Events that were taken in, until they are forgotten."""

profiles: Final = Table(
    "profiles",
    metadata,
    Column("profile_id", Text, nullable=False),
    Column("shard", SmallInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("state", LargeBinary, nullable=False),
    Column("policy_segment", Text),
    Column("service_segment", Text),
    Column("is_closed", Boolean, nullable=False),
    # Unknown where engines of schema 0001 wrote the row first, behind where they wrote it last.
    Column("policy_version", BigInteger),
    PrimaryKeyConstraint("profile_id", "shard"),
    sqlite_with_rowid=False,
    postgresql_partition_by="RANGE (shard)",
)
"""The newest state of each profile, its items and payments within it. PostgreSQL has an index of those that are open
(``ix_profiles_open``), and one of the policy versions that are known (``ix_profiles_policy_version``): what a start
asks, without reading states."""

journal: Final = Table(
    "journal",
    metadata,
    Column("profile_id", Text, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("shard", SmallInteger, nullable=False),
    Column("fact", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    # In PostgreSQL its key ends in ``at``, which its partitions go by.
    PrimaryKeyConstraint("profile_id", "number", "shard"),
    postgresql_partition_by="RANGE (at)",
)
"""Every fact of every profile; only ever appended to, hence a rowid in SQLite: facts go to the end of the table."""

timers: Final = Table(
    "timers",
    metadata,
    Column("profile_id", Text, nullable=False),
    Column("shard", SmallInteger, nullable=False),
    Column("wake_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("profile_id", "shard"),
    Index(None, "wake_at", "profile_id", "shard"),
    sqlite_with_rowid=False,
    postgresql_partition_by="RANGE (shard)",
)
"""When to look at which profile again."""

outbox: Final = Table(
    "outbox",
    metadata,
    # SQLite has no counter for a part of a key: there the store counts.
    Column("number", BigInteger, Identity(), nullable=False),
    Column("profile_id", Text, nullable=False),
    Column("shard", SmallInteger, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("routing_key", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("state", Text, nullable=False),
    Column("breaker", Text),
    PrimaryKeyConstraint("number", "shard"),
    UniqueConstraint("event_id", "shard"),
    sqlite_with_rowid=False,
)
"""Events that have not left: ``state`` is pending, held (behind a breaker) or withdrawn. Sent ones are deleted."""

held: Final = Table(
    "held",
    metadata,
    Column("profile_id", Text, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("shard", SmallInteger, nullable=False),
    Column("accepted_at", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    PrimaryKeyConstraint("profile_id", "number", "shard"),
)
"""Events that wait for their account."""

quarantine: Final = Table(
    "quarantine",
    metadata,
    Column("profile_id", Text, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("shard", SmallInteger, nullable=False),
    Column("accepted_at", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("reason", Text, nullable=False),
    PrimaryKeyConstraint("profile_id", "number", "shard"),
)
"""Events that could not be worked, and those that wait behind them."""

desks: Final = Table(
    "desks",
    metadata,
    Column("service_segment", Text, nullable=False),
    Column("state", LargeBinary, nullable=False),
    PrimaryKeyConstraint("service_segment"),
)
"""The state of manager supervisors."""

meta: Final = Table(
    "meta",
    metadata,
    Column("name", Text, nullable=False),
    Column("value", BigInteger, nullable=False),
    PrimaryKeyConstraint("name"),
)
"""Numbers of the store as a whole: ``shards``; in SQLite ``last_instant``, the latest instant it has seen; in
PostgreSQL ``serves``, the oldest schema whose engines can work on it, and ``journal_begins``, before which facts were
dropped."""

shared: Final = MetaData()
"""What only a store has that many processes share: PostgreSQL's."""

shards: Final = Table(
    "shards",
    shared,
    Column("shard", SmallInteger, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
    Column("owner", Text),
)
"""Who works which shard; ``epoch`` counts the changes. A shard without an owner is free."""

owners: Final = Table(
    "owners",
    shared,
    Column("owner", Text, primary_key=True),
    Column("lease_until", DateTime(timezone=True), nullable=False),
    Column("last_instant", BigInteger, nullable=False),
)
"""Those who work shards, each a row that it alone writes: until when its shards are its own, by the database's clock,
and the latest instant that it has seen."""
