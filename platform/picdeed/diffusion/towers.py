"""Which vision models can tell how alike pictures are, and what in them is a picture's vector?

The part of a checkpoint that looks at pictures is its tower. Known are, in transformers' layout,
CLIP (with its projection, where the file has one), DINOv2 and ViT (the class token behind the last
norm) and ResNet (mean of the last map), and SSCD by the names of its published weights (`sscd`).
A missing or misshapen weight refuses the folder: transformers would fill it with chance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers

from picdeed.core.errors import UsageError
from picdeed.diffusion.modelfiles import WRONG
from picdeed.diffusion.sscd import MODEL_TYPE as SSCD
from picdeed.diffusion.sscd import Sscd
from picdeed.diffusion.tensors import Tensors

# Cosines from which on a pair is looked at. Of SSCD's, pairs above 0.75 were copies in nine of ten
# (its authors, on DISC2021); the others are generous guesses: what they propose wrongly costs a
# look and joins nobody.
THRESHOLDS: Mapping[str, float] = {
    SSCD: 0.75,
    "clip": 0.9,
    "clip_vision_model": 0.9,
    "dinov2": 0.75,
    "dinov2_with_registers": 0.75,
    "vit": 0.75,
    "resnet": 0.9,
}
_CLASSES = {
    "dinov2": "Dinov2Model",
    "dinov2_with_registers": "Dinov2WithRegistersModel",
    "vit": "ViTModel",
    "resnet": "ResNetModel",
}
_PROJECTION = "visual_projection.weight"
# Parts of some checkpoints that a vector is not taken from.
_UNUSED = ("pooler.", "embeddings.mask_token", "position_ids")


@dataclass(frozen=True, slots=True)
class Tower:
    """`see` takes float32[n, 3, h, w] and gives float[n, d]; `module` is moved to a device."""

    module: torch.nn.Module
    see: Callable[[torch.Tensor], torch.Tensor]
    parameters: int


def tower_of(folder: Path, config: Mapping[str, Any], tensors: Tensors) -> Tower:
    """The tower that a folder's config and tensors describe.

    Raises UsageError naming the folder's file for an unknown `model_type`, a config that describes
    no model, and weights that are missing or of another shape.
    """
    kind = str(config.get("model_type"))
    if kind not in THRESHOLDS:
        raise UsageError(
            f"{folder / 'config.json'} is of the model type {kind!r}, which is not supported; "
            f"known are {', '.join(THRESHOLDS)}. Nothing was compared."
        )
    try:
        if kind == SSCD:
            module: Any = Sscd(config, tensors)
            return _tower(module, module)
        return _from_transformers(folder, kind, config, tensors)
    except WRONG as error:
        said = (str(error).splitlines() or [type(error).__name__])[0][:300]
        raise UsageError(
            f"{folder}: config.json and model.safetensors do not fit each other or describe no "
            f"{kind}: {said} Nothing was compared."
        ) from error


def _from_transformers(
    folder: Path, kind: str, config: Mapping[str, Any], tensors: Tensors
) -> Tower:
    if not kind.startswith("clip"):
        module = _loaded(folder, getattr(transformers, _CLASSES[kind]), config, tensors)
        if kind == "resnet":
            return _tower(module, lambda pixels: module(pixels).pooler_output.flatten(1))
        return _tower(module, lambda pixels: module(pixels).last_hidden_state[:, 0])
    own = dict(config.get("vision_config", config))
    own.pop("model_type", None)
    if _PROJECTION in tensors:
        own["projection_dim"] = len(tensors[_PROJECTION])
        module = _loaded(folder, transformers.CLIPVisionModelWithProjection, own, tensors)
        return _tower(module, lambda pixels: module(pixels).image_embeds)
    module = _loaded(folder, transformers.CLIPVisionModel, own, tensors)
    return _tower(module, lambda pixels: module(pixels).pooler_output)


def _loaded(folder: Path, kind: Any, config: Mapping[str, Any], tensors: Tensors) -> Any:
    """A model of exactly these weights. No file is read here: the tensors were checked."""
    module, told = kind.from_pretrained(
        None,
        config=kind.config_class.from_dict(dict(config)),
        state_dict=dict(tensors),
        output_loading_info=True,
        dtype=torch.float32,
    )
    missing = sorted(one for one in told["missing_keys"] if not any(u in one for u in _UNUSED))
    if missing:
        raise UsageError(
            f"{folder / 'model.safetensors'} lacks {missing[0]}"
            f"{f' and {len(missing) - 1} more weights' if missing[1:] else ''}; nothing was "
            "compared.",
            hint="Take the whole file that belongs to config.json.",
        )
    return module


def _tower(module: Any, see: Callable[[torch.Tensor], torch.Tensor]) -> Tower:
    module.eval().requires_grad_(requires_grad=False)
    return Tower(module, see, sum(one.numel() for one in module.parameters()))
