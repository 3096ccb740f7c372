"""How is a foreign folder of weights read without trusting it? Shared by bases and embeddings.

Weights are safetensors; a pickle or a file of code anywhere in the folder refuses all of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError

from picdeed.core.errors import UsageError
from picdeed.diffusion.tensors import (
    Tensors,
    read_safetensors,
    shapes_in,
    tensors_in_turn,
)

_CODE = frozenset({".bin", ".ckpt", ".pt", ".pth", ".pkl", ".pickle", ".joblib", ".py", ".so"})

# What transformers raises on a config that describes nothing, and torch on weights that do not fit.
WRONG = (
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    RuntimeError,
    StrictDataclassError,
)


def refuse_code(folder: Path, what: str) -> None:
    """Raise UsageError naming a file in the folder that could run code; `what` is refused."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in _CODE:
            raise UsageError(
                f"{path} could run code when it is loaded; the {what} is refused.",
                hint="Convert its weights to safetensors; where they are there, remove this file.",
            )


def read_json(path: Path, what: str) -> dict[str, Any]:
    """A JSON object. Raises UsageError naming the file that `what` lacks or that holds none."""
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise UsageError(f"The {what} lacks {path}.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not readable JSON: {error}.") from error
    if not isinstance(value, dict):
        raise UsageError(f"{path} holds no JSON object.")
    return value


def plain(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config without private keys: they tell who wrote the file, not what it computes."""
    return {key: value for key, value in config.items() if not key.startswith("_")}


def part_tensors(folder: Path, stem: str, what: str) -> Tensors:
    """All tensors of `stem`.safetensors, or of the shards that its index names.

    Raises UsageError naming the file that is missing, broken, outside the folder or not finite.
    """
    tensors: Tensors = {}
    for path in _weight_files(folder, stem, what):
        tensors.update(read_safetensors(path)[0])
    return tensors


def each_tensor(folder: Path, stem: str, what: str) -> Iterator[tuple[str, torch.Tensor]]:
    """Name and tensor of what `part_tensors` gives, each read when it is its turn, so that nobody
    has to hold them all. Not searched for what is not finite; raises like it otherwise."""
    for path in _weight_files(folder, stem, what):
        yield from tensors_in_turn(path)


def part_shapes(folder: Path, stem: str, what: str) -> dict[str, tuple[int, ...]]:
    """The shapes of what `part_tensors` would give, without reading a weight; raises like it."""
    shapes: dict[str, tuple[int, ...]] = {}
    for path in _weight_files(folder, stem, what):
        shapes.update(shapes_in(path))
    return shapes


def _weight_files(folder: Path, stem: str, what: str) -> list[Path]:
    index = folder / f"{stem}.safetensors.index.json"
    if not index.exists():
        return [folder / f"{stem}.safetensors"]
    listed = read_json(index, what).get("weight_map", {})
    if not isinstance(listed, dict) or not all(isinstance(one, str) for one in listed.values()):
        raise UsageError(f"{index} names no files.")
    names = sorted(set(listed.values()))
    for name in names:
        if Path(name).name != name:
            raise UsageError(f"{index} points outside its folder: {name}.")
    return [folder / name for name in names]
