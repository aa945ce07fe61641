"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_PARTITIONED = "LIST (shard)"


def upgrade() -> None:
    _make_inbox_and_desks()
    _make_profiles()
    _make_outbox()
    _make_waiting("held")
    _make_waiting("quarantine", sa.Column("reason", sa.Text, nullable=False))


def _make_inbox_and_desks() -> None:
    op.create_table(
        "inbox",
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("accepted_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("source", "id", name="pk_inbox"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_inbox_accepted_at", "inbox", ["accepted_at"])
    op.create_table(
        "desks",
        sa.Column("service_segment", sa.Text, nullable=False),
        sa.Column("state", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("service_segment", name="pk_desks"),
    )
    op.create_table(
        "meta",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("value", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_meta"),
    )


def _make_profiles() -> None:
    op.create_table(
        "profiles",
        sa.Column("profile_id", sa.Text, nullable=False),
        sa.Column("shard", sa.SmallInteger, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("state", sa.LargeBinary, nullable=False),
        sa.Column("policy_segment", sa.Text),
        sa.Column("service_segment", sa.Text),
        sa.Column("is_closed", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("profile_id", "shard", name="pk_profiles"),
        sqlite_with_rowid=False,
        postgresql_partition_by=_PARTITIONED,
    )
    op.create_table(
        "journal",
        sa.Column("profile_id", sa.Text, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("shard", sa.SmallInteger, nullable=False),
        sa.Column("fact", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("profile_id", "number", "shard", name="pk_journal"),
        postgresql_partition_by=_PARTITIONED,
    )
    op.create_table(
        "timers",
        sa.Column("profile_id", sa.Text, nullable=False),
        sa.Column("shard", sa.SmallInteger, nullable=False),
        sa.Column("wake_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("profile_id", "shard", name="pk_timers"),
        sqlite_with_rowid=False,
        postgresql_partition_by=_PARTITIONED,
    )
    op.create_index("ix_timers_wake_at", "timers", ["wake_at"])


def _make_outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("number", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("profile_id", sa.Text, nullable=False),
        sa.Column("shard", sa.SmallInteger, nullable=False),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("routing_key", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("breaker", sa.Text),
        sa.PrimaryKeyConstraint("number", "shard", name="pk_outbox"),
        sa.UniqueConstraint("event_id", "shard", name="uq_outbox_event_id"),
        sqlite_with_rowid=False,
        postgresql_partition_by=_PARTITIONED,
    )


def _make_waiting(name: str, *more: sa.Column[str]) -> None:
    op.create_table(
        name,
        sa.Column("profile_id", sa.Text, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("shard", sa.SmallInteger, nullable=False),
        sa.Column("accepted_at", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        *more,
        sa.PrimaryKeyConstraint("profile_id", "number", "shard", name=f"pk_{name}"),
        postgresql_partition_by=_PARTITIONED,
    )


def downgrade() -> None:
    raise NotImplementedError("a store does not go back: restore the copy that was made before the upgrade")
