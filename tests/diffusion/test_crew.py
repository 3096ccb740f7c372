"""Do several processes train the adapter that one trains, and what if one of them dies?"""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
import torch

from picdeed.core.errors import RunFailed
from picdeed.diffusion.crew import Crew, led
from picdeed.diffusion.draws import slots_of
from picdeed.diffusion.lora import load_adapter
from picdeed.diffusion.runfolder import read_json, read_log
from picdeed.diffusion.train import train


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_the_shares_of_a_step_are_all_of_it(count):
    slots = slots_of(4, ["a", "b", "c"], seed=1, batch=5, timesteps=1000)
    shares = [Crew(rank, count).share(slots) for rank in range(count)]
    assert sorted(slot.noise_seed for some in shares for slot in some) == sorted(
        slot.noise_seed for slot in slots
    )


def test_one_process_sums_nothing():
    weight = torch.nn.Parameter(torch.ones(2))
    assert Crew().summed(0.5, [weight]) == 0.5
    assert weight.grad is None


def test_two_processes_learn_what_one_learns(a_run):
    knobs = {"steps": 6, "batch": 5, "learning_rate": 0.01}
    alone, both = a_run("alone", **knobs), a_run("both", processes=2, **knobs)
    one, two = train(alone), train(both)
    assert [row["loss"] for row in read_log(both)] == pytest.approx(
        [row["loss"] for row in read_log(alone)], rel=1e-4
    )
    assert two["exposure"] == one["exposure"]
    first, second = (load_adapter(folder / "adapter.safetensors") for folder in (alone, both))
    for name, tensor in first.tensors.items():
        assert torch.allclose(second.tensors[name], tensor, atol=1e-4), name


@pytest.mark.soak  # four processes load torch
def test_when_one_process_dies_the_run_ends_cleanly_and_goes_on(a_run):
    folder = a_run("both", processes=2, steps=400, batch=4)
    process = start(folder)
    while len(read_log(folder)) < 60:
        assert process.poll() is None, process.stdout.read().decode()
        time.sleep(0.01)
    (other,) = psutil.Process(process.pid).children()
    other.send_signal(signal.SIGKILL)
    assert process.wait(30) == 1
    assert "One of the run's processes ended" in read_json(folder / "error.json")["message"]
    assert not (folder / "adapter.safetensors").exists()
    process = start(folder)
    assert process.wait() == 0, process.stdout.read().decode()
    whole = a_run("whole", processes=2, steps=400, batch=4)
    assert train(whole)["adapter_id"] == read_json(folder / "result.json")["adapter_id"]
    assert read_json(folder / "result.json")["resumed_from"] >= 40


def start(folder):
    return subprocess.Popen(
        [sys.executable, "-m", "picdeed.diffusion.train", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def test_a_process_that_dies_on_its_way_is_not_waited_for(tmp_path):
    """Torch would wait for hours: the other one finds no plan here."""
    with pytest.raises(RunFailed, match="ended"), led(tmp_path, 2):
        pytest.fail("nobody came")
