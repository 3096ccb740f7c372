"""Which pairs make one picture, which need a person? Pixels propose, people decide."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from picdeed.imaging.clusters import PairOf
from picdeed.imaging.verify import PairKind
from picdeed.registry.codes import PairDecision, PairVerdict
from picdeed.registry.pictures import picture_id
from picdeed.registry.similar import Pair

_FORCED = {PairVerdict.MERGE: PairKind.NEAR, PairVerdict.VARIANT: PairKind.VARIANT}
_PARTS = (PairKind.CROP_OF, PairKind.CONTAINS)
_COPIES = (PairKind.SAME_PIXELS, PairKind.NEAR)


@dataclass(frozen=True, slots=True)
class Edges:
    """`alike` makes clusters. `several` are pictures that contain others which are strangers to
    each other (a collage, or crops that do not touch), each with those.
    """

    alike: tuple[PairOf, ...]
    several: tuple[tuple[str, ...], ...]


def edges(pairs: Iterable[Pair], decided: Iterable[PairDecision]) -> Edges:
    """What stands between pictures after people's decisions, crops joined to their whole."""
    said = verdicts(decided)
    found: list[PairOf] = []
    for pair in pairs:
        verdict = said.pop((pair.a, pair.b), None)
        if verdict is not PairVerdict.NOT_A_MATCH:
            kind = PairKind(pair.kind) if verdict is None else _FORCED[verdict]
            found.append(PairOf(pair.a, pair.b, kind, pair.distance))
    found += [
        PairOf(a, b, _FORCED[verdict], 0.0)
        for (a, b), verdict in said.items()
        if verdict in _FORCED
    ]
    several = _several(found)
    shut = {group[0] for group in several}
    return Edges(tuple(one for pair in found for one in _joined(pair, shut)), several)


def verdicts(decided: Iterable[PairDecision]) -> dict[tuple[str, str], PairVerdict]:
    """The word that stands about each pair of pictures, the later of two."""
    found = {}
    for row in decided:
        a, b = sorted((picture_id(row.a), picture_id(row.b)))
        found[a, b] = PairVerdict(row.verdict)
    return found


def doubts(
    pairs: Iterable[Pair], decided: Iterable[PairDecision], clustered: Mapping[str, str]
) -> list[tuple[str, tuple[str, ...]]]:
    """(reason, pictures) where pixels could not say; who hangs together is one item.

    `clustered` gives the cluster of a picture: two of one cluster are no question any more.
    """
    said = verdicts(decided)
    links: dict[str, list[tuple[str, str]]] = {}
    for pair in pairs:
        together = clustered.get(pair.a, pair.a) == clustered.get(pair.b, pair.b)
        if (pair.a, pair.b) in said or together:
            continue
        for reason in pair.evidence.get("review", ())[:1]:
            links.setdefault(str(reason), []).append((pair.a, pair.b))
    return [
        (reason, group) for reason in sorted(links) for group in _hanging_together(links[reason])
    ]


def _joined(pair: PairOf, shut: set[str]) -> Iterable[PairOf]:
    if pair.kind in _PARTS:
        if _whole(pair) not in shut:
            yield PairOf(pair.a, pair.b, PairKind.NEAR, pair.distance)
    elif pair.kind in (*_COPIES, PairKind.VARIANT):
        yield pair


def _whole(pair: PairOf) -> str:
    return pair.b if pair.kind is PairKind.CROP_OF else pair.a


def _several(pairs: Sequence[PairOf]) -> tuple[tuple[str, ...], ...]:
    """Pictures that contain others which nothing connects but themselves."""
    parts: dict[str, set[str]] = {}
    for pair in pairs:
        if pair.kind in _PARTS:
            whole = _whole(pair)
            parts.setdefault(whole, set()).add(pair.a if whole == pair.b else pair.b)
    links = [(p.a, p.b) for p in pairs if p.kind in (*_COPIES, *_PARTS)]
    found = []
    for whole, inside in sorted(parts.items()):
        among = [(a, b) for a, b in links if a in inside and b in inside]
        alone = inside - {one for link in among for one in link}
        if len(_hanging_together(among)) + len(alone) > 1:
            found.append((whole, *sorted(inside)))
    return tuple(found)


def _hanging_together(links: Iterable[tuple[str, str]]) -> list[tuple[str, ...]]:
    """Connected groups, each sorted, in the order of their first member."""
    group_of: dict[str, set[str]] = {}
    for a, b in links:
        merged = group_of.get(a, {a}) | group_of.get(b, {b})
        for one in merged:
            group_of[one] = merged
    return sorted({tuple(sorted(group)) for group in group_of.values()})
