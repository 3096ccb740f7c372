"""Which 256-bit codes say how a picture looks, and what did people decide about pairs?"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from picdeed.core.ids import hash_json
from picdeed.registry.pictures import Picture, PictureState
from picdeed.registry.tables import CanonicalJson, Table, chunks

if TYPE_CHECKING:
    from collections.abc import Collection


class CodeRow(Table, kw_only=True):
    """One picture's codes under one algorithm; versions never mix.

    `turned` is eight codes of 64 hex digits, one for each way to turn or mirror the picture, the
    first of them upright; `turned_trimmed` the same of what lies inside `trim_box`. `colours` is
    8 x 8 cells of CIE L*a*b*, 384 hex digits; `quality` 0 to 100.
    """

    __tablename__ = "codes"

    picture_id: Mapped[str] = mapped_column(sa.ForeignKey("pictures.id"), primary_key=True)
    algorithm: Mapped[str] = mapped_column(primary_key=True)
    turned: Mapped[str]
    turned_trimmed: Mapped[str | None] = mapped_column(default=None)
    trim_box: Mapped[Any] = mapped_column(CanonicalJson, nullable=True, default=None)
    quality: Mapped[int]
    colours: Mapped[str]
    created_at: Mapped[str]


class PairVerdict(StrEnum):
    """What a person says about two pictures."""

    MERGE = "merge"
    NOT_A_MATCH = "not-a-match"
    VARIANT = "variant"


class PairDecision(Table, kw_only=True):
    """A person's word about two files, by the SHA-256 of their bytes; `a` sorts before `b`.

    It stands whatever is computed later. `keep` is the SHA-256 of the one that shall stand for
    both. An undone decision stays on record.
    """

    __tablename__ = "pair_decisions"

    id: Mapped[str] = mapped_column(primary_key=True)
    a: Mapped[str] = mapped_column(index=True)
    b: Mapped[str] = mapped_column(index=True)
    verdict: Mapped[str]
    keep: Mapped[str | None] = mapped_column(default=None)
    by: Mapped[str]
    because: Mapped[str]
    recorded_at: Mapped[str]
    undone_at: Mapped[str | None] = mapped_column(default=None)


def decision_id(a: str, b: str, verdict: str, keep: str | None, recorded_at: str) -> str:
    """The id of a decision about two files, whatever their order."""
    first, second = sorted((a, b))
    named = {"a": first, "b": second, "verdict": verdict, "keep": keep, "at": recorded_at}
    return hash_json(named)


def names(session: Session, algorithm: str) -> list[str]:
    """Ids of the pictures that have a code of this algorithm, in order."""
    wanted = sa.select(CodeRow.picture_id).where(CodeRow.algorithm == algorithm)
    return list(session.scalars(wanted.order_by(CodeRow.picture_id)))


def all_codes(session: Session, algorithm: str) -> list[CodeRow]:
    """Every code of one algorithm, by picture id."""
    wanted = sa.select(CodeRow).where(CodeRow.algorithm == algorithm)
    return list(session.scalars(wanted.order_by(CodeRow.picture_id)))


def of_pictures(session: Session, ids: Collection[str], algorithm: str) -> list[CodeRow]:
    """The codes of these pictures under one algorithm, by picture id; some may have none."""
    found: list[CodeRow] = []
    for part in chunks(ids):
        wanted = sa.select(CodeRow).where(
            CodeRow.picture_id.in_(part), CodeRow.algorithm == algorithm
        )
        found += session.scalars(wanted)
    return sorted(found, key=lambda row: row.picture_id)


def without_code(session: Session, algorithm: str) -> list[str]:
    """Ids of pictures, by id, that have no code of this algorithm; erased ones left out."""
    has = sa.select(CodeRow.picture_id).where(CodeRow.algorithm == algorithm)
    wanted = sa.select(Picture.id).where(
        Picture.id.not_in(has), Picture.state != PictureState.ERASED
    )
    return list(session.scalars(wanted.order_by(Picture.id)))


def decisions(session: Session) -> list[PairDecision]:
    """Decisions that stand, oldest first: of two about one pair the later one counts."""
    wanted = sa.select(PairDecision).where(PairDecision.undone_at.is_(None))
    return list(session.scalars(wanted.order_by(PairDecision.recorded_at, PairDecision.id)))
