"""From what was measured on two aligned pictures: what are they to each other, and who decides?

    near        one picture twice: recoded, resized, toned, grey, mirrored, turned, framed
    crop-of     a is a part of b (a crop; or b is a screenshot or a sheet with a on it)
    contains    the other way round
    variant     the same drawing in other colours
    related     the same background, object or template; nothing that may leave a picture out
    unrelated   nothing in common that could be found

A part that differs may be a sticker on one picture or another text on one template, and other
colours may be an edit or a second design: pixels cannot say which. Such pairs carry a reason
(`Review`) and are never `near`: a person decides. So do frames of one burst (`motion`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from picdeed.imaging.agree import Agreement


class PairKind(StrEnum):
    """What the first picture of a pair is to the second."""

    SAME_PIXELS = "same-pixels"
    NEAR = "near"
    CROP_OF = "crop-of"
    CONTAINS = "contains"
    VARIANT = "variant"
    RELATED = "related"
    UNRELATED = "unrelated"

    @property
    def turned(self) -> PairKind:
        """The same relation, told from the other picture."""
        other = {PairKind.CROP_OF: PairKind.CONTAINS, PairKind.CONTAINS: PairKind.CROP_OF}
        return other.get(self, self)


class Review(StrEnum):
    """Why a person should look at a pair."""

    PART_DIFFERS = "part-differs"
    COLOURS_DIFFER = "colours-differ"
    OVERLAP = "overlap"
    SHARED_PART = "shared-part"
    FEW_TONES = "few-tones"
    MOVED = "moved"


@dataclass(frozen=True, slots=True)
class Placed:
    """How two aligned pictures cover each other.

    `of_a` and `of_b`: the share of each frame that the other covers, 0 to 1. `plain_a`, `plain_b`:
    what lies outside is of one colour (a border, bars). `turned`: mirrored or turned by 45 degrees
    and more. `inliers` is 0 where no corners were used.
    """

    of_a: float
    of_b: float
    plain_a: bool
    plain_b: bool
    inliers: int = 0
    turned: bool = False


WHOLE = 0.93  # of a frame: 2 % cut off each way leave 0.96, 5 % leave 0.90
_FEW = 6  # blocks with texture, without which nothing is said
_SHARE = 0.72
_SHARE_PLACED = 0.60  # where corners found the place independently of the blocks
_SURE = 0.62
_MANY = 15  # corners
_SMALL_PART = 0.45  # of the compared blocks: beyond that most of the picture is another one
_TINT, _COLOUR, _CURVE, _FLAT_SHIFT = 0.09, 0.1, 0.07, 0.07


def judge(placed: Placed, found: Agreement) -> tuple[PairKind, tuple[Review, ...]]:
    """The kind of an aligned pair and what a person should look at."""
    needed = _SHARE_PLACED if placed.inliers >= _MANY else _SHARE
    alike = found.blocks >= _FEW and found.share >= needed
    if not alike or (found.sure < _SURE and placed.inliers < _MANY):
        return PairKind.UNRELATED, ()
    coloured = same_colours(found)
    if found.parts:
        if found.differs > _SMALL_PART:
            return PairKind.UNRELATED, ()
        reasons = (Review.PART_DIFFERS,)
        return PairKind.RELATED, reasons if coloured else (*reasons, Review.COLOURS_DIFFER)
    return _whole_kind(_covering(placed), placed, found, coloured=coloured)


def _whole_kind(
    kind: PairKind, placed: Placed, found: Agreement, *, coloured: bool
) -> tuple[PairKind, tuple[Review, ...]]:
    """Where no part differs: by what covers what, by the tones and the colours."""
    if kind is PairKind.RELATED:
        return kind, (Review.OVERLAP,)
    # b and d, n and u, an arrow and its mirror image, A in Ä: flat drawings are signs.
    if not found.rich and (placed.turned or kind is not PairKind.NEAR):
        return PairKind.RELATED, (Review.FEW_TONES,)
    if coloured:
        return kind, ()
    kind = PairKind.VARIANT if kind is PairKind.NEAR else PairKind.RELATED
    return kind, (Review.COLOURS_DIFFER,)


def same_colours(found: Agreement) -> bool:
    """Whether tone edits alone lead from one to the other; on few tones only equal colours do."""
    if found.rich:
        return found.colour <= _COLOUR and found.curve <= _CURVE
    return found.tint <= _TINT and found.shift <= _FLAT_SHIFT


def _covering(placed: Placed) -> PairKind:
    whole_a = placed.of_a >= WHOLE or placed.plain_a
    whole_b = placed.of_b >= WHOLE or placed.plain_b
    if whole_a and whole_b:
        return PairKind.NEAR
    if whole_a:
        return PairKind.CROP_OF
    return PairKind.CONTAINS if whole_b else PairKind.RELATED
