"""Which pictures have these pixels? Their SHA-256, computed when somebody asks for it.

Ingest does not need it, and it takes a whole decode: a JPEG is otherwise read small. Feeds of
tombstones need it, of every picture here; codes find equal pixels without it.
"""

from __future__ import annotations

from collections.abc import Collection

from picdeed.core.errors import IntegrityError, UnreadablePicture
from picdeed.core.events import Event, Progress, silent
from picdeed.imaging.decode import decode, decode_small, pixels_sha256
from picdeed.imaging.fingerprints import fingerprint
from picdeed.registry import ledger, tombstones
from picdeed.registry.pictures import PictureState, all_ids, by_ids
from picdeed.registry.session import Registry, Session, utc_now
from picdeed.registry.similar import Fingerprint

BATCH = 128


def without_pixels(session: Session, pictures: Collection[str]) -> list[str]:
    """Those of the pictures, sorted, of whose pixels no hash is kept; erased ones left out."""
    rest = set(pictures) - tombstones.pixels_of(session, pictures).keys()
    known = by_ids(session, sorted(rest))
    return sorted(one for one, row in known.items() if row.state != PictureState.ERASED)


def hash_pixels(
    registry: Registry, pictures: Collection[str] | None = None, *, progress: Progress = silent
) -> None:
    """Keep the hash of the pixels of these pictures (None: all) beside their fingerprints.

    One transaction a batch; decoding is in none. Bytes that are gone or do not decode any more
    are passed over: `picdeed audit` names them.
    """
    with registry.read() as session:
        missing = without_pixels(session, all_ids(session) if pictures is None else pictures)
    for start in range(0, len(missing), BATCH):
        progress("pixels", start, len(missing))
        made = [
            row
            for picture in missing[start : start + BATCH]
            if (row := _hashed(registry, picture)) is not None
        ]
        with registry.write() as session:
            rows = [_kept(session, row) for row in made]
            if rows:
                ledger.write(session, Event.DEDUP_FINGERPRINTED, {"pixels": len(rows)}, rows)


def _hashed(registry: Registry, picture: str) -> Fingerprint | None:
    try:
        data = registry.blobs.read(picture.removeprefix("img_"))
        pixels = pixels_sha256(decode(data).image)
        marks = fingerprint(decode_small(data))
    except (IntegrityError, UnreadablePicture):
        return None
    return Fingerprint(
        picture_id=picture,
        algorithm=marks.algorithm,
        phash=marks.phash_hex,
        dhash=marks.dhash_hex,
        pixels_sha256=pixels,
        created_at=utc_now(),
    )


def _kept(session: Session, made: Fingerprint) -> Fingerprint:
    """The row that is there with the hash put in, or the new one."""
    row = session.get(Fingerprint, (made.picture_id, made.algorithm))
    if row is None:
        return made
    row.pixels_sha256 = made.pixels_sha256
    return row
