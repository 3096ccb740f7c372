"""Is a document bound to its signature and its key, whichever byte of it is changed?"""

from __future__ import annotations

import pytest

from picdeed.registry.heads import load_key
from picdeed.registry.signed import fingerprint, sign_document, verify_document

SAID = {"schema": "x/1", "counts": {"picture": 1}}


@pytest.fixture
def key(registry):
    return load_key(registry.ledger_key)


def test_what_was_signed_is_verified(key):
    signed = sign_document(key, SAID)
    assert verify_document(signed, key.public)
    assert sign_document(key, SAID) == signed


@pytest.mark.parametrize(
    "change",
    [
        {"counts": {"picture": 2}},
        {"more": 1},
        {"signature": "00" * 64},
        {"signature": None},
        {"public_key": "11" * 32},
        {"counts": float("nan")},
    ],
)
def test_a_change_is_found(key, change):
    signed = sign_document(key, SAID)
    assert not verify_document({**signed, **change}, key.public)
    assert not verify_document(signed, "22" * 32)


def test_a_signed_document_is_not_signed_again(key):
    with pytest.raises(ValueError, match="signed already"):
        sign_document(key, sign_document(key, SAID))


def test_a_fingerprint_is_a_hash_of_the_key(key):
    assert fingerprint("00" * 32).startswith("66687aad f862bd77 ")
    assert fingerprint(key.public) != fingerprint("00" * 32)
    assert len(fingerprint(key.public).replace(" ", "")) == 64
    with pytest.raises(ValueError):
        fingerprint("no key")
