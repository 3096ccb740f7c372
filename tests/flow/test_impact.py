"""Does each ground do to each descendant what section 4.5 of the rights model says?"""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from revocable import AT, contract, do, make_world, picture, run_row, save, states

from picdeed.core.events import Event
from picdeed.flow.revoke import Ground
from picdeed.registry import descent, ledger, revocations, subjects
from picdeed.registry.pictures import Picture
from picdeed.registry.reports import read_report
from picdeed.registry.runs import Adapter, Run
from picdeed.registry.session import create_registry
from picdeed.registry.snapshots import Snapshot


@pytest.fixture
def world(tmp_path) -> SimpleNamespace:
    return make_world(create_registry(tmp_path / "registry"))


@pytest.mark.parametrize(
    ("ground", "effective", "stays"),
    [
        (Ground.TAKEDOWN, None, False),
        (Ground.PRIVACY, None, False),
        (Ground.ERROR, "2026-02-01", False),
        (Ground.CONTRACT_ENDED, "2026-02-01", False),
        (Ground.OPT_OUT, "2026-01-09", False),
        (Ground.OPT_OUT, "2026-01-10", False),  # the very moment it began
        (Ground.OPT_OUT, "2026-01-11", True),
        (Ground.OPT_OUT, None, True),
    ],
)
def test_a_ground_and_its_day_decide_what_descends(world, ground, effective, stays) -> None:
    done = do(world.registry, world.a, ground, effective=effective)
    fate = "good" if stays else "suspended"
    assert states(done) == {
        world.a: "revoked",
        world.copy: "revoked",
        world.snapshot: "not-usable",
        world.done: fate,
        world.going: "suspended",  # no adapter came out of it yet, and none may
        world.adapter: fate,
        world.drawn: fate,
        world.held: "held" if stays else "suspended",
    }
    with world.registry.read() as session:
        effects = revocations.effects(session, [done.revocation])
        assert {one: row.after for one, row in effects.items()} == states(done)
        assert effects[world.adapter].before == "good"
        assert subjects.require(session, Adapter, world.adapter).state == fate
        assert subjects.require(session, Run, world.done).standing == fate
        assert subjects.require(session, Snapshot, world.snapshot).state == "not-usable"


@pytest.mark.parametrize(("survival", "fate"), [("yes", "good"), ("no", "suspended"), ("unknown", "suspended")])  # fmt: skip
def test_a_contract_says_itself_what_outlives_it(world, survival, fate) -> None:
    grant = contract(world.registry, [world.a], survival)
    found = states(do(world.registry, grant, Ground.CONTRACT_ENDED))
    assert found[world.a] == "revoked"
    assert found[world.snapshot] == "not-usable"
    assert found[world.going] == "suspended"
    assert (found[world.adapter], found[world.drawn], found[world.done]) == (fate,) * 3
    assert world.b not in found


def test_survival_answers_the_end_of_a_contract_and_nothing_else(world) -> None:
    grant = contract(world.registry, [world.a], "yes")
    assert states(do(world.registry, grant, Ground.TAKEDOWN))[world.adapter] == "suspended"


def test_a_base_takes_everything_drawn_with_it(world) -> None:
    done = do(world.registry, "tiny", Ground.TAKEDOWN)
    assert set(states(done)) == {
        world.done, world.going, world.adapter, world.drawn, world.held, world.bare,
    }  # fmt: skip
    assert set(states(done).values()) == {"suspended"}
    with world.registry.read() as session:
        assert revocations.fallen(session, world.base).id == done.revocation
    early = do(world.registry, "tiny", Ground.OPT_OUT, effective="2026-01-11", simulate=True)
    assert states(early)[world.bare] == "suspended"  # a state never gets better


def test_what_a_base_drew_before_its_opt_out_stays(world) -> None:
    late = states(do(world.registry, "tiny", Ground.OPT_OUT, effective="2026-01-11"))
    assert (late[world.bare], late[world.adapter], late[world.going]) == ("good", "good", "suspended")  # fmt: skip


@pytest.mark.parametrize("target", ["done", "adapter"])
def test_a_run_or_an_adapter_takes_what_came_out_of_it(world, target) -> None:
    found = states(do(world.registry, getattr(world, target)))
    expected = {world.adapter, world.drawn, world.held} | ({world.done} if target == "done" else set())  # fmt: skip
    assert found == dict.fromkeys(expected, "suspended")


def test_an_adapter_that_an_unlawful_run_made_again_falls(world) -> None:
    early = run_row("3", SimpleNamespace(id=world.base), started_at="2026-01-20T00:00:00.000000Z")
    early.result = {"adapter_id": world.adapter}
    save(world.registry, early)
    found = states(do(world.registry, world.a, Ground.OPT_OUT, effective="2026-01-15"))
    assert (found[world.done], found[early.id]) == ("good", "suspended")
    assert (found[world.adapter], found[world.drawn]) == ("suspended", "suspended")


def test_a_crop_and_what_was_made_of_an_output_fall_too(world) -> None:
    crop, again = picture("crop"), picture("again")
    save(
        world.registry,
        crop,
        again,
        descent.record(crop.id, world.a, descent.Derived.CROP, at=AT),
        descent.record(again.id, world.drawn, descent.Derived.REINGESTED, at=AT),
        descent.record("web_shop", world.adapter, descent.Derived.ENDPOINT, at=AT),
    )
    later = do(world.registry, world.a, Ground.OPT_OUT)
    assert states(later)[crop.id] == "revoked"
    assert states(later)[again.id] == "good"  # drawn lawfully
    done = do(world.registry, world.a)
    assert states(done)[again.id] == "revoked"
    nodes = {node["id"]: node for node in read_report(world.registry, done.revocation)["nodes"]}
    assert nodes["web_shop"] == {"id": "web_shop", "kind": "web", "before": "", "after": "revoked"}


def test_a_later_ground_makes_nothing_better(world) -> None:
    do(world.registry, world.a, Ground.TAKEDOWN)
    second = do(world.registry, world.a, Ground.OPT_OUT)
    assert states(second)[world.adapter] == "suspended"
    with world.registry.read() as session:
        assert len(revocations.all_revocations(session)) == 2
        assert revocations.touching(session, world.adapter).ground == "takedown"


def test_a_flag_turns_into_a_suspension(world) -> None:
    do(world.registry, world.a, Ground.OPT_OUT)
    done = do(world.registry, world.a, Ground.TAKEDOWN)
    assert states(done)[world.adapter] == "suspended"
    with world.registry.read() as session:
        assert revocations.touching(session, world.adapter).id == done.revocation


def test_withdrawn_and_erased_stay_what_they_are(world) -> None:
    with world.registry.write() as session:
        adapter = subjects.require(session, Adapter, world.adapter)
        shown = subjects.require(session, Picture, world.copy)
        adapter.state, shown.state = "withdrawn", "erased"
        ledger.write(session, Event.REVOKE_APPLIED, {}, [adapter, shown])
    found = states(do(world.registry, world.a))
    assert (found[world.adapter], found[world.copy]) == ("withdrawn", "erased")
