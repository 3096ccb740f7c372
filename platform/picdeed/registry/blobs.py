"""Where do bytes lie that a row names by their SHA-256?"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from picdeed.core.errors import IntegrityError
from picdeed.core.ids import sha256, sha256_file

if TYPE_CHECKING:
    from collections.abc import Iterator

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Blobs:
    """Files named by their content under `root`, in folders ab/cd/. A blob never changes."""

    root: Path

    def path(self, digest: str) -> Path:
        """Where the blob lies, whether it exists or not. Raises ValueError on no SHA-256."""
        if not _DIGEST.fullmatch(digest):
            raise ValueError(f"{digest!r} is not a SHA-256")
        return self.root / digest[:2] / digest[2:4] / digest

    def exists(self, digest: str) -> bool:
        """Whether there is such a file; says nothing about its bytes."""
        return self.path(digest).is_file()

    def put(self, data: bytes) -> str:
        """Store bytes durably and return their SHA-256. Known bytes are not written again."""
        digest = sha256(data)
        if not self._holds(digest, len(data)):
            with self._arriving() as stream:
                stream.write(data)
            self._settle(Path(stream.name), digest)
        return digest

    def put_file(self, source: Path) -> str:
        """Copy a file in and return the SHA-256 of what was copied."""
        with source.open("rb") as origin, self._arriving() as stream:
            shutil.copyfileobj(origin, stream, 1 << 20)
        arrived = Path(stream.name)
        digest = sha256_file(arrived)
        if self._holds(digest, arrived.stat().st_size):
            arrived.unlink()
        else:
            self._settle(arrived, digest)
        return digest

    def read(self, digest: str) -> bytes:
        """The bytes, checked. Raises IntegrityError when they are missing or not what they were."""
        try:
            data = self.path(digest).read_bytes()
        except FileNotFoundError:
            raise IntegrityError(
                f"The bytes {digest[:12]}... are missing from the registry.",
                hint="Run picdeed audit; restore the file from a backup.",
            ) from None
        if sha256(data) != digest:
            raise IntegrityError(
                f"The bytes {digest[:12]}... are not what was registered.",
                hint="Run picdeed audit; restore the file from a backup.",
            )
        return data

    def verify(self, digest: str) -> bool:
        """Whether the blob is there and its bytes are those that its name says."""
        try:
            return sha256_file(self.path(digest)) == digest
        except OSError:
            return False

    def remove(self, digest: str) -> bool:
        """Erase a blob; False when there was none."""
        try:
            self.path(digest).unlink()
        except FileNotFoundError:
            return False
        return True

    def digests(self) -> Iterator[str]:
        """The name of every blob, in order."""
        for path in sorted(self.root.glob("??/??/*")):
            if _DIGEST.fullmatch(path.name):
                yield path.name

    def _holds(self, digest: str, size: int) -> bool:
        # A file of another size is a blob that somebody cut short: it is written again.
        try:
            return self.path(digest).stat().st_size == size
        except FileNotFoundError:
            return False

    def _arriving(self) -> tempfile._TemporaryFileWrapper[bytes]:
        folder = self.root / "arriving"
        folder.mkdir(parents=True, exist_ok=True)
        return tempfile.NamedTemporaryFile(dir=folder, suffix=".part", delete=False)

    def _settle(self, arrived: Path, digest: str) -> None:
        place = self.path(digest)
        place.parent.mkdir(parents=True, exist_ok=True)
        sync(arrived)
        arrived.chmod(0o644)
        arrived.replace(place)
        sync(place.parent)


def sync(path: Path) -> None:
    """Wait until a file's bytes, or a folder's names, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_atomically(path: Path, data: bytes) -> None:
    """Write a small file so that a reader sees the old bytes or the new, never a part."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    with os.fdopen(handle, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    arrived = Path(name)
    arrived.chmod(0o644)
    arrived.replace(path)
    sync(path.parent)
