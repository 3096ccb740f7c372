"""Are releases read as PLUS means them, and never as more?"""

from __future__ import annotations

import pytest

from picdeed.rights.claims import ClaimKind, ClaimSource, Release
from picdeed.rights.signals.plus import VOCABULARY, mining_claim, release_claim

MODEL, PROPERTY = ClaimKind.MODEL_RELEASE, ClaimKind.PROPERTY_RELEASE


@pytest.mark.parametrize("prefix", ["", VOCABULARY, f" {VOCABULARY}"])
@pytest.mark.parametrize(
    ("kind", "key", "release"),
    [
        (MODEL, "MR-NON", Release.NONE),
        (MODEL, "MR-NAP", Release.NOT_APPLICABLE),
        (MODEL, "MR-UMR", Release.UNLIMITED),
        (MODEL, "MR-LMR", Release.LIMITED),
        (PROPERTY, "PR-NON", Release.NONE),
        (PROPERTY, "PR-NAP", Release.NOT_APPLICABLE),
        (PROPERTY, "PR-UPR", Release.UNLIMITED),
        (PROPERTY, "PR-LPR", Release.LIMITED),
        (MODEL, "MR-XYZ", Release.LIMITED),
        (MODEL, "PR-UPR", Release.LIMITED),
        (PROPERTY, "", Release.LIMITED),
    ],
)
def test_keys(kind, key, release, prefix):
    claim = release_claim(kind, prefix + key, ClaimSource.EMBEDDED_XMP, "t")
    assert (claim.kind, claim.parsed) == (kind, release)


@pytest.mark.parametrize(("word", "release"), [("None", "none"), ("not applicable", "not-applicable"), ("UNLIMITED", "unlimited"), ("yes", "limited")])  # fmt: skip
def test_words_of_a_table(word, release):
    assert release_claim(MODEL, word, ClaimSource.ITEM_METADATA, "t").parsed == release


def test_an_unknown_mining_key_forbids():
    claim = mining_claim("DMI-NEW", ClaimSource.C2PA, "t", "here")
    assert (claim.kind, claim.parsed) == (ClaimKind.OPT_OUT, "unknown")
