"""Which pictures are, or may be, one picture? Shared by the stages that count or part pictures.

Copies are one picture. Kin are copies, crops and recolourings, what a person merged, and pairs of
which the pixels could not tell and nobody has said anything yet.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass

from picdeed.flow.edges import edges, verdicts
from picdeed.registry import codes, similar
from picdeed.registry.codes import PairVerdict
from picdeed.registry.session import Session
from picdeed.registry.similar import SAME, Likeness, Pair

_ALIKE = frozenset((*SAME, Likeness.CROP_OF, Likeness.CONTAINS, Likeness.VARIANT))

Groups = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Kin:
    """Groups of two or more, all sorted: `groups` are or may be one picture, `copies` are one.

    No picture stands in two of `groups`, and each of `copies` lies in one of them.
    """

    groups: Groups = ()
    copies: Groups = ()


def kin(session: Session, pictures: Collection[str]) -> Kin:
    """Who belongs together among these pictures, as the registry has it.

    Two are kin through a copy of both that is not among them, too; a doubt, or a collage, joins
    only what it was found between, or copies of that. A person's word about a pair stands in place
    of what its pixels said. Clusters must be up to date.
    """
    wanted = set(pictures)
    decided = codes.decisions(session)
    said = verdicts(decided)
    pairs = _around(session, wanted, [pair for pair, word in said.items() if _joins(word)])
    known = wanted.union(*((pair.a, pair.b) for pair in pairs))
    cluster_of = {one: tuple(all_) for one, all_ in similar.same_picture(session, known).items()}
    found = edges(pairs, decided)
    links = {(pair.a, pair.b) for pair in found.alike}
    for first, *others in set(cluster_of.values()):
        links |= {(first, one) for one in others if _joins(said.get((first, one)))}
    alike = _labels(known, links)

    open_links = {(whole, part) for whole, *parts in found.several for part in parts}
    open_links |= {(pair.a, pair.b) for pair in pairs if _is_open(pair, said)}
    here = {alike[one] for one in wanted}
    between = {(alike[a], alike[b]) for a, b in open_links if {alike[a], alike[b]} <= here}
    together = _labels(here, between)
    group_of = {one: together[alike[one]] for one in wanted}
    return Kin(
        _grouped(group_of),
        _grouped({one: (group_of[one], cluster_of.get(one, one)) for one in wanted}),
    )


def _joins(word: PairVerdict | None) -> bool:
    return word is not PairVerdict.NOT_A_MATCH


def _is_open(pair: Pair, said: Mapping[tuple[str, str], PairVerdict]) -> bool:
    return bool(pair.evidence.get("review")) and (pair.a, pair.b) not in said


def _around(
    session: Session, pictures: Collection[str], merged: Collection[tuple[str, str]]
) -> list[Pair]:
    """Every pair that touches these pictures, or those that are reached from them by alike ones."""
    found: dict[tuple[str, str], Pair] = {}
    known: set[str] = set()
    edge = set(pictures)
    while edge:
        known |= edge
        pairs = {(pair.a, pair.b): pair for pair in similar.pairs_of(session, edge)}
        found |= pairs
        ahead = [names for names, pair in pairs.items() if pair.kind in _ALIKE]
        ahead += [names for names in merged if not edge.isdisjoint(names)]
        edge = {one for names in ahead for one in names} - known
    return [found[names] for names in sorted(found)]


def _labels(nodes: Collection[str], links: Iterable[tuple[str, str]]) -> dict[str, str]:
    """For each node, and for each end of a link, the first of those that hang together with it."""
    links = list(links)
    names = sorted({*nodes, *(one for link in links for one in link)})
    if not links:
        return {name: name for name in names}
    import numpy as np

    from picdeed.imaging.neighbours import components

    place = {name: at for at, name in enumerate(names)}
    ends = np.array([(place[a], place[b]) for a, b in links], dtype=np.int64)
    labels = components(len(names), ends).tolist()
    first: dict[int, str] = {}
    for name, label in zip(names, labels, strict=True):
        first.setdefault(label, name)
    return {name: first[label] for name, label in zip(names, labels, strict=True)}


def _grouped(label_of: Mapping[str, Hashable]) -> Groups:
    found: dict[Hashable, list[str]] = {}
    for one in sorted(label_of):
        found.setdefault(label_of[one], []).append(one)
    return tuple(sorted(tuple(group) for group in found.values() if len(group) > 1))
