"""Which pictures may be copies of something on a list? The two searches, codes and corners.

Shared by `against`, which asks about any list, and `protected`, which asks about works that must
not come back. What is found is a proposal: pixels decide wherever they are at hand.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from picdeed.core.events import Progress, silent
from picdeed.flow.likeness import coded, corners_of
from picdeed.flow.pairs import look_at_pairs
from picdeed.imaging.codes import Turn
from picdeed.imaging.local import Local
from picdeed.imaging.near import near_listed
from picdeed.imaging.verify import PairKind
from picdeed.imaging.votes import candidates_between
from picdeed.registry import similar
from picdeed.registry.codes import CodeRow
from picdeed.registry.session import Registry
from picdeed.registry.similar import Pair

BothWays = tuple[Local, Local]

NO_CORNERS = Local(np.zeros((0, 4), np.uint64), np.zeros((0, 4), np.float32))
_AT_ONCE = 5_000  # pictures whose corners are laid side by side: 180 MB


@dataclass(frozen=True, slots=True)
class Side:
    """Pictures as the search takes them; `corners`, both ways, are of all of them or of none."""

    codes: Sequence[CodeRow]
    corners: Sequence[BothWays] = ()


@dataclass(frozen=True, slots=True)
class Listing:
    """A list as the search takes it: `corners` are those of `codes`, upright."""

    codes: Sequence[CodeRow]
    corners: Sequence[Local]


@dataclass(frozen=True, slots=True)
class Candidate:
    """Picture `at` of one side may be a copy of `listed` of the other.

    `distance` in bits, `turn` (what to do to the listed picture to get the other) and `trimmed`
    (on which side the border was left out) are of the codes, None where only corners met.
    """

    at: int
    listed: int
    distance: int | None = None
    turn: Turn | None = None
    trimmed: tuple[bool, bool] = (False, False)
    by_corners: bool = False


def candidates(pictures: Side, listed: Listing) -> list[Candidate]:
    """Every pair within 80 bits in some turn, and every pair whose corners meet, by places."""
    found: dict[tuple[int, int], Candidate] = {}
    if not pictures.codes or not listed.codes:
        return []
    near = near_listed(coded(pictures.codes), coded(listed.codes))
    for (at, other), distance, turn, trimmed in zip(
        near.pairs.tolist(),
        near.distance.tolist(),
        near.turn.tolist(),
        near.trimmed.tolist(),
        strict=True,
    ):
        found[at, other] = Candidate(at, other, distance, Turn(turn), (trimmed[0], trimmed[1]))
    for pair in _by_corners(pictures.corners, listed.corners):
        found[pair] = replace(found.get(pair, Candidate(*pair)), by_corners=True)
    return [found[pair] for pair in sorted(found)]


def _by_corners(pictures: Sequence[BothWays], listed: Sequence[Local]) -> Iterator[tuple[int, int]]:
    """A mirrored crop has the work's corners when it is mirrored back: each picture asks twice."""
    for start in range(0, len(pictures), _AT_ONCE):
        some = pictures[start : start + _AT_ONCE]
        for way in (0, 1):
            for at, other in candidates_between([one[way] for one in some], listed).tolist():
                yield start + at, other


def corners_by(registry: Registry, names: Sequence[str], progress: Progress) -> list[BothWays]:
    """The corners of pictures of ours, from the cache or from their bytes."""
    found = []
    for at, picture in enumerate(names, 1):
        progress("corners", at, len(names))
        found.append(corners_of(registry, picture.removeprefix("img_")))
    return found


def compared(
    registry: Registry, wanted: Collection[tuple[str, str]], progress: Progress = silent
) -> dict[tuple[str, str], Pair]:
    """What pictures of ours are to each other, by their sorted ids: as recorded, or looked at now.

    Every pair that was looked at is recorded, so that clusters and revocations know it too.
    """
    asked = {(min(pair), max(pair)) for pair in wanted}
    if asked:
        look_at_pairs(registry, asked, progress=progress)
    with registry.read() as session:
        known = similar.pairs_among(session, {one for pair in asked for one in pair})
    return {(pair.a, pair.b): pair for pair in known if (pair.a, pair.b) in asked}


def kind_from(pair: Pair, picture: str) -> PairKind:
    """What this picture of a recorded pair is to the other one."""
    kind = PairKind(pair.kind)
    return kind if pair.a == picture else kind.turned
