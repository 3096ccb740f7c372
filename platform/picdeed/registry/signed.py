"""Was this document signed with that key? Ed25519 over canonical JSON, the signature inside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from picdeed.core.ids import canonical_json, sha256
from picdeed.registry.heads import signed_by

if TYPE_CHECKING:
    from collections.abc import Mapping

    from picdeed.registry.heads import LedgerKey

_ADDED = ("public_key", "signature")


def sign_document(key: LedgerKey, document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with `public_key` and `signature` (both hex) beside its own keys.

    Raises ValueError when it has keys of these names already, or is no JSON.
    """
    if set(_ADDED) & document.keys():
        raise ValueError("this document is signed already")
    message = canonical_json(dict(document))
    return {**document, "public_key": key.public, "signature": key.sign(message)}


def verify_document(document: Mapping[str, Any], public_key: str) -> bool:
    """Whether the document carries this key's signature over everything else in it."""
    bare = {name: value for name, value in document.items() if name not in _ADDED}
    try:
        message = canonical_json(bare)
    except ValueError:
        return False
    signature = str(document.get("signature"))
    return document.get("public_key") == public_key and signed_by(public_key, signature, message)


def fingerprint(public_key: str) -> str:
    """What people compare: SHA-256 of the public key's 32 bytes, in groups of eight digits.

    Raises ValueError on what is no hex.
    """
    digest = sha256(bytes.fromhex(public_key))
    return " ".join(digest[at : at + 8] for at in range(0, 64, 8))
