"""Which base models may be fine-tuned, and under which terms do they come?"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from picdeed.core.errors import UnknownSubject
from picdeed.core.ids import make_id
from picdeed.registry.tables import CanonicalJson, Table


class Base(Table, kw_only=True):
    """One base model; `sha256` is over its tensors, `path` where its folder lies."""

    __tablename__ = "bases"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    sha256: Mapped[str]
    license: Mapped[str]
    deed: Mapped[Any] = mapped_column(CanonicalJson, nullable=False)
    path: Mapped[str]
    added_at: Mapped[str]


def base_id(digest: str) -> str:
    """The id of the base whose tensors have this SHA-256."""
    return make_id("bas", digest)


def by_name(session: Session, name: str) -> Base:
    """The base of this name; raises UnknownSubject."""
    found = session.scalars(sa.select(Base).where(Base.name == name)).one_or_none()
    if found is None:
        raise UnknownSubject(
            f"There is no base {name!r}.", hint="picdeed models list names those that exist."
        )
    return found


def all_bases(session: Session) -> list[Base]:
    """Every base, by name."""
    return list(session.scalars(sa.select(Base).order_by(Base.name)))


def find(session: Session, name: str) -> Base | None:
    """The base of this name, if there is one."""
    return session.scalars(sa.select(Base).where(Base.name == name)).one_or_none()
