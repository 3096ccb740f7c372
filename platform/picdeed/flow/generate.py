"""Which pictures does an adapter draw? Seed-exact generation; what is drawn is held back.

A held picture lies unsigned inside the registry only. `credential` signs and releases it.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from picdeed.core.errors import Denied, UsageError
from picdeed.core.events import Event, Progress, silent
from picdeed.core.ids import sha256
from picdeed.diffusion.guidance import ALWAYS, Interval
from picdeed.diffusion.suited import suited
from picdeed.flow.basefiles import folder_of, require_folder
from picdeed.registry import ledger, outputs, revocations, runs, subjects
from picdeed.registry.bases import Base
from picdeed.registry.outputs import Output
from picdeed.registry.runs import Adapter, Run, Standing
from picdeed.registry.session import Registry, Session, utc_now
from picdeed.registry.tables import fresh

MOST = 1_000


@dataclass(frozen=True, slots=True)
class Wish:
    """What to draw; seeds are seed, seed + 1, ... What is None is what suits the base.

    There is guidance between two shares of the steps, `guidance_start` and `guidance_stop`.
    """

    prompt: str
    n: int = 1
    seed: int = 0
    steps: int = 20
    guidance: float | None = None
    sampler: str | None = None
    guidance_start: float | None = None
    guidance_stop: float | None = None

    def settled(self, folder: Path) -> Settled:
        """How it is drawn with the base in a folder. Raises UsageError like `suited`."""
        usual = suited(folder)
        start, stop = self.guidance_start, self.guidance_stop
        interval = Interval(
            usual.interval.start if start is None else start,
            usual.interval.stop if stop is None else stop,
        )
        interval.require()
        return Settled(
            steps=self.steps,
            guidance=usual.guidance if self.guidance is None else self.guidance,
            interval=interval,
            sampler=self.sampler or str(usual.sampler),
        )


@dataclass(frozen=True, slots=True)
class Settled:
    """How a wish is drawn, with nothing left open."""

    steps: int
    guidance: float
    interval: Interval
    sampler: str

    def document(self) -> dict[str, Any]:
        """As recipes of outputs hold it. Those from before there was an interval keep their ids."""
        told = {"steps": self.steps, "guidance": self.guidance, "sampler": self.sampler}
        if self.interval != ALWAYS:
            told |= {"guidance_start": self.interval.start, "guidance_stop": self.interval.stop}
        return told


@dataclass(frozen=True, slots=True)
class Generated:
    """Ids of the outputs in the order of their seeds; `drawn` of them are new and held."""

    outputs: tuple[str, ...]
    drawn: int


def generate(
    registry: Registry,
    subject: str,
    wish: Wish,
    *,
    progress: Progress = silent,
) -> Generated:
    """Draw `wish` with an adapter, the adapter of a run, or a base.

    The same recipe gives the same pixels, so what was drawn before is not drawn again. A
    suspended or withdrawn adapter raises Denied with the revocation's id.
    """
    if not 1 <= wish.n <= MOST:
        raise UsageError(f"-n {wish.n}: between 1 and {MOST} pictures can be drawn at once.")
    if not wish.prompt.strip():
        raise UsageError("The prompt is empty.", hint="Say what to draw: --prompt 'a red apple'.")
    with registry.read() as session:
        adapter, base = _resolve(session, subject)
        require_good(session, adapter, base)
        how = wish.settled(require_folder(registry, base))
        recipes = [_recipe(base, adapter, wish, wish.seed + i, how) for i in range(wish.n)]
        before = [outputs.with_recipe(session, recipe) for recipe in recipes]
    todo = [recipe for recipe, known in zip(recipes, before, strict=True) if known is None]
    drawn = _draw(registry, base, adapter, todo, how, progress)
    ids = iter(drawn)
    return Generated(
        outputs=tuple(known.id if known is not None else next(ids) for known in before),
        drawn=len(drawn),
    )


def held_file(registry: Registry, output: str) -> Path:
    """Where the unsigned pixels of a held output wait for their credential."""
    return registry.root / "held" / f"{output}.png"


def _resolve(session: Session, subject: str) -> tuple[Adapter | None, Base]:
    """An adapter or run with its base, or a base alone."""
    whole = subjects.resolve(session, subject, {"adp", "run", "bas"})
    if whole.startswith("bas_"):
        return None, subjects.require(session, Base, whole)
    adapter = runs.adapter_of(session, whole)
    run = subjects.require(session, Run, adapter.run_id)
    return adapter, subjects.require(session, Base, run.base_id)


def require_base(session: Session, base: Base, done: str = "drawn") -> None:
    """Raise Denied, with the revocation's id, when a base has fallen; nothing was `done` then."""
    fallen = revocations.fallen(session, base.id)
    if fallen is not None:
        raise Denied(
            f"Base {base.name} was revoked ({fallen.ground}). Nothing was {done}.",
            hint=f"picdeed lineage {fallen.id[:12]} names the revocation.",
            revocation=fallen.id,
        )


def require_good(
    session: Session, adapter: Adapter | None, base: Base, done: str = "drawn"
) -> None:
    """Raise Denied, with the revocation's id, when the adapter or its base has fallen."""
    require_base(session, base, done)
    if adapter is None or adapter.state == Standing.GOOD:
        return
    cause = revocations.touching(session, adapter.id)
    raise Denied(
        f"Adapter {adapter.id[:12]} is {adapter.state}: something it learned from was revoked. "
        f"Nothing was {done}.",
        hint=f"picdeed lineage {adapter.id[:12]} shows what it descends from.",
        revocation=cause.id if cause else None,
    )


def _recipe(
    base: Base, adapter: Adapter | None, wish: Wish, seed: int, how: Settled
) -> dict[str, Any]:
    """Everything that fixes the pixels on one machine and torch version."""
    return {
        "base": base.sha256,
        "adapter": adapter.id if adapter else None,
        "prompt": wish.prompt,
        "seed": seed,
        **how.document(),
    }


def _draw(  # noqa: PLR0917 - what is drawn, by what, how
    registry: Registry,
    base: Base,
    adapter: Adapter | None,
    recipes: list[dict[str, Any]],
    how: Settled,
    progress: Progress,
) -> list[str]:
    if not recipes:
        return []
    from picdeed.diffusion import sample

    images = sample.generate(
        folder_of(registry, base),
        registry.root / adapter.path if adapter else None,
        [recipe["prompt"] for recipe in recipes],
        [recipe["seed"] for recipe in recipes],
        steps=how.steps,
        guidance=how.guidance,
        interval=how.interval,
        sampler=how.sampler,
        base_sha256=base.sha256,
        progress=progress,
    )
    (registry.root / "held").mkdir(exist_ok=True)
    rows = []
    for recipe, image in zip(recipes, images, strict=True):
        pixels = sha256(f"{image.mode} {image.size}".encode() + image.tobytes())
        row = Output(
            id=outputs.output_id(recipe, pixels),
            adapter_id=adapter.id if adapter else None,
            base_id=base.id,
            run_id=adapter.run_id if adapter else None,
            recipe=recipe,
            prompt=recipe["prompt"],
            seed=recipe["seed"],
            pixel_sha256=pixels,
            created_at=utc_now(),
        )
        png = io.BytesIO()
        image.save(png, "PNG")
        held_file(registry, row.id).write_bytes(png.getvalue())
        rows.append(row)
    with registry.write() as session:
        # Asked again: it may have been revoked while it drew.
        standing = adapter and subjects.require(session, Adapter, adapter.id)
        require_good(session, standing, base)
        new = fresh(session, rows)
        if new:
            payload = {"outputs": [row.id for row in new]}
            ledger.write(session, Event.GENERATE_DRAWN, payload, new)
    return [row.id for row in rows]
