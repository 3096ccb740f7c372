"""Which pictures, exactly? A dataset's usable keepers are frozen under one Merkle root.

Leaves are sorted and hashed as in RFC 6962, so equal members are one snapshot, however and
however often they were asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from picdeed.core.events import Event
from picdeed.core.ids import sha256
from picdeed.diffusion.weights import Effective, effective, weights
from picdeed.flow.keeping import rank
from picdeed.flow.kin import kin
from picdeed.flow.standing import facts_on, group_of
from picdeed.registry import claims as claim_rows
from picdeed.registry import conclusions, datasets, ledger, pictures, similar, snapshots
from picdeed.registry.conclusions import Conclusion
from picdeed.registry.datasets import Member
from picdeed.registry.pictures import Picture, PictureState
from picdeed.registry.session import Registry, Session, utc_now
from picdeed.registry.snapshots import Snapshot, SnapshotMember, SnapshotRequest
from picdeed.registry.tables import Table, fresh
from picdeed.rights.catalogue import Catalogue
from picdeed.rights.claims import ClaimKind
from picdeed.rights.decide import Question, judge_pictures
from picdeed.rights.expression import parse_license
from picdeed.rights.verdict import Use, Verdict

REASONS = ("revoked", "filter", "opt-out", "license", "duplicate")


@dataclass(frozen=True, slots=True)
class Query:
    """What was asked for; part of the event, not of the snapshot's identity."""

    uses: tuple[Use, ...] = (Use.TRAIN,)
    profile: str = "conservative"
    commercial: bool = True
    license: str | None = None
    holder: str | None = None
    all: bool = False


@dataclass(frozen=True, slots=True)
class Snapshotted:
    """`left_out` counts each picture once, under the first cause in REASONS that holds.

    `effective` says how many different pictures the members are worth, as is known today.
    """

    snapshot: str | None
    members: int
    root: str | None
    left_out: Mapping[str, int]
    why: Mapping[str, str]
    effective: Effective | None


@dataclass(frozen=True, slots=True)
class _Candidate:
    member: Member
    picture: Picture
    conclusion: Conclusion
    holders: frozenset[str]
    usable: bool


def snapshot(
    registry: Registry, catalogue: Catalogue, dataset: str, query: Query | None = None
) -> Snapshotted:
    """Freeze what the query selects from the dataset called `dataset`.

    Conclusions and clusters must be up to date: pipeline.freeze sees to it. When nobody is
    left, nothing is made and `snapshot` is None.
    """
    query = query or Query()
    with registry.write() as session:
        home = datasets.by_name(session, dataset)
        why: dict[str, str] = {}
        chosen = []
        for one in _candidates(session, home.id, catalogue, query):
            cause = _cause(one, catalogue, query)
            if cause is None:
                chosen.append(one)
            else:
                why[one.picture.id] = cause
        chosen = _keepers(session, chosen, why)
        counted = Counter(why.values())
        left_out = {reason: counted[reason] for reason in REASONS if counted[reason]}
        if not chosen:
            return Snapshotted(None, 0, None, left_out, why, None)
        root = snapshots.root_of([_leaf(one) for one in chosen])
        identity = snapshots.snapshot_id(root)
        rows = _rows(identity, root, chosen)
        rows += [_request(identity, home.id, query, left_out)]
        rows = fresh(session, rows)
        if rows:
            first = any(isinstance(row, Snapshot) for row in rows)
            event = Event.SNAPSHOT_FROZEN if first else Event.SNAPSHOT_REQUESTED
            payload = {"snapshot": identity, "root": root, "members": len(chosen)}
            ledger.write(session, event, payload, rows)
        worth = _worth(session, [one.picture.id for one in chosen])
        return Snapshotted(identity, len(chosen), root, left_out, why, worth)


def _candidates(
    session: Session, home: str, catalogue: Catalogue, query: Query
) -> list[_Candidate]:
    members = datasets.members(session, home)
    ids = [member.picture_id for member in members]
    rows = pictures.by_ids(session, ids)
    standing = conclusions.conclusions(session, ids)
    said = claim_rows.in_force(session, ids) if query.holder else {}
    question = Question(
        query.uses,
        query.profile,
        query.commercial,
        facts_on(session, utc_now()),
    )
    # Judged once per distinct answer: a million pictures share a few hundred of them.
    usable = {
        one.id: judge_pictures(group_of(one), question, catalogue) is not Verdict.DENY
        for one in {row.standing_id: row.standing for row in standing.values()}.values()
    }
    return [
        _Candidate(
            member,
            rows[member.picture_id],
            standing[member.picture_id],
            frozenset(
                claim.raw
                for claim in said.get(member.picture_id, ())
                if claim.kind in (ClaimKind.HOLDER, ClaimKind.AUTHOR)
            ),
            usable[standing[member.picture_id].standing_id],
        )
        for member in members
    ]


def _cause(one: _Candidate, catalogue: Catalogue, query: Query) -> str | None:
    """Why a picture stays out, copies aside; None when it may come in."""
    if one.picture.state != PictureState.GOOD:
        return "revoked"
    if query.license is not None:
        wanted = parse_license(query.license, catalogue.aliases).expression
        if one.conclusion.license != (wanted or query.license):
            return "filter"
    if query.holder is not None and query.holder not in one.holders:
        return "filter"
    if one.usable or query.all:
        return None
    return "opt-out" if one.conclusion.opt_out else "license"


def _keepers(
    session: Session, candidates: Sequence[_Candidate], why: dict[str, str]
) -> list[_Candidate]:
    """Of each cluster only one member that this dataset holds and may use: its keeper, else the
    best-ranked."""
    copies = similar.same_picture(session, [one.picture.id for one in candidates])
    heads = set(similar.keepers(session, list(copies)).values())

    def worth(one: _Candidate) -> tuple[bool, bool, tuple[int, bool, int, str]]:
        return (not one.usable, one.picture.id not in heads, rank(one.picture))

    best: dict[str, _Candidate] = {}
    for one in sorted(candidates, key=worth):
        group = copies.get(one.picture.id, [one.picture.id])
        if best.setdefault(min(group), one) is not one:
            why[one.picture.id] = "duplicate"
    return sorted(best.values(), key=lambda one: one.picture.id)


def _worth(session: Session, members: Sequence[str]) -> Effective:
    """Copies weigh as one picture, as they do in a fine-tune unless its recipe says otherwise."""
    known = kin(session, members)
    return effective(weights(members, known.copies), known.groups)


def _leaf(one: _Candidate) -> bytes:
    return snapshots.leaf(one.picture.sha256, one.member.caption, one.conclusion.license)


def _rows(identity: str, root: str, chosen: Sequence[_Candidate]) -> list[Table]:
    members = [
        SnapshotMember(
            snapshot_id=identity,
            picture_id=one.picture.id,
            caption=one.member.caption,
            caption_sha256=sha256((one.member.caption or "").encode()),
            license=one.conclusion.license,
            leaf_sha256=sha256(_leaf(one)),
        )
        for one in chosen
    ]
    head = Snapshot(id=identity, root=root, members=len(chosen), created_at=utc_now())
    return [head, *members]


def _request(
    identity: str, home: str, query: Query, left_out: Mapping[str, int]
) -> SnapshotRequest:
    asked = {**asdict(query), "uses": [str(use) for use in query.uses]}
    return SnapshotRequest(
        id=snapshots.request_id(identity, home, asked, dict(left_out)),
        snapshot_id=identity,
        dataset_id=home,
        query=asked,
        left_out=dict(left_out),
        requested_at=utc_now(),
    )
