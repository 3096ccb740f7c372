"""What do a picture's claims say against each other? Findings can only make a verdict stricter."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from picdeed.rights.claims import Claim, ClaimKind, ClaimSource, ClaimStatus, Statement
from picdeed.rights.expression import NOASSERTION, leaves, tree_of
from picdeed.rights.judge import Reading, judge_expression
from picdeed.rights.verdict import Certainty, Reason, Subject, Use, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from picdeed.rights.catalogue import Catalogue

_ITEM = frozenset(
    {
        ClaimSource.ITEM_METADATA,
        ClaimSource.EMBEDDED_XMP,
        ClaimSource.EMBEDDED_IPTC,
        ClaimSource.EMBEDDED_EXIF,
    }
)


def licenses_claimed(claims: Iterable[Claim]) -> list[str]:
    """The expressions of the licence claims, sorted, once each; one unread is NOASSERTION."""
    return sorted(
        {
            claim.parsed or NOASSERTION if claim.status is ClaimStatus.PARSED else NOASSERTION
            for claim in claims
            if claim.kind is ClaimKind.LICENSE
        }
    )


def findings_of(claims: Sequence[Claim], license_id: str, catalogue: Catalogue) -> set[Reason]:
    """R1 to R4 over one picture's claims, as reasons about `train` under the name `license_id`."""
    found = [*_reservations(claims), *_laxer_items(claims, catalogue)]
    found += [*_mixed_versions(claims, catalogue), *_statements(claims)]
    return {
        Reason(
            Subject.PICTURES,
            license_id,
            Use.TRAIN,
            effect,
            Certainty.SETTLED if rule == "R1" else Certainty.UNSTATED,
            f"{rule}: {said}",
            1,
            rule,
        )
        for rule, effect, said in found
    }


Finding = tuple[str, Verdict, str]


def _reservations(claims: Iterable[Claim]) -> Iterable[Finding]:
    for claim in claims:
        if claim.kind is not ClaimKind.OPT_OUT:
            continue
        if claim.status is ClaimStatus.PARSED:
            yield "R1", Verdict.DENY, f"opt-out {claim.parsed} ({claim.source})"
        else:
            yield "R1", Verdict.REVIEW, f"a possible opt-out could not be read ({claim.source})"


def _laxer_items(claims: Sequence[Claim], catalogue: Catalogue) -> Iterable[Finding]:
    """R2: an item's licence replaces its package's only where it is stricter."""
    items = licenses_claimed(claim for claim in claims if claim.source in _ITEM)
    packages = licenses_claimed(
        claim for claim in claims if claim.source is ClaimSource.PACKAGE_METADATA
    )
    for item in items:
        for package in packages:
            if item != package and _laxer(item, package, catalogue):
                yield "R2", Verdict.REVIEW, f"the item says {item}, its package {package}"


def _laxer(one: str, other: str, catalogue: Catalogue) -> bool:
    profile = catalogue.profile("conservative")
    readings = [Reading(catalogue, profile, commercial) for commercial in (True, False)]
    return any(
        judge_expression(one, use, reading, 1).verdict.strictness
        < judge_expression(other, use, reading, 1).verdict.strictness
        for reading in readings
        for use in Use
    )


def _mixed_versions(claims: Sequence[Claim], catalogue: Catalogue) -> Iterable[Finding]:
    """R3: two claims that differ in the version only; one of them is likely a slip."""
    for one, other in combinations(licenses_claimed(claims), 2):
        left, right = set(leaves(tree_of(one))), set(leaves(tree_of(other)))
        for a in sorted(left - right):
            for b in sorted(right - left):
                if _family(a, catalogue) and _family(a, catalogue) == _family(b, catalogue):
                    versions = " and ".join(sorted((a, b)))
                    yield "R3", Verdict.REVIEW, f"two versions are claimed: {versions}"


def _family(license_id: str, catalogue: Catalogue) -> str:
    terms = catalogue.licenses.get(license_id)
    return terms.family if terms else ""


def _statements(claims: Iterable[Claim]) -> Iterable[Finding]:
    """R4: words beside the licence that do not fit it; or words that could not be read."""
    words = {statement.value for statement in Statement}
    for claim in claims:
        if claim.kind is not ClaimKind.RIGHTS_STATEMENT:
            continue
        if claim.status is ClaimStatus.UNREADABLE:
            yield "R4", Verdict.REVIEW, f"a rights statement could not be read ({claim.source})"
        elif claim.parsed in words:
            yield "R4", Verdict.REVIEW, f"a statement says {claim.parsed} ({claim.source})"
