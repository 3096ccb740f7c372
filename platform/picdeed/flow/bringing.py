"""How does a run that was trained elsewhere come home? Its files, its adapter, its lineage.

It is recorded as `train` records what it made here. What was revoked while it was away did to the
run what it does to any that did not end yet, and its adapter comes in as that left the run: nobody
here saw when the last step was taken, and a state never gets better.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from picdeed.core.errors import UsageError
from picdeed.diffusion.plan import NOTICES
from picdeed.diffusion.runfolder import held
from picdeed.flow.away import LEFT
from picdeed.flow.brought import Brought
from picdeed.flow.train import Trained, record, show
from picdeed.registry import revocations, subjects
from picdeed.registry.blobs import sync
from picdeed.registry.revocations import RevocationEffect
from picdeed.registry.runs import Adapter, Run, RunState
from picdeed.registry.session import Registry, Session
from picdeed.registry.tables import Table


@dataclass(frozen=True, slots=True)
class Imported:
    """`run` as `train` tells it; `bundle` is the manifest's SHA-256. `new` is False where it was
    recorded before. `standing` is what revocations left of the run, `revocations` (ids) which
    reached it while it was away: good with some is flagged.
    """

    run: Trained
    bundle: str
    new: bool
    standing: str
    revocations: tuple[str, ...]


def bring_home(registry: Registry, found: Brought) -> Imported:
    """Record a checked run, once. Raises UsageError when it ended here with another adapter, and
    BusyError while it is being trained here.
    """
    with registry.read() as session:
        row = subjects.require(session, Run, found.plan.run)
    if row.state == RunState.SUCCEEDED:
        _require_same(row, found)
        return _told(registry, row.id, found, new=False)
    folder = registry.root / row.folder
    folder.mkdir(parents=True, exist_ok=True)
    with held(folder):
        _place(found.folder, folder)
        with registry.write() as session:
            row = subjects.require(session, Run, found.plan.run)
            row.decision_id = found.plan.decision
            row.error = None
            also = list(_effects(session, row, found.adapter))
            weights = folder / "adapter.safetensors"
            record(session, row, found.result, weights, also, bundle=found.bundle)
    return _told(registry, row.id, found, new=True)


def _require_same(row: Run, found: Brought) -> None:
    known = str((row.result or {}).get("adapter_id"))
    if known != found.adapter:
        raise UsageError(
            f"Run {row.id[:12]} ended here with the adapter {known[:12]}; the one that was brought "
            f"back, {found.adapter[:12]}, was not recorded.",
            hint=f"picdeed runs show {row.id[:12]}",
        )


def _place(source: Path, folder: Path) -> None:
    """The run's files in its folder, the result last: whoever finds it finds the rest.

    NOTICES.txt stays where it is: it was written here.
    """
    (folder / "result.json").unlink(missing_ok=True)
    names = [name for name in (NOTICES, *LEFT) if (source / name).is_file()]
    for name in sorted(names, key=lambda name: name == "result.json"):
        own, partial = folder / name, folder / f".{name}.part"
        if name == NOTICES and own.is_file():
            continue
        shutil.copyfile(source / name, partial)
        sync(partial)
        partial.replace(own)


def _effects(session: Session, row: Run, adapter: str) -> Iterator[Table]:
    """What revocations did to the run they do to its adapter; not to one that was here before."""
    if subjects.find(session, Adapter, adapter) is not None:
        return
    for one in revocations.reaching(session, row.id):
        yield RevocationEffect(
            revocation_id=one.revocation_id,
            subject_id=adapter,
            before=one.before,
            after=one.after,
        )


def _told(registry: Registry, run: str, found: Brought, *, new: bool) -> Imported:
    with registry.read() as session:
        row = subjects.require(session, Run, run)
        reached = tuple(one.revocation_id for one in revocations.reaching(session, run))
    return Imported(show(registry, run), found.bundle, new, row.standing, reached)
