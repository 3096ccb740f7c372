"""Are codes kept by algorithm, and decisions by the pair of files?"""

from __future__ import annotations

from picdeed.registry import codes


def test_codes_by_algorithm(full, life):
    with full.read() as session:
        assert [row.picture_id for row in codes.all_codes(session, "pdq256/1")] == sorted(
            [life.a.id, life.b.id]
        )
        assert codes.all_codes(session, "pdq256/2") == []
        assert codes.without_code(session, "pdq256/1") == []
        assert codes.without_code(session, "pdq256/2") == sorted([life.a.id, life.b.id])


def test_an_undone_decision_no_longer_stands(full):
    with full.read() as session:
        (row,) = codes.decisions(session)
    assert row.a < row.b
    with full.write() as session:
        from picdeed.core.events import Event
        from picdeed.registry import ledger

        (row,) = codes.decisions(session)
        row.undone_at = "2027"
        ledger.write(session, Event.DEDUP_DECIDED, {}, [row])
        assert codes.decisions(session) == []


def test_the_id_is_of_the_pair_in_any_order():
    one = codes.decision_id("b" * 64, "a" * 64, "merge", None, "1")
    assert one == codes.decision_id("a" * 64, "b" * 64, "merge", None, "1")
    assert one != codes.decision_id("a" * 64, "b" * 64, "merge", None, "2")
