"""Where do the codes lie so that a million of them are there at once, and are they still true?

`cache/codes/ALGORITHM/` holds one file for each column of `code_columns`, memory-mapped, and a
header: the algorithms, the ledger's event up to which they speak, and a checksum of each file.
What was written since is appended. The files are made anew from the database when anything does
not fit: another algorithm, a ledger that does not hold that event, a checksum, a code that was
deleted (an erasure takes the whole folder with it, at once) or written over. They can be deleted
at any time.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import sqlalchemy as sa

from picdeed.registry.blobs import write_atomically
from picdeed.registry.code_columns import BY_CODE, LAYOUT, Columns, read_columns
from picdeed.registry.ledger import LedgerEvent, last_event
from picdeed.registry.rollups import rows_since

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy.orm import Session

    from picdeed.registry.session import Registry

FORMAT = 1
_FOLDER = "codes"
_HEADER = "header.json"
_LOCK = "lock"
_TABLES = ("codes", "fingerprints")
_BLOCK = 1 << 20
_ANEW_FROM = 0.5  # of the cached pictures: more new ones are read faster all together


def cached_columns(registry: Registry, algorithm: str, fingerprint: str) -> Columns:
    """What `read_columns` gives for all pictures, from the cache, brought up to date.

    Where nothing can be written the columns come from the database alone.
    """
    folder = registry.cache / _FOLDER / algorithm.replace("/", "-")
    with registry.read() as session:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with _locked(folder):
                return _brought_up(session, folder, algorithm, fingerprint)
        except OSError:
            return read_columns(session, algorithm, fingerprint)


def forget_codes(registry: Registry) -> bool:
    """Remove every cached code, as an erasure must; whether there were any."""
    found = False
    for folder in (registry.cache / _FOLDER).glob("*/"):
        with _locked(folder):
            for path in [one for one in folder.iterdir() if one.name != _LOCK]:
                found = True
                _remove(path)
    return found


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process at a time; others wait."""
    with (folder / _LOCK).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _brought_up(session: Session, folder: Path, algorithm: str, fingerprint: str) -> Columns:
    seq, digest = last_event(session)
    header = _header(folder, algorithm, fingerprint)
    kept = None if header is None else _mapped(folder, header)
    if header is None or kept is None or not _is_known(session, header):
        return _anew(session, folder, algorithm, fingerprint)
    if header["seq"] == seq:
        return kept
    new = _since(session, header["seq"], kept)
    if new is None or len(new) > _ANEW_FROM * len(kept):
        return _anew(session, folder, algorithm, fingerprint)
    header |= {"seq": seq, "event": digest}
    if new:
        more = read_columns(session, algorithm, fingerprint, new)
        _append(folder / header["data"], header, more)
    _publish(folder, header)
    found = _mapped(folder, header)
    return _anew(session, folder, algorithm, fingerprint) if found is None else found


def _since(session: Session, seq: int, kept: Columns) -> set[str] | None:
    """Pictures whose code was written behind an event; None when a cached one is concerned, as by
    a deletion: what is not cached cannot be missing.
    """
    changed = {str(key[0]) for _, key, _ in rows_since(session, seq, _TABLES)}
    names = np.array(sorted(changed), dtype=kept.names.dtype)
    return None if np.isin(kept.names, names).any() else changed


def _anew(session: Session, folder: Path, algorithm: str, fingerprint: str) -> Columns:
    """The database's columns, written beside the old files; whoever maps those keeps them."""
    seq, digest = last_event(session)
    columns = read_columns(session, algorithm, fingerprint)
    old = [one for one in folder.iterdir() if one.name not in (_LOCK, _HEADER)]
    data = f"data-{seq}"
    _remove(folder / data)  # damaged: it is of the same event
    (folder / data).mkdir()
    header: dict[str, Any] = {
        "format": FORMAT,
        "algorithm": algorithm,
        "fingerprint": fingerprint,
        "seq": seq,
        "event": digest,
        "data": data,
        "pictures": 0,
        "codes": 0,
        "sums": dict.fromkeys(LAYOUT, 0),
    }
    _append(folder / data, header, columns)
    _publish(folder, header)
    for one in old:
        if one.name != data:
            _remove(one)  # whoever has it mapped keeps what it maps
    found = _mapped(folder, header, trusted=True)
    return columns if found is None else found


def _append(data: Path, header: dict[str, Any], more: Columns) -> None:
    """Rows behind those that the header counts, and the header counts them too.

    Whatever a killed process left behind them is written over.
    """
    arrays = more.arrays()
    arrays["owner"] = arrays["owner"] + header["pictures"]
    for name, (kind, shape) in LAYOUT.items():
        rows = np.ascontiguousarray(arrays[name], dtype=kind)
        octets = rows.reshape(-1).view(np.uint8).data if rows.size else b""
        path = data / name
        path.touch()
        with path.open("r+b") as file:
            file.seek(_rows(header, name) * _row_bytes(kind, shape))
            file.write(octets)
            file.truncate()
        header["sums"][name] = zlib.crc32(octets, header["sums"][name])
    header["pictures"] += len(more)
    header["codes"] += len(more.owner)


def _publish(folder: Path, header: dict[str, Any]) -> None:
    write_atomically(folder / _HEADER, json.dumps(header, sort_keys=True).encode())


def _header(folder: Path, algorithm: str, fingerprint: str) -> dict[str, Any] | None:
    """The header, when it is one of these algorithms and of this format."""
    try:
        found = json.loads((folder / _HEADER).read_bytes())
        same = {
            "format": FORMAT,
            "algorithm": algorithm,
            "fingerprint": fingerprint,
            "data": str(found["data"]).rpartition("/")[2],
            **{name: int(found[name]) for name in ("seq", "pictures", "codes")},
            "sums": {name: int(found["sums"][name]) for name in LAYOUT},
        }
        return found if found == {**same, "event": str(found["event"])} else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _is_known(session: Session, header: dict[str, Any]) -> bool:
    """Whether the ledger holds the event that the header names: it may be an older database."""
    if header["seq"] == 0:
        return True
    wanted = sa.select(LedgerEvent.hash).where(LedgerEvent.seq == header["seq"])
    return bool(session.execute(wanted).scalar_one_or_none() == header["event"])


def _mapped(folder: Path, header: dict[str, Any], *, trusted: bool = False) -> Columns | None:
    """The files as arrays; None when one is too short or holds other bytes than it should."""
    arrays: dict[str, Any] = {}
    for name, (kind, shape) in LAYOUT.items():
        count = _rows(header, name)
        path = folder / header["data"] / name
        try:
            if not count:
                arrays[name] = np.zeros((0, *shape), dtype=kind)
                continue
            found = np.memmap(path, dtype=kind, mode="r", shape=(count, *shape))
        except (OSError, ValueError):
            return None
        if not trusted and _sum(found) != header["sums"][name]:
            return None
        arrays[name] = np.asarray(found)
    return Columns(**arrays)


def _sum(array: np.ndarray) -> int:
    total = 0
    octets = array.reshape(-1).view(np.uint8)
    for start in range(0, len(octets), _BLOCK):
        total = zlib.crc32(octets[start : start + _BLOCK].data, total)
    return total


def _rows(header: dict[str, Any], name: str) -> int:
    return int(header["codes" if name in BY_CODE else "pictures"])


def _row_bytes(kind: str, shape: tuple[int, ...]) -> int:
    return int(np.dtype(kind).itemsize * np.prod(shape, dtype=np.int64))


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
