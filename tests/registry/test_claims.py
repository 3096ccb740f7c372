"""Are claims append-only facts with ids of their own, and conclusions counted by licence?"""

from __future__ import annotations

import sqlalchemy as sa

from picdeed.core.ids import sha256
from picdeed.registry import claims
from picdeed.registry.pictures import Picture


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


def test_conclusions_are_counted_by_licence(registry, make, save):
    shown = [make.picture(str(i)) for i in range(4)]
    concluded = [
        make.conclusion(p.id, "MIT" if i else "NOASSERTION", "ALLOW" if i else "DENY")
        for i, p in enumerate(shown[:3])
    ]
    save(*shown, *concluded)
    mit = sorted(p.id for p in shown[1:3])
    with registry.read() as session:
        assert claims.by_license(session) == {"MIT": 2, "NOASSERTION": 1}
        only = sa.select(Picture.id).where(Picture.id == shown[1].id)
        assert claims.by_license(session, only) == {"MIT": 1}
        assert claims.under(session, "MIT") == mit
        denied = session.scalars(claims.concluded_ids(use="train", verdict="DENY")).all()
        assert denied == [shown[0].id]
        found = claims.conclusions(session, [p.id for p in shown])
        assert set(found) == {p.id for p in shown[:3]}
        assert found[shown[1].id].verdicts == {"train": "ALLOW", "sell-adapter": "DENY"}
        assert found[shown[1].id].conflict is False
