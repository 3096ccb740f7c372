"""Is this the run that the bundle asked for? What came back, held against what was signed.

It is not signed: the machine that trained has no key of ours. So nothing in it is believed that
the plan can tell: what it is about, which pictures were shown how often, and in which steps. That
the other machine computed these weights from that plan, and its losses and speeds, is its word.
"""

from __future__ import annotations

import contextlib
import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from picdeed.core.errors import IntegrityError, UsageError
from picdeed.core.ids import canonical_json, hash_json, sha256, sha256_file
from picdeed.core.limits import DEFAULT
from picdeed.diffusion.plan import NOTICES, RunPlan
from picdeed.flow.away import LEFT, PAPERS, RETURNED, SIGNED, read_returned
from picdeed.flow.bundle import was_bundled
from picdeed.flow.bundled import (
    MANIFEST,
    PLAN,
    Manifest,
    read_bundled_plan,
    read_manifest,
    why_invalid,
)
from picdeed.flow.replanned import planned_exposures
from picdeed.flow.sealed import altered, unsealed
from picdeed.registry.heads import load_key
from picdeed.registry.session import Registry
from picdeed.registry.signed import fingerprint

_NAMES = re.compile(
    rf"{RETURNED}|{PAPERS}/{MANIFEST}|{PAPERS}/{PLAN}|{NOTICES}|"
    r"result\.json|log\.jsonl|adapter\.safetensors"
)
LONGEST = 1 << 20  # of run.json, which names seven files
_HEX = r"[0-9a-f]{64}$"


class Result(BaseModel):
    """What `result.json` must say; more may stand in it, as the loop writes it."""

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)

    schema_: str = Field(alias="schema", pattern=r"^picdeed\.run-result/1$")
    run: str
    steps: int
    batch: int
    exposure: Mapping[str, int]
    held_out: tuple[str, ...]
    threads: int
    adapter_id: str = Field(pattern=rf"^adp_{_HEX}")
    adapter_sha256: str = Field(pattern=rf"^{_HEX}")
    loss: Mapping[str, Any] | None
    loss_reason: str | None
    steps_per_second: float
    seconds: float
    distinct_pictures: int
    effective_pictures: float
    kin_groups: int
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Brought:
    """A run that came back and fits. `folder` holds its files; `result` is `result.json`."""

    bundle: str
    plan: RunPlan
    result: Mapping[str, Any]
    folder: Path

    @property
    def adapter(self) -> str:
        """The adapter's id, by its tensors."""
        return str(self.result["adapter_id"])


@contextlib.contextmanager
def brought(registry: Registry, path: Path) -> Iterator[Brought]:
    """The run in a file or folder that `train BUNDLE` left, once all of it was held against the
    bundle that this registry made.

    Raises IntegrityError naming what does not fit, UsageError on what is no such run, or one that
    did not come to its end.
    """
    if path.is_dir():
        yield _checked(registry, path, path)
        return
    with (
        unsealed(path, _NAMES, "run of a bundle") as sealed,
        tempfile.TemporaryDirectory(dir=registry.root, prefix=".import-") as place,
    ):
        for name in sealed.sizes:
            own = Path(place, name)
            own.parent.mkdir(exist_ok=True)
            with own.open("wb") as stream:
                stream.writelines(sealed.pieces(name))
        yield _checked(registry, Path(place), path)


def _checked(registry: Registry, folder: Path, path: Path) -> Brought:
    if not (folder / RETURNED).is_file():
        raise UsageError(
            f"{path} is no run of a bundle that came to its end; nothing was recorded.",
            hint="picdeed train BUNDLE takes it there.",
        )
    said = _returned(folder, path)
    data = (folder / PAPERS / MANIFEST).read_bytes()
    manifest = read_manifest(path, data)
    _require_ours(registry, manifest, sha256(data), path)
    plan = read_bundled_plan(path, (folder / PAPERS / PLAN).read_bytes(), manifest)
    if (said.get("run"), said.get("bundle")) != (plan.run, sha256(data)):
        raise altered(path, f"{RETURNED} is about another run than its bundle")
    if said["files"].get(NOTICES) != plan.notices_sha256:
        raise altered(path, f"{NOTICES} is not the one that was signed")
    result = _result(folder, path)
    _require_planned(Result.model_validate(result), plan, path)
    _require_adapter(folder, result, plan, path)
    return Brought(sha256(data), plan, result, folder)


def _returned(folder: Path, path: Path) -> dict[str, Any]:
    """What `run.json` says, once every file that it names is there and has its hash."""
    if (folder / RETURNED).stat().st_size > LONGEST:
        raise altered(path, f"{RETURNED} is longer than {LONGEST} bytes")
    try:
        said = read_returned((folder / RETURNED).read_bytes())
        files = {str(name): str(digest) for name, digest in said["files"].items()}
    except (OSError, ValueError, KeyError, AttributeError, RecursionError) as error:
        raise altered(path, f"{RETURNED} cannot be read") from error
    for name in sorted({*SIGNED, *LEFT, *files}):
        own = folder / name
        if not _NAMES.fullmatch(name) or name == RETURNED or name not in files:
            raise altered(path, f"{RETURNED} names other files than a run leaves: {name[:80]}")
        if not own.is_file():
            raise altered(path, f"{name} is missing")
        if name.endswith(".json") and own.stat().st_size > DEFAULT.metadata_bytes:
            raise altered(path, f"{name} is longer than {DEFAULT.metadata_bytes} bytes")
        if sha256_file(own) != files[name]:
            raise altered(path, f"{name} is not the file that the run left")
    return {**said, "files": files}


def _require_ours(registry: Registry, manifest: Manifest, bundle: str, path: Path) -> None:
    own = load_key(registry.ledger_key).public
    if manifest.public_key != own:
        raise IntegrityError(
            f"{path.name} is the run of another registry's bundle: that was signed by the key "
            f"{fingerprint(manifest.public_key)[:17]}..., ours is {fingerprint(own)[:17]}... "
            "Nothing was recorded.",
            hint="Import it where its bundle was made.",
        )
    with registry.read() as session:
        if not was_bundled(session, bundle):
            raise IntegrityError(
                f"{path.name} is the run of a bundle that this registry has no record of. "
                "Nothing was recorded.",
                hint="Was the registry restored from a backup? picdeed audit says what it holds.",
            )


def _result(folder: Path, path: Path) -> dict[str, Any]:
    try:
        result: dict[str, Any] = json.loads((folder / "result.json").read_bytes())
        Result.model_validate(result)
        canonical_json(result)  # what the registry keeps; infinities are no JSON
    except (ValueError, RecursionError) as error:
        raise altered(path, f"result.json is no result ({why_invalid(error)})") from error
    return result


def _require_planned(result: Result, plan: RunPlan, path: Path) -> None:
    """The run took the planned steps and showed every picture as often as planned."""
    recipe = plan.recipe
    held_out = tuple(trainee.picture for trainee in plan.held_out)
    planned = {
        "run": (result.run, plan.run),
        "steps": (result.steps, recipe.steps),
        "batch": (result.batch, recipe.batch),
        "threads": (result.threads, plan.threads),
        "held_out": (result.held_out, held_out),
        "kin_groups": (result.kin_groups, len(plan.kin)),
        "exposure": (dict(result.exposure), planned_exposures(plan)),
    }
    for name, (told, wanted) in planned.items():
        if told != wanted:
            raise altered(path, f"its {name} is not what the plan asks for")


def _require_adapter(folder: Path, result: Mapping[str, Any], plan: RunPlan, path: Path) -> None:
    """The tensors are those that the result names, and the header is this plan's."""
    from picdeed.diffusion.lora import load_adapter

    try:
        adapter = load_adapter(folder / "adapter.safetensors")
    except UsageError as error:
        raise altered(path, f"its adapter cannot be read ({error.message[:200]})") from error
    if (adapter.id, adapter.sha256) != (result["adapter_id"], result["adapter_sha256"]):
        raise altered(path, "its adapter is not the one that its result names")
    recipe = plan.recipe
    if (adapter.rank, adapter.alpha, set(adapter.targets)) != (
        recipe.rank,
        recipe.alpha,
        set(recipe.targets),
    ):
        raise altered(path, "its adapter is of another shape than the recipe's")
    wanted = {
        "base_sha256": plan.base_sha256,
        "snapshot": plan.snapshot,
        "snapshot_root": plan.snapshot_root,
        "run": plan.run,
        "decision": plan.decision,
        "recipe_sha256": hash_json(recipe.model_dump(mode="json")),
        "notices_sha256": plan.notices_sha256,
    }
    for name, value in wanted.items():
        if adapter.metadata.get(f"picdeed.{name}") != value:
            raise altered(path, f"its adapter's header tells another {name} than the plan")
