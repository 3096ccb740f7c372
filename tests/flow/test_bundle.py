"""Does a run leave in one signed file, and is nothing trained from one that was touched?"""

from __future__ import annotations

import json
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from bundled_runs import (
    BASE,
    World,
    bundled,
    entries,
    forged,
    here,
    make_world,
    never,
    recipe,
    spoiled,
)

from picdeed.core.errors import (
    Denied,
    IntegrityError,
    MissingPart,
    NeedsReview,
    PicdeedError,
    RunFailed,
    UnreadablePicture,
    UsageError,
)
from picdeed.core.events import Event
from picdeed.core.ids import canonical_json, sha256
from picdeed.flow import bundled as reading
from picdeed.flow import pipeline
from picdeed.flow.away import Away, train_away
from picdeed.flow.elsewhere import bundle_run
from picdeed.registry import ledger, snapshots
from picdeed.registry.session import Registry, open_registry
from picdeed.rights.claims import ClaimKind


@dataclass(frozen=True)
class Sent:
    """A bundle, and what came of training it in `away`; nobody writes into these."""

    world: World
    file: Path
    away: Away


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Sent:
    place = tmp_path_factory.mktemp("sent")
    world = make_world(place)
    registry = open_registry(Path(shutil.copytree(world.registry, place / "sender")))
    file = bundled(registry, world, place).path
    registry.close()
    (place / "away").mkdir()
    carried = Path(shutil.copy(file, place / "away" / "drawings.picdeed"))
    return Sent(world, file, train_away(carried, here, base=str(world.base)))


@pytest.fixture
def registry(sent: Sent, tmp_path: Path) -> Registry:
    shutil.copytree(sent.world.registry, tmp_path / "registry")
    return open_registry(tmp_path / "registry")


def made(registry: Registry) -> list[str]:
    with registry.read() as session:
        return [event.payload for event in ledger.events(session, kind=Event.TRAIN_BUNDLED)]


def refused(path: Path, sent: Sent, error: type[PicdeedError] = IntegrityError) -> PicdeedError:
    """What `train` says to a bundle; nothing was unpacked or trained."""
    with pytest.raises(error) as told:
        train_away(path, never, base=str(sent.world.base), to=path.parent / "never")
    assert not (path.parent / "never").exists()
    return told.value


def test_equal_inputs_are_one_file_and_one_event(
    registry: Registry, sent: Sent, tmp_path: Path
) -> None:
    first = bundled(registry, sent.world, tmp_path / "a.picdeed")
    again = bundled(registry, sent.world, tmp_path / "b.picdeed", decision=sent.world.decision[:14])
    data = (tmp_path / "a.picdeed").read_bytes()
    assert data == (tmp_path / "b.picdeed").read_bytes() == sent.file.read_bytes()
    assert (first.sha256, first.bytes, first.bundle) == (sha256(data), len(data), again.bundle)
    (payload,) = made(registry)
    assert json.loads(payload)["bundle"] == first.bundle
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a.picdeed",
        "b.picdeed",
        "registry",
    ]
    before = (tmp_path / "a.picdeed").stat().st_mtime_ns
    bundled(registry, sent.world, tmp_path / "a.picdeed")
    assert (tmp_path / "a.picdeed").stat().st_mtime_ns == before
    assert pipeline.audit(registry, pipeline.trust_of(registry)).ok


def test_it_is_a_zip_of_what_train_would_read_and_of_no_weights(sent: Sent) -> None:
    with zipfile.ZipFile(sent.file) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
    assert names[0] == "manifest.json"
    assert {name for name in names if "/" not in name} == {
        "manifest.json", "plan.json", "decision.json", "NOTICES.txt",
    }  # fmt: skip
    assert sum(name.startswith("pictures/") for name in names) == 6
    assert sent.file.stat().st_size < 40_000
    with reading.opened(sent.file) as bundle:
        told = [one.caption for one in (*bundle.plan.members, *bundle.plan.held_out)]
        assert sorted(told) == [f"drawing {n}" for n in range(1, 7)]
        assert (bundle.plan.base, bundle.plan.cache) == (BASE, None)
        assert bundle.signed_by.development


def test_a_gate_that_is_shut_gives_no_bundle(
    registry: Registry, sent: Sent, tmp_path: Path
) -> None:
    said = {ClaimKind.LICENSE: "CC-BY-SA-4.0"}
    to = tmp_path / "none.picdeed"
    with registry.read() as session:
        one = snapshots.members(session, sent.world.snapshot)[0].picture_id
    pipeline.claim(registry, pipeline.rules(), one, said, pipeline.Saying(by="Eve"))
    with pytest.raises(Denied, match="no longer holds"):
        bundled(registry, sent.world, to)
    said = {ClaimKind.LICENSE: "CC-BY-NC-4.0"}
    pipeline.claim(registry, pipeline.rules(), one, said, pipeline.Saying(by="Eve"))
    shut = pipeline.judge(registry, sent.world.snapshot, BASE)
    assert not shut.is_open
    with pytest.raises((Denied, NeedsReview)):
        bundled(registry, sent.world, to, decision=shut.decision)
    pipeline.withdraw(registry, one, pipeline.Ground.TAKEDOWN)
    fallen = pipeline.judge(registry, sent.world.snapshot, BASE)
    with pytest.raises(Denied):
        bundled(registry, sent.world, to, decision=fallen.decision)
    assert (to.exists(), made(registry)) == (False, [])


def test_a_file_that_lies_there_stays(registry: Registry, sent: Sent, tmp_path: Path) -> None:
    other = tmp_path / "other.picdeed"
    other.write_text("mine")
    with pytest.raises(UsageError, match="something else"):
        bundled(registry, sent.world, other)
    assert (other.read_text(), made(registry)) == ("mine", [])
    for place in (tmp_path / "none" / "x.picdeed", Path("/dev/null")):
        with pytest.raises(UsageError):
            bundled(registry, sent.world, place)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_pictures_that_are_not_what_was_registered_leave_in_no_bundle(
    registry: Registry, sent: Sent, tmp_path: Path
) -> None:
    with registry.read() as session:
        one = snapshots.members(session, sent.world.snapshot)[3].picture_id
    blob = registry.blobs.path(one.removeprefix("img_"))
    blob.write_bytes(blob.read_bytes() + b"x")
    with pytest.raises(IntegrityError, match="not what was registered"):
        bundled(registry, sent.world, tmp_path / "x.picdeed")
    blob.unlink()
    with pytest.raises(IntegrityError, match="missing"):
        bundled(registry, sent.world, tmp_path / "x.picdeed")
    assert (made(registry), (tmp_path / "x.picdeed").exists()) == ([], False)


def test_the_same_inputs_give_the_same_adapter_here_and_there(
    registry: Registry, sent: Sent
) -> None:
    local = pipeline.fine_tune(registry, sent.world.snapshot, BASE, recipe(), here)
    assert local.run == sent.away.run.run
    assert local.adapter["id"] == sent.away.run.adapter["id"]
    assert local.adapter["path"].read_bytes() == sent.away.run.adapter["path"].read_bytes()
    assert local.loss == sent.away.run.loss
    with pytest.raises(UsageError, match="finished"):
        bundle_run(registry, sent.world.snapshot, BASE, recipe(), sent.world.decision)


def test_a_finished_run_is_returned_and_packed_again(sent: Sent, tmp_path: Path) -> None:
    place = Path(shutil.copytree(sent.away.run.folder.parent, tmp_path / "away"))
    packed = place / "drawings.run.picdeed"
    before = packed.read_bytes()
    packed.unlink()
    again = train_away(place / "drawings.picdeed", never)
    assert again.run.adapter["id"] == sent.away.run.adapter["id"]
    assert (again.file, packed.read_bytes()) == (packed, before)


def test_what_a_kill_left_goes_on_to_the_same_bytes(sent: Sent, tmp_path: Path) -> None:
    place = Path(shutil.copytree(sent.away.run.folder.parent, tmp_path / "away"))
    folder = place / "drawings"
    for name in ("result.json", "adapter.safetensors", "run.json"):
        (folder / name).unlink()
    *_, last = sorted((folder / "checkpoint").iterdir())
    last.unlink()
    picture = next((folder / "pictures").iterdir())
    picture.write_bytes(picture.read_bytes()[:40])  # unpacking was cut off too
    again = train_away(place / "drawings.picdeed", here, base=str(sent.world.base))
    assert again.run.resumed_from == 3
    assert again.run.adapter["sha256"] == sent.away.run.adapter["sha256"]


def test_a_run_that_fails_names_the_command_that_goes_on(sent: Sent, tmp_path: Path) -> None:
    def fails(folder: Path, *, progress) -> None:
        raise RunFailed("The loss stopped being finite.", hint="picdeed runs resume x", run="x")

    with pytest.raises(RunFailed, match="finite") as told:
        train_away(sent.file, fails, base=str(sent.world.base), to=tmp_path / "run")
    assert told.value.hint.startswith(f"picdeed train {sent.file}")
    assert told.value.run == sent.away.run.run
    with pytest.raises(RunFailed, match="no adapter"):
        train_away(sent.file, lambda *_, **__: None, base=str(sent.world.base), to=tmp_path / "run")


def test_a_base_is_the_one_that_was_signed(sent: Sent, tmp_path: Path) -> None:
    with pytest.raises(MissingPart, match="holds no weights"):
        train_away(sent.file, never, to=tmp_path / "run")
    with pytest.raises(MissingPart, match="nowhere"):
        train_away(sent.file, never, base="nowhere", to=tmp_path / "run")
    with pytest.raises(IntegrityError, match="not the one that the bundle names"):
        train_away(sent.file, never, base="sprig", to=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_another_folder_is_not_written_into(sent: Sent, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thing").touch()
    with pytest.raises(UsageError, match="something else"):
        train_away(sent.file, never, base=str(sent.world.base), to=tmp_path / "mine")


@pytest.mark.parametrize("share", [0, 0.003, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, -100, -30, -1])
def test_a_flipped_bit_is_found_wherever_it_lies(sent: Sent, tmp_path: Path, share: float) -> None:
    data = bytearray(sent.file.read_bytes())
    data[int(len(data) * share) if 0 <= share < 1 else int(share)] ^= 1
    (tmp_path / "b.picdeed").write_bytes(bytes(data))
    assert "was altered" in refused(tmp_path / "b.picdeed", sent).message


@pytest.mark.parametrize("size", [3, 90, 5_000, -1])
def test_one_that_was_cut_short_is_found(sent: Sent, tmp_path: Path, size: int) -> None:
    (tmp_path / "b.picdeed").write_bytes(sent.file.read_bytes()[:size])
    refused(tmp_path / "b.picdeed", sent)


def picture_of(files: dict[str, bytes]) -> str:
    return next(name for name in files if name.startswith("pictures/"))


SPOILED = {
    "missing": lambda f: f.pop(picture_of(f)),
    "no manifest": lambda f: f.pop("manifest.json"),
    "no plan": lambda f: f.pop("plan.json"),
    "more": lambda f: f.update({f"pictures/{'0' * 64}": b"x"}),
    "traversal": lambda f: f.update({"../outside": b"x"}),
    "absolute": lambda f: f.update({"/etc/outside": b"x"}),
    "folder": lambda f: f.update({"pictures/": b""}),
    "picture": lambda f: f.update({picture_of(f): b"other"}),
    "decision": lambda f: f.update({"decision.json": f["decision.json"].replace(b"20", b"21")}),
    "plan": lambda f: f.update({"plan.json": f["plan.json"].replace(b"drawing 1", b"drawing 7")}),
    "signer": lambda f: f.update(
        {"manifest.json": f["manifest.json"].replace(b"DEVELOPMENT", b"TRUSTWORTHY")}
    ),
    "no json": lambda f: f.update({"manifest.json": b"[1, 2"}),
    "deep": lambda f: f.update({"manifest.json": b"[" * 100_000}),
}  # fmt: skip


@pytest.mark.parametrize("name", SPOILED)
def test_what_is_sealed_again_without_the_key_is_refused(
    sent: Sent, tmp_path: Path, name: str
) -> None:
    refused(spoiled(sent.file, tmp_path / "b.picdeed", SPOILED[name]), sent)
    assert not (tmp_path.parent / "outside").exists()


def other_plan(change):
    def changed(files, document):
        plan = json.loads(files["plan.json"])
        change(plan)
        files["plan.json"] = canonical_json(plan)
        document["plan_sha256"] = reading.RunPlan.model_validate(plan).digest()

    return changed


def smuggled(files, document):
    data = b"\x89PNG another"
    files[f"pictures/{sha256(data)}"] = data
    document["files"][f"pictures/{sha256(data)}"] = sha256(data)


def relicensed(files, document):
    document["licenses"][next(iter(document["licenses"]))] = "CC-BY-4.0"


def said(**changes):
    return lambda _, document: document.update(changes)


FORGED = {
    "a picture less": other_plan(lambda plan: plan["members"].pop()),
    "a caption": other_plan(lambda plan: plan["members"][0].update(caption="stolen")),
    "a path": other_plan(lambda plan: plan["members"][0].update(path="/etc/passwd")),
    "a picture more": smuggled,
    "a licence": relicensed,
    "another run": said(run="run_" + "0" * 64),
    "another decision": said(decision="dec_" + "0" * 64),
    "longer": said(valid_until="2999-01-01T00:00:00.000000Z"),
    "a word more": said(extra=1),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGED)
def test_what_does_not_fit_together_is_refused_whoever_signed(
    sent: Sent, tmp_path: Path, name: str
) -> None:
    refused(forged(sent.file, tmp_path / "b.picdeed", FORGED[name]), sent)


def test_what_is_packed_is_refused(sent: Sent, tmp_path: Path) -> None:
    """A small file that unpacks to a large one is not read at all."""
    path, files = tmp_path / "b.picdeed", entries(sent.file)
    files[picture_of(files)] = b"\0" * 5_000_000
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
        archive.comment = b"." * 88
    mark = b"picdeed.sealed/1 sha256:"
    path.write_bytes(path.read_bytes()[:-88] + mark + sha256(path.read_bytes()[:-88]).encode())
    assert path.stat().st_size < 100_000
    assert "packed" in refused(path, sent).message


def test_what_is_no_bundle_is_said_to_be_none(sent: Sent, tmp_path: Path) -> None:
    (tmp_path / "text.picdeed").write_text("hello")
    (tmp_path / "empty.picdeed").touch()
    for name in ("text.picdeed", "empty.picdeed", "."):
        refused(tmp_path / name, sent, UsageError)


def decided(**changes):
    def changed(files, document):
        gated = json.loads(files["decision.json"]) | changes
        files["decision.json"] = canonical_json(gated)
        document["valid_until"] = min(
            gated["valid_until"], (gated["approved"] or {"until": "9"})["until"]
        )

    return changed


def test_a_verdict_that_does_not_open_trains_nothing(sent: Sent, tmp_path: Path) -> None:
    over = {"by": "Ada", "basis": "asked", "until": "2020-01-01T00:00:00.000000Z"}
    for number, (changes, error) in enumerate(
        [
            ({"verdict": "DENY"}, Denied),
            ({"verdict": "REVIEW"}, NeedsReview),
            ({"verdict": "REVIEW", "approved": over}, NeedsReview),
            ({"uses": ["sell-outputs"]}, Denied),
            ({"valid_until": "2020-01-01T00:00:00.000000Z"}, Denied),
        ]
    ):
        path = forged(sent.file, tmp_path / f"{number}.picdeed", decided(**changes))
        assert refused(path, sent, error).decision == sent.world.decision


def test_a_strangers_picture_is_held_against_the_limits(sent: Sent, tmp_path: Path) -> None:
    """Whoever signs anew can send anything; no decoder sees it before its header passed."""
    bomb = b"\x89PNG\r\n\x1a\n" + b"\0" * 40

    def swap(files, document):
        plan = json.loads(files["plan.json"])
        one, digest = plan["members"][0], sha256(bomb)
        del files[one["path"]], document["files"][one["path"]]
        document["licenses"][f"img_{digest}"] = document["licenses"].pop(one["picture"])
        one |= {"picture": f"img_{digest}", "path": f"pictures/{digest}"}
        files[one["path"]], document["files"][one["path"]] = bomb, digest
        leaves = [
            snapshots.leaf(t["picture"][4:], t["caption"], document["licenses"][t["picture"]])
            for t in (*plan["members"], *plan["held_out"])
        ]
        root = snapshots.root_of(leaves)
        gated = json.loads(files["decision.json"]) | {"snapshot": f"snp_{root}"}
        plan |= {"snapshot": f"snp_{root}", "snapshot_root": root}
        document |= {"snapshot": f"snp_{root}", "snapshot_root": root}
        document["plan_sha256"] = reading.RunPlan.model_validate(plan).digest()
        files["plan.json"], files["decision.json"] = canonical_json(plan), canonical_json(gated)

    path = forged(sent.file, tmp_path / "b.picdeed", swap)
    with pytest.raises(UnreadablePicture, match="in the bundle is refused"):
        train_away(path, never, base=str(sent.world.base), to=tmp_path / "run")
