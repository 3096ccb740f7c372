"""Which pictures lie in a folder? Every one, in the order of their names, and why others do not.

Links are never followed, so that no loop can hold the walk and no link can fetch a file from
outside the source. Files are opened without blocking: a pipe that is called `cat.png` is
refused and not waited for.
"""

from __future__ import annotations

import functools
import os
import posixpath
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from picdeed.core.errors import SourceError, UnreadablePicture
from picdeed.sources import parquet
from picdeed.sources.annotations import (
    Annotations,
    Reading,
    absolute_of,
    caption_name,
    is_table,
)
from picdeed.sources.items import (
    HEAD,
    Found,
    Item,
    Refused,
    Skipped,
    has_picture_suffix,
    shown,
)

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from picdeed.core.limits import Limits

CARD = "README.md"
_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK = 1 << 20
ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")


def walk(root: Path, reading: Reading) -> Iterator[Found]:
    """Everything in the folder, folders after the files beside them, in byte order of names."""
    waiting = [""]
    while waiting:
        here = waiting.pop()
        try:
            entries = _entries(root / here)
        except OSError as error:
            yield Refused(_shown(root, here), "unreadable-folder", _why(error))
            continue
        if {"registry.sqlite", "blobs"} <= {entry.name for entry in entries}:
            yield Skipped(_shown(root, here), "a picdeed registry")
            continue
        stems = {
            posixpath.splitext(entry.name)[0] for entry in entries if has_picture_suffix(entry.name)
        }
        folders = []
        for entry in entries:
            relative = f"{here}/{entry.name}" if here else entry.name
            if entry.name.startswith("."):
                yield Skipped(_shown(root, relative), "dotfile")
            elif entry.is_symlink():
                yield Skipped(_shown(root, relative), "symbolic link")
            elif entry.is_dir(follow_symlinks=False):
                folders.append(relative)
            elif not used_already(relative, stems):
                yield from one_file(root, relative, reading)
        waiting.extend(reversed(folders))


def read_beside(root: Path, annotations: Annotations, limits: Limits) -> None:
    """Read every table in the folder before its first picture. Raises SourceError.

    All at once, so that a broken table stops the command while nothing is registered yet.
    """
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(folder, name)
            if is_table(name) and not path.is_symlink():
                relative = path.relative_to(root).as_posix()
                annotations.add(relative, table_bytes(path, limits), limits)


def one_file(root: Path, relative: str, reading: Reading) -> Iterator[Found]:
    """The file at `relative`: an item, or the rows of a Parquet shard, or why neither."""
    path = root / relative
    name = _shown(root, relative)
    pretends = has_picture_suffix(relative)
    if relative.lower().endswith(".parquet"):
        yield from parquet.shard(path, relative, reading)
        return
    try:
        head = read_file(path, HEAD, whole=False)
    except OSError as error:
        yield Refused(name, "unreadable-file", _why(error))
        return
    except UnreadablePicture as error:
        # A pipe or device: only one that is called like a picture is refused.
        if pretends:
            yield Refused(name, error.reason, error.message)
        else:
            yield Skipped(name, "not a regular file")
        return
    if not pretends and not reading.is_picture(head):
        archive = relative.lower().endswith(ARCHIVES)
        yield Skipped(name, "archive; name it as the source" if archive else "no picture")
        return
    statements = reading.annotations.of(relative, absolute_of(root, relative))
    yield Item(
        name=name,
        relative=shown(relative),
        absolute=path,
        read=functools.partial(_read, path, reading.limits),
        caption=reading.annotations.caption(
            statements, relative, functools.partial(_text_beside, path), reading.limits
        ),
        statements=statements,
    )


def read_file(path: Path, most: int, *, whole: bool = True) -> bytes:
    """A regular file's bytes, at most `most`.

    Raises OSError, and UnreadablePicture when it is no regular file (`not-a-file`) or, with
    `whole`, when it is longer (`too-large`).
    """
    descriptor = os.open(path, _OPEN)
    with open(descriptor, "rb", buffering=0) as stream:  # noqa: PTH123 (a descriptor, not a path)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UnreadablePicture("not-a-file", "It is no regular file.")
        if not whole:
            return stream.read(most) or b""
        pieces = []
        left = most + 1
        while left > 0 and (piece := stream.read(min(_CHUNK, left))):
            pieces.append(piece)
            left -= len(piece)
        if left <= 0:
            raise UnreadablePicture("too-large", f"It is larger than {most} bytes.")
        return b"".join(pieces)


def _read(path: Path, limits: Limits) -> bytes:
    try:
        return read_file(path, limits.picture_bytes)
    except OSError as error:
        raise UnreadablePicture("unreadable-file", _why(error)) from error


def _text_beside(path: Path, most: int) -> bytes | None:
    try:
        return read_file(path.with_name(caption_name(path.name)), most)
    except FileNotFoundError:
        return None


def table_bytes(path: Path, limits: Limits) -> bytes:
    """A table's bytes. Raises SourceError when they cannot be had."""
    try:
        return read_file(path, limits.metadata_bytes)
    except (OSError, UnreadablePicture) as error:
        raise SourceError(
            f"{shown(str(path))} cannot be read; nothing was registered.",
            hint="Make the table readable, or move it out of the source.",
        ) from error


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as found:
        return sorted(found, key=lambda entry: os.fsencode(entry.name))


def used_already(relative: str, stems: Container[str]) -> bool:
    """Whether a file is a table, the card, or the caption of a picture whose stem is in `stems`."""
    stem, suffix = posixpath.splitext(posixpath.basename(relative))
    return is_table(relative) or relative == CARD or (suffix == ".txt" and stem in stems)


def _shown(root: Path, relative: str) -> str:
    return shown(str(root.absolute() / relative) if relative else str(root.absolute()))


def _why(error: OSError) -> str:
    return f"{error.strerror or 'It cannot be read'}."
