"""What was concluded about each picture from its claims? Few distinct answers, many pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from picdeed.core.ids import canonical_json, hash_json
from picdeed.registry.tables import CanonicalJson, Table, chunks

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


class Standing(Table, kw_only=True):
    """One answer as rights.decide gives it; a million pictures share a few hundred of them.

    `verdicts` is {use: verdict}, `reasons`, `findings` and `grants` are lists of objects.
    `until` is when time alone may change the answer (a grant's end, a check that grows stale).
    """

    __tablename__ = "standings"

    id: Mapped[str] = mapped_column(primary_key=True)
    license: Mapped[str] = mapped_column(index=True)
    rule: Mapped[str]
    conflict: Mapped[bool]
    opt_out: Mapped[bool]
    checked: Mapped[bool]
    verdicts: Mapped[Any] = mapped_column(CanonicalJson, nullable=False)
    reasons: Mapped[Any] = mapped_column(CanonicalJson, nullable=False)
    findings: Mapped[Any] = mapped_column(CanonicalJson, nullable=False)
    grants: Mapped[Any] = mapped_column(CanonicalJson, nullable=False)
    until: Mapped[str | None] = mapped_column(default=None, index=True)


class Conclusion(Table, kw_only=True):
    """The derived, dated answer for one picture; can be recomputed from its claims."""

    __tablename__ = "picture_standings"

    picture_id: Mapped[str] = mapped_column(sa.ForeignKey("pictures.id"), primary_key=True)
    standing_id: Mapped[str] = mapped_column(sa.ForeignKey("standings.id"), index=True)
    claims_hash: Mapped[str]
    policy_hash: Mapped[str] = mapped_column(index=True)
    concluded_at: Mapped[str]
    standing: Mapped[Standing] = relationship(
        lazy="joined", innerjoin=True, viewonly=True, init=False
    )

    @property
    def license(self) -> str:
        """The concluded SPDX expression, or NOASSERTION."""
        return self.standing.license

    @property
    def rule(self) -> str:
        """The rule that mattered most."""
        return self.standing.rule

    @property
    def conflict(self) -> bool:
        """Whether the claims disagree."""
        return self.standing.conflict

    @property
    def opt_out(self) -> bool:
        """Whether an opt-out binds."""
        return self.standing.opt_out

    @property
    def verdicts(self) -> Mapping[str, str]:
        """{use: verdict}, commercial and conservative."""
        found: Mapping[str, str] = self.standing.verdicts
        return found

    @property
    def reasons(self) -> list[dict[str, Any]]:
        """Why, strictest first."""
        found: list[dict[str, Any]] = self.standing.reasons
        return found


def new_standing(cells: Mapping[str, Any]) -> Standing:
    """An answer under the hash of its content."""
    return Standing(id=hash_json(dict(cells)), **cells)


def conclusions(session: Session, pictures: Collection[str]) -> dict[str, Conclusion]:
    """Conclusions by picture; pictures that have none yet are missing."""
    found: dict[str, Conclusion] = {}
    for part in chunks(pictures):
        wanted = sa.select(Conclusion).where(Conclusion.picture_id.in_(part))
        found.update({row.picture_id: row for row in session.scalars(wanted)})
    return found


def standings(session: Session, ids: Collection[str]) -> dict[str, Standing]:
    """Answers by id."""
    found: dict[str, Standing] = {}
    for part in chunks(ids):
        rows = session.scalars(sa.select(Standing).where(Standing.id.in_(part)))
        found.update({row.id: row for row in rows})
    return found


def concluded_ids(
    license: str | None = None,  # noqa: A002 - the word of the contract
    use: str = "train",
    verdict: str | None = None,
) -> sa.Select[str]:
    """A selection of picture ids by concluded licence and by the verdict for one use."""
    wanted = sa.select(Standing.id)
    if license is not None:
        wanted = wanted.where(Standing.license == license)
    if verdict is not None:
        # Canonical JSON has one spelling, so the pair can be looked for as text: the databases
        # share no JSON function.
        pair = canonical_json({use: verdict}).decode()[1:-1]
        as_text = sa.type_coerce(Standing.verdicts, sa.Text)
        wanted = wanted.where(as_text.contains(pair, autoescape=True))
    return sa.select(Conclusion.picture_id).where(Conclusion.standing_id.in_(wanted))


def by_license(session: Session, pictures: sa.Select[str] | None = None) -> dict[str, int]:
    """How many pictures were concluded to each licence, in the order of the names."""
    count = sa.func.count()
    wanted = sa.select(Conclusion.standing_id, count).group_by(Conclusion.standing_id)
    if pictures is not None:
        wanted = wanted.where(Conclusion.picture_id.in_(pictures))
    names = dict(session.execute(sa.select(Standing.id, Standing.license)).tuples().all())
    found: dict[str, int] = {}
    for standing, n in session.execute(wanted):
        found[names[standing]] = found.get(names[standing], 0) + n
    return dict(sorted(found.items()))


def licenses(session: Session) -> list[str]:
    """Every expression that some answer gives, sorted."""
    return sorted(session.scalars(sa.select(Standing.license).distinct()))


def under(session: Session, expressions: Collection[str]) -> list[str]:
    """Ids of the pictures that were concluded to one of these expressions, in order."""
    standing = sa.select(Standing.id).where(Standing.license.in_(expressions))
    wanted = sa.select(Conclusion.picture_id).where(Conclusion.standing_id.in_(standing))
    return list(session.scalars(wanted.order_by(Conclusion.picture_id)))


def conflicting(session: Session) -> list[Conclusion]:
    """Conclusions whose claims disagree, by picture."""
    torn = sa.select(Standing.id).where(Standing.conflict.is_(True))
    wanted = sa.select(Conclusion).where(Conclusion.standing_id.in_(torn))
    return list(session.scalars(wanted.order_by(Conclusion.picture_id)))


def outdated(session: Session, policy: str, now: str) -> list[str]:
    """Pictures concluded under other rules, or whose answer time alone may have changed."""
    passed = sa.select(Standing.id).where(Standing.until.is_not(None), Standing.until <= now)
    # Two ranges use the index where "not equal" would read every row.
    others = sa.or_(Conclusion.policy_hash < policy, Conclusion.policy_hash > policy)
    found = set(session.scalars(sa.select(Conclusion.picture_id).where(others)))
    late = sa.select(Conclusion.picture_id).where(Conclusion.standing_id.in_(passed))
    return sorted(found.union(session.scalars(late)))
