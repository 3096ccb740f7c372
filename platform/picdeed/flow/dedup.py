"""Which pictures are the same one? Fingerprints find candidates, pixels decide, clusters stand.

Always over the whole registry: a copy refused in one dataset must not return through another.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from picdeed.core.events import Event, Progress, silent
from picdeed.flow.edges import doubts, edges
from picdeed.flow.keeping import rank
from picdeed.flow.likeness import by_parts, coded, row_of
from picdeed.imaging.clusters import cluster
from picdeed.imaging.codes import ALGORITHM, code_of
from picdeed.imaging.decode import decode, pixels_sha256
from picdeed.imaging.fingerprints import ALGORITHM as FINGERPRINT
from picdeed.imaging.fingerprints import fingerprint
from picdeed.imaging.near import near_pairs
from picdeed.imaging.verify import Look, PairKind, compare, look
from picdeed.registry import claims as claim_rows
from picdeed.registry import codes, datasets, ledger, pictures, rollups, similar
from picdeed.registry.claims import PictureClaim
from picdeed.registry.session import Registry, Session, utc_now
from picdeed.registry.similar import SAME, Cluster, ClusterMember, Fingerprint, Likeness
from picdeed.registry.tables import Table, fresh
from picdeed.rights.claims import ClaimKind

BATCH = 256
PARTS = (PairKind.CROP_OF, PairKind.CONTAINS)
WHY = {
    "part-differs": "alike but for a part: one picture edited, or two made from one design",
    "colours-differ": "alike but for the colours",
    "overlap": "each shows a part of the other",
    "shared-part": "they share a part",
    "few-tones": "too plain for the pixels to tell",
}
MARK = "dedup"
# What clusters and their keepers are made from.
DEPENDS = ("pictures", "codes", "fingerprints", "pairs", "pair_decisions", "picture_claims")
# Corners find crops and screenshots; up to this many pictures they are compared with all others.
LOCAL_UP_TO = 2_000


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
    clusters: tuple[Copies, ...]
    review: tuple[Doubt, ...]
    pairs: int


def dedup(
    registry: Registry, dataset: str | None = None, *, progress: Progress = silent
) -> Deduped:
    """Bring fingerprints, pairs and clusters up to date; tell those that touch `dataset`."""
    regroup(registry, progress=progress)
    return _told(registry, dataset)


def regroup(registry: Registry, *, progress: Progress = silent) -> None:
    """Bring the whole registry's clusters up to date, unless nothing was written that matters."""
    with registry.read() as session:
        seq, _ = ledger.last_event(session)
        mark = rollups.watermark(session, MARK)
        done = mark.seq if mark is not None and mark.state == ALGORITHM else None
        pending = done is None or rollups.changed_since(session, done, DEPENDS)
    if pending:
        _fingerprint_missing(registry, progress)
        _compare_candidates(registry, progress)
        _group(registry)
    if done is None or done < seq:
        with registry.write() as session:
            # Only what was there when the reading began: a writer may have come in between.
            rollups.set_watermark(session, MARK, seq, ALGORITHM)


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
            image = decode(_bytes(registry, picture)).image
            rows.append(row_of(picture, code_of(image), now))
            if picture in unmarked:
                marks = fingerprint(image)
                rows.append(
                    Fingerprint(
                        picture_id=picture,
                        algorithm=marks.algorithm,
                        phash=marks.phash_hex,
                        dhash=marks.dhash_hex,
                        pixels_sha256=pixels_sha256(image),
                        created_at=now,
                    )
                )
        with registry.write() as session:
            rows = fresh(session, rows)
            payload = {"rows": len(rows), "algorithm": ALGORITHM}
            ledger.write(session, Event.DEDUP_FINGERPRINTED, payload, rows)


def _bytes(registry: Registry, picture: str) -> bytes:
    return registry.blobs.read(picture.removeprefix("img_"))


def _compare_candidates(registry: Registry, progress: Progress) -> None:
    """Look at the pixels of every candidate pair that nobody looked at before."""
    with registry.read() as session:
        rows = codes.all_codes(session, ALGORITHM)
        done = {(pair.a, pair.b) for pair in similar.pairs(session)}
    names = [row.picture_id for row in rows]
    found = [(names[i], names[j]) for i, j in near_pairs(coded(rows)).pairs.tolist()]
    if len(names) <= LOCAL_UP_TO:
        found += by_parts(registry, names, progress)
    todo = sorted({(min(pair), max(pair)) for pair in found} - done)

    @lru_cache(maxsize=64)  # up to 2.5 MB each
    def seen(picture: str) -> Look:
        return look(decode(_bytes(registry, picture)).image)

    for start in range(0, len(todo), BATCH):
        pairs = []
        for at, (a, b) in enumerate(todo[start : start + BATCH], start + 1):
            progress("compare", at, len(todo))
            verdict = compare(seen(a), seen(b))
            pairs.append(
                similar.new_pair(
                    a,
                    b,
                    kind=str(verdict.kind),
                    distance=round(float(verdict.distance), 6),
                    evidence=verdict.evidence,
                )
            )
        with registry.write() as session:
            ledger.write(session, Event.DEDUP_FINGERPRINTED, {"pairs": len(pairs)}, pairs)


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
    decided = codes.decisions(session)
    alike = edges(similar.pairs(session), decided).alike
    nodes = sorted({one for pair in alike for one in (pair.a, pair.b)})
    ranks = _ranks(session, nodes, {pictures.picture_id(row.keep) for row in decided if row.keep})
    return {
        similar.cluster_id(group.kind, group.members): (
            str(group.kind),
            min(group.members, key=ranks.__getitem__),
            tuple(group.members),
        )
        for group in cluster(nodes, alike, rank=ranks.__getitem__)
    }


def _ranks(
    session: Session, nodes: Sequence[str], kept: Collection[str]
) -> dict[str, tuple[Any, ...]]:
    """Who stands for its copies: whom a person chose, then usable, licensed, large, by id."""
    said = claim_rows.of_many(session, nodes)
    return {
        one: (
            one not in kept,
            picture.state != "good",
            not _licenses(said.get(one, ())),
            *rank(picture),
        )
        for one, picture in pictures.by_ids(session, nodes).items()
    }


def _licenses(claims: Sequence[PictureClaim]) -> set[str]:
    return {c.parsed or c.raw for c in claims if c.kind == ClaimKind.LICENSE}


def _told(registry: Registry, dataset: str | None) -> Deduped:
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
    review = [doubt for group in told for doubt in _torn(group, said)]
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
