"""Where do dropped files wait until they are registered? In one folder, under tame names."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

from picdeed.core.ids import hash_json, sha256

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NAME_BYTES = 200


@contextlib.contextmanager
def laid_out(cache: Path, files: Sequence[tuple[str, bytes]]) -> Iterator[Path]:
    """A folder below `cache` that holds these (name, bytes), gone again afterwards.

    It is named for what it holds: the same drop again is the same place again, so registering
    it twice adds no second occurrence.
    """
    named = _tame([name for name, _ in files])
    listed = [[name, sha256(data)] for name, (_, data) in zip(named, files, strict=True)]
    place = cache / "dropped" / hash_json(listed)[:16]
    place.mkdir(parents=True, exist_ok=True)
    try:
        for name, (_, data) in zip(named, files, strict=True):
            (place / name).write_bytes(data)
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _tame(names: Sequence[str]) -> list[str]:
    """File names without folders, each used once: browsers send whatever a page tells them to."""
    taken: set[str] = set()
    tamed = []
    for name in names:
        last = PureWindowsPath(PurePosixPath(name).name).name.replace("\0", "")
        if last in ("", ".", ".."):
            last = "file"
        suffix = PurePosixPath(last).suffix
        stem = last.removesuffix(suffix).encode()[:NAME_BYTES].decode(errors="ignore") or "file"
        one, n = f"{stem}{suffix}", 1
        while one in taken:
            n += 1
            one = f"{stem}-{n}{suffix}"
        taken.add(one)
        tamed.append(one)
    return tamed
