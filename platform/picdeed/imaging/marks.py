"""What names each of many picture files, and what do they look like, from one decode a file?

Pictures go by groups, each step for a whole group before the next one: what a step needs is then
still in the processor's caches, which decoding a large file empties, and the transforms are done
together. It saves about a tenth of the time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from picdeed.core.errors import UnreadablePicture
from picdeed.core.ids import sha256
from picdeed.core.limits import DEFAULT, Limits
from picdeed.imaging.codes import Code, codes_from
from picdeed.imaging.decode import LONGEST, SHORTEST, Decoded, Header, decoded, flat_of, header
from picdeed.imaging.fields import fields_of
from picdeed.imaging.fingerprints import Fingerprint, fingerprints_from, shrunk

# A group is full at so many pictures, or at so many pixels that lie decoded at once; a larger
# picture goes alone.
_PICTURES, _PIXELS = 12, 4_000_000

Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class Marks:
    """One picture file: its bytes, their SHA-256 (hex), and what a single decode gave."""

    data: bytes
    sha256: str
    decoded: Decoded
    code: Code
    fingerprint: Fingerprint


def marks_of(
    files: Iterable[tuple[Key, bytes]],
    limits: Limits = DEFAULT,
    *,
    at_least: int = SHORTEST,
    long_side: int = LONGEST,
) -> Iterator[tuple[Key, Marks | UnreadablePicture]]:
    """For each (key, bytes), in this order, its marks or why it was refused.

    `at_least` and `long_side` are those of `decode`; codes that are kept are made with the
    defaults, as `decode_small` has them. The next twelve files may be read before one is given.
    """
    group: list[tuple[Key, Header | UnreadablePicture]] = []
    pixels = 0
    for key, data in files:
        try:
            read: Header | UnreadablePicture = header(
                data, limits, at_least=at_least, long_side=long_side
            )
        except UnreadablePicture as refusal:
            read = refusal
        more = read.pixels if isinstance(read, Header) else 0
        if group and (len(group) == _PICTURES or pixels + more > _PIXELS):
            yield from _together(group)
            group, pixels = [], 0
        group.append((key, read))
        pixels += more
    yield from _together(group)


def _together(
    group: list[tuple[Key, Header | UnreadablePicture]],
) -> Iterator[tuple[Key, Marks | UnreadablePicture]]:
    """The group's marks; it is emptied, since a header holds pixels once it was decoded."""
    tried = [(key, *_tried(group.pop(0)[1])) for key, _ in group[:]]
    fields, small = [], []
    for *_, found in tried:
        if isinstance(found, Decoded):
            flat = flat_of(found)
            fields.append(fields_of(flat))
            small.append(shrunk(flat))
    codes, fingerprints = iter(codes_from(fields)), iter(fingerprints_from(small))
    for key, data, digest, found in tried:
        if isinstance(found, Decoded):
            yield key, Marks(data, digest, found, next(codes), next(fingerprints))
        else:
            yield key, found


def _tried(read: Header | UnreadablePicture) -> tuple[bytes, str, Decoded | UnreadablePicture]:
    """The bytes, their SHA-256 and the picture; only why not, where it was refused."""
    if isinstance(read, UnreadablePicture):
        return b"", "", read
    try:
        return read.data, sha256(read.data), decoded(read)
    except UnreadablePicture as refusal:
        return b"", "", refusal
