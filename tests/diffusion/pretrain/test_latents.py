"""What is cached of the pictures, and what does a kill leave of it?"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from picdeed.core.events import silent
from picdeed.diffusion.pretrain import autoencoder, compose, latents
from picdeed.diffusion.pretrain.recipe import TrainingPicture
from picdeed.diffusion.pretrain.step import Worker


def test_the_cache_holds_each_glyph_as_drawn_and_no_held_out_variant(
    tmp_path: Path, pictures: list[TrainingPicture], tiny, encoded
) -> None:
    recipe = tiny()
    members = compose.trained_set(pictures)
    # A picture of no concept teaches the autoencoder only.
    members.insert(3, TrainingPicture(members[0].path, "ruler", "", "flat"))
    known = encoded(recipe, members, tmp_path)
    tints, behind = latents.names_of(recipe)
    count, colours = recipe.denoiser.held_out, list(recipe.colours)
    rows = list(
        zip(*(getattr(known, name).tolist() for name in ("picture", "tint", "behind")), strict=True)
    )
    assert len(rows) == 8 * recipe.denoiser.variants == len(known.values)
    assert {picture for picture, *_ in rows} == set(range(9)) - {3}
    for place, (picture, tint, ground) in enumerate(rows):
        concept = members[picture].concept
        if place % recipe.denoiser.variants == 0:
            assert (tints[tint], behind[ground]) == ("", "white")
        assert tints[tint] not in compose.held_out(concept, colours, count, "tint")
        assert behind[ground] not in compose.held_out(concept, colours, count)
        assert behind[ground] not in compose.held_out(concept, recipe.places, count)
    values = known.values.float()
    assert torch.allclose(values.mean((0, 2, 3)), torch.zeros(4), atol=1e-2)
    assert torch.allclose(values.std((0, 2, 3)), torch.ones(4), atol=1e-2)


def test_a_cached_latent_is_that_of_its_picture(
    tmp_path: Path, pictures: list[TrainingPicture], tiny, encoded
) -> None:
    recipe, members = tiny(), compose.trained_set(pictures)
    known = encoded(recipe, members, tmp_path)
    stack, model = compose.load(members, recipe.side), autoencoder.build(recipe).eval()
    tints, behind = latents.names_of(recipe)
    for row, place in ((0, 0), (5, 5), (recipe.denoiser.variants + 3, 3)):
        number = int(known.picture[row])
        numbers = compose.stream(recipe.seed, compose.LATENTS, number, place)
        how = (
            compose.variant(recipe, members[number].concept, numbers) if place else compose.AS_DRAWN
        )
        assert (tints[known.tint[row]], behind[known.behind[row]]) == (how.tint, how.behind)
        pixels = compose.shown(stack[number], how, recipe, numbers if place else None)
        with torch.no_grad():
            latent = model.encode(torch.from_numpy(pixels)[None]).latent_dist.mode()[0]
        back = known.values[row].float() * known.width[:, None, None]
        assert torch.allclose(back + known.mean[:, None, None], latent, atol=0.02)


def test_a_kill_leaves_the_parts_that_were_made(
    tmp_path: Path,
    pictures: list[TrainingPicture],
    tiny,
    encoded,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe, members = tiny(), compose.trained_set(pictures)
    monkeypatch.setattr(latents, "_GLYPHS", 3)
    whole = encoded(recipe, members, tmp_path / "whole")
    work, made = tmp_path / "cut", []
    work.mkdir()
    shown = compose.shown

    def watched(*given: object) -> object:
        made.append(given)
        if len(made) == recipe.denoiser.variants * 5:
            raise KeyboardInterrupt
        return shown(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(compose, "shown", watched)
    with pytest.raises(KeyboardInterrupt):
        latents.encode(recipe, members, work, worker=Worker(0, 1), progress=silent)
    assert [path.name for path in work.iterdir()] == ["latents-00000.safetensors"]
    for rank in (1, 0):
        latents.encode(recipe, members, work, worker=Worker(rank, 2), progress=silent)
    # 5 glyphs were begun before the kill, of which 3 were kept; 8 there are.
    assert len(made) == recipe.denoiser.variants * (5 + 5)
    latents.join(members, work)
    assert [path.name for path in work.iterdir()] == [latents.FILE]
    again = latents.cached(work)
    for name in ("values", "picture", "tint", "behind", "mean", "width"):
        assert torch.equal(getattr(again, name), getattr(whole, name))
