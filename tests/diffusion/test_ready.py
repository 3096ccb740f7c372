"""Does a loss count where it should, and only there?"""

import pytest
import torch
from PIL import Image, ImageDraw

from picdeed.diffusion.cache import latent_moments, loss_masks
from picdeed.diffusion.data import dataset_of, masks_of, square
from picdeed.diffusion.draws import Slot
from picdeed.diffusion.models import load_base
from picdeed.diffusion.objective import Objective
from picdeed.diffusion.ready import prepare, slots_losses
from picdeed.diffusion.recipe import Precision
from picdeed.diffusion.train import train
from picdeed.testing import tiny_picture


@pytest.fixture
def stickers(save_picture):
    """Six drawings; of the first five only the left half is opaque."""
    found = []
    for n in range(6):
        image = tiny_picture(n + 1, 32).convert("RGBA")
        if n < 5:
            ImageDraw.Draw(image).rectangle((16, 0, 32, 32), fill=(255, 0, 0, 0))
        found.append(save_picture(image, f"s{n}"))
    return found


def test_a_mask_is_how_opaque_a_picture_is(stickers):
    masks = list(masks_of(dataset_of(stickers), square(32)))
    assert [name for name, _ in masks] == [one.picture for one in stickers]
    first, last = masks[0][1], masks[-1][1]
    assert first.shape == (32, 32)
    assert first[:, :16].min() == 1
    assert first[:, 16:].max() == 0
    assert last.min() == 1, "no transparency: all of it counts"


def test_masks_have_their_latents_size(tiny_base, stickers, tmp_path):
    base = load_base(tiny_base)
    moments = latent_moments(base, stickers, tmp_path, flip=False)
    masks = loss_masks(base, stickers, moments, buckets=False)
    assert masks[stickers[0].picture].shape == (1, 8, 8)
    assert masks[stickers[0].picture][0].mean(0).tolist() == [1, 1, 1, 1, 0, 0, 0, 0]


def test_a_masked_loss_is_the_mean_where_the_mask_is(tiny_base):
    objective = Objective(load_base(tiny_base))
    generator = torch.Generator().manual_seed(1)
    latents, noise = (torch.randn(2, 4, 8, 8, generator=generator) for _ in range(2))
    times = torch.tensor([100, 800])
    prompts = {"prompt_embeds": torch.randn(2, 16, 16, generator=generator)}
    left = torch.zeros(2, 1, 8, 8)
    left[..., :4] = 1
    with torch.no_grad():
        whole = objective.losses(latents, noise, times, prompts)
        ones = objective.losses(latents, noise, times, prompts, torch.ones_like(left))
        first = objective.losses(latents, noise, times, prompts, left)
        second = objective.losses(latents, noise, times, prompts, 1 - left)
        nothing = objective.losses(latents, noise, times, prompts, torch.zeros_like(left))
    assert torch.allclose(ones, whole)
    assert torch.allclose((first + second) / 2, whole, atol=1e-6)
    assert not torch.allclose(first, second, atol=1e-3)
    assert nothing.tolist() == [0, 0]


def test_a_slot_s_mask_is_mirrored_with_its_picture(tiny_base, stickers, make_plan, tmp_path):
    plan = make_plan(tiny_base, stickers, mask_alpha=True, flip=True)
    ready = prepare(tmp_path, plan)
    objective = Objective(ready.base)
    name = next(one.picture for one in plan.members if one.picture != stickers[-1].picture)
    left = torch.zeros(1, 1, 8, 8)
    left[..., :4] = 1
    for flip, where in ((False, left), (True, left.flip(-1))):
        slot = Slot(name, flip, drop_caption=False, timestep=500, noise_seed=3)
        mean, deviation = ready.moments[name][int(flip)]
        generator = torch.Generator().manual_seed(3)
        latent = mean + deviation * torch.randn(mean.shape, generator=generator)
        noise = torch.randn(mean.shape, generator=generator)
        prompt = {key: one[None] for key, one in ready.prompts[name].items()}
        given = (latent[None], noise[None], torch.tensor([500]), prompt)
        with torch.no_grad():
            said = slots_losses(objective, ready, Precision.FP32, [slot])
            assert torch.allclose(said, objective.losses(*given, where))
            assert not torch.allclose(said, objective.losses(*given, 1 - where), rtol=1e-3)


def test_a_run_learns_with_masks(tiny_base, stickers, make_plan, tmp_path):
    for name, knobs in (("masked", {"mask_alpha": True}), ("whole", {})):
        make_plan(tiny_base, stickers, steps=3, **knobs).write(tmp_path / name)
    ids = [train(tmp_path / name)["adapter_id"] for name in ("masked", "whole")]
    assert ids[0] != ids[1]


def test_pictures_without_transparency_learn_the_same_with_masks(
    tiny_base, ink, make_plan, tmp_path
):
    for name, knobs in (("masked", {"mask_alpha": True}), ("whole", {})):
        make_plan(tiny_base, ink, steps=3, **knobs).write(tmp_path / name)
    losses = [train(tmp_path / name)["loss"]["adapter"] for name in ("masked", "whole")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_an_image_mode_without_alpha_is_all_there(save_picture):
    grey = save_picture(Image.new("L", (20, 32), 90), "grey")
    ((_, mask),) = masks_of(dataset_of([grey]), square(16))
    assert mask.min() == 1
