"""Do two colour grids show the same colours, where no pixels are at hand?

A code says how light and dark lie and nothing of colours: a shirt in red and the same in blue have
one code. The grids (`codes.Code.colours`) are turned as the codes were, taken without the borders
where those were, and their hues compared; light is left to the code.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from picdeed.imaging.codes import Turn
from picdeed.imaging.fields import COLOURS

Grid = NDArray[np.float32]
Shares = tuple[float, float, float, float]

WHOLE: Shares = (0.0, 0.0, 1.0, 1.0)
_MOST_APART = 8.0  # CIE a*b*, on average over the cells; recompressing moves it by 1 to 2
_MOST_APART_INSIDE = 14.0  # where cells that a border's edge crosses are among them
_GREY = 4.0  # from 128: a copy without colours is a copy
_STEPS = 4  # places a cell and direction, where a border is left out


def same_colours(
    one: NDArray[np.uint8],
    other: NDArray[np.uint8],
    turn: Turn = Turn.NONE,
    inside: tuple[Shares, Shares] = (WHOLE, WHOLE),
) -> bool:
    """Whether the second grid, turned back, has the hues of the first, or one of them is grey.

    Both are uint8[192]; `turn` leads from the first picture to the second. `inside` is what to
    look at of each: left, top, right, bottom as shares of the frame.
    """
    turned = _turned(_hues(one, inside[0]), turn)
    apart = turned - _hues(other, inside[1])
    if _is_grey(one) or _is_grey(other):
        return True
    most = _MOST_APART if inside == (WHOLE, WHOLE) else _MOST_APART_INSIDE
    return bool(np.hypot(apart[..., 0], apart[..., 1]).mean() <= most)


def _is_grey(grid: NDArray[np.uint8]) -> bool:
    hues = grid.reshape(COLOURS, COLOURS, 3)[..., 1:].astype(np.float32)
    return bool(np.abs(hues - 128).max() <= _GREY)


def _hues(grid: NDArray[np.uint8], inside: Shares) -> Grid:
    """float32[8, 8, 2]: a* and b* of the part inside, each cell a mean of 4 x 4 places."""
    left, top, right, bottom = inside
    across = _places(left, right)
    down = _places(top, bottom)
    cells = grid.reshape(COLOURS, COLOURS, 3)[..., 1:].astype(np.float32)
    picked = cells[down][:, across]
    folded = picked.reshape(COLOURS, _STEPS, COLOURS, _STEPS, 2)
    mean: Grid = folded.mean(axis=(1, 3), dtype=np.float32)
    return mean


def _places(begin: float, end: float) -> NDArray[np.int64]:
    """The cells under 32 places between two shares of a side."""
    steps = (np.arange(COLOURS * _STEPS) + 0.5) / (COLOURS * _STEPS)
    at = ((begin + steps * (end - begin)) * COLOURS).astype(np.int64)
    return np.clip(at, 0, COLOURS - 1)


def _turned(grid: Grid, turn: Turn) -> Grid:
    """What Pillow's `transpose` of this name does to the picture, done to its cells."""
    across = np.swapaxes(grid, 0, 1)
    made = {
        Turn.NONE: grid,
        Turn.FLIP_LEFT_RIGHT: grid[:, ::-1],
        Turn.FLIP_TOP_BOTTOM: grid[::-1],
        Turn.ROTATE_180: grid[::-1, ::-1],
        Turn.TRANSPOSE: across,
        Turn.ROTATE_90: across[::-1],
        Turn.ROTATE_270: across[:, ::-1],
        Turn.TRANSVERSE: across[::-1, ::-1],
    }
    return made[turn]
