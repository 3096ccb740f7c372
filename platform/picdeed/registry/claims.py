"""What was stated about each picture, and which statements were taken back?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from picdeed.core.ids import hash_json, sha256
from picdeed.registry.tables import Table, chunks, storable

if TYPE_CHECKING:
    from collections.abc import Collection


class PictureClaim(Table, kw_only=True):
    """One recorded statement about a picture. Append-only: a later claim corrects, none edits.

    `source`, `kind`, `status` are the words of rights.claims. `raw_sha256` is the SHA-256 of the
    statement's bytes before anything was escaped to be stored.
    """

    __tablename__ = "picture_claims"

    id: Mapped[str] = mapped_column(primary_key=True)
    picture_id: Mapped[str] = mapped_column(sa.ForeignKey("pictures.id"), index=True)
    source: Mapped[str]
    kind: Mapped[str]
    raw: Mapped[str]
    raw_sha256: Mapped[str]
    parsed: Mapped[str | None] = mapped_column(default=None)
    status: Mapped[str]
    parser: Mapped[str]
    note: Mapped[str] = mapped_column(default="")
    observed_at: Mapped[str]


class ClaimCorrection(Table, kw_only=True):
    """A person takes back a claim that a person made, with or without another in its place.

    The corrected claim stays, and stays true of the days before `corrected_at`.
    """

    __tablename__ = "claim_corrections"

    corrects_id: Mapped[str] = mapped_column(sa.ForeignKey("picture_claims.id"), primary_key=True)
    claim_id: Mapped[str | None] = mapped_column(sa.ForeignKey("picture_claims.id"), default=None)
    because: Mapped[str]
    corrected_at: Mapped[str]


def new_claim(
    picture: str,
    *,
    source: str,
    kind: str,
    raw: str,
    parsed: str | None = None,
    status: str,
    parser: str,
    note: str = "",
    observed_at: str,
) -> PictureClaim:
    """A claim under its content id: the same statement about the same picture has the same id."""
    digest = sha256(raw.encode("utf-8", "surrogatepass"))
    said = {
        "source": str(source),
        "kind": str(kind),
        "raw": storable(raw),
        "parsed": None if parsed is None else storable(parsed),
        "status": str(status),
        "parser": parser,
        "note": storable(note),
        "raw_sha256": digest,
    }
    return PictureClaim(
        id=hash_json({"picture": picture, **said}),
        picture_id=picture,
        observed_at=observed_at,
        **said,  # type: ignore[arg-type] # the names above are the columns' names
    )


def of(session: Session, picture: str) -> list[PictureClaim]:
    """All claims about one picture, oldest first."""
    return of_many(session, [picture]).get(picture, [])


def of_many(session: Session, pictures: Collection[str]) -> dict[str, list[PictureClaim]]:
    """All claims by picture, each list oldest first; pictures without claims are missing."""
    found: dict[str, list[PictureClaim]] = {}
    for part in chunks(pictures):
        wanted = sa.select(PictureClaim).where(PictureClaim.picture_id.in_(part))
        for row in session.scalars(
            wanted.order_by(PictureClaim.observed_at, PictureClaim.kind, PictureClaim.id)
        ):
            found.setdefault(row.picture_id, []).append(row)
    return found


def pictures_of(session: Session, claims: Collection[str]) -> set[str]:
    """The pictures that these claims (ids) are about."""
    found: set[str] = set()
    for part in chunks(claims):
        wanted = sa.select(PictureClaim.picture_id).where(PictureClaim.id.in_(part))
        found.update(session.scalars(wanted))
    return found


def claims_hash(rows: Collection[PictureClaim]) -> str:
    """One hash for a set of claims, whatever their order."""
    return hash_json(sorted(row.id for row in rows))


def corrections(session: Session, pictures: Collection[str]) -> dict[str, ClaimCorrection]:
    """Corrections of these pictures' claims by the id of the claim that was taken back."""
    found: dict[str, ClaimCorrection] = {}
    for part in chunks(pictures):
        wanted = (
            sa.select(ClaimCorrection)
            .join(PictureClaim, PictureClaim.id == ClaimCorrection.corrects_id)
            .where(PictureClaim.picture_id.in_(part))
        )
        found.update({row.corrects_id: row for row in session.scalars(wanted)})
    return found


def in_force(session: Session, pictures: Collection[str]) -> dict[str, list[PictureClaim]]:
    """Claims by picture without those that a person took back."""
    back = corrections(session, pictures)
    return {
        picture: [row for row in rows if row.id not in back]
        for picture, rows in of_many(session, pictures).items()
    }
