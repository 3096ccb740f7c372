"""How does a picture get its deed? Signed, read back, and only then released."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import picdeed
from picdeed.core.errors import Denied, IntegrityError
from picdeed.core.events import Event, Progress, silent
from picdeed.core.ids import sha256
from picdeed.credentials.keys import Identity
from picdeed.credentials.manifest import OutputFacts, output_manifest
from picdeed.credentials.sign import sign
from picdeed.flow.notices import lay_beside
from picdeed.registry import ledger, revocations, snapshots, subjects
from picdeed.registry.bases import Base
from picdeed.registry.outputs import Output
from picdeed.registry.runs import Adapter, Run, Standing
from picdeed.registry.session import Registry
from picdeed.registry.snapshots import Snapshot


@dataclass(frozen=True, slots=True)
class Released:
    """One signed picture, readable at `path`. `watermark` and `nearest` are not built yet."""

    id: str
    path: Path
    seed: int
    prompt: str
    sha256: str
    credential: dict[str, Any]
    watermark: None
    nearest: None


@dataclass(frozen=True, slots=True)
class Credentialed:
    outputs: tuple[Released, ...]


def credential(
    registry: Registry,
    held: Sequence[str],
    identity: Identity,
    out: Path | None = None,
    *,
    progress: Progress = silent,
) -> Credentialed:
    """Sign what is held, keep it as a blob, and write a copy into `out` (default: `outputs/`),
    with the notices of what it was drawn with beside it.

    What was released before keeps its bytes. Raises IntegrityError, releasing nothing of that
    picture, when the signed file does not read back as intact and ours.
    """
    folder = out if out is not None else registry.root / "outputs"
    folder.mkdir(parents=True, exist_ok=True)
    released = []
    for done, identifier in enumerate(held, 1):
        with registry.read() as session:
            row = subjects.require(session, Output, identifier)
        if row.state == Standing.HELD:
            row = _sign(registry, row, identity)
        released.append(_release(registry, row, folder))
        progress("credential", done, len(held))
    lay_beside(registry, held, folder)
    return Credentialed(tuple(released))


def _sign(registry: Registry, row: Output, identity: Identity) -> Output:
    """Sign the held pixels. A kill before the commit leaves the output held, to be signed again."""
    waiting = registry.root / "held" / f"{row.id}.png"
    try:
        unsigned = waiting.read_bytes()
    except FileNotFoundError:
        raise IntegrityError(
            f"The held pixels of {row.id[:12]} are gone; nothing was released.",
            hint="Draw it again with another seed; picdeed audit shows what else is missing.",
        ) from None
    signed = sign(unsigned, "image/png", output_manifest(_facts(registry, row)), identity)
    registry.blobs.put(signed.data)
    with registry.write() as session:
        done = subjects.require(session, Output, row.id)
        if done.state != Standing.HELD:  # revoked, or released by another, while it was signed
            return done
        done.sha256 = signed.sha256
        done.state = Standing.GOOD
        done.manifest_label = signed.manifest
        done.signer = signed.signer
        payload = {"output": row.id, "sha256": signed.sha256, "manifest": signed.manifest}
        ledger.write(session, Event.CREDENTIAL_RELEASED, payload, [done])
    waiting.unlink(missing_ok=True)
    return done


def _facts(registry: Registry, row: Output) -> OutputFacts:
    """Base, adapter and snapshot by name and hash; the prompt only as a hash."""
    with registry.read() as session:
        base = subjects.require(session, Base, row.base_id)
        adapter = subjects.require(session, Adapter, row.adapter_id) if row.adapter_id else None
        run = subjects.require(session, Run, adapter.run_id) if adapter else None
        frozen = subjects.require(session, Snapshot, run.snapshot_id) if run else None
        members = snapshots.members(session, frozen.id) if frozen else []
    return OutputFacts(
        title=f"{row.id}.png",
        output_id=row.id,
        prompt_sha256=sha256(row.prompt.encode()),
        seed=row.seed,
        pixel_sha256=row.pixel_sha256,
        base_name=base.name,
        base_id=base.id,
        base_sha256=base.sha256,
        adapter_id=adapter.id if adapter else None,
        adapter_sha256=adapter.sha256 if adapter else None,
        snapshot_id=frozen.id if frozen else None,
        snapshot_root=frozen.root if frozen else None,
        licenses=dict(sorted(Counter(member.license for member in members).items())),
        system="picdeed",
        version=picdeed.__version__,
        when=row.created_at,
    )


def _release(registry: Registry, row: Output, folder: Path) -> Released:
    """A copy of the signed bytes under a name that a person can read; Denied when it fell."""
    if row.state != Standing.GOOD:
        with registry.read() as session:
            cause = revocations.touching(session, row.id)
        raise Denied(
            f"Output {row.id[:12]} is {row.state}: what it descends from was revoked. No copy was "
            "written.",
            hint=f"picdeed lineage {row.id[:12]} shows what it descends from.",
            revocation=cause.id if cause else None,
        )
    if row.sha256 is None or not registry.blobs.verify(row.sha256):
        raise IntegrityError(
            f"The signed bytes of {row.id[:12]} are damaged; no copy was written.",
            hint="picdeed audit lists what is damaged.",
        )
    words = re.sub(r"[^a-z0-9]+", "-", row.prompt.lower()).strip("-")[:40].strip("-")
    path = folder / f"{words or 'picture'}-{row.seed}-{row.id[4:12]}.png"
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_bytes(registry.blobs.read(row.sha256))
    part.replace(path)
    state = {"state": "signed", "manifest": row.manifest_label, "signer": row.signer}
    return Released(row.id, path.absolute(), row.seed, row.prompt, row.sha256, state, None, None)
