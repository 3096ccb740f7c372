"""How does an adapter get into other tools, unchanged, with its papers and its duties?

kohya and comfyui are the same bytes: ComfyUI and A1111 read kohya's names. peft is the file that
diffusers' `load_lora_weights` reads. What was written is read back before it counts as written.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from picdeed.core.errors import IntegrityError, UsageError
from picdeed.core.ids import sha256, sha256_file
from picdeed.diffusion.plan import NOTICES
from picdeed.diffusion.recipe import recipe_from
from picdeed.exports.notices import require_free, write_once
from picdeed.flow.basefiles import folder_of
from picdeed.flow.generate import require_good
from picdeed.registry import runs, snapshots, subjects
from picdeed.registry.bases import Base
from picdeed.registry.decisions import Decision
from picdeed.registry.runs import Adapter, Run
from picdeed.registry.session import Registry, Session

if TYPE_CHECKING:
    from picdeed.diffusion.adapterkeys import Layers
    from picdeed.diffusion.lora import Adapter as Weights
    from picdeed.exports.adapterheader import Told

SUFFIX = ".safetensors"
_SHOWN = 12  # characters of an id or a hash in a file's name


class Form(StrEnum):
    """Whose names the tensors bear."""

    KOHYA = "kohya"
    COMFYUI = "comfyui"
    PEFT = "peft"


@dataclass(frozen=True, slots=True)
class ExportedAdapter:
    """One file, and beside it the notices that go along (None where the adapter has none).

    `license` is what pictures and base were recorded under, `uses` what its run was decided for.
    """

    format: str
    subject: str
    path: Path
    sha256: str
    notices: Path | None
    license: str
    uses: tuple[str, ...]
    rank: int
    alpha: float
    layers: int


def export_adapter(
    registry: Registry, form: Form, subject: str, to: Path | None = None
) -> ExportedAdapter:
    """Write an adapter, or the one that a run made, to `to`: a file or a folder (the current one).

    Equal adapters give equal bytes, and the same bytes are not written again. Raises Denied with
    the revocation's id for what is suspended or withdrawn or whose base has fallen,
    IntegrityError when the adapter's file is not what was recorded or does not read back, and
    UsageError, changing nothing, where another file lies.
    """
    from picdeed.diffusion.adapterkeys import layers_of
    from picdeed.exports.adapterheader import license_of, licenses_in

    with registry.read() as session:
        row = runs.adapter_of(session, subjects.resolve(session, subject, {"adp", "run"}))
        _require_good(session, row)
    adapter = _read(registry, row)
    layers = layers_of(adapter.tensors, adapter.metadata)
    told = _told(registry, row, adapter)
    notices = _notices(registry, row, adapter)
    name = None if notices is None else f"NOTICES-{sha256(notices)[:_SHOWN]}.txt"
    data = _bytes(form, layers, told, name)

    path = _place(form, row.id, to)
    beside = None if name is None else path.parent / name
    require_free(path, data)
    with registry.read() as session:  # asked again: it may have been revoked meanwhile
        _require_good(session, subjects.require(session, Adapter, row.id))
    if beside is not None and notices is not None:
        write_once(beside, notices)  # first: the weights never lie anywhere without them
    write_once(path, data)
    read_back(path, layers, sha256(data))
    return ExportedAdapter(
        format=str(form),
        subject=row.id,
        path=path.absolute(),
        sha256=sha256(data),
        notices=None if beside is None else beside.absolute(),
        license=license_of(licenses_in(adapter.metadata), told.base.license),
        uses=() if told.decision is None else tuple(told.decision.uses),
        rank=adapter.rank,
        alpha=adapter.alpha,
        layers=len(layers),
    )


def _require_good(session: Session, row: Adapter) -> None:
    run = subjects.require(session, Run, row.run_id)
    require_good(session, row, subjects.require(session, Base, run.base_id), "exported")


def read_back(path: Path, layers: Layers, digest: str) -> None:
    """Raise IntegrityError, and remove the file, unless it holds exactly these layers.

    `digest` is the SHA-256 that the file must have.
    """
    from picdeed.diffusion.adapterkeys import difference, layers_of
    from picdeed.diffusion.tensors import read_safetensors

    why = "its bytes are not those that were to be written"
    if sha256_file(path) == digest:
        try:
            wrong = difference(layers, layers_of(*read_safetensors(path)))
        except UsageError as error:
            why = error.message
        else:
            if wrong is None:
                return
            why = f"{wrong} is not what the adapter holds"
    path.unlink(missing_ok=True)
    raise IntegrityError(
        f"{path} did not read back as the adapter: {why}. It was removed.",
        hint="Try another disk; the registry is unchanged.",
    )


def _read(registry: Registry, row: Adapter) -> Weights:
    from picdeed.diffusion.lora import load_adapter

    path = registry.root / row.path
    if not path.is_file() or sha256_file(path) != row.sha256:
        what = "not what was recorded" if path.is_file() else "gone"
        raise IntegrityError(
            f"{path}, the file of {row.id[:12]}, is {what}. Nothing was exported.",
            hint="picdeed audit names everything that is wrong; restore the file from a backup.",
        )
    return load_adapter(path)


def _told(registry: Registry, row: Adapter, adapter: Weights) -> Told:
    from picdeed.exports.adapterheader import Told, looks_of

    with registry.read() as session:
        run = subjects.require(session, Run, row.run_id)
        base = subjects.require(session, Base, run.base_id)
        decision = subjects.find(session, Decision, run.decision_id)
        members = snapshots.members(session, run.snapshot_id)
    shown = (run.result or {}).get("exposure")
    learned = {picture for picture, times in (shown or {}).items() if times}
    return Told(
        adapter=adapter,
        sha256=row.sha256,
        made_at=row.created_at,
        run=run,
        recipe=recipe_from(run.recipe),
        base=base,
        looks=looks_of(folder_of(registry, base), base.name),
        decision=decision,
        learned=None if shown is None else len(learned),
        captions=tuple(m.caption for m in members if m.caption and m.picture_id in learned),
    )


def _notices(registry: Registry, row: Adapter, adapter: Weights) -> bytes | None:
    """The text that the adapter's header names by its hash; None before there were notices."""
    digest = adapter.metadata.get("picdeed.notices_sha256")
    if digest is None:
        return None
    beside = (registry.root / row.path).parent / NOTICES
    if beside.is_file() and sha256_file(beside) == digest:
        return beside.read_bytes()
    return registry.blobs.read(digest)


def _bytes(form: Form, layers: Layers, told: Told, notices: str | None) -> bytes:
    from picdeed.diffusion.adapterkeys import SETTINGS, kohya_tensors, network_of, peft_tensors
    from picdeed.diffusion.tensors import safetensors_bytes
    from picdeed.exports.adapterheader import hash_of_data, header

    named = peft_tensors if form is Form.PEFT else kohya_tensors
    tensors = named(layers, network_of(told.adapter.tensors))
    said = header(told, hash_of_data(safetensors_bytes(tensors, {})))
    if notices is not None:
        said["picdeed.notices"] = notices
    if form is Form.PEFT:
        # in kohya's form each layer has its own alpha, and diffusers would rather believe these
        said[SETTINGS] = told.adapter.metadata[SETTINGS]
    return safetensors_bytes(tensors, said)


def _place(form: Form, adapter: str, to: Path | None) -> Path:
    path = Path.cwd() if to is None else to
    if path.is_dir():
        return path / f"{adapter[:_SHOWN]}-{form}{SUFFIX}"
    if path.suffix != SUFFIX:
        raise UsageError(
            f"{path} is no folder, and no tool would take a file of that name for an adapter; "
            "nothing was written.",
            hint=f"Name an existing folder, or a file that ends in {SUFFIX}.",
        )
    return path
