"""How near do strangers lie in each collection, and whom would codes alone join by mistake?

Photographs and catalogue shots differ a hundredfold. So for each dataset a sample of its pictures
is asked for the nearest other one that is no copy of it: one that was looked at and found to be
another picture, or that is too far away to be looked at. The tail of these distances says from
which distance on codes alone would join strangers, and how many they would join within the radius
that is searched. Pixels are looked at all the same; where there are none, as with fingerprints
from elsewhere, this is what there is to go by.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from picdeed.imaging.calibrate import calibrate
from picdeed.imaging.codes import ALGORITHM
from picdeed.imaging.fingerprints import ALGORITHM as FINGERPRINT
from picdeed.imaging.near import SURE_RADIUS
from picdeed.registry import datasets, similar
from picdeed.registry.blobs import write_atomically
from picdeed.registry.code_cache import cached_columns
from picdeed.registry.code_columns import Columns
from picdeed.registry.session import Registry
from picdeed.registry.similar import Likeness

SAMPLE = 400  # pictures of a dataset that are asked
AMONG = 20_000  # others that each is compared with
_FILE = "calibrated.json"
_FARTHEST = 256
_COPIES = (*similar.SAME, *similar.PARTS, Likeness.VARIANT)


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What codes alone are worth in one dataset.

    `sure` bits and fewer are a copy; `expected_false_pairs` pairs of strangers would lie within
    `within` bits. Both are guesses from `samples` distances, None where these are too few.
    """

    dataset: str
    pictures: int
    samples: int
    sure: int
    within: int
    expected_false_pairs: float | None


def calibrated(registry: Registry) -> tuple[Calibrated, ...]:
    """Every dataset, by name; measured again where its pictures or pairs have changed."""
    columns = cached_columns(registry, ALGORITHM, FINGERPRINT)
    place = {name.decode(): at for at, name in enumerate(columns.names.tolist())}
    with registry.read() as session:
        copies = {p for p, kind in similar.kinds(session).items() if kind in _COPIES}
        members = {
            row.name: sorted(
                place[one.picture_id]
                for one in datasets.members(session, row.id)
                if one.picture_id in place
            )
            for row in datasets.all_datasets(session)
        }
    kept = _kept(registry)
    found: dict[str, Mapping[str, Any]] = {}
    for name, some in sorted(members.items()):
        key = _key(columns, some, len(copies))
        row = kept.get(name, {})
        if row.get("key") != key:
            row = {"key": key, **_asked(columns, name, some, copies)}
        found[name] = row
    if found != kept:
        write_atomically(registry.cache / _FILE, json.dumps(found, sort_keys=True).encode())
    return tuple(
        Calibrated(**{field: value for field, value in row.items() if field != "key"})
        for row in found.values()
    )


def _asked(
    columns: Columns, name: str, some: list[int], copies: set[tuple[str, str]]
) -> dict[str, Any]:
    distances, among = nearest_strangers(columns, some, copies)
    told = calibrate(distances, len(some), among)
    within = SURE_RADIUS
    return asdict(
        Calibrated(name, len(some), told.samples, told.auto_accept, within, told.expected(within))
    )


def nearest_strangers(
    columns: Columns, some: list[int], copies: set[tuple[str, str]]
) -> tuple[NDArray[np.int64], int]:
    """Bits from each of a sample to its nearest that is no copy of it, and of how many."""
    asked, among = _spread(some, SAMPLE), _spread(some, AMONG)
    if len(among) < 2:  # noqa: PLR2004 (nobody to be compared with)
        return np.zeros(0, dtype=np.int64), 0
    upright = columns.turned[np.array(among), 0]
    names = [columns.names[at].decode() for at in among]
    kin: dict[str, set[str]] = {}
    for a, b in copies:
        kin.setdefault(a, set()).add(b)
        kin.setdefault(b, set()).add(a)
    row_of = {name: at for at, name in enumerate(names)}
    found = []
    for at in asked:
        name = columns.names[at].decode()
        least = np.full(len(among), _FARTHEST, dtype=np.int64)
        for turned in columns.turned[at]:
            apart = np.bitwise_count(upright ^ turned).sum(axis=1, dtype=np.int64)
            least = np.minimum(least, apart)
        for other in (name, *kin.get(name, ())):
            if other in row_of:
                least[row_of[other]] = _FARTHEST
        found.append(int(least.min()))
    return np.array(found, dtype=np.int64), len(among) - 1


def _spread(some: list[int], most: int) -> list[int]:
    """At most so many, evenly over the list."""
    step = max(1, -(-len(some) // most))
    return some[::step]


def _key(columns: Columns, some: list[int], copies: int) -> str:
    digest = hashlib.sha256(f"{ALGORITHM} {copies}".encode())
    for at in some:
        digest.update(columns.names[at])
    return digest.hexdigest()


def _kept(registry: Registry) -> Mapping[str, Mapping[str, Any]]:
    try:
        found = json.loads((registry.cache / _FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
