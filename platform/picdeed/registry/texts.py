"""Which licence texts were seen, under which address, since when?"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from picdeed.registry.tables import Table


class LicenseText(Table, kw_only=True):
    """One text as it stood under an address. A text that changed is a new row.

    `origin` says who named it: `catalogue` (the text that the rules were read from), `file` or
    `fetched`.
    """

    __tablename__ = "license_texts"

    url: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(primary_key=True)
    license: Mapped[str] = mapped_column(index=True)
    origin: Mapped[str]
    first_seen: Mapped[str]


def all_texts(session: Session) -> list[LicenseText]:
    """Every text, by address, oldest first."""
    wanted = sa.select(LicenseText)
    return list(
        session.scalars(
            wanted.order_by(LicenseText.url, LicenseText.first_seen, LicenseText.sha256)
        )
    )
