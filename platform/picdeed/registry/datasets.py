"""Which named sets of pictures are there, and who is in them?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from picdeed.core.errors import UnknownSubject
from picdeed.core.ids import content_id
from picdeed.registry.tables import Table, chunks

if TYPE_CHECKING:
    from collections.abc import Collection


class Dataset(Table, kw_only=True):
    """A named, growing set of pictures."""

    __tablename__ = "datasets"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[str]


class Member(Table, kw_only=True):
    """One picture in one dataset; `removed_at` is set when a person takes it out again."""

    __tablename__ = "members"

    dataset_id: Mapped[str] = mapped_column(sa.ForeignKey("datasets.id"), primary_key=True)
    picture_id: Mapped[str] = mapped_column(
        sa.ForeignKey("pictures.id"), primary_key=True, index=True
    )
    caption: Mapped[str | None] = mapped_column(default=None)
    added_at: Mapped[str]
    removed_at: Mapped[str | None] = mapped_column(default=None)


def dataset_id(name: str) -> str:
    """The id of the dataset of this name."""
    return content_id("dat", {"name": name})


def by_name(session: Session, name: str) -> Dataset:
    """The dataset of this name; raises UnknownSubject."""
    found = session.scalars(sa.select(Dataset).where(Dataset.name == name)).one_or_none()
    if found is None:
        raise UnknownSubject(
            f"There is no dataset {name!r}.", hint="picdeed datasets lists those that exist."
        )
    return found


def all_datasets(session: Session) -> list[Dataset]:
    """Every dataset, by name."""
    return list(session.scalars(sa.select(Dataset).order_by(Dataset.name)))


def sizes(session: Session) -> dict[str, int]:
    """Number of present members by dataset id."""
    wanted = sa.select(Member.dataset_id, sa.func.count()).where(Member.removed_at.is_(None))
    return dict(session.execute(wanted.group_by(Member.dataset_id)).tuples().all())


def members(session: Session, dataset: str, *, removed: bool = False) -> list[Member]:
    """Members of a dataset (an id) by picture id; with `removed` those taken out as well."""
    wanted = sa.select(Member).where(Member.dataset_id == dataset)
    if not removed:
        wanted = wanted.where(Member.removed_at.is_(None))
    return list(session.scalars(wanted.order_by(Member.picture_id)))


def of_pictures(session: Session, pictures: Collection[str]) -> dict[str, list[str]]:
    """Dataset ids by picture, for present members only."""
    found: dict[str, list[str]] = {}
    for part in chunks(pictures):
        wanted = sa.select(Member.picture_id, Member.dataset_id).where(
            Member.picture_id.in_(part), Member.removed_at.is_(None)
        )
        for picture, dataset in session.execute(wanted.order_by(Member.dataset_id)):
            found.setdefault(picture, []).append(dataset)
    return found
