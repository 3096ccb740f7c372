"""How is a bundle trained where no registry is? Checked, unpacked, trained by the very same loop.

The folder is a run folder like any other (diffusion/runfolder.py), with the bundle's papers beside:

bundle/manifest.json, bundle/plan.json    what was signed; they go back with the run
pictures/SHA-256                          what it trains on
run.json                                  the end: the hash of all that goes back (RETURNED)

Beside it lies one file with the same content, to be carried home and imported.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from picdeed.core.errors import (
    BusyError,
    IntegrityError,
    MissingPart,
    RunFailed,
    UnreadablePicture,
    UsageError,
)
from picdeed.core.events import Progress, silent
from picdeed.core.ids import canonical_json, sha256, sha256_file
from picdeed.core.resources import bundled as shipped
from picdeed.diffusion.plan import NOTICES
from picdeed.diffusion.runfolder import (
    forget_stop,
    is_running,
    read_json,
    write_bytes,
)
from picdeed.flow.basefiles import read_deed
from picdeed.flow.bundled import (
    MANIFEST,
    PLAN,
    SUFFIX,
    Bundle,
    SignedBy,
    opened,
    placed,
    require_live,
)
from picdeed.flow.sealed import Part, seal
from picdeed.flow.train import Trained
from picdeed.imaging.decode import header

if TYPE_CHECKING:
    from picdeed.flow.train import Launch

SCHEMA = "picdeed.bundled-run/1"
RETURNED = "run.json"
PAPERS = "bundle"
SIGNED = (f"{PAPERS}/{MANIFEST}", f"{PAPERS}/{PLAN}")
LEFT = ("result.json", "log.jsonl", "adapter.safetensors")
_RUN = ".run"


@dataclass(frozen=True, slots=True)
class Away:
    """A run of a bundle: what `train` says of it, and the `file` to bring back (None before the
    end). `bundle` is the manifest's SHA-256.
    """

    run: Trained
    bundle: str
    signed_by: SignedBy
    file: Path | None


def train_away(
    path: Path,
    launch: Launch,
    *,
    base: str | None = None,
    to: Path | None = None,
    progress: Progress = silent,
) -> Away:
    """Fine-tune as the bundle's plan says; the same bundle in the same place is the same run.

    `to` is the run's folder; beside the bundle and under its name without it. `base` is the folder
    of the base, or the name of one that ships with picdeed. A finished run is returned as it is,
    an interrupted one goes on from its last checkpoint. Raises IntegrityError on a bundle or a
    base that is not what was signed, Denied or NeedsReview where its decision opens nothing any
    more, RunFailed and MissingPart like `train`; before a check failed nothing was trained.
    """
    folder = (to or _beside(path)).absolute()
    with opened(path) as bundle:
        _require_own(folder, bundle)
        if not _is_over(folder):
            require_live(bundle)
            where = _base(bundle, base)
            _lay(folder, bundle, progress)
            placed(bundle.plan, str(where), f"{folder}/").write(folder)
            _launch(path, folder, bundle, launch, progress)
        if not _is_over(folder):
            raise RunFailed(
                f"Run {bundle.plan.run[:12]} left no adapter that can be trusted.",
                hint=f"picdeed train {path} begins it again.",
                run=bundle.plan.run,
            )
        return Away(
            run=_told(folder, bundle),
            bundle=bundle.id,
            signed_by=bundle.signed_by,
            file=_pack(folder, bundle),
        )


def _beside(path: Path) -> Path:
    """The run's folder when nobody names one."""
    own = path.name.removesuffix(SUFFIX) if path.name.endswith(SUFFIX) else ""
    return path.with_name(own or f"{path.name}{_RUN}")


def _require_own(folder: Path, bundle: Bundle) -> None:
    """The folder is free, or this bundle's; UsageError otherwise."""
    manifest = folder / PAPERS / MANIFEST
    if manifest.is_file() and sha256_file(manifest) == bundle.id:
        return
    if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
        raise UsageError(
            f"{folder} holds something else than this bundle's run; nothing was changed.",
            hint="Name another folder with --to PATH.",
        )


def _is_over(folder: Path) -> bool:
    """Whether a run ended here and its adapter is the one that it left."""
    result = read_json(folder / "result.json") or {}
    weights = folder / "adapter.safetensors"
    return weights.is_file() and sha256_file(weights) == result.get("adapter_sha256")


def _base(bundle: Bundle, named: str | None) -> Path:
    """The base's folder, once its tensors have the hash that was signed."""
    from picdeed.diffusion.models import check_base

    wanted = bundle.plan.base_sha256
    own = _shipped(bundle.plan.base if named is None else named)
    folder = Path(named).absolute() if named is not None and Path(named).is_dir() else own
    if folder is None or (named is None and read_deed(folder).sha256 != wanted):
        raise MissingPart(
            f"The base {bundle.plan.base} (sha256 {wanted[:16]}...) is not "
            f"{'with this picdeed' if named is None else f'in {named}'}, and a bundle holds no "
            "weights; nothing was started.",
            hint="Name its folder: picdeed train BUNDLE --base FOLDER.",
        )
    found = check_base(folder).sha256
    if found != wanted:
        raise IntegrityError(
            f"The base {folder} is not the one that the bundle names: its tensors hash to "
            f"{found}, signed is {wanted}. Nothing was started.",
            hint=f"Name the folder of {bundle.plan.base} with --base FOLDER.",
        )
    return folder


def _shipped(name: str) -> Path | None:
    """The folder of a base that ships with picdeed."""
    own = shipped("models") / name
    return own if Path(name).name == name and (own / "deed.json").is_file() else None


def _lay(folder: Path, bundle: Bundle, progress: Progress) -> None:
    """Unpack what is not there yet; a file that is not what was signed is written again.

    The manifest comes first: a folder that a kill left half unpacked is known by it.
    """
    names = sorted(bundle.sealed.sizes, key=lambda name: (name != MANIFEST, name))
    for done, name in enumerate(names, 1):
        own = folder / name if name == NOTICES or "/" in name else folder / PAPERS / name
        digest = bundle.id if name == MANIFEST else bundle.manifest.files[name]
        if not own.is_file() or sha256_file(own) != digest:
            data = b"".join(bundle.sealed.pieces(name))
            if name.startswith("pictures/"):
                _require_bounded(name, data)
            own.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(own, data)
        progress("unpack", done, len(names))


def _require_bounded(name: str, data: bytes) -> None:
    """A picture's header is within the limits: here nobody registered it. UnreadablePicture."""
    try:
        header(data)
    except UnreadablePicture as error:
        raise UnreadablePicture(
            error.reason, f"{name} in the bundle is refused: {error.message} Nothing was trained."
        ) from error


def _launch(path: Path, folder: Path, bundle: Bundle, launch: Launch, progress: Progress) -> None:
    """Train; errors name the run by its id and the command that goes on."""
    run = bundle.plan.run
    if not is_running(folder):
        forget_stop(folder)
    try:
        launch(folder, progress=progress)
    except RunFailed as failure:
        hint = f"picdeed train {path} goes on from its last checkpoint."
        raise RunFailed(failure.message, hint=hint, run=run) from failure
    except BusyError as busy:
        raise BusyError(busy.message, hint=f"Its log is {folder / 'log.jsonl'}.", run=run) from busy


def _told(folder: Path, bundle: Bundle) -> Trained:
    """The run as `train` tells it, as far as that is known without a registry."""
    result: Mapping[str, Any] = read_json(folder / "result.json") or {}
    known: dict[str, Any] = {one: result.get(one) for one in Trained.__slots__}
    adapter = {
        "id": result["adapter_id"],
        "path": folder / "adapter.safetensors",
        "sha256": result["adapter_sha256"],
        "state": None,
    }
    known |= {"run": bundle.plan.run, "state": "succeeded", "adapter": adapter, "leaks": ()}
    known |= {"without": (), "retrained_as": ()}
    return Trained(**{**known, "error": None, "folder": folder})


def _pack(folder: Path, bundle: Bundle) -> Path:
    """The one file to bring home, beside the folder; written again when it is not what it was."""
    papers = () if bundle.plan.notices_sha256 is None else (NOTICES,)
    files = {name: sha256_file(folder / name) for name in (*SIGNED, *LEFT, *papers)}
    said = {"schema": SCHEMA, "run": bundle.plan.run, "bundle": bundle.id, "files": files}
    returned = canonical_json(said)
    write_bytes(folder / RETURNED, returned)
    path = folder.with_name(f"{folder.name}{_RUN}{SUFFIX}")
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    parts = [Part(name, digest, folder / name) for name, digest in sorted(files.items())]
    try:
        digest = seal(partial, [Part(RETURNED, sha256(returned), returned), *parts])
        if not (path.is_file() and sha256_file(path) == digest):
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def read_returned(data: bytes) -> dict[str, Any]:
    """What `run.json` says; ValueError on anything else."""
    said: Any = json.loads(data)
    if not isinstance(said, dict) or said.get("schema") != SCHEMA:
        raise ValueError(f"not a {SCHEMA} document")
    return said
