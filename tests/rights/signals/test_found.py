"""Do the shared shapes keep what they were given?"""

from __future__ import annotations

import json

import pytest

from picdeed.rights.claims import ClaimKind, ClaimSource
from picdeed.rights.signals.found import checked, path_of


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://a.example", "/"),
        ("https://a.example/", "/"),
        ("https://a.example/b/c?d=/e#f", "/b/c?d=/e"),
        ("https://a.example?d", "/?d"),
        ("nonsense", "/"),
    ],
)
def test_path_of(url, path):
    assert path_of(url) == path


def test_a_later_check_is_another_claim():
    days = ["2026-01-01T00:00:00.000000Z", "2026-02-01T00:00:00.000000Z"]
    one, two = (
        checked(ClaimSource.HTTP, "picture", "https://a.example/", at, "ab", 200) for at in days
    )
    assert one.raw != two.raw
    assert (one.kind, one.parsed, one.observed_at) == (ClaimKind.CHECKED, "picture", days[0])
    assert json.loads(one.raw)["sha256"] == "ab"
