"""Is a run rebuilt from its plan alone, under today's rights, without leaving anything behind?"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa
from replayable import BASE, Ran, copied, folder_of, here, never, row_of, train_once

from picdeed.core.errors import BusyError, Denied, IntegrityError, RunFailed, UsageError
from picdeed.core.ids import sha256_file
from picdeed.diffusion.lora import load_adapter
from picdeed.diffusion.recipe import load_recipe
from picdeed.diffusion.runfolder import UNTRACKED, Stopped, held, write_json
from picdeed.diffusion.tensors import read_safetensors, safetensors_bytes
from picdeed.diffusion.train import train
from picdeed.flow import pipeline
from picdeed.flow.claims import Saying
from picdeed.flow.grounds import Ground
from picdeed.flow.replay import replay
from picdeed.flow.replayed import Surroundings
from picdeed.flow.takeback import erase_picture
from picdeed.registry.ledger import LedgerEvent
from picdeed.registry.runs import Adapter
from picdeed.registry.session import Registry
from picdeed.rights.claims import ClaimKind


@pytest.fixture
def registry(ran: Ran, tmp_path: Path) -> Registry:
    return copied(ran, tmp_path)


def counts(registry: Registry) -> tuple[int, ...]:
    with registry.read() as session:
        tables = (LedgerEvent, Adapter)
        return tuple(session.scalar(sa.select(sa.func.count()).select_from(t)) for t in tables)


def files(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): sha256_file(p) for p in folder.rglob("*") if p.is_file()
    }  # fmt: skip


def test_a_run_is_rebuilt_to_the_same_bytes_and_nothing_is_recorded(
    registry: Registry, ran: Ran, tmp_path: Path
) -> None:
    run = folder_of(registry, ran.run)
    for latents in (registry.cache / "latents").rglob("*.safetensors"):
        latents.write_bytes(b"nothing that anybody can read")
    left = registry.cache / "replay" / "run_killed" / "cache"
    left.mkdir(parents=True)
    before, rows = files(run), counts(registry)
    seen = []

    def watched(folder: Path, *, progress) -> None:
        seen.append((folder.name, (folder / UNTRACKED).is_file(), (folder / "checkpoint").exists()))
        here(folder, progress=progress)

    told: list[tuple[str, int, int]] = []
    done = replay(
        registry, ran.run[:14], watched, keep=tmp_path / "kept", progress=lambda *a: told.append(a)
    )
    assert (done.run, done.equal, done.within, done.exit_code) == (ran.run, True, True, 0)
    assert done.adapter == done.rebuilt == row_of(registry, ran.run).result["adapter_id"]
    assert (done.environment, done.differs) == (Surroundings.SAME, None)
    assert (done.tensors > 100, done.log_lines) == (True, 3)
    assert seen == [(ran.run, True, False)]
    assert told[-1] == ("replay", 3, 3)
    assert done.seconds > 0

    assert files(run) == before
    assert counts(registry) == rows
    assert [one.name for one in (registry.cache / "replay").iterdir()] == ["lock"]
    assert done.kept == tmp_path / "kept"
    assert set(files(done.kept)) == {
        "adapter.safetensors", "result.json", "log.jsonl", "NOTICES.txt",
    }  # fmt: skip
    kept = load_adapter(done.kept / "adapter.safetensors")
    assert (kept.id, kept.sha256) == (done.adapter, before["adapter.safetensors"])
    assert sha256_file(done.kept / "NOTICES.txt") == before["NOTICES.txt"]


def test_a_run_that_learned_from_a_wrong_cache_is_found_out(registry: Registry, ran: Ran) -> None:
    """The cached latents of one picture are another's: the same environment, other bytes."""
    latents = sorted((registry.cache / "latents").rglob("*.safetensors"))
    latents = [one for one in latents if "moments" in read_safetensors(one)[0]]
    for path in latents:
        moments = read_safetensors(path)[0]["moments"]
        path.write_bytes(safetensors_bytes({"moments": moments * 1.5}, {}))
    wrong = train_once(registry, seed=1)
    done = replay(registry, wrong, here)
    assert (done.equal, done.exit_code, done.environment) == (False, 5, Surroundings.SAME)
    assert done.adapter != done.rebuilt
    assert done.differs is not None
    assert {"adapter", "log"} <= set(done.differs.what)
    assert done.differs.tensor.startswith("unet.")
    assert done.differs.largest > 0
    assert (done.differs.step, dict(done.differs.environment)) == (0, {})
    assert done.kept is None


def test_without_its_folder_a_run_is_rebuilt_from_the_rows(registry: Registry, ran: Ran) -> None:
    shutil.rmtree(folder_of(registry, ran.run))
    done = replay(registry, ran.run, here)
    assert (done.equal, done.adapter, done.rebuilt) == (True, done.rebuilt, done.adapter)
    assert (done.tensors, done.log_lines) == (None, None)
    assert not folder_of(registry, ran.run).exists()


def test_what_has_no_adapter_yet_is_refused(registry: Registry, ran: Ran) -> None:
    frozen = row_of(registry, ran.run).snapshot_id
    queued = pipeline.fine_tune(registry, frozen, BASE, load_recipe("demo"), None)
    with pytest.raises(UsageError, match="is queued") as told:
        replay(registry, queued.run, never)
    assert "runs resume" in told.value.hint


def test_an_altered_adapter_is_said_before_anything_is_trained(registry: Registry, ran: Ran):
    path = folder_of(registry, ran.run) / "adapter.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    with pytest.raises(IntegrityError, match="not the file that was recorded"):
        replay(registry, ran.run, never)


def test_after_a_takedown_nothing_is_trained_again(registry: Registry, ran: Ran) -> None:
    revoked = pipeline.withdraw(registry, ran.copies[0], Ground.TAKEDOWN)
    with pytest.raises(Denied, match="revoked") as told:
        replay(registry, ran.run, never)
    assert told.value.revocation == revoked.revocation
    assert told.value.run == ran.run


def test_a_decision_of_today_is_asked(registry: Registry, ran: Ran) -> None:
    """The run stands good, but what is known by now would not open it."""
    old = row_of(registry, ran.run).decision_id
    said = {ClaimKind.LICENSE: "CC-BY-NC-4.0"}
    pipeline.claim(registry, pipeline.rules(), ran.copies[1], said, Saying(by="Eve"))
    with pytest.raises(Denied) as told:
        replay(registry, ran.run, never)
    assert told.value.decision not in {None, old}


@pytest.mark.parametrize("late", [False, True], ids=["in the middle", "at the end"])
def test_what_is_revoked_while_it_trains_keeps_nothing(
    registry: Registry, ran: Ran, tmp_path: Path, late: bool
) -> None:
    def revoking(folder: Path, *, progress) -> None:
        if late:
            here(folder, progress=lambda *_: None)
        pipeline.withdraw(registry, ran.copies[0], Ground.TAKEDOWN)
        if not late:
            progress("train", 1, 3)  # as the command looks on
            with pytest.raises(Stopped) as stopped:
                train(folder)
            raise stopped.value

    with pytest.raises(Denied, match="nothing was kept") as told:
        replay(registry, ran.run, revoking, keep=tmp_path / "kept")
    assert told.value.revocation is not None
    assert not (tmp_path / "kept").exists()
    assert [one.name for one in (registry.cache / "replay").iterdir()] == ["lock"]


def test_a_folder_to_keep_it_in_is_new_and_outside(registry: Registry, ran: Ran, tmp_path: Path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thing").touch()
    (tmp_path / "link").symlink_to(registry.root / "runs")
    for place in ("full", "full/thing", "registry/runs/mine", "registry", "link/x"):
        with pytest.raises(UsageError, match="nothing was trained"):
            replay(registry, ran.run, never, keep=tmp_path / place)


def test_two_replays_do_not_meet(registry: Registry, ran: Ran) -> None:
    place = registry.cache / "replay"
    place.mkdir()
    with held(place), pytest.raises(BusyError, match="Another replay"):
        replay(registry, ran.run, never)


def test_what_a_killed_one_left_is_reached_by_an_erasure(
    registry: Registry, ran: Ran, tmp_path: Path
) -> None:
    def killed(folder: Path, *, progress) -> None:
        shutil.copytree(folder, tmp_path / "left")
        raise RunFailed("killed")

    left = registry.cache / "replay" / ran.run
    with pytest.raises(RunFailed, match="could not be rebuilt: killed"):
        replay(registry, ran.run, killed)
    assert not left.exists()
    shutil.copytree(tmp_path / "left", left)
    erased = ran.copies[0]
    for name in ran.copies:
        (left / "cache" / "latents" / name).mkdir(parents=True)
    assert (left / "plan.json").read_text().count('"drawing ') == 9
    erase_picture(registry, erased, "asked")
    assert [one.name for one in (left / "cache" / "latents").iterdir()] == [ran.copies[1]]
    assert (left / "plan.json").read_text().count('"drawing ') == 8


@pytest.mark.parametrize(
    ("error", "kind"), [("IntegrityError", IntegrityError), ("MemoryError", RunFailed)]
)
def test_what_stops_it_is_told_by_its_kind(registry: Registry, ran: Ran, error, kind) -> None:
    def fails(folder: Path, *, progress) -> None:
        write_json(folder / "error.json", {"error": error, "message": "The base is another one."})
        raise RunFailed("ended without an adapter")

    with pytest.raises(kind, match="could not be rebuilt: The base is another one") as told:
        replay(registry, ran.run, fails)
    assert "audit" in told.value.hint
    with pytest.raises(RunFailed, match="not rebuilt from its first step"):
        replay(registry, ran.run, lambda *_, **__: None)
