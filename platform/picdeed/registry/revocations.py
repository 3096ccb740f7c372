"""What was revoked, on which ground, and what did it reach?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from picdeed.core.ids import content_id
from picdeed.registry.tables import CanonicalJson, Table, chunks

if TYPE_CHECKING:
    from collections.abc import Collection


class Revocation(Table, kw_only=True):
    """One applied revocation; `target` is a whole id or a licence expression.

    `impact` counts what was touched, by kind and state, and names the report by its SHA-256.
    """

    __tablename__ = "revocations"

    id: Mapped[str] = mapped_column(primary_key=True)
    target: Mapped[str] = mapped_column(index=True)
    ground: Mapped[str]
    effective: Mapped[str]
    declared_at: Mapped[str]
    impact: Mapped[Any] = mapped_column(CanonicalJson, nullable=False)


class RevocationEffect(Table, kw_only=True):
    """What one revocation did to one thing: its state before and after (equal when flagged)."""

    __tablename__ = "revocation_effects"

    revocation_id: Mapped[str] = mapped_column(sa.ForeignKey("revocations.id"), primary_key=True)
    subject_id: Mapped[str] = mapped_column(primary_key=True, index=True)
    before: Mapped[str]
    after: Mapped[str]


def revocation_id(target: str, ground: str, effective: str, counter: int = 0) -> str:
    """The id of a revocation: declaring the same again is the same revocation.

    `counter` is how often the same was declared before and has now reached something new.
    """
    named: dict[str, Any] = {"target": target, "ground": str(ground), "effective": effective}
    return content_id("rev", named | ({"counter": counter} if counter else {}))


def all_revocations(session: Session) -> list[Revocation]:
    """Every revocation, newest first."""
    wanted = sa.select(Revocation).order_by(Revocation.declared_at.desc(), Revocation.id)
    return list(session.scalars(wanted))


def of_target(session: Session, target: str, ground: str | None = None) -> list[Revocation]:
    """Revocations of one target, on one ground or on any, oldest first."""
    wanted = sa.select(Revocation).where(Revocation.target == target)
    if ground is not None:
        wanted = wanted.where(Revocation.ground == str(ground))
    return list(session.scalars(wanted.order_by(Revocation.declared_at, Revocation.id)))


def effects(session: Session, revocations: Collection[str]) -> dict[str, RevocationEffect]:
    """What these revocations (ids) did, by subject; the last of several wins."""
    found: dict[str, RevocationEffect] = {}
    for part in chunks(revocations):
        wanted = (
            sa.select(RevocationEffect)
            .join(Revocation, Revocation.id == RevocationEffect.revocation_id)
            .where(RevocationEffect.revocation_id.in_(part))
            .order_by(Revocation.declared_at, Revocation.id, RevocationEffect.subject_id)
        )
        found.update({row.subject_id: row for row in session.scalars(wanted)})
    return found


def reaching(session: Session, subject: str) -> list[RevocationEffect]:
    """What every revocation did to one thing, oldest first."""
    wanted = (
        sa.select(RevocationEffect)
        .join(Revocation, Revocation.id == RevocationEffect.revocation_id)
        .where(RevocationEffect.subject_id == subject)
        .order_by(Revocation.declared_at, Revocation.id)
    )
    return list(session.scalars(wanted))


def on(session: Session, subjects: Collection[str], ground: str) -> set[str]:
    """Those of these things that a revocation on this ground has reached already."""
    found: set[str] = set()
    for part in chunks(subjects):
        wanted = (
            sa.select(RevocationEffect.subject_id)
            .join(Revocation, Revocation.id == RevocationEffect.revocation_id)
            .where(RevocationEffect.subject_id.in_(part), Revocation.ground == str(ground))
        )
        found.update(session.scalars(wanted))
    return found


GONE = "revoked"  # what an effect says of a thing that has no state of its own, such as a base


def last_states(session: Session, subjects: Collection[str]) -> dict[str, str]:
    """What the newest effect left of each of these things; untouched ones are missing."""
    found: dict[str, str] = {}
    for part in chunks(subjects):
        wanted = (
            sa.select(RevocationEffect.subject_id, RevocationEffect.after)
            .join(Revocation, Revocation.id == RevocationEffect.revocation_id)
            .where(RevocationEffect.subject_id.in_(part))
            .order_by(Revocation.declared_at, Revocation.id)
        )
        found.update(dict(session.execute(wanted).tuples().all()))
    return found


def fallen(session: Session, subject: str) -> Revocation | None:
    """The oldest revocation under which a thing without a state of its own, a base, has fallen."""
    wanted = (
        sa.select(Revocation)
        .join(RevocationEffect, RevocationEffect.revocation_id == Revocation.id)
        .where(RevocationEffect.subject_id == subject, RevocationEffect.after == GONE)
        .order_by(Revocation.declared_at, Revocation.id)
    )
    return session.scalars(wanted.limit(1)).first()


def touching(session: Session, subject: str) -> Revocation | None:
    """The oldest revocation that changed this thing's state; else the oldest that flags it."""
    wanted = (
        sa.select(Revocation)
        .join(RevocationEffect, RevocationEffect.revocation_id == Revocation.id)
        .where(RevocationEffect.subject_id == subject)
        .order_by(
            sa.case((RevocationEffect.before == RevocationEffect.after, 1), else_=0),
            Revocation.declared_at,
            Revocation.id,
        )
    )
    return session.scalars(wanted.limit(1)).first()
