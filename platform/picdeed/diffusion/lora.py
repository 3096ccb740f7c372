"""What is an adapter: which tensors, under which keys, with which papers?

LoRA, Hu et al. 2021 (arXiv 2106.09685), by peft. The file's keys are peft's own behind `unet.`,
with peft's settings in the header: the form that diffusers' `load_lora_weights` reads back to
exactly the same model (other spellings lose alpha or match other layers). A pipeline calls its
network `unet` or `transformer`, and so do the keys.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from peft import LoraConfig, get_peft_model_state_dict

from picdeed.core.errors import UsageError
from picdeed.core.ids import make_id, sha256
from picdeed.diffusion.plan import NOTICES, Without
from picdeed.diffusion.recipe import Init, Recipe
from picdeed.diffusion.runfolder import write_bytes
from picdeed.diffusion.tensors import Tensors, read_safetensors, safetensors_bytes, tensors_hash

ADAPTER = "picdeed"
_NETWORKS = ("unet", "transformer")
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
    without: Without | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """What is put on a model, in peft's words. `rank_pattern` are the ranks of layers by name that
    differ from the adapter's; such a layer keeps the strength alpha / rank.
    """

    rslora: bool = False
    dora: bool = False
    rank_pattern: Mapping[str, int] = field(default_factory=dict)

    def settings(self, alpha: float, rank: int) -> dict[str, Any]:
        """As peft's configuration holds them; nothing for a plain LoRA."""
        said: dict[str, Any] = {}
        if self.rslora:
            said["use_rslora"] = True
        if self.dora:
            said["use_dora"] = True
        if self.rank_pattern:
            said["rank_pattern"] = dict(self.rank_pattern)
            said["alpha_pattern"] = {
                name: alpha * own / rank for name, own in self.rank_pattern.items()
            }
        return said


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
    kind: Kind = field(default_factory=Kind)

    @property
    def base_sha256(self) -> str:
        """Hash of the base it was trained on; empty when the file does not say."""
        return self.metadata.get("picdeed.base_sha256", "")


def attach(
    unet: Any,
    *,
    rank: int,
    alpha: float,
    targets: tuple[str, ...],
    seed: int,
    kind: Kind | None = None,
    init: Init = Init.KAIMING,
) -> None:
    """Put a fresh adapter, which changes nothing yet, on a UNet; its weights depend on `seed`.

    Raises UsageError when no layer of the UNet has one of these names.
    """
    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,
        target_modules=list(targets),
        init_lora_weights=True if init is Init.KAIMING else str(init),
        **(kind or Kind()).settings(alpha, rank),
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
    Raises UsageError when it does not fit, or when a key of `ranks` names no layer that is adapted.
    """
    attach(
        unet,
        rank=recipe.rank,
        alpha=recipe.alpha,
        targets=recipe.targets,
        seed=seed,
        kind=kind_of(unet, recipe),
        init=recipe.init,
    )
    return [parameter for _, parameter in trained(unet)]


def kind_of(unet: Any, recipe: Recipe) -> Kind:
    """The recipe's kind of adapter for this model, its ranks by the layers' whole names."""
    return Kind(recipe.rslora, recipe.dora, _rank_pattern(unet, recipe))


def trained(unet: Any) -> list[tuple[str, torch.nn.Parameter]]:
    """The weights to train, by name, in the model's order."""
    return [(name, weight) for name, weight in unet.named_parameters() if weight.requires_grad]


def _rank_pattern(unet: Any, recipe: Recipe) -> dict[str, int]:
    if not recipe.ranks:
        return {}
    ends = tuple(f".{target}" for target in recipe.targets)
    layers = [name for name, _ in unet.named_modules() if f".{name}".endswith(ends)]
    for key in recipe.ranks:
        if not any(f".{key}." in f".{layer}." for layer in layers):
            raise UsageError(
                f"ranks: no adapted layer of this base lies in {key!r}; nothing was trained.",
                hint=f"Layers are named like {layers[0]}." if layers else "",
            )
    found = {layer: recipe.rank_at(layer) for layer in layers}
    return {layer: rank for layer, rank in found.items() if rank != recipe.rank}


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
    tensors = {f"{network_name(unet)}.{name}": t for name, t in weights(unet).items()}
    for name, tensor in tensors.items():
        if not bool(torch.isfinite(tensor).all()):
            raise UsageError(f"The adapter's weights in {name} are not finite; nothing was saved.")
    header = _header(recipe, papers, kind_of(unet, recipe), network_name(unet))
    data = safetensors_bytes(tensors, header)
    write_bytes(path, data)
    return adapter_id(tensors), sha256(data)


def load_adapter(path: Path) -> Adapter:
    """Read an adapter's file. Raises UsageError naming what is wrong with it."""
    tensors, metadata = read_safetensors(path)
    try:
        settings = _own(json.loads(metadata[_PEFT_KEY]))
        rank = int(settings["r"])
        alpha = float(settings["lora_alpha"])
        targets = tuple(str(target) for target in settings["target_modules"])
        kind = _kind_said(settings, alpha, rank)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
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
        kind=kind,
    )


def put_on(unet: Any, adapter: Adapter) -> None:
    """Put a read adapter on a UNet, switched on.

    Raises UsageError when its tensors are not exactly those that this UNet takes.
    """
    attach(
        unet,
        rank=adapter.rank,
        alpha=adapter.alpha,
        targets=adapter.targets,
        seed=0,
        kind=adapter.kind,
    )
    own = {f"{network_name(unet)}.{name}": t for name, t in weights(unet).items()}
    for name in sorted(own.keys() | adapter.tensors.keys()):
        ours, theirs = own.get(name), adapter.tensors.get(name)
        if ours is None or theirs is None or ours.shape != theirs.shape:
            unet.delete_adapters(ADAPTER)
            raise UsageError(f"The adapter {adapter.id[:16]} does not fit this base at {name}.")
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(adapter.tensors[name])


def network_name(unet: Any) -> str:
    """What a pipeline calls it, and with that the first word of every key."""
    return "unet" if isinstance(unet, UNet2DConditionModel) else "transformer"


def _own(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Peft's settings without the network's name before each; of a file that names just one."""
    (network,) = {key.partition(".")[0] for key in settings} & set(_NETWORKS)
    return {key.removeprefix(f"{network}."): value for key, value in settings.items()}


def _kind_said(settings: Mapping[str, Any], alpha: float, rank: int) -> Kind:
    """Raises ValueError when a layer's alpha is not what its rank makes of the adapter's."""
    ranks = settings.get("rank_pattern", {})
    kind = Kind(
        rslora=bool(settings.get("use_rslora", False)),
        dora=bool(settings.get("use_dora", False)),
        rank_pattern={str(name): int(own) for name, own in ranks.items()},
    )
    alphas = kind.settings(alpha, rank).get("alpha_pattern", {})
    if settings.get("alpha_pattern", {}) != alphas:
        raise ValueError("alpha_pattern")
    return kind


def _header(recipe: Recipe, papers: Papers, kind: Kind, network: str) -> dict[str, str]:
    settings = {
        "r": recipe.rank,
        "lora_alpha": recipe.alpha,
        "target_modules": list(recipe.targets),
    } | kind.settings(recipe.alpha, recipe.rank)
    header = {
        "format": "pt",
        _PEFT_KEY: json.dumps({f"{network}.{k}": v for k, v in settings.items()}, sort_keys=True),
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
    if papers.without is not None:
        header["picdeed.counterfactual_of"] = papers.without.run
        header["picdeed.without_revocations"] = json.dumps(list(papers.without.revocations))
    return header | {f"picdeed.{name}": str(getattr(papers, name)) for name in _PAPERS}
