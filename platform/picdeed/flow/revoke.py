"""What falls with a picture? The graph walked back: copies, snapshots, runs, adapters, outputs.

States change, nothing is deleted. Suspended is what a machine may decide; `withdrawn` is set
by a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from picdeed.core.errors import UnknownSubject, UsageError
from picdeed.core.events import Event
from picdeed.registry import (
    conclusions,
    datasets,
    ledger,
    lineage,
    pictures,
    revocations,
    similar,
    subjects,
)
from picdeed.registry.lineage import Descendants
from picdeed.registry.outputs import Output
from picdeed.registry.pictures import Picture, PictureState
from picdeed.registry.revocations import Revocation
from picdeed.registry.runs import Adapter, Run, Standing
from picdeed.registry.session import Registry, Session, utc_now
from picdeed.registry.snapshots import Snapshot, SnapshotState
from picdeed.registry.tables import Table, fresh
from picdeed.rights.catalogue import Catalogue
from picdeed.rights.expression import parse_license


class Ground(StrEnum):
    CONTRACT_ENDED = "contract-ended"
    OPT_OUT = "opt-out"
    TAKEDOWN = "takedown"
    PRIVACY = "privacy"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Touched:
    id: str
    state: str


@dataclass(frozen=True, slots=True)
class Impact:
    pictures: tuple[Touched, ...]
    snapshots: tuple[Touched, ...]
    runs: tuple[Touched, ...]
    adapters: tuple[Touched, ...]
    outputs: tuple[Touched, ...]


@dataclass(frozen=True, slots=True)
class Revoked:
    revocation: str
    target: str
    ground: str
    effective: str
    applied: bool
    impact: Impact


def revoke(
    registry: Registry,
    catalogue: Catalogue,
    target: str,
    ground: Ground,
    *,
    effective: str | None = None,
    simulate: bool = False,
) -> Revoked:
    """Revoke a picture, dataset, licence, adapter or base, and mark what descends from it.

    Section 4.5 of the rights model: takedown, privacy, error, ended contracts (no survival
    clause is recorded yet) and opt-outs that predate a run suspend its adapters and outputs; an
    opt-out declared later leaves them good, flagged by the revocation. The state changes and
    their ledger row are one transaction; `simulate` changes nothing.
    """
    now = utc_now()
    since = _date(effective, now)
    with registry.write() as session:
        whole, sources = _first_touched(session, catalogue, target)
        sources = _with_copies(session, sources)
        below = _below(session, whole, sources)
        spared = _spared(below, ground, since)
        impact = _impact(sources, below, spared)
        identity = revocations.revocation_id(whole, ground, since[:10])
        if not simulate:
            rows = _apply(session, sources, below, impact)
            rows += fresh(
                session,
                [
                    Revocation(
                        id=identity,
                        target=whole,
                        ground=str(ground),
                        effective=since,
                        declared_at=now,
                        impact=_as_json(impact),
                    )
                ],
            )
            if rows:
                payload = {"revocation": identity, "target": whole, "ground": str(ground)}
                ledger.write(session, Event.REVOKE_APPLIED, payload, rows)
    return Revoked(identity, whole, str(ground), since, not simulate, impact)


def _date(effective: str | None, now: str) -> str:
    """An ISO-8601 day or moment as the registry writes times; UsageError on anything else."""
    if effective is None:
        return now
    try:
        moment = datetime.fromisoformat(effective)
    except ValueError:
        raise UsageError(
            f"{effective!r} is no date; nothing was changed.", hint="Write it as 2026-11-24."
        ) from None
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _first_touched(session: Session, catalogue: Catalogue, target: str) -> tuple[str, list[str]]:
    """The target's whole id (or licence expression) and the pictures that it names."""
    named = parse_license(target, catalogue.aliases).expression
    if named is not None:
        return named, conclusions.under(session, [named])
    whole = subjects.resolve(session, target, {"img", "dat", "adp", "run", "bas"})
    kind = subjects.kind_of(whole)
    if kind == "img":
        return whole, [whole]
    if kind == "dat":
        return whole, [member.picture_id for member in datasets.members(session, whole)]
    if kind == "run":
        made = lineage.from_runs(session, [subjects.require(session, Run, whole)]).adapters
        if not made:
            raise UnknownSubject(f"Run {whole[:12]} has no adapter; nothing was changed.")
        return made[0].id, []
    return whole, []


def _with_copies(session: Session, sources: Sequence[str]) -> list[str]:
    """The pictures and every copy of them that the registry knows."""
    copies = similar.same_picture(session, sources)
    return sorted({one for source in sources for one in copies.get(source, [source])})


def _below(session: Session, whole: str, sources: Sequence[str]) -> Descendants:
    if whole.startswith("adp_"):
        return lineage.from_adapters(session, [subjects.require(session, Adapter, whole)])
    if whole.startswith("bas_"):
        return lineage.from_base(session, whole)
    return lineage.descendants(session, sources)


def _spared(below: Descendants, ground: Ground, since: str) -> frozenset[str]:
    """Runs that were lawful when they ran: the opt-out came later."""
    if ground is not Ground.OPT_OUT:
        return frozenset()
    return frozenset(run.id for run in below.runs if since > run.started_at)


def _impact(sources: Sequence[str], below: Descendants, spared: frozenset[str]) -> Impact:
    def after(row: Adapter | Output) -> str:
        kept = row.state == Standing.WITHDRAWN or row.run_id in spared
        return row.state if kept else str(Standing.SUSPENDED)

    return Impact(
        pictures=tuple(Touched(one, str(PictureState.REVOKED)) for one in sources),
        snapshots=tuple(Touched(row.id, str(SnapshotState.NOT_USABLE)) for row in below.snapshots),
        runs=tuple(
            Touched(row.id, str(Standing.GOOD if row.id in spared else Standing.SUSPENDED))
            for row in below.runs
        ),
        adapters=tuple(Touched(row.id, after(row)) for row in below.adapters),
        outputs=tuple(Touched(row.id, after(row)) for row in below.outputs),
    )


def _apply(
    session: Session, sources: Sequence[str], below: Descendants, impact: Impact
) -> list[Table]:
    """Set the new states; returns the rows that changed."""
    changed: list[Table] = []

    def mark(row: Picture | Snapshot | Adapter | Output, state: str) -> None:
        if row.state not in (state, PictureState.ERASED):
            row.state = state
            changed.append(row)

    rows = pictures.by_ids(session, sources)
    for touched in impact.pictures:
        mark(rows[touched.id], touched.state)
    for run, touched in zip(below.runs, impact.runs, strict=True):
        if run.standing != touched.state:
            run.standing = touched.state
            changed.append(run)
    for frozen, touched in zip(below.snapshots, impact.snapshots, strict=True):
        mark(frozen, touched.state)
    for made, touched in zip(below.adapters, impact.adapters, strict=True):
        mark(made, touched.state)
    for drawn, touched in zip(below.outputs, impact.outputs, strict=True):
        mark(drawn, touched.state)
    return changed


def _as_json(impact: Impact) -> dict[str, list[list[str]]]:
    return {
        name: [[touched.id, touched.state] for touched in getattr(impact, name)]
        for name in ("pictures", "snapshots", "runs", "adapters", "outputs")
    }
