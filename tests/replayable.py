"""A registry with a finished run on a tiny base, for tests that train it once more."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from picdeed.core.errors import RunFailed
from picdeed.diffusion.recipe import load_recipe
from picdeed.flow import pipeline
from picdeed.flow.basefacts import Person
from picdeed.flow.models import add_model
from picdeed.registry import snapshots, subjects
from picdeed.registry.codes import PairVerdict
from picdeed.registry.runs import Run
from picdeed.registry.session import Registry, open_registry
from picdeed.testing import tiny_model, tiny_pictures, tiny_registry

BASE = "my-style"
RAIL = "LicenseRef-picdeed-openrail-plus-plus-m-2023-07-26"
QUICK = ("steps=3", "batch=2", "rank=2", "warmup_steps=0", "eval_noises=1")


@dataclass(frozen=True)
class Ran:
    """`place` holds the registry and may be copied; two of its pictures are known as `copies`."""

    place: Path
    run: str
    copies: tuple[str, str]


def here(folder: Path, *, progress) -> None:
    """What the trainer's own process does, in this one: a new one imports torch for seconds."""
    from picdeed.diffusion.train import main

    code = main([str(folder)])
    progress("train", 3, 3)
    if code:
        raise RunFailed(f"exit code {code}")


def never(folder: Path, *, progress) -> None:
    raise AssertionError("nothing was to be trained")


def train_once(registry: Registry, *, seed: int = 0) -> str:
    """The one snapshot trained; with another seed it is another run."""
    with registry.read() as session:
        (frozen,) = snapshots.all_snapshots(session)
    recipe = load_recipe("demo", QUICK)
    return pipeline.fine_tune(registry, frozen.id, BASE, recipe, here, seed=seed).run


def make_ran(place: Path) -> Ran:
    registry = tiny_registry(place / "registry")
    base = tiny_model(place / "base")
    add_model(registry, pipeline.rules(), base, name=BASE, person=Person(RAIL, "Ada", "Made it"))
    known = pipeline.register(registry, tiny_pictures(place / "pictures", 9), "drawings")
    pipeline.freeze(registry, "drawings")
    a, b = sorted(one.id for one in known.ingested.pictures)[:2]
    # Found after the snapshot was frozen: both are in it, and drawn as one picture.
    pipeline.decide_pair(registry, a, b, PairVerdict.MERGE, by="Ada")
    run = train_once(registry)
    registry.close()
    return Ran(place, run, (a, b))


def copied(ran: Ran, place: Path) -> Registry:
    """A registry of one's own; its base lies where it lay."""
    shutil.copytree(ran.place / "registry", place / "registry")
    return open_registry(place / "registry")


def row_of(registry: Registry, run: str) -> Run:
    with registry.read() as session:
        return subjects.require(session, Run, run)


def folder_of(registry: Registry, run: str) -> Path:
    return registry.root / row_of(registry, run).folder
