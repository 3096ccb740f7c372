"""Is there XMP in the bytes that no container admits to? What can be cut out whole, is.

Packets are meant to be found by a scan that knows no format (ISO 16684-1, section 7.3): behind
the end of a picture, in a comment, in a box of some application. What is marked and cannot be
cut out is reported, so that a person looks.
"""

from __future__ import annotations

from collections.abc import Iterable

# Lower case: property names were seen in every case. Long enough never to come up by chance.
_WORDS = (b"<x:xmpmeta", b"<?xpacket begin", b"<rdf:rdf", b"datamining", b"dmi-prohibited")


def _wide(word: bytes, zeros: int) -> bytes:
    """The word in UTF-16 or UTF-32 of either byte order: what both spellings have in common."""
    return (b"\0" * zeros).join(bytes((letter,)) for letter in word)


_MARKS = tuple(_wide(word, zeros) for word in _WORDS for zeros in (0, 1, 3))
_SPANS = (
    (b"<?xpacket begin", b"<?xpacket end", b"?>"),
    (b"<x:xmpmeta", b"</x:xmpmeta", b">"),
    (b"<rdf:rdf", b"</rdf:rdf", b">"),
)
_MOST_PACKETS = 16


def is_marked(data: bytes) -> bool:
    """Whether an XMP or DataMining mark stands in the bytes, in any case and encoding."""
    low = data.lower()
    return any(mark in low for mark in _MARKS)


def carve(data: bytes, known: Iterable[bytes], most: int) -> tuple[list[bytes], bool]:
    """Packets of up to `most` bytes outside the `known` stretches, and whether marks are left."""
    if not is_marked(data):
        return [], False
    for piece in known:
        data = data.replace(piece, b"")
    if not is_marked(data):
        return [], False
    packets: list[bytes] = []
    for opening, closing, last in _SPANS:
        at = 0
        while len(packets) < _MOST_PACKETS:
            low = data.lower()
            start = low.find(opening, at)
            end = low.find(closing, start) if start >= 0 else -1
            end = low.find(last, end) if end >= 0 else -1
            if end < 0:
                break
            end += len(last)
            if end - start > most or low.find(opening, start + 1, end) >= 0:
                at = start + 1  # too long, or one that was cut off before the next began
                continue
            packets.append(data[start:end])
            data = data[:start] + data[end:]
            at = start
    return packets, is_marked(data)
