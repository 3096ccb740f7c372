"""Where does one picture lie in another: moved, scaled, stretched, turned or mirrored?

Corners of both (ORB, Rublee 2011; where they do not agree, SIFT, Lowe 2004) are matched with the
ratio test, and the affine map that most of them follow is found by RANSAC (USAC of OpenCV, with a
fixed seed). Measured on 24 photographs: unrelated pictures agree in at most 4 corners, copies in
at least 15 for nearly every edit.

OpenCV runs on one thread here, so that one pair always gives one answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from types import ModuleType

Grey = NDArray[np.uint8]
Affine = NDArray[np.float64]

SIDE = 512  # pixels of the longer side at which corners are looked for
LEAST_INLIERS = 10
MOST_STRETCH = 2.2  # the longer axis of the map by the shorter: 16:9 squeezed into a square is 1.8
_LEAST_SCALE, _MOST_SCALE = 0.08, 12.0
_RATIO = 0.8
_REPROJECTION = 3.0  # pixels of the frame
_ORB, _SIFT = 1000, 800  # corners kept
_LEAST_SIDE = 32  # ORB's own patch is 31 pixels wide


@dataclass(frozen=True, slots=True)
class Corners:
    """Of one frame: `points` float32[k, 2] as x, y in pixels; `codes` uint8 or float32[k, d]."""

    points: NDArray[np.float32]
    codes: NDArray[Any]


@dataclass(frozen=True, slots=True)
class Alignment:
    """`affine` float64[2, 3] takes pixels x, y of b's frame to a's; `inliers` corners follow it.

    `points` float32[m, 2] are these corners in a's frame.
    """

    affine: Affine
    inliers: int
    points: NDArray[np.float32]


@lru_cache(maxsize=1)
def cv() -> ModuleType:
    """OpenCV, on one thread; imported on first use because nothing else needs it."""
    import cv2

    cv2.setNumThreads(1)
    return cv2


def orb_corners(grey: Grey) -> Corners:
    """Up to 1,000 corners with 256-bit codes; none below 32 pixels."""
    if min(grey.shape) < _LEAST_SIDE:
        return Corners(np.zeros((0, 2), np.float32), np.zeros((0, 32), np.uint8))
    # Faint pictures have corners too, once their contrast is evened out.
    found, codes = cv().ORB_create(_ORB, fastThreshold=6).detectAndCompute(evened(grey), None)
    return Corners(_points(found), np.zeros((0, 32), np.uint8) if codes is None else codes)


def sift_corners(grey: Grey) -> Corners:
    """Up to 800 corners with codes of 128 numbers (as roots, Arandjelovic 2012)."""
    if min(grey.shape) < _LEAST_SIDE:
        return Corners(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32))
    found, codes = (
        cv().SIFT_create(_SIFT, contrastThreshold=0.01).detectAndCompute(evened(grey), None)
    )
    if codes is None:
        return Corners(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32))
    whole = codes.sum(axis=1, keepdims=True) + np.float32(1e-6)
    return Corners(_points(found), np.sqrt(codes / whole).astype(np.float32))


def evened(grey: Grey) -> Grey:
    """Local contrast evened out (CLAHE), so that a dark or hazy copy keeps its corners."""
    even: Grey = cv().createCLAHE(3.0, (4, 4)).apply(np.ascontiguousarray(grey))
    return even


def align(a: Corners, b: Corners) -> Alignment | None:
    """The affine map from b's frame to a's that most matched corners follow, if there is one.

    None with fewer than 10 corners that agree, or when the map squeezes one axis more than 2.2
    times as much as the other, or scales by less than 1/12 or more than 12.
    """
    source, target = _matched(a, b)
    if len(source) < LEAST_INLIERS:
        return None
    affine, kept = cv().estimateAffine2D(
        source,
        target,
        method=cv().USAC_MAGSAC,
        ransacReprojThreshold=_REPROJECTION,
        maxIters=2000,
        confidence=0.999,
    )
    if affine is None or not _sane(affine):
        return None
    held = kept.reshape(-1) > 0
    # Several matches on one spot are one witness, on either side.
    spots = min(_spots(source[held]), _spots(target[held]))
    if spots < LEAST_INLIERS:
        return None
    return Alignment(affine, spots, target[held])


def mirrored(affine: Affine, width: int) -> Affine:
    """An affine map from a frame that was mirrored left to right before, `width` pixels wide."""
    straight: Affine = affine @ np.array([[-1.0, 0, width - 1], [0, 1, 0], [0, 0, 1]])
    return straight


def hull_mask(points: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """bool[h, w]: inside the convex hull of the points (x, y)."""
    mask = np.zeros(shape, np.uint8)
    if len(points) > 2:  # noqa: PLR2004 (a hull needs three)
        outline = cv().convexHull(points.astype(np.float32)).round().astype(np.int32)
        cv().fillConvexPoly(mask, outline, 1)
    return mask.astype(bool)


def _points(found: Any) -> NDArray[np.float32]:
    return np.array([one.pt for one in found], dtype=np.float32).reshape(-1, 2)


def _matched(a: Corners, b: Corners) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Corners of b and of a that are each other's clear best: float32[m, 2] each."""
    if len(a.points) < LEAST_INLIERS or len(b.points) < LEAST_INLIERS:
        return np.zeros((0, 2), np.float32), np.zeros((0, 2), np.float32)
    norm = cv().NORM_HAMMING if a.codes.dtype == np.uint8 else cv().NORM_L2
    twos = cv().BFMatcher(norm).knnMatch(b.codes, a.codes, k=2)
    good = [one for one, other in twos if one.distance < _RATIO * other.distance]
    return (
        b.points[[one.queryIdx for one in good]],
        a.points[[one.trainIdx for one in good]],
    )


def _sane(affine: Affine) -> bool:
    if not np.isfinite(affine).all():
        return False
    longer, shorter = np.linalg.svd(affine[:, :2], compute_uv=False)
    if shorter <= 0 or longer / shorter > MOST_STRETCH:
        return False
    return bool(_LEAST_SCALE < np.sqrt(longer * shorter) < _MOST_SCALE)


def _spots(points: NDArray[np.float32]) -> int:
    return len(np.unique((points / 2).round(), axis=0))
