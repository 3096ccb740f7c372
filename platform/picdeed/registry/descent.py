"""What descends from what? One integer graph over everything, for the walk that must be quick.

The graph is a rollup of covered rows (members, runs, adapters, outputs, clusters, parts, and the
recorded derivations; descent_edges.py says which); it proves nothing by itself, and `picdeed
audit` holds it against those rows.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from picdeed.registry.tables import Table, chunks, table_for

if TYPE_CHECKING:
    from collections.abc import Collection


class Derived(StrEnum):
    """How one thing was made from another where no other row tells it."""

    CROP = "crop-of"
    CAPTION = "caption-of"
    CACHE = "cached-from"
    CHECKPOINT = "checkpoint-of"
    MERGED = "merged-from"
    REINGESTED = "output-reingested"
    ENDPOINT = "served-by"


# Copies of one picture, both ways; a part of a picture, from the whole; a whole, from its part.
COPY, PART, SHOWN = "copy", "part", "shown-in"


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
    """`child` descends from `parent`; each relation between two things is an edge of its own."""

    __tablename__ = "descent_edges_rollup"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012 - SQLAlchemy reads a plain dict

    parent: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    child: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, index=True)
    relation: Mapped[str] = mapped_column(primary_key=True)


def record(child: str, parent: str, relation: Derived, *, at: str) -> Derivation:
    """A row that says what `child` was made from, to be written with the event that made it.

    Raises ValueError for a thing made from itself, or a relation outside the list.
    """
    if child == parent:
        raise ValueError(f"{child} cannot descend from itself")
    return Derivation(
        child_id=child, parent_id=parent, relation=str(Derived(relation)), recorded_at=at
    )


def recorded(session: Session, subjects: Collection[str]) -> list[Derivation]:
    """The recorded derivations of these things and from them, in order."""
    found: dict[tuple[str, str], Derivation] = {}
    for part in chunks(subjects):
        wanted = sa.select(Derivation).where(
            sa.or_(Derivation.child_id.in_(part), Derivation.parent_id.in_(part))
        )
        found.update({(row.child_id, row.parent_id): row for row in session.scalars(wanted)})
    return [found[key] for key in sorted(found)]


def closure(
    session: Session, subjects: Collection[str], *, without: Collection[str] = ()
) -> list[str]:
    """These things and everything that descends from them, by id, each once.

    A part of one of these shows nothing but them, and falls with them, as do its own parts. A whole
    that shows them falls too, but not its other parts: a sheet of four is no way from one picture
    to the next. The walk does not enter `without`, so what only descends through those is left out.
    Exact for any graph, also with cycles; the rollup must be current (descent_edges.catch_up).
    """
    seeds = known_numbers(session, subjects)
    found = set(subjects)
    if seeds:
        numbers = _walk(list(seeds.values()), list(known_numbers(session, without).values()))
        found.update(
            session.scalars(sa.select(Node.subject).join(numbers, numbers.c.id == Node.id))
        )
    return sorted(found)


def _walk(seeds: list[int], walls: list[int]) -> sa.CTE:
    """`WITH RECURSIVE`: UNION keeps each number once, which is what ends a cycle.

    First down to what shows nothing else, then to all that holds any of it.
    """
    # The numbers stand in the statement itself: a list may be longer than either database takes
    # parameters, and numbers of our own need no quoting.
    start = sa.select(Node.id).where(Node.id.in_(_literal("seeds", seeds)))
    alike = _reach(start, "alike", Edge.relation.in_((COPY, PART)), walls)
    return _reach(sa.select(alike.c.id), "reached", Edge.relation != PART, walls)


def _reach(
    start: sa.Select[int], name: str, along: sa.ColumnElement[bool], walls: list[int]
) -> sa.CTE:
    reached = start.cte(name, recursive=True)
    step = sa.select(Edge.child).join(reached, Edge.parent == reached.c.id).where(along)
    if walls:
        step = step.where(Edge.child.not_in(_literal("walls", walls)))
    return reached.union(step)


def _literal(name: str, numbers: list[int]) -> sa.BindParameter[list[int]]:
    return sa.bindparam(name, numbers, expanding=True, literal_execute=True)


def known_numbers(session: Session, subjects: Collection[str]) -> dict[str, int]:
    """Number by subject; things outside the graph are missing."""
    found: dict[str, int] = {}
    for part in chunks(subjects):
        wanted = sa.select(Node.subject, Node.id).where(Node.subject.in_(part))
        found.update(dict(session.execute(wanted).tuples().all()))
    return found


def numbers(session: Session, subjects: Collection[str]) -> dict[str, int]:
    """Number by subject; a thing that has none yet gets one. Only inside `Registry.write()`."""
    found = known_numbers(session, subjects)
    missing = sorted(set(subjects) - found.keys())
    for part in chunks(missing):
        session.execute(sa.insert(table_for(Node)), [{"subject": subject} for subject in part])
    return found | known_numbers(session, missing)
