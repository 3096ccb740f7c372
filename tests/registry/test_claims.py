"""Are claims append-only facts with ids of their own, and can a slip be taken back?"""

from __future__ import annotations

from picdeed.core.ids import sha256
from picdeed.registry import claims


def test_the_id_names_the_whole_statement(make):
    one = make.claim("img_1")
    assert make.claim("img_1", observed_at="later").id == one.id
    changes = [{"raw": "MIT"}, {"parsed": None}, {"kind": "author"}, {"source": "person"},
               {"status": "unparsed"}, {"parser": "spdx/2"}, {"note": "x"}]  # fmt: skip
    ids = {make.claim("img_1", **change).id for change in changes}
    assert len(ids | {one.id, make.claim("img_2").id}) == 9


def test_the_hash_is_of_what_was_said_before_escaping(make):
    assert make.claim("img_1", "x\x00").raw == "x\\x00"
    assert make.claim("img_1", "x\x00").raw_sha256 == sha256(b"x\x00")
    assert make.claim("img_1", "x\\x00").id != make.claim("img_1", "x\x00").id


def test_claims_come_oldest_first(registry, make, save):
    p, q = make.picture("p"), make.picture("q")
    save(
        p,
        q,
        make.claim(p.id, "third", observed_at="2026-03"),
        make.claim(p.id, "first", observed_at="2026-01"),
        make.claim(p.id, "second", observed_at="2026-02"),
    )
    with registry.read() as session:
        assert [c.raw for c in claims.of(session, p.id)] == ["first", "second", "third"]
        assert claims.of(session, q.id) == []
        assert set(claims.of_many(session, [p.id, q.id])) == {p.id}


def test_a_set_of_claims_has_one_hash(make):
    one, two = make.claim("img_1", "a"), make.claim("img_1", "b")
    assert claims.claims_hash([one, two]) == claims.claims_hash([two, one])
    assert claims.claims_hash([one]) != claims.claims_hash([one, two])


def test_a_claim_that_was_taken_back_is_no_longer_in_force(registry, make, save):
    p = make.picture("p")
    slip, kept = make.claim(p.id, "MIT"), make.claim(p.id, "CC0-1.0")
    save(p, slip, kept)
    save(claims.ClaimCorrection(corrects_id=slip.id, because="a slip", corrected_at=make.at))
    with registry.read() as session:
        assert [row.id for row in claims.in_force(session, [p.id])[p.id]] == [kept.id]
        assert len(claims.of(session, p.id)) == 2
        assert claims.pictures_of(session, [slip.id]) == {p.id}
