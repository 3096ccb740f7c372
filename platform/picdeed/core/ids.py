"""How is anything named by its content? Canonical JSON, SHA-256 and RFC 6962 trees: only here."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import rfc8785

from picdeed.core.errors import UsageError

PREFIXES = ("img", "dat", "snp", "dec", "run", "adp", "out", "grt", "clu", "rev", "bas")
_ID = re.compile(r"^(?P<kind>[a-z]{3})_(?P<digits>[0-9a-f]{1,64})$")
_CHUNK = 1 << 20


def canonical_json(value: Any) -> bytes:
    """RFC 8785 bytes of a JSON value. Raises ValueError on NaN, infinities and huge integers."""
    try:
        return rfc8785.dumps(value)
    except rfc8785.CanonicalizationError as error:
        raise ValueError(str(error)) from error


def sha256(data: bytes) -> str:
    """SHA-256 of bytes, 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes, read in 1 MiB pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(_CHUNK):
            digest.update(piece)
    return digest.hexdigest()


def hash_json(value: Any) -> str:
    """SHA-256 of the value's canonical JSON."""
    return sha256(canonical_json(value))


def make_id(kind: str, digest: str) -> str:
    """`img` and 64 hex digits become `img_...`."""
    if kind not in PREFIXES:
        raise ValueError(f"unknown id kind {kind!r}")
    return f"{kind}_{digest}"


def content_id(kind: str, value: Any) -> str:
    """The id of a thing that is fully described by a JSON value."""
    return make_id(kind, hash_json(value))


def split_id(text: str) -> tuple[str, str]:
    """`snp_1f` is ("snp", "1f"); raises UsageError on anything that is no id or id prefix."""
    found = _ID.match(text)
    if not found or found["kind"] not in PREFIXES:
        raise UsageError(
            f"{text!r} is not an id.", hint="An id is a prefix such as img_ and hex digits."
        )
    return found["kind"], found["digits"]


def looks_like_id(text: str) -> bool:
    """Whether text has the form of a whole id or of an id's prefix."""
    found = _ID.match(text)
    return bool(found) and found["kind"] in PREFIXES  # type: ignore[index]


def merkle_root(leaves: Iterable[bytes]) -> str:
    """Root of the RFC 6962 section 2.1 hash tree over `leaves` in the order given, hex.

    Leaves are hashed behind a 0x00 byte and nodes behind 0x01, so that a node can never be
    passed off as a leaf. The empty tree is SHA-256 of nothing.
    """
    level = [hashlib.sha256(b"\x00" + leaf).digest() for leaf in leaves]
    if not level:
        return sha256(b"")
    # Pairing from the left and carrying a lone last node upwards gives the RFC's tree, whose
    # left subtree is the largest power of two smaller than n.
    while len(level) > 1:
        paired = [
            hashlib.sha256(b"\x01" + level[i] + level[i + 1]).digest()
            for i in range(0, len(level) - 1, 2)
        ]
        if len(level) % 2:
            paired.append(level[-1])
        level = paired
    return level[0].hex()
