"""What descends from what? One integer graph over everything, for the walk that must be quick.

The graph is a rollup of covered rows (members, runs, adapters, outputs, clusters, and the
recorded derivations); it proves nothing by itself and `picdeed audit` rebuilds it to compare.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from picdeed.registry.tables import Table


class Derivation(Table, kw_only=True):
    """One recorded descent that no other row tells: a crop, a cache, a re-ingested output."""

    __tablename__ = "derivations"

    child_id: Mapped[str] = mapped_column(primary_key=True)
    parent_id: Mapped[str] = mapped_column(primary_key=True, index=True)
    relation: Mapped[str]
    recorded_at: Mapped[str]


class Node(Table, kw_only=True):
    """A subject's number in the graph."""

    __tablename__ = "descent_nodes_rollup"

    # INTEGER PRIMARY KEY is SQLite's own row number: the walk joins on it.
    id: Mapped[int] = mapped_column(
        sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, init=False
    )
    subject: Mapped[str] = mapped_column(unique=True)


class Edge(Table, kw_only=True):
    """`child` descends from `parent`."""

    __tablename__ = "descent_edges_rollup"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012 - SQLAlchemy reads a plain dict

    parent: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    child: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    relation: Mapped[str]
