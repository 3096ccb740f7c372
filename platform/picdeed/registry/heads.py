"""Who vouches for the newest event? Signed tree heads, kept in a folder beside the database.

A head says "event number `sequence` has this `hash`", signed with the registry's Ed25519 key.
Because each event names the hash before it, one head vouches for every event up to its own.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from picdeed.core.errors import IntegrityError
from picdeed.core.ids import canonical_json
from picdeed.registry.blobs import sync, write_atomically

SCHEMA = "picdeed.head/1"
KEPT = 8  # the newest heads
KEPT_EVERY = 1000  # and the newest of each thousand events
_NAME = re.compile(r"head-(\d{12})\.json")


@dataclass(frozen=True, slots=True)
class LedgerKey:
    """The Ed25519 key that signs this registry's events and heads."""

    private: Ed25519PrivateKey

    @property
    def public(self) -> str:
        """The public key's 32 bytes in hex."""
        return self.private.public_key().public_bytes_raw().hex()

    def sign(self, message: bytes) -> str:
        """The signature, 64 bytes in hex."""
        return self.private.sign(message).hex()


@dataclass(frozen=True, slots=True)
class Head:
    """A signed statement about one event; `hash`, `public_key` and `signature` are hex."""

    sequence: int
    hash: str
    public_key: str
    signature: str

    def holds(self) -> bool:
        """Whether the signature fits the statement and the key that it names."""
        return signed_by(self.public_key, self.signature, head_message(self.sequence, self.hash))

    def to_bytes(self) -> bytes:
        """The file's bytes."""
        document = {
            "schema": SCHEMA,
            "sequence": self.sequence,
            "hash": self.hash,
            "public_key": self.public_key,
            "signature": self.signature,
        }
        return canonical_json(document) + b"\n"


def head_message(sequence: int, event_hash: str) -> bytes:
    """The bytes that a head's signature covers."""
    return canonical_json({"schema": SCHEMA, "sequence": sequence, "hash": event_hash})


def event_message(event_hash: str) -> bytes:
    """The bytes that an event's signature covers; the hash covers everything else."""
    return canonical_json({"schema": "picdeed.event/1", "hash": event_hash})


def signed_by(public_key: str, signature: str, message: bytes) -> bool:
    """Whether this is the key's Ed25519 signature (both hex) over the message."""
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
        key.verify(bytes.fromhex(signature), message)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def sign_head(key: LedgerKey, sequence: int, event_hash: str) -> Head:
    """A new head. Ed25519 is deterministic: the same event gives the same file."""
    signature = key.sign(head_message(sequence, event_hash))
    return Head(sequence, event_hash, key.public, signature)


def parse_head(data: bytes) -> Head:
    """A head from a file's bytes; raises ValueError on anything else."""
    document = json.loads(data.decode())
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise ValueError(f"not a {SCHEMA} document")
    sequence = document.get("sequence")
    words = [str(document.get(name)) for name in ("hash", "public_key", "signature")]
    if type(sequence) is not int:
        raise ValueError("its sequence is no integer")
    return Head(sequence, *words)  # a word that is missing fits no signature


def create_key(path: Path) -> LedgerKey:
    """The key in this file, made when there is none. Two processes at once get the same key."""
    if not path.exists():
        made = Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")  # mode 0600
        with os.fdopen(handle, "wb") as stream:
            stream.write(made)
            stream.flush()
            os.fsync(stream.fileno())
        try:
            Path(path).hardlink_to(name)  # fails, unlike a rename, when another was faster
        except FileExistsError:
            pass
        finally:
            Path(name).unlink()
        sync(path.parent)
    return load_key(path)


def load_key(path: Path) -> LedgerKey:
    """The ledger key; raises IntegrityError when it is gone or no Ed25519 key."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except FileNotFoundError:
        raise IntegrityError(
            f"The ledger's key {path} is missing; nothing was written.",
            hint="Restore keys/ledger.pem from a backup: a new key could not vouch for old events.",
        ) from None
    except (ValueError, TypeError, OSError) as error:
        raise IntegrityError(
            f"The ledger's key {path} cannot be read: {error}", hint="Restore it from a backup."
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise IntegrityError(f"{path} is no Ed25519 key.", hint="Restore it from a backup.")
    return LedgerKey(key)


def head_files(folder: Path) -> list[tuple[int, Path]]:
    """Sequence and file of each head, oldest first, by their names only."""
    if not folder.is_dir():
        return []
    named = ((_NAME.fullmatch(path.name), path) for path in folder.iterdir())
    return sorted((int(found[1]), path) for found, path in named if found)


def newest_head(folder: Path) -> Head | None:
    """The newest head; raises IntegrityError when it cannot be read or its signature is wrong."""
    for sequence, path in reversed(head_files(folder)):
        try:
            head = parse_head(path.read_bytes())
        except FileNotFoundError:  # another writer has just cleared it away
            continue
        except ValueError as error:
            raise _broken(path, str(error)) from error
        if head.sequence != sequence or not head.holds():
            raise _broken(path, "its signature does not fit")
        return head
    return None


def publish(folder: Path, head: Head) -> None:
    """Write a head and clear old ones away. Raises IntegrityError rather than replace another."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"head-{head.sequence:012d}.json"
    if path.exists():
        if path.read_bytes() != head.to_bytes():
            raise _broken(path, "it speaks of another event than the database holds")
        return
    write_atomically(path, head.to_bytes())
    _clear(folder)


def _clear(folder: Path) -> None:
    files = head_files(folder)
    newest_of = {sequence // KEPT_EVERY: sequence for sequence, _ in files}
    kept = {sequence for sequence, _ in files[-KEPT:]} | set(newest_of.values())
    for sequence, path in files:
        if sequence not in kept:
            path.unlink(missing_ok=True)


def _broken(path: Path, why: str) -> IntegrityError:
    return IntegrityError(
        f"The tree head {path.name} cannot be trusted: {why}. Nothing was written.",
        hint="Run picdeed audit.",
    )
