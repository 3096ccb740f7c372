"""What do a picture's claims say against each other? Findings can only make a verdict stricter.

R1 to R6 and R11 of the rights model; each finding names the use it is about, `train` binding all.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from picdeed.rights.claims import Claim, ClaimKind, ClaimSource, ClaimStatus, Release, Statement
from picdeed.rights.expression import NOASSERTION, elect, leaves, tree_of
from picdeed.rights.judge import Reading, judge_expression
from picdeed.rights.verdict import Certainty, Reason, Subject, Use, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from picdeed.rights.catalogue import Catalogue
    from picdeed.rights.grants import Grant

_ITEM = frozenset(
    {
        ClaimSource.ITEM_METADATA,
        ClaimSource.EMBEDDED_XMP,
        ClaimSource.EMBEDDED_IPTC,
        ClaimSource.EMBEDDED_EXIF,
    }
)
# What the file itself says of a release is a label; a paper on record says more.
_ON_RECORD = frozenset({ClaimSource.PERSON, ClaimSource.CONTRACT})


def licenses_claimed(claims: Iterable[Claim], kind: ClaimKind = ClaimKind.LICENSE) -> list[str]:
    """The expressions of the licence claims, sorted, once each; one unread is NOASSERTION."""
    return sorted(
        {
            claim.parsed or NOASSERTION if claim.status is ClaimStatus.PARSED else NOASSERTION
            for claim in claims
            if claim.kind is kind
        }
    )


def elected(claims: Iterable[Claim]) -> frozenset[str]:
    """The sides of ORs that a person took."""
    return frozenset(
        claim.parsed for claim in claims if claim.kind is ClaimKind.ELECTION and claim.parsed
    )


def strangers_named(members: Sequence[Sequence[Claim]], kind: ClaimKind) -> tuple[str, ...]:
    """Whom copies of one picture name as its author (or holder), where two share no name.

    Empty where they agree, and where at most one of them names anybody.
    """
    named = [
        {" ".join(c.raw.split()).casefold(): " ".join(c.raw.split()) for c in claims}
        for member in members
        if (claims := [c for c in member if c.kind is kind and c.raw.strip()])
    ]
    if all(one.keys() & other.keys() for one, other in combinations(named, 2)):
        return ()
    return tuple(sorted({name for one in named for name in one.values()}))


def findings_of(
    claims: Sequence[Claim],
    license_id: str,
    catalogue: Catalogue,
    grants: Sequence[Grant] = (),
    sides: frozenset[str] = frozenset(),
) -> set[Reason]:
    """What one picture's claims give beside its licence, under the name `license_id`.

    `grants` in force may answer a reservation; `sides` are elected sides of ORs.
    """
    licensed = any(grant.matched and Use.TRAIN in grant.actions for grant in grants)
    found = [*_reservations(claims, grants), *_persons(claims), *_synthetic(claims)]
    if not licensed:  # a contract stands in the place of the licences that disagree
        found += [*_laxer_items(claims, catalogue, sides), *_mixed_versions(claims, catalogue)]
        found += _statements(claims)
    return {
        Reason(
            Subject.PICTURES,
            license_id,
            use,
            effect,
            Certainty.SETTLED if rule == "R1" else Certainty.UNSTATED,
            f"{rule}: {said}",
            1,
            rule,
        )
        for rule, use, effect, said in found
    }


Finding = tuple[str, Use, Verdict, str]


def _reservations(claims: Iterable[Claim], grants: Sequence[Grant]) -> Iterable[Finding]:
    for claim in claims:
        if claim.kind is not ClaimKind.OPT_OUT:
            continue
        said = f"opt-out {claim.parsed} ({claim.source})"
        effect = Verdict.DENY
        if claim.status is not ClaimStatus.PARSED:
            said, effect = f"a possible opt-out could not be read ({claim.source})", Verdict.REVIEW
            if claim.source is ClaimSource.LIKENESS:
                said = "it looks like something that was revoked or opted out; a person must look"
        clearing = [grant.id for grant in grants if grant.clears(claim.observed_at)]
        if clearing:
            said, effect = f"{said}, answered by {clearing[0][:12]}", Verdict.DUTIES
        yield "R1", Use.TRAIN, effect, said


def _laxer_items(
    claims: Sequence[Claim], catalogue: Catalogue, sides: frozenset[str]
) -> Iterable[Finding]:
    """R2: an item's licence replaces its package's only where it is stricter."""
    items = licenses_claimed(claim for claim in claims if claim.source in _ITEM)
    packages = licenses_claimed(
        claim for claim in claims if claim.source is ClaimSource.PACKAGE_METADATA
    )
    for item in items:
        for package in packages:
            if item != package and _laxer(elect(item, sides), elect(package, sides), catalogue):
                said = f"the item says {item}, its package {package}"
                yield "R2", Use.TRAIN, Verdict.REVIEW, said


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
                    said = f"two versions are claimed: {versions}"
                    yield "R3", Use.TRAIN, Verdict.REVIEW, said


def _family(license_id: str, catalogue: Catalogue) -> str:
    terms = catalogue.licenses.get(license_id)
    return terms.family if terms else ""


def _statements(claims: Iterable[Claim]) -> Iterable[Finding]:
    """R4: words beside the licence that do not fit it, or that could not be read; a licensor who
    offers other terms.
    """
    words = {statement.value for statement in Statement}
    for claim in claims:
        said = ""
        if claim.kind is ClaimKind.LICENSOR:
            said = f"a licensor is named ({claim.source}): other terms may be on offer"
        elif claim.kind is not ClaimKind.RIGHTS_STATEMENT:
            continue
        elif claim.status is ClaimStatus.UNREADABLE:
            said = f"a rights statement could not be read ({claim.source})"
        elif claim.parsed in words:
            said = f"a statement says {claim.parsed} ({claim.source})"
        if said:
            yield "R4", Use.TRAIN, Verdict.REVIEW, said


def _synthetic(claims: Iterable[Claim]) -> Iterable[Finding]:
    """A generated picture carries its model's terms, which nobody has read here."""
    for claim in claims:
        if claim.kind is ClaimKind.SYNTHETIC:
            said = f"made by a model, whose terms are not on record ({claim.source})"
            yield "synthetic", Use.TRAIN, Verdict.REVIEW, said


def _persons(claims: Sequence[Claim]) -> Iterable[Finding]:
    """R11: an identifiable person without a release is never sold; a property is looked at."""
    shown = any(
        claim.kind is ClaimKind.PERSONS and claim.parsed not in ("none", None) for claim in claims
    )
    model = _release(claims, ClaimKind.MODEL_RELEASE)
    if shown and model in (None, Release.NONE):
        yield "R11", Use.SELL_OUTPUTS, Verdict.DENY, "an identifiable person without a release"
    elif model in (Release.LIMITED, Release.NONE) or (shown and model is Release.NOT_APPLICABLE):
        said = f"the model release says {model}"
        yield "R11", Use.SELL_OUTPUTS, Verdict.REVIEW, said
    home = _release(claims, ClaimKind.PROPERTY_RELEASE)
    if home in (Release.LIMITED, Release.NONE):
        yield "R11", Use.SELL_OUTPUTS, Verdict.REVIEW, f"the property release says {home}"


def _release(claims: Sequence[Claim], kind: ClaimKind) -> Release | None:
    """What is on record wins over what the file says; within each the narrowest."""
    said = [(claim.source in _ON_RECORD, claim.parsed) for claim in claims if claim.kind is kind]
    if not said:
        return None
    strongest = [parsed for on_record, parsed in said if on_record] or [p for _, p in said]
    known = {release.value for release in Release}
    words = [Release(parsed) if parsed in known else Release.LIMITED for parsed in strongest]
    order = (Release.NONE, Release.LIMITED, Release.NOT_APPLICABLE, Release.UNLIMITED)
    return min(words, key=order.index)
