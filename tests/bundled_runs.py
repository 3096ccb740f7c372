"""A registry, a tiny base that may be trained on, and a bundle of a run; and ways to spoil one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from picdeed.core.ids import canonical_json, sha256
from picdeed.diffusion.recipe import load_recipe
from picdeed.flow import pipeline
from picdeed.flow.basefacts import Person
from picdeed.flow.bundle import Bundled
from picdeed.flow.elsewhere import bundle_run
from picdeed.flow.models import add_model
from picdeed.flow.sealed import Part, seal, unsealed
from picdeed.registry.heads import LedgerKey
from picdeed.registry.session import Registry
from picdeed.registry.signed import sign_document
from picdeed.testing import tiny_model, tiny_pictures, tiny_registry

BASE = "my-style"
RAIL = "LicenseRef-picdeed-openrail-plus-plus-m-2023-07-26"
QUICK = ("steps=4", "batch=2", "rank=2", "warmup_steps=0", "eval_noises=1")
ANY = re.compile(".*", re.DOTALL)


@dataclass(frozen=True)
class World:
    """`registry` may be copied; `decision` opens `snapshot` for `base`, a folder."""

    registry: Path
    base: Path
    snapshot: str
    decision: str


def make_world(place: Path) -> World:
    registry = tiny_registry(place / "registry")
    base = tiny_model(place / "base")
    person = Person(RAIL, "Ada", "I trained it")
    add_model(registry, pipeline.rules(), base, name=BASE, person=person)
    pipeline.register(registry, tiny_pictures(place / "pictures", 6), "drawings")
    snapshot = pipeline.freeze(registry, "drawings").snapshot
    decision = pipeline.judge(registry, snapshot, BASE).decision
    registry.close()
    return World(place / "registry", base, snapshot, decision)


def recipe(*changes: str):
    return load_recipe("demo", [*QUICK, *changes])


def bundled(registry: Registry, world: World, to: Path, **options: Any) -> Bundled:
    given = {"decision": world.decision, **options}
    return bundle_run(registry, world.snapshot, BASE, recipe(), to=to, **given)


def here(folder: Path, *, progress) -> None:
    """The very loop, in this process: a new one imports torch for seconds."""
    from picdeed.diffusion.train import train

    train(folder)


def never(folder: Path, *, progress) -> None:
    raise AssertionError("nothing was to be trained")


def entries(path: Path) -> dict[str, bytes]:
    with unsealed(path, ANY, "sealed file") as sealed:
        return {name: b"".join(sealed.pieces(name)) for name in sealed.sizes}


def resealed(path: Path, files: Mapping[str, bytes], to: Path) -> Path:
    """These entries as a sealed file of its own."""
    seal(to, [Part(name, sha256(data), data) for name, data in files.items()])
    return to


def spoiled(path: Path, to: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """The same bundle with other entries, sealed again by whoever has no key."""
    files = entries(path)
    change(files)
    return resealed(path, files, to)


def forged(
    path: Path, to: Path, change: Callable[[dict[str, bytes], dict[str, Any]], None]
) -> Path:
    """The same bundle with other entries, signed again under a stranger's key."""
    files = entries(path)
    document = json.loads(files["manifest.json"])
    del document["public_key"], document["signature"]
    change(files, document)
    document["files"] |= {n: sha256(d) for n, d in files.items() if n in document["files"]}
    key = LedgerKey(Ed25519PrivateKey.generate())
    files["manifest.json"] = canonical_json(sign_document(key, document))
    return resealed(path, files, to)
