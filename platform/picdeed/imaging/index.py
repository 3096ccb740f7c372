"""Which of the codes that were ever added lie near this one, without reading them all?

A folder: one immutable segment (the codes, and for each chunk of `dealing` their order by key,
memory-mapped), a delta of codes added since (scanned; merged when it has grown), and a list of
removed positions. Every record is checked when it is read; whatever does not fit raises
`StaleIndex`, and the owner of the codes builds the index anew: it holds nothing of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import zlib
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from picdeed.imaging.dealing import Chunk, Codes, Costs, deal, evenness, shuffled
from picdeed.imaging.join import Engine, apart, available

Ints = NDArray[np.int64]

FORMAT = 1
_HEADER = "header.json"
_ARRAYS = ("codes.npy", "columns.npy", "ids.npy", "starts.npy")
_MERGE_SHARE = 0.1
_MERGE_MOST = 50_000  # codes of a delta: a tenth of a millisecond to scan
_MERGE_LEAST = 4_096
# One query reads buckets here and there in memory instead of streaming through them.
_COSTS = Costs(code=0.0, key=0.0, probe=15.0, partner=5.0, candidate=5.0)
_BLOCK = 1 << 20


class StaleIndex(Exception):
    """The folder holds no index, a damaged one, or one of other codes. Build it anew."""


class Index:
    """Codes by position, 0 upwards in the order in which they were added; one writer at a time."""

    def __init__(self, folder: Path, header: dict[str, object]) -> None:
        """Use `build` or `open_index`."""
        self.folder = folder
        self._delta: Codes
        self._gone: NDArray[np.bool_]
        self._read(header)

    def __len__(self) -> int:
        """How many codes were ever added, removed ones included."""
        return len(self._codes) + len(self._delta)

    @property
    def radius(self) -> int:
        """The most bits that `query` may be asked for."""
        return self._radius

    def query(self, code: Codes, radius: int | None = None) -> tuple[Ints, Ints]:
        """Positions (ascending) and distances of the codes near uint64[w]; removed ones are not.

        Raises ValueError for a radius above the index's own.
        """
        wanted = self._radius if radius is None else radius
        if not 0 <= wanted <= self._radius:
            raise ValueError(f"the index is made for 0 to {self._radius} bits, not {wanted}")
        code = np.ascontiguousarray(code, dtype=np.uint64).reshape(1, -1)
        if code.shape[1] != self._codes.shape[1]:
            raise ValueError(f"a code of {code.shape[1]} words, not {self._codes.shape[1]}")
        places = np.concatenate(
            (self._in_segment(code, wanted), len(self._codes) + _scanned(code, self._delta, wanted))
        )
        places = places[~self._gone[places]]
        return places, apart(self._at(places), code).astype(np.int64)

    def add(self, codes: Codes) -> Ints:
        """Append uint64[m, w]; their positions. On the disk when it returns."""
        codes = np.ascontiguousarray(codes, dtype=np.uint64).reshape(-1, self._codes.shape[1])
        start = len(self)
        _append(self.folder / self._names["delta"], [row.astype("<u8").tobytes() for row in codes])
        self._delta = np.concatenate((self._delta, codes))
        self._gone = np.concatenate((self._gone, np.zeros(len(codes), dtype=bool)))
        grown = len(self._delta)
        if grown > max(_MERGE_LEAST, min(_MERGE_MOST, _MERGE_SHARE * len(self._codes))):
            self.merge()
        return np.arange(start, start + len(codes), dtype=np.int64)

    def remove(self, places: Ints) -> None:
        """Never answer with these positions again; raises IndexError for an unknown one."""
        places = np.asarray(places, dtype=np.int64).reshape(-1)
        if len(places) and (places.min() < 0 or places.max() >= len(self)):
            raise IndexError(f"positions are 0 to {len(self) - 1}")
        _append(self.folder / self._names["gone"], [struct.pack("<q", one) for one in places])
        self._gone[places] = True

    def merge(self) -> None:
        """Take the delta into the segment. A kill leaves the old index or the new one."""
        codes = np.concatenate((self._codes, self._delta))
        old = dict(self._names)
        gone = np.flatnonzero(self._gone)
        header = _write(
            *(self.folder, codes, self._radius),
            algorithm=self._algorithm,
            generation=self._generation + 1,
            gone=gone,
        )
        self._read(header)
        for name in old.values():
            _forget(self.folder / name)

    def _read(self, header: dict[str, object]) -> None:
        try:
            self._generation = int(str(header["generation"]))
            self._names = _names(self._generation)
            self._radius = int(str(header["radius"]))
            self._algorithm = str(header["algorithm"])
            listed = header["chunks"]
            assert isinstance(listed, list)  # noqa: S101 (narrows for the reader below)
            self._chunks = [Chunk(**one) for one in listed]
            folder = self.folder / self._names["segment"]
            self._codes: Codes = _mapped(folder / "codes.npy")
            self._columns: Codes = _mapped(folder / "columns.npy")
            self._starts: Ints = _mapped(folder / "starts.npy")
            self._ids: NDArray[np.int32] = _mapped(folder / "ids.npy")
            words = self._codes.shape[1]
            rows = _records(self.folder / self._names["delta"], 8 * words)
            gone = _records(self.folder / self._names["gone"], 8)
        except (OSError, ValueError, KeyError, TypeError, AssertionError) as error:
            raise StaleIndex(f"{self.folder}: {error}") from error
        self._delta = np.frombuffer(rows, dtype="<u8").reshape(-1, words).astype(np.uint64)
        self._gone = np.zeros(len(self), dtype=bool)
        places = np.frombuffer(gone, dtype="<i8")
        self._gone[places[(places >= 0) & (places < len(self))]] = True
        self._table = np.array(
            [(c.word, c.shift, c.bits, c.tolerance, c.word_tolerance) for c in self._chunks],
            dtype=np.int64,
        ).reshape(-1, 5)
        masks = [chunk.masks() for chunk in self._chunks]
        self._masks = np.concatenate(masks) if masks else np.zeros(0, dtype=np.int64)
        ends = np.cumsum([0, *map(len, masks)])
        self._mask_ends = np.asarray(ends, dtype=np.int64)

    def _in_segment(self, code: Codes, radius: int) -> Ints:
        if Engine.NUMBA in available() and len(self._codes) > _MERGE_LEAST:
            from picdeed.imaging import kernels

            found = kernels.looked_up(
                shuffled(code)[0], self._columns, self._table, self._masks, self._mask_ends,
                self._starts, self._ids, radius,
            )  # fmt: skip
            return np.sort(found)
        return _scanned(code, self._codes, radius)

    def _at(self, places: Ints) -> Codes:
        inside = places < len(self._codes)
        return np.concatenate(
            (self._codes[places[inside]], self._delta[places[~inside] - len(self._codes)])
        )


def build(folder: Path, codes: Codes, radius: int, algorithm: str) -> Index:
    """A new index of uint64[n, w] in `folder`, whatever was there; for queries up to `radius`.

    `algorithm` names the recipe of the codes: an index of another one is never used.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        _forget(old)
    codes = np.ascontiguousarray(codes, dtype=np.uint64)
    header = _write(
        folder, codes, radius, algorithm=algorithm, generation=0, gone=np.zeros(0, dtype=np.int64)
    )
    return Index(folder, header)


def open_index(folder: Path, algorithm: str) -> Index:
    """The index that `build` left; raises StaleIndex when it is not whole or of other codes."""
    try:
        header = json.loads((folder / _HEADER).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StaleIndex(f"{folder}: {error}") from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise StaleIndex(f"{folder} is of another format")
    if header.get("algorithm") != algorithm:
        raise StaleIndex(f"{folder} holds codes of {header.get('algorithm')}, not of {algorithm}")
    try:
        segment = folder / _names(int(header["generation"]))["segment"]
        damaged = [one for one in _ARRAYS if _sum(segment / one) != header["sums"][one]]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise StaleIndex(f"{folder}: {error}") from error
    if damaged:
        raise StaleIndex(f"{folder}: damaged {', '.join(damaged)}")
    return Index(folder, header)


def _names(generation: int) -> dict[str, str]:
    return {kind: f"{kind}-{generation}" for kind in ("segment", "delta", "gone")}


def _write(
    folder: Path, codes: Codes, radius: int, *, algorithm: str, generation: int, gone: Ints
) -> dict[str, object]:
    """Lay a generation's files beside the standing one, then point the header at them."""
    names = _names(generation)
    segment = folder / names["segment"]
    for name in names.values():
        _forget(folder / name)
    segment.mkdir()
    moved = shuffled(codes)
    even = evenness(moved)
    chunks, _ = deal(
        *(1, max(1, len(codes)), codes.shape[1], radius),
        evenness=even,
        costs=_COSTS,
        itself=False,
        most_bits=len(codes).bit_length(),  # more buckets than codes are only memory
    )
    orders, starts, at = [], [], 0
    for chunk in chunks:
        keys = (moved[:, chunk.word] >> np.uint64(chunk.shift)) & np.uint64((1 << chunk.bits) - 1)
        orders.append(np.argsort(keys, kind="stable").astype(np.int32))
        counts = np.bincount(keys.astype(np.int64), minlength=1 << chunk.bits)
        starts.append(np.concatenate(([0], np.cumsum(counts))).astype(np.int64) + at)
        at += len(codes)
    arrays: dict[str, NDArray[np.generic]] = {
        "codes.npy": codes,
        "columns.npy": np.ascontiguousarray(moved.T),
        "ids.npy": np.concatenate(orders),
        "starts.npy": np.concatenate(starts),
    }
    for name, array in arrays.items():
        with (segment / name).open("wb") as file:
            np.save(file, array, allow_pickle=False)
            _settle(file.fileno())
    (folder / names["delta"]).touch()
    (folder / names["gone"]).touch()
    _append(folder / names["gone"], [struct.pack("<q", one) for one in gone])
    header: dict[str, object] = {
        "format": FORMAT, "algorithm": algorithm, "radius": radius, "generation": generation,
        "chunks": [asdict(chunk) for chunk in chunks],
        "sums": {name: _sum(segment / name) for name in arrays},
    }  # fmt: skip
    fresh = folder / f"{_HEADER}.new"
    with fresh.open("w", encoding="utf-8") as file:
        json.dump(header, file)
        file.flush()
        _settle(file.fileno())
    fresh.replace(folder / _HEADER)
    return header


def _append(path: Path, records: list[bytes]) -> None:
    """Records with a checksum each; a record that a kill cut short is cut off first."""
    if not records:
        return
    size = len(records[0]) + 4
    with path.open("r+b") as file:
        file.seek(0, os.SEEK_END)
        file.truncate(file.tell() // size * size)
        file.seek(0, os.SEEK_END)
        file.writelines(one + struct.pack("<I", zlib.crc32(one)) for one in records)
        file.flush()
        _settle(file.fileno())


def _records(path: Path, size: int) -> bytes:
    """The records' contents; a cut one at the end was never promised, a damaged one is an error."""
    data = path.read_bytes()
    whole = len(data) // (size + 4)
    rows = np.frombuffer(data[: whole * (size + 4)], dtype=np.uint8).reshape(-1, size + 4)
    for row in rows:
        if zlib.crc32(row[:size].tobytes()) != int.from_bytes(row[size:].tobytes(), "little"):
            raise ValueError(f"{path.name} is damaged")
    return rows[:, :size].tobytes()


def _scanned(code: Codes, codes: Codes, radius: int) -> Ints:
    found = [np.zeros(0, dtype=np.int64)]
    for start in range(0, len(codes), _BLOCK):
        near = apart(codes[start : start + _BLOCK], code) <= radius
        found.append(start + np.flatnonzero(near))
    return np.concatenate(found)


def _mapped(path: Path) -> NDArray[Any]:
    return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))


def _sum(path: Path) -> int:
    total = 0
    with path.open("rb") as file:
        read: Callable[[], bytes] = partial(file.read, _BLOCK)
        for block in iter(read, b""):
            total = zlib.crc32(block, total)
    return total


def _settle(descriptor: int) -> None:
    os.fsync(descriptor)


def _forget(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
