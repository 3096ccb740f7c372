"""Where do the vectors lie that the user's vision models made of pictures, and who is in there?

`cache/embeddings/ALGORITHM/` holds the pictures' ids and their vectors, memory-mapped, and a header
with the algorithm, the counts and a checksum of each file. A vector follows from a picture's bytes,
which its id names, and from the algorithm: it is never out of date. What does not fit its header is
thrown away and made again. Nothing here is evidence; an erasure takes the picture's row out of
every file, since making all others again would cost hours.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from picdeed.registry.blobs import write_atomically
from picdeed.registry.erasure import erased

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from picdeed.registry.session import Registry

FORMAT = 1
_FOLDER = "embeddings"
_HEADER = "header.json"
_LOCK = "lock"
_ID = np.dtype("S68")  # a picture's id
_NUMBER = np.dtype("<i2")
_NAMES, _VECTORS = "names", "vectors"


@dataclass(frozen=True, slots=True, eq=False)
class Vectors:
    """`names` S68[n], in no order, and `steps` int16[n, d], as `imaging.cosine` compares them."""

    names: NDArray[np.bytes_]
    steps: NDArray[np.int16]

    def __len__(self) -> int:
        """How many pictures."""
        return len(self.names)


def kept_vectors(registry: Registry, algorithm: str, numbers: int) -> Vectors:
    """What is kept under one algorithm, whose vectors have so many numbers."""
    folder = _folder(registry, algorithm)
    if not folder.is_dir():
        return _nothing(numbers)
    with _locked(folder):
        header = _header(folder)
        found = None if header is None else _mapped(folder, header)
    fits = header is not None and (header["algorithm"], header["numbers"]) == (algorithm, numbers)
    return found if found is not None and fits else _nothing(numbers)


def keep_vectors(
    registry: Registry, algorithm: str, names: Sequence[str], steps: NDArray[np.int16]
) -> None:
    """Keep n pictures' vectors, int16[n, d], behind those that are there.

    Left out is who is there already, and who was erased in the meantime: the lock is the one that
    `forget_vectors` waits for, and the database said so before.
    """
    folder = _folder(registry, algorithm)
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        header, old = _header(folder), None
        if header is not None and (header["algorithm"], header["numbers"]) == (
            algorithm,
            steps.shape[1],
        ):
            old = _mapped(folder, header)
        if header is None or old is None:
            old = _nothing(steps.shape[1])
            header = _publish_anew(folder, algorithm, old)
        with registry.read() as session:
            gone = erased(session, names)
        coded = np.array([name.encode() for name in names], dtype=_ID)
        fresh = ~np.isin(coded, old.names) & [name not in gone for name in names]
        _append(folder / header["data"], header, Vectors(coded[fresh], steps[fresh]))
        _publish(folder, header)


def forget_vectors(registry: Registry, picture: str) -> bool:
    """Remove a picture's vector under every algorithm; whether there was any.

    Repeating it removes what a kill left behind.
    """
    found = False
    for folder in (registry.cache / _FOLDER).glob("*/"):
        with _locked(folder):
            header = _header(folder)
            old = None if header is None else _mapped(folder, header)
            if header is not None and old is not None:
                others = old.names != picture.encode()
                if not others.all():
                    found = True
                    left = Vectors(old.names[others], old.steps[others])
                    header = _publish_anew(folder, header["algorithm"], left)
            _sweep(folder, None if old is None or header is None else header["data"])
    return found


def _folder(registry: Registry, algorithm: str) -> Path:
    return registry.cache / _FOLDER / algorithm.replace(":", "-").replace("/", "-")


def _nothing(numbers: int) -> Vectors:
    return Vectors(np.zeros(0, _ID), np.zeros((0, numbers), _NUMBER))


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process at a time; others wait."""
    with (folder / _LOCK).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _publish_anew(folder: Path, algorithm: str, vectors: Vectors) -> dict[str, Any]:
    """The vectors in a folder of their own, then the header, then the old files go."""
    taken = {path.name for path in folder.glob("data-*")}
    data = next(name for at in range(len(taken) + 1) if (name := f"data-{at}") not in taken)
    (folder / data).mkdir()
    header: dict[str, Any] = {
        "format": FORMAT,
        "algorithm": algorithm,
        "numbers": vectors.steps.shape[1],
        "data": data,
        "pictures": 0,
        "sums": {_NAMES: 0, _VECTORS: 0},
    }
    _append(folder / data, header, vectors)
    _publish(folder, header)
    _sweep(folder, data)
    return header


def _append(data: Path, header: dict[str, Any], more: Vectors) -> None:
    """Rows behind those that the header counts; what a killed process left there goes."""
    for name, rows in ((_NAMES, more.names), (_VECTORS, more.steps)):
        kind = _ID if name == _NAMES else _NUMBER
        octets = np.ascontiguousarray(rows, dtype=kind).tobytes()
        path = data / name
        path.touch()
        with path.open("r+b") as file:
            file.seek(_size(header, name))
            file.write(octets)
            file.truncate()
        header["sums"][name] = zlib.crc32(octets, header["sums"][name])
    header["pictures"] += len(more)


def _publish(folder: Path, header: dict[str, Any]) -> None:
    write_atomically(folder / _HEADER, json.dumps(header, sort_keys=True).encode())


def _header(folder: Path) -> dict[str, Any] | None:
    try:
        found = json.loads((folder / _HEADER).read_bytes())
        good = {
            "format": FORMAT,
            "algorithm": str(found["algorithm"]),
            "numbers": int(found["numbers"]),
            "data": str(found["data"]).rpartition("/")[2],
            "pictures": int(found["pictures"]),
            "sums": {name: int(found["sums"][name]) for name in (_NAMES, _VECTORS)},
        }
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return good if found == good else None


def _mapped(folder: Path, header: dict[str, Any]) -> Vectors | None:
    """The files as arrays; None where one is too short or holds other bytes than it should."""
    shape = header["pictures"], header["numbers"]
    if not header["pictures"]:
        return _nothing(header["numbers"])
    try:
        names = np.memmap(folder / header["data"] / _NAMES, _ID, "r", shape=shape[:1])
        steps = np.memmap(folder / header["data"] / _VECTORS, _NUMBER, "r", shape=shape)
    except (OSError, ValueError):
        return None
    for name, array in ((_NAMES, names), (_VECTORS, steps)):
        if zlib.crc32(array.reshape(-1).view(np.uint8).data) != header["sums"][name]:
            return None
    return Vectors(np.asarray(names), np.asarray(steps))


def _size(header: dict[str, Any], name: str) -> int:
    row = _ID.itemsize if name == _NAMES else _NUMBER.itemsize * header["numbers"]
    return int(row * header["pictures"])


def _sweep(folder: Path, data: str | None) -> None:
    """Remove what is not the current data; all of it where there is none."""
    for path in folder.iterdir():
        if path.name in (_LOCK, data) or (data is not None and path.name == _HEADER):
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
