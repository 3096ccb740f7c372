"""Did an adapter draw its pictures instead of its style? Its samples beside what it trained on.

By the codes that find copies: the nearest picture that was trained on, beside the nearest one that
was held out. Where nothing was memorised, a sample is as likely near one as near the other, so the
share of samples nearer to a trained one is read beside the share of pictures that are such. Whether
the nearest one was copied, the pixels decide. What it finds speaks of these samples only.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from picdeed.core.errors import PicdeedError
from picdeed.diffusion.samples import samples_in
from picdeed.flow.likeness import coded
from picdeed.imaging.codes import ALGORITHM, BITS, code_of
from picdeed.imaging.decode import Decoded, decode
from picdeed.imaging.verify import PairKind, compare, look, look_at
from picdeed.registry import codes
from picdeed.registry.session import Registry

_COPIED = (PairKind.SAME_PIXELS, PairKind.NEAR, PairKind.CROP_OF, PairKind.CONTAINS)


@dataclass(frozen=True, slots=True)
class Near:
    """A picture (id) and in how many of 256 bits its code differs, in whichever turn is nearest;
    strangers differ in about half.
    """

    picture: str
    distance: int


@dataclass(frozen=True, slots=True)
class Nearest:
    """What lies nearest to the sample of this number. `kind` is what it is to the trained picture,
    by the pixels; None where that picture's bytes are gone. None: no picture there has a code.
    """

    sample: int
    trained: Near | None
    held_out: Near | None
    kind: str | None


def with_nearest(registry: Registry, folder: Path, result: Mapping[str, Any]) -> dict[str, Any]:
    """A run's result with `nearest` in its evidence; null where it drew no samples.

    {`step`, `samples` [Nearest], `nearer_to_trained` and `copied` (counts), `expected` (the share
    of pictures that were trained on)}.
    """
    told = result.get("evidence")
    if not isinstance(told, Mapping):
        return dict(result)
    found = _nearest(registry, folder, result)
    return {**result, "evidence": {**told, "nearest": found}}


def _nearest(registry: Registry, folder: Path, result: Mapping[str, Any]) -> dict[str, Any] | None:
    step = int(result["evidence"]["kept"]["step"])
    files = samples_in(folder).get(step)
    if not files:
        return None
    trained = [name for name, times in result["exposure"].items() if times]
    sides = [_codes(registry, side) for side in (trained, result["held_out"])]
    rows = [_one(registry, number, path, sides) for number, path in files.items()]
    known = [len(names) for names, _ in sides]
    return {
        "step": step,
        "samples": [asdict(row) for row in rows],
        "nearer_to_trained": sum(map(_is_nearer, rows)),
        "expected": known[0] / sum(known) if sum(known) else None,
        "copied": sum(row.kind in _COPIED for row in rows),
    }


_Side = tuple[Sequence[str], NDArray[np.uint64]]


def _codes(registry: Registry, ids: Collection[str]) -> _Side:
    """Pictures that have a code, and their codes in every turn [n, 8, 4]."""
    with registry.read() as session:
        rows = codes.of_pictures(session, ids, ALGORITHM)
    whole = coded(rows).turned[: len(rows)]
    return [row.picture_id for row in rows], whole


def _one(registry: Registry, number: int, path: Path, sides: Sequence[_Side]) -> Nearest:
    sample = decode(path.read_bytes())
    own = code_of(sample).plain
    trained, held_out = (_closest(own, names, rows) for names, rows in sides)
    return Nearest(number, trained, held_out, _kind(registry, sample, trained))


def _closest(
    own: NDArray[np.uint64], names: Sequence[str], rows: NDArray[np.uint64]
) -> Near | None:
    if not names:
        return None
    apart = np.bitwise_count(rows ^ own).sum(axis=-1, dtype=np.int64).min(axis=1)
    at = int(apart.argmin())
    return Near(names[at], min(BITS, int(apart[at])))


def _kind(registry: Registry, sample: Decoded, near: Near | None) -> str | None:
    if near is None:
        return None
    try:
        data = registry.blobs.read(near.picture.removeprefix("img_"))
        return str(compare(look(sample), look_at(data)).kind)
    except (PicdeedError, OSError):
        return None


def _is_nearer(row: Nearest) -> bool:
    if row.trained is None or row.held_out is None:
        return False
    return row.trained.distance < row.held_out.distance
