"""How does a run leave for a machine without a registry? One signed file, recorded by its hash.

In it is what `train` would have trained on: the same plan, pictures, captions and notices. What
comes back is held against the record that is made here (bringing.py).
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path

from picdeed.core.errors import BusyError, IntegrityError, UsageError
from picdeed.core.events import Event
from picdeed.core.ids import canonical_json, sha256, sha256_file, split_id
from picdeed.credentials.keys import Identity
from picdeed.diffusion.plan import NOTICES, RunPlan, read_plan
from picdeed.diffusion.runfolder import is_running
from picdeed.flow.bundled import (
    DECISION,
    MANIFEST,
    PLAN,
    SCHEMA,
    SUFFIX,
    SignedBy,
    ends,
    inside,
    portable,
    read_manifest,
    signed_by,
)
from picdeed.flow.decided import told
from picdeed.flow.going import require_going
from picdeed.flow.sealed import Part, seal
from picdeed.flow.train import write_plan
from picdeed.registry import ledger, snapshots, subjects
from picdeed.registry.bases import Base
from picdeed.registry.decisions import Decision
from picdeed.registry.heads import load_key
from picdeed.registry.runs import Run, RunState
from picdeed.registry.session import Registry, Session, utc_now
from picdeed.registry.signed import sign_document

_SHOWN = 16  # characters of a run's id in a file's name


@dataclass(frozen=True, slots=True)
class Bundled:
    """One file to carry. `bundle` is its manifest's SHA-256, which the ledger holds."""

    bundle: str
    path: Path
    sha256: str
    bytes: int
    run: str
    snapshot: str
    decision: str
    base: str
    base_sha256: str
    pictures: int
    held_out: int
    steps: int
    valid_until: str
    signed_by: SignedBy


def bundle(registry: Registry, run: str, identity: Identity, to: Path | None = None) -> Bundled:
    """Put a run (a whole id) that is prepared and did not end yet into one signed file.

    `to` is a file or a folder (the current one). The same run under the same decision gives the
    same bytes, and they are recorded once. Raises Denied or NeedsReview like `train`, UsageError
    on a run that is over or where another file lies, IntegrityError on a picture that is not
    what was registered; then nothing is recorded.
    """
    path = _place(run, to)
    with registry.read() as session:
        row = _require_open(registry, session, run)
        base = subjects.require(session, Base, row.base_id)
        decision = subjects.require(session, Decision, row.decision_id)
        gated = told(session, decision, utc_now())
        frozen = snapshots.members(session, row.snapshot_id)
    folder = write_plan(registry, run)
    plan = portable(read_plan(folder), base.name)
    papers = {
        PLAN: canonical_json(plan.model_dump(mode="json", by_alias=True)),
        DECISION: canonical_json(asdict(gated)),
    }
    if plan.notices_sha256 is not None:
        papers[NOTICES] = (folder / NOTICES).read_bytes()
    pictures = {inside(one): split_id(one.picture)[1] for one in (*plan.members, *plan.held_out)}
    document = {
        "schema": SCHEMA,
        "run": plan.run,
        "snapshot": plan.snapshot,
        "snapshot_root": plan.snapshot_root,
        "decision": plan.decision,
        "base": base.name,
        "base_sha256": plan.base_sha256,
        "plan_sha256": plan.digest(),
        "valid_until": ends(gated),
        "licenses": {member.picture_id: member.license for member in frozen},
        "files": {name: sha256(data) for name, data in papers.items()} | pictures,
        "signer": {"subject": identity.subject, "development": identity.development},
    }
    manifest = canonical_json(sign_document(load_key(registry.ledger_key), document))
    parts = [Part(name, sha256(data), data) for name, data in papers.items()]
    parts += [Part(name, one, _blob(registry, one)) for name, one in pictures.items()]
    ordered = sorted(parts, key=lambda part: part.name)
    digest = _seal(registry, plan, [Part(MANIFEST, sha256(manifest), manifest), *ordered], path)
    return Bundled(
        bundle=sha256(manifest),
        path=path.absolute(),
        sha256=digest,
        bytes=path.stat().st_size,
        run=plan.run,
        snapshot=plan.snapshot,
        decision=plan.decision,
        base=base.name,
        base_sha256=plan.base_sha256,
        pictures=len(pictures),
        held_out=len(plan.held_out),
        steps=plan.recipe.steps,
        valid_until=ends(gated),
        signed_by=signed_by(read_manifest(path, manifest)),
    )


def was_bundled(session: Session, bundle: str) -> bool:
    """Whether this registry made the bundle whose manifest has this SHA-256."""
    named = canonical_json({"bundle": bundle})[1:-1].decode()
    made = ledger.events(session, kind=Event.TRAIN_BUNDLED)
    return any(named in event.payload for event in made)


def _place(run: str, to: Path | None) -> Path:
    """Where the file goes; UsageError where it cannot."""
    path = Path.cwd() if to is None else to
    if path.is_dir():
        path /= f"{run[:_SHOWN]}{SUFFIX}"
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise UsageError(f"{path} is no plain file; nothing was written.")
    if not path.parent.is_dir():
        raise UsageError(
            f"{path.parent} is no folder; nothing was written.", hint="Make the folder first."
        )
    return path


def _require_open(registry: Registry, session: Session, run: str) -> Run:
    """The run, when there is something left to train elsewhere and rights let it go on."""
    row = subjects.require(session, Run, run)
    if row.state == RunState.SUCCEEDED:
        raise UsageError(
            f"Run {row.id[:12]} of these inputs is finished; nothing was written.",
            hint=f"picdeed runs show {row.id[:12]}",
        )
    if is_running(registry.root / row.folder):
        raise BusyError(
            f"Run {row.id[:12]} is being trained here; nothing was written.",
            hint=f"picdeed runs cancel {row.id[:12]}, or wait for it.",
        )
    require_going(session, row)
    return row


def _blob(registry: Registry, digest: str) -> Path:
    path = registry.blobs.path(digest)
    if not path.is_file():
        raise IntegrityError(
            f"The bytes of img_{digest[:12]} are missing; no bundle was written.",
            hint="picdeed audit lists every such picture.",
        )
    return path


def _seal(registry: Registry, plan: RunPlan, parts: list[Part], path: Path) -> str:
    """Write the file beside its place, record it, and put it there; gives its SHA-256."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        digest = seal(partial, parts)
        known = path.is_file()
        if known and sha256_file(path) != digest:
            raise UsageError(
                f"{path} holds something else; it was not changed.",
                hint="Name another place with --to PATH, or move that file away.",
            )
        _record(registry, plan, parts[0].sha256)
        if not known:
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return digest


def _record(registry: Registry, plan: RunPlan, manifest: str) -> None:
    """Record the bundle, once; rights are asked again in the transaction."""
    with registry.write() as session:
        row = subjects.require(session, Run, plan.run)
        require_going(session, row)
        if was_bundled(session, manifest):
            return
        payload = {
            "bundle": manifest,
            "run": plan.run,
            "snapshot": plan.snapshot,
            "decision": plan.decision,
        }
        ledger.write(session, Event.TRAIN_BUNDLED, payload, [])
