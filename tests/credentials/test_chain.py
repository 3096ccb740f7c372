from __future__ import annotations

import random

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from picdeed.credentials import chain
from picdeed.credentials.keys import make_development_identity


def parts(identity):
    return x509.load_pem_x509_certificates((identity.chain_pem + identity.root_pem).encode())


def der(certificate):
    return certificate.public_bytes(serialization.Encoding.DER)


def test_certificates_are_found_between_other_bytes(identity):
    leaf, issuing, _ = parts(identity)
    noise = random.Random(3).randbytes(500)
    store = b"\x30\x82\x00\x10\x30" + noise + der(leaf) + b"\x30\x82" + noise + der(issuing)
    assert chain.certificates(store) == (leaf, issuing)


@pytest.mark.parametrize("store", [b"", b"\x30", b"\x30\x82", b"\x30\x82\xff", b"\x30\x82" * 9999])
def test_bytes_without_a_certificate_give_none(store):
    assert chain.certificates(store) == ()


def test_a_cut_certificate_is_none(identity):
    assert chain.certificates(der(parts(identity)[0])[:-1]) == ()


def test_a_chain_leads_to_its_own_root_only(tmp_path, identity):
    leaf, issuing, root = parts(identity)
    stranger = parts(make_development_identity(tmp_path))
    assert chain.leads_to(leaf, (leaf, issuing), (root,))
    assert not chain.leads_to(leaf, (leaf,), (root,))
    assert not chain.leads_to(leaf, (leaf, issuing), (stranger[2],))
    assert not chain.leads_to(leaf, (leaf, issuing, root), ())


def test_roots_are_read_from_several_texts(tmp_path, identity):
    other = make_development_identity(tmp_path)
    both = chain.roots((identity.root_pem + other.root_pem, ""))
    assert both == (parts(identity)[2], parts(other)[2])
    with pytest.raises(ValueError):
        chain.roots(("no PEM",))
