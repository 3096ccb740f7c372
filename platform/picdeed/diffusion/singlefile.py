"""How does a base that is passed around as one file become a folder in diffusers' layout?

diffusers' own loader renames the tensors. Such a file holds no configs and no tokenizer, and the
loader would fetch these from the hub; here they come from a folder that somebody names, of which
everything is taken but weights. Nothing is fetched.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers.loaders.single_file_utils import SingleFileComponentError
from diffusers.utils import logging

from picdeed.core.errors import UsageError
from picdeed.diffusion.devices import quiet
from picdeed.diffusion.families.family import Family
from picdeed.diffusion.families.known import FAMILIES, family_of, parts_in
from picdeed.diffusion.modelfiles import WRONG, read_json, refuse_code
from picdeed.diffusion.tensors import read_safetensors

SUFFIX = ".safetensors"
_SAID = ("*.json", "*.txt")
_INDEX = "model_index.json"


def convert(file: Path, like: Path, out: Path) -> None:
    """Write the base in `file` to the folder `out`, with configs and tokenizers of the base `like`.

    Weights keep their type. Raises UsageError when the file is no safetensors file, is not finite,
    or does not hold every weight of a base of that shape; `out` is not there then.
    """
    refuse_code(like, "folder of configs")
    index = read_json(like / _INDEX, "folder of configs")
    family = family_of(index, like / _INDEX)
    if not family.in_one_file:
        known = " and ".join(one.name for one in FAMILIES if one.in_one_file)
        raise UsageError(
            f"A base of {like}'s family is not read from one file; those of {known} are.",
            hint="Add its folder in diffusers' layout: picdeed models add FOLDER.",
        )
    tensors, _ = read_safetensors(file)
    kept = {tensor.dtype for tensor in tensors.values() if tensor.is_floating_point()}
    dtype = kept.pop() if len(kept) == 1 else torch.float32
    del tensors
    quiet()
    logging.disable_progress_bar()
    with tempfile.TemporaryDirectory(dir=out.parent) as place:
        said, made = Path(place) / "said", Path(place) / "made"
        _copy_what_is_said(like, index, family, said)
        try:
            pipeline: Any = getattr(diffusers, next(iter(family.pipelines))).from_single_file(
                str(file), config=str(said), local_files_only=True, torch_dtype=dtype
            )
            pipeline.save_pretrained(made, safe_serialization=True)
        except (*WRONG, OSError, SingleFileComponentError) as error:
            raise UsageError(
                f"{file} does not hold a base like the one in {like}: {_first_line(error)}",
                hint="Name a folder of the same family and size: --config FOLDER.",
            ) from error
        made.rename(out)


def _copy_what_is_said(like: Path, index: dict[str, Any], family: Family, into: Path) -> None:
    """Configs and tokenizers; were weights there, one that the file lacks would come from them."""
    parts = (*parts_in(index, family), "scheduler")
    into.mkdir()
    told = {name: index.get(name) for name in ("_class_name", *parts, *family.settings)}
    told["_class_name"] = next(iter(family.pipelines))
    (into / _INDEX).write_text(json.dumps({k: v for k, v in told.items() if v is not None}))
    for part in parts:
        (into / part).mkdir()
        for path in (one for kind in _SAID for one in (like / part).glob(kind)):
            if not path.name.endswith(f"{SUFFIX}.index.json"):
                shutil.copyfile(path, into / part / path.name)


def _first_line(error: BaseException) -> str:
    said = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return (said or type(error).__name__).rstrip(".")[:300] + "."
