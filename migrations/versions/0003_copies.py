"""Copies: the 256-bit codes of pictures, and what people decided about pairs of them.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def upgrade() -> None:
    op.create_table(
        "codes",
        _text("picture_id"),
        _text("algorithm"),
        _text("turned"),
        _text("turned_trimmed", nullable=True),
        _text("trim_box", nullable=True),
        sa.Column("quality", sa.BigInteger(), nullable=False),
        _text("colours"),
        _text("created_at"),
        sa.PrimaryKeyConstraint("picture_id", "algorithm", name="pk_codes"),
        sa.ForeignKeyConstraint(["picture_id"], ["pictures.id"], name="fk_codes_picture_id"),
    )
    op.create_table(
        "pair_decisions",
        _text("id"),
        _text("a"),
        _text("b"),
        _text("verdict"),
        _text("keep", nullable=True),
        _text("by"),
        _text("because"),
        _text("recorded_at"),
        _text("undone_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_pair_decisions"),
    )
    op.create_index("ix_pair_decisions_a", "pair_decisions", ["a"])
    op.create_index("ix_pair_decisions_b", "pair_decisions", ["b"])


def downgrade() -> None:
    op.drop_table("pair_decisions")
    op.drop_table("codes")
