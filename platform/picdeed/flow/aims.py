"""What does a person mean to revoke? An id, a name or a licence, read as the things it hits."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from picdeed.core.errors import UnknownSubject, UsageError
from picdeed.flow.grounds import Ground
from picdeed.flow.targets import pictures_meant
from picdeed.registry import conclusions, grants, subjects
from picdeed.registry.grants import Grant
from picdeed.registry.session import Session
from picdeed.rights.catalogue import Catalogue
from picdeed.rights.expression import (
    NOASSERTION,
    AnyOf,
    Leaf,
    Tree,
    leaves,
    parse_license,
    tree_of,
)

KINDS = frozenset({"img", "dat", "grt", "adp", "run", "bas"})
_CREATIVE_COMMONS = ("CC-", "CC0-")


@dataclass(frozen=True, slots=True)
class Aim:
    """What a revocation hits first: `falling` things, and `flagged` ones that keep their state.

    `target` is a whole id or a licence expression. `survival` is a contract's own word on
    whether adapters and outputs outlive it. `note` says what a person must be told.
    """

    target: str
    falling: frozenset[str]
    flagged: frozenset[str] = frozenset()
    survival: str = "unknown"
    note: str = ""


def aim_of(session: Session, catalogue: Catalogue, text: str, ground: Ground) -> Aim:
    """Read `text` as an id, a dataset's or base's name, or a licence.

    Raises UnknownSubject, and UsageError where a name is a licence too or names no picture.
    """
    named = parse_license(text, catalogue.aliases).expression
    if named is not None:
        _refuse_two_meanings(session, text)
        return _license(session, named, ground)
    whole = subjects.resolve(session, text, KINDS)
    kind = subjects.kind_of(whole)
    if kind in ("img", "dat"):
        whole, hit = pictures_meant(session, whole)
        if not hit:
            raise UsageError(f"{text} holds no picture; nothing was changed.")
        return _pictures(session, whole, hit, ground)
    if kind == "grt":
        row = subjects.require(session, Grant, whole)
        return Aim(whole, frozenset(grants.subjects_of(session, whole)), survival=row.survival)
    return Aim(whole, frozenset({whole}))


def irrevocable(expression: str) -> bool:
    """Whether Creative Commons terms alone allow what they allow: nobody can end those.

    CC BY 4.0 section 6(c) and its sisters, CC0 section 2; of an OR one such side is enough.
    """
    return expression != NOASSERTION and _irrevocable(tree_of(expression))


def _irrevocable(tree: Tree) -> bool:
    if isinstance(tree, Leaf):
        return tree.id.startswith(_CREATIVE_COMMONS)
    parts = (_irrevocable(part) for part in tree.parts)
    return any(parts) if isinstance(tree, AnyOf) else all(parts)


def _refuse_two_meanings(session: Session, text: str) -> None:
    try:
        other = subjects.resolve(session, text, {"dat", "bas"})
    except UnknownSubject:
        return
    word = subjects.WORDS[subjects.kind_of(other)]
    raise UsageError(
        f"{text!r} is a licence and the name of a {word}; nothing was changed.",
        hint=f"For the {word} give its id: {other[:16]}.",
    )


def _license(session: Session, named: str, ground: Ground) -> Aim:
    """Every picture whose concluded expression holds this licence, or equals this expression."""
    one = isinstance(tree_of(named), Leaf)
    wide = [
        expression
        for expression in conclusions.licenses(session)
        if expression == named or (one and named in leaves(tree_of(expression)))
    ]
    hit = frozenset(conclusions.under(session, wide))
    if not hit:
        raise UsageError(
            f"No picture was concluded to be under {named}; nothing was changed.",
            hint="picdeed license shows which licences there are.",
        )
    if ground is Ground.CONTRACT_ENDED and irrevocable(named):
        return Aim(named, frozenset(), hit, note=_told(len(hit), len(hit)))
    return Aim(named, hit)


def _pictures(session: Session, whole: str, hit: Collection[str], ground: Ground) -> Aim:
    if ground is not Ground.CONTRACT_ENDED:
        return Aim(whole, frozenset(hit))
    # A contract may be what opened the commercial use of a picture under CC BY-NC: where one
    # is on file, its end is more than an author's change of mind.
    under_contract = grants.covering(session, hit)
    flagged = frozenset(
        picture
        for picture, row in conclusions.conclusions(session, hit).items()
        if picture not in under_contract and irrevocable(row.license)
    )
    note = _told(len(flagged), len(hit)) if flagged else ""
    return Aim(whole, frozenset(hit) - flagged, flagged, note=note)


def _told(flagged: int, of: int) -> str:
    return (
        f"{flagged} of {of} pictures are under Creative Commons terms, which their author cannot "
        "withdraw: this has no legal effect on them. It is recorded as a flag; nothing that "
        "descends from them was suspended."
    )
