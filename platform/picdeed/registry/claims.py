"""What was stated about each picture, and what was concluded from it?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from picdeed.core.ids import canonical_json, hash_json, sha256
from picdeed.registry.tables import CanonicalJson, Table, chunks, storable

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


class Conclusion(Table, kw_only=True):
    """The derived, dated answer for one picture; can be recomputed from its claims.

    `verdicts` is {use: verdict}, `reasons` a list of objects, as rights.decide gives them.
    """

    __tablename__ = "conclusions"

    picture_id: Mapped[str] = mapped_column(sa.ForeignKey("pictures.id"), primary_key=True)
    license: Mapped[str] = mapped_column(index=True)
    rule: Mapped[str]
    conflict: Mapped[bool]
    opt_out: Mapped[bool]
    verdicts: Mapped[Any] = mapped_column(CanonicalJson, nullable=False)
    reasons: Mapped[Any] = mapped_column(CanonicalJson, nullable=False)
    claims_hash: Mapped[str]
    policy_hash: Mapped[str]
    concluded_at: Mapped[str]


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


def claims_hash(rows: Collection[PictureClaim]) -> str:
    """One hash for a set of claims, whatever their order."""
    return hash_json(sorted(row.id for row in rows))


def conclusions(session: Session, pictures: Collection[str]) -> dict[str, Conclusion]:
    """Conclusions by picture; pictures that have none yet are missing."""
    found: dict[str, Conclusion] = {}
    for part in chunks(pictures):
        wanted = sa.select(Conclusion).where(Conclusion.picture_id.in_(part))
        found.update({row.picture_id: row for row in session.scalars(wanted)})
    return found


def concluded_ids(
    license: str | None = None,  # noqa: A002 - the word of the contract
    use: str = "train",
    verdict: str | None = None,
) -> sa.Select[str]:
    """A selection of picture ids by concluded licence and by the verdict for one use."""
    wanted = sa.select(Conclusion.picture_id)
    if license is not None:
        wanted = wanted.where(Conclusion.license == license)
    if verdict is not None:
        # Canonical JSON has one spelling, so the pair can be looked for as text: the databases
        # share no JSON function.
        pair = canonical_json({use: verdict}).decode()[1:-1]
        as_text = sa.type_coerce(Conclusion.verdicts, sa.Text)
        wanted = wanted.where(as_text.contains(pair, autoescape=True))
    return wanted


def by_license(session: Session, pictures: sa.Select[str] | None = None) -> dict[str, int]:
    """How many pictures were concluded to each licence, in the order of the names."""
    count = sa.func.count()
    wanted = sa.select(Conclusion.license, count).group_by(Conclusion.license)
    if pictures is not None:
        wanted = wanted.where(Conclusion.picture_id.in_(pictures))
    return dict(sorted((name, n) for name, n in session.execute(wanted)))


def under(session: Session, license: str) -> list[str]:  # noqa: A002 - the word of the contract
    """Ids of the pictures that were concluded to exactly this licence, in order."""
    return list(session.scalars(concluded_ids(license).order_by(Conclusion.picture_id)))
