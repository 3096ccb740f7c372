"""Are the pictures of docs/how-diffusion-works.md signed, small, shown, and of today's base?"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from picdeed.core.resources import bundled
from picdeed.credentials.trust import SignerTrust, Trust
from picdeed.credentials.verify import Integrity, verify
from picdeed.imaging.decode import decode, pixels_sha256

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "how-diffusion-works.md"
PICTURES = sorted((ROOT / "docs" / "images" / "how").iterdir())


def test_they_are_those_that_the_page_shows():
    shown = re.findall(r"\]\(images/how/([\w.-]+)\)", PAGE.read_text(encoding="utf-8"))
    assert sorted(shown) == [path.name for path in PICTURES]


def test_they_are_small():
    sizes = {path.name: path.stat().st_size for path in PICTURES}
    assert not {name: size for name, size in sizes.items() if size >= 150_000}
    assert sum(sizes.values()) < 1_000_000


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_each_is_signed_and_of_the_base_that_ships(path):
    seen = verify(path.read_bytes(), "image/webp", Trust())
    assert seen.integrity is Integrity.INTACT
    assert seen.trust is SignerTrust.DEVELOPMENT
    lineage = dict(seen.lineage or {})
    assert lineage["pixel_sha256"] == pixels_sha256(decode(path.read_bytes()).image)
    deed = json.loads((bundled("models") / "sprig" / "deed.json").read_text(encoding="utf-8"))
    assert lineage["base"]["sha256"] == deed["sha256"], "another base ships now: run make teach"
