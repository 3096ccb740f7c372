"""Is the decision from the same inputs found again?"""

from __future__ import annotations

from dataclasses import fields

from picdeed.registry import decisions
from picdeed.registry.decisions import Decision


def copy_of(decision, **changes):
    return Decision(**{f.name: getattr(decision, f.name) for f in fields(Decision)} | changes)


def test_newest_first_and_only_from_the_same_inputs(registry, make, save):
    life = make.one_life()
    first = life.decision
    later = copy_of(first, id="dec_1", decided_at="2027")
    other = copy_of(first, id="dec_2", inputs_hash="x", decided_at="2026-06")
    rules = copy_of(first, id="dec_3", policy_hash="x", decided_at="2026-07")
    save(life.a, life.dataset, life.snapshot, life.base, first, later, other, rules)
    with registry.read() as session:
        found = decisions.with_inputs(session, first.inputs_hash, first.policy_hash)
        assert [d.id for d in found] == ["dec_1", first.id]
        newest = ["dec_1", "dec_3", "dec_2", first.id]
        assert [d.id for d in decisions.of_snapshot(session, life.snapshot.id)] == newest
        assert [d.id for d in decisions.all_decisions(session)] == newest
        assert found[1].duties == [{"kind": "notice"}]
        assert found[1].commercial is True


def test_the_id_names_inputs_rules_and_counter():
    ids = {
        decisions.decision_id(inputs, policy, counter)
        for inputs in "ab"
        for policy in "cd"
        for counter in (0, 1)
    }
    assert len(ids) == 8
