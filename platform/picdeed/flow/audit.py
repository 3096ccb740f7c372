"""Does everything still hold? Ledger, rows, blobs, roots, adapters and credentials, re-verified.

It finds edits by anyone without the signing key. Rolling back database and tree heads together
shows only against a head kept elsewhere (`head`).
"""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from picdeed.core.errors import PicdeedError
from picdeed.core.events import Progress, silent
from picdeed.core.ids import sha256_file
from picdeed.credentials.trust import Trust
from picdeed.credentials.verify import Integrity, verify
from picdeed.flow.basefiles import folder_of, is_own
from picdeed.registry import (
    bases,
    lineage,
    outputs,
    pictures,
    runs,
    snapshots,
    subjects,
)
from picdeed.registry.check import check_ledger
from picdeed.registry.pictures import PictureState
from picdeed.registry.runs import Standing
from picdeed.registry.session import Registry


@dataclass(frozen=True, slots=True)
class Problem:
    subject: str
    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Audited:
    """`checked` counts what was looked at; `unsealed` events are no problem, see the contract."""

    ok: bool
    subject: str | None
    events: int
    checked: Mapping[str, int]
    problems: tuple[Problem, ...]


def audit(
    registry: Registry,
    trust: Trust,
    subject: str | None = None,
    *,
    head: Path | None = None,
    progress: Progress = silent,
) -> Audited:
    """Re-verify the registry, or the part of it around one id (the ledger is always whole)."""
    found = check_ledger(registry, head)
    problems = [Problem(p.subject, p.kind, p.message) for p in found.problems]
    checked: Counter[str] = Counter(rows=found.rows, unsealed=found.unsealed)
    scope = _scope(registry, subject)
    checks = (
        ("pictures", _pictures(registry, scope)),
        ("snapshots", _snapshots(registry, scope)),
        ("bases", _bases(registry, scope)),
        ("adapters", _adapters(registry, scope)),
        ("outputs", _outputs(registry, trust, scope)),
    )
    for what, results in checks:
        checked[what] = 0
        for problem in results:
            checked[what] += 1
            progress(f"audit {what}", checked[what], 0)
            if problem is not None:
                problems.append(problem)
    return Audited(not problems, subject, found.events, dict(checked), tuple(problems))


def _scope(registry: Registry, subject: str | None) -> frozenset[str] | None:
    """The ids that the audit is about; None is everything."""
    if subject is None:
        return None
    with registry.read() as session:
        whole = subjects.resolve(session, subject)
        graph = lineage.graph(session, whole)
    return frozenset({whole, *(node.id for node in graph.nodes)})


def _inside(scope: frozenset[str] | None, ids: Iterable[str]) -> list[str]:
    return [identity for identity in ids if scope is None or identity in scope]


def _pictures(registry: Registry, scope: frozenset[str] | None) -> Iterator[Problem | None]:
    with registry.read() as session:
        rows = pictures.by_ids(session, _inside(scope, pictures.all_ids(session)))
    for row in rows.values():
        if row.id != pictures.picture_id(row.sha256):
            yield Problem(row.id, "picture", "its id is not the hash in its row")
        elif row.state == PictureState.ERASED:
            yield None
        elif not registry.blobs.exists(row.sha256):
            yield Problem(row.id, "blob-missing", "its bytes are gone from the blob store")
        elif not registry.blobs.verify(row.sha256):
            yield Problem(row.id, "blob-altered", "its bytes are not those that were registered")
        else:
            yield None


def _snapshots(registry: Registry, scope: frozenset[str] | None) -> Iterator[Problem | None]:
    with registry.read() as session:
        for row in snapshots.all_snapshots(session):
            if scope is not None and row.id not in scope:
                continue
            members = snapshots.members(session, row.id)
            leaves = [snapshots.leaf_of(member) for member in members]
            root = snapshots.root_of(leaves)
            if (root, snapshots.snapshot_id(root)) != (row.root, row.id):
                yield Problem(row.id, "snapshot-root", "its members do not give its Merkle root")
            elif not all(snapshots.caption_holds(member) for member in members):
                yield Problem(row.id, "snapshot-caption", "a caption is not the one it was")
            else:
                yield None


def _bases(registry: Registry, scope: frozenset[str] | None) -> Iterator[Problem | None]:
    """Each base's tensors against the hash that was recorded; needs the `train` extra."""
    if importlib.util.find_spec("torch") is None:
        return
    from picdeed.diffusion.models import check_base

    with registry.read() as session:
        rows = [row for row in bases.all_bases(session) if scope is None or row.id in scope]
    for row in rows:
        folder = folder_of(registry, row)
        if not row.path or not folder.is_dir():
            if not is_own(row):
                said = f"its folder {folder} is gone: picdeed models add FOLDER, where it lies now"
                yield Problem(row.id, "base-missing", said)
            continue  # training from nothing, or an embedded base of an earlier release
        try:
            found = check_base(folder).sha256
        except PicdeedError as error:
            yield Problem(row.id, "base-unreadable", error.message)
            continue
        if found != row.sha256:
            yield Problem(row.id, "base-altered", "its weights are not those that were registered")
        else:
            yield None


def _adapters(registry: Registry, scope: frozenset[str] | None) -> Iterator[Problem | None]:
    with registry.read() as session:
        rows = [row for row in runs.all_adapters(session) if scope is None or row.id in scope]
    for row in rows:
        path = registry.root / row.path
        if not path.is_file():
            yield Problem(row.id, "adapter-missing", f"its file {path} is gone")
        elif sha256_file(path) != row.sha256:
            yield Problem(row.id, "adapter-altered", "its file is not the one that was trained")
        else:
            yield None


def _outputs(
    registry: Registry, trust: Trust, scope: frozenset[str] | None
) -> Iterator[Problem | None]:
    with registry.read() as session:
        rows = [row for row in outputs.all_outputs(session) if scope is None or row.id in scope]
    for row in rows:
        if row.state == Standing.HELD:
            yield None
            continue
        if row.sha256 is None or not registry.blobs.verify(row.sha256):
            yield Problem(row.id, "blob-altered", "its signed bytes are missing or damaged")
            continue
        seen = verify(registry.blobs.read(row.sha256), "image/png", trust)
        named = (seen.lineage or {}).get("output_id")
        if seen.integrity != Integrity.INTACT or not seen.own:
            state = f"{seen.integrity}, {seen.trust}"
            yield Problem(row.id, "credential", f"its credential reads {state}")
        elif named != row.id:
            yield Problem(row.id, "credential", f"its credential names {named}")
        else:
            yield None
