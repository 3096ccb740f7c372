"""How does a picture get its credential? Signed into a copy, read back in full, then returned."""

from __future__ import annotations

import datetime as dt
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from picdeed.core.errors import IntegrityError, PicdeedError, UsageError
from picdeed.core.ids import sha256
from picdeed.credentials.manifest import LINEAGE
from picdeed.credentials.native import c2pa, opened
from picdeed.credentials.trust import SignerTrust, Trust
from picdeed.credentials.verify import Integrity, Verified, verify

if TYPE_CHECKING:
    from collections.abc import Mapping

    from picdeed.credentials.keys import Identity

FORMATS = ("image/png", "image/jpeg", "image/webp")


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed copy. `manifest` is the manifest's label, `sha256` of the signed bytes."""

    data: bytes
    sha256: str
    manifest: str
    signer: str
    serial: str
    verified: Verified


def sign(data: bytes, media_type: str, manifest: Mapping[str, Any], identity: Identity) -> Signed:
    """Sign `data` (PNG, JPEG or WebP) with `manifest` and read the result back.

    `data` itself stays as it is. Raises UsageError for another format or a picture that already
    has a credential (its history would be dropped silently), PicdeedError when the signer has
    expired or the library refuses, IntegrityError when what comes out is not intact, not signed
    by `identity`, or does not hold the manifest's lineage assertion.
    """
    if media_type not in FORMATS:
        raise UsageError(
            f"Credentials are written into PNG, JPEG and WebP, not {media_type}.",
            hint="Convert the picture first; nothing was signed.",
        )
    _refuse_expired(identity)
    _refuse_unfit(data, media_type)
    return read_back(
        _signed_copy(data, media_type, manifest, identity), media_type, manifest, identity
    )


def read_back(
    data: bytes, media_type: str, manifest: Mapping[str, Any], identity: Identity
) -> Signed:
    """Check signed bytes as a stranger would; raises IntegrityError when anything is off."""
    found = verify(data, media_type, Trust(development_roots=(identity.root_pem,)))
    wanted = next((a["data"] for a in manifest["assertions"] if a["label"] == LINEAGE), None)
    checks = {
        f"it reads as {found.integrity}": found.integrity is Integrity.INTACT,
        "its lineage is missing or changed": wanted is not None and found.lineage == wanted,
        "another signer stands in it": found.own and found.serial == identity.serial,
        f"its signer reads as {found.trust}": found.trust is SignerTrust.DEVELOPMENT,
    }
    wrong = [what for what, holds in checks.items() if not holds]
    if wrong or found.manifest is None:
        raise IntegrityError(
            f"A freshly signed picture did not check out: {'; '.join(wrong)}. It was not released.",
            hint="Run `picdeed doctor`; the picture itself is unchanged and can be signed again.",
        )
    return Signed(data, sha256(data), found.manifest, identity.subject, identity.serial, found)


def _refuse_expired(identity: Identity) -> None:
    if identity.not_after <= dt.datetime.now(dt.UTC):
        raise PicdeedError(
            f"The certificate of {identity.subject} expired at {identity.not_after.isoformat()}; "
            "nothing was signed.",
            hint="`picdeed init` on this registry renews its development certificate.",
        )


def _refuse_unfit(data: bytes, media_type: str) -> None:
    found = verify(data, media_type, Trust()).integrity
    if found is Integrity.UNREADABLE:
        raise PicdeedError(
            f"These bytes cannot be read as {media_type}; nothing was signed.",
            hint="Write the picture again.",
        )
    if found is not Integrity.NONE:
        raise UsageError(
            "The picture already carries credentials, which a new signature would drop; nothing "
            "was signed.",
            hint="Sign the picture as it was generated.",
        )


def _signed_copy(
    data: bytes, media_type: str, manifest: Mapping[str, Any], identity: Identity
) -> bytes:
    module = c2pa()
    copy = io.BytesIO()
    try:
        # Not the callback form: it reserves 10 kB for a signature that takes one.
        chain = identity.chain_pem.encode()
        info = module.C2paSignerInfo(b"es256", chain, identity.key_pem, None)
        with (
            opened({}) as (_, here),
            module.Signer.from_info(info) as signer,
            module.Builder(dict(manifest), context=here) as builder,
        ):
            builder.sign(signer, media_type, io.BytesIO(data), copy)
    except module.C2paError as error:
        raise PicdeedError(
            f"The picture could not be signed: {error}. The unsigned picture is unchanged.",
            hint="Check that the picture opens, then try again.",
        ) from error
    return copy.getvalue()
