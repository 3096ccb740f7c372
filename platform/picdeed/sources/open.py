"""What is this source, and what lies in it? One door for files, folders, archives and shards."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from picdeed.core.errors import UnreadablePicture, UsageError
from picdeed.core.limits import DEFAULT, Limits
from picdeed.sources import archive, folder, parquet
from picdeed.sources.annotations import Annotations, Reading
from picdeed.sources.huggingface import card_statements
from picdeed.sources.items import HEAD, Found, has_picture_suffix, shown
from picdeed.sources.metadata import BESIDE, read_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_PARQUET = b"PAR1"
_ZIP = b"PK\x03\x04"


class SourceKind(StrEnum):
    """The forms in which pictures come."""

    PICTURE = "picture"
    FOLDER = "folder"
    ARCHIVE = "archive"
    PARQUET = "parquet"


class Source:
    """What one source holds, to be gone through once and in order.

    `warnings` is complete when the iteration has ended: only then is it known which rows of a
    table named nothing.
    """

    def __init__(
        self, path: Path, kind: SourceKind, annotations: Annotations, found: Iterator[Found]
    ) -> None:
        self.path = path
        self.kind = kind
        self._annotations = annotations
        self._found = found

    def __iter__(self) -> Iterator[Found]:
        return self._found

    def __next__(self) -> Found:
        return next(self._found)

    @property
    def warnings(self) -> list[str]:
        """What a person should read, in a fixed order, without repetitions."""
        return self._annotations.all_warnings()


def open_source(
    path: Path,
    *,
    metadata: Path | None = None,
    is_picture: Callable[[bytes], bool],
    limits: Limits = DEFAULT,
) -> Source:
    """The pictures at `path`: a picture, folder, dataset folder, zip, tar or Parquet file.

    `is_picture` says of a file's first HEAD bytes whether they begin a picture. Raises
    UsageError when `path` or `metadata` is not there, SourceError when a table or archive
    cannot be understood; nothing has been yielded then.
    """
    root = _resolved(path)
    annotations = Annotations(named=read_table(metadata, limits) if metadata else None)
    reading = Reading(annotations, is_picture, limits)
    if root.is_dir():
        folder.read_beside(root, annotations, limits)
        _read_card(root, annotations, limits)
        found = folder.walk(root, reading)
        return Source(path, SourceKind.FOLDER, annotations, found)
    kind = _kind(root, is_picture)
    if kind is SourceKind.ARCHIVE:
        found = archive.walk(root, reading)
    elif kind is SourceKind.PARQUET:
        parquet.check(root)
        found = parquet.shard(root, root.name, reading)
    else:
        annotations.whole = False
        _read_tables_beside(root, annotations, limits)
        found = folder.one_file(root.parent, root.name, reading)
    return Source(path, kind, annotations, found)


def _resolved(path: Path) -> Path:
    """The source itself: a link that the user named is meant, links inside are not followed."""
    try:
        found = path.resolve(strict=True) if path.is_symlink() else path.absolute()
        found.stat()
    except (OSError, RuntimeError) as error:
        why = "leads in a circle" if path.is_symlink() else "cannot be found"
        raise UsageError(
            f"The source {shown(str(path))} {why}; nothing was registered.",
            hint="Name a picture, a folder, a zip or tar archive, or a Parquet file.",
        ) from error
    return found


def _kind(path: Path, is_picture: Callable[[bytes], bool]) -> SourceKind:
    """By content. A picture comes first: one that is also an archive is taken as a picture."""
    try:
        head = folder.read_file(path, HEAD, whole=False)
    except (OSError, UnreadablePicture):
        return SourceKind.PICTURE  # the walk says why it cannot be read
    if is_picture(head) or has_picture_suffix(path.name):
        return SourceKind.PICTURE
    if head.startswith(_PARQUET):
        return SourceKind.PARQUET
    # A broken archive is told by its name or first bytes, so that opening it says what is wrong.
    claims = path.name.lower().endswith(folder.ARCHIVES) or head.startswith(_ZIP)
    return SourceKind.ARCHIVE if claims or archive.is_archive(path) else SourceKind.PICTURE


def _read_card(root: Path, annotations: Annotations, limits: Limits) -> None:
    try:
        data = folder.read_file(root / folder.CARD, limits.metadata_bytes)
    except (OSError, UnreadablePicture):
        return
    annotations.package, notes = card_statements(data, folder.CARD)
    annotations.warnings += notes


def _read_tables_beside(path: Path, annotations: Annotations, limits: Limits) -> None:
    for name in BESIDE:
        if (path.parent / name).is_file():
            annotations.add(name, folder.table_bytes(path.parent / name, limits), limits)
