"""Which rows hold what an erasure takes away? What people wrote and what shows the picture.

Digests stay: the picture's own, its caption's in a snapshot, a statement's. They keep ledger and
Merkle roots true, and they are personal data themselves (docs/revocation.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from picdeed.registry.claims import PictureClaim
from picdeed.registry.codes import CodeRow
from picdeed.registry.datasets import Member
from picdeed.registry.outputs import Output
from picdeed.registry.pictures import Occurrence, Picture, PictureState
from picdeed.registry.runs import Run
from picdeed.registry.similar import Fingerprint
from picdeed.registry.snapshots import SnapshotMember
from picdeed.registry.tables import chunks

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.orm import Session

    from picdeed.registry.tables import Table

ERASED = "(erased)"
TOLD = ("title", "caption", "persons")  # kinds of claims whose words are about the person


def blanked(session: Session, picture: Picture) -> tuple[list[Table], list[Table]]:
    """(changed, to be deleted): nothing when it was all done before.

    Captions, places and the words of TOLD claims are emptied, the state set, fingerprints and
    codes go.
    """
    changed: list[Table] = []
    if picture.state != PictureState.ERASED:
        picture.state = PictureState.ERASED
        changed.append(picture)
    for member in session.scalars(sa.select(Member).where(Member.picture_id == picture.id)):
        if member.caption is not None:
            member.caption = None
            changed.append(member)
    frozen = sa.select(SnapshotMember).where(SnapshotMember.picture_id == picture.id)
    for one in session.scalars(frozen):
        if one.caption is not None:
            one.caption = None
            changed.append(one)
    for place in session.scalars(sa.select(Occurrence).where(Occurrence.picture_id == picture.id)):
        if (place.path, place.source) != (ERASED, ERASED):
            place.path = place.source = ERASED
            changed.append(place)
    said = sa.select(PictureClaim).where(
        PictureClaim.picture_id == picture.id, PictureClaim.kind.in_(TOLD)
    )
    for claim in session.scalars(said):
        if (claim.raw, claim.parsed, claim.note) != (ERASED, None, ""):
            claim.raw, claim.parsed, claim.note = ERASED, None, ""
            changed.append(claim)
    marks = sa.select(Fingerprint).where(Fingerprint.picture_id == picture.id)
    looks = sa.select(CodeRow).where(CodeRow.picture_id == picture.id)
    return changed, [*session.scalars(marks), *session.scalars(looks)]


def runs_with(session: Session, picture: str) -> list[Run]:
    """The runs whose snapshot holds a picture, by id."""
    frozen = sa.select(SnapshotMember.snapshot_id).where(SnapshotMember.picture_id == picture)
    return list(session.scalars(sa.select(Run).where(Run.snapshot_id.in_(frozen)).order_by(Run.id)))


def output_of(session: Session, digest: str) -> str | None:
    """The output whose signed file has this SHA-256: its bytes are the same blob."""
    return session.scalars(sa.select(Output.id).where(Output.sha256 == digest)).first()


def erased(session: Session, pictures: Collection[str]) -> set[str]:
    """Those of these pictures (ids) that were erased and must not come back."""
    found: set[str] = set()
    for part in chunks(pictures):
        wanted = sa.select(Picture.id).where(
            Picture.id.in_(part), Picture.state == PictureState.ERASED
        )
        found.update(session.scalars(wanted))
    return found
