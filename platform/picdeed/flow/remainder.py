"""Which pictures are left of a snapshot? Frozen anew, with captions as they were frozen there.

Shared by what trains without something that was revoked. The licences are those of today, and
whether anything may be done with what is left is the gate's to say.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from picdeed.core.events import Event
from picdeed.core.ids import sha256
from picdeed.registry import conclusions, ledger, snapshots, subjects
from picdeed.registry.session import Registry, Session, utc_now
from picdeed.registry.snapshots import Snapshot, SnapshotMember, SnapshotRequest
from picdeed.registry.tables import Table, fresh


def remainder(
    registry: Registry, snapshot: str, left_out: Collection[str], because: Collection[str]
) -> str:
    """The snapshot (id) of a snapshot's members but for those in `left_out`; made when new.

    `because` are the revocations (ids). Conclusions must be up to date. Raises ValueError when
    nobody is left.
    """
    with registry.write() as session:
        old = subjects.require(session, Snapshot, snapshot)
        kept = [one for one in snapshots.members(session, old.id) if one.picture_id not in left_out]
        if not kept:
            raise ValueError(f"nobody is left of {old.id}")
        members = _members(session, kept)
        root = snapshots.root_of([snapshots.leaf_of(one) for one in members])
        identity = snapshots.snapshot_id(root)
        for one in members:
            one.snapshot_id = identity
        head = Snapshot(id=identity, root=root, members=len(members), created_at=utc_now())
        asked = {"without": sorted(because), "of": old.id}
        requests = [
            _request(identity, home, asked, {"revoked": old.members - len(members)})
            for home in sorted({one.dataset_id for one in snapshots.requests(session, old.id)})
        ]
        wanted: list[Table] = [head, *members, *requests]
        rows = fresh(session, wanted)
        if rows:
            first = any(isinstance(row, Snapshot) for row in rows)
            event = Event.SNAPSHOT_FROZEN if first else Event.SNAPSHOT_REQUESTED
            payload = {"snapshot": identity, "root": root, "members": len(members)}
            ledger.write(session, event, payload, rows)
        return identity


def _members(session: Session, kept: Collection[SnapshotMember]) -> list[SnapshotMember]:
    concluded = conclusions.conclusions(session, [one.picture_id for one in kept])
    found = []
    for one in kept:
        answer = concluded.get(one.picture_id)
        row = SnapshotMember(
            snapshot_id="",
            picture_id=one.picture_id,
            caption=one.caption,
            caption_sha256=one.caption_sha256,
            license=one.license if answer is None else answer.license,
            leaf_sha256="",
        )
        row.leaf_sha256 = sha256(snapshots.leaf_of(row))
        found.append(row)
    return found


def _request(
    identity: str, home: str, asked: Mapping[str, object], left_out: Mapping[str, int]
) -> Table:
    return SnapshotRequest(
        id=snapshots.request_id(identity, home, asked, left_out),
        snapshot_id=identity,
        dataset_id=home,
        query=asked,
        left_out=left_out,
        requested_at=utc_now(),
    )
