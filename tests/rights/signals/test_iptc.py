"""Who is shown, and did a machine make it?"""

from __future__ import annotations

import pytest

from picdeed.rights.claims import ClaimKind, ClaimSource
from picdeed.rights.signals.iptc import AI_SOURCES, persons_claim, synthetic_claim

XMP = ClaimSource.EMBEDDED_XMP
NEWS = "http://cv.iptc.org/newscodes/digitalsourcetype/"


@pytest.mark.parametrize("prefix", ["", NEWS, "digsrctype:"])
@pytest.mark.parametrize("name", AI_SOURCES)
def test_made_by_a_model(prefix, name):
    claim = synthetic_claim(prefix + name, XMP, "t")
    assert claim is not None
    assert (claim.kind, claim.parsed) == (ClaimKind.SYNTHETIC, name)


@pytest.mark.parametrize(
    "name", ["digitalCapture", "algorithmicallyEnhanced", "", "virtualRecording"]
)
def test_made_by_a_camera_or_a_person(name):
    assert synthetic_claim(NEWS + name, XMP, "t") is None


def test_persons():
    assert persons_claim("Ada", XMP, "t").parsed == "identifiable"
    assert persons_claim("none", XMP, "t").parsed == "identifiable"  # a name in a list of names
    assert persons_claim(" None ", XMP, "t", word=True).parsed == "none"
    assert persons_claim("two", XMP, "t", word=True).parsed == "identifiable"
