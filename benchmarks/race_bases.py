"""On what do both sides of a race train? Bases of random weights, and drawn pictures.

Speed needs no better weights: only their shapes, which are those of Stable Diffusion 1 and XL,
whole or small. They begin as torch begins them, or, as that takes minutes for the large ones, are
drawn on a device at a width that keeps numbers where they are, and written in bf16.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from picdeed.core.resources import bundled
from picdeed.testing import tiny_picture

SEED = 7
_DOWN, _UP = "DownBlock2D", "UpBlock2D"
_CROSS_DOWN, _CROSS_UP = "CrossAttnDownBlock2D", "CrossAttnUpBlock2D"


@dataclass(frozen=True)
class Shape:
    """A base's sizes, and how it is trained. `second` is SDXL's other encoder."""

    side: int
    unet: Mapping[str, Any]
    vae: tuple[int, ...]
    vae_layers: int
    text: Mapping[str, Any]
    batch: int
    pictures: int
    second: Mapping[str, Any] | None = None


def _text(width: int, layers: int, heads: int, **more: Any) -> dict[str, Any]:
    said = {"hidden_size": width, "intermediate_size": 4 * width, "num_hidden_layers": layers}
    return {"projection_dim": 768, **said, "num_attention_heads": heads, **more}


def _two_encoders(width: int, told: int) -> dict[str, Any]:
    """What SDXL's UNet is told beside the time: six numbers, and words of this width."""
    return {
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": told,
        "projection_class_embeddings_input_dim": width + 6 * told,
        "use_linear_projection": True,
    }


SHAPES = {
    "tiny": Shape(
        side=64,
        unet={
            "block_out_channels": (32, 64),
            "down_block_types": (_CROSS_DOWN, _DOWN),
            "up_block_types": (_UP, _CROSS_UP),
            "layers_per_block": 1,
            "cross_attention_dim": 64,
            "attention_head_dim": 4,
        },
        vae=(32, 32, 32, 32),
        vae_layers=1,
        text=_text(64, 2, 4),
        batch=2,
        pictures=4,
    ),
    "tiny-xl": Shape(
        side=64,
        unet={
            "block_out_channels": (32, 64),
            "down_block_types": (_DOWN, _CROSS_DOWN),
            "up_block_types": (_CROSS_UP, _UP),
            "layers_per_block": 1,
            "transformer_layers_per_block": (1, 2),
            "cross_attention_dim": 96,
            "attention_head_dim": (2, 4),
            **_two_encoders(32, 8),
        },
        vae=(32, 32, 32, 32),
        vae_layers=1,
        text=_text(64, 2, 4),
        batch=1,
        pictures=4,
        second=_text(32, 2, 4, projection_dim=32),
    ),
    "study": Shape(
        side=128,
        unet={
            "block_out_channels": (64, 128, 320),
            "down_block_types": (_CROSS_DOWN, _CROSS_DOWN, _DOWN),
            "up_block_types": (_UP, _CROSS_UP, _CROSS_UP),
            "layers_per_block": 2,
            "cross_attention_dim": 192,
            "attention_head_dim": 8,
        },
        vae=(32, 64, 128, 128),
        vae_layers=1,
        text=_text(192, 2, 4),
        batch=4,
        pictures=64,
    ),
    "sd15": Shape(
        side=512,
        unet={
            "block_out_channels": (320, 640, 1280, 1280),
            "down_block_types": (*(_CROSS_DOWN,) * 3, _DOWN),
            "up_block_types": (_UP, *(_CROSS_UP,) * 3),
            "layers_per_block": 2,
            "cross_attention_dim": 768,
            "attention_head_dim": 8,
        },
        vae=(128, 256, 512, 512),
        vae_layers=2,
        text=_text(768, 12, 12),
        batch=2,
        pictures=8,
    ),
    "sdxl": Shape(
        side=1024,
        unet={
            "block_out_channels": (320, 640, 1280),
            "down_block_types": (_DOWN, _CROSS_DOWN, _CROSS_DOWN),
            "up_block_types": (_CROSS_UP, _CROSS_UP, _UP),
            "layers_per_block": 2,
            "transformer_layers_per_block": (1, 2, 10),
            "cross_attention_dim": 2048,
            "attention_head_dim": (5, 10, 20),
            **_two_encoders(1280, 256),
        },
        vae=(128, 256, 512, 512),
        vae_layers=2,
        text=_text(768, 12, 12),
        batch=1,
        pictures=8,
        second=_text(1280, 32, 20, projection_dim=1280, hidden_act="gelu"),
    ),
}


def make_base(shape: Shape, folder: Path, drawn_on: torch.device | None = None) -> Path:
    """A base of random weights in diffusers' layout, unless it is there; with `drawn_on` drawn
    there and written in bf16."""
    if (folder / "model_index.json").is_file():
        return folder
    torch.manual_seed(SEED)
    levels = len(shape.vae)
    models: dict[str, Callable[[], Any]] = {
        "vae": lambda: AutoencoderKL(
            block_out_channels=shape.vae,
            down_block_types=("DownEncoderBlock2D",) * levels,
            up_block_types=("UpDecoderBlock2D",) * levels,
            layers_per_block=shape.vae_layers,
            latent_channels=4,
            sample_size=shape.side,
        ),
        "unet": lambda: UNet2DConditionModel(
            sample_size=shape.side // 2 ** (levels - 1), in_channels=4, out_channels=4, **shape.unet
        ),
        "text_encoder": lambda: CLIPTextModel(_clip(shape.text)),
    }
    tokenizers = ["tokenizer"]
    if shape.second is not None:
        second = shape.second
        models["text_encoder_2"] = lambda: CLIPTextModelWithProjection(_clip(second))
        tokenizers.append("tokenizer_2")
    for name in tokenizers:
        shutil.copytree(bundled("models") / "sprig" / "tokenizer", folder / name)
        path = folder / name / "tokenizer_config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"model_max_length": 77}))
    kinds: dict[str, Any] = {}
    for name, make in models.items():
        model = make() if drawn_on is None else _drawn(make, drawn_on)
        model.save_pretrained(folder / name)
        kinds[name] = [model.__module__.partition(".")[0], type(model).__name__]
        del model
    DDPMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False
    ).save_pretrained(folder / "scheduler")
    _index(folder, kinds, tokenizers)
    return folder


def _clip(said: Mapping[str, Any]) -> CLIPTextConfig:
    return CLIPTextConfig(max_position_embeddings=77, **said)


def _index(folder: Path, kinds: Mapping[str, Any], tokenizers: list[str]) -> None:
    index: dict[str, Any] = {**kinds, "scheduler": ["diffusers", "DDPMScheduler"]}
    index |= {name: ["transformers", "CLIPTokenizer"] for name in tokenizers}
    if len(tokenizers) == 1:
        said = {"_class_name": "StableDiffusionPipeline", "safety_checker": [None, None],
                "feature_extractor": [None, None], "requires_safety_checker": False}  # fmt: skip
    else:
        said = {"_class_name": "StableDiffusionXLPipeline", "force_zeros_for_empty_prompt": True}
    (folder / "model_index.json").write_text(json.dumps(said | index))


def _drawn(make: Callable[[], Any], device: torch.device) -> Any:
    """In bf16, every matrix at one over the root of what enters it; biases nothing, norms one."""
    with torch.device("meta"):
        model = make()
    model = model.to(torch.bfloat16).to_empty(device=device)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() > 1:
                weight.normal_(0, (weight.numel() / weight.shape[0]) ** -0.5)
            else:
                weight.fill_(float(name.endswith("weight")))
    return model


def make_pictures(shape: Shape, folder: Path, count: int | None = None) -> Path:
    """As the script wants them: PNG files and `metadata.jsonl` with a `text` each."""
    if (folder / "metadata.jsonl").is_file():
        return folder
    folder.mkdir(parents=True)
    rows = []
    for n in range(1, (count or shape.pictures) + 1):
        tiny_picture(n, shape.side).save(folder / f"{n:03}.png")
        rows.append({"file_name": f"{n:03}.png", "text": f"drawing {n}"})
    (folder / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder
