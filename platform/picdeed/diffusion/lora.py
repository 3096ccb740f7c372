"""What is an adapter: which tensors, under which keys, with which papers?

LoRA, Hu et al. 2021 (arXiv 2106.09685), by peft. The file's keys are peft's own behind `unet.`,
with peft's settings in the header: the form that diffusers' `load_lora_weights` reads back to
exactly the same model (other spellings lose alpha or match other layers).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model_state_dict

from picdeed.core.errors import UsageError
from picdeed.core.ids import make_id, sha256
from picdeed.diffusion.plan import NOTICES
from picdeed.diffusion.recipe import Recipe
from picdeed.diffusion.runfolder import write_bytes
from picdeed.diffusion.tensors import Tensors, read_safetensors, safetensors_bytes, tensors_hash

ADAPTER = "picdeed"
_PREFIX = "unet."
_PEFT_KEY = "lora_adapter_metadata"  # diffusers' name for peft's settings in a header
_PAPERS = ("base_sha256", "base", "snapshot", "snapshot_root", "run", "decision")


@dataclass(frozen=True, slots=True)
class Papers:
    """Where an adapter comes from; written into its file's header."""

    base: str
    base_sha256: str
    snapshot: str
    snapshot_root: str
    run: str
    decision: str
    licenses: Mapping[str, int]
    recipe_sha256: str
    notices_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Adapter:
    """An adapter read from its file, not yet on any model."""

    id: str
    sha256: str
    rank: int
    alpha: float
    targets: tuple[str, ...]
    tensors: Tensors
    metadata: Mapping[str, str]

    @property
    def base_sha256(self) -> str:
        """Hash of the base it was trained on; empty when the file does not say."""
        return self.metadata.get("picdeed.base_sha256", "")


def attach(unet: Any, *, rank: int, alpha: float, targets: tuple[str, ...], seed: int) -> None:
    """Put a fresh adapter, which changes nothing yet, on a UNet; its weights depend on `seed`.

    Raises UsageError when no layer of the UNet has one of these names.
    """
    config = LoraConfig(
        r=rank, lora_alpha=alpha, target_modules=list(targets), init_lora_weights=True
    )
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            unet.add_adapter(config, adapter_name=ADAPTER)
    except ValueError as error:
        raise UsageError(f"The adapter does not fit this base: {error}.") from error
    # peft leaves the mode of new layers as it found it; nothing here uses dropout
    unet.eval()


def attach_recipe(unet: Any, recipe: Recipe, seed: int) -> list[torch.nn.Parameter]:
    """Put the recipe's adapter on a UNet; the parameters to train, as a list.

    A list on purpose: an iterator that clipping has used up leaves nothing to clip, silently.
    """
    attach(unet, rank=recipe.rank, alpha=recipe.alpha, targets=recipe.targets, seed=seed)
    return [parameter for parameter in unet.parameters() if parameter.requires_grad]


def weights(unet: Any) -> Tensors:
    """The adapter's tensors under peft's own names; they share memory with the model."""
    found: Tensors = get_peft_model_state_dict(unet, adapter_name=ADAPTER)
    return found


def adapter_id(tensors: Mapping[str, torch.Tensor]) -> str:
    """`adp_` and the hash of the tensors' names, types, shapes and bytes."""
    return make_id("adp", tensors_hash(tensors))


def save_adapter(path: Path, unet: Any, recipe: Recipe, papers: Papers) -> tuple[str, str]:
    """Write the adapter that is on `unet`; its id and the file's SHA-256.

    Raises UsageError instead of writing weights that are not finite.
    """
    tensors = {_PREFIX + name: tensor for name, tensor in weights(unet).items()}
    for name, tensor in tensors.items():
        if not bool(torch.isfinite(tensor).all()):
            raise UsageError(f"The adapter's weights in {name} are not finite; nothing was saved.")
    data = safetensors_bytes(tensors, _header(recipe, papers))
    write_bytes(path, data)
    return adapter_id(tensors), sha256(data)


def load_adapter(path: Path) -> Adapter:
    """Read an adapter's file. Raises UsageError naming what is wrong with it."""
    tensors, metadata = read_safetensors(path)
    try:
        settings = json.loads(metadata[_PEFT_KEY])
        rank = int(settings["unet.r"])
        alpha = float(settings["unet.lora_alpha"])
        targets = tuple(str(target) for target in settings["unet.target_modules"])
    except (KeyError, ValueError, TypeError) as error:
        raise UsageError(
            f"{path} does not say its rank, alpha and targets, so its strength is unknown.",
            hint="Only adapters with peft's settings in the header are accepted.",
        ) from error
    return Adapter(
        id=adapter_id(tensors),
        sha256=sha256(path.read_bytes()),
        rank=rank,
        alpha=alpha,
        targets=targets,
        tensors=tensors,
        metadata=metadata,
    )


def put_on(unet: Any, adapter: Adapter) -> None:
    """Put a read adapter on a UNet, switched on.

    Raises UsageError when its tensors are not exactly those that this UNet takes.
    """
    attach(unet, rank=adapter.rank, alpha=adapter.alpha, targets=adapter.targets, seed=0)
    own = {_PREFIX + name: tensor for name, tensor in weights(unet).items()}
    for name in sorted(own.keys() | adapter.tensors.keys()):
        ours, theirs = own.get(name), adapter.tensors.get(name)
        if ours is None or theirs is None or ours.shape != theirs.shape:
            unet.delete_adapters(ADAPTER)
            raise UsageError(f"The adapter {adapter.id[:16]} does not fit this base at {name}.")
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(adapter.tensors[name])


def _header(recipe: Recipe, papers: Papers) -> dict[str, str]:
    settings = {
        "unet.r": recipe.rank,
        "unet.lora_alpha": recipe.alpha,
        "unet.target_modules": list(recipe.targets),
    }
    header = {
        "format": "pt",
        _PEFT_KEY: json.dumps(settings, sort_keys=True),
        "modelspec.sai_model_spec": "1.0.1",
        "modelspec.architecture": f"{papers.base}/lora",
        "modelspec.implementation": "diffusers",
        "modelspec.title": f"picdeed {papers.run[:16]}",
        "modelspec.license": " AND ".join(sorted(papers.licenses)) or "NOASSERTION",
        "picdeed.rank": str(recipe.rank),
        "picdeed.alpha": str(recipe.alpha),
        "picdeed.targets": json.dumps(list(recipe.targets)),
        "picdeed.licenses": json.dumps(dict(papers.licenses), sort_keys=True),
        "picdeed.recipe_sha256": papers.recipe_sha256,
    }
    if papers.notices_sha256 is not None:
        header["picdeed.notices"] = NOTICES
        header["picdeed.notices_sha256"] = papers.notices_sha256
    return header | {f"picdeed.{name}": str(getattr(papers, name)) for name in _PAPERS}
