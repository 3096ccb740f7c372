"""Which pictures of ours must not come back as a copy? Those revoked, and those opted out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from picdeed.registry.claims import ClaimCorrection, PictureClaim
from picdeed.registry.pictures import Picture, PictureState
from picdeed.registry.revocations import Revocation, RevocationEffect
from picdeed.registry.similar import Pair
from picdeed.registry.tables import chunks

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Protected:
    """Why a picture is one of them: a revocation's ground and day, or what opts it out."""

    picture: str
    ground: str
    since: str


def revoked(session: Session, grounds: Collection[str]) -> list[Protected]:
    """Pictures that fell on one of these grounds and kept their bytes, newest first."""
    wanted = (
        sa.select(Picture.id, Revocation.ground, Revocation.effective)
        .join(RevocationEffect, RevocationEffect.subject_id == Picture.id)
        .join(Revocation, Revocation.id == RevocationEffect.revocation_id)
        .where(
            Picture.state == PictureState.REVOKED,
            RevocationEffect.after == PictureState.REVOKED,
            Revocation.ground.in_([str(one) for one in grounds]),
        )
        .order_by(Revocation.declared_at.desc(), Picture.id)
    )
    return _once(session.execute(wanted).tuples())


def opted_out(session: Session, kind: str, status: str) -> list[Protected]:
    """Pictures with a claim of this kind and status that nobody took back, newest first."""
    wanted = (
        sa.select(Picture.id, PictureClaim.parsed, PictureClaim.observed_at)
        .join(PictureClaim, PictureClaim.picture_id == Picture.id)
        .where(
            PictureClaim.kind == str(kind),
            PictureClaim.status == str(status),
            Picture.state != PictureState.ERASED,
            PictureClaim.id.not_in(sa.select(ClaimCorrection.corrects_id)),
        )
        .order_by(PictureClaim.observed_at.desc(), PictureClaim.id)
    )
    rows = session.execute(wanted).tuples()
    return _once((one, str(parsed), since) for one, parsed, since in rows)


def pairs_with(session: Session, pictures: Collection[str]) -> list[Pair]:
    """Recorded pairs of which at least one picture is among these, in a fixed order."""
    found: dict[tuple[str, str], Pair] = {}
    for part in chunks(pictures):
        for column in (Pair.a, Pair.b):
            for row in session.scalars(sa.select(Pair).where(column.in_(part))):
                found[row.a, row.b] = row
    return [found[key] for key in sorted(found)]


def usable(session: Session) -> set[str]:
    """The ids of pictures that nothing has taken back."""
    return set(session.scalars(sa.select(Picture.id).where(Picture.state == PictureState.GOOD)))


def _once(rows: Iterable[tuple[str, str, str]]) -> list[Protected]:
    found: dict[str, Protected] = {}
    for picture, ground, since in rows:
        found.setdefault(picture, Protected(picture, ground, since))
    return list(found.values())
