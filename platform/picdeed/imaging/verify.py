"""Are two pictures the same picture, a part of it, the same drawing in other colours, or strangers?

First small views are laid on each other, as they are, mirrored, turned, and without plain borders
(`views`). Where they are near and no block differs at 512 pixels (`agree`), that is the answer.
Else corners tell where one picture lies in the other (`align`), the blocks are compared there,
and `classes` says what they are to each other; where things moved (`motion`) they are two frames of
one scene. Pictures without corners and without likeness of
their views are strangers: nothing was found, which is not a proof that nothing is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from picdeed.core.ids import sha256
from picdeed.imaging import views
from picdeed.imaging.agree import Agreement
from picdeed.imaging.align import (
    SIDE,
    Alignment,
    Corners,
    align,
    mirrored,
    orb_corners,
    sift_corners,
)
from picdeed.imaging.classes import PairKind, Review, judge
from picdeed.imaging.decode import Decoded, decode, flat_of, pixels_sha256
from picdeed.imaging.edit_words import edit_words
from picdeed.imaging.placing import (
    Box,
    Pose,
    Whole,
    laid,
    moved_between,
    poses,
    shared_part,
    trim_box,
)

__all__ = ["Comparison", "Look", "PairKind", "Review", "compare", "look", "look_at"]

Floats = NDArray[np.float32]

_VIEW = 128
_DETAIL = 64
_LEAST_DETAIL = 16
_ALIKE = 0.8  # correlation of views from which a pose is worth its blocks
_LEAST_OUTLINE = 0.85
_DECODERS = 1.5  # of 255
_ONE_PICTURE = (PairKind.NEAR, PairKind.CROP_OF, PairKind.CONTAINS)
_WELL_PLACED = 0.93  # of the blocks: a small crop laid on the whole reaches 0.87


@dataclass(frozen=True, slots=True)
class Comparison:
    """A verdict with its reasons; `kind` is what the first picture is to the second.

    `distance` is 0 for the same pixels, else 0 to 1: the largest difference of one part of the
    aligned views, or, where only blocks were compared, the share of them that does not agree.
    `review` is empty where the pixels decide. `evidence` is plain JSON: of the views detail
    (pixels), part, whole and colour (0 to 1), structure and outline (correlations), grey_copy; of
    the alignment inliers, affine (second picture to first, shares of both frames, six numbers),
    mirrored, turn (degrees); of the blocks blocks, share, overlap (of each picture), parts (boxes
    that differ, shares of the frame), tint and curve; of the motion moved (pixels of the coarser
    frame) and moved_share (of what differs); edit, a guess in words; review.
    """

    kind: PairKind
    distance: float
    evidence: dict[str, Any]
    review: tuple[Review, ...] = field(default=())


class Look:
    """One picture as the comparison sees it, at most 2.5 MB whatever its size; made once.

    `whole` gives the picture at its full size, where `picture` was scaled while it was decoded.
    """

    def __init__(
        self, picture: Image.Image | Decoded, whole: Callable[[], Image.Image] | None = None
    ) -> None:
        seen = flat_of(picture)
        self.size = (seen.width, seen.height)
        bare = picture.image if isinstance(picture, Decoded) else picture
        self._whole = whole if whole is not None else lambda: bare
        flat, box = seen.colours, seen.box
        # A wide filter on purpose: with boxes, a copy at 0.6 of the size lands between the cells
        # and differs more from its original than a re-encoded one does.
        self._view = flat.resize((_VIEW, _VIEW), Image.Resampling.BILINEAR, box)
        by = min(1.0, SIDE / max(self.size))
        small = max(1, round(self.size[0] * by)), max(1, round(self.size[1] * by))
        self.frame: NDArray[np.uint8] = np.asarray(
            flat.resize(small, Image.Resampling.BILINEAR, box)
        )
        self._views: dict[tuple[int, bool], Floats] = {}

    @cached_property
    def pixels(self) -> str:
        """SHA-256 of all pixels: the dearest thing here, asked of pictures that look equal."""
        return pixels_sha256(self._whole())

    @cached_property
    def order(self) -> tuple[tuple[int, int], str]:
        """What two looks are put in order by: equal looks are equal pictures to the eye."""
        return self.size, sha256(self.frame.tobytes())

    @property
    def detail(self) -> int:
        """A power of two, 16 to 64: the side at which this picture's detail is its own."""
        return max(_LEAST_DETAIL, min(_DETAIL, 1 << (min(self.size).bit_length() - 1)))

    def rgb(self, side: int, *, trimmed: bool = False) -> Floats:
        """float32[side, side, 3], 0 to 1, blurred a little so that resizers agree."""
        if (side, trimmed) not in self._views:
            view = self._view
            if trimmed:
                left, top, right, bottom = (edge * _VIEW for edge in self.trim)
                box = (left, top, right, bottom)
                view = view.resize((_VIEW, _VIEW), Image.Resampling.BILINEAR, box)
            small = view.resize((side, side), Image.Resampling.BOX)
            pixels = np.asarray(small, dtype=np.float32) / np.float32(255)
            self._views[side, trimmed] = views.blur(pixels)
        return self._views[side, trimmed]

    @cached_property
    def trim(self) -> Box:
        """The picture without plain borders, as shares: left, top, right, bottom."""
        return trim_box(self.frame)

    @cached_property
    def orb(self) -> Corners:
        return orb_corners(self._grey)

    @cached_property
    def orb_mirrored(self) -> Corners:
        return orb_corners(self._grey[:, ::-1])

    @cached_property
    def sift(self) -> Corners:
        return sift_corners(self._grey)

    @cached_property
    def sift_mirrored(self) -> Corners:
        return sift_corners(self._grey[:, ::-1])

    @cached_property
    def _grey(self) -> NDArray[np.uint8]:
        return np.asarray(Image.fromarray(self.frame).convert("L"))


def look(picture: Image.Image | Decoded) -> Look:
    """What `compare` needs of a decoded picture; keep it when the picture has several pairs."""
    return Look(picture)


def look_at(data: bytes) -> Look:
    """The same of a picture's file, decoded no larger than needed; raises as `decode` does."""
    return Look(decode(data, at_least=_VIEW, long_side=SIDE), lambda: decode(data).image)


def compare(a: Image.Image | Look, b: Image.Image | Look) -> Comparison:
    """What the first of two decoded pictures is to the second.

    The other order gives the same answer, told from the other side.
    """
    one = a if isinstance(a, Look) else Look(a)
    other = b if isinstance(b, Look) else Look(b)
    if _same_pixels(one, other):
        return Comparison(PairKind.SAME_PIXELS, 0.0, {})
    # One order inside, so that rounding cannot decide otherwise in the other order.
    if other.order < one.order:
        found = _compare(other, one)
        return found.told(one, other, swapped=True)
    return _compare(one, other).told(one, other, swapped=False)


def _same_pixels(one: Look, other: Look) -> bool:
    if one.size != other.size:
        return False
    # Scaled by different decoders, equal pictures differ by a level or two.
    apart = np.abs(one.frame.astype(np.int16) - other.frame)
    return float(apart.mean()) <= _DECODERS and one.pixels == other.pixels


@dataclass(frozen=True, slots=True)
class _Found:
    kind: PairKind
    coarse: dict[str, Any]
    review: tuple[Review, ...] = ()
    whole: Whole | None = None
    agreement: Agreement | None = None
    inliers: int = 0

    def told(self, one: Look, other: Look, *, swapped: bool) -> Comparison:
        kind = self.kind.turned if swapped else self.kind
        evidence = dict(self.coarse)
        distance = views.distance_of(self.coarse)
        if self.whole is not None and self.agreement is not None:
            whole = self.whole.inverse() if swapped else self.whole
            seen = self.agreement
            evidence |= whole.evidence() | {
                "inliers": self.inliers,
                "blocks": seen.blocks,
                "share": round(seen.share, 4),
                "parts": [list(part) for part in seen.parts],
                "tint": round(seen.tint, 4),
                "curve": round(seen.curve, 4),
                "colour_left": round(seen.colour, 4),
                "shift": round(seen.shift, 4),
            }
            if not whole.same_frame:
                distance = round(min(1.0, max(0.0001, 1.0 - seen.share)), 4)
            if kind is not PairKind.UNRELATED:
                sizes = (one.size, other.size)
                evidence["edit"] = (
                    "another moment"
                    if Review.MOVED in self.review
                    else edit_words(kind, whole, seen, self.coarse, sizes)
                )
        if self.review:
            evidence["review"] = [str(reason) for reason in self.review]
        return Comparison(kind, distance, evidence, self.review)


def _compare(a: Look, b: Look) -> _Found:
    found = _laid_out(a, b)
    if found.whole is None or found.kind not in _ONE_PICTURE:
        return found
    motion = moved_between(a.frame, b.frame, found.whole)
    told = {"moved": round(motion.far, 3), "moved_share": round(motion.explained, 3)}
    if motion.is_seen:
        found = replace(found, kind=PairKind.RELATED, review=(Review.MOVED,))
    return replace(found, coarse=found.coarse | told)


def _laid_out(a: Look, b: Look) -> _Found:
    side = min(a.detail, b.detail)
    pose, alike = _best_pose(a, b, side)
    left, right = a.rgb(side, trimmed=pose.trim_a), pose.turned(b.rgb(side, trimmed=pose.trim_b))
    raw = views.measure_coarse(left, right)
    plain = views.is_plain(left) and views.is_plain(right)
    view_kind = views.judge_coarse(raw, plain=plain)
    rounded = {k: v if isinstance(v, bool) else round(v, 4) for k, v in raw.items()}
    coarse = {"detail": side, **rounded}
    whole = pose.whole((a.frame, a.trim), (b.frame, b.trim))
    best = _Found(PairKind.UNRELATED, coarse)
    if plain:
        return _Found(view_kind, coarse)
    if alike >= _ALIKE or view_kind is not PairKind.UNRELATED:
        placed, agreement = laid(a.frame, b.frame, whole, 0)
        kind, review = judge(placed, agreement)
        best = _Found(kind, coarse, review, whole, agreement)
        if view_kind is PairKind.NEAR:
            if not agreement.parts and Review.FEW_TONES not in review:
                return _Found(PairKind.NEAR, coarse, (), whole, agreement)
            why = review or (Review.PART_DIFFERS,)
            best = _Found(PairKind.RELATED, coarse, why, whole, agreement)
        elif kind is PairKind.NEAR and agreement.share >= _WELL_PLACED:
            return best
        elif kind is PairKind.NEAR:  # a coin and another coin; corners may know a better place
            why = (Review.PART_DIFFERS,)
            best = _Found(PairKind.RELATED, coarse, why, whole, agreement)
    by_corners = _by_corners(a, b, coarse)
    if _certain(by_corners) > _certain(best):
        return by_corners
    if best.kind is PairKind.UNRELATED and view_kind is PairKind.VARIANT:
        return _Found(view_kind, coarse, (Review.COLOURS_DIFFER,), whole, best.agreement)
    return best


def _certain(found: _Found) -> float:
    """Of two places found for one picture the better explanation leaves nothing to ask."""
    if found.kind is PairKind.UNRELATED or found.agreement is None:
        return 0.0
    return (1.0 if found.review else 2.0) + found.agreement.share / 2


def _by_corners(a: Look, b: Look, coarse: dict[str, Any]) -> _Found:
    best = _Found(PairKind.UNRELATED, coarse)
    for alignment in _alignments(a, b):
        whole = Whole.of_pixels(alignment.affine, a.frame.shape, b.frame.shape)
        placed, agreement = laid(a.frame, b.frame, whole, alignment.inliers)
        kind, review = judge(placed, agreement)
        if kind is PairKind.UNRELATED and shared_part(a.frame, b.frame, whole, alignment):
            kind, review = PairKind.RELATED, (Review.SHARED_PART,)
        found = _Found(kind, coarse, review, whole, agreement, alignment.inliers)
        if kind is not PairKind.UNRELATED and not review:
            return found
        if (_certain(found), found.inliers) > (_certain(best), best.inliers):
            best = found
    return best


def _alignments(a: Look, b: Look) -> Iterator[Alignment]:
    """Cheap corners first; the dearer ones only where those find no place."""
    found = _both_ways(a.orb, b.orb, b.orb_mirrored, b.frame.shape[1])
    yield from found or _both_ways(a.sift, b.sift, b.sift_mirrored, b.frame.shape[1])


def _both_ways(a: Corners, b: Corners, b_mirrored: Corners, width: int) -> list[Alignment]:
    straight, flipped = align(a, b), align(a, b_mirrored)
    found = [] if straight is None else [straight]
    if flipped is not None:
        affine = mirrored(flipped.affine, width)
        found.append(Alignment(affine, flipped.inliers, flipped.points))
    return found


def _best_pose(a: Look, b: Look, side: int) -> tuple[Pose, float]:
    """The way to lay b's view on a's in which they are most alike, and how much they are.

    As they are wins over any other way that is not clearly better.
    """
    ranked = []
    for pose in poses(trim_a=a.trim != (0, 0, 1, 1), trim_b=b.trim != (0, 0, 1, 1)):
        left = a.rgb(side, trimmed=pose.trim_a)
        right = pose.turned(b.rgb(side, trimmed=pose.trim_b))
        tones = views.correlation(left.mean(-1, keepdims=True), right.mean(-1, keepdims=True))
        ranked.append((tones - 0.01 * pose.effort, pose))
        if pose.effort == 0 and tones > 0.97:  # noqa: PLR2004 (nothing can be clearly better)
            break
    best, pose = max(ranked, key=lambda one: one[0])
    if best < _ALIKE:  # other colours: lines instead of tones
        edge_ranked = [
            (
                views.correlation(
                    views.edges(a.rgb(side, trimmed=one.trim_a)),
                    one.turned(views.edges(b.rgb(side, trimmed=one.trim_b))),
                )
                - 0.01 * one.effort,
                one,
            )
            for _, one in ranked
        ]
        lines, outlined = max(edge_ranked, key=lambda one: one[0])
        if lines >= _LEAST_OUTLINE:
            return outlined, lines
        return Pose(0, trim_a=False, trim_b=False), best
    return pose, best
