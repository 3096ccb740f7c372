"""Tiny vision models with random weights, as folders that `--embedding` takes. Made in a moment.

Weights are drawn wider than usual: a network that is initialised to be trained gives every picture
nearly one vector.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import (
    BitImageProcessorPil,
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPVisionConfig,
    CLIPVisionModel,
    Dinov2Config,
    Dinov2Model,
    ResNetConfig,
    ResNetModel,
    ViTConfig,
    ViTImageProcessorPil,
    ViTModel,
)

SIDE = 56
_VISION = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": SIDE,
    "patch_size": 14,
}
_TEXT = {
    "vocab_size": 64,
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "max_position_embeddings": 8,
    "bos_token_id": 0,
    "eos_token_id": 1,
}
KINDS = ("clip", "clip_vision_model", "dinov2", "vit", "resnet", "sscd")


def write_tower(folder: Path, kind: str, seed: int = 0) -> Path:
    """A folder with a random model of this type that reads pictures of 56 x 56."""
    folder.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if kind == "sscd":
            save_file(sscd_weights(), folder / "model.safetensors")
            (folder / "config.json").write_text(json.dumps({"model_type": "sscd"}))
        else:
            widened(_model(kind)).save_pretrained(folder)
    _processor(kind).save_pretrained(folder)
    return folder


def _model(kind: str) -> Any:
    if kind == "clip":
        vision = {**_VISION, "projection_dim": 24}
        return CLIPModel(CLIPConfig(text_config=_TEXT, vision_config=vision, projection_dim=24))
    if kind == "clip_vision_model":
        return CLIPVisionModel(CLIPVisionConfig(**_VISION))
    if kind == "dinov2":
        return Dinov2Model(Dinov2Config(**_VISION))
    if kind == "vit":
        return ViTModel(ViTConfig(**_VISION))
    return ResNetModel(
        ResNetConfig(embedding_size=8, hidden_sizes=[16, 32, 32, 64], depths=[1] * 4)
    )


def _processor(kind: str) -> Any:
    square = {"height": SIDE, "width": SIDE}
    if kind.startswith("clip"):
        return CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size=square)
    if kind == "sscd":
        return BitImageProcessorPil(size={"shortest_edge": SIDE}, do_center_crop=False)
    if kind == "vit":
        return ViTImageProcessorPil(size=square)
    return BitImageProcessorPil(size={"shortest_edge": 64}, crop_size=square)


def widened(model: Any, by: float = 10.0) -> Any:
    """The model with its linear weights drawn wider, so that pictures differ."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim == 2 and "embedding" not in name:
                weight.mul_(by)
    return model


def sscd_weights(depths: tuple[int, ...] = (1, 2, 1, 1), numbers: int = 24) -> dict[str, Any]:
    """A small ResNet under torchvision's names, as SSCD's weights have them."""
    found: dict[str, Any] = {}

    def conv(name: str, out: int, into: int, side: int) -> None:
        found[f"{name}.weight"] = torch.randn(out, into, side, side) * (2 / into / side**2) ** 0.5

    def norm(name: str, width: int) -> None:
        found[f"{name}.weight"] = 1 + 0.2 * torch.randn(width)
        found[f"{name}.bias"] = 0.2 * torch.randn(width)
        found[f"{name}.running_mean"] = 0.2 * torch.randn(width)
        found[f"{name}.running_var"] = 0.5 + torch.rand(width)
        found[f"{name}.num_batches_tracked"] = torch.tensor(7)

    conv("backbone.conv1", 8, 3, 7)
    norm("backbone.bn1", 8)
    width = 8
    for stage, depth in enumerate(depths, 1):
        inner, out = 4 * 2**stage, 16 * 2**stage
        for at in range(depth):
            block = f"backbone.layer{stage}.{at}"
            conv(f"{block}.conv1", inner, width, 1)
            conv(f"{block}.conv2", inner, inner, 3)
            conv(f"{block}.conv3", out, inner, 1)
            for n, many in ((1, inner), (2, inner), (3, out)):
                norm(f"{block}.bn{n}", many)
            if at == 0:
                conv(f"{block}.downsample.0", out, width, 1)
                norm(f"{block}.downsample.1", out)
            width = out
    found["backbone.fc.weight"] = torch.randn(numbers, width) / width**0.5
    found["backbone.fc.bias"] = torch.zeros(numbers)
    return found
