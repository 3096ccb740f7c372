"""How do pictures' codes become candidate pairs, and back into rows? Shared by ingest and dedup."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence

import numpy as np

from picdeed.core.events import Progress
from picdeed.imaging.codes import ALGORITHM, Code, Turn, from_hex, to_hex, variants
from picdeed.imaging.decode import decode
from picdeed.imaging.local import ALGORITHM as CORNERS
from picdeed.imaging.local import Local, both_ways, candidates_by_votes
from picdeed.imaging.near import Coded
from picdeed.registry.blobs import write_atomically
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


def by_parts(registry: Registry, names: Sequence[str], progress: Progress) -> list[tuple[str, str]]:
    """Pairs whose corners lie alike somewhere in both: crops, screenshots, collages."""
    upright, mirrored = [], []
    for at, picture in enumerate(names, 1):
        progress("corners", at, len(names))
        plain, turned = _corners(registry, picture.removeprefix("img_"))
        upright.append(plain)
        mirrored.append(turned)
    # A mirrored crop is found from the other side: who stands behind `n` is the mirrored one.
    n = len(names)
    found = {(i % n, j % n) for i, j in candidates_by_votes([*upright, *mirrored]).tolist()}
    return [(names[i], names[j]) for i, j in sorted(found) if i != j]


def _corners(registry: Registry, digest: str) -> tuple[Local, Local]:
    """A picture's corners, upright and mirrored, kept in the cache under the algorithm's name."""
    path = registry.cache / "corners" / CORNERS.replace("/", "-") / f"{digest}.npz"
    try:
        with np.load(path) as kept:
            return (
                Local(kept["codes"], kept["geometry"]),
                Local(kept["mirrored_codes"], kept["mirrored_geometry"]),
            )
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        found, turned = both_ways(decode(registry.blobs.read(digest)).image)
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
