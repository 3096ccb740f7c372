from __future__ import annotations

from picdeed.credentials.trust import OWN_LIST, Trust, TrustList

LIST = TrustList("House list", "urn:example:house", "PEM")


def test_nobody_is_trusted_by_default():
    assert Trust().anchors() == {}
    assert Trust().list_name("urn:example:house") is None
    assert Trust().list_name(None) is None


def test_own_roots_and_lists_stay_apart():
    trust = Trust(development_roots=("A", "B"), production=(LIST,))
    assert trust.anchors() == {OWN_LIST: "A\nB", "urn:example:house": "PEM"}
    assert trust.list_name("urn:example:house") == "House list"
    assert trust.list_name(OWN_LIST) is None
