"""Are revocations found by target, by ground and by what they touched?"""

from __future__ import annotations

import pytest

from picdeed.registry import revocations
from picdeed.registry.revocations import RevocationEffect


def test_declaring_the_same_again_is_the_same_revocation():
    one = revocations.revocation_id("img_1", "error", "2026")
    assert revocations.revocation_id("img_1", "error", "2026") == one
    assert revocations.revocation_id("img_1", "error", "2026", 0) == one
    assert revocations.revocation_id("img_1", "error", "2026", 1) != one
    assert revocations.revocation_id("img_1", "privacy", "2026") != one
    assert revocations.revocation_id("img_1", "error", "2027") != one


def declared(make, number, ground, **effects):
    row = make.one_life().revocation
    row.id, row.ground = f"rev_{number}", ground
    row.declared_at = f"2026-01-0{number}T00:00:00.000000Z"
    return row, *(
        RevocationEffect(revocation_id=row.id, subject_id=name, before=old, after=new)
        for name, (old, new) in effects.items()
    )


@pytest.fixture
def three(registry, make, save):
    """An opt-out that flags, a takedown that suspends, an error that finds it suspended."""
    save(
        *declared(make, 1, "opt-out", adp_12=("good", "good"), out_1=("good", "good")),
        *declared(make, 2, "takedown", adp_12=("good", "suspended"), bas_1=("", "revoked")),
        *declared(
            make, 3, "error", adp_12=("suspended", "suspended"), bas_1=("revoked", "revoked")
        ),
    )
    return registry


def test_found_by_target_and_ground(three, make):
    target = make.one_life().revocation.target
    with three.read() as session:
        assert [r.id for r in revocations.all_revocations(session)] == ["rev_3", "rev_2", "rev_1"]
        assert [r.id for r in revocations.of_target(session, target)] == ["rev_1", "rev_2", "rev_3"]
        assert [r.id for r in revocations.of_target(session, target, "error")] == ["rev_3"]
        assert revocations.of_target(session, "img_0") == []
        assert revocations.on(session, ["adp_12", "bas_1"], "opt-out") == {"adp_12"}


def test_what_changed_a_thing_is_named_before_what_only_flags_it(three):
    with three.read() as session:
        assert revocations.touching(session, "adp_12").id == "rev_2"
        assert revocations.touching(session, "out_1").id == "rev_1"
        for other in ("adp_1", "adp_123", "adp%"):
            assert revocations.touching(session, other) is None


def test_a_thing_without_a_state_of_its_own_falls_by_its_effect(three):
    with three.read() as session:
        assert revocations.fallen(session, "bas_1").id == "rev_2"
        assert revocations.fallen(session, "adp_12") is None  # adapters have a state
        assert revocations.last_states(session, ["bas_1", "adp_12", "img_0"]) == {
            "bas_1": "revoked", "adp_12": "suspended",
        }  # fmt: skip


def test_the_newest_effect_wins(three):
    with three.read() as session:
        found = revocations.effects(session, ["rev_1", "rev_2"])
    assert {one: row.after for one, row in found.items()} == {
        "adp_12": "suspended", "out_1": "good", "bas_1": "revoked",
    }  # fmt: skip
