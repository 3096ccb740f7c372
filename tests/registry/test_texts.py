"""Is a text that changed a new row, beside the old one?"""

from __future__ import annotations

from picdeed.registry import texts
from picdeed.registry.tables import fresh


def text(digest: str, seen: str, url: str = "https://example.org/mit") -> texts.LicenseText:
    return texts.LicenseText(
        url=url, sha256=digest, license="MIT", origin="catalogue", first_seen=seen
    )


def test_texts_stand_by_address_oldest_first(registry, save):
    save(
        text("b", "2026-01-01"),
        text("a", "2026-02-01"),
        text("c", "2026-01-01", "https://a.example"),
    )
    with registry.read() as session:
        assert [row.sha256 for row in texts.all_texts(session)] == ["c", "b", "a"]


def test_a_text_that_was_seen_stays_as_it_was(registry, save):
    save(text("b", "2026-01-01"))
    with registry.read() as session:
        assert fresh(session, [text("b", "2027-01-01")]) == []
        assert len(fresh(session, [text("d", "2027-01-01")])) == 1
