"""Are answers shared between pictures, counted by licence, and found when they grow old?"""

from __future__ import annotations

import sqlalchemy as sa

from picdeed.registry import conclusions
from picdeed.registry.pictures import Picture


def test_conclusions_are_counted_by_licence(registry, make, save):
    shown = [make.picture(str(i)) for i in range(4)]
    answers = [make.standing("NOASSERTION", "DENY"), make.standing("MIT"), make.standing("MIT")]
    concluded = [make.conclusion(p.id, a) for p, a in zip(shown, answers, strict=False)]
    save(*shown, *answers[:2], *concluded)
    mit = sorted(p.id for p in shown[1:3])
    with registry.read() as session:
        assert conclusions.by_license(session) == {"MIT": 2, "NOASSERTION": 1}
        only = sa.select(Picture.id).where(Picture.id == shown[1].id)
        assert conclusions.by_license(session, only) == {"MIT": 1}
        assert conclusions.under(session, ["MIT"]) == mit
        denied = session.scalars(conclusions.concluded_ids(use="train", verdict="DENY")).all()
        assert denied == [shown[0].id]
        found = conclusions.conclusions(session, [p.id for p in shown])
        assert set(found) == {p.id for p in shown[:3]}
        assert found[shown[1].id].verdicts == {"train": "ALLOW", "sell-adapter": "DENY"}
        assert found[shown[1].id].conflict is False
        assert conclusions.conflicting(session) == []


def test_what_other_rules_or_the_clock_left_behind_is_outdated(registry, make, save):
    a, b, c = (make.picture(name) for name in "abc")
    lasting, dated = make.standing(), make.standing(until="2026-05")
    save(
        a,
        b,
        c,
        lasting,
        dated,
        make.conclusion(a.id, lasting),
        make.conclusion(b.id, lasting, policy_hash="older"),
        make.conclusion(c.id, dated),
    )
    with registry.read() as session:
        assert conclusions.outdated(session, "p", "2026-04") == [b.id]
        assert conclusions.outdated(session, "p", "2026-05") == sorted([b.id, c.id])


def test_the_id_is_the_answer(make):
    assert make.standing().id == make.standing().id
    assert make.standing("MIT").id != make.standing().id
