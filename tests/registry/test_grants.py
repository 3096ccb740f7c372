"""Are contracts found from what they cover, and is their end the earlier of two?"""

from __future__ import annotations

import pytest

from picdeed.registry import grants


@pytest.mark.parametrize(
    ("ends", "early", "known_at", "over"),
    [
        (None, (None, None), "2026-05", None),
        ("2026-09", (None, None), "2026-05", "2026-09"),
        ("2026-09", ("2026-07", "2026-04"), "2026-05", "2026-07"),
        ("2026-09", ("2026-07", "2026-06"), "2026-05", "2026-09"),
        (None, ("2026-07", "2026-04"), "2026-05", "2026-07"),
        ("2026-06", ("2026-07", "2026-04"), "2026-05", "2026-06"),
    ],
)
def test_its_end_as_known_on_a_day(life, ends, early, known_at, over):
    row = life.grant
    row.ends, (row.ended_on, row.ended_at) = ends, early
    assert row.end(known_at) == over


def test_found_from_both_sides(full, life):
    with full.read() as session:
        assert [row.id for row in grants.all_grants(session)] == [life.grant.id]
        assert grants.subjects_of(session, life.grant.id) == [life.a.id]
        found = grants.covering(session, [life.a.id, life.b.id])
        assert [(row.id, matched) for row, matched in found[life.a.id]] == [(life.grant.id, True)]
        assert life.b.id not in found
        assert grants.sizes(session) == {life.grant.id: 1}
        assert grants.unmatched(session, life.grant.id) == 0


def test_the_same_contract_has_one_id():
    assert grants.grant_id({"a": 1, "b": 2}) == grants.grant_id({"b": 2, "a": 1})
    assert grants.grant_id({"a": 1}) != grants.grant_id({"a": 2})
