"""Which contracts and permissions are on file, over which pictures, and until when?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from picdeed.core.ids import content_id
from picdeed.registry.tables import CanonicalJson, Table, chunks

if TYPE_CHECKING:
    from collections.abc import Collection


class Grant(Table, kw_only=True):
    """One permission on paper; `evidence_sha256` names the blob that proves it.

    `actions` is a list of uses. `starts` and `ends` are ISO-8601 UTC, `ends` None for no end;
    `ended_on` is a day before that on which it was ended, `ended_at` when that was recorded.
    `survival` says whether adapters and outputs outlive the term: yes, no or unknown. `terms`
    holds what binds without being computed: territory, field of use, indemnity, fee, law.
    """

    __tablename__ = "grants"

    id: Mapped[str] = mapped_column(primary_key=True)
    licensor: Mapped[str]
    licensee: Mapped[str]
    authority: Mapped[str]
    actions: Mapped[Any] = mapped_column(CanonicalJson, nullable=False)
    scope: Mapped[str]
    starts: Mapped[str]
    ends: Mapped[str | None] = mapped_column(default=None, index=True)
    survival: Mapped[str]
    terms: Mapped[Any] = mapped_column(CanonicalJson, nullable=False)
    evidence_sha256: Mapped[str]
    evidence_name: Mapped[str]
    recorded_by: Mapped[str]
    recorded_at: Mapped[str]
    ended_on: Mapped[str | None] = mapped_column(default=None)
    ended_at: Mapped[str | None] = mapped_column(default=None)
    ended_because: Mapped[str | None] = mapped_column(default=None)

    def end(self, known_at: str) -> str | None:
        """When it is over, as was known at a moment: the term's end, or an earlier one."""
        early = self.ended_on if self.ended_at is not None and self.ended_at <= known_at else None
        return min((when for when in (self.ends, early) if when is not None), default=None)


class GrantSubject(Table, kw_only=True):
    """One thing that a grant covers: a picture or a base (an id).

    `matched` says whether the licensor is a holder whom the picture's claims name.
    """

    __tablename__ = "grant_subjects"

    grant_id: Mapped[str] = mapped_column(sa.ForeignKey("grants.id"), primary_key=True)
    subject_id: Mapped[str] = mapped_column(primary_key=True, index=True)
    matched: Mapped[bool]


def grant_id(named: Any) -> str:
    """The id of a grant: the same contract over the same scope is the same grant."""
    return content_id("grt", named)


def all_grants(session: Session) -> list[Grant]:
    """Every grant, newest first."""
    return list(session.scalars(sa.select(Grant).order_by(Grant.recorded_at.desc(), Grant.id)))


def subjects_of(session: Session, grant: str) -> list[str]:
    """What a grant covers, by id."""
    wanted = sa.select(GrantSubject.subject_id).where(GrantSubject.grant_id == grant)
    return list(session.scalars(wanted.order_by(GrantSubject.subject_id)))


def unmatched(session: Session, grant: str) -> int:
    """How many of the covered things name another holder than the licensor."""
    wanted = sa.select(sa.func.count()).select_from(GrantSubject)
    wanted = wanted.where(GrantSubject.grant_id == grant, GrantSubject.matched.is_(False))
    return session.execute(wanted).scalar_one()


def sizes(session: Session) -> dict[str, int]:
    """How many things each grant covers, by grant id."""
    wanted = sa.select(GrantSubject.grant_id, sa.func.count()).group_by(GrantSubject.grant_id)
    return dict(session.execute(wanted).tuples().all())


def covering(session: Session, subjects: Collection[str]) -> dict[str, list[tuple[Grant, bool]]]:
    """(grant, matched) by subject, each list by grant id; subjects without a grant are missing."""
    found: dict[str, list[tuple[Grant, bool]]] = {}
    for part in chunks(subjects):
        wanted = (
            sa.select(GrantSubject.subject_id, Grant, GrantSubject.matched)
            .join(Grant, Grant.id == GrantSubject.grant_id)
            .where(GrantSubject.subject_id.in_(part))
            .order_by(GrantSubject.subject_id, Grant.id)
        )
        for subject, grant, matched in session.execute(wanted):
            found.setdefault(subject, []).append((grant, matched))
    return found
