"""How does a base get its own deed? Its pictures take the same way as everyone's, then teach it.

    fetch -> draw -> ingest -> license -> dedup -> snapshot -> gate -> train -> deed

`check_deed` walks it up to the gate and compares the Merkle root with the shipped one.
"""

from __future__ import annotations

import json
import tempfile
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from picdeed.core.errors import IntegrityError
from picdeed.core.events import Event, Progress, silent
from picdeed.core.ids import sha256, sha256_file
from picdeed.core.resources import bundled
from picdeed.flow import pipeline
from picdeed.flow.basefiles import read_deed
from picdeed.registry import bases, ledger, snapshots
from picdeed.registry.bases import Base
from picdeed.registry.codes import PairVerdict
from picdeed.registry.session import Registry, open_registry, utc_now
from picdeed.rights.verdict import Use, Verdict
from picdeed.sources import iconify

if TYPE_CHECKING:
    from picdeed.diffusion.pretrain.recipe import Recipe

SCRATCH = "scratch"
USES = (Use.TRAIN, Use.SHARE_ADAPTER, Use.SELL_ADAPTER)


@dataclass(frozen=True, slots=True)
class Gathered:
    """The frozen, gated pictures of a base. `same` compares with the deed that is shipped."""

    name: str
    snapshot: str
    root: str
    members: int
    verdict: str
    decision: str
    duties: tuple[dict[str, Any], ...]
    shipped_root: str | None
    same: bool
    out: Path | None = None


def check_deed(recipe: Path, work: Path | None = None, *, progress: Progress = silent) -> Gathered:
    """Fetch, draw, register and gate the pinned pictures again; train nothing."""
    with _folder(work) as place:
        return _gather(_recipe(recipe), place, progress)[0]


def pretrain_base(
    recipe: Path,
    work: Path | None,
    out: Path | None,
    *,
    minutes: float | None = None,
    progress: Progress = silent,
) -> Gathered:
    """Train the recipe's base on its gated pictures and write it, with its deed, into `out`.

    Goes on where an earlier call with the same `work` stopped. Raises Denied or NeedsReview
    when the gate does not open, TimeOver once so many `minutes` have passed before the end.
    """
    until = None if minutes is None else time.time() + 60 * minutes
    from picdeed.diffusion.pretrain import run
    from picdeed.diffusion.pretrain.recipe import TrainingPicture

    plan = _recipe(recipe)
    place = (work or Path("picdeed-pretrain") / plan.name).absolute()
    target = (out or Path("models") / plan.name).absolute()
    gathered, registry = _gather(plan, place, progress)
    if not Verdict(gathered.verdict).passes:
        raise IntegrityError(
            f"The pictures of {plan.name} are {gathered.verdict} for sharing and selling "
            "adapters; nothing was trained.",
            hint="picdeed gate shows why.",
            decision=gathered.decision,
        )
    with registry.read() as session:
        frozen = {m.picture_id: m.caption for m in snapshots.members(session, gathered.snapshot)}
    members = []
    for row in _rows(place / "pictures"):
        path = place / "pictures" / row["file_name"]
        identity = f"img_{sha256_file(path)}"
        if identity in frozen:
            members.append(
                TrainingPicture(path, frozen[identity] or "", row["concept"], row["set"])
            )
    run.pretrain(
        plan,
        members,
        place / "state",
        target,
        snapshot=gathered.root,
        until=until,
        progress=progress,
    )
    _write_deed(target, gathered)
    return replace(gathered, out=target, shipped_root=gathered.root, same=True)


def _recipe(path: Path) -> Recipe:
    from picdeed.diffusion.pretrain import recipe

    return recipe.read(path)


def _gather(recipe: Recipe, place: Path, progress: Progress) -> tuple[Gathered, Registry]:
    packages, glyphs = iconify.plan(recipe.tables)
    archives = iconify.fetch(packages, place / "packages", progress)
    iconify.draw(glyphs, packages, archives, place / "pictures", progress)
    pipeline.init(place / "registry")
    registry = open_registry(place / "registry")
    _register_scratch(registry)
    pipeline.register(registry, place / "pictures", recipe.name, progress=progress)
    _decide_pairs(registry, recipe.name, place / "pictures")
    query = pipeline.Query(uses=USES)
    done = pipeline.freeze(registry, recipe.name, query, progress=progress)
    if done.snapshot is None or done.root is None or done.left_out:
        raise IntegrityError(
            f"Not every picture of {recipe.name} may be trained on: {dict(done.left_out)}.",
            hint="The recipe's `skip` list names the pictures to leave undrawn.",
        )
    gated = pipeline.judge(registry, done.snapshot, SCRATCH, USES, progress=progress)
    shipped = _shipped_root(recipe.name)
    found = Gathered(
        name=recipe.name,
        snapshot=done.snapshot,
        root=done.root,
        members=done.members,
        verdict=gated.verdict,
        decision=gated.decision,
        duties=gated.duties,
        shipped_root=shipped,
        same=shipped == done.root,
    )
    return found, registry


def _decide_pairs(registry: Registry, name: str, folder: Path) -> None:
    """What people said about glyphs that look alike (configs/pretrain/NAME-pairs.toml)."""
    path = bundled("configs") / "pretrain" / f"{name}-pairs.toml"
    if not path.is_file():
        return
    said = tomllib.loads(path.read_text("utf-8"))
    for pair in said["variants"]:
        first, second = (f"img_{sha256_file(folder / file)}" for file in pair)
        pipeline.decide_pair(
            registry,
            first,
            second,
            PairVerdict.VARIANT,
            by=f"configs/pretrain/{path.name}",
            because=said["because"],
        )


def _register_scratch(registry: Registry) -> None:
    """Training from nothing, as the base that no licence binds (configs/models/scratch.toml)."""
    nothing = sha256(b"")
    with registry.write() as session:
        if bases.find(session, SCRATCH) is not None:
            return
        row = Base(
            id=bases.base_id(nothing),
            name=SCRATCH,
            sha256=nothing,
            license="NONE",
            deed={},
            path="",
            added_at=utc_now(),
        )
        ledger.write(session, Event.INIT_BASE, {"base": row.id, "name": SCRATCH}, [row])


def _rows(folder: Path) -> list[dict[str, str]]:
    table = folder / "metadata.jsonl"
    return [json.loads(line) for line in table.read_text(encoding="utf-8").splitlines()]


def _shipped_root(name: str) -> str | None:
    folder = bundled("models") / name
    if not (folder / "deed.json").is_file():
        return None
    root: str | None = read_deed(folder).content.get("snapshot", {}).get("root")
    return root


def _write_deed(folder: Path, gathered: Gathered) -> None:
    """What the deed can only say once the weights lie there: their hash, licence and chain."""
    from picdeed.diffusion.models import check_base

    path = folder / "deed.json"
    deed = json.loads(path.read_text(encoding="utf-8"))
    deed |= {
        "license": "Apache-2.0",
        "sha256": check_base(folder).sha256,
        "snapshot": {
            "id": gathered.snapshot,
            "root": gathered.root,
            "members": gathered.members,
            "verdict": gathered.verdict,
            "uses": [str(use) for use in USES],
            "duties": list(gathered.duties),
        },
    }
    path.write_text(json.dumps(deed, indent=2, sort_keys=True) + "\n", encoding="utf-8")


@contextmanager
def _folder(work: Path | None) -> Iterator[Path]:
    """The work folder that the user named and keeps, or one that goes away again."""
    if work is not None:
        work.mkdir(parents=True, exist_ok=True)
        yield work.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="picdeed-") as place:
        yield Path(place)
