"""Which latents, moments and words does a step of the denoiser see?"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import torch

from picdeed.diffusion.pretrain import compose, denoiser, vocabulary
from picdeed.diffusion.pretrain.recipe import Recipe, TrainingPicture


def test_a_step_sees_what_its_number_says(
    tmp_path: Path, pictures: list[TrainingPicture], tiny, encoded
) -> None:
    recipe, members = tiny(), compose.trained_set(pictures)
    known = encoded(recipe, members, tmp_path)
    samples = denoiser.Samples(recipe, members, known)
    (made, words), (same, told) = samples.batch(3, range(4)), samples.batch(3, range(4))
    for name in ("noisy", "times", "target", "weight"):
        assert torch.equal(getattr(made, name), getattr(same, name))
    assert torch.equal(words, told)
    assert not torch.equal(made.noisy, samples.batch(4, range(4))[0].noisy)
    # A worker's share is a part of the whole batch.
    half, some = samples.batch(3, range(2, 4))
    assert torch.equal(half.noisy, made.noisy[2:])
    assert torch.equal(some, words[2:])


@pytest.mark.parametrize("prediction", ["v_prediction", "flow_prediction"])
def test_the_slots_of_a_step_cover_all_times_evenly(
    tmp_path: Path, pictures: list[TrainingPicture], tiny, encoded, prediction: str
) -> None:
    recipe, members = tiny(noise={"prediction": prediction}), compose.trained_set(pictures)
    known = encoded(recipe, members, tmp_path)
    samples = denoiser.Samples(recipe, members, known)
    rows = torch.stack([samples.batch(step, range(4))[0].times for step in range(150)]).float()
    for slot in range(4):
        assert (rows[:, slot] >= 250 * slot).all()
        assert (rows[:, slot] <= 250 * (slot + 1)).all()
    edges = [n * 100 for n in range(11)]
    shares = [((rows > low) & (rows <= high)).float().mean() for low, high in pairwise(edges)]
    assert max(shares) < 0.14
    assert min(shares) > 0.06


def test_the_words_of_a_sample_are_of_its_own_picture(
    tmp_path: Path, pictures: list[TrainingPicture], tiny, encoded
) -> None:
    recipe = tiny(denoiser={"empty": 0, "say_set": 0, "say_also": 0, "say_white": 0})
    members = compose.trained_set(pictures)
    known = encoded(recipe, members, tmp_path)
    samples = denoiser.Samples(recipe, members, known)
    tokens = vocabulary.learn(recipe.words, recipe.denoiser.vocabulary, recipe.denoiser.tokens)
    seen, v = set(), recipe.denoiser.noise
    assert (v.prediction, v.zero_snr) == ("v_prediction", True)
    for step in range(40):
        made, words = samples.batch(step, [0])
        told = tokens.decode(words[0], skip_special_tokens=True).strip()
        # v = sqrt(a) e - sqrt(1 - a) x and x_t give x; its nearest row is the one that was drawn.
        clean = _clean(made, recipe)
        far = (known.values.float() - clean).flatten(1).square().sum(1)
        row = int(far.argmin())
        assert far[row] < 1e-3
        concept = members[int(known.picture[row])].concept
        tint = ["", *recipe.colours][int(known.tint[row])]
        assert concept in told
        assert tint in told
        seen.add(row)
    assert len(seen) > 20


def _clean(made: object, recipe: Recipe) -> torch.Tensor:
    from picdeed.diffusion.pretrain import forward

    kept = forward.alphas(recipe.denoiser.noise)[made.times][:, None, None, None]  # type: ignore[attr-defined]
    return kept.sqrt() * made.noisy - (1 - kept).sqrt() * made.target  # type: ignore[attr-defined]
