"""What was revoked, on which ground, and what did it reach?"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from picdeed.core.ids import content_id
from picdeed.registry.tables import CanonicalJson, Table


class Revocation(Table, kw_only=True):
    """One applied revocation; `target` is a whole id or a licence expression."""

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


def revocation_id(target: str, ground: str, effective: str) -> str:
    """The id of a revocation: declaring the same again is the same revocation."""
    named = {"target": target, "ground": str(ground), "effective": effective}
    return content_id("rev", named)


def all_revocations(session: Session) -> list[Revocation]:
    """Every revocation, newest first."""
    wanted = sa.select(Revocation).order_by(Revocation.declared_at.desc(), Revocation.id)
    return list(session.scalars(wanted))


def of_target(session: Session, target: str) -> list[Revocation]:
    """Revocations of one target, oldest first."""
    wanted = sa.select(Revocation).where(Revocation.target == target)
    return list(session.scalars(wanted.order_by(Revocation.declared_at, Revocation.id)))


def touching(session: Session, subject: str) -> Revocation | None:
    """The oldest revocation whose impact names this id."""
    named = sa.type_coerce(Revocation.impact, sa.Text).contains(subject, autoescape=True)
    wanted = sa.select(Revocation).where(named).order_by(Revocation.declared_at, Revocation.id)
    return session.scalars(wanted).first()
