"""Was this picture revoked in a registry whose feed was read? By its hashes, or by its looks.

Shared by ingest, tombstones, against and protected. Of a foreign picture there are only
fingerprints, so what looks like it is judged by them: a code within 31 bits and the same colours
is the picture again, everything else that was found is a doubt.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from picdeed.flow.listed import BothWays, Candidate
from picdeed.flow.looks import grid, inside
from picdeed.imaging.colours import WHOLE, Shares, same_colours
from picdeed.imaging.local import Local
from picdeed.imaging.near import RADIUS, SURE_RADIUS
from picdeed.imaging.votes import candidates_between
from picdeed.registry import tombstones
from picdeed.registry.codes import CodeRow
from picdeed.registry.looks import TombstoneLook
from picdeed.registry.pictures import Picture
from picdeed.registry.session import Session
from picdeed.registry.tombstones import Tombstone
from picdeed.rights.claims import Claim, ClaimKind, ClaimSource, ClaimStatus

PARSER = "picdeed.tombstones/1"
LOOKS_PARSER = "picdeed.looks/1"

# Without pixels more is asked of a match. Of 100,000 pairs of product shots of different things 1
# lies within 49 bits and 15 within 80; of 60,000 three votes let 34 pass and eight 5, of 2,352
# pairs of prints of one family 57 and none (one, where the list is a single print). Eight find a
# crop of 30 % in 95 of 100 photographs.
FEED_VOTES = 8
LEAST_QUALITY = 50  # PDQ's: below it there is hardly anything on the picture


class Certain(StrEnum):
    """What a match with a protected work leads to: DENY, or REVIEW."""

    COPY = "copy"
    DOUBT = "doubt"


@dataclass(frozen=True, slots=True)
class Protection:
    """Why a work must not come back: `word` is what claims about its copies say.

    `name` is a picture of ours or a feed's entry; `ground` a revocation's, or an opt-out's signal.
    """

    name: str
    word: str
    ground: str
    since: str


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


def judged_by_looks(
    found: Candidate,
    picture: tuple[CodeRow, Picture, BothWays],
    listed: tuple[TombstoneLook, Local],
) -> Certain | None:
    """What fingerprints alone say: the same picture, a doubt, or nothing worth telling."""
    code, row, corners = picture
    look, works_corners = listed
    if min(code.quality, look.quality) < LEAST_QUALITY:
        return None
    if found.distance is not None and found.turn is not None and found.distance <= RADIUS:
        boxes = (
            inside(look.trim) if found.trimmed[1] else WHOLE,
            _box(code, row) if found.trimmed[0] else WHOLE,
        )
        alike = same_colours(grid(look), grid(code), found.turn, boxes)
        return Certain.COPY if found.distance <= SURE_RADIUS and alike else Certain.DOUBT
    if found.by_corners and len(candidates_between(corners, [works_corners], least=FEED_VOTES)):
        return Certain.DOUBT
    return None


def kind_by_looks(certain: Certain) -> str:
    """The word for what fingerprints alone say: `near` or `possible`."""
    return "near" if certain is Certain.COPY else "possible"


def named_elsewhere(entry: Tombstone) -> Protection:
    """An entry of a feed as a protected work."""
    name = f"entry {entry.seq} of feed {entry.feed[:16]}"
    return Protection(name, "revoked-elsewhere", entry.ground, entry.effective)


def _box(code: CodeRow, row: Picture) -> Shares:
    if code.trim_box is None:
        return WHOLE
    left, top, right, bottom = code.trim_box
    return (left / row.width, top / row.height, right / row.width, bottom / row.height)


def copy_claim(work: Protection, kind: str, certain: Certain) -> Claim:
    """What is said about a picture that shows a protected work, or may."""
    copy = certain is Certain.COPY
    return Claim(
        ClaimSource.LIKENESS,
        ClaimKind.OPT_OUT,
        f"{kind} {work.name}",
        f"copy-of-{work.word}" if copy else f"looks-like-{work.word}",
        ClaimStatus.PARSED if copy else ClaimStatus.UNPARSED,
        LOOKS_PARSER,
        f"{kind} {work.name}: {work.ground} since {work.since[:10]}",
    )
