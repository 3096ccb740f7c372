"""What is an adapter: which tensors, under which keys, with which papers?

LoRA, Hu et al. 2021 (arXiv 2106.09685), by peft. The file's keys are peft's own behind `unet.`,
with peft's settings in the header: the form that diffusers' `load_lora_weights` reads back to
exactly the same model (other spellings lose alpha or match other layers). A pipeline calls its
network `unet` or `transformer`, its CLIP encoders `text_encoder` and `text_encoder_2`, and so do
the keys. Of an encoder they go on with `text_model.`, as all other tools spell it; transformers 5
left that word out in some classes. On a base, adapters are put by worn.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from picdeed.core.errors import UsageError
from picdeed.core.ids import make_id, sha256
from picdeed.diffusion.plan import NOTICES, Without
from picdeed.diffusion.recipe import Quantize, Recipe
from picdeed.diffusion.tensors import Tensors, read_safetensors, tensors_hash

NETWORKS = ("unet", "transformer")
TEXT = ("text_encoder", "text_encoder_2")
"""CLIP encoders by their names in a pipeline; where one of these is a T5, it takes no adapter."""
TEXT_TARGETS = ("q_proj", "k_proj", "v_proj", "out_proj")
_TEXT_MODEL = "text_model."
_NOT_IN_IT = "text_projection."
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
class Settings:
    """What an adapter puts on one model of a base: on which layers, how wide, how strong."""

    rank: int
    alpha: float
    targets: tuple[str, ...]
    kind: Kind = field(default_factory=Kind)

    def document(self) -> dict[str, Any]:
        """As peft's configuration holds them."""
        said = {"r": self.rank, "lora_alpha": self.alpha, "target_modules": list(self.targets)}
        return said | self.kind.settings(self.alpha, self.rank)


@dataclass(frozen=True, slots=True)
class Adapter:
    """An adapter read from its file, not yet on any model. `parts` by the models that it is for:
    the network first, where it has a part for it.
    """

    id: str
    sha256: str
    parts: Mapping[str, Settings]
    tensors: Tensors
    metadata: Mapping[str, str]

    @property
    def rank(self) -> int:
        """Of its first part, as are `alpha`, `targets` and `kind`."""
        return self._first.rank

    @property
    def alpha(self) -> float:
        """What its strength is the rank's part of."""
        return self._first.alpha

    @property
    def targets(self) -> tuple[str, ...]:
        """The layers by the ends of their names."""
        return self._first.targets

    @property
    def kind(self) -> Kind:
        """Plain LoRA or another."""
        return self._first.kind

    @property
    def text(self) -> Mapping[str, Settings]:
        """Its parts for text encoders."""
        return {name: one for name, one in self.parts.items() if name in TEXT}

    @property
    def _first(self) -> Settings:
        return next(iter(self.parts.values()))

    @property
    def base_sha256(self) -> str:
        """Hash of the base it was trained on; empty when the file does not say."""
        return self.metadata.get("picdeed.base_sha256", "")


def adapter_id(tensors: Mapping[str, torch.Tensor]) -> str:
    """`adp_` and the hash of the tensors' names, types, shapes and bytes."""
    return make_id("adp", tensors_hash(tensors))


def load_adapter(path: Path) -> Adapter:
    """Read an adapter's file. Raises UsageError naming what is wrong with it."""
    tensors, metadata = read_safetensors(path)
    try:
        parts = _parts_said(json.loads(metadata[_PEFT_KEY]))
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{path} does not say its rank, alpha and targets, so its strength is unknown.",
            hint="Only adapters with peft's settings in the header are accepted.",
        ) from error
    return Adapter(
        id=adapter_id(tensors),
        sha256=sha256(path.read_bytes()),
        parts=parts,
        tensors=tensors,
        metadata=metadata,
    )


def spelled(part: str, layer: str) -> str:
    """A layer's, or its tensor's, key in a file; `layer` is its path in the model of that name."""
    if part in TEXT and not layer.startswith((_TEXT_MODEL, _NOT_IN_IT)):
        layer = f"{_TEXT_MODEL}{layer}"
    return f"{part}.{layer}"


def unspelled(key: str) -> str:
    """The end of a layer's path that is the same in every version of its model."""
    part, _, layer = key.partition(".")
    return layer.removeprefix(_TEXT_MODEL) if part in TEXT else layer


def _parts_said(said: Mapping[str, Any]) -> dict[str, Settings]:
    """Peft's settings by the models that they begin with, one network among them or none."""
    by_part: dict[str, dict[str, Any]] = {}
    for key, value in said.items():
        part, _, name = key.partition(".")
        by_part.setdefault(part, {})[name] = value
    found = [name for name in (*NETWORKS, *TEXT) if name in by_part]
    if not found or set(NETWORKS) <= set(found):
        raise ValueError("networks")
    return {name: _settings_said(name, by_part[name]) for name in found}


def _settings_said(part: str, said: Mapping[str, Any]) -> Settings:
    rank, alpha = int(said["r"]), float(said["lora_alpha"])
    targets = tuple(unspelled(f"{part}.{target}") for target in said["target_modules"])
    return Settings(rank, alpha, targets, _kind_said(said, alpha, rank))


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


def header(recipe: Recipe, papers: Papers, parts: Mapping[str, Settings]) -> dict[str, str]:
    """What the file of an adapter with these parts says of itself."""
    settings = {
        f"{part}.{key}": value
        for part, one in parts.items()
        for key, value in one.document().items()
    }
    said = {
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
        said["picdeed.notices"] = NOTICES
        said["picdeed.notices_sha256"] = papers.notices_sha256
    if recipe.quantize is not Quantize.NONE:
        said["picdeed.quantize"] = str(recipe.quantize)
    if papers.without is not None:
        said["picdeed.counterfactual_of"] = papers.without.run
        said["picdeed.without_revocations"] = json.dumps(list(papers.without.revocations))
    return said | {f"picdeed.{name}": str(getattr(papers, name)) for name in _PAPERS}
