"""Rights: shared answers, corrections, grants, facts, approvals, descent, tombstones, rollups.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _whole(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False)


def _table(
    name: str,
    *columns: sa.Column,
    key: tuple[str, ...] = ("id",),
    refers: dict[str, str] | None = None,
    indexes: tuple[str, ...] = (),
    **options: bool,
) -> None:
    op.create_table(
        name,
        *columns,
        sa.PrimaryKeyConstraint(*key, name=f"pk_{name}"),
        *(
            sa.ForeignKeyConstraint([column], [f"{table}.id"], name=f"fk_{name}_{column}")
            for column, table in (refers or {}).items()
        ),
        **options,
    )
    for column in indexes:
        op.create_index(f"ix_{name}_{column}", name, [column])


def upgrade() -> None:
    # Derived from claims that stay: concluded anew, under the new rules, at the next command.
    op.drop_table("conclusions")
    _answers()
    _acts()
    _after_a_revocation()
    _rollups()


def downgrade() -> None:
    for name in (
        "snapshot_counts_rollup",
        "watermarks_cache",
        "descent_edges_rollup",
        "descent_nodes_rollup",
        "derivations",
        "tombstones",
        "revocation_effects",
        "approvals",
        "license_texts",
        "licensee_facts",
        "grant_subjects",
        "grants",
        "claim_corrections",
        "picture_standings",
        "standings",
    ):
        op.drop_table(name)
    _table(
        "conclusions",
        _text("picture_id"),
        _text("license"),
        _text("rule"),
        _flag("conflict"),
        _flag("opt_out"),
        _text("verdicts"),
        _text("reasons"),
        _text("claims_hash"),
        _text("policy_hash"),
        _text("concluded_at"),
        key=("picture_id",),
        refers={"picture_id": "pictures"},
        indexes=("license",),
    )


def _answers() -> None:
    _table(
        "standings",
        _text("id"),
        _text("license"),
        _text("rule"),
        _flag("conflict"),
        _flag("opt_out"),
        _flag("checked"),
        _text("verdicts"),
        _text("reasons"),
        _text("findings"),
        _text("grants"),
        _text("until", nullable=True),
        indexes=("license", "until"),
    )
    _table(
        "picture_standings",
        _text("picture_id"),
        _text("standing_id"),
        _text("claims_hash"),
        _text("policy_hash"),
        _text("concluded_at"),
        key=("picture_id",),
        refers={"picture_id": "pictures", "standing_id": "standings"},
        indexes=("standing_id", "policy_hash"),
    )


def _acts() -> None:
    _table(
        "claim_corrections",
        _text("corrects_id"),
        _text("claim_id", nullable=True),
        _text("because"),
        _text("corrected_at"),
        key=("corrects_id",),
        refers={"corrects_id": "picture_claims", "claim_id": "picture_claims"},
    )
    _table(
        "grants",
        _text("id"),
        _text("licensor"),
        _text("licensee"),
        _text("authority"),
        _text("actions"),
        _text("scope"),
        _text("starts"),
        _text("ends", nullable=True),
        _text("survival"),
        _text("terms"),
        _text("evidence_sha256"),
        _text("evidence_name"),
        _text("recorded_by"),
        _text("recorded_at"),
        _text("ended_on", nullable=True),
        _text("ended_at", nullable=True),
        _text("ended_because", nullable=True),
        indexes=("ends",),
    )
    _table(
        "grant_subjects",
        _text("grant_id"),
        _text("subject_id"),
        _flag("matched"),
        key=("grant_id", "subject_id"),
        refers={"grant_id": "grants"},
        indexes=("subject_id",),
    )
    _table(
        "licensee_facts",
        _text("id"),
        _text("name"),
        _text("value"),
        _text("since"),
        _text("evidence_sha256", nullable=True),
        _text("recorded_by"),
        _text("recorded_at"),
        indexes=("name",),
    )
    _table(
        "license_texts",
        _text("url"),
        _text("sha256"),
        _text("license"),
        _text("origin"),
        _text("first_seen"),
        key=("url", "sha256"),
        indexes=("license",),
    )
    _table(
        "approvals",
        _text("decision_id"),
        _text("recorded_at"),
        _text("by"),
        _text("basis"),
        _text("until"),
        key=("decision_id", "recorded_at"),
        refers={"decision_id": "decisions"},
    )


def _after_a_revocation() -> None:
    _table(
        "revocation_effects",
        _text("revocation_id"),
        _text("subject_id"),
        _text("before"),
        _text("after"),
        key=("revocation_id", "subject_id"),
        refers={"revocation_id": "revocations"},
        indexes=("subject_id",),
    )
    _table(
        "tombstones",
        _text("feed"),
        _whole("seq"),
        _text("salt"),
        _text("revocation"),
        _text("file_hash"),
        _text("pixels_hash", nullable=True),
        _text("ground"),
        _text("effective"),
        _text("entry_hash"),
        _text("read_at"),
        key=("feed", "seq"),
        indexes=("file_hash", "pixels_hash"),
    )
    _table(
        "derivations",
        _text("child_id"),
        _text("parent_id"),
        _text("relation"),
        _text("recorded_at"),
        key=("child_id", "parent_id"),
        indexes=("parent_id",),
    )


def _rollups() -> None:
    op.create_table(
        "descent_nodes_rollup",
        # INTEGER PRIMARY KEY is SQLite's own row number: the walk joins on it.
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        _text("subject"),
        sa.PrimaryKeyConstraint("id", name="pk_descent_nodes_rollup"),
        sa.UniqueConstraint("subject", name="uq_descent_nodes_rollup_subject"),
    )
    _table(
        "descent_edges_rollup",
        _whole("parent"),
        _whole("child"),
        _text("relation"),
        key=("parent", "child", "relation"),
        indexes=("child",),
        sqlite_with_rowid=False,
    )
    _table(
        "watermarks_cache",
        _text("name"),
        _whole("seq"),
        _text("state"),
        key=("name",),
    )
    _table(
        "snapshot_counts_rollup",
        _text("snapshot_id"),
        _text("standing_id"),
        _text("state"),
        _whole("pictures"),
        key=("snapshot_id", "standing_id", "state"),
    )
