"""What do one licence expression's own rules say about one use?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from picdeed.rights.duties import Duty, duties_of
from picdeed.rights.expression import NOASSERTION, AllOf, Leaf, Tree, render, tree_of
from picdeed.rights.verdict import Certainty, Reason, Subject, Use, Verdict, meet

if TYPE_CHECKING:
    from collections.abc import Iterable

    from picdeed.rights.catalogue import Catalogue
    from picdeed.rights.terms import Profile, Terms


@dataclass(frozen=True, slots=True)
class Reading:
    """How the rules are read: the catalogue, a profile, and whether somebody earns from it."""

    catalogue: Catalogue
    profile: Profile
    commercial: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """Reasons and duties; the verdict is never anything but the meet of the reasons' effects."""

    reasons: tuple[Reason, ...]
    duties: tuple[Duty, ...]

    @property
    def verdict(self) -> Verdict:
        """The strictest effect."""
        return meet(*(reason.effect for reason in self.reasons))


def unite_judged(parts: Iterable[Judged]) -> Judged:
    """All reasons and duties, each once."""
    seen = list(parts)
    return Judged(
        tuple(dict.fromkeys(reason for part in seen for reason in part.reasons)),
        tuple(dict.fromkeys(duty for part in seen for duty in part.duties)),
    )


def judge_expression(expression: str, use: Use, reading: Reading, pictures: int) -> Judged:
    """One expression under one use.

    What may not be trained on leaves nothing to share, sell or publish: what `train` does not
    let pass binds every other use, whatever the licence says about that use.
    """
    tree = tree_of(expression)
    own = _judge_tree(tree, use, reading, pictures)
    if use is Use.TRAIN:
        return own
    training = _judge_tree(tree, Use.TRAIN, reading, pictures).reasons
    blocking = tuple(reason for reason in training if not reason.effect.passes)
    return unite_judged((own, Judged(blocking, ())))


def judge_terms(
    terms: Terms, use: Use, reading: Reading, pictures: int, subject: Subject = Subject.PICTURES
) -> Judged:
    """One text's rule for one use."""
    rule = terms.rule(use, commercial=reading.commercial)
    effect = reading.profile.effect(rule)
    reason = Reason(subject, terms.id, use, effect, rule.certainty, rule.clause, pictures, "rule")
    return Judged((reason,), duties_of(terms, rule, effect, subject, pictures))


def _judge_tree(tree: Tree, use: Use, reading: Reading, pictures: int) -> Judged:
    if isinstance(tree, Leaf):
        terms = reading.catalogue.licenses.get(tree.id)
        if terms is None:
            return Judged((_unknown(tree.id, use, pictures),), ())
        return judge_terms(terms, use, reading, pictures)
    sides = [_judge_tree(part, use, reading, pictures) for part in tree.parts]
    united = unite_judged(sides)
    if isinstance(tree, AllOf) or len({side.verdict for side in sides}) == 1:
        return united
    return Judged((_unelected(tree, sides, use, pictures),), united.duties)


def _unknown(license_id: str, use: Use, pictures: int) -> Reason:
    rule, said = "R7", f"the catalogue has no rules for {license_id}"
    if license_id == NOASSERTION:
        rule, said = "R0", "no licence could be read"
    return Reason(
        Subject.PICTURES,
        license_id,
        use,
        Verdict.DENY,
        Certainty.UNSTATED,
        f"{rule}: {said}: not permitted",
        pictures,
        rule,
    )


def _unelected(tree: Tree, sides: list[Judged], use: Use, pictures: int) -> Reason:
    parts = () if isinstance(tree, Leaf) else tree.parts
    offers = "; ".join(
        f"{render(part)} gives {side.verdict}" for part, side in zip(parts, sides, strict=True)
    )
    return Reason(
        Subject.PICTURES,
        render(tree),
        use,
        Verdict.REVIEW,
        Certainty.UNSTATED,
        f"R7: nobody has elected a side: {offers}",
        pictures,
        "R7",
    )
