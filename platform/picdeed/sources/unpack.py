"""What did a server mean by the bytes of a body: which chunks, packed how? Never more than asked.

RFC 9112, section 7.1 (chunked) and RFC 9110, section 8.4.1 (gzip, deflate).
"""

from __future__ import annotations

import zlib

_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_RAW = -zlib.MAX_WBITS


class UnpackError(ValueError):
    """Why a body cannot be unpacked."""


def unpacked(body: bytes, transfer: str, content: str, most: int) -> bytes:
    """The body without its codings. Raises UnpackError beyond `most` bytes or where it breaks."""
    for coding in reversed(_codings(transfer)):
        body = _joined(body, most) if coding == "chunked" else _inflated(body, coding, most)
    for coding in reversed(_codings(content)):
        body = _inflated(body, coding, most)
    if len(body) > most:
        raise UnpackError(f"more than {most} bytes")
    return body


def _codings(said: str) -> list[str]:
    words = (word.strip().lower() for word in said.split(","))
    return [word for word in words if word not in ("", "identity")]


def _joined(body: bytes, most: int) -> bytes:
    parts: list[bytes] = []
    at = total = 0
    while True:
        end = body.find(b"\r\n", at)
        try:
            size = int(body[at:end].partition(b";")[0], 16) if end >= 0 else -1
        except ValueError:
            size = -1
        if size < 0:
            if not parts:
                return body  # many tools record bodies already put together
            raise UnpackError("chunks that break off")
        if size == 0:
            return b"".join(parts)
        part = body[end + 2 : end + 2 + size]
        total += size
        if len(part) != size or total > most:
            raise UnpackError(f"chunks that break off or exceed {most} bytes")
        parts.append(part)
        at = end + 2 + size + 2


def _inflated(body: bytes, coding: str, most: int) -> bytes:
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise UnpackError(f"the coding {coding[:40]!r} is not one that picdeed unpacks")
    if not body:
        return body
    for window in (_GZIP_OR_ZLIB, _RAW):
        inflater = zlib.decompressobj(window)
        try:
            content = inflater.decompress(body, most + 1)
        except zlib.error:
            continue
        if len(content) > most or inflater.unconsumed_tail:
            raise UnpackError(f"it unpacks to more than {most} bytes")
        if not inflater.eof:
            raise UnpackError("it breaks off")
        return content
    if coding != "deflate" and not body.startswith(b"\x1f\x8b"):
        return body  # recorded already unpacked, its header left as it was
    raise UnpackError(f"it is no {coding}")
