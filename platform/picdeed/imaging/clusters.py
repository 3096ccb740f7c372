"""Which pictures are copies of one picture, without chaining strangers together?

What hangs together by pairs that were looked at is split around representatives: each takes only
those that were compared with it and found to be its copies (or that a second test admits); a copy
of a copy that the representative does not know starts a group of its own. Parts of pictures are
no copies: they stay pairs with a direction.
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
    """Two nodes that were compared; `kind` is what `a` is to `b`."""

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


@dataclass(frozen=True, slots=True, order=True)
class PartOf:
    """`part` shows a part of what `whole` shows."""

    part: str
    whole: str


def parts(nodes: Sequence[str], pairs: Iterable[PairOf]) -> tuple[PartOf, ...]:
    """The crops among known nodes, by direction: sorted, each once."""
    known = set(nodes)
    found = set()
    for pair in pairs:
        if pair.a not in known or pair.b not in known or pair.a == pair.b:
            continue
        if pair.kind is PairKind.CROP_OF:
            found.add(PartOf(pair.a, pair.b))
        elif pair.kind is PairKind.CONTAINS:
            found.add(PartOf(pair.b, pair.a))
    return tuple(sorted(found))


def cluster(
    nodes: Sequence[str],
    pairs: Iterable[PairOf],
    rank: Callable[[str], Any] = lambda node: node,
    within: Callable[[str, str], bool] | None = None,
) -> tuple[ClusterOf, ...]:
    """Groups of copies, then pairs of variants; sorted by kind and members.

    `rank` orders the nodes: the lowest of a group is its representative. A node stands in at
    most one group of kind same-pixels or near (same-pixels when all its members have the same
    pixels). A variant group is a representative and its variants: these may overlap. Pairs of
    other kinds (a part of a picture is no copy of it), and pairs with an unknown node, are left
    aside.

    `within(representative, node)` may admit a node that hangs together with the representative
    through others, but was not compared with it: for instance by the distance of their codes.
    """
    known = set(nodes)
    seen = [pair for pair in pairs if pair.a in known and pair.b in known and pair.a != pair.b]
    copies = _groups(nodes, _linked(seen, _COPIES), rank, within)
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
    nodes: Sequence[str],
    links: dict[str, set[str]],
    rank: Callable[[str], Any],
    within: Callable[[str, str], bool] | None = None,
) -> list[tuple[str, list[str]]]:
    """Stars: in rank order each node that is still free takes its free neighbours, and what
    `within` admits of the free rest of its component."""
    free = set(links)
    ordered = sorted({node for node in nodes if node in free}, key=lambda n: (rank(n), n))
    whole = _components(ordered, links) if within is not None else {}
    groups = []
    for head in ordered:
        if head not in free:
            continue
        members = links[head] & free
        if within is not None:
            rest = (whole[head] & free) - members - {head}
            members |= {node for node in rest if within(head, node)}
        if members:
            free -= {head, *members}
            groups.append((head, sorted(members)))
    return groups


def _components(nodes: Sequence[str], links: dict[str, set[str]]) -> dict[str, set[str]]:
    """For each node the set (shared) of all that hang together with it."""
    place = {node: at for at, node in enumerate(nodes)}
    edges = [(at, place[other]) for node, at in place.items() for other in links[node]]
    labels = components(len(nodes), np.array(edges, dtype=np.int64).reshape(-1, 2))
    sets: dict[int, set[str]] = {}
    for node, label in zip(nodes, labels.tolist(), strict=True):
        sets.setdefault(label, set()).add(node)
    return {node: sets[label] for node, label in zip(nodes, labels.tolist(), strict=True)}


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
