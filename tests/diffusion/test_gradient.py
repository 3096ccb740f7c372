"""Is the gradient of a batch one and the same in parts, and what happens when memory runs out?"""

import pytest
import torch

from picdeed.core.errors import RunFailed
from picdeed.diffusion.draws import slots_of
from picdeed.diffusion.gradient import computing, descend
from picdeed.diffusion.recipe import Precision

SLOTS = slots_of(3, ["a", "b", "c"], seed=1, batch=6, timesteps=1000)


class Model:
    """One weight; a slot's loss depends on its timestep. Asked for more than `room`, it raises."""

    def __init__(self, room=100, error=None):
        self.weight = torch.nn.Parameter(torch.tensor(2.0, dtype=torch.float64))
        self.optimizer = torch.optim.SGD([self.weight], lr=1.0)
        self.room, self.error, self.asked = room, error, []

    def losses(self, slots):
        self.asked.append(len(slots))
        found = self.weight * torch.tensor([slot.timestep + 1.0 for slot in slots])
        if len(slots) > self.room:
            raise self.error
        return found

    def descend(self, slots=SLOTS, whole=6, most=6):
        loss, most = descend(slots, self.losses, self.optimizer, whole=whole, most=most)
        return loss, self.weight.grad.item(), most


@pytest.mark.parametrize("most", [1, 2, 4, 5, 6, 50])
def test_parts_of_a_batch_have_the_whole_batch_s_gradient(most):
    times = [slot.timestep + 1.0 for slot in SLOTS]
    loss, slope, kept = Model().descend(most=most)
    assert slope == pytest.approx(sum(times) / 6)
    assert loss == pytest.approx(2 * sum(times) / 6)
    assert kept == most


def test_what_was_taken_out_of_a_batch_leaves_the_others_weight_as_it_was():
    rest = SLOTS[1:]
    times = [slot.timestep + 1.0 for slot in rest]
    loss, slope, _ = Model().descend(rest, whole=6)
    assert slope == pytest.approx(sum(times) / 6), "not over the five that are left"
    assert loss == pytest.approx(2 * sum(times) / 6)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
)
def test_out_of_memory_halves_what_is_computed_at_once_and_keeps_the_batch(error):
    model = Model(room=2, error=error)
    loss, slope, most = model.descend()
    assert (loss, slope) == pytest.approx(Model().descend()[:2])
    assert most == 2
    assert model.asked == [6, 3, 2, 2, 2]


def test_memory_that_runs_out_within_a_batch_leaves_no_half_gradient():
    model = Model(error=MemoryError())
    seen = []

    def losses(slots):
        seen.append(len(slots))
        if seen == [3, 3]:
            raise MemoryError
        return model.losses(slots)

    _, most = descend(SLOTS, losses, model.optimizer, whole=6, most=3)
    assert model.weight.grad.item() == pytest.approx(Model().descend()[1])
    assert most == 2


def test_one_picture_that_does_not_fit_is_said_so():
    with pytest.raises(RunFailed, match="One picture at a time"):
        Model(room=0, error=MemoryError()).descend()


def test_another_error_is_not_taken_for_want_of_memory():
    model = Model(room=0, error=RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="mat1"):
        model.descend()
    assert model.asked == [6]


def test_bfloat16_computes_coarser_and_is_off_by_default():
    one = torch.randn(8, 8, generator=torch.Generator().manual_seed(1))
    with computing(torch.device("cpu"), Precision.FP32):
        assert (one @ one).dtype == torch.float32
    with computing(torch.device("cpu"), Precision.BF16):
        assert (one @ one).dtype == torch.bfloat16
