"""Under which names do the formats of others hold an adapter, and how strong is each layer there?

    peft       unet.mid_block.(...).to_q.lora_A.weight, .lora_B.weight      alpha in the header
    kohya      lora_unet_mid_block_(...)_to_q.lora_down.weight, .lora_up.weight, .alpha
    diffusers  unet.mid_block.(...).to_q.lora.down.weight, .lora.up.weight  alpha = rank
    before it  unet.mid_block.(...).processor.to_q_lora.down.weight, ...    alpha = rank

A transformer's keys begin with `transformer.` instead, and kohya's names are not known for them.

A layer adds (alpha / rank) * up @ down. Where a file says no alpha, all of these formats mean
alpha = rank. diffusers' own `convert_state_dict_to_kohya` writes alpha = rank also where
another one was set (0.42), so it is not used here.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from picdeed.core.errors import UsageError
from picdeed.core.ids import sha256
from picdeed.diffusion.lora import Adapter, adapter_id
from picdeed.diffusion.tensors import Tensors, read_safetensors

SETTINGS = "lora_adapter_metadata"
"""Under this name of a header lie peft's settings, as diffusers writes and reads them."""

_READ = "Read are LoRA files with the names of peft, kohya or diffusers."
UNET, TRANSFORMER = "unet", "transformer"
_MATRICES = (2, 4)  # dimensions: of a linear layer, of a convolution

# Names of the diffusers UNet that hold an underscore of their own, then those that hold none:
# kohya writes every dot as an underscore, and only a closed list of words leads back.
_WORDS = (
    *("down_blocks", "mid_block", "up_blocks", "transformer_blocks"),
    *("to_q", "to_k", "to_v", "to_out", "proj_in", "proj_out", "conv_in", "conv_out"),
    *("conv_shortcut", "time_emb_proj", "time_embedding", "add_embedding", "linear_1", "linear_2"),
    *("resnets", "attentions", "downsamplers", "upsamplers", "attn1", "attn2", "ff", "net"),
    *("conv1", "conv2", "conv", "proj", r"\d+"),
)
_WORD = re.compile(rf"(?:^|_)({'|'.join(_WORDS)})(?=_|$)")
_KOHYA = re.compile(r"lora_unet_(?P<layer>\w+)\.(?:lora_(?P<part>down|up)\.weight|alpha)")
_DOTTED = (
    re.compile(r"(?:unet|transformer)\.(?P<layer>[\w.]+)\.lora_(?P<part>[AB])\.weight"),
    re.compile(r"(?:unet|transformer)\.(?P<layer>[\w.]+)\.lora\.(?P<part>down|up)\.weight"),
    # before 2023-11 only attention could be adapted, and "unet." could be missing
    re.compile(r"(?:unet\.)?(?P<layer>[\w.]+\.to_(?:q|k|v|out))_lora\.(?P<part>down|up)\.weight"),
)
_LITERAL = re.compile(r"\^?[\w.]+")  # peft takes expressions; those that are names are read
_PARTS = {"A": "down", "B": "up", "down": "down", "up": "up", None: "alpha"}


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """What an adapter adds to one layer: `down` [rank, in, ...], `up` [out, rank, ...], `alpha`."""

    down: torch.Tensor
    up: torch.Tensor
    alpha: float

    @property
    def rank(self) -> int:
        """The width in between."""
        return int(self.down.shape[0])


Layers = Mapping[str, Layer]
"""By the path of the layer in diffusers' network, such as `mid_block.attentions.0.proj_in`."""


def layers_of(tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> dict[str, Layer]:
    """The layers of a file in any of the formats above.

    Raises UsageError naming what is no part of a UNet's LoRA, what lacks its other half, and
    what says two strengths at once: half an adapter would be another adapter.
    """
    network = network_of(tensors)
    found: dict[str, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        layer, part = _place(name)
        if part in found.setdefault(layer, {}):
            raise UsageError(f"{name} says again what another name says of {layer}.", hint=_READ)
        found[layer][part] = tensor
    if not found:
        raise UsageError("The file holds no adapter.", hint=_READ)
    settings = _settings(metadata, network)
    return {layer: _layer(layer, found[layer], settings) for layer in sorted(found)}


def network_of(tensors: Mapping[str, torch.Tensor]) -> str:
    """Which of a pipeline's networks a file is for: `unet` or `transformer`.

    Raises UsageError when it is for both: half of it would be left out.
    """
    ours = sorted(name for name in tensors if name.startswith(f"{TRANSFORMER}."))
    if not ours:
        return UNET
    if len(ours) < len(tensors):
        raise UsageError(f"{ours[0]} is of a transformer, other tensors are not.", hint=_READ)
    return TRANSFORMER


def peft_tensors(layers: Layers, network: str = UNET) -> Tensors:
    """The tensors under peft's names, which are those of picdeed's own files."""
    named = {f"{network}.{name}.lora_A.weight": layer.down for name, layer in layers.items()}
    return named | {f"{network}.{name}.lora_B.weight": layer.up for name, layer in layers.items()}


def kohya_tensors(layers: Layers, network: str = UNET) -> Tensors:
    """The tensors under kohya's names, each with its real alpha (float32, no dimension).

    ComfyUI and A1111 read the same names. Raises UsageError for a transformer, and naming a layer
    whose name would not lead back to it.
    """
    if network != UNET:
        raise UsageError(
            "kohya's format names the layers of a UNet; this adapter is a transformer's. Nothing "
            "was written.",
            hint="diffusers and what is built on it read it as it is: picdeed export peft ADAPTER.",
        )
    named: Tensors = {}
    for layer, held in layers.items():
        flat = layer.replace(".", "_")
        if _dotted(flat) != layer:
            raise UsageError(f"The layer {layer} has no name in kohya's format.")
        named[f"lora_unet_{flat}.lora_down.weight"] = held.down
        named[f"lora_unet_{flat}.lora_up.weight"] = held.up
        named[f"lora_unet_{flat}.alpha"] = torch.tensor(held.alpha, dtype=torch.float32)
    return named


def difference(wanted: Layers, found: Layers) -> str | None:
    """The first layer that is not the same in both; None when they are equal to the bit.

    Alphas are compared as float32, which is what kohya's files hold.
    """
    for name in sorted(wanted.keys() | found.keys()):
        a, b = wanted.get(name), found.get(name)
        same = (
            a is not None
            and b is not None
            and _equal(a.down, b.down)
            and _equal(a.up, b.up)
            and _single(a.alpha) == _single(b.alpha)
        )
        if not same:
            return name
    return None


def read_foreign(path: Path) -> Adapter:
    """A file in any of these formats as an adapter of ours: the same tensors under peft's names.

    `targets` are whole paths of layers, so that it fits exactly these. Raises UsageError as
    `layers_of` does, and when layers differ in rank or alpha, which an `Adapter` cannot say.
    """
    tensors, metadata = read_safetensors(path)
    layers = layers_of(tensors, metadata)
    rank, alpha = next((layer.rank, layer.alpha) for layer in layers.values())
    for name, layer in layers.items():
        if (layer.rank, layer.alpha) != (rank, alpha):
            raise UsageError(
                f"{path}: {name} has rank {layer.rank} and alpha {layer.alpha:g}, others have "
                f"{rank} and {alpha:g}; picdeed's adapters have one of each."
            )
    named = peft_tensors(layers, network_of(tensors))
    return Adapter(
        id=adapter_id(named),
        sha256=sha256(path.read_bytes()),
        rank=rank,
        alpha=alpha,
        targets=tuple(layers),
        tensors=named,
        metadata=metadata,
    )


def _place(name: str) -> tuple[str, str]:
    """Which layer a tensor is of, and which part: down, up or alpha."""
    if match := _KOHYA.fullmatch(name):
        layer = _dotted(match["layer"])
        if layer is not None:
            return layer, _PARTS[match["part"]]
    for pattern in _DOTTED:
        if match := pattern.fullmatch(name.replace(".processor.", ".")):
            # the layer is a list of which the first member projects
            layer = re.sub(r"\.to_out$", ".to_out.0", match["layer"])
            return layer, _PARTS[match["part"]]
    raise UsageError(f"{name} is no part of an adapter that picdeed reads.", hint=_READ)


def _dotted(flat: str) -> str | None:
    """The path that kohya wrote with underscores; None where a word is unknown."""
    words = _WORD.findall(flat)
    return ".".join(words) if "_".join(words) == flat else None


@dataclass(frozen=True, slots=True)
class _Settings:
    """What peft's settings say of strength; `alphas` by the end of a layer's path."""

    alpha: float | None
    alphas: Mapping[str, float]
    by_root: bool

    def alpha_of(self, layer: str, rank: int) -> float | None:
        """As if divided by the rank; rsLoRA (arXiv 2312.03732) divides by the rank's root."""
        own = (a for end, a in self.alphas.items() if f".{layer}".endswith(f".{end.lstrip('^')}"))
        alpha = next(own, self.alpha)
        return alpha * math.sqrt(rank) if alpha is not None and self.by_root else alpha


def _settings(metadata: Mapping[str, str], network: str) -> _Settings:
    text = metadata.get(SETTINGS)
    if text is None:
        return _Settings(None, {}, by_root=False)
    unknown = UsageError(
        f"{SETTINGS} in the file's header cannot be read: its strength is unknown."
    )
    try:
        told: Any = json.loads(text)
        alpha = told.get(f"{network}.lora_alpha")
        found = _Settings(
            None if alpha is None else float(alpha),
            {end: float(own) for end, own in (told.get(f"{network}.alpha_pattern") or {}).items()},
            by_root=bool(told.get(f"{network}.use_rslora")),
        )
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise unknown from error
    if not all(map(_LITERAL.fullmatch, found.alphas)):
        raise unknown
    return found


def _layer(name: str, parts: Mapping[str, torch.Tensor], settings: _Settings) -> Layer:
    down, up = parts.get("down"), parts.get("up")
    if down is None or up is None:
        raise UsageError(f"{name} has only one of its two matrices.", hint=_READ)
    fits = down.ndim == up.ndim and down.ndim in _MATRICES and down.shape[0] == up.shape[1]
    if not fits or not down.shape[0]:
        raise UsageError(f"The matrices of {name}, {list(up.shape)} and {list(down.shape)}, clash.")
    rank = int(down.shape[0])
    told = [settings.alpha_of(name, rank), _alpha(name, parts.get("alpha"))]
    said = [alpha for alpha in told if alpha is not None]
    if any(not (math.isfinite(alpha) and alpha > 0) for alpha in said):
        raise UsageError(f"The alpha of {name} is no positive number.")
    if len({_single(alpha) for alpha in said}) > 1:
        raise UsageError(
            f"The header says alpha {said[0]:g} of {name}, its tensor {said[1]:g}: which of them "
            "holds is unknown."
        )
    return Layer(down, up, said[0] if said else float(rank))


def _alpha(name: str, tensor: torch.Tensor | None) -> float | None:
    if tensor is None:
        return None
    if tensor.numel() != 1 or tensor.is_complex():
        raise UsageError(f"The alpha of {name} is no single number.")
    return float(tensor.item())


def _equal(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.dtype == b.dtype and torch.equal(a, b)


def _single(value: float) -> float:
    """The nearest float32."""
    return float(torch.tensor(value, dtype=torch.float32).item())
