"""How is one frame laid on another, and what does each cover of the other?

Everything speaks in shares of the two frames (0 to 1 across and down), so that it holds for the
pictures at any size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from picdeed.imaging.agree import Agreement, measure
from picdeed.imaging.align import Affine, Alignment, cv, hull_mask
from picdeed.imaging.classes import Placed
from picdeed.imaging.motion import Motion, motion

Frame = NDArray[np.uint8]
Box = tuple[float, float, float, float]

_MOST_BORDER = 0.42  # of a side
_BORDER_SPREAD = 12.0  # of 255
_PLAIN_SPREAD = 9.0
_LEAST_TRIM = 0.02
_HULL_BLOCKS, _HULL_SHARE, _HULL_INLIERS = 6, 0.6, 15
_QUARTER = np.array([[0.0, 1, 0], [-1, 0, 1], [0, 0, 1]])  # x, y -> y, 1 - x
_ALL: Box = (0.0, 0.0, 1.0, 1.0)
_MIRROR = np.array([[-1.0, 0, 1], [0, 1, 0], [0, 0, 1]])


@dataclass(frozen=True, slots=True)
class Whole:
    """`matrix` float64[3, 3] takes shares of b's frame to shares of a's.

    `ratio` holds width by height of a's and of b's frame.
    """

    matrix: Affine
    ratio: tuple[float, float]

    @classmethod
    def of_pixels(cls, affine: Affine, of_a: tuple[int, ...], of_b: tuple[int, ...]) -> Whole:
        """From a map of pixel centres; the two shapes are (height, width, ...)."""
        full = np.vstack((affine, (0.0, 0.0, 1.0)))
        matrix: Affine = np.linalg.inv(_pixels(of_a)) @ full @ _pixels(of_b)
        return cls(matrix, (of_a[1] / of_a[0], of_b[1] / of_b[0]))

    def pixels(self, of_a: tuple[int, ...], of_b: tuple[int, ...]) -> Affine:
        """float64[2, 3]: pixels of b's frame to pixels of a's."""
        full: Affine = _pixels(of_a) @ self.matrix @ np.linalg.inv(_pixels(of_b))
        return full[:2]

    def inverse(self) -> Whole:
        matrix: Affine = np.linalg.inv(self.matrix).astype(np.float64)
        return Whole(matrix, (self.ratio[1], self.ratio[0]))

    @property
    def same_frame(self) -> bool:
        """Whether both frames coincide, unturned."""
        return bool(np.abs(self.matrix - np.eye(3)).max() < 0.004)  # noqa: PLR2004 (2 of 512 px)

    @property
    def mirrored(self) -> bool:
        return bool(np.linalg.det(self.matrix[:2, :2]) < 0)

    @property
    def turn(self) -> float:
        """Degrees by which b is turned to lie on a, once mirrored left to right; -180 to 180."""
        a, b = self.ratio
        square = np.diag((a, 1.0)) @ self.matrix[:2, :2] @ np.diag((1 / b, 1.0))
        if self.mirrored:
            square = square @ np.diag((-1.0, 1.0))
        return float(np.degrees(np.arctan2(square[1, 0] - square[0, 1], np.trace(square))))

    def covered(self) -> tuple[float, float]:
        """Shares of a's and of b's frame that the other covers."""
        unit = np.array([(0.0, 0), (1, 0), (1, 1), (0, 1)], dtype=np.float32)
        onto = (np.c_[unit, np.ones(4)] @ self.matrix.T)[:, :2].astype(np.float32)
        area = float(cv().intersectConvexConvex(unit, onto)[0])
        whole_b = abs(float(np.linalg.det(self.matrix[:2, :2])))
        return min(1.0, area), min(1.0, area / max(1e-9, whole_b))

    def evidence(self) -> dict[str, Any]:
        overlap = [round(share, 4) for share in self.covered()]
        if self.same_frame:
            return {"overlap": overlap}
        return {
            "overlap": overlap,
            "affine": [round(float(v), 5) for v in self.matrix[:2].reshape(-1)],
            "mirrored": self.mirrored,
            "turn": round(self.turn, 1),
        }


@dataclass(frozen=True, slots=True)
class Pose:
    """One way to lay b's view on a's: b mirrored (4 and more), turned left by quarters, trimmed."""

    way: int
    trim_a: bool
    trim_b: bool

    @property
    def effort(self) -> int:
        return (self.way > 0) + self.trim_a + self.trim_b

    def turned(self, view: NDArray[np.float32]) -> NDArray[np.float32]:
        """The view of b [side, side, ...] as this pose lays it."""
        flipped = view[:, ::-1] if self.way >= 4 else view  # noqa: PLR2004 (quarters)
        return np.rot90(flipped, self.way % 4)

    def whole(self, a: tuple[Frame, Box], b: tuple[Frame, Box]) -> Whole:
        """What this pose says of two frames, each with its box inside plain borders."""
        box_a = a[1] if self.trim_a else _ALL
        box_b = b[1] if self.trim_b else _ALL
        matrix = np.linalg.inv(_box(box_b))
        if self.way >= 4:  # noqa: PLR2004 (quarters)
            matrix = _MIRROR @ matrix
        matrix = _box(box_a) @ np.linalg.matrix_power(_QUARTER, self.way % 4) @ matrix
        ratio = a[0].shape[1] / a[0].shape[0], b[0].shape[1] / b[0].shape[0]
        return Whole(matrix.astype(np.float64), ratio)


def poses(*, trim_a: bool, trim_b: bool) -> Iterator[Pose]:
    """As they are first; trimmed only what has a border."""
    for cut_a in (False, True)[: 1 + trim_a]:
        for cut_b in (False, True)[: 1 + trim_b]:
            for way in range(8):
                yield Pose(way, cut_a, cut_b)


def laid(a: Frame, b: Frame, whole: Whole, inliers: int) -> tuple[Placed, Agreement]:
    """Both frames on the coarser one's pixels, and what they share there."""
    of_a, of_b = whole.covered()
    under, over, affine = _coarser(a, b, whole)
    moved, mask = _warped(over, affine, under.shape)
    plain_under = _plain_outside(under, mask)
    mask_over = _warped_mask(under.shape, _inverted(affine), over.shape)
    plain_over = _plain_outside(over, mask_over)
    on_a = under is a
    placed = Placed(
        of_a,
        of_b,
        plain_a=plain_under if on_a else plain_over,
        plain_b=plain_over if on_a else plain_under,
        inliers=inliers,
        turned=whole.mirrored or abs(whole.turn) > 45,  # noqa: PLR2004 (degrees)
    )
    return placed, measure(under, moved, mask)


def moved_between(a: Frame, b: Frame, whole: Whole) -> Motion:
    """What moved between both frames, on the coarser one's pixels."""
    under, over, affine = _coarser(a, b, whole)
    return motion(under, *_warped(over, affine, under.shape))


def shared_part(a: Frame, b: Frame, whole: Whole, alignment: Alignment) -> bool:
    """Whether the blocks between the corners that agree do agree: an object, a background."""
    if alignment.inliers < _HULL_INLIERS:
        return False
    under, over, affine = _coarser(a, b, whole)
    points = alignment.points
    if under is b and a is not b:
        onto = whole.inverse().pixels(b.shape, a.shape)
        points = (np.c_[points, np.ones(len(points))] @ onto.T).astype(np.float32)
    moved, mask = _warped(over, affine, under.shape)
    found = measure(under, moved, mask & hull_mask(points, under.shape[:2]))
    return found.blocks >= _HULL_BLOCKS and found.share >= _HULL_SHARE


def trim_box(frame: Frame) -> Box:
    """The frame without plain edges, at most 42 % a side, as shares; all of it where none are."""
    height, width = frame.shape[:2]
    if min(height, width) < 16:  # noqa: PLR2004 (no room for a border)
        return (0, 0, 1, 1)
    values = frame.astype(np.int16)
    top, bottom = _edge(values), _edge(values[::-1])
    across = values[top : height - bottom].transpose(1, 0, 2)
    left, right = _edge(across), _edge(across[::-1])
    cuts = (left / width, top / height, right / width, bottom / height)
    if max(cuts) < _LEAST_TRIM:
        return (0, 0, 1, 1)
    return (cuts[0], cuts[1], 1 - cuts[2], 1 - cuts[3])


def _edge(rows: NDArray[np.int16]) -> int:
    """How many rows from the first on have the first one's colour."""
    most = int(_MOST_BORDER * len(rows))
    colour = np.median(rows[0], axis=0)
    start, step = 0, 1
    while start <= most:  # few pictures have a border: most end at their first row
        off = np.abs(rows[start : min(start + step, most + 1)] - colour).max(-1)
        other = np.flatnonzero(np.quantile(off, 0.98, axis=1) > _BORDER_SPREAD)
        if len(other):
            return start + int(other[0])
        start, step = start + step, 2 * step
    return 0


def _coarser(a: Frame, b: Frame, whole: Whole) -> tuple[Frame, Frame, Affine]:
    """The frame on whose pixels to compare, the one to warp, and how: nothing is magnified."""
    affine = whole.pixels(a.shape, b.shape)
    if abs(np.linalg.det(affine[:, :2])) <= 1:
        return a, b, affine
    return b, a, whole.inverse().pixels(b.shape, a.shape)


def _warped(over: Frame, affine: Affine, shape: tuple[int, ...]) -> tuple[Frame, NDArray[np.bool_]]:
    scale = float(np.sqrt(abs(np.linalg.det(affine[:, :2]))))
    if scale < 0.8:  # noqa: PLR2004 (else the warp itself is smooth enough)
        over = cv().GaussianBlur(over, (0, 0), 0.45 / max(scale, 0.05))
    size = (shape[1], shape[0])
    moved = cv().warpAffine(
        over, affine, size, flags=cv().INTER_LINEAR, borderMode=cv().BORDER_REPLICATE
    )
    return moved, _warped_mask(over.shape, affine, shape)


def _warped_mask(
    over: tuple[int, ...], affine: Affine, shape: tuple[int, ...]
) -> NDArray[np.bool_]:
    ones = np.ones(over[:2], np.uint8)
    moved = cv().warpAffine(ones, affine, (shape[1], shape[0]), flags=cv().INTER_NEAREST)
    mask: NDArray[np.bool_] = moved.astype(bool)
    return mask


def _plain_outside(frame: Frame, mask: NDArray[np.bool_]) -> bool:
    """Whether what the other picture does not cover is of one colour."""
    grown = cv().dilate(mask.astype(np.uint8), np.ones((7, 7), np.uint8)).astype(bool)
    outside = frame[~grown]
    if len(outside) < 0.01 * mask.size:
        return False
    off = np.abs(outside.astype(np.int16) - np.median(outside, axis=0)).max(-1)
    return bool(np.quantile(off, 0.99) < _PLAIN_SPREAD)


def _inverted(affine: Affine) -> Affine:
    inverse: Affine = cv().invertAffineTransform(affine)
    return inverse


def _pixels(shape: tuple[int, ...]) -> Affine:
    """Shares of a frame to its pixel centres."""
    height, width = shape[:2]
    return np.array([[width, 0, -0.5], [0, height, -0.5], [0, 0, 1.0]])


def _box(box: Box) -> Affine:
    left, top, right, bottom = box
    return np.array([[right - left, 0, left], [0, bottom - top, top], [0, 0, 1.0]])
