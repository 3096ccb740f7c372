"""Which pictures share a part, by corners that lie alike in both?

Corners of two pictures within 36 bits vote for one way to lay one picture on the other: a scale, a
turn and a shift; four votes for one way make a candidate. A corner that many pictures have
(letters, frames, skies) speaks for the nearest eight only, and one that every eighth picture of a
sample has for none, so that a thousand pages with one header are no quadratic work.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from picdeed.imaging.local import Local
from picdeed.imaging.neighbours import Pairs, distances, first_equal, pairs_between

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]

RADIUS = 36
LEAST_VOTES = 4
NEAREST = 8  # other pictures that one corner may speak for
_SAMPLE = 256  # pictures
_EVERYWHERE = 1 / 8  # of the sample
_EVERYWHERE_FROM = 32  # pictures of the sample at least
_BLOCK = 400_000  # corners asked at once: about 1,000 pictures
_MOST = 1 << 25  # matches of one block: 512 MiB
_WORK = 1 << 22  # pairs of matches whose geometry is compared at once
_SCALE_STEP, _TURN_STEP, _SHIFT_STEP = 0.5, np.pi / 6, 56.0  # as logarithm, radians, pixels of 448
_LEAST_REACH, _REACH = 12.0, 0.2
_SPOT = 14.0
_WIDEST = 256  # matches of one pair that are compared


@dataclass(frozen=True, slots=True)
class _Field:
    """The corners of several pictures: `owner` int64[k] is the picture of each."""

    codes: NDArray[np.uint64]
    geometry: Floats
    owner: Ints

    @classmethod
    def of(cls, pictures: Sequence[Local]) -> _Field:
        sizes = [len(one.codes) for one in pictures]
        return cls(
            np.concatenate([np.zeros((0, 4), np.uint64), *(one.codes for one in pictures)]),
            np.concatenate([np.zeros((0, 4), np.float32), *(one.geometry for one in pictures)]),
            np.repeat(np.arange(len(pictures), dtype=np.int64), sizes),
        )

    def some(self, which: NDArray[np.bool_]) -> _Field:
        return _Field(self.codes[which], self.geometry[which], self.owner[which])


def candidates_by_votes(pictures: Sequence[Local], *, least: int = LEAST_VOTES) -> Pairs:
    """Pairs i < j of pictures with `least` or more corners in one geometry: int64[m, 2], sorted."""
    found = _candidates(_Field.of(pictures), _Field.of(pictures), least, itself=True)
    return _rows(np.sort(found, axis=1))


def candidates_between(
    pictures: Sequence[Local], listed: Sequence[Local], *, least: int = LEAST_VOTES
) -> Pairs:
    """Pairs (picture, listed picture) with `least` or more corners in one geometry, sorted.

    The first two numbers of `int64[m, 2]` count in the two sequences.
    """
    return _rows(_candidates(_Field.of(pictures), _Field.of(listed), least, itself=False))


def _rows(pairs: Pairs) -> Pairs:
    return np.unique(pairs, axis=0).reshape(-1, 2)


def _candidates(asked: _Field, base: _Field, least: int, *, itself: bool) -> Pairs:
    found = [np.zeros((0, 2), dtype=np.int64)]
    if not len(asked.codes) or not len(base.codes):
        return found[0]
    base = base.some(~_everywhere(base, base))
    if itself:
        asked = base
    elif len(asked.codes):
        asked = asked.some(~_everywhere(asked, base))
    waiting = [asked.some(block) for block in _blocks(asked.owner)]
    while waiting:
        block = waiting.pop()
        try:
            left, right = _matches(block, base, itself=itself)
        except OverflowError:  # pictures with one header each: fewer of them at a time
            middle = (block.owner[0] + block.owner[-1] + 1) // 2
            if middle == block.owner[0]:
                raise
            waiting += [block.some(block.owner < middle), block.some(block.owner >= middle)]
            continue
        found.append(_voted(block, base, left, right, least))
    return np.concatenate(found)


def _blocks(owner: Ints) -> Iterator[NDArray[np.bool_]]:
    """Masks of whole pictures, about 400,000 corners each."""
    n = int(owner.max(initial=-1)) + 1
    counts = np.cumsum(np.bincount(owner, minlength=n))
    start = 0
    while start < n:
        before = counts[start - 1] if start else 0
        end = max(start + 1, int(np.searchsorted(counts, before + _BLOCK, side="right")))
        yield (owner >= start) & (owner < end)
        start = end


def _everywhere(asked: _Field, base: _Field) -> NDArray[np.bool_]:
    """Which corners every eighth picture of a sample has."""
    owners = np.unique(base.owner)
    if len(owners) <= _EVERYWHERE_FROM:
        return np.zeros(len(asked.codes), dtype=bool)
    size = _SAMPLE
    while True:
        chosen = owners[:: max(1, len(owners) // size)][:size]
        sample = base.some(np.isin(base.owner, chosen))
        try:
            matched = pairs_between(asked.codes, sample.codes, RADIUS, most=_MOST)
            break
        except OverflowError:
            if size == 1:
                raise
            size //= 2
    corner, other = _Groups.of(sample.codes).unfolded(matched[:, 1])
    by = int(owners[-1]) + 1
    pictures = np.unique(matched[corner, 0] * by + sample.owner[other]) // by
    seen = np.bincount(pictures, minlength=len(asked.codes))
    many = max(min(_EVERYWHERE_FROM, len(chosen)), _EVERYWHERE * len(chosen))
    return np.asarray(seen[first_equal(asked.codes)] >= many)


@dataclass(frozen=True, slots=True)
class _Groups:
    """Who has the same code: the members of the group of `head` are
    order[start[head] : start[head] + count[head]]."""

    order: Ints
    start: Ints
    count: Ints

    @classmethod
    def of(cls, codes: NDArray[np.uint64]) -> _Groups:
        first = first_equal(codes)
        order = np.argsort(first, kind="stable")
        count = np.bincount(first, minlength=len(first))
        return cls(order, np.cumsum(count) - count, count)

    def unfolded(self, heads: Ints, most: int | None = None) -> tuple[Ints, Ints]:
        """(place in `heads`, member) for each head's members, at most `most` of each."""
        count = self.count[heads] if most is None else np.minimum(self.count[heads], most)
        place = np.repeat(np.arange(len(heads)), count)
        within = np.arange(len(place)) - np.repeat(np.cumsum(count) - count, count)
        return place, self.order[self.start[heads][place] + within]


def _matches(asked: _Field, base: _Field, *, itself: bool) -> tuple[Ints, Ints]:
    """(corner of asked, corner of base) of other pictures, for each corner the nearest few."""
    pairs = pairs_between(asked.codes, base.codes, RADIUS, most=_MOST)
    # Equal codes were one until here; letters are equal by the thousand.
    place, right = _Groups.of(base.codes).unfolded(pairs[:, 1], 2 * NEAREST)
    again, left = _Groups.of(asked.codes).unfolded(pairs[place, 0])
    pairs = np.stack((left, right[again]), axis=1)
    if itself:
        pairs = pairs[asked.owner[pairs[:, 0]] != base.owner[pairs[:, 1]]]
    if not len(pairs):
        return pairs[:, 0], pairs[:, 1]
    codes = np.concatenate((asked.codes, base.codes))
    apart = distances(codes, pairs[:, 0], pairs[:, 1] + len(asked.codes))
    order = np.lexsort((pairs[:, 1], apart, pairs[:, 0]))
    pairs = pairs[order]
    starts = np.r_[True, pairs[1:, 0] != pairs[:-1, 0]]
    place = np.arange(len(pairs))
    rank = place - np.maximum.accumulate(np.where(starts, place, 0))
    kept = pairs[rank < NEAREST]
    return kept[:, 0], kept[:, 1]


def _voted(asked: _Field, base: _Field, left: Ints, right: Ints, least: int) -> Pairs:
    """Pairs of pictures of which enough corners agree with one of them as the reference.

    Each match says how its picture would be scaled, turned and shifted; a reference match counts
    those whose saying is near its own, matches on one spot of either picture as one. Pairs with
    nearly as many matches are counted together: most are accidents, and there are many.
    """
    n = int(base.owner.max(initial=0)) + 1
    keys = asked.owner[left] * n + base.owner[right]
    order = np.argsort(keys, kind="stable")
    keys, left, right = keys[order], left[order], right[order]
    starts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]]) if len(keys) else keys
    counts = np.diff(np.r_[starts, len(keys)])
    found = [keys[:0]]
    low, width = least, 2 * least
    while low <= int(counts.max(initial=0)):
        last = width >= _WIDEST  # of more matches some are taken, evenly
        picked = np.flatnonzero((counts >= low) & (last | (counts <= width)))
        step = max(1, _WORK // (width * width))
        for at in range(0, len(picked), step):
            some = picked[at : at + step]
            places = np.arange(width)[None] * np.maximum(1.0, counts[some] / width)[:, None]
            there = places < counts[some][:, None]
            index = np.minimum(starts[some][:, None] + places.astype(np.int64), len(left) - 1)
            a, b = asked.geometry[left[index]], base.geometry[right[index]]
            found.append(keys[starts[some[_witnesses(a, b, there) >= least]]])
        if last:
            break
        low, width = width + 1, 2 * width
    return np.stack(np.divmod(np.concatenate(found), n), axis=1)


def _witnesses(a: Floats, b: Floats, there: NDArray[np.bool_]) -> Ints:
    """int64[g]: the most matches of one geometry, on different spots of both pictures.

    `a` and `b` are float32[g, k, 4], `there` bool[g, k].
    """
    agree = _agreeing(a, b, there)
    fewest = np.minimum(_spots(agree, a), _spots(agree, b))
    most: Ints = fewest.max(-1)
    return most


def _spots(agree: NDArray[np.bool_], places: Floats) -> Ints:
    """int64[g, k]: on how many different spots the matches lie that agree with each reference.

    A corner that was found at two sizes, or twice beside itself, is one witness.
    """
    spot = (places[..., :2] / _SPOT).round()
    same = (spot[:, :, None] == spot[:, None]).all(-1)
    earlier = np.tril(same, -1).transpose(0, 2, 1).astype(np.float32)  # [l, j]: l before j
    again = (agree.astype(np.float32) @ earlier) > 0
    return np.asarray((agree & ~again).sum(-1))


def _agreeing(a: Floats, b: Floats, there: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """bool[g, k, k]: which matches (last) say what a reference match says."""
    scale = np.log(b[..., 2] / a[..., 2])
    turn = b[..., 3] - a[..., 3]
    by = np.exp(scale)
    cosine, sine = by * np.cos(turn), by * np.sin(turn)
    step = a[:, None, :, :2] - a[:, :, None, :2]
    across = cosine[..., None] * step[..., 0] - sine[..., None] * step[..., 1]
    down = sine[..., None] * step[..., 0] + cosine[..., None] * step[..., 1]
    real = b[:, None, :, :2] - b[:, :, None, :2]
    off = np.hypot(across - real[..., 0], down - real[..., 1])
    # Far corners may be off by more: a small error of turn or scale grows with the distance.
    reach = np.hypot(real[..., 0], real[..., 1])
    away = np.abs((turn[:, None] - turn[:, :, None] + np.pi) % (2 * np.pi) - np.pi)
    agree = (np.abs(scale[:, None] - scale[:, :, None]) < _SCALE_STEP) & (away < _TURN_STEP)
    agree &= off < np.clip(_REACH * reach, _LEAST_REACH, _SHIFT_STEP)
    kept: NDArray[np.bool_] = agree & there[:, None] & there[:, :, None]
    return kept
