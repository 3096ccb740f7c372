"""May this be done? The only place where a verdict is made: gate, export, card and page ask here.

`conclude` speaks about one picture, `decide` about many and a base model, `what_if` about what
would have to change.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from picdeed.core.errors import UsageError
from picdeed.rights.combination import PASSED_ON, base_release, clashes, release_licenses
from picdeed.rights.conclude import Conclusion, conclude
from picdeed.rights.drop import Part, smallest_drop
from picdeed.rights.duties import Duty, unite
from picdeed.rights.expression import NOASSERTION
from picdeed.rights.judge import (
    Group,
    Judged,
    Reading,
    is_granted,
    judge_base,
    judge_group,
    unite_judged,
)
from picdeed.rights.verdict import (
    Certainty,
    Reason,
    Subject,
    Use,
    Verdict,
    by_strictness,
    in_order,
    meet,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from picdeed.rights.catalogue import Catalogue
    from picdeed.rights.grants import Held
    from picdeed.rights.terms import BaseTerms

__all__ = [
    "Conclusion",
    "Decision",
    "Group",
    "Question",
    "conclude",
    "decide",
    "group_pictures",
    "judge_pictures",
    "judge_weights",
]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: which uses, read how, by whom.

    `facts` are dated facts about the licensee, `base_held` contracts about the base.
    """

    uses: tuple[Use, ...]
    profile: str = "conservative"
    commercial: bool = True
    facts: tuple[tuple[str, str], ...] = ()
    base_held: tuple[Held, ...] = ()

    def reading(self, catalogue: Catalogue) -> Reading:
        """How the rules are read. Raises UsageError for an unknown profile."""
        profile = catalogue.profile(self.profile)
        return Reading(catalogue, profile, self.commercial, self.facts)


@dataclass(frozen=True, slots=True)
class Decision:
    """The meet over pictures, base and combination; strictest reasons first.

    `drop` names the groups (by their places) that make a smallest set of pictures whose removal
    lifts the verdict to ALLOW or DUTIES. It is empty when the verdict passes, or when
    `drop_reason` is "base" or "nothing-left".
    """

    verdict: Verdict
    reasons: tuple[Reason, ...]
    duties: tuple[Duty, ...]
    drop: tuple[int, ...]
    drop_reason: str | None


def group_pictures(
    pictures: Mapping[str, Conclusion], revoked: Collection[str] = ()
) -> dict[Group, tuple[str, ...]]:
    """Picture ids by how they stand, each group with its size: the input of `decide`."""
    members: dict[Group, list[str]] = {}
    for picture, said in sorted(pictures.items()):
        members.setdefault(said.group(0, revoked=picture in revoked), []).append(picture)
    return {replace(key, size=len(ids)): tuple(ids) for key, ids in members.items()}


def decide(
    groups: Sequence[Group], base: BaseTerms, question: Question, catalogue: Catalogue
) -> Decision:
    """One verdict for all pictures, the base and their combination, over all uses.

    Raises UsageError without a use or with an unknown profile.
    """
    if not question.uses:
        raise UsageError("No use was named.", hint=f"Uses are: {', '.join(Use)}.")
    uses = in_order(question.uses)
    reading = question.reading(catalogue)
    judged = [unite_judged(judge_group(group, use, reading) for use in uses) for group in groups]
    ground = unite_judged(judge_base(base, use, reading, question.base_held) for use in uses)
    together = _clashes(groups, base, uses, catalogue)
    if all(group.revoked or not group.size for group in groups):
        together = (*together, _empty(uses))
    held = [part for group, part in zip(groups, judged, strict=True) if group.size]
    reasons = _add_up([*(r for part in held for r in part.reasons), *ground.reasons, *together])
    duties = unite(duty for part in (*held, ground) for duty in part.duties)
    verdict = meet(*(reason.effect for reason in reasons))
    if verdict.passes:
        return Decision(verdict, reasons, duties, (), None)
    if not ground.verdict.passes:
        return Decision(verdict, reasons, duties, (), "base")
    drop = _smallest(groups, judged, base, uses, catalogue)
    if drop is None:
        return Decision(verdict, reasons, duties, (), "nothing-left")
    return Decision(verdict, reasons, duties, drop, None)


def judge_pictures(group: Group, question: Question, catalogue: Catalogue) -> Verdict:
    """The meet over some uses for pictures alone, before any base: may they enter a snapshot?"""
    reading = question.reading(catalogue)
    return unite_judged(judge_group(group, use, reading) for use in question.uses).verdict


def judge_weights(base: BaseTerms, question: Question, catalogue: Catalogue) -> dict[Use, Verdict]:
    """What a base's own terms, or a contract about it, say to each use before any picture."""
    reading = question.reading(catalogue)
    held = question.base_held
    return {use: judge_base(base, use, reading, held).verdict for use in in_order(question.uses)}


def _clashes(
    groups: Sequence[Group], base: BaseTerms, uses: Sequence[Use], catalogue: Catalogue
) -> tuple[Reason, ...]:
    """Share-alikes that exclude each other, for those pictures that no contract sets free."""
    found: list[Reason] = []
    for use in uses:
        bound = [
            (group.license, group.size)
            for group in groups
            if group.size and not group.revoked and not is_granted(group, (use,))
        ]
        found += clashes(bound, base, (use,), catalogue)
    return tuple(found)


def _empty(uses: Sequence[Use]) -> Reason:
    return Reason(
        Subject.PICTURES,
        NOASSERTION,
        uses[0],
        Verdict.DENY,
        Certainty.SETTLED,
        "empty: no picture is left that could be used",
        0,
        "empty",
    )


def _smallest(
    groups: Sequence[Group],
    judged: Sequence[Judged],
    base: BaseTerms,
    uses: Sequence[Use],
    catalogue: Catalogue,
) -> tuple[int, ...] | None:
    passed_on = [use for use in uses if use in PASSED_ON]
    parts = [
        Part(
            group.size,
            part.verdict.passes,
            None
            if not passed_on or is_granted(group, passed_on)
            else release_licenses(group.license, catalogue),
        )
        for group, part in zip(groups, judged, strict=True)
    ]
    drop = smallest_drop(parts, base_release(base) if passed_on else None)
    return None if drop is None else tuple(place for place in drop if groups[place].size)


def _add_up(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    counts: Counter[Reason] = Counter()
    for reason in reasons:
        counts[replace(reason, pictures=0)] += reason.pictures
    return by_strictness(replace(reason, pictures=n) for reason, n in counts.items())
