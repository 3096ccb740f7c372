"""Does looking at a run change nothing, cost what it may, and survive a kill?"""

import json
import shutil

import pytest
import torch

from picdeed.core.errors import RunFailed
from picdeed.diffusion import train as trainer
from picdeed.diffusion.runfolder import STOPPED, ask_to_stop, forget_stop, read_json, read_log
from picdeed.diffusion.train import train
from picdeed.diffusion.watch import STEP_COST, checkpoints, scheduled

# Far too fast (the second step is worse than the first), and even, so that a shorter run is the
# beginning of a longer one.
FAST = {"learning_rate": 0.3, "schedule": "constant", "warmup_steps": 0, "eval_share": 3.0}


def told(folder):
    """The log without what depends on the machine's day."""
    return [{k: v for k, v in row.items() if k != "seconds"} for row in read_log(folder)]


@pytest.fixture
def plan_of(tiny_base, ink, make_plan):
    def plan(pictures=12, **knobs):
        return make_plan(tiny_base, ink[:pictures], **knobs)

    return plan


@pytest.mark.parametrize("steps", [1, 7, 40, 240, 1000])
@pytest.mark.parametrize("share", [0.01, 0.05, 0.5])
def test_measurements_cost_at_most_their_share(plan_of, steps, share):
    plan = plan_of(steps=steps, batch=8, eval_share=share, hold_out=0.3)
    schedule = scheduled(plan)
    taken = sum(map(len, schedule.looks.values()))
    spent = taken * (len(schedule.steps) + 1)
    assert spent <= share * steps * 8 * STEP_COST
    assert set(schedule.steps) <= set(checkpoints(plan))
    if schedule.steps:
        assert schedule.steps[-1] == steps
        assert taken >= 8
        assert len({k % 8 for looks in schedule.looks.values() for k in looks}) == 8


def test_a_short_run_is_measured_less_often_and_a_shorter_one_not_at_all(plan_of):
    counts = [
        len(scheduled(plan_of(steps=steps, eval_share=0.05)).steps) for steps in (10, 80, 160, 300)
    ]
    assert counts == [0, 3, 7, 10]
    assert scheduled(plan_of(steps=300, eval_share=0.0)).steps == ()
    # Whoever wants the best of all checkpoints has all of them measured.
    assert len(scheduled(plan_of(steps=80, keep="best")).steps) == 10


def test_nobody_held_out_is_nobody_measured(plan_of, tmp_path):
    assert scheduled(plan_of(3, steps=300)).looks == {}
    plan_of(3, steps=3, keep="best").write(tmp_path / "run")
    with pytest.raises(RunFailed, match="keep = 'best'"):
        train(tmp_path / "run")
    assert read_log(tmp_path / "run") == []


def test_looking_changes_no_weight_and_repeats(a_run):
    blind, seeing = a_run("blind", steps=6, eval_share=0.0), a_run("seeing", steps=6, eval_share=2)
    first, second = train(blind), train(seeing)
    assert first["adapter_id"] == second["adapter_id"]
    assert first["evidence"]["curve"] is None
    assert first["evidence"]["kept"] == second["evidence"]["kept"] == {"keep": "last", "step": 6}
    curve = second["evidence"]["curve"]
    assert [point["step"] for point in curve["points"]] == [1, 2, 3, 4, 5, 6]
    bare = [{k: v for k, v in row.items() if not k.startswith("held_out")} for row in told(seeing)]
    assert bare == told(blind)
    # All looks at all levels, one noise: the final evidence with half of its draws.
    assert len(read_log(seeing)[0]["held_out_each"]) == second["loss"]["pictures"] == 2
    assert curve["points"][-1]["loss"] == pytest.approx(second["loss"]["adapter"], rel=0.2)
    assert curve["base"] == pytest.approx(second["loss"]["base"], rel=0.2)


class Averaging(torch.optim.SGD):
    """As Schedule-Free has it: what learns and what counts are two; the way back rounds."""

    def eval(self):
        self._scale(1 / 3)

    def train(self):
        self._scale(3)

    def _scale(self, by):
        with torch.no_grad():
            for group in self.param_groups:
                for tensor in group["params"]:
                    tensor.mul_(by)


def test_what_would_be_the_adapter_is_looked_at_and_what_learns_goes_on(a_run, monkeypatch):
    def build(_recipe, named):
        return Averaging([parameter for _, parameter in named], lr=0.1)

    monkeypatch.setattr(trainer.optimisers, "build", build)
    blind, seeing = (a_run(str(n), steps=3, eval_noises=1, eval_share=n) for n in (0, 3))
    first, second = train(blind), train(seeing)
    assert first["adapter_id"] == second["adapter_id"]
    # Eight looks a picture are the whole evidence here: the last point is the adapter's own.
    last = second["evidence"]["curve"]["points"][-1]
    assert last["loss"] == pytest.approx(second["loss"]["adapter"], rel=1e-5)


@pytest.fixture(scope="module")
def best(plan_on_ink, tmp_path_factory):
    """A run that was far too long, with the weights of its best checkpoint. Never written to."""
    place = tmp_path_factory.mktemp("best")

    def plan(**knobs):
        return plan_on_ink(place / "blobs", **FAST | {"keep": "best", "steps": 3} | knobs)

    plan().write(place / "run")
    return place, plan, train(place / "run")


def test_the_best_checkpoints_weights_are_the_adapter(best):
    place, plan, result = best
    curve, kept = result["evidence"]["curve"], result["evidence"]["kept"]
    assert kept == {"keep": "best", "step": curve["best"]}
    assert kept["step"] < 3
    assert min(point["loss"] for point in curve["points"]) < curve["points"][-1]["loss"]
    plan(steps=kept["step"], keep="last", eval_share=0.0).write(place / "short")
    assert train(place / "short")["adapter_id"] == result["adapter_id"]
    assert train(place / "short")["loss"] == result["loss"]
    assert len(list((place / "run" / "checkpoint").glob("best-*"))) <= 3


def test_a_run_that_was_stopped_tells_the_same(best, tmp_path, monkeypatch):
    place, plan, whole = best
    folder = tmp_path / "asked"
    plan().write(folder)
    taken = trainer.improve  # really taken: only watched
    steps = []

    def watched(*given, **more):
        steps.append(1)
        if len(steps) == 2:
            ask_to_stop(folder, "Enough.")
        return taken(*given, **more)

    monkeypatch.setattr(trainer, "improve", watched)
    assert trainer.main([str(folder)]) == STOPPED
    # As a kill leaves it: its last checkpoint is missing, and a line is cut off.
    (folder / "checkpoint" / "step-0000002.safetensors").unlink()
    with (folder / "log.jsonl").open("a") as log:
        log.write('{"step": 2, "held_out"')
    forget_stop(folder)
    assert trainer.main([str(folder)]) == 0
    result = read_json(folder / "result.json")
    assert result["resumed_from"] == 1
    assert told(folder) == told(place / "run")
    assert result["evidence"] == whole["evidence"]
    assert result["adapter_id"] == whole["adapter_id"]


def test_lost_best_weights_fail_the_run_and_say_how_to_go_on(best, tmp_path):
    place, _, whole = best
    folder = tmp_path / "lost"
    shutil.copytree(place / "run", folder)
    for name in ("result.json", "adapter.safetensors"):
        (folder / name).unlink()
    for path in (folder / "checkpoint").glob("best-*"):
        path.write_bytes(b"?")
    assert trainer.main([str(folder)]) == 1
    error = json.loads((folder / "error.json").read_text())
    assert error["error"] == "RunFailed"
    assert "checkpoint" in error["hint"]
    assert not (folder / "adapter.safetensors").exists()
    shutil.rmtree(folder / "checkpoint")
    assert trainer.main([str(folder)]) == 0
    assert read_json(folder / "result.json")["adapter_id"] == whole["adapter_id"]
