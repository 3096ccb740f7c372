"""Which pictures are copies of one picture, without chaining strangers together?

A representative is chosen and takes only those that were compared with it and found to be its
copies; a copy of a copy that the representative does not know starts a group of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from picdeed.imaging.neighbours import components
from picdeed.imaging.verify import PairKind

_COPIES = (PairKind.SAME_PIXELS, PairKind.NEAR)


@dataclass(frozen=True, slots=True)
class PairOf:
    """Two nodes that were compared, in any order."""

    a: str
    b: str
    kind: PairKind
    distance: float


@dataclass(frozen=True, slots=True)
class ClusterOf:
    """Two or more nodes, sorted; `kind` is same-pixels, near or variant."""

    kind: PairKind
    members: tuple[str, ...]
    representative: str


def cluster(
    nodes: Sequence[str],
    pairs: Iterable[PairOf],
    rank: Callable[[str], Any] = lambda node: node,
) -> tuple[ClusterOf, ...]:
    """Groups of copies, then pairs of variants; sorted by kind and members.

    `rank` orders the nodes: the lowest of a group is its representative. A node stands in at
    most one group of kind same-pixels or near (same-pixels when all its members have the same
    pixels). A variant group is a representative and its variants: these may overlap. Pairs of
    kind unrelated, and pairs with an unknown node, are left aside.
    """
    known = set(nodes)
    seen = [pair for pair in pairs if pair.a in known and pair.b in known and pair.a != pair.b]
    copies = _groups(nodes, _linked(seen, _COPIES), rank)
    same = _linked(seen, (PairKind.SAME_PIXELS,))
    found = [
        ClusterOf(_kind_of(head, members, same), tuple(sorted((head, *members))), head)
        for head, members in copies
    ]
    # Each group of copies shows its variants once, by its representative.
    head_of = {node: one.representative for one in found for node in one.members}
    variants = _linked(seen, (PairKind.VARIANT,))
    heads: dict[str, set[str]] = {}
    for node, others in variants.items():
        head = head_of.get(node, node)
        for other in others:
            if (head_other := head_of.get(other, other)) != head:
                heads.setdefault(head, set()).add(head_other)
    found += [
        ClusterOf(PairKind.VARIANT, tuple(sorted((head, *members))), head)
        for head, members in _groups(nodes, heads, rank)
    ]
    return tuple(sorted(found, key=lambda one: (one.kind.value, one.members)))


def _linked(pairs: Iterable[PairOf], kinds: Sequence[PairKind]) -> dict[str, set[str]]:
    links: dict[str, set[str]] = {}
    for pair in pairs:
        if pair.kind in kinds:
            links.setdefault(pair.a, set()).add(pair.b)
            links.setdefault(pair.b, set()).add(pair.a)
    return links


def _groups(
    nodes: Sequence[str], links: dict[str, set[str]], rank: Callable[[str], Any]
) -> list[tuple[str, list[str]]]:
    """Stars: in rank order each node that is still free takes its free neighbours."""
    free = set(links)
    groups = []
    for head in sorted({node for node in nodes if node in free}, key=lambda n: (rank(n), n)):
        if head not in free:
            continue
        members = sorted(links[head] & free)
        if members:
            free -= {head, *members}
            groups.append((head, members))
    return groups


def _kind_of(head: str, members: Sequence[str], same: dict[str, set[str]]) -> PairKind:
    """same-pixels when every member hangs together by equal pixels (which chain safely)."""
    group = [head, *members]
    place = {node: at for at, node in enumerate(group)}
    edges = [
        (at, place[other])
        for node, at in place.items()
        for other in same.get(node, ())
        if other in place
    ]
    labels = components(len(group), np.array(edges, dtype=np.int64).reshape(-1, 2))
    return PairKind.NEAR if labels.max() else PairKind.SAME_PIXELS
