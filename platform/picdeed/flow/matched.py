"""What is told of a picture of ours that may show something on a list?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from picdeed.flow.listed import Candidate

# Gravest first. `possible` is what fingerprints alone could not settle.
GRAVITY = ("same-pixels", "near", "crop-of", "contains", "variant", "possible", "related")


@dataclass(frozen=True, slots=True)
class Listed:
    """One thing on a list: a file, a picture of ours, or an entry of a feed."""

    path: str | None = None
    picture: str | None = None
    feed: str | None = None
    seq: int | None = None


@dataclass(frozen=True, slots=True)
class Matched:
    """`kind` is what the picture is to the listed one, `distance` from 0 (the same pixels) to 1.

    `turn` is what was done to the listed one, where their codes met; `edit` a guess in words.
    Both, and `distance`, are None where nothing is known of them.
    """

    picture: str
    listed: Listed
    kind: str
    distance: float | None = None
    turn: str | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    edit: str | None = None


@dataclass(frozen=True, slots=True)
class Unchecked:
    """A file of the list that could not be read or decoded; `reason` as in `ingest`."""

    path: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Compared:
    """How many pictures of ours were held against how many listed ones."""

    pictures: int
    listed: int


@dataclass(frozen=True, slots=True)
class Against:
    """What of a list shows in our pictures. `kind` is files, dataset, feed or tombstones."""

    source: str
    kind: str
    compared: Compared
    matches: tuple[Matched, ...]
    unchecked: tuple[Unchecked, ...] = ()
    notes: tuple[str, ...] = ()


def gravest_first(found: Iterable[Matched]) -> tuple[Matched, ...]:
    """In the order in which a person should look at them."""

    def weight(one: Matched) -> tuple[Any, ...]:
        listed = one.listed
        where = (listed.path or "", listed.picture or "", listed.feed or "", listed.seq or 0)
        return (GRAVITY.index(one.kind), one.distance or 0.0, one.picture, *where)

    return tuple(sorted(found, key=weight))


def turn_of(found: Candidate | None) -> str | None:
    """The turn of a candidate in Pillow's word for it, such as `flip-left-right`."""
    if found is None or found.turn is None:
        return None
    return found.turn.name.lower().replace("_", "-")
