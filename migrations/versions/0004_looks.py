"""Looks: the fingerprints that came with other registries' feeds.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def upgrade() -> None:
    op.create_table(
        "tombstone_looks",
        _text("feed"),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        _text("algorithm"),
        _text("turned"),
        _text("turned_trimmed", nullable=True),
        _text("trim", nullable=True),
        sa.Column("quality", sa.BigInteger(), nullable=False),
        _text("colours"),
        _text("corners_algorithm", nullable=True),
        _text("corners", nullable=True),
        sa.PrimaryKeyConstraint("feed", "seq", name="pk_tombstone_looks"),
        sa.ForeignKeyConstraint(
            ["feed", "seq"], ["tombstones.feed", "tombstones.seq"], name="fk_tombstone_looks_entry"
        ),
    )


def downgrade() -> None:
    op.drop_table("tombstone_looks")
