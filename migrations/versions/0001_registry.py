"""The first registry: pictures, claims, datasets, snapshots, decisions, runs, outputs, ledger.

Revision ID: 0001
Revises: -
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    # JSON is text too: its canonical form is what the ledger vouches for.
    return sa.Column(name, sa.Text(), nullable=nullable)


def _whole(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False)


def _table(
    name: str,
    *columns: sa.Column,
    key: tuple[str, ...] = ("id",),
    unique: tuple[str, ...] = (),
    refers: dict[str, str] | None = None,
    indexes: tuple[str, ...] = (),
) -> None:
    op.create_table(
        name,
        *columns,
        sa.PrimaryKeyConstraint(*key, name=f"pk_{name}"),
        *(sa.UniqueConstraint(column, name=f"uq_{name}_{column}") for column in unique),
        *(
            sa.ForeignKeyConstraint([column], [f"{table}.id"], name=f"fk_{name}_{column}")
            for column, table in (refers or {}).items()
        ),
    )
    for column in indexes:
        op.create_index(f"ix_{name}_{column}", name, [column])


def upgrade() -> None:
    _pictures()
    _similar()
    _snapshots()
    _models()
    _ledger()


def downgrade() -> None:
    for name in (
        "ledger_rows",
        "events",
        "revocations",
        "outputs",
        "adapters",
        "runs",
        "decisions",
        "bases",
        "snapshot_requests",
        "snapshot_members",
        "snapshots",
        "cluster_members",
        "clusters",
        "pairs",
        "fingerprints",
        "conclusions",
        "picture_claims",
        "occurrences",
        "members",
        "datasets",
        "pictures",
    ):
        op.drop_table(name)


def _pictures() -> None:
    _table(
        "pictures",
        _text("id"),
        _text("sha256"),
        _whole("bytes"),
        _text("media_type"),
        _whole("width"),
        _whole("height"),
        _text("state"),
        _text("first_seen"),
        unique=("sha256",),
    )
    _table(
        "datasets",
        _text("id"),
        _text("name"),
        _text("created_at"),
        unique=("name",),
    )
    _table(
        "members",
        _text("dataset_id"),
        _text("picture_id"),
        _text("caption", nullable=True),
        _text("added_at"),
        _text("removed_at", nullable=True),
        key=("dataset_id", "picture_id"),
        refers={"dataset_id": "datasets", "picture_id": "pictures"},
        indexes=("picture_id",),
    )
    _table(
        "occurrences",
        _text("id"),
        _text("picture_id"),
        _text("dataset_id"),
        _text("path"),
        _text("source"),
        _text("seen_at"),
        refers={"picture_id": "pictures", "dataset_id": "datasets"},
        indexes=("picture_id", "dataset_id"),
    )
    _table(
        "picture_claims",
        _text("id"),
        _text("picture_id"),
        _text("source"),
        _text("kind"),
        _text("raw"),
        _text("raw_sha256"),
        _text("parsed", nullable=True),
        _text("status"),
        _text("parser"),
        _text("note"),
        _text("observed_at"),
        refers={"picture_id": "pictures"},
        indexes=("picture_id",),
    )
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


def _similar() -> None:
    _table(
        "fingerprints",
        _text("picture_id"),
        _text("algorithm"),
        _text("phash"),
        _text("dhash"),
        _text("pixels_sha256", nullable=True),
        _text("created_at"),
        key=("picture_id", "algorithm"),
        refers={"picture_id": "pictures"},
        indexes=("pixels_sha256",),
    )
    _table(
        "pairs",
        _text("a"),
        _text("b"),
        _text("kind"),
        sa.Column("distance", sa.Double(), nullable=False),
        _text("evidence"),
        key=("a", "b"),
        refers={"a": "pictures", "b": "pictures"},
        indexes=("b",),
    )
    _table(
        "clusters",
        _text("id"),
        _text("kind"),
        _text("keeper"),
        refers={"keeper": "pictures"},
    )
    _table(
        "cluster_members",
        _text("cluster_id"),
        _text("picture_id"),
        key=("cluster_id", "picture_id"),
        refers={"cluster_id": "clusters", "picture_id": "pictures"},
        indexes=("picture_id",),
    )


def _snapshots() -> None:
    _table(
        "snapshots",
        _text("id"),
        _text("root"),
        _whole("members"),
        _text("state"),
        _text("created_at"),
    )
    _table(
        "snapshot_members",
        _text("snapshot_id"),
        _text("picture_id"),
        _text("caption", nullable=True),
        _text("caption_sha256"),
        _text("license"),
        _text("leaf_sha256"),
        key=("snapshot_id", "picture_id"),
        refers={"snapshot_id": "snapshots", "picture_id": "pictures"},
        indexes=("picture_id",),
    )
    _table(
        "snapshot_requests",
        _text("id"),
        _text("snapshot_id"),
        _text("dataset_id"),
        _text("query"),
        _text("left_out"),
        _text("requested_at"),
        refers={"snapshot_id": "snapshots", "dataset_id": "datasets"},
        indexes=("snapshot_id", "dataset_id"),
    )


def _models() -> None:
    _table(
        "bases",
        _text("id"),
        _text("name"),
        _text("sha256"),
        _text("license"),
        _text("deed"),
        _text("path"),
        _text("added_at"),
        unique=("name",),
    )
    _table(
        "decisions",
        _text("id"),
        _text("snapshot_id"),
        _text("base_id"),
        _text("uses"),
        _text("profile"),
        _flag("commercial"),
        _text("verdict"),
        _text("reasons"),
        _text("duties"),
        _text("drop"),
        _text("drop_reason", nullable=True),
        _text("inputs_hash"),
        _text("policy_hash"),
        _text("decided_at"),
        _text("valid_until"),
        refers={"snapshot_id": "snapshots", "base_id": "bases"},
        indexes=("snapshot_id", "base_id", "inputs_hash"),
    )
    _table(
        "runs",
        _text("id"),
        _text("snapshot_id"),
        _text("decision_id"),
        _text("base_id"),
        _text("recipe"),
        _text("recipe_sha256"),
        _text("state"),
        _text("standing"),
        _whole("seed"),
        _whole("steps"),
        _text("folder"),
        _text("started_at"),
        _text("ended_at", nullable=True),
        _text("result", nullable=True),
        _text("error", nullable=True),
        refers={"snapshot_id": "snapshots", "decision_id": "decisions", "base_id": "bases"},
        indexes=("snapshot_id", "decision_id", "base_id", "recipe_sha256"),
    )
    _table(
        "adapters",
        _text("id"),
        _text("run_id"),
        _text("sha256"),
        _text("path"),
        _whole("bytes"),
        _text("state"),
        _text("created_at"),
        refers={"run_id": "runs"},
        indexes=("run_id", "sha256"),
    )
    _table(
        "outputs",
        _text("id"),
        _text("adapter_id", nullable=True),
        _text("base_id"),
        _text("run_id", nullable=True),
        _text("recipe"),
        _text("prompt"),
        _whole("seed"),
        _text("pixel_sha256"),
        _text("sha256", nullable=True),
        _text("manifest_label", nullable=True),
        _text("signer", nullable=True),
        _text("state"),
        _text("created_at"),
        refers={"adapter_id": "adapters", "base_id": "bases", "run_id": "runs"},
        indexes=("adapter_id", "base_id", "run_id", "pixel_sha256", "sha256"),
    )
    _table(
        "revocations",
        _text("id"),
        _text("target"),
        _text("ground"),
        _text("effective"),
        _text("declared_at"),
        _text("impact"),
        indexes=("target",),
    )


def _ledger() -> None:
    _table(
        "events",
        _whole("seq"),
        _text("kind"),
        _text("at"),
        _text("payload"),
        _text("rows_root"),
        _text("previous"),
        _text("hash"),
        _text("signature"),
        key=("seq",),
        unique=("hash",),
    )
    _table(
        "ledger_rows",
        _whole("event_seq"),
        _whole("position"),
        _text("row_table"),
        _text("row_key"),
        _text("row_sha256", nullable=True),
        key=("event_seq", "position"),
    )
    op.create_index("ix_ledger_rows_newest", "ledger_rows", ["row_table", "row_key", "event_seq"])
