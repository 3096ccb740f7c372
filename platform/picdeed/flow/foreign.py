"""Was this picture revoked in a registry whose feed was read? Shared by ingest and tombstones."""

from __future__ import annotations

from picdeed.registry import tombstones
from picdeed.registry.session import Session
from picdeed.registry.tombstones import Tombstone
from picdeed.rights.claims import Claim, ClaimKind, ClaimSource, ClaimStatus

PARSER = "picdeed.tombstones/1"


def matching(session: Session, digest: str, pixels: str | None = None) -> Claim | None:
    """The opt-out that a known feed, our own included, puts on a picture that arrives.

    `digest` is the SHA-256 of its file, `pixels` that of its pixels (imaging.decode). None when
    no feed names it.
    """
    hashes = [
        tombstones.salted(salt, one)
        for _, salt in tombstones.salts(session)
        for one in (digest, pixels)
        if one
    ]
    found = tombstones.with_hashes(session, hashes) if hashes else []
    return tombstone_claim(found[0], digest) if found else None


def tombstone_claim(row: Tombstone, digest: str) -> Claim:
    """What one entry of a feed says about the file with this SHA-256."""
    by = "file" if row.file_hash == tombstones.salted(row.salt, digest) else "pixels"
    return Claim(
        ClaimSource.SITE_FILE,
        ClaimKind.OPT_OUT,
        f"tombstone {row.seq} of {row.feed}: {row.entry_hash}",
        "tombstone",
        ClaimStatus.PARSED,
        PARSER,
        f"{row.ground} since {row.effective[:10]}, the same {by}; feed {row.feed[:16]}",
    )
