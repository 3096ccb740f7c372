"""Does SSCD compute what torchvision's ResNet with its pooling does, and name what is missing?"""

from __future__ import annotations

import pytest
import torch
from tiny_towers import sscd_weights
from transformers import ResNetConfig, ResNetModel

from picdeed.diffusion.sscd import Sscd

DEPTHS = (1, 2, 1, 1)
PIXELS = torch.randn(2, 3, 90, 64, generator=torch.Generator().manual_seed(3))


@pytest.fixture
def weights():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return sscd_weights(DEPTHS)


def as_transformers(name):
    """torchvision's name for a weight of the trunk, as transformers' ResNet has it."""
    name = name.removeprefix("backbone.")
    stem = {"conv1": "convolution", "bn1": "normalization"}
    first, _, rest = name.partition(".")
    if first in stem:
        return f"embedder.embedder.{stem[first]}.{rest}"
    stage, at, part, *more = name.split(".")
    block = f"encoder.stages.{int(stage[5:]) - 1}.layers.{at}"
    if part == "downsample":
        return f"{block}.shortcut.{('convolution', 'normalization')[int(more[0])]}.{more[1]}"
    what = "convolution" if part.startswith("conv") else "normalization"
    return f"{block}.layer.{int(part[-1]) - 1}.{what}.{more[0]}"


def test_it_is_a_resnet_with_generalised_mean_pooling(weights):
    trunk = ResNetModel(
        ResNetConfig(
            embedding_size=8,
            hidden_sizes=[32, 64, 128, 256],
            depths=list(DEPTHS),
            downsample_in_first_stage=False,
        )
    ).eval()
    trunk.load_state_dict(
        {as_transformers(name): one for name, one in weights.items() if ".fc." not in name}
    )
    with torch.no_grad():
        last = trunk(PIXELS).last_hidden_state
        pooled = last.clamp(min=1e-6).pow(3).mean((2, 3)).pow(1 / 3)
        wanted = pooled @ weights["backbone.fc.weight"].T + weights["backbone.fc.bias"]
        found = Sscd({}, weights)(PIXELS)
    assert torch.allclose(found, wanted, atol=1e-4)


def test_the_power_of_the_pooling_can_be_said(weights):
    assert not torch.allclose(Sscd({"pool": 1}, weights)(PIXELS), Sscd({}, weights)(PIXELS))
    with pytest.raises(ValueError, match="power"):
        Sscd({"pool": 0}, weights)


def test_names_without_a_prefix_are_the_same(weights):
    bare = {name.removeprefix("backbone."): one for name, one in weights.items()}
    assert torch.equal(Sscd({}, bare)(PIXELS), Sscd({}, weights)(PIXELS))


@pytest.mark.parametrize(
    "name", ["backbone.fc.bias", "backbone.bn1.running_var", "backbone.layer2.1.conv2.weight"]
)
def test_a_missing_weight_is_named(weights, name):
    del weights[name]
    with pytest.raises(ValueError, match=name.removeprefix("backbone.")):
        Sscd({}, weights)


def test_what_is_no_such_network_is_refused(weights):
    with pytest.raises(ValueError, match="no ResNet"):
        Sscd({}, {"trunk.conv.weight": torch.zeros(1)})
    weights["backbone.layer3.0.conv2.weight"] = torch.zeros(7, 7, 3, 3)
    with pytest.raises(RuntimeError):
        Sscd({}, weights)
