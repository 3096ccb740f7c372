"""What would have to change for this to be allowed? Every way is tried before it is told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from picdeed.rights.decide import Question, decide
from picdeed.rights.expression import AllOf, AnyOf, Tree, elect, render, tree_of
from picdeed.rights.grants import Held
from picdeed.rights.judge import Group, judge_base, judge_group, unite_judged
from picdeed.rights.verdict import Use, Verdict, in_order

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from picdeed.rights.catalogue import Catalogue
    from picdeed.rights.terms import BaseTerms


class Means(StrEnum):
    """How a use can be opened."""

    DROP = "drop"
    GRANT = "grant"
    ELECT = "elect"
    RELEASE = "release"
    CHECK = "check"
    BASE = "base"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do, about `pictures` pictures. `subject` is a licence, a side or a base."""

    means: Means
    subject: str
    pictures: int
    actions: tuple[Use, ...] = ()


@dataclass(frozen=True, slots=True)
class Way:
    """Steps that together lift the verdict on one use to `verdict`."""

    use: Use
    steps: tuple[Step, ...]
    verdict: Verdict

    def as_json(self) -> dict[str, Any]:
        """Plain values under the fields' names."""
        return {
            "use": self.use.value,
            "verdict": self.verdict.value,
            "steps": [
                {
                    "means": step.means.value,
                    "subject": step.subject,
                    "pictures": step.pictures,
                    "actions": [use.value for use in step.actions],
                }
                for step in self.steps
            ],
        }


def ways(
    groups: Sequence[Group], base: BaseTerms, question: Question, catalogue: Catalogue
) -> tuple[Way, ...]:
    """For each use that does not pass: what would open it, verified by asking `decide` again.

    One way keeps every picture (contracts, elections, releases, new checks), one drops the
    smallest set, and where the base stands in the way each known base is tried.
    """
    found: list[Way] = []
    for use in in_order(question.uses):
        asked = replace(question, uses=in_order((Use.TRAIN, use)))
        now = decide(groups, base, asked, catalogue)
        if now.verdict.passes:
            continue
        found += _other_bases(groups, base, asked, use, catalogue)
        found += _dropping(groups, base, asked, use, catalogue)
        found += _keeping(groups, base, asked, use, catalogue)
    return tuple(found)


def _dropping(
    groups: Sequence[Group], base: BaseTerms, asked: Question, use: Use, catalogue: Catalogue
) -> Iterator[Way]:
    drop = decide(groups, base, asked, catalogue).drop
    if not drop:
        return
    kept = [group for place, group in enumerate(groups) if place not in drop]
    then = decide(kept, base, asked, catalogue).verdict
    if then.passes:
        steps = [Step(Means.DROP, groups[place].license, groups[place].size) for place in drop]
        yield Way(use, _united(steps), then)


def _other_bases(
    groups: Sequence[Group], base: BaseTerms, asked: Question, use: Use, catalogue: Catalogue
) -> Iterator[Way]:
    reading = asked.reading(catalogue)
    ground = unite_judged(judge_base(base, one, reading, asked.base_held) for one in asked.uses)
    if ground.verdict.passes:
        return
    for name, other in sorted(catalogue.bases.items()):
        then = decide(groups, other, replace(asked, base_held=()), catalogue)
        if then.verdict.passes:
            yield Way(use, (Step(Means.BASE, name, 0),), then.verdict)


def _keeping(
    groups: Sequence[Group], base: BaseTerms, asked: Question, use: Use, catalogue: Catalogue
) -> Iterator[Way]:
    steps: list[Step] = []
    mended: list[Group] = []
    for group in groups:
        after, needed = _mend(group, asked, catalogue)
        mended.append(after)
        steps += needed
    then = decide(mended, base, asked, catalogue).verdict
    if steps and then.passes:
        yield Way(use, _united(steps), then)


def _mend(group: Group, asked: Question, catalogue: Catalogue) -> tuple[Group, list[Step]]:
    """The group with the least that opens the asked uses; unchanged when nothing could."""
    steps: list[Step] = []
    if group.revoked or _passes(group, asked, catalogue):
        return group, steps
    after = group
    for rule, means in (("R9", Means.CHECK), ("R11", Means.RELEASE)):
        if any(f.rule == rule and not f.effect.passes for f in after.findings):
            left = tuple(f for f in after.findings if f.rule != rule)
            after = replace(after, findings=left)
            steps.append(Step(means, group.license, group.size))
    if _passes(after, asked, catalogue):
        return after, steps
    for side in _sides(tree_of(group.license)):
        chosen = replace(after, license=elect(group.license, {side}))
        if _passes(chosen, asked, catalogue):
            return chosen, [*steps, Step(Means.ELECT, side, group.size)]
    held = Held("grt_", "", asked.uses, Verdict.DUTIES, "", "")
    granted = replace(
        after,
        opt_out=False,
        findings=tuple(f for f in after.findings if f.rule in ("R11", "synthetic")),
        held=(*after.held, held),
    )
    if _passes(granted, asked, catalogue):
        step = Step(Means.GRANT, group.license, group.size, asked.uses)
        return granted, [*steps, step]
    return group, []


def _passes(group: Group, asked: Question, catalogue: Catalogue) -> bool:
    reading = asked.reading(catalogue)
    return unite_judged(judge_group(group, use, reading) for use in asked.uses).verdict.passes


def _sides(tree: Tree) -> list[str]:
    """Every side of every OR, in canonical spelling."""
    if isinstance(tree, AnyOf):
        return [render(part) for part in tree.parts]
    return [side for part in tree.parts for side in _sides(part)] if isinstance(tree, AllOf) else []


def _united(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Each step once, the pictures added up."""
    sizes: dict[tuple[Means, str, tuple[Use, ...]], int] = {}
    for step in steps:
        key = (step.means, step.subject, step.actions)
        sizes[key] = sizes.get(key, 0) + step.pictures
    return tuple(
        Step(means, subject, pictures, actions)
        for (means, subject, actions), pictures in sizes.items()
    )
