"""Which licence do these words name, exactly? A guess is no answer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from picdeed.core.limits import DEFAULT, Limits

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

NOASSERTION = "NOASSERTION"
DEEPEST = 50
"""How deep ANDs and ORs may nest: people write two or three, and every reader recurses."""

_URL = re.compile(r"^https?://(?:www\.)?(?P<place>[^?#\s]+)$", re.IGNORECASE)
_OWN = re.compile(r"LicenseRef-[A-Za-z0-9.-]+")  # SPDX 2.3, annex D: idstring
# A licence's plain-language page and its legal code, in any language, stand for the licence.
_PAGE = re.compile(r"/(?:legalcode|deed)(?:\.[a-z]{2,3}(?:[-_][a-z]{2,4})?)?(?:\.txt)?$")


@dataclass(frozen=True, slots=True)
class Leaf:
    """One licence by its SPDX id, or `A WITH B` as a whole: an exception changes the licence."""

    id: str


@dataclass(frozen=True, slots=True)
class AllOf:
    """AND: every part binds."""

    parts: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """OR: a person elects a part; until then none is chosen."""

    parts: tuple[Tree, ...]


Tree = Leaf | AllOf | AnyOf


@dataclass(frozen=True, slots=True)
class ParsedLicense:
    """`expression` in canonical spelling, or None and `why` not."""

    expression: str | None
    why: str


def parse_license(raw: str, aliases: Mapping[str, str], limits: Limits = DEFAULT) -> ParsedLicense:
    """The SPDX expression that `raw` names.

    `aliases` maps the exact known spellings, as `spelling` writes them, to SPDX ids
    (`Catalogue.aliases`). A name without its version, prose, or one unknown symbol anywhere is
    refused as a whole: half an expression would promise what the other half takes back.
    """
    if len(raw) > limits.license_chars:
        return ParsedLicense(
            None, f"{len(raw)} characters; a licence has at most {limits.license_chars}"
        )
    text = raw.strip()
    if not text:
        return ParsedLicense(None, "empty")
    if text.upper() in (NOASSERTION, "NONE"):
        return ParsedLicense(None, f"{text.upper()} names no licence")
    exact = aliases.get(spelling(text))
    if exact is not None:
        return ParsedLicense(render(Leaf(exact)), "")
    try:
        return ParsedLicense(render(_tree(text, aliases)), "")
    except _UnknownError as unknown:
        return ParsedLicense(None, str(unknown))


def spelling(text: str) -> str:
    """How a known spelling is looked up: case, blanks and a URL's trimmings do not matter."""
    folded = " ".join(text.split()).casefold()
    found = _URL.match(folded)
    if not found:
        return folded
    return "//" + _PAGE.sub("", found["place"].rstrip("/")).rstrip("/")


@lru_cache(maxsize=4096)
def tree_of(expression: str) -> Tree:
    """The tree of a canonical expression; what cannot be read is NOASSERTION, never a licence.

    A `LicenseRef-*` stands for itself, for catalogues differ: who has no rules for it denies.
    """
    try:
        return _tree(expression, None)
    except _UnknownError:
        return Leaf(NOASSERTION)


def leaves(tree: Tree) -> tuple[str, ...]:
    """The licence ids of a tree, sorted, once each."""
    if isinstance(tree, Leaf):
        return (tree.id,)
    return tuple(sorted({name for part in tree.parts for name in leaves(part)}))


def render(tree: Tree) -> str:
    """Canonical spelling: parts flattened, sorted, once each; nothing is simplified away.

    Absorption would turn `A AND (A OR B)` into `A` and so drop the election that the OR needs.
    """
    if isinstance(tree, Leaf):
        return tree.id
    kind, word = (AllOf, " AND ") if isinstance(tree, AllOf) else (AnyOf, " OR ")
    flat: set[str] = set()
    for part in tree.parts:
        inner = part.parts if isinstance(part, kind) else (part,)
        flat.update(f"({render(x)})" if isinstance(x, (AllOf, AnyOf)) else x.id for x in inner)
    return word.join(sorted(flat))


def all_of(expressions: Iterable[str]) -> str:
    """The AND of canonical expressions; NOASSERTION if there is none or any is NOASSERTION."""
    wanted = sorted(set(expressions))
    if not wanted or NOASSERTION in wanted:
        return NOASSERTION
    trees = tuple(tree_of(expression) for expression in wanted)
    return render(trees[0] if len(trees) == 1 else AllOf(trees))


def elect(expression: str, sides: Collection[str]) -> str:
    """The expression with each OR replaced by the one elected side of it.

    `sides` in canonical spelling. An OR of which none or several sides are elected stays.
    """
    return render(_elect(tree_of(expression), frozenset(sides))) if sides else expression


def _elect(tree: Tree, sides: frozenset[str]) -> Tree:
    if isinstance(tree, Leaf):
        return tree
    parts = tuple(_elect(part, sides) for part in tree.parts)
    if isinstance(tree, AllOf):
        return AllOf(parts)
    taken = [part for part in parts if render(part) in sides]
    return taken[0] if len(taken) == 1 else AnyOf(parts)


_TOO_DEEP = f"ANDs and ORs nest more than {DEEPEST} deep"


class _UnknownError(Exception):
    """Why some words are no licence; never leaves this file."""


def _tree(text: str, aliases: Mapping[str, str] | None) -> Tree:
    """`aliases` None: `text` is canonical, so its own names need no table."""
    from license_expression import ExpressionError

    licensing = _licensing()
    try:
        parsed = licensing.parse(text, validate=False)
    except ExpressionError as error:
        raise _UnknownError(" ".join(str(error).split())[:200]) from error
    except RecursionError as error:
        raise _UnknownError(_TOO_DEEP) from error
    if parsed is None:
        raise _UnknownError("empty")
    return _walk(parsed, licensing, aliases, DEEPEST)


@lru_cache(maxsize=1)
def _licensing() -> Any:
    """license-expression's SPDX keys without its own aliases: those guess ("GPL" is 1.0+ there)."""
    from license_expression import LicenseSymbol, Licensing, get_spdx_licensing

    known = get_spdx_licensing().known_symbols
    return Licensing([LicenseSymbol(k, is_exception=s.is_exception) for k, s in known.items()])


def _walk(node: Any, licensing: Any, aliases: Mapping[str, str] | None, deeper: int) -> Tree:
    parts = getattr(node, "args", ())
    if parts:
        if not deeper:
            raise _UnknownError(_TOO_DEEP)
        trees = tuple(_walk(part, licensing, aliases, deeper - 1) for part in parts)
        return AllOf(trees) if isinstance(node, licensing.AND) else AnyOf(trees)
    symbols = (
        [node.license_symbol, node.exception_symbol]
        if hasattr(node, "exception_symbol")
        else [node]
    )
    return Leaf(" WITH ".join(_symbol(symbol.key, licensing, aliases) for symbol in symbols))


def _symbol(key: str, licensing: Any, aliases: Mapping[str, str] | None) -> str:
    if key in licensing.known_symbols:
        return key
    if aliases is None:
        found = key if _OWN.fullmatch(key) else None
    else:
        found = aliases.get(spelling(key))
    if found is None:
        raise _UnknownError(f"{key[:200]!r} is no exact licence name")
    return found
