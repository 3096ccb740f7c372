"""Are the exported latents normalised, and is the tokenizer the same one twice?"""

from __future__ import annotations

import torch

from picdeed.diffusion.pretrain import autoencoder, export, vocabulary


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
