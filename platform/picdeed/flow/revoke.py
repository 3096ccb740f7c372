"""What falls with a picture? The graph walked down: copies, snapshots, runs, adapters, outputs.

States change, nothing is deleted but caches. Suspended is what a machine may decide; `withdrawn`
is set by a person.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from picdeed.core.errors import UsageError
from picdeed.core.events import Event
from picdeed.core.ids import sha256
from picdeed.core.moments import moment
from picdeed.diffusion.latents import forget
from picdeed.diffusion.runfolder import ask_to_stop
from picdeed.flow.aims import Aim, aim_of
from picdeed.flow.grounds import TOLD, Ground
from picdeed.flow.impact import Effect, Impact, counted, effects, impact_of, put
from picdeed.flow.pixels import hash_pixels, without_pixels
from picdeed.registry import descent_edges, ledger, revocations, subjects, tombstones
from picdeed.registry.grants import Grant
from picdeed.registry.heads import LedgerKey, load_key
from picdeed.registry.outputs import Output
from picdeed.registry.pictures import PictureState
from picdeed.registry.reports import keep_report, report_file, sign_report
from picdeed.registry.revocations import Revocation, RevocationEffect
from picdeed.registry.runs import Run
from picdeed.registry.session import Registry, Session, utc_now
from picdeed.registry.tables import Table
from picdeed.rights.catalogue import Catalogue

__all__ = ["Ground", "Impact", "Revoked", "revoke"]

_DAY = len("2026-11-25")
_GONE = (PictureState.REVOKED, PictureState.ERASED)


@dataclass(frozen=True, slots=True)
class Revoked:
    """`report` is the signed impact report (None when simulated); `note` what it does not do."""

    revocation: str
    target: str
    ground: str
    effective: str
    applied: bool
    impact: Impact
    report: Path | None
    note: str


@dataclass(frozen=True, slots=True)
class _Declared:
    """One revocation about to be written, or that was written before (`known`)."""

    id: str
    aim: Aim
    ground: Ground
    effective: str
    found: list[Effect]
    known: bool
    told_before: frozenset[str]


def revoke(
    registry: Registry,
    catalogue: Catalogue,
    target: str,
    ground: Ground,
    *,
    effective: str | None = None,
    simulate: bool = False,
) -> Revoked:
    """Revoke a picture, dataset, contract, licence, adapter, run or base, and all that descends.

    What happens to what: flow/impact.py. The states, the effects, the report's hash and their
    event are one transaction; runs that go on are then asked to stop, and latents of revoked
    pictures removed. The same again is the same revocation, and a new one only where it reaches
    something new. `simulate` marks nothing. Raises UsageError on a day that has not come.
    """
    now = utc_now()
    since = moment(effective) if effective is not None else None
    if since is not None and since > now:
        raise UsageError(
            f"{effective} has not come yet; nothing was changed.",
            hint="Revoke on that day; picdeed watch lists what ends until then.",
        )
    passed: set[str] = set()
    while True:
        with registry.write() as session:
            descent_edges.catch_up(session)
            declared = _declare(session, catalogue, target, Ground(ground), since, now)
            unhashed = set[str]()
            if not simulate and not declared.known:
                unhashed = set(without_pixels(session, _told(declared))) - passed
                if not unhashed:
                    _record(registry, session, declared, now)
        if not unhashed:
            break
        # Others know a picture by its pixels too, and no transaction waits for a decode.
        hash_pixels(registry, unhashed)
        passed |= unhashed
    if not simulate:
        _afterwards(registry, declared)
    report = report_file(registry, declared.id)
    return Revoked(
        declared.id,
        declared.aim.target,
        str(declared.ground),
        declared.effective,
        not simulate,
        impact_of(declared.found),
        report if not simulate and report.is_file() else None,
        declared.aim.note,
    )


def _declare(  # noqa: PLR0917 - all of them make the declaration
    session: Session,
    catalogue: Catalogue,
    target: str,
    ground: Ground,
    since: str | None,
    now: str,
) -> _Declared:
    aim = aim_of(session, catalogue, target, ground)
    earlier = revocations.of_target(session, aim.target, ground)
    if since is None:
        # Said again without a day it is the same declaration, and the strictest of them.
        since = min((row.effective for row in earlier), default=now)
    same = [row for row in earlier if row.effective[:_DAY] == since[:_DAY]]
    if same:
        since = same[0].effective
    found = effects(session, aim, ground, since)
    before = revocations.effects(session, [row.id for row in same])
    new = [one for one in found if one.id not in before or one.before != one.after]
    known = bool(same) and not new
    identity = (
        same[-1].id
        if known
        else revocations.revocation_id(aim.target, ground, since[:_DAY], len(same))
    )
    told = frozenset(one for one, effect in before.items() if effect.after in _GONE)
    return _Declared(identity, aim, ground, since, found, known, told)


def _record(registry: Registry, session: Session, said: _Declared, now: str) -> None:
    key = load_key(registry.ledger_key)
    report = sign_report(key, _report(session, said, now))
    digest = sha256(report)
    rows: list[Table] = [
        Revocation(
            id=said.id,
            target=said.aim.target,
            ground=str(said.ground),
            effective=said.effective,
            declared_at=now,
            impact={"counts": counted(said.found), "sha256": digest, "note": said.aim.note},
        )
    ]
    for one in said.found:
        rows.append(
            RevocationEffect(
                revocation_id=said.id, subject_id=one.id, before=one.before, after=one.after
            )
        )
        if one.row is not None and one.before != one.after:
            put(one.row, one.after)
            rows.append(one.row)
    rows += _ended_contract(session, said, now)
    rows += _entries(session, key, said, now)
    payload = {
        "revocation": said.id,
        "target": said.aim.target,
        "ground": str(said.ground),
        "report": digest,
    }
    keep_report(registry, said.id, report)
    ledger.write(session, Event.REVOKE_APPLIED, payload, rows)


def _report(session: Session, said: _Declared, now: str) -> dict[str, object]:
    """What the signed file says; `ledger` is the newest event before the revocation's own."""
    sequence, digest = ledger.last_event(session)
    return {
        "revocation": said.id,
        "target": said.aim.target,
        "ground": str(said.ground),
        "effective": said.effective,
        "declared_at": now,
        "note": said.aim.note,
        "counts": counted(said.found),
        "nodes": [one.as_json() for one in said.found],
        "manifests": [
            {"output": one.id, "manifest": one.row.manifest_label, "sha256": one.row.sha256}
            for one in said.found
            if isinstance(one.row, Output) and one.row.manifest_label is not None
        ],
        "ledger": {"sequence": sequence, "hash": digest},
    }


def _ended_contract(session: Session, said: _Declared, now: str) -> list[Table]:
    """A revoked contract opens nothing any more, whatever its term says."""
    if subjects.kind_of(said.aim.target) != "grt":
        return []
    row = subjects.require(session, Grant, said.aim.target)
    over = row.end(now)
    if over is not None and over <= now:
        return []
    row.ended_on, row.ended_at = max(said.effective, row.starts), now
    row.ended_because = f"{said.ground}: {said.id}"
    return [row]


def _told(said: _Declared) -> list[str]:
    """The pictures that fell, where the ground is one that others may know of."""
    if said.ground not in TOLD:
        return []
    return [
        one.id
        for one in said.found
        if one.kind == "img" and one.after in _GONE and one.id not in said.told_before
    ]


def _entries(session: Session, key: LedgerKey, said: _Declared, now: str) -> list[Table]:
    """The tombstones that other registries may read: one for each picture that fell."""
    fallen = _told(said)
    if not fallen:
        return []
    rows: list[Table] = []
    last = tombstones.last(session, key.public)
    if last is None:
        last = tombstones.header_row(tombstones.own_header(session, key), at=now)
        rows.append(last)
    pixels = tombstones.pixels_of(session, fallen)
    for picture in fallen:
        entry = tombstones.next_entry(
            last,
            said.id,
            said.ground,
            said.effective,
            picture.removeprefix("img_"),
            pixels.get(picture),
        )
        last = tombstones.entry_row(key.public, last.salt, entry, at=now)
        rows.append(last)
    return rows


def _afterwards(registry: Registry, said: _Declared) -> None:
    """What no transaction covers, done again each time: a kill may have come before it."""
    for one in said.found:
        if one.stops and isinstance(one.row, Run):
            folder = registry.root / one.row.folder
            if folder.is_dir():
                why = f"Something that it learns from was revoked ({said.ground})."
                ask_to_stop(folder, why, said.id)
        elif one.kind == "img" and one.after in _GONE:
            forget(registry.cache / "latents", one.id)
