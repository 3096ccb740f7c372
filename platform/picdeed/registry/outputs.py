"""Which pictures were generated, from what, and signed by whom?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from picdeed.core.ids import content_id
from picdeed.registry.runs import Standing
from picdeed.registry.tables import CanonicalJson, Table, chunks

if TYPE_CHECKING:
    from collections.abc import Collection


class Output(Table, kw_only=True):
    """One generated picture. `sha256` names the signed file, which is a blob.

    `pixel_sha256` is over the pixels before signing; the file, `manifest_label` and `signer` are
    null while the output is held back.
    """

    __tablename__ = "outputs"

    id: Mapped[str] = mapped_column(primary_key=True)
    adapter_id: Mapped[str | None] = mapped_column(
        sa.ForeignKey("adapters.id"), index=True, default=None
    )
    base_id: Mapped[str] = mapped_column(sa.ForeignKey("bases.id"), index=True)
    run_id: Mapped[str | None] = mapped_column(sa.ForeignKey("runs.id"), index=True, default=None)
    recipe: Mapped[Any] = mapped_column(CanonicalJson, nullable=False)
    prompt: Mapped[str]
    seed: Mapped[int]
    pixel_sha256: Mapped[str] = mapped_column(index=True)
    sha256: Mapped[str | None] = mapped_column(default=None, index=True)
    manifest_label: Mapped[str | None] = mapped_column(default=None)
    signer: Mapped[str | None] = mapped_column(default=None)
    state: Mapped[str] = mapped_column(default=Standing.HELD)
    created_at: Mapped[str]


def output_id(recipe: Any, pixel_sha256: str) -> str:
    """The id of a generated picture: its recipe and its pixels before signing."""
    return content_id("out", {"recipe": recipe, "pixels": pixel_sha256})


def by_sha(session: Session, digest: str) -> Output | None:
    """The output whose signed file has this SHA-256."""
    wanted = sa.select(Output).where(Output.sha256 == digest).order_by(Output.id)
    return session.scalars(wanted).first()


def by_pixels(session: Session, digest: str) -> list[Output]:
    """Outputs with exactly these pixels, by id."""
    wanted = sa.select(Output).where(Output.pixel_sha256 == digest)
    return list(session.scalars(wanted.order_by(Output.id)))


def all_outputs(session: Session, state: str | None = None) -> list[Output]:
    """Every output, newest first."""
    wanted = sa.select(Output).order_by(Output.created_at.desc(), Output.id)
    return list(session.scalars(wanted if state is None else wanted.where(Output.state == state)))


def of_adapters(session: Session, adapters: Collection[str]) -> list[Output]:
    """Outputs drawn with any of these adapters, by id."""
    found: list[Output] = []
    for part in chunks(adapters):
        found.extend(session.scalars(sa.select(Output).where(Output.adapter_id.in_(part))))
    return sorted(found, key=lambda output: output.id)


def with_recipe(session: Session, recipe: Any) -> Output | None:
    """The first output that exactly this recipe gave."""
    wanted = sa.select(Output).where(Output.recipe == recipe).order_by(Output.created_at, Output.id)
    return session.scalars(wanted).first()
