"""Is nothing computed twice, and nothing stale ever used?"""

import shutil
from pathlib import Path

import pytest
import torch

from picdeed.diffusion.cache import embed, forget, frames, latent_moments, prompt_embeddings
from picdeed.diffusion.models import load_base


@pytest.fixture
def base(tiny_base):
    return load_base(tiny_base)


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def test_latents_are_moments_of_both_views_in_the_unets_scale(base, ink, tmp_path):
    moments = latent_moments(base, ink, tmp_path / "cache", flip=True)
    one = moments[ink[0].picture]
    assert one.shape == (2, 2, 4, 8, 8)
    assert (one[:, 1] > 0).all()
    assert not torch.allclose(one[1, 0], one[0, 0].flip(-1)), "a flipped latent is no shortcut"
    assert latent_moments(base, ink, tmp_path / "c2", flip=False)[ink[0].picture].shape[0] == 1


def test_kept_latents_are_used_without_the_pictures(base, ink, tmp_path):
    made = latent_moments(base, ink, tmp_path / "cache", flip=False)
    for trainee in ink:
        Path(trainee.path).unlink()
    assert same(made, latent_moments(base, ink, tmp_path / "cache", flip=False))


def test_a_latent_does_not_depend_on_its_neighbours(base, ink, tmp_path):
    together = latent_moments(base, ink, tmp_path / "a", flip=False)
    alone = latent_moments(base, ink[4:5], tmp_path / "b", flip=False)
    assert torch.equal(together[ink[4].picture], alone[ink[4].picture])


def test_another_encoder_is_another_latent(base, ink, tmp_path, make_base):
    made = latent_moments(base, ink, tmp_path / "cache", flip=False)
    other = load_base(make_base(tmp_path / "other", seed=1))
    assert not same(made, latent_moments(other, ink, tmp_path / "cache", flip=False))
    assert same(made, latent_moments(base, ink, tmp_path / "cache", flip=False))


@pytest.mark.parametrize("damage", [b"", b"nonsense"])
def test_a_broken_entry_is_made_again(base, ink, tmp_path, damage):
    made = latent_moments(base, ink, tmp_path / "cache", flip=False)
    for path in (tmp_path / "cache").rglob("*.safetensors"):
        path.write_bytes(damage)
    assert same(made, latent_moments(base, ink, tmp_path / "cache", flip=False))


def test_forgetting_a_picture_removes_what_was_derived_from_it_and_nothing_else(
    base, ink, tmp_path
):
    latent_moments(base, ink, tmp_path / "cache", flip=False)
    forget(tmp_path / "cache", ink[0].picture)
    forget(tmp_path / "cache", "img_" + "0" * 64)
    left = {path.name for path in (tmp_path / "cache" / "latents").iterdir()}
    assert left == {trainee.picture for trainee in ink[1:]}


def test_captions_are_embedded_once_and_as_the_encoder_does(base, tmp_path):
    made = prompt_embeddings(base, ["a cat", "", "a cat"], tmp_path)
    assert made.keys() == {"a cat", ""}
    assert made["a cat"].keys() == {"prompt_embeds"}
    assert made["a cat"]["prompt_embeds"].shape == (16, 16)
    assert same(made["a cat"], embed(base, "a cat"))
    assert not same(made["a cat"], made[""])
    kept = sorted((tmp_path / "prompts").iterdir())
    assert len(kept) == 2
    again = prompt_embeddings(base, ["a cat", ""], tmp_path)
    assert all(same(made[caption], again[caption]) for caption in made)
    shutil.copy(kept[0], kept[1])
    again = prompt_embeddings(base, ["a cat", ""], tmp_path)
    assert not all(same(made[caption], again[caption]) for caption in made), "it was read back"


def test_a_caption_longer_than_the_encoder_reads_is_cut(base):
    assert embed(base, "long " * 400)["prompt_embeds"].shape == (16, 16)


def test_a_base_that_is_not_told_frames_opens_no_picture(base, ink, tmp_path):
    for trainee in ink:
        Path(trainee.path).unlink()
    told = frames(base, ink, tmp_path)
    assert told == {trainee.picture: {} for trainee in ink}
    assert not list(tmp_path.rglob("frame-*"))
