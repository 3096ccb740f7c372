from __future__ import annotations

import datetime as dt

import pytest
from credentials.forging import Forger
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from picdeed.credentials import authority
from picdeed.credentials.native import CLAIM_SIGNING

TIME_STAMPING = "1.3.6.1.5.5.7.3.8"
DOCUMENT_SIGNING = "1.3.6.1.5.5.7.3.36"
EMAIL = "1.3.6.1.5.5.7.3.4"
SERVER = "1.3.6.1.5.5.7.3.1"


@pytest.fixture(scope="module")
def made():
    return authority.make_authority("picdeed", dt.datetime.now(dt.UTC))


def leaf_of(identity):
    return x509.load_pem_x509_certificates(identity.chain_pem.encode())[0]


def test_the_signer_is_shaped_for_claims(identity):
    leaf = leaf_of(identity)
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert usage.value.content_commitment
    assert not usage.value.key_cert_sign
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    extended = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert [each.dotted_string for each in extended] == [CLAIM_SIGNING, DOCUMENT_SIGNING]


def test_the_issuing_ca_cannot_make_another_ca(made):
    limits = made.issuing.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (limits.ca, limits.path_length) == (True, 0)


def test_issued_follows_signatures_only_upwards(made, identity):
    chain = x509.load_pem_x509_certificates((identity.chain_pem + identity.root_pem).encode())
    leaf, issuing, root = chain
    assert authority.issued(leaf, issuing)
    assert authority.issued(issuing, root)
    assert not authority.issued(leaf, root)
    assert not authority.issued(issuing, made.root)
    assert not authority.issued(root, leaf)


def test_a_signer_that_is_no_ca_issues_nothing(identity):
    leaf = leaf_of(identity)
    key = serialization.load_pem_private_key(identity.key_pem, None)
    now, life = dt.datetime.now(dt.UTC), dt.timedelta(days=1)
    below = x509.load_pem_x509_certificate(authority.make_signer(leaf, key, "x", now, life))
    below.verify_directly_issued_by(leaf)  # the signature itself is good
    assert not authority.issued(below, leaf)


@pytest.mark.parametrize(
    ("usage", "fit"),
    [
        (CLAIM_SIGNING, True),
        (EMAIL, True),
        (f"{CLAIM_SIGNING} {DOCUMENT_SIGNING}", True),
        (f"{CLAIM_SIGNING} {TIME_STAMPING}", False),
        (TIME_STAMPING, False),
        (SERVER, False),
    ],
)
def test_who_may_sign_claims(usage, fit):
    assert authority.may_sign_claims(leaf_of(Forger(usage=usage).identity())) is fit


def test_a_certificate_without_extended_usage_may_not(made):
    assert not authority.may_sign_claims(made.issuing)


def test_names_are_read(made):
    assert authority.common_name(made.root).startswith("picdeed DEVELOPMENT root ")
    assert authority.organisation(made.issuing.issuer) == "picdeed DEVELOPMENT"
