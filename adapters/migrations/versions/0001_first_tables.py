"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# By bytes in PostgreSQL too: cheaper, and the same everywhere, whatever the database's language.
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_BY_SHARD = "RANGE (shard)"


def upgrade() -> None:
    _make_inbox_and_desks()
    _make_profiles()
    _make_outbox()
    _make_waiting("held")
    _make_waiting("quarantine", sa.Column("reason", _TEXT, nullable=False))
    if _is_postgresql():
        _make_owners()


def _is_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _make_inbox_and_desks() -> None:
    op.create_table(
        "inbox",
        sa.Column("source", _TEXT, nullable=False),
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("accepted_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("source", "id", name="pk_inbox"),
        sqlite_with_rowid=False,
        postgresql_partition_by="HASH (id)",
    )
    # It grows at its end, which costs little; an index of blocks would have who forgets read the whole table.
    op.create_index("ix_inbox_accepted_at", "inbox", ["accepted_at"])
    op.create_table(
        "desks",
        sa.Column("service_segment", _TEXT, nullable=False),
        sa.Column("state", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("service_segment", name="pk_desks"),
    )
    op.create_table(
        "meta",
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("value", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_meta"),
    )


def _make_profiles() -> None:
    op.create_table(
        "profiles",
        sa.Column("profile_id", _TEXT, nullable=False),
        sa.Column("shard", sa.SmallInteger, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("state", sa.LargeBinary, nullable=False),
        sa.Column("policy_segment", _TEXT),
        sa.Column("service_segment", _TEXT),
        sa.Column("is_closed", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("profile_id", "shard", name="pk_profiles"),
        sqlite_with_rowid=False,
        postgresql_partition_by=_BY_SHARD,
    )
    if _is_postgresql():
        # What a start asks, without reading states. A commit that leaves these columns alone leaves the index alone;
        # in SQLite every commit would write it.
        op.create_index(
            "ix_profiles_open",
            "profiles",
            ["shard", "policy_segment", "profile_id"],
            postgresql_where=sa.text("NOT is_closed"),
        )
    op.create_table(
        "journal",
        sa.Column("profile_id", _TEXT, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("shard", sa.SmallInteger, nullable=False),
        sa.Column("fact", _TEXT, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("profile_id", "number", "at" if _is_postgresql() else "shard", name="pk_journal"),
        postgresql_partition_by="RANGE (at)",
    )
    op.create_table(
        "timers",
        sa.Column("profile_id", _TEXT, nullable=False),
        sa.Column("shard", sa.SmallInteger, nullable=False),
        sa.Column("wake_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("profile_id", "shard", name="pk_timers"),
        sqlite_with_rowid=False,
        postgresql_partition_by=_BY_SHARD,
    )
    # In the order in which timers are asked for: a million may be due at the same instant.
    op.create_index("ix_timers_wake_at", "timers", ["wake_at", "profile_id", "shard"])


def _make_outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("number", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("profile_id", _TEXT, nullable=False),
        sa.Column("shard", sa.SmallInteger, nullable=False),
        sa.Column("event_id", _TEXT, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("routing_key", _TEXT, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("state", _TEXT, nullable=False),
        sa.Column("breaker", _TEXT),
        sa.PrimaryKeyConstraint("number", "shard", name="pk_outbox"),
        sa.UniqueConstraint("event_id", "shard", name="uq_outbox_event_id"),
        sqlite_with_rowid=False,
    )


def _make_waiting(name: str, *more: sa.Column[str]) -> None:
    op.create_table(
        name,
        sa.Column("profile_id", _TEXT, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("shard", sa.SmallInteger, nullable=False),
        sa.Column("accepted_at", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        *more,
        sa.PrimaryKeyConstraint("profile_id", "number", "shard", name=f"pk_{name}"),
    )


def _make_owners() -> None:
    op.create_table(
        "shards",
        sa.Column("shard", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("owner", _TEXT),
    )
    op.create_table(
        "owners",
        sa.Column("owner", _TEXT, primary_key=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_instant", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    raise NotImplementedError("a store does not go back: restore the copy that was made before the upgrade")
