from __future__ import annotations

import itertools

import pytest

from picdeed.credentials import wording
from picdeed.credentials.trust import SignerTrust

NEVER = ("authentic", "real", "fake", "not ai", "genuine", "guarantee", "original", "proof")


def sentences():
    fixed = [v for k, v in vars(wording).items() if k.isupper() and isinstance(v, str)]
    made = [
        wording.signed(trust, "Ann", own=own, list_name="L", claim=claim, unclean=unclean)
        for trust, own, claim, unclean in itertools.product(
            SignerTrust, (True, False), ("", "made by picdeed with sprig"), (None, "a.png")
        )
    ]
    return fixed + made


def test_no_sentence_claims_more_than_was_checked():
    assert len(sentences()) > 20
    for sentence in sentences():
        assert not [word for word in NEVER if word in sentence.lower().split()], sentence
        assert sentence.endswith((".", "!")), sentence


def test_the_development_sentence_warns():
    said = wording.signed(
        SignerTrust.DEVELOPMENT, "Ann", own=True, list_name=None, claim="", unclean=None
    )
    assert "development certificate" in said
    assert "Do not rely on the identity." in said


def test_statements_inside_are_the_signers():
    said = wording.signed(
        SignerTrust.TRUSTED, "Ann", own=False, list_name="L", claim="made by x", unclean=None
    )
    assert said.endswith("It states: made by x; that statement is the signer's.")


@pytest.mark.parametrize(
    ("foreign", "shown"),
    [
        ("Ann", "Ann"),
        ("\x1b[31mAnn\x1b[0m", "[31mAnn [0m"),
        ("Ann\u202egnp.exe", "Ann gnp.exe"),
        (" a\r\n\tb ", "a b"),
        ("x" * 500, "x" * 119 + "…"),
        ("", ""),
    ],
)
def test_foreign_text_becomes_one_calm_line(foreign, shown):
    assert wording.printable(foreign) == shown
