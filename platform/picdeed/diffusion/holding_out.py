"""Which pictures does a run never train on? Whole groups, so that no copy of one is trained on.

A held-out picture whose mirrored copy, crop or recolouring was trained on measures memory and not
learning. So what is, or may be, one picture is held out together or not at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

FEWEST_HELD_OUT = 2
# Holding out more than a third of a small set would take away what it has to teach.
_LARGEST_SHARE = 3


@dataclass(frozen=True, slots=True)
class _Group:
    """Pictures that stay together; `different` of them are no copies of each other."""

    pictures: tuple[str, ...]
    different: int
    rank: str

    @property
    def size(self) -> tuple[int, int, str]:
        return self.different, len(self.pictures), self.rank


@dataclass(frozen=True, slots=True)
class _Room:
    """How much may be held out: so many different pictures, so many files."""

    different: int
    files: int

    def takes(self, groups: Iterable[_Group]) -> bool:
        groups = tuple(groups)
        return (
            sum(group.different for group in groups) <= self.different
            and sum(len(group.pictures) for group in groups) <= self.files
        )

    def less(self, group: _Group) -> _Room:
        return _Room(self.different - group.different, self.files - len(group.pictures))


def hold_out(
    pictures: Collection[str],
    share: float,
    kin: Sequence[Sequence[str]] = (),
    copies: Sequence[Sequence[str]] = (),
) -> frozenset[str]:
    """The pictures to hold out, the same for the same pictures in any order.

    `kin` are the groups of two or more that stay together, `copies` those inside them that are one
    picture. Copies count once: `share` of the different pictures are wanted. The groups are taken
    in the order of a hash; one that is too large for what is still wanted is passed over. Where
    that leaves a gap which none fills, the smallest that comes nearer is taken too. At least 2
    groups are held out and at most a third, of the different pictures and of the files; where no 2
    groups are as small as that, or share is 0, nobody is. Raises ValueError when a picture stands
    in two groups.
    """
    groups = sorted(_groups(pictures, kin, copies), key=lambda group: group.rank)
    total = sum(group.different for group in groups)
    room = _Room(total // _LARGEST_SHARE, len(set(pictures)) // _LARGEST_SHARE)
    wanted = min(max(FEWEST_HELD_OUT, round(total * share)), room.different)
    if share == 0 or wanted < FEWEST_HELD_OUT:
        return frozenset()
    groups = [group for group in groups if room.takes([group])]
    chosen = _walk(groups, [], wanted, room)
    if len(chosen) < FEWEST_HELD_OUT:
        smallest = combinations(sorted(groups, key=lambda group: group.size), FEWEST_HELD_OUT)
        start = next((pair for pair in smallest if room.takes(pair)), None)
        if start is None:
            return frozenset()
        chosen = _walk(groups, start, wanted, room)
    chosen += _nearer(groups, chosen, wanted, room)
    return frozenset(picture for group in chosen for picture in group.pictures)


def _walk(
    groups: Sequence[_Group], start: Sequence[_Group], wanted: int, room: _Room
) -> list[_Group]:
    """`start`, and in their order the groups that still fit under `wanted`."""
    chosen = list(start)
    for group in start:
        room = room.less(group)
    left = wanted - sum(group.different for group in start)
    for group in groups:
        if left <= 0:
            break
        if group not in start and group.different <= left and room.takes([group]):
            chosen.append(group)
            left -= group.different
            room = room.less(group)
    return chosen


def _nearer(
    groups: Sequence[_Group], chosen: Sequence[_Group], wanted: int, room: _Room
) -> list[_Group]:
    """The smallest group that overshoots by less than what is missing, or nobody."""
    missing = wanted - sum(group.different for group in chosen)
    taken = {group.rank for group in chosen}
    for group in chosen:
        room = room.less(group)
    found = [
        group
        for group in groups
        if group.rank not in taken and group.different < 2 * missing and room.takes([group])
    ]
    return sorted(found, key=lambda group: group.size)[:1]


def _groups(
    pictures: Collection[str], kin: Sequence[Sequence[str]], copies: Sequence[Sequence[str]]
) -> list[_Group]:
    """Every picture in its group, those without kin alone."""
    known = set(pictures)
    alone = known.copy()
    stands_for = {one: min(group) for group in copies for one in group}
    found = []
    for group in kin:
        inside = sorted(known.intersection(group)) if len(group) > 1 else []
        if not alone.issuperset(inside):
            raise ValueError(f"{inside[0]} or one of its kin stands in two groups")
        alone.difference_update(inside)
        if inside:
            different = len({stands_for.get(one, one) for one in inside})
            found.append(_Group(tuple(inside), different, _rank(inside[0])))
    return found + [_Group((one,), 1, _rank(one)) for one in alone]


def _rank(picture: str) -> str:
    return hashlib.sha256(b"hold-out/1|" + picture.encode()).hexdigest()
