"""Pictures with codes and fingerprints of nothing in particular, for the registry's tests."""

from __future__ import annotations

import random

from picdeed.registry.codes import CodeRow
from picdeed.registry.pictures import Picture
from picdeed.registry.similar import Fingerprint
from picdeed.registry.tables import Table

CODES, MARKS = "pdq256/1", "phash/1"


def rows_with_codes(make, n: int, seed: int = 1) -> tuple[list[Picture], list[Table]]:
    """n unsaved pictures; their codes (every third with a trimmed one), and the fingerprints of
    all but the first. `make` is the fixture of that name.
    """
    rng = random.Random(seed)
    shown = [make.picture(f"{seed}/{at}", bytes=at + 1) for at in range(n)]
    rows: list[Table] = [
        CodeRow(
            picture_id=one.id,
            algorithm=CODES,
            turned=f"{rng.getrandbits(2048):0512x}",
            turned_trimmed=None if at % 3 else f"{rng.getrandbits(2048):0512x}",
            trim_box=None if at % 3 else [0, 0, 3, 4],
            quality=at % 101,
            colours=f"{rng.getrandbits(1536):0384x}",
            created_at=make.at,
        )
        for at, one in enumerate(shown)
    ]
    rows += [
        Fingerprint(
            picture_id=one.id,
            algorithm=MARKS,
            phash=f"{rng.getrandbits(64):016x}",
            dhash=f"{rng.getrandbits(64):016x}",
            created_at=make.at,
        )
        for one in shown[1:]
    ]
    return shown, rows
