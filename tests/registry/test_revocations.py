"""Are revocations found by target and by what they touched?"""

from __future__ import annotations

from picdeed.registry import revocations


def test_declaring_the_same_again_is_the_same_revocation():
    one = revocations.revocation_id("img_1", "error", "2026")
    assert revocations.revocation_id("img_1", "error", "2026") == one
    assert revocations.revocation_id("img_1", "privacy", "2026") != one
    assert revocations.revocation_id("img_1", "error", "2027") != one


def test_found_by_target_and_by_impact(registry, make, save):
    row = make.one_life().revocation
    row.impact = {"adapters": [{"id": "adp_12", "state": "suspended"}], "note": "100%"}
    save(row)
    with registry.read() as session:
        assert [r.id for r in revocations.all_revocations(session)] == [row.id]
        assert [r.id for r in revocations.of_target(session, row.target)] == [row.id]
        assert revocations.of_target(session, "img_0") == []
        assert revocations.touching(session, "adp_12").id == row.id
        for other in ("adp_13", "adp%", "adp_1_"):
            assert revocations.touching(session, other) is None
