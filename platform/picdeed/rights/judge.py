"""What do a licence expression, a base and a picture's own circumstances say about one use?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from picdeed.rights import grants
from picdeed.rights.duties import Duty, duties_of
from picdeed.rights.expression import NOASSERTION, AllOf, Leaf, Tree, render, tree_of
from picdeed.rights.verdict import Certainty, Reason, Subject, Use, Verdict, meet

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from picdeed.rights.catalogue import Catalogue
    from picdeed.rights.grants import Held
    from picdeed.rights.terms import BaseTerms, Profile, Terms

NOT_CHECKED = "not-checked"


@dataclass(frozen=True, slots=True)
class Reading:
    """How the rules are read: the catalogue, a profile, whether somebody earns from it, and the
    dated facts about the licensee as (name, value) pairs.
    """

    catalogue: Catalogue
    profile: Profile
    commercial: bool
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Pictures that stand alike: the same concluded licence, findings and grants.

    `size` is their number. `checked`: their source was asked lately and reserves nothing.
    """

    license: str
    opt_out: bool = False
    revoked: bool = False
    size: int = 1
    findings: tuple[Reason, ...] = ()
    held: tuple[Held, ...] = ()
    checked: bool = False


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


def judge_group(group: Group, use: Use, reading: Reading) -> Judged:
    """Everything that speaks about one group of pictures under one use.

    What may not be trained on leaves nothing to share, sell or publish: what `train` does not
    let pass binds every other use, whatever the licence says about that use.
    """
    parts = [_opened(group, use, reading)]
    if use is not Use.TRAIN:
        training = _opened(group, Use.TRAIN, reading).reasons
        parts.append(Judged(tuple(r for r in training if not r.effect.passes), ()))
    parts.append(Judged(tuple(_circumstances(group, use, reading)), ()))
    return _sized(unite_judged(parts), group.size)


def judge_expression(expression: str, use: Use, reading: Reading, pictures: int) -> Judged:
    """One expression under one use, with no other circumstance."""
    return judge_group(Group(expression, size=pictures), use, reading)


def judge_terms(
    terms: Terms, use: Use, reading: Reading, pictures: int, subject: Subject = Subject.PICTURES
) -> Judged:
    """One text's rule for one use."""
    rule = terms.rule(use, commercial=reading.commercial).under(dict(reading.facts))
    effect = reading.profile.effect(rule)
    reason = Reason(subject, terms.id, use, effect, rule.certainty, rule.clause, pictures, "rule")
    return Judged((reason,), duties_of(terms, rule, effect, subject, pictures))


def judge_base(base: BaseTerms, use: Use, reading: Reading, held: Sequence[Held] = ()) -> Judged:
    """The base's own licence, or the contract that was made about it."""
    own = judge_terms(base.terms, use, reading, 0, Subject.BASE)
    return _with_grant(own, base.license, use, held, Subject.BASE)


def is_granted(group: Group, uses: Iterable[Use]) -> bool:
    """Whether a contract opens every one of these uses, so that no licence needs to."""
    best = [grants.best(group.held, use) for use in uses]
    return bool(best) and all(one is not None and one.effect.passes for one in best)


def _opened(group: Group, use: Use, reading: Reading) -> Judged:
    """What the licence says, or the profile where there is none, or a contract if it opens more."""
    own = _licensed(group.license, use, reading)
    lenient = reading.profile.no_license
    if group.license == NOASSERTION and group.checked and use is Use.TRAIN and lenient is not None:
        said = "R0: no licence; the source was asked and reserves nothing: in-house training only"
        own = Judged((replace(own.reasons[0], effect=lenient, clause=said),), ())
    return _with_grant(own, group.license, use, group.held, Subject.PICTURES)


def _with_grant(
    own: Judged, license_id: str, use: Use, held: Sequence[Held], subject: Subject
) -> Judged:
    found = grants.best(held, use)
    if found is None or found.effect.strictness >= own.verdict.strictness:
        return own
    certainty = Certainty.SETTLED if found.effect.passes else Certainty.UNSTATED
    reason = Reason(subject, license_id, use, found.effect, certainty, found.clause, 1, "grant")
    text = f"Keep to the contract {found.id} with {found.licensor}. {found.terms}".strip()
    return Judged((reason,), (Duty(subject, found.id, "contract", text, 1),))


def _circumstances(group: Group, use: Use, reading: Reading) -> Iterable[Reason]:
    """Findings about this use or about training, and the marks that bind every use."""
    for finding in group.findings:
        if finding.use not in (use, Use.TRAIN):
            continue
        effect = finding.effect
        if finding.rule == NOT_CHECKED:
            effect = reading.profile.not_checked or effect
        yield replace(finding, effect=effect, license=group.license)
    denied = any(f.rule == "R1" for f in group.findings)
    if group.opt_out and not denied:
        yield _mark(group, "R1", "R1: an opt-out is recorded")
    if group.revoked:
        yield _mark(group, "revoked", "revoked: withdrawn from use")


def _mark(group: Group, rule: str, clause: str) -> Reason:
    return Reason(
        Subject.PICTURES,
        group.license,
        Use.TRAIN,
        Verdict.DENY,
        Certainty.SETTLED,
        clause,
        group.size,
        rule,
    )


def _sized(judged: Judged, pictures: int) -> Judged:
    return Judged(
        tuple(replace(reason, pictures=pictures) for reason in judged.reasons),
        tuple(replace(duty, pictures=pictures) for duty in judged.duties),
    )


@lru_cache(maxsize=65_536)  # a snapshot of a million pictures asks about a few hundred of them
def _licensed(expression: str, use: Use, reading: Reading) -> Judged:
    return _judge_tree(tree_of(expression), use, reading)


def _judge_tree(tree: Tree, use: Use, reading: Reading) -> Judged:
    if isinstance(tree, Leaf):
        terms = reading.catalogue.licenses.get(tree.id)
        if terms is None:
            return Judged((_unknown(tree.id, use),), ())
        return judge_terms(terms, use, reading, 1)
    sides = [_judge_tree(part, use, reading) for part in tree.parts]
    united = unite_judged(sides)
    if isinstance(tree, AllOf) or len({side.verdict for side in sides}) == 1:
        return united
    return Judged((_unelected(tree, sides, use),), united.duties)


def _unknown(license_id: str, use: Use) -> Reason:
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
        1,
        rule,
    )


def _unelected(tree: Tree, sides: list[Judged], use: Use) -> Reason:
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
        1,
        "R7",
    )
