"""Does a run that was trained elsewhere come home as if it had been trained here, or not at all?"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from bundled_runs import (
    BASE,
    World,
    bundled,
    entries,
    here,
    make_world,
    never,
    recipe,
    resealed,
)

from picdeed.core.errors import BusyError, Denied, IntegrityError, UsageError
from picdeed.core.events import Event
from picdeed.core.ids import canonical_json, sha256
from picdeed.diffusion.lora import load_adapter
from picdeed.diffusion.runfolder import held
from picdeed.diffusion.tensors import read_safetensors, safetensors_bytes
from picdeed.flow import pipeline
from picdeed.flow.away import Away, train_away
from picdeed.flow.elsewhere import import_run
from picdeed.flow.grounds import Ground
from picdeed.flow.revoke import revoke
from picdeed.flow.takeback import erase_picture
from picdeed.jobs import watch
from picdeed.registry import ledger, runs, snapshots, subjects
from picdeed.registry.decisions import Decision
from picdeed.registry.heads import load_key
from picdeed.registry.runs import Run
from picdeed.registry.session import Registry, open_registry
from picdeed.registry.signed import sign_document
from picdeed.rights.claims import ClaimKind
from picdeed.testing import tiny_registry


@dataclass(frozen=True)
class Out:
    """A registry with a bundle out, and the run that came of it; nobody writes into these."""

    world: World
    sender: Path
    away: Away

    @property
    def file(self) -> Path:
        assert self.away.file is not None
        return self.away.file


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Out:
    place = tmp_path_factory.mktemp("out")
    world = make_world(place)
    registry = open_registry(world.registry)
    file = bundled(registry, world, place / "drawings.picdeed").path
    registry.close()
    return Out(world, world.registry, train_away(file, here, base=str(world.base)))


@pytest.fixture
def home(out: Out, tmp_path: Path) -> Registry:
    shutil.copytree(out.sender, tmp_path / "registry")
    return open_registry(tmp_path / "registry")


def events(registry: Registry) -> int:
    with registry.read() as session:
        return ledger.last_event(session)[0]


def refused(home: Registry, path: Path) -> str:
    """Why a run is not imported; nothing was recorded of it."""
    before = events(home)
    with pytest.raises(IntegrityError) as told:
        import_run(home, path)
    assert events(home) == before
    with home.read() as session:
        assert runs.all_adapters(session) == []
    left = [one.name for one in home.root.iterdir()]
    assert not [name for name in left if name.startswith(".import") or name == "outside"]
    return told.value.message


def test_it_is_recorded_as_if_it_had_been_trained_here(
    home: Registry, out: Out, tmp_path: Path
) -> None:
    done = import_run(home, out.file)
    shutil.copytree(out.sender, tmp_path / "local")
    local = open_registry(tmp_path / "local")
    ours = pipeline.fine_tune(local, out.world.snapshot, BASE, recipe(), here)
    theirs = pipeline.show(home, done.run.run)
    assert (done.new, done.standing, done.revocations, done.run) == (True, "good", (), theirs)
    for name in ("run", "state", "steps", "loss", "kin_groups", "effective_pictures", "leaks"):
        assert getattr(theirs, name) == getattr(ours, name), name
    assert theirs.adapter["id"] == ours.adapter["id"]
    assert theirs.adapter["path"].read_bytes() == ours.adapter["path"].read_bytes()
    for one in (home, local):
        graph = pipeline.graph_of(one, theirs.run)
        assert (theirs.run, theirs.adapter["id"], "made") in graph.edges
    with home.read() as session, local.read() as other:
        rows = [subjects.require(s, Run, theirs.run) for s in (session, other)]
        for name in ("snapshot_id", "base_id", "decision_id", "recipe", "standing", "folder"):
            assert getattr(rows[0], name) == getattr(rows[1], name), name
        assert rows[0].result["exposure"] == rows[1].result["exposure"]
        (event,) = ledger.events(session, kind=Event.TRAIN_FINISHED)
    assert json.loads(event.payload)["bundle"] == out.away.bundle
    (view,) = watch.all_runs(home)
    assert (view.state, view.step) == ("succeeded", 4)
    assert [one["step"] for one in watch.log_of(home, theirs.run)] == list(range(4))
    assert pipeline.audit(home, pipeline.trust_of(home)).ok
    drawn = pipeline.publish(home, theirs.run, pipeline.Wish("a star", steps=1))
    assert len(drawn.outputs) == 1


def test_importing_twice_has_no_second_effect(home: Registry, out: Out) -> None:
    first = import_run(home, out.away.run.folder)
    count = events(home)
    for path in (out.file, out.away.run.folder):
        again = import_run(home, path)
        assert (again.new, again.run) == (False, first.run)
    assert events(home) == count
    trained = pipeline.fine_tune(home, out.world.snapshot, BASE, recipe(), never)
    assert trained.run == first.run.run  # and `train` returns it


def test_a_run_that_ended_here_meanwhile_stays(home: Registry, out: Out, tmp_path: Path) -> None:
    local = pipeline.fine_tune(home, out.world.snapshot, BASE, recipe(), here)
    again = import_run(home, out.file)
    assert (again.new, again.run.adapter) == (False, local.adapter)
    other = with_tensors(out, tmp_path / "other.run.picdeed")
    with pytest.raises(UsageError, match="ended here with the adapter"):
        import_run(home, other)


def test_a_run_that_goes_on_here_is_not_written_over(home: Registry, out: Out) -> None:
    with held(home.root / "runs" / out.away.run.run), pytest.raises(BusyError):
        import_run(home, out.file)


def member(registry: Registry, out: Out) -> str:
    with registry.read() as session:
        return snapshots.members(session, out.world.snapshot)[0].picture_id


@pytest.mark.parametrize("ground", [Ground.TAKEDOWN, Ground.OPT_OUT])
def test_what_fell_while_it_was_away_comes_in_suspended(
    home: Registry, out: Out, ground: Ground
) -> None:
    fell = pipeline.withdraw(home, member(home, out), ground)
    done = import_run(home, out.file)
    assert (done.new, done.standing, done.revocations) == (True, "suspended", (fell.revocation,))
    assert (done.run.state, done.run.adapter["state"]) == ("succeeded", "suspended")
    with pytest.raises(Denied) as told:
        pipeline.publish(home, done.run.run, pipeline.Wish("a star", steps=1))
    assert told.value.revocation == fell.revocation
    assert pipeline.audit(home, pipeline.trust_of(home)).ok
    count = events(home)
    again = pipeline.withdraw(home, member(home, out), ground)
    assert (again.revocation, events(home)) == (fell.revocation, count)
    assert not import_run(home, out.file).new


def test_what_was_only_flagged_comes_in_good_and_flagged(home: Registry, out: Out) -> None:
    """CC0 cannot be taken back: the end of a contract about it is a flag."""
    fell = revoke(home, pipeline.rules(), member(home, out), Ground.CONTRACT_ENDED)
    done = import_run(home, out.file)
    assert (done.standing, done.run.adapter["state"]) == ("good", "good")
    assert done.revocations == (fell.revocation,)


def test_a_decision_that_ran_out_is_asked_again(home: Registry, out: Out) -> None:
    said = {ClaimKind.LICENSE: "CC-BY-NC-4.0"}
    pipeline.claim(home, pipeline.rules(), member(home, out), said, pipeline.Saying(by="Eve"))
    _expire(home, out)
    with pytest.raises(Denied, match="is DENY"):
        import_run(home, out.file)
    with home.read() as session:
        assert runs.all_adapters(session) == []


def test_a_gate_that_opens_today_lets_it_in(home: Registry, out: Out) -> None:
    _expire(home, out)
    done = import_run(home, out.file)
    assert (done.new, done.run.adapter["state"]) == (True, "good")


def _expire(registry: Registry, out: Out) -> None:
    with registry.write() as session:
        row = subjects.require(session, Decision, out.world.decision)
        row.valid_until = "2020-01-01T00:00:00.000000Z"
        ledger.write(session, Event.GATE_DECIDED, {"decision": row.id}, [row])


def test_a_captions_erasure_is_not_undone(home: Registry, out: Out) -> None:
    erase_picture(home, member(home, out), "they asked")
    import_run(home, out.file)
    plan = (home.root / "runs" / out.away.run.run / "plan.json").read_text()
    bundled_plan = json.loads(entries(out.file)["bundle/plan.json"])
    everyone = (*bundled_plan["members"], *bundled_plan["held_out"])
    (caption,) = [one["caption"] for one in everyone if one["picture"] == member(home, out)]
    assert f'"{caption}"' not in plan


def test_another_registrys_run_is_foreign(out: Out, tmp_path: Path) -> None:
    stranger = tiny_registry(tmp_path / "stranger")
    assert "another registry's" in refused(stranger, out.file)


def test_a_bundle_that_nobody_recorded_is_refused(home: Registry, out: Out, tmp_path: Path) -> None:
    """Signed by our own key, and not in the ledger: an older state of the registry."""

    def other(files):
        document = json.loads(files["bundle/manifest.json"])
        del document["public_key"], document["signature"]
        document["signer"]["subject"] = "somebody"
        key = load_key(home.ledger_key)
        files["bundle/manifest.json"] = canonical_json(sign_document(key, document))
        files["run.json"] = canonical_json(
            json.loads(files["run.json"]) | {"bundle": sha256(files["bundle/manifest.json"])}
        )

    assert "no record of" in refused(home, changed(out, tmp_path / "x.run.picdeed", other))


def changed(out: Out, to: Path, change) -> Path:
    """The run with other files, its run.json made to fit, sealed again."""
    files = entries(out.file)
    change(files)
    said = json.loads(files["run.json"])
    said["files"] = {name: sha256(data) for name, data in files.items() if name != "run.json"}
    files["run.json"] = canonical_json(said)
    return resealed(out.file, files, to)


def with_tensors(out: Out, to: Path, **header: str) -> Path:
    """The run with other weights under the same header, and a result that names them."""

    def change(files):
        path = to.with_suffix(".safetensors")
        path.write_bytes(files["adapter.safetensors"])
        tensors, metadata = read_safetensors(path)
        changed_ = {name: tensor if header else tensor + 1 for name, tensor in tensors.items()}
        files["adapter.safetensors"] = safetensors_bytes(changed_, metadata | header)
        path.write_bytes(files["adapter.safetensors"])
        adapter = load_adapter(path)
        named = {"adapter_id": adapter.id, "adapter_sha256": adapter.sha256}
        files["result.json"] = canonical_json(json.loads(files["result.json"]) | named)

    return changed(out, to, change)


def result_with(**changes):
    def change(files):
        result = json.loads(files["result.json"]) | changes
        files["result.json"] = json.dumps(result).encode()

    return change


def exposure_less(files):
    result = json.loads(files["result.json"])
    first = next(iter(result["exposure"]))
    result["exposure"][first] -= 1
    files["result.json"] = canonical_json(result)


ALTERED = {
    "exposure": exposure_less,
    "steps": result_with(steps=3),
    "batch": result_with(batch=3),
    "held out": result_with(held_out=[]),
    "run": result_with(run="run_" + "0" * 64),
    "adapter": result_with(adapter_id="adp_" + "0" * 64),
    "adapter's file": result_with(adapter_sha256="0" * 64),
    "no loss": result_with(loss="good"),
    "not a number": result_with(seconds=float("nan")),
    "weights": lambda f: f.update({"adapter.safetensors": f["adapter.safetensors"][:-1] + b"x"}),
    "no weights": lambda f: f.update({"adapter.safetensors": b"no tensors"}),
    "plan": lambda f: f.update({"bundle/plan.json": f["bundle/plan.json"] + b" "}),
    "manifest": lambda f: f.update(
        {"bundle/manifest.json": f["bundle/manifest.json"].replace(b"CC0", b"CC9")}
    ),
    "notices": lambda f: f.update({"NOTICES.txt": b"nobody"}),
    "a file less": lambda f: f.pop("log.jsonl"),
    "a file more": lambda f: f.update({"../outside": b"x"}),
}  # fmt: skip


@pytest.mark.parametrize("name", ALTERED)
def test_an_altered_run_is_refused(home: Registry, out: Out, tmp_path: Path, name: str) -> None:
    refused(home, changed(out, tmp_path / "x.run.picdeed", ALTERED[name]))


@pytest.mark.parametrize("name", ["base_sha256", "snapshot_root", "decision", "recipe_sha256"])
def test_papers_of_another_plan_are_refused(
    home: Registry, out: Out, tmp_path: Path, name: str
) -> None:
    path = with_tensors(out, tmp_path / "x.run.picdeed", **{f"picdeed.{name}": "0" * 64})
    assert f"another {name}" in refused(home, path)


@pytest.mark.parametrize("share", [0.001, 0.2, 0.6, 0.95])
def test_a_flipped_bit_is_found(home: Registry, out: Out, tmp_path: Path, share: float) -> None:
    data = bytearray(out.file.read_bytes())
    data[int(len(data) * share)] ^= 1
    (tmp_path / "x.run.picdeed").write_bytes(bytes(data))
    refused(home, tmp_path / "x.run.picdeed")


@pytest.mark.parametrize("name", ["log.jsonl", "result.json", "adapter.safetensors", "run.json"])
def test_a_folder_is_held_against_the_same(
    home: Registry, out: Out, tmp_path: Path, name: str
) -> None:
    folder = Path(shutil.copytree(out.away.run.folder, tmp_path / "run"))
    (folder / name).write_bytes(b"{}")
    refused(home, folder)


def test_what_is_no_run_is_said_to_be_none(home: Registry, out: Out, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    unfinished = Path(shutil.copytree(out.away.run.folder, tmp_path / "run"))
    (unfinished / "run.json").unlink()
    for path in (tmp_path / "text", unfinished, tmp_path / "nothing"):
        with pytest.raises(UsageError):
            import_run(home, path)
    bundle = out.away.run.folder.parent / "drawings.picdeed"
    assert "may not stand in it" in refused(home, bundle)
