"""How do pictures enter the registry? Bytes are hashed, checked and kept; statements are claims.

One guarded decode a picture gives its size, its thumbnail and its fingerprint. Work goes in
batches, each one transaction with its ledger row: a killed command has registered whole
batches, and repeating it registers the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from picdeed.core.errors import UnreadablePicture, UsageError
from picdeed.core.events import Event, Progress, silent
from picdeed.core.ids import looks_like_id
from picdeed.core.limits import DEFAULT, Limits
from picdeed.credentials.mining import read_store
from picdeed.flow.foreign import matching
from picdeed.flow.likeness import row_of
from picdeed.flow.statements import Given, batch_claims, item_claims
from picdeed.imaging import metadata
from picdeed.imaging.decode import decode, pixels_sha256, whole_pixels_sha256
from picdeed.imaging.marks import Marks, marks_of
from picdeed.imaging.sniff import is_picture
from picdeed.imaging.thumbs import thumbnail
from picdeed.registry import claims as claim_rows
from picdeed.registry import datasets, ledger, pictures, tombstones
from picdeed.registry.codes import CodeRow
from picdeed.registry.datasets import Dataset, Member
from picdeed.registry.pictures import Picture, PictureState
from picdeed.registry.session import Registry, Session, utc_now
from picdeed.registry.similar import Fingerprint
from picdeed.registry.tables import Table, fresh
from picdeed.rights.catalogue import Catalogue
from picdeed.rights.claims import Claim
from picdeed.sources.items import Item, Refused, Skipped
from picdeed.sources.open import open_source

BATCH = 128
NAME_CHARS = 200


@dataclass(frozen=True, slots=True)
class Found:
    """One place in the source where a picture was seen."""

    id: str
    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Refusal:
    path: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Ingested:
    """Counts are of files: `known` were in the registry before, or earlier in this source.

    `would_claim` is what a dry run found stated about each picture; empty otherwise.
    """

    dataset: str
    registered: int
    known: int
    skipped: int
    pictures: tuple[Found, ...]
    refused: tuple[Refusal, ...]
    warnings: tuple[str, ...]
    dry_run: bool
    would_claim: Mapping[str, tuple[Claim, ...]] = field(default_factory=dict)


@dataclass(slots=True)
class _Read:
    """One picture on its way in: what one decode gave."""

    found: Found
    data: bytes
    picture: Picture
    thumbnail: bytes
    fingerprint: Fingerprint
    code: CodeRow
    claims: list[Claim]
    caption: str
    place: str


@dataclass(slots=True)
class _Inward:
    """What one call brings in, and what came of it so far."""

    registry: Registry
    dataset: str
    given: Given
    aliases: Mapping[str, str]
    limits: Limits
    feeds: bool  # whether any feed of tombstones is known, that may name pixels
    found: list[Found] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    registered: set[str] = field(default_factory=set)
    would_claim: dict[str, tuple[Claim, ...]] = field(default_factory=dict)
    known: int = 0
    skipped: int = 0


def ingest(
    registry: Registry,
    catalogue: Catalogue,
    source: Path,
    dataset: str,
    *,
    given: Given | None = None,
    table: Path | None = None,
    dry_run: bool = False,
    limits: Limits = DEFAULT,
    progress: Progress = silent,
) -> Ingested:
    """Register every picture of `source` in the dataset called `dataset`.

    Never refuses for rights; broken files are listed in `refused` with a reason and leave
    nothing behind. Raises SourceError when the source or its metadata table cannot be read.
    """
    if not dataset.strip() or len(dataset) > NAME_CHARS or looks_like_id(dataset):
        raise UsageError(f"{dataset!r} is no name for a dataset.", hint="Take a short word.")
    given = given or Given()
    inward = _Inward(registry, dataset, given, catalogue.aliases, limits, _has_feeds(registry))
    shared = batch_claims(given, catalogue.aliases)
    opened = open_source(source, metadata=table, is_picture=is_picture, limits=limits)
    for batch in _batches(opened, inward, shared, progress):
        _write(inward, batch, dry_run=dry_run)
    inward.warnings.extend(opened.warnings)
    return Ingested(
        dataset=dataset,
        registered=len(inward.registered),
        known=inward.known,
        skipped=inward.skipped,
        pictures=tuple(inward.found),
        refused=tuple(inward.refused),
        warnings=tuple(dict.fromkeys(inward.warnings)),
        dry_run=dry_run,
        would_claim=inward.would_claim,
    )


def _batches(
    opened: Iterable[Item | Skipped | Refused],
    inward: _Inward,
    shared: Sequence[Claim],
    progress: Progress,
) -> Iterator[list[_Read]]:
    """Decode in the order of the source; yield whole batches, and note what was not taken."""
    batch: list[_Read] = []
    for item, marks in marks_of(_files(opened, inward, progress), inward.limits):
        try:
            if isinstance(marks, UnreadablePicture):
                raise marks
            batch.append(_read(item, marks, inward, shared))
        except UnreadablePicture as refusal:
            inward.refused.append(Refusal(item.name, refusal.reason, refusal.message))
        if len(batch) >= BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _files(
    opened: Iterable[Item | Skipped | Refused], inward: _Inward, progress: Progress
) -> Iterator[tuple[Item, bytes]]:
    """The would-be pictures with their bytes; a dozen are read before the first is decoded."""
    for done, entry in enumerate(opened, 1):
        progress("ingest", done, 0)
        if isinstance(entry, Skipped):
            inward.skipped += 1
        elif isinstance(entry, Refused):
            inward.refused.append(Refusal(entry.path, entry.reason, entry.message))
        else:
            try:
                yield entry, entry.read()
            except UnreadablePicture as refusal:
                inward.refused.append(Refusal(entry.name, refusal.reason, refusal.message))


def _read(item: Item, marks: Marks, inward: _Inward, shared: Sequence[Claim]) -> _Read:
    data, decoded, digest = marks.data, marks.decoded, marks.sha256
    embedded = metadata.embedded(data, decoded.media_type, inward.limits)
    store = read_store(data, decoded.media_type, inward.limits)
    claims, warnings = item_claims(item, embedded, inward.aliases, inward.limits, store)
    inward.warnings.extend(warnings)
    now = utc_now()
    picture = pictures.picture_id(digest)
    return _Read(
        found=Found(picture, item.name, digest),
        data=data,
        picture=Picture(
            id=picture,
            sha256=digest,
            bytes=len(data),
            media_type=decoded.media_type,
            width=decoded.width,
            height=decoded.height,
            first_seen=now,
        ),
        thumbnail=thumbnail(decoded.image),
        fingerprint=Fingerprint(
            picture_id=picture,
            algorithm=marks.fingerprint.algorithm,
            phash=marks.fingerprint.phash_hex,
            dhash=marks.fingerprint.dhash_hex,
            pixels_sha256=(
                whole_pixels_sha256(data, decoded, inward.limits) if inward.feeds else None
            ),
            created_at=now,
        ),
        code=row_of(picture, marks.code, now),
        claims=[*claims, *shared],
        caption=(item.caption or "")[: inward.limits.caption_chars],
        place=item.relative,
    )


def _write(inward: _Inward, batch: list[_Read], *, dry_run: bool) -> None:
    """One batch, one transaction. Blobs go first: a blob without a row is only litter."""
    registry = inward.registry
    _hear_of_feeds(inward, batch)
    with registry.read() as session:
        before = pictures.by_ids(session, [one.found.id for one in batch])
        for one in batch:
            _warn_of_tombstones(session, one, inward)
    batch = [one for one in batch if not _was_erased(one, before, inward)]
    for one in batch:
        if one.found.id in before or one.found.id in inward.registered:
            inward.known += 1
        else:
            inward.registered.add(one.found.id)
        inward.found.append(one.found)
    if dry_run:
        for one in batch:
            known = inward.would_claim.get(one.found.id, ())
            inward.would_claim[one.found.id] = (*known, *one.claims)
        return
    for one in batch:
        registry.blobs.put(one.data)
        registry.keep_thumbnail(one.found.sha256, one.thumbnail)
    if inward.given.evidence is not None:
        registry.blobs.put_file(inward.given.evidence)
    with registry.write() as session:
        rows = _new_rows(session, inward.dataset, batch)
        if rows:
            counted = Counter(type(row).__tablename__ for row in rows)
            payload = {"dataset": inward.dataset, "rows": dict(counted)}
            ledger.write(session, Event.INGEST_PICTURES, payload, rows)


def _has_feeds(registry: Registry) -> bool:
    with registry.read() as session:
        return bool(tombstones.salts(session))


def _hear_of_feeds(inward: _Inward, batch: list[_Read]) -> None:
    """A feed may have come while this batch was decoded: it names pixels too."""
    if inward.feeds or not _has_feeds(inward.registry):
        return
    inward.feeds = True
    for one in batch:
        one.fingerprint.pixels_sha256 = pixels_sha256(decode(one.data, inward.limits).image)


def _warn_of_tombstones(session: Session, one: _Read, inward: _Inward) -> None:
    """What a feed revoked elsewhere comes in with that as a claim, and so denied."""
    claim = matching(session, one.found.sha256, one.fingerprint.pixels_sha256)
    if claim is not None:
        one.claims.append(claim)
        inward.warnings.append(f"{one.found.path}: revoked in another registry: {claim.note}")


def _was_erased(one: _Read, before: Mapping[str, Picture], inward: _Inward) -> bool:
    """Bytes that somebody had erased do not come back by being found again."""
    known = before.get(one.found.id)
    if known is None or known.state != PictureState.ERASED:
        return False
    said = "these bytes were erased here on request; nothing of them was kept"
    inward.refused.append(Refusal(one.found.path, "erased", said))
    return True


def _new_rows(session: Session, dataset: str, batch: list[_Read]) -> list[Table]:
    """The rows that the registry lacks; what it holds already is left alone."""
    now = utc_now()
    home = datasets.dataset_id(dataset)
    rows: list[Table] = [Dataset(id=home, name=dataset, created_at=now)]
    for one in batch:
        picture = one.found.id
        rows += [one.picture, one.fingerprint, one.code]
        rows.append(pictures.new_occurrence(picture, home, one.place, one.found.path, seen_at=now))
        rows.append(Member(dataset_id=home, picture_id=picture, caption=one.caption, added_at=now))
        rows += [
            claim_rows.new_claim(
                picture, **{**claim.as_json(), "observed_at": claim.observed_at or now}
            )
            for claim in one.claims
        ]
    return fresh(session, rows)
