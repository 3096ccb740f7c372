"""How do the codes of a million pictures come out of the database, as arrays and not as rows?

One statement joins codes, published hashes and sizes; its texts are turned into words by the
batch. `code_cache` keeps the arrays beside the registry.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from picdeed.core.errors import IntegrityError
from picdeed.registry.codes import CodeRow
from picdeed.registry.pictures import Picture
from picdeed.registry.similar import Fingerprint
from picdeed.registry.tables import chunks

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from sqlalchemy.orm import Session

_BATCH = 10_000  # rows read at a time: 15 MB of text
_TURNS, _WORDS = 8, 4
_TURNED = _TURNS * _WORDS * 16  # hex digits
_CELLS = 192
_ID = 68  # letters of a picture's id
_HASH = 16  # hex digits


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """n pictures with k codes, k - n of them without a border.

    `names` is S68[n], in no order; `turned` uint64[k, 8, 4], `owner` int64[k] (a picture's
    number), `trimmed` bool[k]; `quality` int64[n]; `colours` uint8[n, 192]; `hashes` uint64[n, 2]
    (pHash and dHash, 0 where a picture has none); `shape` int64[n, 3] (width, height, bytes).
    """

    names: NDArray[np.bytes_]
    turned: NDArray[np.uint64]
    owner: NDArray[np.int64]
    trimmed: NDArray[np.bool_]
    quality: NDArray[np.int64]
    colours: NDArray[np.uint8]
    hashes: NDArray[np.uint64]
    shape: NDArray[np.int64]

    def __len__(self) -> int:
        """How many pictures."""
        return len(self.names)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The columns by name, in a fixed order."""
        return {one.name: getattr(self, one.name) for one in fields(self)}


# One row of each column, for an empty registry and for whoever reads the arrays from a file.
LAYOUT: dict[str, tuple[str, tuple[int, ...]]] = {
    "names": (f"S{_ID}", ()),
    "turned": ("<u8", (_TURNS, _WORDS)),
    "owner": ("<i8", ()),
    "trimmed": ("?", ()),
    "quality": ("<i8", ()),
    "colours": ("u1", (_CELLS,)),
    "hashes": ("<u8", (2,)),
    "shape": ("<i8", (3,)),
}
BY_CODE = ("turned", "owner", "trimmed")  # have a row for each code, the others for each picture


def read_columns(
    session: Session,
    algorithm: str,
    fingerprint: str,
    pictures: Collection[str] | None = None,
) -> Columns:
    """The codes under one algorithm with the hashes under another, of all pictures or of these.

    Raises IntegrityError when a row holds no code.
    """
    parts: list[dict[str, NDArray[Any]]] = []
    count = 0
    for rows in _batches(session, algorithm, fingerprint, pictures):
        try:
            part = _parsed(rows)
        except (ValueError, TypeError) as error:
            raise IntegrityError(
                f"A picture's code cannot be read ({error}); nothing was compared.",
                hint="Run picdeed audit to see which row it is.",
            ) from error
        part["owner"] += count
        count += len(rows)
        parts.append(part)
    return joined(parts)


def joined(parts: Sequence[dict[str, NDArray[Any]]]) -> Columns:
    """The parts one behind the other; their owners are already numbered through."""
    empty = {name: np.zeros((0, *shape), kind) for name, (kind, shape) in LAYOUT.items()}
    return Columns(**{name: np.concatenate([p[name] for p in (empty, *parts)]) for name in LAYOUT})


def _batches(
    session: Session, algorithm: str, fingerprint: str, pictures: Collection[str] | None
) -> Iterator[Sequence[Sequence[Any]]]:
    wanted = (
        sa.select(
            CodeRow.picture_id,
            CodeRow.turned,
            CodeRow.turned_trimmed,
            CodeRow.quality,
            CodeRow.colours,
            Fingerprint.phash,
            Fingerprint.dhash,
            Picture.width,
            Picture.height,
            Picture.bytes,
        )
        .join(Picture, Picture.id == CodeRow.picture_id)
        .outerjoin(
            Fingerprint,
            sa.and_(
                Fingerprint.picture_id == CodeRow.picture_id, Fingerprint.algorithm == fingerprint
            ),
        )
        .where(CodeRow.algorithm == algorithm)
    )
    if pictures is None:
        streamed = session.execute(wanted.execution_options(yield_per=_BATCH))
        yield from streamed.partitions()
        return
    for some in chunks(sorted(pictures)):
        yield session.execute(wanted.where(CodeRow.picture_id.in_(some))).all()


def _parsed(rows: Sequence[Sequence[Any]]) -> dict[str, NDArray[Any]]:
    """The columns of some rows; raises ValueError for what is no code."""
    names, turned, trimmed, quality, colours, phash, dhash, width, height, size = zip(
        *rows, strict=True
    ) if rows else ((),) * 10  # fmt: skip
    if any(len(name) > _ID for name in names):
        raise ValueError("an id longer than any picture's")
    inner = [at for at, text in enumerate(trimmed) if text is not None]
    digits = [*turned, *(trimmed[at] for at in inner)]
    # The highest digits come first, the lowest word too.
    words = _bytes(digits, _TURNED).view(">u8").reshape(-1, _TURNS, _WORDS)[..., ::-1]
    hashes = [_bytes([text or "0" * _HASH for text in one], _HASH) for one in (phash, dhash)]
    owner = np.array([*range(len(rows)), *inner], dtype=np.int64)
    return {
        "names": np.array(names, dtype=f"S{_ID}"),
        "turned": words.astype(np.uint64),
        "owner": owner,
        "trimmed": np.arange(len(owner)) >= len(rows),
        "quality": np.array(quality, dtype=np.int64),
        "colours": _bytes(colours, 2 * _CELLS),
        "hashes": np.hstack([one.view(">u8") for one in hashes]).astype(np.uint64),
        "shape": np.array([width, height, size], dtype=np.int64).T,
    }


def _bytes(texts: Iterable[str], digits: int) -> NDArray[np.uint8]:
    """uint8[n, digits / 2] of n texts of so many hex digits."""
    listed = list(texts)
    if any(len(text) != digits for text in listed):
        raise ValueError(f"a text that is not {digits} hex digits long")
    data = bytes.fromhex("".join(listed))
    return np.frombuffer(data, dtype=np.uint8).reshape(len(listed), digits // 2)
