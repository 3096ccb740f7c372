"""Which pictures are the same one? Fingerprints find candidates, pixels decide, clusters stand.

Always over the whole registry: a copy refused in one dataset must not return through another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from picdeed.core.events import Event, Progress, silent
from picdeed.flow.calibrated import Calibrated, calibrated
from picdeed.flow.edges import doubts, edges, verdicts
from picdeed.flow.embedding import Embedded
from picdeed.flow.keeping import rank
from picdeed.flow.likeness import row_of
from picdeed.flow.pairs import compare_new, compare_with_heads, groups_of
from picdeed.flow.standing import claims_of
from picdeed.imaging.clusters import cluster
from picdeed.imaging.codes import ALGORITHM, code_of
from picdeed.imaging.decode import decode_small, flat_of
from picdeed.imaging.fingerprints import ALGORITHM as FINGERPRINT
from picdeed.imaging.fingerprints import fingerprint
from picdeed.imaging.local import ALGORITHM as CORNERS
from picdeed.registry import claims as claim_rows
from picdeed.registry import codes, datasets, ledger, pictures, rollups, similar
from picdeed.registry.claims import PictureClaim
from picdeed.registry.codes import PairDecision, PairVerdict
from picdeed.registry.session import Registry, Session, utc_now
from picdeed.registry.similar import PARTS, SAME, Cluster, ClusterMember, Fingerprint, Likeness
from picdeed.registry.tables import Table, fresh
from picdeed.rights.claims import ClaimKind
from picdeed.rights.conflicts import strangers_named

BATCH = 256
WHY = {
    "part-differs": "alike but for a part: one picture edited, or two made from one design",
    "colours-differ": "alike but for the colours",
    "overlap": "each shows a part of the other",
    "shared-part": "they share a part",
    "few-tones": "too plain for the pixels to tell",
    "moved": "one scene at two moments or from two places, as in a burst",
}
# What may be wrong about copies of one picture, the gravest first.
GRAVEST = ("opt-out", "licenses-differ", "authors-differ", "holders-differ")
_PROVENANCE = (ClaimKind.AUTHOR, ClaimKind.HOLDER, ClaimKind.SOURCE_URL)
MARK = "dedup"
STATE = f"{ALGORITHM} {CORNERS}"
# What clusters and their keepers are made from.
DEPENDS = ("pictures", "codes", "fingerprints", "pairs", "pair_decisions", "picture_claims")


@dataclass(frozen=True, slots=True)
class Copies:
    """One cluster: a picture and its copies (or, kind `variant`, its recolourings)."""

    id: str
    keeper: str
    members: tuple[str, ...]
    kind: str
    licenses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Doubt:
    """Pictures that a person should look at."""

    pictures: tuple[str, ...]
    kind: str
    why: str


@dataclass(frozen=True, slots=True)
class Deduped:
    """`thresholds` tell, of each dataset, whom codes alone would join by mistake; measured by
    `dedup`, and empty where only what stands was read. `embedding` is None where none was asked."""

    clusters: tuple[Copies, ...]
    review: tuple[Doubt, ...]
    pairs: int
    thresholds: tuple[Calibrated, ...] = ()
    embedding: Embedded | None = None


def dedup(
    registry: Registry, dataset: str | None = None, *, progress: Progress = silent
) -> Deduped:
    """Bring fingerprints, pairs and clusters up to date; tell those that touch `dataset`."""
    regroup(registry, progress=progress)
    found = list_copies(registry, dataset)
    measured = calibrated(registry)
    return replace(
        found, thresholds=tuple(one for one in measured if dataset in (None, one.dataset))
    )


def regroup(registry: Registry, *, progress: Progress = silent) -> None:
    """Bring the whole registry's clusters up to date, unless nothing was written that matters."""
    with registry.read() as session:
        seq, _ = ledger.last_event(session)
        mark = rollups.watermark(session, MARK)
        done = mark.seq if mark is not None and mark.state == STATE else None
        pending = done is None or rollups.changed_since(session, done, DEPENDS)
    if pending:
        _fingerprint_missing(registry, progress)
        with registry.read() as session:
            new = None if done is None else _new_since(session, done)
        if new is None or new:
            compare_new(registry, new, progress=progress)
        with registry.read() as session:
            nodes = sorted({one for pair in similar.kinds(session) for one in pair})
            ranks = _ranks(session, nodes)
        compare_with_heads(registry, ranks, progress=progress)
        _group(registry)
    if done is None or done < seq:
        with registry.write() as session:
            # Only what was there when the reading began: a writer may have come in between.
            rollups.set_watermark(session, MARK, seq, STATE)


def _new_since(session: Session, seq: int) -> set[str]:
    """Pictures whose codes were written behind an event: they were never searched for."""
    return {
        str(key[0]) for _, key, gone in rollups.rows_since(session, seq, ("codes",)) if not gone
    }


def _fingerprint_missing(registry: Registry, progress: Progress) -> None:
    """Pictures come with fingerprint and code from ingest; those of an older algorithm lack one."""
    with registry.read() as session:
        unmarked = set(similar.without_fingerprint(session, FINGERPRINT))
        missing = sorted(unmarked | set(codes.without_code(session, ALGORITHM)))
    for start in range(0, len(missing), BATCH):
        progress("fingerprint", start, len(missing))
        now = utc_now()
        rows: list[Table] = []
        for picture in missing[start : start + BATCH]:
            flat = flat_of(decode_small(registry.blobs.read(picture.removeprefix("img_"))))
            rows.append(row_of(picture, code_of(flat), now))
            if picture in unmarked:
                marks = fingerprint(flat)
                rows.append(
                    Fingerprint(
                        picture_id=picture,
                        algorithm=marks.algorithm,
                        phash=marks.phash_hex,
                        dhash=marks.dhash_hex,
                        created_at=now,
                    )
                )
        with registry.write() as session:
            rows = fresh(session, rows)
            payload = {"rows": len(rows), "algorithm": ALGORITHM}
            ledger.write(session, Event.DEDUP_FINGERPRINTED, payload, rows)


def _group(registry: Registry) -> None:
    """Rebuild the clusters from the pairs; write only what differs from what stands."""
    with registry.write() as session:
        wanted = _wanted(session)
        standing = {row.id: (row, members) for row, members in similar.clusters(session)}
        stale = sorted(standing.keys() - wanted.keys())
        inside = similar.cluster_members(session, stale)
        gone: list[Table] = [row for one in stale for row in inside[one]]
        gone += [standing[one][0] for one in stale]
        rows: list[Table] = []
        for identity, (kind, keeper, members) in wanted.items():
            if identity not in standing:
                rows.append(Cluster(id=identity, kind=kind, keeper=keeper))
                rows += [ClusterMember(cluster_id=identity, picture_id=one) for one in members]
            elif standing[identity][0].keeper != keeper:
                standing[identity][0].keeper = keeper
                rows.append(standing[identity][0])
        if rows or gone:
            payload = {"clusters": len(wanted), "gone": len(stale)}
            ledger.write(session, Event.DEDUP_CLUSTERED, payload, rows, gone)


def _wanted(session: Session) -> Mapping[str, tuple[str, str, tuple[str, ...]]]:
    """Every cluster that pairs and people's decisions give: id -> (kind, keeper, members)."""
    alike = edges(similar.pairs(session), codes.decisions(session)).alike
    nodes = sorted({one for pair in alike for one in (pair.a, pair.b)})
    ranks = _ranks(session, nodes)
    return {
        similar.cluster_id(group.kind, group.members): (
            str(group.kind),
            min(group.members, key=ranks.__getitem__),
            tuple(group.members),
        )
        for group in cluster(nodes, alike, rank=ranks.__getitem__)
    }


def _ranks(session: Session, nodes: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    """Who stands for its copies: whom a person chose, then usable, licensed, of a named source,
    large, by id. Not age: copies that come in another order have the same keeper."""
    decided = [pictures.picture_id(row.keep) for row in codes.decisions(session) if row.keep]
    kept = {picture: -at for at, picture in enumerate(decided, 1)}  # the last word counts
    said = claim_rows.of_many(session, nodes)
    return {
        one: (
            kept.get(one, 0),
            picture.state != "good",
            not _licenses(said.get(one, ())),
            not any(claim.kind in _PROVENANCE for claim in said.get(one, ())),
            *rank(picture),
        )
        for one, picture in pictures.by_ids(session, nodes).items()
    }


def _licenses(claims: Sequence[PictureClaim]) -> set[str]:
    return {c.parsed or c.raw for c in claims if c.kind == ClaimKind.LICENSE}


def list_copies(registry: Registry, dataset: str | None = None) -> Deduped:
    """Clusters and open questions as they stand, without looking for new ones."""
    with registry.read() as session:
        home = datasets.by_name(session, dataset).id if dataset is not None else None
        found = similar.clusters(session, home)
        held = None
        if home is not None:
            held = {member.picture_id for member in datasets.members(session, home)}
        said = claim_rows.in_force(session, {one for _, members in found for one in members})
        pairs = similar.pairs(session)
        decided = codes.decisions(session)
    told = tuple(
        Copies(
            row.id,
            row.keeper,
            tuple(members),
            row.kind,
            tuple(sorted({lic for m in members for lic in _licenses(said.get(m, ()))})),
        )
        for row, members in found
    )
    inside = {one for group in told for one in group.members}
    counted = sum(
        1
        for pair in pairs
        if pair.kind in (*SAME, *PARTS, Likeness.VARIANT) and {pair.a, pair.b} <= inside
    )
    # By consequence: what moves verdicts first.
    merged = _merged(decided)
    torn = [doubt for group in told if not _answered(group, merged) for doubt in _torn(group, said)]
    review = sorted(torn, key=lambda doubt: GRAVEST.index(doubt.kind))
    review += [
        Doubt(group, "contains-several", "one shows parts of others that are strangers")
        for group in edges(pairs, decided).several
        if held is None or held & set(group)
    ]
    clustered = {m: group.id for group in told if group.kind in SAME for m in group.members}
    review += [
        Doubt(group, reason, WHY.get(reason, reason))
        for reason, group in doubts(pairs, decided, clustered)
        if held is None or held & set(group)
    ]
    return Deduped(told, tuple(review), counted)


def _merged(decided: Sequence[PairDecision]) -> list[set[str]]:
    """Who is one picture by people's words alone."""
    said = [pair for pair, verdict in verdicts(decided).items() if verdict is PairVerdict.MERGE]
    return [set(group) for group in groups_of(said)]


def _answered(group: Copies, merged: Sequence[set[str]]) -> bool:
    """Whether somebody said that all of these are one picture: that is not asked again."""
    return any(set(group.members) <= one for one in merged)


def _torn(group: Copies, said: Mapping[str, Sequence[PictureClaim]]) -> Iterator[Doubt]:
    """One picture, and its copies are claimed differently: the gravest kind of doubt."""
    if group.kind not in SAME:
        return
    kinds = {c.kind for m in group.members for c in said.get(m, ())}
    if ClaimKind.OPT_OUT in kinds:
        yield Doubt(group.members, "opt-out", "an opt-out on one copy binds them all")
    if len(group.licenses) > 1:
        why = f"one picture under {', '.join(group.licenses)}"
        yield Doubt(group.members, "licenses-differ", why)
    for kind in (ClaimKind.AUTHOR, ClaimKind.HOLDER):
        torn = strangers_named([claims_of(said.get(m, ())) for m in group.members], kind)
        if torn:
            yield Doubt(group.members, f"{kind}s-differ", f"one picture by {' and by '.join(torn)}")
