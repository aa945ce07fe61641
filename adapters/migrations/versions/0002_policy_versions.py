"""The policy version under which each profile was worked last."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Nothing is rewritten: rows that are there do not know it, and engines of the release before need not name it.
    op.add_column("profiles", sa.Column("policy_version", sa.BigInteger))
    if op.get_bind().dialect.name == "postgresql":
        # What a start asks: 1.5 ms of a million profiles, where going through them all takes 400 ms. It is empty as
        # yet, and made in 0.5 s; a commit that leaves the version alone leaves it alone.
        op.create_index(
            "ix_profiles_policy_version",
            "profiles",
            ["policy_version", "shard", "profile_id"],
            postgresql_where=sa.text("NOT is_closed AND policy_version IS NOT NULL"),
        )


def downgrade() -> None:
    raise NotImplementedError("a store does not go back: restore the copy that was made before the upgrade")
