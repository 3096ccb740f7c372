"""Which base models can be used, what are they, and how are they loaded?

A base is a folder in diffusers' own layout. Weights are read as safetensors only; a pickle or a
Python file anywhere in the folder refuses the whole base.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers

from picdeed.core.errors import IntegrityError, UsageError
from picdeed.core.ids import canonical_json, hash_json, sha256_file
from picdeed.diffusion.devices import pick_device, quiet
from picdeed.diffusion.families.family import Configs, Family, Part
from picdeed.diffusion.families.known import family_of, parts_in
from picdeed.diffusion.flows import FLOW
from picdeed.diffusion.modelfiles import WRONG, part_tensors, plain, read_json, refuse_code
from picdeed.diffusion.quantised import read_network, require
from picdeed.diffusion.recipe import Quantize
from picdeed.diffusion.suited import guidance_of
from picdeed.diffusion.tensors import Tensors, tensors_hash

_PREDICTIONS = frozenset({"epsilon", "v_prediction", "sample", FLOW})


@dataclass(frozen=True, slots=True)
class BaseFacts:
    """What a base is. `sha256` hashes all tensors and configs; `size` is the side in pixels.

    `parameters` counts all weights; `parts` hashes each part alone.
    """

    name: str
    family: str
    sha256: str
    license: str
    deed: Mapping[str, Any]
    prediction: str
    size: int
    parameters: int
    parts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Base:
    """A loaded base: fp32, frozen, in evaluation mode, on one device.

    `parts` holds models and tokenizers by their names in `model_index.json`, `settings` what it
    says beside them. `quantize` says whether the network's weights are fewer bits' (quantised.py).
    """

    facts: BaseFacts
    family: Family
    parts: Mapping[str, Any]
    settings: Mapping[str, Any]
    scheduler: Mapping[str, Any]
    device: torch.device
    quantize: Quantize = Quantize.NONE

    @property
    def network(self) -> Any:
        """The part that learns: a UNet or a transformer."""
        return self.parts[self.family.network]

    @property
    def vae(self) -> Any:
        """The autoencoder; every family has the same kind."""
        return self.parts["vae"]

    @property
    def tokenizer(self) -> Any:
        """The first one; every family has a CLIP tokenizer under this name."""
        return self.parts["tokenizer"]


def check_base(folder: Path) -> BaseFacts:
    """Read a base's folder without trusting it and say what it is.

    Raises UsageError naming the file that is missing, is a pickle or code, is broken, holds NaN
    weights, or whose tensors do not have the names and shapes that its config promises.
    """
    _require_folder(folder)
    refuse_code(folder, "base")
    index = _json(folder / "model_index.json")
    family = family_of(index, folder / "model_index.json")
    present = parts_in(index, family)
    models = {name: part for name, part in family.parts.items() if name in present}
    configs = {name: _json(folder / name / "config.json") for name in models}
    scheduler = _scheduler(folder)
    prediction = family.predicts(scheduler)
    if prediction not in _PREDICTIONS:
        raise UsageError(f"{folder}/scheduler predicts {prediction!r}, which is not supported.")
    parts = {"scheduler": hash_json(plain(scheduler))}
    for name in sorted(family.tokenizers.keys() & set(present)):
        parts[name] = _tokenizer_hash(folder / name, family.told_by_tokenizer)
    if family.settings:
        parts["pipeline"] = hash_json(_settings(family, index))
    parameters = 0
    for name, part in models.items():
        tensors = part_tensors(folder / name, part.stem, "base")
        _check_shapes(folder / name, part, configs[name], tensors)
        parts[name] = hash_json([plain(configs[name]), tensors_hash(tensors)])
        parameters += sum(tensor.numel() for tensor in tensors.values())
    side = _check_fit(folder, family, {**configs, "scheduler": scheduler})
    deed = _json(folder / "deed.json") if (folder / "deed.json").exists() else {}
    guidance_of(folder)  # refused here and not by whoever draws after hours of training
    return BaseFacts(
        name=str(deed.get("name", folder.resolve().name)),
        family=family.name,
        sha256=hash_json(parts),
        license=str(deed.get("license", "NOASSERTION")),
        deed=deed,
        prediction=prediction,
        size=side,
        parameters=parameters,
        parts=parts,
    )


def load_base(
    folder: Path,
    device: torch.device | None = None,
    *,
    expect: str | None = None,
    quantize: Quantize = Quantize.NONE,
) -> Base:
    """Check and load a base in fp32, whatever type its files have; with `quantize` the network's
    weights in fewer bits. Its hash is that of the files either way.

    Raises UsageError like `check_base`, and where it cannot be quantised here; IntegrityError when
    its hash is not `expect`.
    """
    where = device or pick_device()
    require(quantize, where)
    facts = check_base(folder)
    if expect is not None and facts.sha256 != expect:
        raise IntegrityError(
            f"The base {folder} is not the one that was recorded: its tensors hash to "
            f"{facts.sha256}, recorded is {expect}. Nothing was started.",
            hint="Restore the base's files, or picdeed models add FOLDER --name NAME: other "
            "weights are another base.",
        )
    quiet()
    index = _json(folder / "model_index.json")
    family = family_of(index, folder / "model_index.json")
    loaded: dict[str, Any] = {}
    for name in parts_in(index, family):
        if name == family.network and quantize is not Quantize.NONE:
            model = read_network(folder / name, family.parts[name], quantize, where)
            loaded[name] = model.to(where).eval().requires_grad_(requires_grad=False)
        elif name in family.parts:
            model = family.parts[name].kind.from_pretrained(
                folder / name, local_files_only=True, use_safetensors=True, dtype=torch.float32
            )
            loaded[name] = model.to(where).eval().requires_grad_(requires_grad=False)
        else:
            kind = getattr(transformers, family.tokenizers[name])
            loaded[name] = kind.from_pretrained(folder / name, local_files_only=True)
    settings, scheduler = _settings(family, index), _scheduler(folder)
    return Base(facts, family, loaded, settings, scheduler, where, quantize)


def _settings(family: Family, index: Mapping[str, Any]) -> dict[str, Any]:
    return {name: index.get(name, usual) for name, usual in family.settings.items()}


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


def _tokenizer_hash(here: Path, told: Iterable[str]) -> str:
    """Over its vocabulary, and over the values in its config that `told` names."""
    files = [here / name for name in ("tokenizer.json", "vocab.json", "merges.txt")]
    present = [path for path in files if path.is_file()]
    if not present or (files[0] not in present and len(present) < 2):
        raise UsageError(f"The base lacks {files[0]}.")
    for path in present:
        if path.suffix == ".json":
            read_json(path, "base")
    found: list[Any] = [[path.name, sha256_file(path)] for path in present]
    if names := list(told):
        config = _json(here / "tokenizer_config.json")
        found += [[name, config.get(name)] for name in names]
    return hash_json(found)


def _check_shapes(folder: Path, part: Part, config: dict[str, Any], tensors: Tensors) -> None:
    kind = part.kind
    try:
        with torch.device("meta"):
            model: Any = (
                kind(kind.config_class(**config))
                if issubclass(kind, transformers.PreTrainedModel)
                else kind.from_config(config)
            )
    except WRONG as error:
        raise UsageError(
            f"{folder / 'config.json'} describes no {folder.name}: {error}."
        ) from error
    wanted = {_bare(name): tuple(t.shape) for name, t in model.state_dict().items()}
    found = {_bare(name): tuple(t.shape) for name, t in tensors.items()}
    found.pop("embeddings.position_ids", None)  # older files stored this counter as a weight
    wanted.pop("embeddings.position_ids", None)
    for name in part.tied - found.keys():
        wanted.pop(name, None)
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            raise UsageError(
                f"{folder / part.stem}.safetensors: {name} has shape "
                f"{found.get(name, 'missing')}, its config says {wanted.get(name, 'none')}."
            )


def _bare(name: str) -> str:
    return name.removeprefix("text_model.")


def _check_fit(folder: Path, family: Family, configs: Configs) -> int:
    """The base's side in pixels, once its parts are known to fit each other."""
    if not isinstance(configs["vae"].get("block_out_channels"), list):
        raise UsageError(f"{folder}/vae/config.json: block_out_channels is no list.")
    size = configs[family.sized_by].get("sample_size")
    try:
        for what, ours, theirs in family.misfits(configs):
            if ours != theirs:
                raise UsageError(f"{folder}/{what} is {ours}, the part it must fit has {theirs}.")
    except WRONG as error:
        raise UsageError(
            f"{folder}: its configs do not say how its parts fit together: {error!r}."
        ) from error
    if not isinstance(size, int) or size < 1:
        raise UsageError(f"{folder}/{family.sized_by}/config.json: sample_size is no whole number.")
    return family.side(configs)
