"""What is known of two pictures beside each other, and how do they look laid on one another?"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from picdeed.core.ids import hash_json
from picdeed.imaging.decode import decode
from picdeed.imaging.overlay import SHOWN, is_placed, overlay
from picdeed.imaging.thumbs import thumbnail
from picdeed.imaging.verify import PairKind, compare, look
from picdeed_ui import data
from picdeed_ui.parts.asked import sorted_two

if TYPE_CHECKING:
    from collections.abc import Mapping

    from picdeed.imaging.placing import Box
    from picdeed.registry.session import Registry

PREFIX = "img_"


@dataclass(frozen=True, slots=True)
class Seen:
    """What one picture is to another. `swapped`: the evidence tells it from the other side.

    `recorded` is False where the two were compared just now, for the page.
    """

    kind: PairKind
    distance: float
    evidence: Mapping[str, Any]
    swapped: bool
    recorded: bool

    @property
    def overlap(self) -> tuple[float, float] | None:
        """Shares of the first's and of the second's frame that the other covers."""
        told = self.evidence.get("overlap")
        if not told:
            return None
        first, second = (float(share) for share in told)
        return (second, first) if self.swapped else (first, second)


@dataclass(frozen=True, slots=True)
class Laid:
    """An overlay as WebP bytes: `pictures` under first, second and difference.

    `width` and `height` are pixels of all three; boxes and outline as in `imaging.overlay`.
    """

    pictures: Mapping[str, bytes]
    width: int
    height: int
    boxes: tuple[Box, ...]
    boxes_second: tuple[Box, ...]
    outline: tuple[tuple[float, float], ...]
    fills_frame: bool
    version: str


def seen(first: str, second: str) -> Seen:
    """What is recorded about two pictures (ids), else what a look at them says now.

    Raises PicdeedError where a picture's bytes are gone.
    """
    a, b = sorted_two(first, second)
    swapped = first != a
    rows = data.pairs_among([a, b])
    if rows:
        kind, distance, evidence = PairKind(rows[0].kind), rows[0].distance, rows[0].evidence
    else:
        kind, distance, evidence = _compared(data.registry(), a, b)
    turned = kind.turned if swapped else kind
    return Seen(turned, distance, evidence, swapped=swapped, recorded=bool(rows))


def laid_over(first: str, second: str) -> Laid | None:
    """The second picture on the first; None where nobody knows its place there.

    Raises PicdeedError where a picture's bytes are gone.
    """
    found = seen(first, second)
    if not is_placed(found.evidence):
        return None
    told = json.dumps(found.evidence, sort_keys=True)
    return _laid(data.registry(), first, second, told, found.swapped)


@functools.lru_cache(maxsize=16)
def _compared(registry: Registry, a: str, b: str) -> tuple[PairKind, float, Mapping[str, Any]]:
    looks = [look(decode(registry.blobs.read(one.removeprefix(PREFIX))).image) for one in (a, b)]
    found = compare(*looks)
    return found.kind, found.distance, found.evidence


@functools.lru_cache(maxsize=24)  # about half a megabyte each
def _laid(registry: Registry, first: str, second: str, evidence: str, swapped: bool) -> Laid:
    images = [
        decode(registry.blobs.read(one.removeprefix(PREFIX)), at_least=SHOWN).image
        for one in (first, second)
    ]
    made = overlay(images[0], images[1], json.loads(evidence), swapped=swapped)
    pictures = {"first": made.first, "second": made.second, "difference": made.difference}
    return Laid(
        {name: thumbnail(image, SHOWN) for name, image in pictures.items()},
        *made.first.size,
        made.boxes,
        made.boxes_second,
        made.outline,
        made.fills_frame,
        hash_json(json.loads(evidence))[:12],
    )
