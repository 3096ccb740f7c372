"""Is a tower's vector what transformers' own model gives for the part that it is taken from?"""

from __future__ import annotations

import json

import pytest
import torch
from tiny_towers import SIDE, write_tower
from transformers import CLIPModel, CLIPVisionModel, Dinov2Model, ResNetModel, ViTModel

from picdeed.diffusion.modelfiles import part_tensors
from picdeed.diffusion.towers import THRESHOLDS, tower_of

PIXELS = torch.randn(3, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


def opened(folder):
    config = json.loads((folder / "config.json").read_text())
    return tower_of(folder, config, part_tensors(folder, "model", "embedding"))


def projected(model, pixels):
    return model.visual_projection(model.vision_model(pixels).pooler_output)


REFERENCES = {
    "clip": (CLIPModel, projected),
    "clip_vision_model": (CLIPVisionModel, lambda model, pixels: model(pixels).pooler_output),
    "dinov2": (Dinov2Model, lambda model, pixels: model(pixels).pooler_output),
    "vit": (ViTModel, lambda model, pixels: model(pixels).last_hidden_state[:, 0]),
    "resnet": (ResNetModel, lambda model, pixels: model(pixels).pooler_output[:, :, 0, 0]),
}


@pytest.mark.parametrize("kind", REFERENCES)
def test_it_is_the_published_models_vector(kind, tmp_path):
    folder = write_tower(tmp_path / kind, kind)
    tower = opened(folder)
    model, vector = REFERENCES[kind]
    with torch.no_grad():
        wanted = vector(model.from_pretrained(folder, local_files_only=True).eval(), PIXELS)
        found = tower.see(PIXELS)
    assert found.shape == wanted.shape
    assert torch.allclose(found, wanted, atol=1e-5)
    assert wanted.std(0).max() > 0.01  # the pictures differ


@pytest.mark.parametrize("kind", ["dinov2", "resnet"])
def test_a_classifiers_checkpoint_gives_its_trunk(kind, tmp_path):
    from transformers import Dinov2ForImageClassification, ResNetForImageClassification

    head = {"dinov2": Dinov2ForImageClassification, "resnet": ResNetForImageClassification}[kind]
    trunk = write_tower(tmp_path / "trunk", kind)
    model = head.from_pretrained(trunk, local_files_only=True)
    model.save_pretrained(tmp_path / "head")
    with torch.no_grad():
        assert torch.equal(opened(trunk).see(PIXELS), opened(tmp_path / "head").see(PIXELS))


def test_every_kind_has_a_threshold_that_is_a_cosine():
    assert all(0 < one < 1 for one in THRESHOLDS.values())
