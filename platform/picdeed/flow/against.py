"""Which of our pictures are copies of something on a list: files, a dataset, revoked works?

Nothing of the list is registered by asking: a file is read, compared and forgotten. What two
pictures of ours are to each other is recorded as ever.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from picdeed.core.errors import UnknownSubject, UnreadablePicture, UsageError
from picdeed.core.events import Progress, silent
from picdeed.core.limits import DEFAULT, Limits
from picdeed.flow.edges import verdicts
from picdeed.flow.feedmatches import against_feed, against_tombstones
from picdeed.flow.feeds import is_feed
from picdeed.flow.likeness import row_of
from picdeed.flow.listed import (
    BothWays,
    Candidate,
    Listing,
    Side,
    candidates,
    compared,
    corners_by,
    kind_from,
)
from picdeed.flow.matched import (
    Against,
    Compared,
    Listed,
    Matched,
    Unchecked,
    gravest_first,
    turn_of,
)
from picdeed.imaging.codes import ALGORITHM, code_of
from picdeed.imaging.decode import decode
from picdeed.imaging.local import Local, descriptors
from picdeed.imaging.sniff import is_picture
from picdeed.imaging.verify import Look, PairKind, compare, look, look_at
from picdeed.registry import codes, datasets, protected, subjects
from picdeed.registry.codes import CodeRow, PairVerdict
from picdeed.registry.session import Registry, Session
from picdeed.sources.items import Item, Refused
from picdeed.sources.open import open_source

TOMBSTONES = "tombstones"
_DECIDED = {PairVerdict.MERGE: PairKind.NEAR, PairVerdict.VARIANT: PairKind.VARIANT}


def against(
    registry: Registry,
    source: str,
    dataset: str | None = None,
    *,
    limits: Limits = DEFAULT,
    progress: Progress = silent,
) -> Against:
    """Hold the pictures of `dataset` (or all) against a list.

    `source` is a picture file, a folder or archive of them, a tombstone feed, the name or id of a
    dataset, or the word `tombstones`: what was revoked here, and in every feed that was read.
    Codes must be up to date: pipeline.dedup_against sees to it. Raises UsageError when there is
    no such list, when the word has two meanings, and when the list holds nothing.
    """
    path = Path(source)
    with registry.read() as session:
        home = _dataset_named(session, source)
        _refuse_two_meanings(source, path, home)
        rows = _ours(session, dataset)
        members = set[str]()
        if home is not None:
            members = {one.picture_id for one in datasets.members(session, home)}
    if home is not None:
        return _against_dataset(registry, source, members, rows, dataset, progress)
    if source == TOMBSTONES and not path.exists():
        return against_tombstones(registry, rows, progress)
    if not path.exists():
        raise UsageError(
            f"{source} is no file or folder, no dataset of this registry, and not the word "
            f"{TOMBSTONES}; nothing was compared.",
            hint="picdeed datasets lists the datasets that exist.",
        )
    if path.is_file() and is_feed(path):
        return against_feed(registry, path, rows, progress)
    return _against_files(registry, path, rows, limits, progress)


def _dataset_named(session: Session, text: str) -> str | None:
    try:
        return subjects.resolve(session, text, {"dat"})
    except UnknownSubject:
        return None


def _refuse_two_meanings(source: str, path: Path, home: str | None) -> None:
    meanings = [
        word
        for word, holds in (
            (f"a file or folder: ./{source}", path.exists()),
            (f"a dataset: {(home or '')[:16]}", home is not None and not source.startswith("dat_")),
            ("what was revoked here and elsewhere", source == TOMBSTONES),
        )
        if holds
    ]
    if len(meanings) > 1:
        raise UsageError(
            f"{source!r} has {len(meanings)} meanings; nothing was compared.",
            hint=f"It may be {', or '.join(meanings)}.",
        )


def _ours(session: Session, dataset: str | None) -> list[CodeRow]:
    if dataset is None:
        return codes.all_codes(session, ALGORITHM)
    home = datasets.by_name(session, dataset)
    members = [one.picture_id for one in datasets.members(session, home.id)]
    return codes.of_pictures(session, members, ALGORITHM)


def _against_files(
    registry: Registry, path: Path, rows: Sequence[CodeRow], limits: Limits, progress: Progress
) -> Against:
    unchecked: list[Unchecked] = []
    listed: list[CodeRow] = []
    corners: list[Local] = []
    for item in _items(path, limits, unchecked):
        try:
            image = decode(item.read(), limits).image
        except UnreadablePicture as refusal:
            unchecked.append(Unchecked(item.name, refusal.reason, refusal.message))
            continue
        listed.append(row_of(item.name, code_of(image), ""))
        corners.append(descriptors(image))
        progress("list", len(listed), 0)
    if not listed and not unchecked:
        what = "holds no picture" if path.is_dir() else "is neither a picture nor a tombstone feed"
        raise UsageError(
            f"{path} {what}; nothing was compared.",
            hint="--against takes pictures, a folder of them, a feed, a dataset or 'tombstones'.",
        )
    ours = _with_corners(registry, rows, progress) if listed else []
    asked: dict[str, list[tuple[str, Candidate]]] = {}
    for one in candidates(Side(rows, ours), Listing(listed, corners)):
        name = listed[one.listed].picture_id
        asked.setdefault(name, []).append((rows[one.at].picture_id, one))
    matches = _looked_at(registry, _items(path, limits), asked, limits, progress)
    return Against(
        str(path.absolute()),
        "files",
        Compared(len(rows), len(listed)),
        gravest_first(matches),
        tuple(unchecked),
    )


def _items(path: Path, limits: Limits, unchecked: list[Unchecked] | None = None) -> Iterator[Item]:
    for entry in open_source(path, is_picture=is_picture, limits=limits):
        if isinstance(entry, Item):
            yield entry
        elif isinstance(entry, Refused) and unchecked is not None:
            unchecked.append(Unchecked(entry.path, entry.reason, entry.message))


def _with_corners(
    registry: Registry, rows: Sequence[CodeRow], progress: Progress
) -> list[BothWays]:
    return corners_by(registry, [row.picture_id for row in rows], progress)


def _looked_at(
    registry: Registry,
    items: Iterator[Item],
    asked: dict[str, list[tuple[str, Candidate]]],
    limits: Limits,
    progress: Progress,
) -> Iterator[Matched]:
    """The list is gone through a second time for the pixels, so that none of it is kept.

    `asked` are candidates by the name of the listed file: our picture, and how they met.
    """
    total, done = len(asked), 0

    @lru_cache(maxsize=64)  # up to 2.5 MB each
    def seen(picture: str) -> Look:
        return look_at(registry.blobs.read(picture.removeprefix("img_")))

    for item in items if asked else ():
        waiting = asked.pop(item.name, ())
        if not waiting:
            continue
        done += 1
        progress("compare", done, total)
        other = look(decode(item.read(), limits).image)
        for picture, how in waiting:
            verdict = compare(seen(picture), other)
            if verdict.kind is not PairKind.UNRELATED:
                yield Matched(
                    picture,
                    Listed(path=item.name),
                    str(verdict.kind),
                    round(float(verdict.distance), 6),
                    turn_of(how),
                    verdict.evidence,
                    verdict.evidence.get("edit"),
                )


def _against_dataset(  # noqa: PLR0917 - both sides, and how they were named
    registry: Registry,
    source: str,
    members: set[str],
    rows: Sequence[CodeRow],
    dataset: str | None,
    progress: Progress,
) -> Against:
    """Two sets of pictures of ours. Without `dataset` those outside the list are asked about."""
    with registry.read() as session:
        listed = codes.of_pictures(session, members, ALGORITHM)
        same = dataset is not None and datasets.by_name(session, dataset).id == _dataset_named(
            session, source
        )
    if not listed:
        raise UsageError(f"{source} holds no picture; nothing was compared.")
    if dataset is None:
        rows = [row for row in rows if row.picture_id not in members]
    theirs = [upright for upright, _ in _with_corners(registry, listed, progress)]
    found = candidates(Side(rows, _with_corners(registry, rows, progress)), Listing(listed, theirs))
    met = {(rows[one.at].picture_id, listed[one.listed].picture_id): one for one in found}
    ours = {row.picture_id for row in rows}
    matches = list(_pairs(registry, met, ours, members, progress))
    if same:  # both of a pair are on the list: once is enough
        matches = [one for one in matches if one.picture < (one.listed.picture or "")]
    else:
        matches += [
            Matched(one, Listed(picture=one), "same-pixels", 0.0, "none", {"by": "file"})
            for one in ours & members
        ]
    count = Compared(len(rows), len(listed))
    return Against(source, "dataset", count, gravest_first(matches))


def _pairs(
    registry: Registry,
    met: dict[tuple[str, str], Candidate],
    ours: set[str],
    members: set[str],
    progress: Progress,
) -> Iterator[Matched]:
    """What was recorded about pairs of the two sets, and what people said of them."""
    asked = {(min(pair), max(pair)) for pair in met if pair[0] != pair[1]}
    compared(registry, asked, progress)
    with registry.read() as session:
        rows = protected.pairs_with(session, members)
        said = verdicts(codes.decisions(session))
    for pair in rows:
        verdict = said.get((pair.a, pair.b))
        if verdict is PairVerdict.NOT_A_MATCH:
            continue
        for picture, other in ((pair.a, pair.b), (pair.b, pair.a)):
            if picture not in ours or other not in members:
                continue
            kind = kind_from(pair, picture) if verdict is None else _DECIDED[verdict]
            if kind is not PairKind.UNRELATED:
                yield Matched(
                    picture,
                    Listed(picture=other),
                    str(kind),
                    pair.distance,
                    turn_of(met.get((picture, other))),
                    pair.evidence,
                    pair.evidence.get("edit"),
                )
