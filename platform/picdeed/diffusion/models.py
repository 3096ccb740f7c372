"""Which base models can be used, what are they, and how are they loaded?

A base is a folder in diffusers' own layout. Weights are read as safetensors only; a pickle or a
Python file anywhere in the folder refuses the whole base.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from picdeed.core.errors import IntegrityError, UsageError
from picdeed.core.ids import canonical_json, hash_json, sha256_file
from picdeed.diffusion.devices import pick_device, quiet
from picdeed.diffusion.flows import FLOW
from picdeed.diffusion.modelfiles import WRONG, part_tensors, plain, read_json, refuse_code
from picdeed.diffusion.tensors import Tensors, tensors_hash

WEIGHTS = {
    "vae": "diffusion_pytorch_model",
    "unet": "diffusion_pytorch_model",
    "text_encoder": "model",
}
_CLASSES = {
    "vae": "AutoencoderKL",
    "unet": "UNet2DConditionModel",
    "text_encoder": "CLIPTextModel",
    "tokenizer": "CLIPTokenizer",
}
_PREDICTIONS = frozenset({"epsilon", "v_prediction", "sample", FLOW})


@dataclass(frozen=True, slots=True)
class BaseFacts:
    """What a base is. `sha256` hashes all tensors and configs; `size` is the side in pixels.

    `parameters` counts all weights; `parts` hashes each part alone.
    """

    name: str
    sha256: str
    license: str
    deed: Mapping[str, Any]
    prediction: str
    size: int
    parameters: int
    parts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Base:
    """A loaded base: fp32, frozen, in evaluation mode, on one device."""

    facts: BaseFacts
    vae: Any
    unet: Any
    text_encoder: Any
    tokenizer: Any
    scheduler: Mapping[str, Any]
    device: torch.device


def check_base(folder: Path) -> BaseFacts:
    """Read a base's folder without trusting it and say what it is.

    Raises UsageError naming the file that is missing, is a pickle or code, is broken, holds NaN
    weights, or whose tensors do not have the names and shapes that its config promises.
    """
    _require_folder(folder)
    refuse_code(folder, "base")
    index = _json(folder / "model_index.json")
    for part, wanted in _CLASSES.items():
        found = index.get(part)
        name = found[1] if isinstance(found, list) and len(found) == 2 else found
        if str(name).removesuffix("Fast") != wanted:
            raise UsageError(f"{folder / 'model_index.json'}: {part} is {name}, not a {wanted}.")
    configs = {part: _json(folder / part / "config.json") for part in WEIGHTS}
    scheduler = _scheduler(folder)
    prediction = str(scheduler.get("prediction_type", "epsilon"))
    if prediction not in _PREDICTIONS:
        raise UsageError(f"{folder}/scheduler predicts {prediction!r}, which is not supported.")
    parts = {"scheduler": hash_json(plain(scheduler)), "tokenizer": _tokenizer_hash(folder)}
    parameters = 0
    for part, config in configs.items():
        tensors = part_tensors(folder / part, WEIGHTS[part], "base")
        _check_shapes(folder / part, part, config, tensors)
        parts[part] = hash_json([plain(config), tensors_hash(tensors)])
        parameters += sum(tensor.numel() for tensor in tensors.values())
    _check_fit(folder, configs)
    deed = _json(folder / "deed.json") if (folder / "deed.json").exists() else {}
    return BaseFacts(
        name=str(deed.get("name", folder.resolve().name)),
        sha256=hash_json(parts),
        license=str(deed.get("license", "NOASSERTION")),
        deed=deed,
        prediction=prediction,
        size=int(configs["unet"]["sample_size"]) * _factor(configs["vae"]),
        parameters=parameters,
        parts=parts,
    )


def load_base(
    folder: Path, device: torch.device | None = None, *, expect: str | None = None
) -> Base:
    """Check and load a base in fp32, whatever type its files have.

    Raises UsageError like `check_base`, IntegrityError when its hash is not `expect`.
    """
    facts = check_base(folder)
    if expect is not None and facts.sha256 != expect:
        raise IntegrityError(
            f"The base {folder} is not the one that was recorded: its tensors hash to "
            f"{facts.sha256}, recorded is {expect}. Nothing was started.",
            hint="Restore the base's files, or picdeed models add FOLDER --name NAME: other "
            "weights are another base.",
        )
    where = device or pick_device()
    quiet()
    loaded: dict[str, Any] = {}
    for part, kind in (
        ("vae", AutoencoderKL),
        ("unet", UNet2DConditionModel),
        ("text_encoder", CLIPTextModel),
    ):
        model = kind.from_pretrained(
            folder / part, local_files_only=True, use_safetensors=True, dtype=torch.float32
        )
        loaded[part] = model.to(where).eval().requires_grad_(requires_grad=False)
    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
    scheduler = _scheduler(folder)
    return Base(facts, tokenizer=tokenizer, scheduler=scheduler, device=where, **loaded)


def _require_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise UsageError(
            f"There is no base in {folder}.",
            hint="If it was moved, picdeed models add FOLDER records where it lies now; picdeed "
            "models list shows them all.",
        )


def _json(path: Path) -> dict[str, Any]:
    """A config that can be hashed: Python reads infinities and longer numbers than JSON has."""
    return _hashable(read_json(path, "base"), path)


def _hashable(value: dict[str, Any], path: Path) -> dict[str, Any]:
    try:
        canonical_json(value)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} holds what no JSON holds: {error}.") from error
    return value


def _scheduler(folder: Path) -> dict[str, Any]:
    """With the last number for -Infinity, as diffusers writes "no bound" (`lambda_min_clipped`):
    it bounds nothing either and can be hashed."""
    path = folder / "scheduler" / "scheduler_config.json"
    bounds = {math.inf: sys.float_info.max, -math.inf: -sys.float_info.max}
    found = {
        key: bounds.get(value, value) if isinstance(value, float) else value
        for key, value in read_json(path, "base").items()
    }
    return _hashable(found, path)


def _tokenizer_hash(folder: Path) -> str:
    here = folder / "tokenizer"
    files = [here / name for name in ("tokenizer.json", "vocab.json", "merges.txt")]
    present = [path for path in files if path.is_file()]
    if not present or (files[0] not in present and len(present) < 2):
        raise UsageError(f"The base lacks {files[0]}.")
    for path in present:
        if path.suffix == ".json":
            read_json(path, "base")
    return hash_json([[path.name, sha256_file(path)] for path in present])


def _check_shapes(folder: Path, part: str, config: dict[str, Any], tensors: Tensors) -> None:
    try:
        with torch.device("meta"):
            model: Any = (
                CLIPTextModel(CLIPTextConfig(**config))
                if part == "text_encoder"
                else {"vae": AutoencoderKL, "unet": UNet2DConditionModel}[part].from_config(config)
            )
    except WRONG as error:
        raise UsageError(f"{folder / 'config.json'} describes no {part}: {error}.") from error
    wanted = {_bare(name): tuple(t.shape) for name, t in model.state_dict().items()}
    found = {_bare(name): tuple(t.shape) for name, t in tensors.items()}
    found.pop("embeddings.position_ids", None)  # older files stored this counter as a weight
    wanted.pop("embeddings.position_ids", None)
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            raise UsageError(
                f"{folder / WEIGHTS[part]}.safetensors: {name} has shape "
                f"{found.get(name, 'missing')}, its config says {wanted.get(name, 'none')}."
            )


def _bare(name: str) -> str:
    return name.removeprefix("text_model.")


def _check_fit(folder: Path, configs: Mapping[str, Mapping[str, Any]]) -> None:
    unet, vae, text = configs["unet"], configs["vae"], configs["text_encoder"]
    pairs = (
        ("unet/config.json: in_channels", unet.get("in_channels"), vae.get("latent_channels")),
        ("unet/config.json: out_channels", unet.get("out_channels"), vae.get("latent_channels")),
        (
            "unet/config.json: cross_attention_dim",
            unet.get("cross_attention_dim"),
            text.get("hidden_size"),
        ),
    )
    for what, ours, theirs in pairs:
        if ours != theirs:
            raise UsageError(f"{folder}/{what} is {ours}, the part it must fit has {theirs}.")
    if not isinstance(unet.get("sample_size"), int):
        raise UsageError(f"{folder}/unet/config.json: sample_size is no whole number.")
    if not isinstance(vae.get("block_out_channels"), list):
        raise UsageError(f"{folder}/vae/config.json: block_out_channels is no list.")


def _factor(vae: Mapping[str, Any]) -> int:
    return int(2 ** (len(vae["block_out_channels"]) - 1))
