"""A base as one file under the names of its first publishers: diffusers' folder, the way back.

By hand: diffusers ships the way there alone. OpenCLIP's names come from diffusers' own table.
"""

from __future__ import annotations

import re
from pathlib import Path

import torch
from diffusers.loaders.single_file_utils import DIFFUSERS_TO_LDM_MAPPING as TABLE
from safetensors.torch import load_file, save_file

Tensors = dict[str, torch.Tensor]
_LAYERS = 1  # of tiny bases: layers in a block
_BLOCKS = 3  # of the autoencoder
_RESNET = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "norm2": "out_layers.0",
    "conv2": "out_layers.3", "time_emb_proj": "emb_layers.1", "conv_shortcut": "skip_connection",
}  # fmt: skip


def one_file(folder: Path, file: Path) -> Path:
    """Write the base in `folder`, of SD's or SD XL's family, to one file."""
    parts = {path.parent.name: load_file(path) for path in folder.glob("*/*.safetensors")}
    told = {f"model.diffusion_model.{_unet(k)}": t for k, t in parts["unet"].items()}
    told |= {f"first_stage_model.{_vae(k)}": t for k, t in parts["vae"].items()}
    second = parts.get("text_encoder_2")
    first = "cond_stage_model" if second is None else "conditioner.embedders.0"
    for name, tensor in parts["text_encoder"].items():
        told[f"{first}.transformer.text_model.{name.removeprefix('text_model.')}"] = tensor
    if second is not None:
        told |= {f"conditioner.embedders.1.model.{k}": t for k, t in _open_clip(second).items()}
    save_file({name: tensor.contiguous() for name, tensor in told.items()}, file)
    return file


def _unet(name: str) -> str:
    layers = TABLE["unet"]["layers"] | TABLE["unet"]["addition_embed_type"]
    if name in layers:
        return str(layers[name])
    words = name.split(".")
    if words[0] == "mid_block":
        place = {"resnets.0": 0, "attentions.0": 1, "resnets.1": 2}[".".join(words[1:3])]
        return f"middle_block.{place}.{_inside(words[1], words[3:])}"
    block, kind, layer = int(words[1]), words[2], int(words[3])
    first = block * (_LAYERS + 1)
    if kind == "downsamplers":
        return f"input_blocks.{1 + first + _LAYERS}.0.op.{words[-1]}"
    if kind == "upsamplers":
        return f"output_blocks.{first + _LAYERS}.2.conv.{words[-1]}"
    inner = f"{int(kind == 'attentions')}.{_inside(kind, words[4:])}"
    if words[0] == "down_blocks":
        return f"input_blocks.{1 + first + layer}.{inner}"
    return f"output_blocks.{first + layer}.{inner}"


def _inside(kind: str, words: list[str]) -> str:
    if kind == "resnets":
        words = [_RESNET[words[0]], *words[1:]]
    return ".".join(words)


def _vae(name: str) -> str:
    name = re.sub(r"down_blocks\.(\d)\.resnets", r"down.\1.block", name)
    name = re.sub(r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample", name)
    name = re.sub(r"up_blocks\.(\d)\.resnets", lambda m: f"up.{_from_top(m)}.block", name)
    name = re.sub(r"up_blocks\.(\d)\.upsamplers\.0", lambda m: f"up.{_from_top(m)}.upsample", name)
    name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
    return name.replace("conv_shortcut", "nin_shortcut").replace("conv_norm_out", "norm_out")


def _from_top(found: re.Match[str]) -> int:
    return _BLOCKS - 1 - int(found[1])


def _open_clip(parts: Tensors) -> Tensors:
    layers = TABLE["openclip"]["layers"]
    told: Tensors = {}
    for name, tensor in parts.items():
        if name in layers:
            turned = tensor.T if name == "text_projection.weight" else tensor
            told[layers[name]] = turned
        elif match := re.fullmatch(r"(.*)\.q_proj\.(weight|bias)", name):
            three = [parts[f"{match[1]}.{one}_proj.{match[2]}"] for one in "qkv"]
            told[f"{_renamed(match[1])}.in_proj_{match[2]}"] = torch.cat(three)
        elif not re.search(r"\.[kv]_proj\.", name):
            told[_renamed(name)] = tensor
    return told


def _renamed(name: str) -> str:
    for new, old in TABLE["openclip"]["transformer"].items():
        name = name.replace(new, old)
    return f"transformer.{name}"
