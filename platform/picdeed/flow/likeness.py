"""How do pictures' codes become candidate pairs, and back into rows? Shared by ingest and dedup."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Collection, Sequence

import numpy as np

from picdeed.core.events import Progress, silent
from picdeed.imaging.codes import ALGORITHM, Code, Turn, from_hex, to_hex, variants
from picdeed.imaging.decode import decode
from picdeed.imaging.fingerprints import ALGORITHM as FINGERPRINT
from picdeed.imaging.local import ALGORITHM as CORNERS
from picdeed.imaging.local import SIDE, Local, both_ways
from picdeed.imaging.near import Coded, Marks, near_pairs
from picdeed.imaging.neighbours import Pairs
from picdeed.imaging.votes import candidates_between, candidates_by_votes
from picdeed.registry.blobs import write_atomically
from picdeed.registry.code_cache import cached_columns
from picdeed.registry.code_columns import Columns
from picdeed.registry.codes import CodeRow
from picdeed.registry.session import Registry

DIGITS = 64  # hex digits of one code


def row_of(picture: str, code: Code, now: str) -> CodeRow:
    """A picture's codes as the registry keeps them."""
    trimmed = code.trimmed_coefficients
    return CodeRow(
        picture_id=picture,
        algorithm=ALGORITHM,
        turned=_turned(code.coefficients),
        turned_trimmed=None if trimmed is None else _turned(trimmed),
        trim_box=None if code.trim_box is None else [int(edge) for edge in code.trim_box],
        quality=int(code.quality),
        colours=code.colours.tobytes().hex(),
        created_at=now,
    )


def coded(rows: Sequence[CodeRow]) -> Coded:
    """The rows as the search takes them; picture i is `rows[i]`."""
    inner = [at for at, row in enumerate(rows) if row.turned_trimmed is not None]
    texts = [row.turned for row in rows]
    texts += [rows[at].turned_trimmed or "" for at in inner]
    turned = np.array([_codes(text) for text in texts], dtype=np.uint64)
    return Coded(
        len(rows),
        np.array([*range(len(rows)), *inner], dtype=np.int64),
        turned.reshape(-1, len(Turn), 4),
        np.arange(len(texts)) >= len(rows),
    )


def candidates(
    registry: Registry,
    new: Collection[str] | None = None,
    *,
    radius: int | None = None,
    threads: int | None = None,
) -> list[tuple[str, str]]:
    """Sorted pairs (a < b) of pictures, by id, whose codes are near in some turn.

    Of all pictures that have a code, or with `new` only pairs that hold one of these (ids without
    a code are passed over): the same pairs, at the cost of what is new. The codes come from the
    cache beside the registry, brought up to date first. `radius` defaults to what so many pictures
    can afford (`imaging.reach`).
    """
    columns = cached_columns(registry, ALGORITHM, FINGERPRINT)
    asked = None
    if new is not None:
        wanted = np.array(sorted(new), dtype=columns.names.dtype)
        asked = np.isin(columns.names, wanted)
    found = near_pairs(of_columns(columns), radius, new=asked, threads=threads).pairs
    names = columns.names[found].astype(np.str_)
    return sorted((min(a, b), max(a, b)) for a, b in names.tolist())


def of_columns(columns: Columns) -> Coded:
    """The arrays as the search takes them; the large ones are not copied."""
    names = np.ascontiguousarray(columns.names)
    ids = names.view(np.uint8).reshape(len(columns), names.dtype.itemsize)
    # Eight letters behind the prefix of a content hash.
    tie = np.ascontiguousarray(ids[:, 4:12]).view(">u8").reshape(-1).astype(np.uint64)
    marks = Marks(columns.colours, columns.hashes, columns.shape, tie)
    return Coded(len(columns), columns.owner, columns.turned, columns.trimmed, marks)


def by_parts(
    registry: Registry,
    names: Sequence[str],
    asked: Collection[str] | None = None,
    progress: Progress = silent,
) -> set[tuple[str, str]]:
    """Sorted pairs of `names` whose corners lie alike somewhere: crops, screenshots, sheets.

    With `asked` only those pairs that hold one of these.
    """
    upright, mirrored = [], []
    for at, picture in enumerate(names, 1):
        progress("corners", at, len(names))
        plain, turned = corners_of(registry, picture.removeprefix("img_"))
        upright.append(plain)
        mirrored.append(turned)
    chosen: Sequence[int] = range(len(names))
    if asked is None or len(asked) >= len(names):
        found = _numbered(candidates_by_votes(upright), chosen)
    else:
        chosen = [at for at, name in enumerate(names) if name in asked]
        found = _numbered(candidates_between([upright[at] for at in chosen], upright), chosen)
    # A mirrored crop is found from the other side: the mirrored one is the one that asks.
    found += _numbered(candidates_between([mirrored[at] for at in chosen], upright), chosen)
    return {(min(names[i], names[j]), max(names[i], names[j])) for i, j in found if i != j}


def _numbered(pairs: Pairs, chosen: Sequence[int]) -> list[tuple[int, int]]:
    return [(chosen[i], j) for i, j in pairs.tolist()]


def corners_of(registry: Registry, digest: str) -> tuple[Local, Local]:
    """A picture's corners, upright and mirrored, kept in the cache under the algorithm's name."""
    path = registry.cache / "corners" / CORNERS.replace("/", "-") / f"{digest}.npz"
    try:
        with np.load(path) as kept:
            return (
                Local(kept["codes"], kept["geometry"]),
                Local(kept["mirrored_codes"], kept["mirrored_geometry"]),
            )
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        found, turned = both_ways(decode(registry.blobs.read(digest), at_least=1, long_side=SIDE))
    data = io.BytesIO()
    np.savez(
        data,
        codes=found.codes,
        geometry=found.geometry,
        mirrored_codes=turned.codes,
        mirrored_geometry=turned.geometry,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, data.getvalue())
    return found, turned


def _turned(coefficients: np.ndarray) -> str:
    return "".join(to_hex(code) for code in variants(coefficients[None])[0])


def _codes(text: str) -> list[np.ndarray]:
    return [from_hex(text[at : at + DIGITS]) for at in range(0, len(text), DIGITS)]
