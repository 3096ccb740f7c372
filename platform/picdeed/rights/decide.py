"""May this be done? The only place where a verdict is made: gate, export, card and page ask here.

`conclude` and `conclude_cluster` speak about one picture, `decide` about many and a base model.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from picdeed.core.errors import UsageError
from picdeed.rights.claims import Claim, ClaimKind, ClaimStatus
from picdeed.rights.combination import PASSED_ON, base_release, clashes, release_licenses
from picdeed.rights.conflicts import findings_of, licenses_claimed
from picdeed.rights.drop import Part, smallest_drop
from picdeed.rights.duties import Duty, unite
from picdeed.rights.expression import NOASSERTION, all_of
from picdeed.rights.judge import (
    Judged,
    Reading,
    judge_expression,
    judge_terms,
    unite_judged,
)
from picdeed.rights.verdict import Certainty, Reason, Subject, Use, Verdict, in_order, meet

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from picdeed.rights.catalogue import Catalogue
    from picdeed.rights.terms import BaseTerms


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What one picture's claims come to.

    `license` is an SPDX expression or NOASSERTION. `rule` is "declared" when the claims agree,
    else the rule that mattered most. `verdicts` and `reasons` are commercial and conservative.
    `findings` are the reasons that the licence alone does not give: hand them on to `Group`.
    """

    license: str
    rule: str
    conflict: bool
    opt_out: bool
    verdicts: Mapping[Use, Verdict]
    reasons: tuple[Reason, ...]
    findings: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Pictures with the same concluded licence and the same findings."""

    license: str
    opt_out: bool
    revoked: bool
    pictures: tuple[str, ...]
    findings: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """The meet over pictures, base and combination; strictest reasons first.

    `drop` is a smallest set of picture ids whose removal lifts the verdict to ALLOW or DUTIES.
    It is empty when the verdict passes, or when `drop_reason` is "base" or "nothing-left".
    """

    verdict: Verdict
    reasons: tuple[Reason, ...]
    duties: tuple[Duty, ...]
    drop: tuple[str, ...]
    drop_reason: str | None


def conclude(
    claims: Sequence[Claim], catalogue: Catalogue, *, copies: Sequence[Sequence[Claim]] = ()
) -> Conclusion:
    """One picture from its claims and those of its near-duplicates (`copies`, R10).

    Without a licence claim of its own a picture is DENY whatever its copies claim (R0).
    Otherwise every claim binds: licences combine by AND, one that could not be read is unknown
    and so DENY, an opt-out anywhere is an opt-out here. The order of claims never matters.
    """
    return _conclude(_facts(claims), frozenset(map(_facts, copies)), catalogue)


def conclude_cluster(members: Sequence[Sequence[Claim]], catalogue: Catalogue) -> Conclusion:
    """What a cluster of near-duplicates comes to for those of its members that claim a licence.

    A member without a licence claim adds its opt-outs and statements and binds nobody else; it
    is itself DENY: ask `conclude(its claims, catalogue, copies=the others)`.
    """
    licensed = [i for i, member in enumerate(members) if licenses_claimed(member)]
    first = licensed[0] if licensed else 0
    own = members[first] if members else ()
    others = [member for i, member in enumerate(members) if i != first]
    return conclude(own, catalogue, copies=others)


def group_pictures(
    pictures: Mapping[str, Conclusion], revoked: Collection[str] = ()
) -> tuple[Group, ...]:
    """Picture ids by their conclusions: the input of `decide`."""
    members: dict[Group, list[str]] = {}
    for picture, said in sorted(pictures.items()):
        key = Group(said.license, said.opt_out, picture in revoked, (), said.findings)
        members.setdefault(key, []).append(picture)
    return tuple(replace(key, pictures=tuple(ids)) for key, ids in members.items())


def findings(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """Of a stored conclusion's reasons those that belong into `Group.findings`."""
    return tuple(reason for reason in reasons if reason.rule in ("R1", "R2", "R3", "R4"))


def decide(
    groups: Sequence[Group],
    base: BaseTerms,
    uses: Sequence[Use],
    catalogue: Catalogue,
    *,
    profile: str = "conservative",
    commercial: bool = True,
) -> Decision:
    """One verdict for all pictures, the base and their combination, over all `uses`.

    Raises UsageError without a use or with an unknown profile.
    """
    if not uses:
        raise UsageError("No use was named.", hint=f"Uses are: {', '.join(Use)}.")
    wanted = in_order(uses)
    reading = Reading(catalogue, catalogue.profile(profile), commercial)
    held = [group for group in groups if group.pictures]
    judged = [unite_judged(_judge_group(group, use, reading) for use in wanted) for group in held]
    ground = unite_judged(judge_terms(base.terms, use, reading, 0, Subject.BASE) for use in wanted)
    counted = [(group.license, len(group.pictures)) for group in held if not group.revoked]
    together = clashes(counted, base, wanted, catalogue)
    if all(group.revoked for group in held):
        together = (*together, _empty(wanted))
    reasons = _add_up([*(r for part in judged for r in part.reasons), *ground.reasons, *together])
    duties = unite(duty for part in (*judged, ground) for duty in part.duties)
    verdict = meet(*(reason.effect for reason in reasons))
    if verdict.passes:
        return Decision(verdict, reasons, duties, (), None)
    if not ground.verdict.passes:
        return Decision(verdict, reasons, duties, (), "base")
    drop = _smallest(held, judged, base, wanted, catalogue)
    if drop is None:
        return Decision(verdict, reasons, duties, (), "nothing-left")
    return Decision(verdict, reasons, duties, drop, None)


def _facts(claims: Iterable[Claim]) -> frozenset[Claim]:
    """Of the claims that can move a verdict, what moves it: a set, so no order can matter."""
    moving = (ClaimKind.LICENSE, ClaimKind.OPT_OUT, ClaimKind.RIGHTS_STATEMENT)
    return frozenset(
        replace(claim, raw="", parser="", note="") for claim in claims if claim.kind in moving
    )


@lru_cache(maxsize=65_536)  # a million pictures share a few hundred sets of facts
def _conclude(
    own: frozenset[Claim], copies: frozenset[frozenset[Claim]], catalogue: Catalogue
) -> Conclusion:
    members = [own, *copies]
    expressions = {tuple(licenses_claimed(member)) for member in members} - {()}
    named = {name for names in expressions for name in names}
    license_id = all_of(named) if licenses_claimed(own) else NOASSERTION
    found = _sorted({f for m in members for f in findings_of(tuple(m), license_id, catalogue)})
    opt_out = any(_is_opt_out(claim) for member in members for claim in member)
    reading = Reading(catalogue, catalogue.profile("conservative"), commercial=True)
    group = Group(license_id, opt_out, revoked=False, pictures=("",), findings=found)
    judged = {use: _judge_group(group, use, reading) for use in Use}
    reasons = _sorted(unite_judged(judged.values()).reasons)
    return Conclusion(
        license_id,
        _rule(reasons, several=len(named) > 1, copied=len(expressions) > 1),
        len(named) > 1 or any(finding.rule != "R1" for finding in found),
        opt_out,
        MappingProxyType({use: part.verdict for use, part in judged.items()}),
        reasons,
        found,
    )


def _judge_group(group: Group, use: Use, reading: Reading) -> Judged:
    """The licence's own rules, and the findings and marks that bind every use through `train`."""
    pictures = len(group.pictures)
    own = judge_expression(group.license, use, reading, pictures)
    extra = [replace(f, pictures=pictures, license=group.license) for f in group.findings]
    if group.opt_out and not any(f.rule == "R1" and f.effect is Verdict.DENY for f in extra):
        extra.append(_mark(group, "R1", "R1: an opt-out is recorded"))
    if group.revoked:
        extra.append(_mark(group, "revoked", "revoked: withdrawn from use"))
    return unite_judged((own, Judged(tuple(extra), ())))


def _mark(group: Group, rule: str, clause: str) -> Reason:
    return Reason(
        Subject.PICTURES,
        group.license,
        Use.TRAIN,
        Verdict.DENY,
        Certainty.SETTLED,
        clause,
        len(group.pictures),
        rule,
    )


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
) -> tuple[str, ...] | None:
    passed_on = any(use in PASSED_ON for use in uses)
    parts = [
        Part(
            group.pictures,
            part.verdict.passes,
            release_licenses(group.license, catalogue) if passed_on else None,
        )
        for group, part in zip(groups, judged, strict=True)
    ]
    return smallest_drop(parts, base_release(base) if passed_on else None)


def _add_up(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    counts: Counter[Reason] = Counter()
    for reason in reasons:
        counts[replace(reason, pictures=0)] += reason.pictures
    return _sorted(replace(reason, pictures=n) for reason, n in counts.items())


def _sorted(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    order = {use: rank for rank, use in enumerate(Use)}
    return tuple(
        sorted(
            reasons,
            key=lambda r: (
                -r.effect.strictness,
                r.subject,
                order[r.use],
                r.rule,
                r.license,
                r.clause,
            ),
        )
    )


def _is_opt_out(claim: Claim) -> bool:
    return claim.kind is ClaimKind.OPT_OUT and claim.status is ClaimStatus.PARSED


def _rule(reasons: Sequence[Reason], *, several: bool, copied: bool) -> str:
    fired = {reason.rule for reason in reasons}
    for rule in ("R1", "R0", "R3", "R4", "R7"):
        if rule in fired:
            return rule
    if "R2" in fired or (several and not copied):
        return "R2"
    return "R10" if copied else "declared"


def judge_pictures(
    group: Group,
    uses: Sequence[Use],
    catalogue: Catalogue,
    *,
    profile: str = "conservative",
    commercial: bool = True,
) -> Verdict:
    """The meet over some uses for pictures alone, before any base: may they enter a snapshot?"""
    reading = Reading(catalogue, catalogue.profile(profile), commercial)
    return unite_judged(_judge_group(group, use, reading) for use in in_order(uses)).verdict
