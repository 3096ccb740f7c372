"""What do one picture's claims come to? A conclusion is derived, dated, and can be made again."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from picdeed.core.moments import later
from picdeed.rights import grants as contracts
from picdeed.rights.claims import Claim, ClaimKind, ClaimStatus
from picdeed.rights.conflicts import (
    elected,
    findings_of,
    licenses_claimed,
    strangers_named,
)
from picdeed.rights.expression import NOASSERTION, all_of, elect
from picdeed.rights.judge import (
    NOT_CHECKED,
    Group,
    Reading,
    judge_group,
    unite_judged,
)
from picdeed.rights.verdict import Certainty, Reason, Subject, Use, Verdict, by_strictness

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from picdeed.rights.catalogue import Catalogue
    from picdeed.rights.grants import Grant, Held

FRESHNESS = timedelta(days=30)
"""R9: how long an answer of a source on the network is believed."""

_WHO = (ClaimKind.AUTHOR, ClaimKind.HOLDER)
_MOVING = frozenset(
    {
        ClaimKind.LICENSE,
        ClaimKind.CAPTION_LICENSE,
        ClaimKind.OPT_OUT,
        ClaimKind.RIGHTS_STATEMENT,
        ClaimKind.LICENSOR,
        ClaimKind.SYNTHETIC,
        ClaimKind.PERSONS,
        ClaimKind.MODEL_RELEASE,
        ClaimKind.PROPERTY_RELEASE,
        ClaimKind.ELECTION,
    }
)


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What one picture's claims come to.

    `license` is an SPDX expression or NOASSERTION. `rule` is "declared" when the claims agree,
    else the rule that mattered most. `verdicts` and `reasons` are commercial and conservative.
    `findings` are the reasons that the licence alone does not give, `held` the contracts in
    force: with `checked` they make a `Group`. `until`: when time alone may change the answer.
    """

    license: str
    rule: str
    conflict: bool
    opt_out: bool
    checked: bool
    verdicts: Mapping[Use, Verdict]
    reasons: tuple[Reason, ...]
    findings: tuple[Reason, ...]
    held: tuple[Held, ...]
    until: str | None = None

    def group(self, size: int = 1, *, revoked: bool = False) -> Group:
        """Pictures that stand like this one, as `decide` takes them."""
        return Group(
            self.license, self.opt_out, revoked, size, self.findings, self.held, self.checked
        )


def conclude(
    claims: Sequence[Claim],
    catalogue: Catalogue,
    *,
    copies: Sequence[Sequence[Claim]] = (),
    grants: Sequence[Grant] = (),
    at: str | None = None,
) -> Conclusion:
    """One picture from its claims, those of its near-duplicates (`copies`, R10) and contracts.

    Without a licence claim of its own a picture is DENY whatever its copies claim (R0), unless
    a contract opens the use. Otherwise every claim binds: licences combine by AND, one that
    could not be read is unknown and so DENY, an opt-out anywhere is an opt-out here. The order
    of claims never matters. `at` is the moment of judging, ISO-8601 UTC; ValueError when a
    contract or a check of a source makes the answer depend on it and none is given.
    """
    if at is None and (grants or any(claim.kind is ClaimKind.CHECKED for claim in claims)):
        raise ValueError("contracts and checks of sources are judged at a moment: give `at`")
    now = at or ""
    source, stale_at = _source(claims, now)
    in_force = tuple(sorted((g for g in grants if g.holds(now)), key=lambda g: g.id))
    dated = bool(in_force)
    found = _conclude(
        _facts(claims, dated=dated),
        frozenset(_facts(copy, dated=dated) for copy in copies),
        in_force,
        source,
        tuple(kind for kind in _WHO if copies and strangers_named([claims, *copies], kind)),
        catalogue,
    )
    moments = [stale_at, contracts.next_change(grants, now)]
    return replace(found, until=min((m for m in moments if m), default=None))


def _facts(claims: Iterable[Claim], *, dated: bool) -> frozenset[Claim]:
    """Of the claims that can move a verdict, what moves it: a set, so no order can matter."""
    return frozenset(
        replace(
            claim,
            raw="",
            parser="",
            note="",
            # When a reservation was seen matters only where a contract may answer it.
            observed_at=claim.observed_at if dated and claim.kind is ClaimKind.OPT_OUT else "",
        )
        for claim in claims
        if claim.kind in _MOVING
    )


def _source(claims: Iterable[Claim], now: str) -> tuple[str, str | None]:
    """R9: was the source asked, did it answer the last time, and until when is that believed?"""
    checks = sorted(
        (c for c in claims if c.kind is ClaimKind.CHECKED and c.observed_at),
        key=lambda c: (c.observed_at, c.status),
    )
    last = {(c.parsed, _host(c.raw)): c for c in checks}
    failed = [c.observed_at for c in last.values() if c.status is not ClaimStatus.PARSED]
    if failed:
        return f"silent since {min(failed)[:10]}", None
    if not checks:
        named = any(claim.kind is ClaimKind.SOURCE_URL for claim in claims)
        return ("not-checked" if named else ""), None
    waived = [c.parsed for c in claims if c.kind is ClaimKind.WAIVER and c.parsed]
    # Each thing that was asked (the picture, its site's files) grows stale by itself.
    newest = {c.parsed: c.observed_at for c in checks}
    stale_at = max([later(min(newest.values()), FRESHNESS), *waived])
    return ("fresh", stale_at) if now < stale_at else (f"stale since {stale_at[:10]}", None)


@lru_cache(maxsize=65_536)  # a million pictures share a few hundred sets of facts
def _conclude(  # noqa: PLR0917 - the key of the cache
    own: frozenset[Claim],
    copies: frozenset[frozenset[Claim]],
    grants: tuple[Grant, ...],
    source: str,
    torn: tuple[ClaimKind, ...],
    catalogue: Catalogue,
) -> Conclusion:
    members = [own, *copies]
    sides = frozenset[str]().union(*map(elected, members))
    expressions = {tuple(licenses_claimed(member)) for member in members} - {()}
    named = {name for names in expressions for name in names}
    captions = {n for m in members for n in licenses_claimed(m, ClaimKind.CAPTION_LICENSE)}
    bound = all_of(elect(name, sides) for name in named | captions)
    license_id = bound if licenses_claimed(own) else NOASSERTION
    found = {
        f for m in members for f in findings_of(tuple(m), license_id, catalogue, grants, sides)
    }
    found |= _about_source(source, license_id)
    found |= {_about_names(kind, license_id) for kind in torn}
    contested = bool(named - set(licenses_claimed(own)))
    group = Group(
        license_id,
        any(_is_opt_out(claim) for member in members for claim in member) and not _answered(found),
        findings=by_strictness(found),
        held=contracts.hold(grants, contested=contested),
        checked=source == "fresh",
    )
    reading = Reading(catalogue, catalogue.profile("conservative"), commercial=True)
    judged = {use: judge_group(group, use, reading) for use in Use}
    reasons = by_strictness(unite_judged(judged.values()).reasons)
    return Conclusion(
        license_id,
        _rule(reasons, several=len(named) > 1, copied=len(expressions) > 1),
        len(named) > 1 or any(f.rule not in ("R1", "R11", NOT_CHECKED) for f in found),
        group.opt_out,
        group.checked,
        MappingProxyType({use: part.verdict for use, part in judged.items()}),
        reasons,
        group.findings,
        group.held,
    )


def _answered(findings: Iterable[Reason]) -> bool:
    """Whether a contract answers every reservation."""
    reservations = [finding for finding in findings if finding.rule == "R1"]
    return bool(reservations) and all(finding.effect.passes for finding in reservations)


def _host(raw: str) -> str:
    """The host that a check names; "" where it names none."""
    found = re.search(r'"url":"[a-z]+://([^/"?#]+)', raw)
    return found[1] if found else ""


def _about_source(source: str, license_id: str) -> set[Reason]:
    if source == "not-checked":
        effect, rule, said = Verdict.ALLOW, NOT_CHECKED, "not-checked: nobody asked the source"
    elif source.startswith("silent"):
        effect, rule = Verdict.REVIEW, "R9"
        said = f"R9: its site is {source}: it failed when it was asked; ask again"
    elif source.startswith("stale"):
        effect, rule = Verdict.DENY, "R9"
        said = f"R9: what the source answered is {source}: ask again, or waive it by name"
    else:
        return set()
    return {
        Reason(Subject.PICTURES, license_id, Use.TRAIN, effect, Certainty.UNSTATED, said, 1, rule)
    }


def _about_names(kind: ClaimKind, license_id: str) -> Reason:
    """R10: a licence is worth what the one who gives it has: of two authors one has nothing."""
    said = f"R10: copies of this picture name different {kind}s, and nobody said who is right"
    effect, certainty = Verdict.REVIEW, Certainty.UNSTATED
    return Reason(Subject.PICTURES, license_id, Use.TRAIN, effect, certainty, said, 1, "R10")


def _is_opt_out(claim: Claim) -> bool:
    return claim.kind is ClaimKind.OPT_OUT and claim.status is ClaimStatus.PARSED


def _rule(reasons: Sequence[Reason], *, several: bool, copied: bool) -> str:
    fired = {reason.rule for reason in reasons}
    for rule in ("R1", "R0", "R9", "R3", "R4", "R7", "synthetic", "R11"):
        if rule in fired:
            return rule
    if "R2" in fired or (several and not copied):
        return "R2"
    return "R10" if copied or "R10" in fired else "declared"
