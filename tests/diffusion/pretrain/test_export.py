"""Are the exported latents normalised, and is the tokenizer the same one twice?"""

from __future__ import annotations

import json

import pytest
import torch

from picdeed.core.errors import UsageError
from picdeed.core.resources import bundled
from picdeed.diffusion.pretrain import autoencoder, export, vocabulary
from picdeed.diffusion.pretrain import recipe as recipes


def test_folding_normalises_the_latents_and_changes_no_picture(tiny) -> None:
    model = autoencoder.build(tiny()).eval()
    picture = torch.rand(2, 3, 32, 32) * 2 - 1
    with torch.no_grad():
        latents = model.encode(picture).latent_dist.mode()
        painted = model.decode(latents).sample
        mean, width = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
        export.fold(model, mean, width)
        folded = model.encode(picture).latent_dist.mode()
        again = model.decode(folded).sample
    assert torch.allclose(painted, again, atol=1e-4)
    assert torch.allclose(folded.mean((0, 2, 3)), torch.zeros(4), atol=1e-4)
    assert torch.allclose(folded.std((0, 2, 3)), torch.ones(4), atol=1e-4)


def test_vocabulary_is_the_same_twice_and_keeps_unknown_letters(tiny) -> None:
    words = tiny().words
    one, two = (vocabulary.learn(words, 640, 16) for _ in range(2))
    assert one.get_vocab() == two.get_vocab()
    tokens = vocabulary.encode(one, ["zebra é cat", ""])
    assert [len(row) for row in tokens] == [16, 16]
    assert tokens[0].index(1) > 7
    assert tokens[1][:2] == [0, 1]
    assert one.tokenize("cat") == ["cat</w>"]


def test_how_a_base_draws_best_is_told_and_no_part_of_its_recipes_digest(tiny) -> None:
    recipe = tiny()
    other = {**recipe.tables, "sampling": {"guidance": 3.0}}
    without = {name: table for name, table in recipe.tables.items() if name != "sampling"}
    assert recipes.parse(other, recipe.words).digest == recipe.digest
    assert recipes.parse(without, recipe.words).digest == recipe.digest
    assert recipes.parse({**other, "side": 16}, recipe.words).digest != recipe.digest
    asked = export._deed(recipe, [], {"autoencoder": 1, "denoiser": 1}, {}, None)
    assert asked["sampling"] == recipe.tables["sampling"]
    assert "sampling" not in export._deed(
        recipes.parse(without, recipe.words), [], {"autoencoder": 1, "denoiser": 1}, {}, None
    )


@pytest.mark.parametrize("table", [{"guidance": "high"}, {"guidance_stop": 0}, {"steps": 20}])
def test_a_recipe_that_cannot_be_drawn_is_refused(tiny, table) -> None:
    recipe = tiny()
    with pytest.raises(UsageError, match=r"way to draw|Guidance cannot"):
        recipes.parse({**recipe.tables, "sampling": table}, recipe.words)


def test_the_shipped_deed_is_that_of_the_shipped_recipe(sprig) -> None:
    deed = json.loads((bundled("models") / "sprig" / export.DEED).read_text("utf-8"))
    assert deed["recipe"] == sprig.digest
    assert deed["sampling"] == sprig.sampling
