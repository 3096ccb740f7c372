"""Which pictures does the registry know, and where was each of them seen?"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from picdeed.core.ids import hash_json, make_id
from picdeed.registry import claims, conclusions
from picdeed.registry.datasets import Dataset, Member
from picdeed.registry.tables import Table, chunks, storable

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

PAGE = 60


class PictureState(StrEnum):
    """What became of a picture. Revoked keeps its bytes, erased has lost them."""

    GOOD = "good"
    REVOKED = "revoked"
    ERASED = "erased"


class Picture(Table, kw_only=True):
    """One set of bytes. `bytes` is their number; `width` and `height` are pixels as shown."""

    __tablename__ = "pictures"

    id: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(unique=True)
    bytes: Mapped[int]
    media_type: Mapped[str]
    width: Mapped[int]
    height: Mapped[int]
    state: Mapped[str] = mapped_column(default=PictureState.GOOD)
    first_seen: Mapped[str]


class Occurrence(Table, kw_only=True):
    """One place where a picture was seen: `path` as shown to people, inside `source`."""

    __tablename__ = "occurrences"

    id: Mapped[str] = mapped_column(primary_key=True)
    picture_id: Mapped[str] = mapped_column(sa.ForeignKey("pictures.id"), index=True)
    dataset_id: Mapped[str] = mapped_column(sa.ForeignKey("datasets.id"), index=True)
    path: Mapped[str]
    source: Mapped[str]
    seen_at: Mapped[str]


def picture_id(digest: str) -> str:
    """The id of the picture whose bytes have this SHA-256."""
    return make_id("img", digest)


def new_occurrence(
    picture: str, dataset: str, path: str, source: str, *, seen_at: str
) -> Occurrence:
    """An occurrence under its content id; the same place seen again has the same id."""
    path, source = storable(path), storable(source)
    named = {"picture": picture, "dataset": dataset, "path": path, "source": source}
    return Occurrence(
        id=hash_json(named),
        picture_id=picture,
        dataset_id=dataset,
        path=path,
        source=source,
        seen_at=seen_at,
    )


def by_sha(session: Session, digest: str) -> Picture | None:
    """The picture with these bytes."""
    return session.get(Picture, picture_id(digest))


def all_ids(session: Session) -> list[str]:
    """The id of every picture, in order."""
    return list(session.scalars(sa.select(Picture.id).order_by(Picture.id)))


def by_ids(session: Session, ids: Collection[str]) -> dict[str, Picture]:
    """Pictures by id; ids that the registry does not hold are simply missing."""
    found: dict[str, Picture] = {}
    for part in chunks(ids):
        rows = session.scalars(sa.select(Picture).where(Picture.id.in_(part)))
        found.update({row.id: row for row in rows})
    return found


def occurrences(session: Session, picture: str) -> list[Occurrence]:
    """Every place where the picture was seen, in a fixed order."""
    wanted = sa.select(Occurrence).where(Occurrence.picture_id == picture)
    return list(session.scalars(wanted.order_by(Occurrence.seen_at, Occurrence.id)))


@dataclass(frozen=True, slots=True)
class PictureView:
    """One picture with everything that a page shows about it."""

    picture: Picture
    conclusion: conclusions.Conclusion | None
    claims: tuple[claims.PictureClaim, ...]
    datasets: tuple[str, ...]
    captions: tuple[str, ...]
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PicturePage:
    """Some pictures in the order of their ids. `next` is the `after` of the following page."""

    items: tuple[PictureView, ...]
    next: str | None


def page(
    session: Session,
    *,
    dataset: str | None = None,
    verdict: str | None = None,
    use: str = "train",
    license: str | None = None,  # noqa: A002 - the word of the contract
    state: str | None = None,
    after: str | None = None,
    limit: int = PAGE,
) -> PicturePage:
    """One keyset page. `dataset` is an id; `verdict` filters by the verdict for `use`.

    A picture without a conclusion has no verdict and no licence, so those filters leave it out.
    """
    wanted = sa.select(Picture).order_by(Picture.id).limit(limit + 1)
    if dataset is not None:
        held = sa.select(Member.picture_id).where(
            Member.dataset_id == dataset, Member.removed_at.is_(None)
        )
        wanted = wanted.where(Picture.id.in_(held))
    if verdict is not None or license is not None:
        wanted = wanted.where(Picture.id.in_(conclusions.concluded_ids(license, use, verdict)))
    if state is not None:
        wanted = wanted.where(Picture.state == state)
    if after is not None:
        wanted = wanted.where(Picture.id > after)
    rows = list(session.scalars(wanted))
    more = len(rows) > limit
    rows = rows[:limit]
    return PicturePage(views(session, rows), rows[-1].id if more and rows else None)


def views(session: Session, rows: Sequence[Picture]) -> tuple[PictureView, ...]:
    """The pictures with their conclusions, claims, datasets, captions and paths."""
    ids = [row.id for row in rows]
    concluded = conclusions.conclusions(session, ids)
    claimed = claims.of_many(session, ids)
    held: dict[str, list[tuple[str, str | None]]] = {}
    seen: dict[str, list[str]] = {}
    for part in chunks(ids):
        members = (
            sa.select(Member.picture_id, Dataset.name, Member.caption)
            .join(Dataset, Dataset.id == Member.dataset_id)
            .where(Member.picture_id.in_(part), Member.removed_at.is_(None))
            .order_by(Dataset.name)
        )
        for picture, name, caption in session.execute(members):
            held.setdefault(picture, []).append((name, caption))
        places = sa.select(Occurrence.picture_id, Occurrence.path)
        ordered = places.where(Occurrence.picture_id.in_(part)).order_by(Occurrence.path)
        for picture, path in session.execute(ordered):
            seen.setdefault(picture, []).append(path)
    return tuple(
        PictureView(
            picture=row,
            conclusion=concluded.get(row.id),
            claims=tuple(claimed.get(row.id, ())),
            datasets=tuple(name for name, _ in held.get(row.id, ())),
            captions=tuple(dict.fromkeys(c for _, c in held.get(row.id, ()) if c)),
            paths=tuple(dict.fromkeys(seen.get(row.id, ()))),
        )
        for row in rows
    )
