"""Which copies does a vision model propose that the user brought? Pixels decide, as ever.

Each picture of the registry gets a vector, kept in the cache under the model's own name. Pairs
whose vectors point almost the same way are looked at, the nearest few of each picture; a vector
joins nobody by itself. What was searched under one model and threshold stands in a watermark, so
that a repeated call asks for what is new only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from picdeed.core.errors import IntegrityError, MissingPart, UnreadablePicture, UsageError
from picdeed.core.events import Progress, silent
from picdeed.flow.pairs import look_at_pairs, speakers
from picdeed.imaging.codes import ALGORITHM
from picdeed.imaging.cosine import MOST, alike, in_steps
from picdeed.imaging.decode import decode, flatten
from picdeed.registry import codes, ledger, rollups, similar
from picdeed.registry.embedding_cache import Vectors, keep_vectors, kept_vectors
from picdeed.registry.session import Registry, Session
from picdeed.registry.similar import PARTS, SAME, Likeness

if TYPE_CHECKING:
    from PIL import Image

    from picdeed.diffusion.embedding import Embedder

KEEP_EVERY = 64  # vectors: what a kill may cost
_COPIES = (*SAME, *PARTS, Likeness.VARIANT)


@dataclass(frozen=True, slots=True)
class Embedded:
    """What an embedding proposed, and what the pixels said.

    `embedded` pictures got a vector now, `unread` ones could not be decoded. Of the pairs
    `proposed` now, `looked_at` were not compared before, and `found` of these are copies, parts or
    variants. `cut` pictures had more neighbours above the threshold than the `most` that one may
    propose.
    """

    model: str
    algorithm: str
    threshold: float
    pictures: int
    embedded: int
    unread: int
    proposed: int
    looked_at: int
    found: int
    cut: int
    most: int = MOST


def propose_by_embedding(
    registry: Registry, folder: Path, threshold: float | None = None, *, progress: Progress = silent
) -> Embedded:
    """Look at the pairs that a local model finds alike; `threshold` defaults to its kind's.

    Raises MissingPart without the libraries that it needs, UsageError for a threshold that is no
    cosine and for a folder that is refused (`diffusion.embedding` says why).
    """
    if threshold is not None and not 0.0 < threshold <= 1.0:
        raise UsageError(f"A threshold of {threshold} is no cosine above 0 and up to 1.")
    embedder = _opened(folder)
    least = embedder.threshold if threshold is None else threshold
    mark = f"embedding:{embedder.algorithm}"
    with registry.read() as session:
        seq, _ = ledger.last_event(session)
        names = codes.names(session, ALGORITHM)
        done = _searched(session, mark, least)
    made, unread = _embed_missing(registry, embedder, names, progress)
    spoken = speakers(registry, names)
    vectors = _of(kept_vectors(registry, embedder.algorithm, embedder.numbers), spoken)
    fresh = None
    if done is not None:
        with registry.read() as session:
            new = made | {
                str(key[0])
                for _, key, gone in rollups.rows_since(session, done, ("codes",))
                if not gone
            }
        fresh = np.isin(vectors.names, np.array([one.encode() for one in sorted(new)], dtype="S68"))
    near = alike(vectors.steps, least, new=fresh)
    told = vectors.names.astype(np.str_).tolist()
    pairs = {(told[i], told[j]) for i, j in near.pairs.tolist()}
    with registry.read() as session:
        asked = pairs - similar.kinds(session).keys()
    look_at_pairs(registry, asked, embedding=embedder.algorithm, progress=progress)
    with registry.read() as session:
        kinds = similar.kinds(session)
    if done is None or done < seq:
        with registry.write() as session:
            rollups.set_watermark(session, mark, seq, _state(least))
    return Embedded(
        model=embedder.model,
        algorithm=embedder.algorithm,
        threshold=least,
        pictures=len(names) - unread,
        embedded=len(made),
        unread=unread,
        proposed=len(pairs),
        looked_at=len(asked),
        found=sum(kinds[pair] in _COPIES for pair in asked),
        cut=near.cut,
    )


def _opened(folder: Path) -> Embedder:
    try:
        from picdeed.diffusion.embedding import open_embedder
    except ModuleNotFoundError as error:
        raise MissingPart(
            f"An embedding needs {error.name}, which is not installed; nothing was compared.",
            hint="pip install 'picdeed[train]'",
        ) from error
    return open_embedder(folder)


def _state(threshold: float) -> str:
    return f"{MOST} {threshold!r}"


def _searched(session: Session, mark: str, threshold: float) -> int | None:
    """Up to which event all pictures were searched, as widely as is asked now."""
    row = rollups.watermark(session, mark)
    if row is None:
        return None
    most, _, before = row.state.partition(" ")
    return row.seq if most == str(MOST) and float(before) <= threshold else None


def _embed_missing(
    registry: Registry, embedder: Embedder, names: Sequence[str], progress: Progress
) -> tuple[set[str], int]:
    """(who got a vector, how many could not be decoded: `picdeed audit` names them)."""
    kept = kept_vectors(registry, embedder.algorithm, embedder.numbers)
    there = set(kept.names.tolist())
    missing = [name for name in names if name.encode() not in there]
    made: set[str] = set()
    at_once = max(KEEP_EVERY, embedder.batch)
    for start in range(0, len(missing), at_once):
        some: list[str] = []
        parts = []
        for batch in _batches(registry, embedder, missing[start : start + at_once]):
            progress("embed", start + len(some), len(missing))
            some += [name for name, _ in batch]
            parts.append(in_steps(embedder.embed([image for _, image in batch])))
        if some:
            keep_vectors(registry, embedder.algorithm, some, np.concatenate(parts))
            made.update(some)
    return made, len(missing) - len(made)


def _batches(
    registry: Registry, embedder: Embedder, names: Sequence[str]
) -> Iterator[list[tuple[str, Image.Image]]]:
    """Those that decode, as many at once as the model takes."""
    batch: list[tuple[str, Image.Image]] = []
    for name in names:
        try:
            data = registry.blobs.read(name.removeprefix("img_"))
            seen = decode(data, at_least=embedder.side, long_side=embedder.side)
        except (IntegrityError, UnreadablePicture):
            continue
        batch.append((name, flatten(seen.image)))
        if len(batch) == embedder.batch:
            yield batch
            batch = []
    if batch:
        yield batch


def _of(vectors: Vectors, names: Collection[str]) -> Vectors:
    """Those of these pictures, by id: the order in which they came shall not show."""
    wanted = np.array(sorted(name.encode() for name in names), dtype=vectors.names.dtype)
    order = np.argsort(vectors.names)
    order = order[np.isin(vectors.names[order], wanted)]
    return Vectors(vectors.names[order], vectors.steps[order])
