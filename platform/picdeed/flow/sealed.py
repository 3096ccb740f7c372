"""Is this one file, byte for byte, what was put into it? A zip whose entries are only stored.

Any program opens it. Its comment holds the SHA-256 of every byte before it, so that no flipped bit
passes, wherever it lies; who vouches for the entries is another question (bundled.py). What comes
from elsewhere is held against bounds before it is read: nothing is unpacked by the name it gives
itself, and nothing can grow, for packed entries are refused.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import struct
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from picdeed.core.errors import IntegrityError, UsageError
from picdeed.core.ids import sha256_file
from picdeed.core.limits import DEFAULT

_SEAL = b"picdeed.sealed/1 sha256:"
_DIGITS = 64
_COMMENT = len(_SEAL) + _DIGITS
_END = 22 + _COMMENT  # zip's last record, with the comment
_PIECE = 1 << 20
_LARGE = 1 << 30  # from here on an entry's header leaves room for 64-bit sizes
_WHEN = (1980, 1, 1, 0, 0, 0)
_MODE = 0o100644 << 16
_PASSWORD = 0x1
# What zipfile raises on a file that is none, or that breaks off.
_BROKEN = (
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    ValueError,
    EOFError,
    struct.error,
)


@dataclass(frozen=True, slots=True)
class Part:
    """One entry to be sealed: its name, the SHA-256 (hex) of its bytes, and where these are."""

    name: str
    sha256: str
    source: bytes | Path


def seal(path: Path, parts: Iterable[Part]) -> str:
    """Write a sealed file and wait until it is on the disk; gives its SHA-256.

    The same parts give the same bytes. Raises IntegrityError naming a part that is not what its
    hash says; the file that was begun is then removed.
    """
    try:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            for part in parts:
                _put(archive, part)
            archive.comment = b"." * _COMMENT
        comment = _SEAL + _hash_before(path).encode()
        with path.open("r+b") as stream:
            stream.seek(-_COMMENT, os.SEEK_END)
            stream.write(comment)
            stream.flush()
            os.fsync(stream.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return sha256_file(path)


def _put(archive: zipfile.ZipFile, part: Part) -> None:
    info = zipfile.ZipInfo(part.name, _WHEN)
    info.create_system, info.external_attr = 3, _MODE
    source, digest = part.source, hashlib.sha256()
    size = len(source) if isinstance(source, bytes) else source.stat().st_size
    with archive.open(info, "w", force_zip64=size >= _LARGE) as stream:
        for piece in [source] if isinstance(source, bytes) else _pieces(source):
            digest.update(piece)
            stream.write(piece)
    if digest.hexdigest() != part.sha256:
        raise IntegrityError(
            f"{part.name} is not what was registered; no file was written.",
            hint="picdeed audit lists what is wrong.",
        )


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE):
            yield piece


def _hash_before(path: Path) -> str:
    """SHA-256 of all but the comment."""
    digest, left = hashlib.sha256(), path.stat().st_size - _COMMENT
    with path.open("rb") as stream:
        while left > 0 and (piece := stream.read(min(_PIECE, left))):
            digest.update(piece)
            left -= len(piece)
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Sealed:
    """An open sealed file whose every byte was checked. `sizes` are bytes by entry's name."""

    path: Path
    sizes: dict[str, int]
    _archive: zipfile.ZipFile

    def read(self, name: str, most: int) -> bytes:
        """The bytes of a small entry. Raises IntegrityError when it is missing or too long."""
        if name not in self.sizes:
            raise altered(self.path, f"{name} is missing")
        if self.sizes[name] > most:
            raise altered(self.path, f"{name} is longer than {most} bytes")
        return b"".join(self.pieces(name))

    def pieces(self, name: str) -> Iterator[bytes]:
        """The bytes of an entry, 1 MiB at a time."""
        try:
            with self._archive.open(name) as stream:
                while piece := stream.read(_PIECE):
                    yield piece
        except _BROKEN as error:
            raise altered(self.path, f"{name} cannot be read") from error

    def digest(self, name: str) -> str:
        """SHA-256 of an entry's bytes."""
        found = hashlib.sha256()
        for piece in self.pieces(name):
            found.update(piece)
        return found.hexdigest()


@contextlib.contextmanager
def unsealed(path: Path, names: re.Pattern[str], what: str) -> Iterator[Sealed]:
    """Open a sealed file whose entries have names of this kind; `what` is said to be opened.

    Raises UsageError on a file that never was one, IntegrityError on one that was altered.
    """
    if not path.is_file():
        raise UsageError(f"{path} is no {what}; nothing was done.")
    with path.open("rb") as stream:
        begins = stream.read(4)
        stream.seek(max(0, path.stat().st_size - _COMMENT))
        comment = stream.read()
    if begins[:2] != b"PK" and not comment.startswith(_SEAL):
        raise UsageError(f"{path} is no {what}; nothing was done.")
    if path.stat().st_size < _END or comment != _SEAL + _hash_before(path).encode():
        raise altered(path, "its bytes are not those that were sealed")
    try:
        archive = zipfile.ZipFile(path)
    except _BROKEN as error:
        raise altered(path, f"it is no archive that can be read ({error})") from error
    with archive:
        if archive.comment != comment:
            raise altered(path, "something follows the archive")
        yield Sealed(path, _listed(path, archive, names), archive)


def _listed(path: Path, archive: zipfile.ZipFile, names: re.Pattern[str]) -> dict[str, int]:
    """Sizes by name, once no entry is packed, named twice, or named what it may not be."""
    found: dict[str, int] = {}
    if len(archive.infolist()) > DEFAULT.archive_members:
        raise altered(path, f"it has more than {DEFAULT.archive_members} entries")
    for info in archive.infolist():
        if not names.fullmatch(info.filename):
            raise altered(path, f"{info.filename[:80]!r} may not stand in it")
        if info.filename in found:
            raise altered(path, f"{info.filename} stands in it twice")
        stored = info.compress_type == zipfile.ZIP_STORED and info.file_size == info.compress_size
        if not stored or info.flag_bits & _PASSWORD:
            raise altered(path, f"{info.filename} is packed, and only what is stored is read")
        found[info.filename] = info.file_size
    # Entries that share their bytes would be more than the file itself.
    if sum(found.values()) > path.stat().st_size:
        raise altered(path, "its entries promise more than it holds")
    return found


def altered(
    path: Path, why: str, hint: str = "Bring it over again from where it was made."
) -> IntegrityError:
    """What is wrong with a file that is not what it was; nothing was done with it."""
    return IntegrityError(
        f"{path.name} was altered, or cut short on its way: {why}. Nothing was done with it.",
        hint=hint,
    )
