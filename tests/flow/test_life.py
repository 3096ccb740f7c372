"""One picture's whole life, and the way back: train, generate, credential, verify, audit, revoke."""

from __future__ import annotations

import json
import shutil
import sqlite3
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from PIL import Image

from picdeed.core.errors import Denied, RunFailed, UsageError
from picdeed.core.resources import bundled
from picdeed.diffusion.recipe import Recipe, load_recipe
from picdeed.flow import credential as crediting
from picdeed.flow import pipeline
from picdeed.flow.credential import credential
from picdeed.flow.generate import MOST, generate
from picdeed.jobs import launch
from picdeed.registry import snapshots, subjects
from picdeed.registry.outputs import Output
from picdeed.registry.runs import Run
from picdeed.registry.session import Registry, open_registry
from picdeed.rights.claims import ClaimKind
from picdeed.rights.verdict import Use
from picdeed.testing import tiny_pictures, tiny_registry

QUICK = ("steps=2", "batch=2", "rank=2", "warmup_steps=0", "eval_noises=1")


def recipe(*changes: str) -> Recipe:
    return load_recipe("demo", [*QUICK, *changes])


@dataclass(frozen=True)
class Life:
    place: Path
    snapshot: str
    run: str
    adapter: str
    outputs: tuple[str, ...]


@pytest.fixture(scope="module")
def lived_once(tmp_path_factory: pytest.TempPathFactory) -> Life:
    place = tmp_path_factory.mktemp("life")
    registry = tiny_registry(place / "registry")
    pipeline.register(registry, tiny_pictures(place / "pictures", 9), "drawings")
    frozen = pipeline.freeze(registry, "drawings")
    trained = pipeline.fine_tune(
        registry, frozen.snapshot, "sprig", recipe(), launch.foreground, uses=[Use.TRAIN]
    )
    wish = pipeline.Wish("a drawing of a star", n=2, steps=2)
    done = pipeline.publish(registry, trained.run, wish)
    registry.close()
    return Life(
        place,
        frozen.snapshot,
        trained.run,
        trained.adapter["id"],
        tuple(one.id for one in done.outputs),
    )


@pytest.fixture
def lived(lived_once: Life, tmp_path: Path) -> Registry:
    shutil.copytree(lived_once.place / "registry", tmp_path / "registry")
    return open_registry(tmp_path / "registry")


def released(registry: Registry) -> list[Path]:
    return sorted((registry.root / "outputs").glob("*.png"))


def test_the_run_holds_everything_that_proves_it(lived: Registry, lived_once: Life) -> None:
    done = pipeline.show(lived, lived_once.run)
    assert (done.state, done.steps) == ("succeeded", 2)
    assert done.adapter["id"] == lived_once.adapter
    assert set(done.loss) >= {"base", "adapter"}
    plan = json.loads((done.folder / "plan.json").read_text())
    assert plan["snapshot"] == lived_once.snapshot
    trained = {one["picture"] for one in plan["members"]}
    held_out = {one["picture"] for one in plan["held_out"]}
    assert held_out
    assert not trained & held_out
    with lived.read() as session:
        members = {m.picture_id for m in snapshots.members(session, lived_once.snapshot)}
    assert trained | held_out == members


def test_equal_inputs_are_one_run(lived: Registry, lived_once: Life) -> None:
    again = pipeline.fine_tune(lived, lived_once.snapshot, "sprig", recipe(), launch.foreground)
    assert again.run == lived_once.run
    prepared = pipeline.fine_tune(lived, lived_once.snapshot, "sprig", recipe("steps=3"), None)
    assert (prepared.run != lived_once.run, prepared.state) == (True, "queued")


def test_outputs_read_back_intact_and_good(lived: Registry, lived_once: Life) -> None:
    seen = pipeline.verify(released(lived), pipeline.trust_of(lived), lived)
    assert len(seen.files) == 2
    assert {one.integrity for one in seen.files} == {"intact"}
    assert {one.trust for one in seen.files} == {"development"}
    assert {one.standing for one in seen.files} == {"good"}
    named = seen.files[0].lineage
    assert named["adapter"]["id"] == lived_once.adapter
    assert named["snapshot"]["id"] == lived_once.snapshot
    assert seen.exit_code == 0


def test_one_flipped_pixel_byte_is_altered(lived: Registry, tmp_path: Path) -> None:
    data = bytearray(released(lived)[0].read_bytes())
    at = data.index(b"IDAT") + 40
    data[at] ^= 1
    path = tmp_path / "flipped.png"
    path.write_bytes(bytes(data))
    seen = pipeline.verify([path], pipeline.trust_of(lived), lived)
    assert (seen.files[0].integrity, seen.exit_code) == ("altered", 5)


def test_another_registrys_signature_is_untrusted(lived: Registry, tmp_path: Path) -> None:
    stranger = tiny_registry(tmp_path / "stranger")
    pipeline.publish(stranger, "sprig", pipeline.Wish("a star", steps=1))
    seen = pipeline.verify(released(stranger), pipeline.trust_of(lived), lived)
    assert (seen.files[0].integrity, seen.files[0].trust) == ("intact", "untrusted")
    assert seen.files[0].standing == "unknown"


def test_stripped_and_foreign_files_get_a_calm_answer(lived: Registry, tmp_path: Path) -> None:
    bare, text = tmp_path / "bare.png", tmp_path / "text.png"
    with Image.open(released(lived)[0]) as image:
        Image.frombytes(image.mode, image.size, image.tobytes()).save(bare)
    text.write_text("no picture")
    seen = pipeline.verify([bare, text, tmp_path / "gone.png"], pipeline.trust_of(None))
    assert [one.integrity for one in seen.files] == ["none", "unreadable", "unreadable"]
    assert "nothing about how" in seen.files[0].statement
    assert seen.exit_code == 6


def test_the_same_wish_gives_the_same_outputs(lived: Registry, lived_once: Life) -> None:
    wish = pipeline.Wish("a drawing of a star", n=2, steps=2)
    again = pipeline.publish(lived, lived_once.adapter, wish)
    assert tuple(one.id for one in again.outputs) == lived_once.outputs


def test_guidance_is_the_bases_own_unless_told(lived: Registry, lived_once: Life) -> None:
    """What was drawn within a part of the steps says so; of all steps its recipe, and so its id, is
    what it was before there was an interval."""
    wish = pipeline.Wish("a drawing of a star", steps=2, guidance=2.5)
    whole = replace(wish, guidance_start=0.0, guidance_stop=1.0)
    half = replace(wish, guidance_start=0.5)
    told = [pipeline.publish(lived, lived_once.adapter, one).outputs[0].id for one in (whole, half)]
    with lived.read() as session:
        rows = [subjects.require(session, Output, one) for one in (lived_once.outputs[0], *told)]
        usual, of_all, of_half = (dict(row.recipe) for row in rows)
    assert len({row.pixel_sha256 for row in rows}) == 3
    own = json.loads((bundled("models") / "sprig" / "deed.json").read_text())["sampling"]
    assert {name: usual[name] for name in own} == own
    assert of_all == {
        "base": usual["base"], "adapter": lived_once.adapter, "prompt": "a drawing of a star",
        "seed": 0, "steps": 2, "guidance": 2.5, "sampler": "ddim",
    }  # fmt: skip
    assert of_half == of_all | {
        "guidance_start": 0.5,
        "guidance_stop": own.get("guidance_stop", 1.0),
    }
    with pytest.raises(UsageError, match=r"begin at 0\.9"):
        pipeline.publish(
            lived, lived_once.adapter, replace(half, guidance_start=0.9, guidance_stop=0.5)
        )


def test_more_outputs_than_can_be_drawn_are_refused(lived: Registry, lived_once: Life) -> None:
    with pytest.raises(UsageError, match="between 1 and"):
        pipeline.publish(lived, lived_once.run, pipeline.Wish("a star", n=MOST + 1))
    with pytest.raises(UsageError, match="empty"):
        pipeline.publish(lived, lived_once.run, pipeline.Wish("   "))


def test_audit_finds_nothing_wrong(lived: Registry) -> None:
    done = pipeline.audit(lived, pipeline.trust_of(lived))
    assert (done.ok, done.problems) == (True, ())
    assert done.checked["pictures"] == 9
    assert done.checked["outputs"] == 2
    assert done.checked["bases"] == 1


def test_audit_finds_a_changed_row(lived: Registry) -> None:
    base = lived.root / "registry.sqlite"
    lived.close()
    with sqlite3.connect(base) as database:
        database.execute("UPDATE outputs SET prompt = 'something else'")
    reopened = open_registry(lived.root)
    done = pipeline.audit(reopened, pipeline.trust_of(reopened))
    assert not done.ok
    assert any(
        "outputs" in problem.subject or "outputs" in problem.message for problem in done.problems
    )


@pytest.mark.parametrize("what", ["picture", "output", "adapter"])
def test_audit_finds_changed_files(lived: Registry, lived_once: Life, what: str) -> None:
    if what == "adapter":
        path = pipeline.show(lived, lived_once.run).adapter["path"]
    else:
        with lived.read() as session:
            from picdeed.registry import outputs, pictures

            digest = (
                pictures.all_ids(session)[0][4:]
                if what == "picture"
                else outputs.all_outputs(session)[0].sha256
            )
        path = lived.blobs.path(digest)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(bytes(data))
    done = pipeline.audit(lived, pipeline.trust_of(lived))
    assert {problem.kind for problem in done.problems} == {
        "picture": {"blob-altered"},
        "output": {"blob-altered"},
        "adapter": {"adapter-altered"},
    }[what]


def test_lineage_walks_from_a_picture_to_its_outputs(lived: Registry, lived_once: Life) -> None:
    graph = pipeline.graph_of(lived, lived_once.outputs[0])
    kinds = {node.kind for node in graph.nodes}
    assert {"output", "adapter", "run", "snapshot", "picture", "base", "decision"} <= kinds
    ids = {node.id for node in graph.nodes}
    assert all(start in ids and end in ids for start, end, _ in graph.edges)
    near = pipeline.graph_of(lived, lived_once.snapshot[:14], 1)
    assert sum(node.kind == "picture" for node in near.nodes) == 9


def member(registry: Registry, snapshot: str) -> str:
    with registry.read() as session:
        return snapshots.members(session, snapshot)[0].picture_id


def test_a_takedown_reaches_everything_below(lived: Registry, lived_once: Life) -> None:
    target = member(lived, lived_once.snapshot)
    simulated = pipeline.withdraw(lived, target, pipeline.Ground.TAKEDOWN, simulate=True)
    assert not simulated.applied
    assert pipeline.verify(released(lived), pipeline.trust_of(lived), lived).files[0].standing == (
        "good"
    )

    done = pipeline.withdraw(lived, target[:14], pipeline.Ground.TAKEDOWN)
    assert done.impact == simulated.impact
    assert {one.state for one in done.impact.outputs} == {"suspended"}
    assert [one.state for one in done.impact.adapters] == ["suspended"]
    assert [one.state for one in done.impact.runs] == ["suspended"]
    assert [one.state for one in done.impact.snapshots] == ["not-usable"]

    with pytest.raises(Denied) as refused:
        pipeline.publish(lived, lived_once.run, pipeline.Wish("a new star", steps=1))
    assert refused.value.revocation == done.revocation
    with pytest.raises(Denied):
        pipeline.fine_tune(lived, lived_once.snapshot, "sprig", recipe("steps=1"), None)
    seen = pipeline.verify(released(lived), pipeline.trust_of(lived), lived).files[0]
    assert (seen.integrity, seen.standing) == ("intact", "suspended")
    assert pipeline.freeze(lived, "drawings").left_out == {"revoked": 1}
    assert pipeline.audit(lived, pipeline.trust_of(lived)).ok
    again = pipeline.withdraw(lived, target, pipeline.Ground.TAKEDOWN)
    assert again.revocation == done.revocation


def test_what_was_drawn_before_a_takedown_is_not_released_after_it(
    lived: Registry, lived_once: Life, tmp_path: Path
) -> None:
    held = generate(lived, lived_once.run, pipeline.Wish("a late star", steps=1)).outputs
    pipeline.withdraw(lived, member(lived, lived_once.snapshot), pipeline.Ground.TAKEDOWN)
    with pytest.raises(Denied, match="suspended"):
        credential(lived, held, pipeline.identity_of(lived), tmp_path / "out")
    assert not list((tmp_path / "out").glob("*.png"))


def test_a_takedown_while_it_is_signed_keeps_it_in(
    lived: Registry, lived_once: Life, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = generate(lived, lived_once.run, pipeline.Wish("a late star", steps=1)).outputs
    real = crediting.sign

    def slow(*signing: object) -> object:
        pipeline.withdraw(lived, member(lived, lived_once.snapshot), pipeline.Ground.TAKEDOWN)
        return real(*signing)

    monkeypatch.setattr(crediting, "sign", slow)
    with pytest.raises(Denied, match="suspended"):
        credential(lived, held, pipeline.identity_of(lived), tmp_path / "out")
    assert not list((tmp_path / "out").glob("*.png"))


def test_a_revoked_base_draws_nothing(lived: Registry) -> None:
    pipeline.withdraw(lived, "sprig", pipeline.Ground.TAKEDOWN)
    with pytest.raises(Denied, match="sprig was revoked"):
        pipeline.publish(lived, "sprig", pipeline.Wish("a star", steps=1))


def test_an_unfinished_run_goes_on_under_the_decision_of_today(lived: Registry) -> None:
    frozen = pipeline.freeze(lived, "drawings").snapshot
    queued = pipeline.fine_tune(lived, frozen, "sprig", recipe("steps=1"), None)
    with lived.read() as session:
        old = subjects.require(session, Run, queued.run).decision_id
    said = {ClaimKind.LICENSE: "CC-BY-4.0"}
    pipeline.claim(lived, pipeline.rules(), "drawings", said, pipeline.Saying(by="Eve"))
    done = pipeline.resume(lived, queued.run, launch.foreground)
    assert done.state == "succeeded"
    with lived.read() as session:
        assert subjects.require(session, Run, queued.run).decision_id != old
    said = {ClaimKind.LICENSE: "CC-BY-NC-4.0"}
    other = pipeline.fine_tune(lived, frozen, "sprig", recipe("steps=3"), None)
    pipeline.claim(lived, pipeline.rules(), "drawings", said, pipeline.Saying(by="Eve"))
    with pytest.raises(Denied):
        pipeline.resume(lived, other.run, launch.foreground)


def test_a_later_opt_out_leaves_lawful_adapters_good(lived: Registry, lived_once: Life) -> None:
    target = member(lived, lived_once.snapshot)
    done = pipeline.withdraw(lived, target, pipeline.Ground.OPT_OUT)
    assert [one.state for one in done.impact.adapters] == ["good"]
    assert [one.state for one in done.impact.snapshots] == ["not-usable"]
    early = pipeline.withdraw(
        lived, target, pipeline.Ground.OPT_OUT, effective="2001-01-01", simulate=True
    )
    assert [one.state for one in early.impact.adapters] == ["suspended"]


@pytest.mark.parametrize("kind", ["dataset", "license", "adapter", "base"])
def test_other_targets(lived: Registry, lived_once: Life, kind: str) -> None:
    target = {
        "dataset": "drawings",
        "license": "CC0-1.0",
        "adapter": lived_once.adapter,
        "base": "sprig",
    }[kind]
    done = pipeline.withdraw(lived, target, pipeline.Ground.ERROR, simulate=True)
    assert len(done.impact.pictures) == (9 if kind in ("dataset", "license") else 0)
    assert len(done.impact.adapters) == 1
    assert len(done.impact.outputs) == 2


def test_a_moved_registry_still_works(lived: Registry, lived_once: Life, tmp_path: Path) -> None:
    lived.close()
    shutil.move(lived.root, tmp_path / "moved")
    moved = open_registry(tmp_path / "moved")
    assert pipeline.audit(moved, pipeline.trust_of(moved)).ok
    wish = pipeline.Wish("a drawing of a moon", steps=1)
    assert len(pipeline.publish(moved, lived_once.run, wish).outputs) == 1


def test_a_run_that_cannot_learn_fails_and_says_so(filled: Registry) -> None:
    snapshot = pipeline.freeze(filled, "drawings").snapshot
    wild = recipe("learning_rate=1e30", "steps=4", "clip_norm=1e30")
    with pytest.raises(RunFailed, match="finite") as failed:
        pipeline.fine_tune(filled, snapshot, "sprig", wild, launch.foreground)
    shown = pipeline.show(filled, failed.value.run)
    assert (shown.state, shown.adapter) == ("failed", None)
    assert "finite" in shown.error
