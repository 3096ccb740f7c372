"""Do claims that speak against each other leave a finding, and others none?"""

import pytest

from picdeed.rights.claims import (
    Claim,
    ClaimKind,
    ClaimSource,
    ClaimStatus,
    Statement,
    license_claim,
)
from picdeed.rights.conflicts import findings_of, licenses_claimed
from picdeed.rights.expression import NOASSERTION
from picdeed.rights.verdict import Use, Verdict


@pytest.fixture
def says(catalogue):
    def claim(text, source=ClaimSource.PERSON):
        return license_claim(text, source, catalogue.aliases)

    return claim


def signal(kind, parsed, status=ClaimStatus.PARSED, source=ClaimSource.EMBEDDED_XMP):
    return Claim(source, kind, parsed or "?", parsed, status, "test/1")


def found(claims, catalogue):
    findings = findings_of(claims, "X", catalogue)
    assert all(f.use is Use.TRAIN and f.license == "X" and f.pictures == 1 for f in findings)
    return {(finding.rule, finding.effect) for finding in findings}


def test_agreeing_claims_leave_no_finding(says, catalogue):
    claims = [says("MIT", source) for source in ClaimSource]
    claims.append(signal(ClaimKind.OPT_IN, "DMI-ALLOWED"))
    claims.append(signal(ClaimKind.RIGHTS_STATEMENT, None))
    claims.append(signal(ClaimKind.AUTHOR, "all rights reserved"))
    assert found(claims, catalogue) == set()


def test_r1_an_opt_out_denies_and_an_unread_one_asks(says, catalogue):
    assert found([signal(ClaimKind.OPT_OUT, "DMI-PROHIBITED")], catalogue) == {("R1", Verdict.DENY)}
    for status in (ClaimStatus.UNREADABLE, ClaimStatus.UNPARSED):
        claims = [says("CC0"), signal(ClaimKind.OPT_OUT, None, status)]
        assert found(claims, catalogue) == {("R1", Verdict.REVIEW)}


@pytest.mark.parametrize(
    ("item", "package", "rules"),
    [
        ("CC0", "CC-BY-4.0", {("R2", Verdict.REVIEW)}),
        ("CC-BY-4.0", "CC0", set()),  # the item is stricter: meet is enough
        ("MIT", "Apache-2.0", set()),  # equal
        ("CC0", "cc", {("R2", Verdict.REVIEW)}),  # an unread package is the strictest
        ("CC-BY-NC-4.0", "CC-BY-NC-ND-4.0", {("R2", Verdict.REVIEW)}),  # non-commercially laxer
    ],
)
def test_r2_an_item_may_not_be_laxer_than_its_package(says, catalogue, item, package, rules):
    for source in (ClaimSource.ITEM_METADATA, ClaimSource.EMBEDDED_XMP):
        claims = [says(item, source), says(package, ClaimSource.PACKAGE_METADATA)]
        assert found(claims, catalogue) == rules
        assert found(claims[::-1], catalogue) == rules


def test_r3_two_versions_of_one_licence_ask(says, catalogue):
    assert found([says("CC-BY-3.0"), says("CC-BY-4.0")], catalogue) == {("R3", Verdict.REVIEW)}
    assert found([says("CC-BY-4.0"), says("CC-BY-SA-4.0")], catalogue) == set()
    # one claim that names both means both
    assert found([says("CC-BY-3.0 AND CC-BY-4.0")], catalogue) == set()


@pytest.mark.parametrize("word", Statement)
def test_r4_words_beside_an_open_licence_ask(says, catalogue, word):
    claims = [says("CC0"), signal(ClaimKind.RIGHTS_STATEMENT, word.value)]
    assert found(claims, catalogue) == {("R4", Verdict.REVIEW)}


def test_an_unread_licence_counts_as_unknown(says):
    claims = [says("CC0"), says("cc"), says("CC0")]
    assert licenses_claimed(claims) == ["CC0-1.0", NOASSERTION]
