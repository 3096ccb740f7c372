"""Which pairs is a person asked about, item by item, and which of them first?

The items and their order come from `list_copies`. Here each gets its pairs, gravest first, and an
item whose every pair was answered is left out.
"""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from picdeed.registry.similar import SAME, Likeness
from picdeed.rights.claims import ClaimKind
from picdeed_ui import data

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from picdeed.flow.pipeline import Deduped
    from picdeed.registry.claims import PictureClaim
    from picdeed.registry.session import Registry
    from picdeed.registry.similar import Pair

Two = tuple[str, str]

OPT_OUT, SEVERAL = "opt-out", "contains-several"
# What copies of one picture are claimed differently about, by the kind of question.
CLAIMED = {
    OPT_OUT: ClaimKind.OPT_OUT,
    "licenses-differ": ClaimKind.LICENSE,
    "authors-differ": ClaimKind.AUTHOR,
    "holders-differ": ClaimKind.HOLDER,
}
# How each kind is called, and what to ask oneself. A kind that is new here shows its own name.
KINDS = {
    OPT_OUT: ("opt-out on a copy", "Are they one picture? If not, the other one is free."),
    "licenses-differ": (
        "different licences",
        "Are they one picture? Then the strictest claim binds both.",
    ),
    "authors-differ": ("different authors", "Are they one picture? Then who made it?"),
    "holders-differ": ("different holders", "Are they one picture? Then whose is it?"),
    SEVERAL: (
        "contains several",
        "A collage joins none of its parts; a picture joins its crops.",
    ),
    "part-differs": ("a part differs", ""),
    "colours-differ": ("the colours differ", "One picture edited, or a second design?"),
    "overlap": ("overlapping", "Are they two crops of one picture?"),
    "shared-part": ("a shared part", "Is it an object or a background that both show?"),
    "few-tones": ("too plain to tell", ""),
    "moved": ("things moved", "Are they two shots of one scene, or one picture?"),
}


@dataclass(frozen=True, slots=True)
class Item:
    """One question to a person: its `pairs` (left, right), the one that matters most first."""

    kind: str
    why: str
    pictures: tuple[str, ...]
    pairs: tuple[Two, ...]


def name_of(kind: str) -> str:
    """A kind of question in words."""
    return KINDS[kind][0] if kind in KINDS else kind.replace("-", " ")


def sorted_two(first: str, second: str) -> Two:
    """A pair in its one order."""
    return (first, second) if first <= second else (second, first)


def queue(dataset: str | None = None, kind: str | None = None) -> tuple[Item, ...]:
    """What is to be looked at, by consequence; raises UnknownSubject for the dataset."""
    found = _queue(*data.head(), dataset)
    return tuple(one for one in found if kind in (None, one.kind))


@functools.lru_cache(maxsize=4)
def _queue(_registry: Registry, _head: str, dataset: str | None) -> tuple[Item, ...]:
    said = {sorted_two(*one.pictures) for one in data.decided()}
    before, every = _every(*data.settled(), dataset)
    if not before <= said:
        data.forget_copies()
        _every.cache_clear()
        before, every = _every(*data.settled(), dataset)
    return still_open(every, said)


@functools.lru_cache(maxsize=4)
def _every(
    _registry: Registry, _seq: int, dataset: str | None
) -> tuple[frozenset[Two], tuple[Item, ...]]:
    """What was decided when this was read, and every question that was open then."""
    said = frozenset(sorted_two(*one.pictures) for one in data.decided())
    found = data.copies(dataset)
    ids = {one for doubt in found.review for one in doubt.pictures}
    return said, items(found, data.pairs_among(ids), data.claims_in_force(ids))


def still_open(every: Iterable[Item], decided: Collection[Two]) -> tuple[Item, ...]:
    """The items with those of their pairs that nobody has decided."""
    told = []
    for one in every:
        left = tuple(two for two in one.pairs if sorted_two(*two) not in decided)
        # With one part left a picture no longer contains several.
        if len(left) > (one.kind == SEVERAL):
            told.append(Item(one.kind, one.why, one.pictures, left))
    return tuple(told)


def counts(found: Iterable[Item]) -> dict[str, int]:
    """How many items there are of each kind, in their order."""
    return dict(Counter(one.kind for one in found))


def items(
    found: Deduped, pairs: Iterable[Pair], claims: Mapping[str, Sequence[PictureClaim]]
) -> tuple[Item, ...]:
    """Every doubt with its pairs, decided or not."""
    recorded: dict[str, list[Pair]] = {}
    for pair in pairs:
        recorded.setdefault(pair.a, []).append(pair)
    same = [one for one in found.clusters if one.kind in SAME]
    keepers = {one.members: one.keeper for one in same}
    cluster_of = {member: one.id for one in same for member in one.members}
    told = []
    for doubt in found.review:
        inside = set(doubt.pictures)
        keeper = keepers.get(doubt.pictures)
        if keeper is not None:
            asked = _torn(doubt.kind, keeper, doubt.pictures, claims)
        elif doubt.kind == SEVERAL:
            asked = [(doubt.pictures[0], part) for part in doubt.pictures[1:]]
        else:
            among = [p for one in doubt.pictures for p in recorded.get(one, ()) if p.b in inside]
            asked = list(_doubted(doubt.kind, among, cluster_of))
        told.append(Item(doubt.kind, doubt.why, doubt.pictures, tuple(asked)))
    return tuple(told)


def _torn(
    kind: str, keeper: str, members: Sequence[str], claims: Mapping[str, Sequence[PictureClaim]]
) -> list[Two]:
    """The keeper beside each member that is claimed otherwise; beside all where none is."""

    about = CLAIMED.get(kind)

    def claimed(one: str) -> frozenset[str]:
        rows = [row for row in claims.get(one, ()) if row.kind == about]
        # An opt-out is one whatever its words are.
        return frozenset("" if kind == OPT_OUT else row.parsed or row.raw for row in rows)

    others = [one for one in members if one != keeper]
    own = claimed(keeper)
    # A copy without any claim of this kind is no second opinion, but it is bound by an opt-out.
    torn = [one for one in others if claimed(one) != own and (claimed(one) or kind == OPT_OUT)]
    return [(keeper, one) for one in torn or others]


def _doubted(kind: str, pairs: Iterable[Pair], cluster_of: Mapping[str, str]) -> Iterator[Two]:
    """The pairs that are in doubt for this reason, the most alike first, a whole on the left."""
    for pair in sorted(pairs, key=lambda one: (one.distance, one.a, one.b)):
        together = cluster_of.get(pair.a, pair.a) == cluster_of.get(pair.b, pair.b)
        if kind in pair.evidence.get("review", ())[:1] and not together:
            turn = pair.kind == Likeness.CROP_OF
            yield (pair.b, pair.a) if turn else (pair.a, pair.b)


def place_of(found: Sequence[Item], two: Two, kind: str | None) -> int | None:
    """Where in the queue a pair stands: as one of an item's pairs, else within its pictures."""
    wanted = sorted_two(*two)
    inside = None
    for at, one in enumerate(found):
        if kind not in (None, "", one.kind):
            continue
        if wanted in {sorted_two(*pair) for pair in one.pairs}:
            return at
        if inside is None and set(two) <= set(one.pictures):
            inside = at
    return inside


def following(before: Sequence[Item], at: int, now: Sequence[Item]) -> tuple[Item, Two] | None:
    """Where to go after item `at` was answered in part or whole: its next pair, else the next item.

    None at the end of the queue.
    """
    old = before[at]
    still = {sorted_two(*pair) for pair in old.pairs}
    for one in now:
        if one.kind == old.kind:
            for pair in one.pairs:
                if sorted_two(*pair) in still:
                    return one, pair
    later = {(one.kind, pair) for one in before[at + 1 :] for pair in one.pairs}
    for one in now:
        for pair in one.pairs:
            if (one.kind, pair) in later:
                return one, pair
    return None
