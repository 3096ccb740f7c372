"""Where do the notices of a snapshot, run, adapter or output go, as a file of their own?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from picdeed.core.errors import UsageError
from picdeed.core.ids import sha256, sha256_file
from picdeed.flow.notices import KINDS, notices
from picdeed.registry import subjects
from picdeed.registry.blobs import write_atomically
from picdeed.registry.session import Registry
from picdeed.rights.catalogue import Catalogue

_SHOWN = 12  # characters of an id in a file's name


@dataclass(frozen=True, slots=True)
class Exported:
    """One file. `missing` counts pictures about which nobody recorded a fact, by the fact."""

    format: str
    subject: str
    path: Path
    sha256: str
    pictures: int
    missing: Mapping[str, int]


def export_notices(
    registry: Registry, catalogue: Catalogue, subject: str, to: Path | None = None
) -> Exported:
    """Write the notices to `to`, a file or a folder (the current one); as JSON to a `.json`.

    The same bytes are not written again. Raises UsageError, changing nothing, where another file
    lies, and UnknownSubject.
    """
    with registry.read() as session:
        whole = subjects.resolve(session, subject, KINDS)
    found = notices(registry, catalogue, whole)
    path = Path.cwd() if to is None else to
    if path.is_dir():
        path /= f"NOTICES-{whole[:_SHOWN]}.txt"
    data = found.json() if path.suffix == ".json" else found.text
    write_once(path, data)
    return Exported("notices", whole, path.absolute(), sha256(data), found.pictures, found.missing)


def require_free(path: Path, data: bytes) -> bool:
    """Raise UsageError unless `data` can be written to `path` or lies there already; True then."""
    if path.is_file():
        if sha256_file(path) == sha256(data):
            return True
        raise UsageError(
            f"{path} holds something else; nothing was written.",
            hint="Name another place with --to PATH, or move that file away.",
        )
    if path.is_symlink() or path.exists():
        raise UsageError(f"{path} is no plain file; nothing was written.")
    if not path.parent.is_dir():
        raise UsageError(
            f"{path.parent} is no folder; nothing was written.", hint="Make the folder first."
        )
    return False


def write_once(path: Path, data: bytes) -> None:
    """Write a file that is not there yet; the same bytes are not written again.

    Raises UsageError where another file lies or nothing can be written.
    """
    if require_free(path, data):
        return
    try:
        write_atomically(path, data)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror or error}.",
            hint="Name another place with --to PATH.",
        ) from error
