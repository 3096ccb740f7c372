"""Which pictures stand in an archive? Zip and tar are read in place, nothing is unpacked to disk.

So a member called `../../x.png` can reach nothing; it is only a name. WebDataset shards are tar
files whose members share a stem: `7.jpg`, `7.txt` (caption) and `7.json` (the row's fields).
"""

from __future__ import annotations

import functools
import json
import lzma
import posixpath
import stat
import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from picdeed.core.errors import SourceError, UnreadablePicture
from picdeed.sources.annotations import (
    Reading,
    caption_name,
    is_table,
)
from picdeed.sources.folder import used_already
from picdeed.sources.items import (
    HEAD,
    Found,
    Item,
    Refused,
    Skipped,
    Statement,
    has_picture_suffix,
    shown,
)
from picdeed.sources.metadata import fields_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from picdeed.core.limits import Limits

_BROKEN = (
    OSError,
    EOFError,
    RuntimeError,  # zipfile's word for a member that needs a password
    NotImplementedError,
    ValueError,
    zlib.error,
    lzma.LZMAError,
    tarfile.TarError,
    zipfile.BadZipFile,
)


@dataclass(frozen=True, slots=True)
class Member:
    """One entry of an archive; `special` says why it is no regular file, else it is empty."""

    relative: str
    size: int
    special: str
    open: Callable[[], IO[bytes]]


def is_archive(path: Path) -> bool:
    """Whether the file is a zip or tar that can be opened."""
    try:
        return zipfile.is_zipfile(path) or tarfile.is_tarfile(path)
    except _BROKEN:
        return False


def walk(path: Path, reading: Reading) -> Iterator[Found]:
    """Everything in the archive, in its own order. Raises SourceError on a broken archive.

    The whole list of members is read at once, tables too, before the first one is yielded.
    """
    archive = _opened(path)
    try:
        members = _bounded(path, _members(archive), reading.limits)
    except _BROKEN as error:
        raise _unreadable(path, str(error)) from error
    for member in members:
        if is_table(member.relative) and not _passed_over(member):
            reading.annotations.add(member.relative, _table(member, reading.limits), reading.limits)
    return _all(path, members, reading)


def _all(path: Path, members: Sequence[Member], reading: Reading) -> Iterator[Found]:
    """The members one by one. Items hold the archive open: it closes with the last of them."""
    texts = _texts(members)
    stems = {posixpath.splitext(one.relative)[0] for one in members if _pretends(one)}
    for member in members:
        why = _passed_over(member)
        if why:
            yield Skipped(_name(path, member), why)
        elif not _used(member.relative, stems):
            yield _found(path, member, texts, reading)


def _found(path: Path, member: Member, texts: dict[str, Member], reading: Reading) -> Found:
    name = _name(path, member)
    limits = reading.limits
    pretends = has_picture_suffix(member.relative)
    if not pretends:
        try:
            with member.open() as stream:
                known = reading.is_picture(stream.read(HEAD))
        except _BROKEN as error:
            return Refused(name, "unreadable-file", f"The archive does not give it: {error}")
        if not known:
            return Skipped(name, "no picture")
    statements = _row_beside(member.relative, texts, limits) + reading.annotations.of(
        member.relative
    )
    return Item(
        name=name,
        relative=shown(member.relative),
        absolute=path,
        read=functools.partial(_read, member, limits.picture_bytes),
        caption=reading.annotations.caption(
            statements,
            member.relative,
            functools.partial(_text_beside, member.relative, texts),
            limits,
        ),
        statements=statements,
    )


def _name(path: Path, member: Member) -> str:
    return shown(f"{path.absolute()}/{member.relative}")


def _read(member: Member, most: int) -> bytes:
    """The member's bytes; what it promised is not trusted, so it is read with a bound."""
    too_large = UnreadablePicture("too-large", f"It is larger than {most} bytes.")
    if member.size > most:
        raise too_large
    try:
        with member.open() as stream:
            data = stream.read(most + 1)
    except _BROKEN as error:
        raise UnreadablePicture(
            "unreadable-file", f"The archive does not give it: {error}"
        ) from error
    if len(data) > most:
        raise too_large
    return data


def _opened(path: Path) -> zipfile.ZipFile | tarfile.TarFile:
    try:
        return zipfile.ZipFile(path) if zipfile.is_zipfile(path) else tarfile.open(path)
    except _BROKEN as error:
        raise _unreadable(path, str(error)) from error


def _members(archive: zipfile.ZipFile | tarfile.TarFile) -> Iterator[Member]:
    return _zip_members(archive) if isinstance(archive, zipfile.ZipFile) else _tar_members(archive)


def _bounded(path: Path, members: Iterator[Member], limits: Limits) -> list[Member]:
    listed = []
    total = 0
    for member in members:
        listed.append(member)
        total += member.size
        if len(listed) > limits.archive_members:
            raise _unreadable(path, f"it has more than {limits.archive_members} members")
        if total > limits.archive_bytes:
            raise _unreadable(path, f"it unpacks to more than {limits.archive_bytes} bytes")
    return listed


def _zip_members(archive: zipfile.ZipFile) -> Iterator[Member]:
    for info in archive.infolist():
        if info.is_dir():
            continue
        mode = info.external_attr >> 16
        special = "symbolic link" if stat.S_ISLNK(mode) else ""
        yield Member(
            _zip_name(info), info.file_size, special, functools.partial(archive.open, info)
        )


def _zip_name(info: zipfile.ZipInfo) -> str:
    """Names without zip's UTF-8 mark are UTF-8 nevertheless or bytes of an unknown encoding."""
    utf8 = 0x800
    if info.flag_bits & utf8:
        return info.filename
    try:
        return info.filename.encode("cp437").decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return info.filename


def _tar_members(archive: tarfile.TarFile) -> Iterator[Member]:
    for info in archive:
        if info.isdir():
            continue
        special = ""
        if info.issym() or info.islnk():
            special = "symbolic link" if info.issym() else "hard link"
        elif not info.isreg():
            special = "not a regular file"
        size = info.size if not special else 0
        yield Member(info.name, size, special, functools.partial(_extracted, archive, info))


def _extracted(archive: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    stream = archive.extractfile(info)
    if stream is None:
        raise OSError(f"{info.name} has no bytes")
    return stream


def _texts(members: Sequence[Member]) -> dict[str, Member]:
    """Captions and rows that may stand beside pictures, by path."""
    return {
        one.relative: one
        for one in members
        if one.relative.endswith((".txt", ".json")) and not _passed_over(one)
    }


def _text_beside(relative: str, texts: dict[str, Member], most: int) -> bytes | None:
    member = texts.get(caption_name(relative))
    return None if member is None else _read(member, most)


def _row_beside(relative: str, texts: dict[str, Member], limits: Limits) -> tuple[Statement, ...]:
    """WebDataset's NAME.json. One that cannot be read is a licence nobody can parse."""
    member = texts.get(posixpath.splitext(relative)[0] + ".json")
    if member is None:
        return ()
    where = shown(member.relative)
    try:
        values = json.loads(_read(member, limits.metadata_bytes))
    except (UnreadablePicture, ValueError, RecursionError):
        return (Statement("license", f"unreadable row {where}", where),)
    if not isinstance(values, dict):
        return ()
    return tuple(Statement(key, text, where) for key, text in fields_of(values).items())


def _used(relative: str, stems: set[str]) -> bool:
    stem, suffix = posixpath.splitext(relative)
    return used_already(relative, ()) or (suffix in (".txt", ".json") and stem in stems)


def _pretends(member: Member) -> bool:
    return has_picture_suffix(member.relative) and not _passed_over(member)


def _passed_over(member: Member) -> str:
    if any(part.startswith(".") and part not in (".", "..") for part in member.relative.split("/")):
        return "dotfile"
    return member.special


def _table(member: Member, limits: Limits) -> bytes:
    try:
        return _read(member, limits.metadata_bytes)
    except UnreadablePicture as error:
        raise SourceError(
            f"{shown(member.relative)} in the archive cannot be read; nothing was registered.",
            hint="Repair the archive, or take the table out of it.",
        ) from error


def _unreadable(path: Path, why: str) -> SourceError:
    return SourceError(
        f"The archive {shown(path.name)} cannot be read: {why}; nothing was registered.",
        hint="Unpack it yourself and name the folder.",
    )
