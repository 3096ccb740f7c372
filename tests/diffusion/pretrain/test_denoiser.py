"""What is cached, and which latents, moments and words does a step of the denoiser see?"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from picdeed.core.events import silent
from picdeed.diffusion.pretrain import autoencoder, compose, denoiser, vocabulary
from picdeed.diffusion.pretrain.recipe import Recipe, TrainingPicture


def encoded(recipe: Recipe, members: list[TrainingPicture], work: Path) -> dict[str, torch.Tensor]:
    work.mkdir(exist_ok=True)
    model = autoencoder.build(recipe)
    return load_file(denoiser.encode(recipe, members, model, work, silent))


def test_the_cache_holds_each_glyph_as_drawn_and_no_held_out_variant(
    tmp_path: Path, pictures: list[TrainingPicture], tiny
) -> None:
    recipe = tiny()
    members = compose.trained_set(pictures)
    # A picture of no concept teaches the autoencoder only.
    members.insert(3, TrainingPicture(members[0].path, "ruler", "", "flat"))
    cached = encoded(recipe, members, tmp_path)
    tints, behind = denoiser.names_of(recipe)
    count, colours = recipe.denoiser.held_out, list(recipe.colours)
    rows = list(
        zip(*(cached[name].tolist() for name in ("picture", "tint", "behind")), strict=True)
    )
    assert len(rows) == 8 * recipe.denoiser.variants == len(cached["values"])
    assert {picture for picture, *_ in rows} == set(range(9)) - {3}
    for place, (picture, tint, ground) in enumerate(rows):
        concept = members[picture].concept
        if place % recipe.denoiser.variants == 0:
            assert (tints[tint], behind[ground]) == ("", "white")
        assert tints[tint] not in compose.held_out(concept, colours, count, "tint")
        assert behind[ground] not in compose.held_out(concept, colours, count)
        assert behind[ground] not in compose.held_out(concept, recipe.places, count)
    values = cached["values"].float()
    assert torch.allclose(values.mean((0, 2, 3)), torch.zeros(4), atol=1e-2)
    assert torch.allclose(values.std((0, 2, 3)), torch.ones(4), atol=1e-2)


def test_a_cached_latent_is_that_of_its_picture(
    tmp_path: Path, pictures: list[TrainingPicture], tiny
) -> None:
    recipe, members = tiny(), compose.trained_set(pictures)
    cached = encoded(recipe, members, tmp_path)
    stack, model = compose.load(members, recipe.side), autoencoder.build(recipe).eval()
    tints, behind = denoiser.names_of(recipe)
    for row, place in ((0, 0), (5, 5), (recipe.denoiser.variants + 3, 3)):
        number = int(cached["picture"][row])
        numbers = compose.stream(recipe.seed, compose.LATENTS, number, place)
        how = (
            compose.variant(recipe, members[number].concept, numbers) if place else compose.AS_DRAWN
        )
        assert (tints[cached["tint"][row]], behind[cached["behind"][row]]) == (how.tint, how.behind)
        pixels = compose.shown(stack[number], how, recipe, numbers if place else None)
        with torch.no_grad():
            latent = model.encode(torch.from_numpy(pixels)[None]).latent_dist.mode()[0]
        back = cached["values"][row].float() * cached["width"][:, None, None]
        assert torch.allclose(back + cached["mean"][:, None, None], latent, atol=0.02)


def test_a_step_sees_what_its_number_says(
    tmp_path: Path, pictures: list[TrainingPicture], tiny
) -> None:
    recipe, members = tiny(), compose.trained_set(pictures)
    latents = denoiser.Latents(**encoded(recipe, members, tmp_path))
    samples = denoiser.Samples(recipe, members, latents)
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
    tmp_path: Path, pictures: list[TrainingPicture], tiny, prediction: str
) -> None:
    recipe, members = tiny(noise={"prediction": prediction}), compose.trained_set(pictures)
    latents = denoiser.Latents(**encoded(recipe, members, tmp_path))
    samples = denoiser.Samples(recipe, members, latents)
    rows = torch.stack([samples.batch(step, range(4))[0].times for step in range(150)]).float()
    for slot in range(4):
        assert (rows[:, slot] >= 250 * slot).all()
        assert (rows[:, slot] <= 250 * (slot + 1)).all()
    edges = [n * 100 for n in range(11)]
    shares = [((rows > low) & (rows <= high)).float().mean() for low, high in pairwise(edges)]
    assert max(shares) < 0.14
    assert min(shares) > 0.06


def test_the_words_of_a_sample_are_of_its_own_picture(
    tmp_path: Path, pictures: list[TrainingPicture], tiny
) -> None:
    recipe = tiny(denoiser={"empty": 0, "say_set": 0, "say_also": 0, "say_white": 0})
    members = compose.trained_set(pictures)
    latents = denoiser.Latents(**encoded(recipe, members, tmp_path))
    samples = denoiser.Samples(recipe, members, latents)
    tokens = vocabulary.learn(recipe.words, recipe.denoiser.vocabulary, recipe.denoiser.tokens)
    seen, v = set(), recipe.denoiser.noise
    assert (v.prediction, v.zero_snr) == ("v_prediction", True)
    for step in range(40):
        made, words = samples.batch(step, [0])
        told = tokens.decode(words[0], skip_special_tokens=True).strip()
        # v = sqrt(a) e - sqrt(1 - a) x and x_t give x; its nearest row is the one that was drawn.
        clean = _clean(made, recipe)
        far = (latents.values.float() - clean).flatten(1).square().sum(1)
        row = int(far.argmin())
        assert far[row] < 1e-3
        concept = members[int(latents.picture[row])].concept
        tint = ["", *recipe.colours][int(latents.tint[row])]
        assert concept in told
        assert tint in told
        seen.add(row)
    assert len(seen) > 20


def _clean(made: object, recipe: Recipe) -> torch.Tensor:
    from picdeed.diffusion.pretrain import forward

    kept = forward.alphas(recipe.denoiser.noise)[made.times][:, None, None, None]  # type: ignore[attr-defined]
    return kept.sqrt() * made.noisy - (1 - kept).sqrt() * made.target  # type: ignore[attr-defined]
