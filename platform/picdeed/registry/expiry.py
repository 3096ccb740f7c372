"""Which recorded things have an end that only time brings?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from picdeed.registry.claims import ClaimCorrection, PictureClaim
from picdeed.registry.decisions import Approval, Decision
from picdeed.registry.grants import Grant
from picdeed.registry.pictures import Picture, PictureState

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.orm import Session


def grants_ending(session: Session, until: str, known_at: str) -> list[tuple[str, Grant]]:
    """(end, grant) of every grant that ends by `until` or has ended, the earliest first."""
    wanted = sa.select(Grant).where(
        sa.or_(Grant.ends.is_not(None), Grant.ended_on.is_not(None)),
    )
    ends = [(row.end(known_at), row) for row in session.scalars(wanted)]
    found = [(end, row) for end, row in ends if end is not None and end <= until]
    return sorted(found, key=lambda pair: (pair[0], pair[1].id))


def decisions_expiring(session: Session, after: str, until: str) -> list[Decision]:
    """Decisions whose validity ends in (`after`, `until`], the earliest first."""
    wanted = sa.select(Decision).where(Decision.valid_until > after, Decision.valid_until <= until)
    return list(session.scalars(wanted.order_by(Decision.valid_until, Decision.id)))


def approvals_expiring(session: Session, after: str, until: str) -> list[tuple[Approval, Decision]]:
    """Approvals that end in (`after`, `until`], each with its decision, the earliest first."""
    wanted = (
        sa.select(Approval, Decision)
        .join(Decision, Decision.id == Approval.decision_id)
        .where(Approval.until > after, Approval.until <= until)
        .order_by(Approval.until, Approval.decision_id, Approval.recorded_at)
    )
    return [(approval, decision) for approval, decision in session.execute(wanted)]


def last_said(session: Session, kind: str) -> list[tuple[str, str, str | None]]:
    """(picture, observed at, parsed) of every claim of a kind that still counts, by picture.

    Pictures that were revoked or erased are left out, and claims that a person took back.
    """
    back = sa.select(ClaimCorrection.corrects_id)
    wanted = (
        sa.select(PictureClaim.picture_id, PictureClaim.observed_at, PictureClaim.parsed)
        .join(Picture, Picture.id == PictureClaim.picture_id)
        .where(
            PictureClaim.kind == kind,
            Picture.state == PictureState.GOOD,
            PictureClaim.id.not_in(back),
        )
        .order_by(PictureClaim.picture_id, PictureClaim.observed_at)
    )
    return [(picture, at, parsed) for picture, at, parsed in session.execute(wanted)]


def newest_alike(session: Session, decisions: Collection[Decision]) -> dict[str, str]:
    """By decision: until when the longest-lived one about the same question is valid."""
    found = {}
    for one in decisions:
        wanted = sa.select(sa.func.max(Decision.valid_until)).where(
            Decision.snapshot_id == one.snapshot_id,
            Decision.base_id == one.base_id,
            Decision.uses == one.uses,
            Decision.profile == one.profile,
            Decision.commercial == one.commercial,
        )
        found[one.id] = session.execute(wanted).scalar_one()
    return found
