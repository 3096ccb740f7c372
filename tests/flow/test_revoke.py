"""Is a revocation written once, signed, told, and followed by what no transaction covers?"""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from revocable import contract, do, events, make_world, picture, save, states

from picdeed.core.events import Event
from picdeed.core.ids import sha256
from picdeed.flow.revoke import Ground
from picdeed.registry import claims, ledger, revocations, subjects, tombstones
from picdeed.registry.grants import Grant
from picdeed.registry.heads import load_key
from picdeed.registry.reports import read_report
from picdeed.registry.session import create_registry
from picdeed.registry.similar import ClusterMember


@pytest.fixture
def world(tmp_path) -> SimpleNamespace:
    return make_world(create_registry(tmp_path / "registry"))


def test_a_revoked_contract_opens_nothing_any_more(world) -> None:
    grant = contract(world.registry, [world.base])
    do(world.registry, grant, Ground.ERROR, effective="2026-02-01")
    with world.registry.read() as session:
        row = subjects.require(session, Grant, grant)
        assert row.end("2026-12-31") == "2026-02-01T00:00:00.000000Z"
        assert revocations.fallen(session, world.base) is not None


def test_repeating_it_has_no_second_effect(world) -> None:
    done = do(world.registry, world.a, Ground.OPT_OUT)
    count = events(world.registry)
    report = done.report.read_bytes()
    for options in ({}, {"effective": done.effective[:10]}):
        again = do(world.registry, world.a, Ground.OPT_OUT, **options)
        assert (again.revocation, again.impact) == (done.revocation, done.impact)
        assert again.effective == done.effective
    assert events(world.registry) == count
    assert done.report.read_bytes() == report


def test_what_arrived_since_is_reached_by_a_second_declaration(world) -> None:
    first = do(world.registry, world.a)
    late = picture("late")
    save(world.registry, late, ClusterMember(cluster_id="clu_1", picture_id=late.id))
    second = do(world.registry, world.a)
    assert second.revocation != first.revocation
    assert states(second)[late.id] == "revoked"
    assert first.report.is_file()
    assert do(world.registry, world.a).revocation == second.revocation
    with world.registry.read() as session:
        key = load_key(world.registry.ledger_key).public
        assert len(list(tombstones.entries(session, key))) == 3  # a, copy; then late alone


def test_simulating_marks_nothing_and_says_the_same(world) -> None:
    count = events(world.registry)
    simulated = do(world.registry, world.a, simulate=True)
    assert (simulated.applied, simulated.report, events(world.registry)) == (False, None, count)
    assert not (world.registry.root / "reports").exists()
    assert not (world.registry.root / "runs/2/stop.json").exists()
    assert do(world.registry, world.a).impact == simulated.impact


def test_the_report_is_signed_bound_and_complete(world) -> None:
    done = do(world.registry, world.a)
    document = read_report(world.registry, done.revocation)
    assert {node["id"]: node["after"] for node in document["nodes"]} == states(done)
    assert document["manifests"] == [
        {"output": world.drawn, "manifest": "urn:1", "sha256": "1" * 64}
    ]
    assert document["counts"]["picture"] == {"revoked": 2}
    assert document["ledger"]["sequence"] == events(world.registry) - 1
    with world.registry.read() as session:
        row = subjects.require(session, revocations.Revocation, done.revocation)
        event = ledger.events(session, kind=Event.REVOKE_APPLIED)[-1]
    digest = sha256(done.report.read_bytes())
    assert row.impact == {"counts": document["counts"], "sha256": digest, "note": ""}
    assert json.loads(event.payload)["report"] == digest


def test_runs_that_go_on_are_asked_to_stop_and_latents_go(world) -> None:
    latents = world.registry.cache / "latents" / "latents"
    for one in (world.a, world.b):
        (latents / one).mkdir(parents=True)
    done = do(world.registry, world.a)
    asked = json.loads((world.registry.root / "runs/2/stop.json").read_bytes())
    assert asked["revocation"] == done.revocation
    assert "takedown" in asked["why"]
    assert not (world.registry.root / "runs/1/stop.json").exists()
    assert [path.name for path in latents.iterdir()] == [world.b]


def test_only_what_concerns_others_is_told_to_others(world) -> None:
    key = load_key(world.registry.ledger_key).public
    do(world.registry, world.b, Ground.CONTRACT_ENDED)
    with world.registry.read() as session:
        assert tombstones.last(session, key) is None
    do(world.registry, world.a, Ground.TAKEDOWN)
    with world.registry.read() as session:
        told = list(tombstones.entries(session, key))
        assert claims.of(session, world.a) == []
    salt = told[0].salt
    assert [row.file_hash for row in told] == [
        tombstones.salted(salt, one[4:]) for one in sorted((world.a, world.copy))
    ]
