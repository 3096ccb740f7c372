"""Which models of a base wear an adapter, and how does it come on them, off them and into a file?

The one way on: training, drawing and evidence all come through here, with the whole base, so that
no part of an adapter is left out. The network wears one, and where the adapter has a part for them
the text encoders do. By peft; switched off or taken off, the base computes what it always did, to
the bit.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from peft import LoraConfig, get_peft_model_state_dict

from picdeed.core.errors import UsageError
from picdeed.core.ids import sha256
from picdeed.diffusion.draws import fixed_seed
from picdeed.diffusion.lora import (
    TEXT_TARGETS,
    Adapter,
    Kind,
    Papers,
    Settings,
    adapter_id,
    header,
    spelled,
)
from picdeed.diffusion.recipe import Init, Recipe
from picdeed.diffusion.runfolder import write_bytes
from picdeed.diffusion.tensors import Tensors, safetensors_bytes

if TYPE_CHECKING:
    from picdeed.diffusion.models import Base

ADAPTER = "picdeed"


def attach_recipe(base: Base, recipe: Recipe, seed: int) -> list[torch.nn.Parameter]:
    """Put the recipe's adapter, which changes nothing yet, on a base; the parameters to train, as a
    list. Its weights depend on `seed`.

    A list on purpose: an iterator that clipping has used up leaves nothing to clip, silently.
    Raises UsageError when it does not fit, or when a key of `ranks` names no layer that is adapted.
    """
    for part, settings in asked_for(base, recipe).items():
        # The network's is the run's own seed, as it was before encoders could learn.
        own = seed if part == base.family.network else fixed_seed("adapter", seed, part)
        _attach(base.parts[part], settings, own, recipe.init)
    return [parameter for _, parameter in trained(base)]


def asked_for(base: Base, recipe: Recipe) -> dict[str, Settings]:
    """What a recipe puts on which models of this base. An encoder's part has the strength of the
    network's: alpha / rank is the same.
    """
    kind = Kind(recipe.rslora, recipe.dora, _rank_pattern(base.network, recipe))
    parts = {base.family.network: Settings(recipe.rank, recipe.alpha, recipe.targets, kind)}
    if recipe.text_rank:
        alpha, kind = recipe.text_alpha, Kind(recipe.rslora, recipe.dora)
        text = Settings(recipe.text_rank, alpha, TEXT_TARGETS, kind)
        parts |= dict.fromkeys(base.family.text, text)
    return parts


def put_on(base: Base, adapter: Adapter) -> None:
    """Put a read adapter on a base, switched on.

    Raises UsageError, with nothing on the base, when its tensors are not exactly those that this
    base takes.
    """
    for part in adapter.parts:
        if part != base.family.network and part not in base.family.text:
            raise UsageError(
                f"The adapter {adapter.id[:16]} is also for a {part}, which no adapter can be put "
                f"on in {base.facts.name}; it was not put on.",
                hint="Name the base that it was trained on.",
            )
    try:
        for part, settings in adapter.parts.items():
            _attach(base.parts[part], settings, 0, Init.KAIMING)
        _fill(named(base), adapter)
    except UsageError:
        take_off(base)
        raise


def take_off(base: Base) -> None:
    """Leave the base as it was before an adapter was put on it."""
    for model in worn(base).values():
        # diffusers' name for it, and transformers'
        remove = getattr(model, "delete_adapters", None) or model.delete_adapter
        remove(ADAPTER)


@contextlib.contextmanager
def bare(base: Base) -> Iterator[None]:
    """The base as it is without its adapter, which is switched on again after."""
    models = worn(base).values()
    for model in models:
        model.disable_adapters()
    try:
        yield
    finally:
        for model in models:
            model.enable_adapters()
            model.set_adapter(ADAPTER)


def worn(base: Base) -> dict[str, Any]:
    """The models that wear an adapter, by name, the network first."""
    names = (base.family.network, *base.family.text)
    models = {name: base.parts[name] for name in names}
    return {n: one for n, one in models.items() if ADAPTER in getattr(one, "peft_config", {})}


def trained(base: Base) -> list[tuple[str, torch.nn.Parameter]]:
    """The weights to train, by name, in the models' order; an encoder's begin with its name."""
    return [
        (name if part == base.family.network else f"{part}.{name}", weight)
        for part, model in worn(base).items()
        for name, weight in model.named_parameters()
        if weight.requires_grad
    ]


def named(base: Base) -> Tensors:
    """The adapter's tensors under their keys in a file; they share memory with the models."""
    return {
        spelled(part, name): tensor
        for part, model in worn(base).items()
        for name, tensor in _tensors(model).items()
    }


def weights(base: Base) -> Tensors:
    """The same, the network's without its name before them, as checkpoints always kept them."""
    network = f"{base.family.network}."
    return {name.removeprefix(network): tensor for name, tensor in named(base).items()}


def save_adapter(path: Path, base: Base, recipe: Recipe, papers: Papers) -> tuple[str, str]:
    """Write the adapter that is on `base`; its id and the file's SHA-256.

    Raises UsageError instead of writing weights that are not finite.
    """
    tensors = named(base)
    for name, tensor in tensors.items():
        if not bool(torch.isfinite(tensor).all()):
            raise UsageError(f"The adapter's weights in {name} are not finite; nothing was saved.")
    data = safetensors_bytes(tensors, header(recipe, papers, asked_for(base, recipe)))
    write_bytes(path, data)
    return adapter_id(tensors), sha256(data)


def _attach(model: Any, settings: Settings, seed: int, init: Init) -> None:
    """Raises UsageError when no layer of the model has one of these names."""
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        target_modules=list(settings.targets),
        init_lora_weights=True if init is Init.KAIMING else str(init),
        **settings.kind.settings(settings.alpha, settings.rank),
    )
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model.add_adapter(config, adapter_name=ADAPTER)
    except ValueError as error:
        raise UsageError(f"The adapter does not fit this base: {error}.") from error
    # peft leaves the mode of new layers as it found it; nothing here uses dropout
    model.eval()


def _fill(own: Tensors, adapter: Adapter) -> None:
    """Raises UsageError, with nothing filled, naming a tensor that one has and not the other."""
    for name in sorted(own.keys() | adapter.tensors.keys()):
        ours, theirs = own.get(name), adapter.tensors.get(name)
        if ours is None or theirs is None or ours.shape != theirs.shape:
            raise UsageError(f"The adapter {adapter.id[:16]} does not fit this base at {name}.")
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(adapter.tensors[name])


def _tensors(model: Any) -> Mapping[str, torch.Tensor]:
    found: Mapping[str, torch.Tensor] = get_peft_model_state_dict(
        model, adapter_name=ADAPTER, save_embedding_layers=False
    )
    return found


def _rank_pattern(network: Any, recipe: Recipe) -> dict[str, int]:
    """The ranks of the layers that have another one, by the layers' whole names."""
    if not recipe.ranks:
        return {}
    ends = tuple(f".{target}" for target in recipe.targets)
    layers = [name for name, _ in network.named_modules() if f".{name}".endswith(ends)]
    for key in recipe.ranks:
        if not any(f".{key}." in f".{layer}." for layer in layers):
            raise UsageError(
                f"ranks: no adapted layer of this base lies in {key!r}; nothing was trained.",
                hint=f"Layers are named like {layers[0]}." if layers else "",
            )
    found = {layer: recipe.rank_at(layer) for layer in layers}
    return {layer: rank for layer, rank in found.items() if rank != recipe.rank}
