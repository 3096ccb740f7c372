from __future__ import annotations

import dataclasses

import pytest
from credentials.forging import Forger
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from picdeed.credentials import judge
from picdeed.credentials.judge import Reading
from picdeed.credentials.trust import OWN_LIST, SignerTrust, Trust, TrustList

HOLDS = ("claimSignature.validated", "assertion.dataHash.match")


def read(success=HOLDS, failure=(), **changes):
    """What the library would report; without certificates, so nobody is fit to be trusted."""
    results = {
        "activeManifest": {
            "success": [{"code": code} for code in success],
            "failure": [{"code": code} for code in failure],
        }
    }
    plain = Reading(
        label="urn:c2pa:1",
        manifest={},
        results=results,
        state="Trusted",
        list_uri=OWN_LIST,
        signer="Ann",
        issuer="Studio",
        serial="1f",
        store=b"",
    )
    return dataclasses.replace(plain, **changes)


def test_signature_and_content_must_both_be_seen_to_hold():
    assert judge.is_intact(read())
    assert not judge.is_intact(read(HOLDS[:1]))
    assert not judge.is_intact(read(HOLDS[1:]))
    assert not judge.is_intact(read(()))
    assert not judge.is_intact(read(results={}))


@pytest.mark.parametrize(
    "failure",
    ["signingCredential.expired", "signingCredential.untrusted", "signingCredential.invalid"],
)
def test_failures_of_the_signer_leave_the_bytes_intact(failure):
    assert judge.is_intact(read(failure=(failure,)))


@pytest.mark.parametrize(
    "failure", ["assertion.dataHash.mismatch", "claimSignature.mismatch", "of.a.later.version", ""]
)
def test_every_other_failure_is_an_alteration(failure):
    assert not judge.is_intact(read(failure=(failure,)))


def test_a_signer_whose_certificate_is_not_found_is_not_trusted():
    verdict = judge.signer(read(), Trust())
    assert (verdict.trust, verdict.own) == (SignerTrust.UNTRUSTED, False)


def test_a_list_that_nobody_handed_in_counts_for_nothing():
    """The library's own word "Trusted" is not enough: its list must be one of ours."""
    identity = Forger().identity()
    leaf = x509.load_pem_x509_certificates(identity.chain_pem.encode())[0]
    found = read(
        serial=identity.serial,
        store=leaf.public_bytes(serialization.Encoding.DER),
        list_uri="urn:somebody:else",
    )
    ours = TrustList("House list", "urn:somebody:else", identity.root_pem)
    assert judge.signer(found, Trust()).trust is SignerTrust.UNTRUSTED
    assert judge.signer(found, Trust(production=(ours,))).trust is SignerTrust.TRUSTED


def test_a_revocation_by_the_issuer_counts():
    revoked = read(failure=("signingCredential.ocsp.revoked",))
    assert judge.signer(revoked, Trust()).trust is SignerTrust.REVOKED


@pytest.mark.parametrize(
    "ingredient",
    [
        {"validation_status": [{"code": "assertion.dataHash.mismatch"}]},
        {"validation_results": {"activeManifest": {"failure": [{"code": "x"}]}}},
        {
            "validation_results": {
                "ingredientDeltas": [{"validationDeltas": {"failure": [{"code": "x"}]}}]
            }
        },
    ],
)
def test_every_place_where_an_ingredient_can_fail_is_looked_at(ingredient):
    assert (
        judge.signer(read(manifest={"ingredients": [{"title": "clean"}]}), Trust()).unclean is None
    )
    failed = read(manifest={"ingredients": [{"title": "clean"}, {"title": "bad"} | ingredient]})
    assert judge.signer(failed, Trust()).unclean == "bad"


def test_a_failed_delta_names_its_ingredient():
    delta = {"ingredientAssertionURI": "self#x", "validationDeltas": {"failure": [{"code": "x"}]}}
    assert judge.signer(read(results={"ingredientDeltas": [delta]}), Trust()).unclean == "self#x"


@pytest.mark.parametrize(
    ("generator", "disclosure", "said"),
    [
        ([{"name": "picdeed"}], {"modelName": "sprig"}, "made by picdeed with sprig"),
        ([{"name": "picdeed"}], {}, "made by picdeed"),
        ([{"name": "picdeed"}], ["sprig"], "made by picdeed"),
        ([], {"modelName": "sprig"}, ""),
        (None, None, ""),
    ],
)
def test_what_the_manifest_claims(generator, disclosure, said):
    assertions = [{"label": "c2pa.ai-disclosure", "data": disclosure}]
    claimed = read(manifest={"claim_generator_info": generator, "assertions": assertions})
    assert judge.claim(claimed) == said


@pytest.mark.parametrize("report", ["", "nonsense", "[]", "null", "5"])
def test_a_report_that_is_no_mapping_proves_nothing(report):
    assert judge._parsed(report) == {}
