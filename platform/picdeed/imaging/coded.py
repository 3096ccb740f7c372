"""What does the search know of pictures: codes by row, marks by picture, crowds of one code?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from picdeed.imaging.alike import Marks
from picdeed.imaging.codes import BITS, Code, Turn, variants
from picdeed.imaging.neighbours import Codes, first_equal

Ints = NDArray[np.int64]

# Blank and featureless pictures share one code by the thousand. Of up to this many rows with one
# code all take part in the search, of more one stands for them.
EQUAL_CODES = 32


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """Codes of pictures, one row a code: a picture has one, and a second without its border.

    `owner` is int64[k], the picture's number, 0 to n - 1; `turned` is uint64[k, 8, 4] by `Turn`,
    memory-mapped or not; `trimmed` is bool[k]. `marks` tell pictures of one code from each other.
    """

    n: int
    owner: Ints
    turned: Codes
    trimmed: NDArray[np.bool_]
    marks: Marks | None = None

    @classmethod
    def of(cls, codes: Sequence[Code]) -> Coded:
        """The rows of these pictures' codes."""
        inner = [at for at, code in enumerate(codes) if code.trimmed_coefficients is not None]
        rows = [code.coefficients for code in codes]
        rows += [c.trimmed_coefficients for c in codes if c.trimmed_coefficients is not None]
        spectra = np.stack(rows) if rows else np.zeros((0, BITS), dtype=np.float32)
        owner = np.array([*range(len(codes)), *inner], dtype=np.int64)
        return cls(len(codes), owner, variants(spectra), np.arange(len(rows)) >= len(codes))

    @property
    def upright(self) -> Codes:
        """uint64[k, 4]."""
        return np.ascontiguousarray(self.turned[:, Turn.NONE])

    def stacked(self, rows: Ints, turns: Sequence[Turn]) -> Codes:
        """uint64[len(turns) * len(rows), 4]: these rows in one turn after the other."""
        if not turns:
            return np.zeros((0, self.turned.shape[2]), dtype=np.uint64)
        return np.concatenate([self.turned[rows, turn] for turn in turns])


@dataclass(frozen=True, slots=True, eq=False)
class Crowds:
    """Rows by their upright code. `kept` (ascending) are those that take part in the search;
    `groups` are the rows of each crowd, the best picture first, by the row that stands for them.
    """

    kept: Ints
    groups: Mapping[int, Ints] = field(default_factory=dict)
    standing: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))  # of each picture

    @classmethod
    def of(cls, coded: Coded) -> Crowds:
        """The crowds of more than 32 rows."""
        first = first_equal(coded.upright)
        rows = np.arange(len(first), dtype=np.int64)
        crowded = np.bincount(first, minlength=len(first))[first] > EQUAL_CODES
        inside = rows[crowded]
        if not len(inside):
            return cls(rows)
        marks = coded.marks
        standing = np.arange(coded.n, dtype=np.int64) if marks is None else marks.standing()
        inside = inside[np.lexsort((inside, standing[coded.owner[inside]], first[inside]))]
        starts = np.flatnonzero(np.diff(first[inside], prepend=-1))
        groups = {int(group[0]): group for group in np.split(inside, starts[1:])}
        heads = np.fromiter(groups, dtype=np.int64)
        return cls(np.sort(np.concatenate((rows[~crowded], heads))), groups, standing)

    def touched(self, rows: NDArray[np.bool_]) -> Ints:
        """Those of `kept` that are among these rows (bool[k]), or stand for one of them."""
        hit = rows.copy()
        for head, group in self.groups.items():
            hit[head] = rows[group].any()
        return self.kept[hit[self.kept]]
