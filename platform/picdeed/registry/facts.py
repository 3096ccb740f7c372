"""What is so about the organisation that uses the registry, and since when?"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from picdeed.core.ids import hash_json
from picdeed.registry.tables import Table


class LicenseeFact(Table, kw_only=True):
    """One dated fact on which a licence depends, such as `annual-revenue-usd`.

    Append-only: a later row with the same `name` and `since` corrects an earlier one.
    """

    __tablename__ = "licensee_facts"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(index=True)
    value: Mapped[str]
    since: Mapped[str]
    evidence_sha256: Mapped[str | None] = mapped_column(default=None)
    recorded_by: Mapped[str]
    recorded_at: Mapped[str]


def fact_id(name: str, value: str, since: str, recorded_at: str) -> str:
    """The id of a recorded fact."""
    return hash_json({"name": name, "value": value, "since": since, "recorded_at": recorded_at})


def all_facts(session: Session) -> list[LicenseeFact]:
    """Every fact, newest first within its name."""
    wanted = sa.select(LicenseeFact).order_by(
        LicenseeFact.name, LicenseeFact.since.desc(), LicenseeFact.recorded_at.desc()
    )
    return list(session.scalars(wanted))


def last_recorded(session: Session, name: str, since: str) -> LicenseeFact | None:
    """What holds of this fact from this moment on, as far as anybody said."""
    wanted = sa.select(LicenseeFact).where(LicenseeFact.name == name, LicenseeFact.since == since)
    return session.scalars(wanted.order_by(LicenseeFact.recorded_at.desc()).limit(1)).first()


def known_on(session: Session, at: str, *, recorded_until: str | None = None) -> dict[str, str]:
    """The value of each fact in force at `at`: the latest `since`, of those the last recorded.

    What was on record at `at` counts, or at `recorded_until`: who looks ahead knows today's
    records, and who looks back may want to know what is known of that day now.
    """
    until = at if recorded_until is None else recorded_until
    found: dict[str, str] = {}
    for row in all_facts(session):
        if row.since <= at and row.recorded_at <= until:
            found.setdefault(row.name, row.value)
    return found


def next_change(session: Session, at: str) -> str | None:
    """The next moment at which a recorded fact takes effect."""
    wanted = sa.select(sa.func.min(LicenseeFact.since)).where(LicenseeFact.since > at)
    return session.execute(wanted).scalar_one_or_none()
