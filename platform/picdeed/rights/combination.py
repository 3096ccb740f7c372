"""Can one adapter keep the promises of all its pictures and of its base at once?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from picdeed.rights.expression import AllOf, Leaf, Tree, leaves, tree_of
from picdeed.rights.verdict import Certainty, Reason, Subject, Use, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from picdeed.rights.catalogue import Catalogue
    from picdeed.rights.terms import BaseTerms

# Share-alike speaks of passing the adapter on; training in-house and outputs carry no licence.
PASSED_ON = (Use.SHARE_ADAPTER, Use.SELL_ADAPTER)


def release_licenses(expression: str, catalogue: Catalogue) -> frozenset[str] | None:
    """Licences under which an adapter of these pictures could be passed on; None: any."""
    return _release(tree_of(expression), catalogue)


def base_release(base: BaseTerms) -> frozenset[str] | None:
    """Licences under which an adapter of this base could be passed on; None: any."""
    return frozenset(base.terms.release_as) or None


def clashes(
    held: Sequence[tuple[str, int]], base: BaseTerms, uses: Sequence[Use], catalogue: Catalogue
) -> tuple[Reason, ...]:
    """DENY for each use that passes the adapter on, when no one licence would satisfy all.

    `held`: (expression, pictures). Two licences that each want the whole adapter for themselves
    cannot both be kept; the clauses of all that ask are named.
    """
    bound = [(name, n, release_licenses(name, catalogue)) for name, n in held]
    asking = [(name, n, names) for name, n, names in bound if names is not None]
    wanted = [names for _, _, names in asking]
    ground = base_release(base)
    if ground is not None:
        wanted.append(ground)
    if not wanted or frozenset.intersection(*wanted):
        return ()
    names = sorted({name for name, _, _ in asking})
    return tuple(
        Reason(
            Subject.COMBINATION,
            " + ".join(names),
            use,
            Verdict.DENY,
            Certainty.CONTESTED,
            f"no one licence satisfies all of: {_clauses(names, base, catalogue)}",
            sum(n for _, n, _ in asking),
            "share-alike",
        )
        for use in uses
        if use in PASSED_ON
    )


def _release(tree: Tree, catalogue: Catalogue) -> frozenset[str] | None:
    if isinstance(tree, Leaf):
        terms = catalogue.licenses.get(tree.id)
        return frozenset(terms.release_as) if terms and terms.release_as else None
    bound = [_release(part, catalogue) for part in tree.parts]
    known = [names for names in bound if names is not None]
    if isinstance(tree, AllOf):
        return frozenset.intersection(*known) if known else None
    return frozenset.union(*known) if len(known) == len(bound) else None


def _clauses(expressions: Sequence[str], base: BaseTerms, catalogue: Catalogue) -> str:
    names = sorted({name for expression in expressions for name in leaves(tree_of(expression))})
    texts = [catalogue.licenses[name] for name in names if name in catalogue.licenses]
    return "; ".join(
        terms.release_clause or f"{terms.id} asks for {' or '.join(terms.release_as)}"
        for terms in (*texts, base.terms)
        if terms.release_as
    )
