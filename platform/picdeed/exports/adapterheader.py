"""What does the header of an exported adapter say, to people's tools and of where it comes from?

`modelspec.*` after the Stability AI Model Metadata Standard 1.0.1, `ss_*` and `sshs_*` as
kohya's sd-scripts name them, `picdeed.*` the adapter's own papers, word for word. A key is left
out where it would not be true: there is no hash of a checkpoint file, for a base is a folder.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from picdeed.core.ids import sha256
from picdeed.flow.notices import side_of
from picdeed.rights.expression import NOASSERTION, all_of, leaves, tree_of

if TYPE_CHECKING:
    from picdeed.diffusion.lora import Adapter
    from picdeed.diffusion.recipe import Recipe
    from picdeed.registry.bases import Base
    from picdeed.registry.decisions import Decision
    from picdeed.registry.runs import Run

MOST_TAGS = 1_000
LONGEST_TAG = 200
_ID = 12  # characters of an id in a title
_HEADER_LENGTH = 8  # bytes that say how long a safetensors header is


@dataclass(frozen=True, slots=True)
class Family:
    """How others call a base's architecture: in modelspec, in ss_base_model_version, in ss_v2."""

    architecture: str
    version: str
    is_v2: bool | None = None


# By channels of the UNet's blocks and width of the text embedding.
_FAMILIES = {
    ((320, 640, 1280, 1280), 768): Family("stable-diffusion-v1", "sd_v1", is_v2=False),
    ((320, 640, 1280, 1280), 1024): Family("stable-diffusion-v2-512", "sd_v2", is_v2=True),
    ((320, 640, 1280), 2048): Family("stable-diffusion-xl-v1-base", "sdxl_base_v1-0"),
}
_LATENTS = 4  # input channels; an inpainting UNet has more and is another architecture
_PREDICTIONS = {"v_prediction": "v", "epsilon": "epsilon", "sample": "sample"}


@dataclass(frozen=True, slots=True)
class BaseLooks:
    """What a base's folder says of it; None what nobody says, or where the folder is gone."""

    family: Family
    side: int | None
    prediction: str | None


@dataclass(frozen=True, slots=True)
class Told:
    """Where an adapter comes from, by the registry's rows.

    `learned` counts the pictures that were shown to it, None where that was not recorded;
    `captions` are theirs.
    """

    adapter: Adapter
    sha256: str
    made_at: str
    run: Run
    recipe: Recipe
    base: Base
    looks: BaseLooks
    decision: Decision | None
    learned: int | None
    captions: tuple[str, ...]


def looks_of(folder: Path, name: str) -> BaseLooks:
    """What the configs of a base say. A family that is not known is called by the base's name."""
    unet = _config(folder / "unet" / "config.json")
    scheduler = _config(folder / "scheduler" / "scheduler_config.json")
    blocks, width = unet.get("block_out_channels"), unet.get("cross_attention_dim")
    family = Family(name, name)
    if isinstance(blocks, list) and isinstance(width, int) and unet.get("in_channels") == _LATENTS:
        family = _FAMILIES.get((tuple(blocks), width), family)
    told = str(scheduler.get("prediction_type", "epsilon")) if scheduler else ""
    prediction = _PREDICTIONS.get(told)
    if family.is_v2 and prediction == "v":
        family = Family("stable-diffusion-v2-768-v", family.version, is_v2=True)
    return BaseLooks(family, side_of(folder), prediction)


def license_of(pictures: Iterable[str], base: str) -> str:
    """The AND of what pictures and base were recorded under; NOASSERTION where one is unknown."""
    joined = all_of([*pictures, base])
    return NOASSERTION if NOASSERTION in leaves(tree_of(joined)) else joined


def licenses_in(papers: Mapping[str, str]) -> dict[str, int]:
    """Licences of the pictures with their number, as the papers of an adapter hold them."""
    try:
        found = json.loads(papers.get("picdeed.licenses", "{}"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def header(told: Told, data_sha256: str) -> dict[str, str]:
    """The whole header but peft's settings; `data_sha256` is `hash_of_data`'s answer."""
    said = _modelspec(told, data_sha256) | _training(told, data_sha256) | _papers(told)
    return {"format": "pt", **said}


def hash_of_data(file: bytes) -> str:
    """SHA-256 of a safetensors file without its header: `sshs_model_hash`, `hash_sha256`."""
    length = int.from_bytes(file[:_HEADER_LENGTH], "little")
    return sha256(file[_HEADER_LENGTH + length :])


def _modelspec(told: Told, data_sha256: str) -> dict[str, str]:
    papers, recipe = told.adapter.metadata, told.recipe
    licenses = licenses_in(papers)
    shown = papers.get("picdeed.snapshot", told.run.snapshot_id)[:_ID]
    said = {
        "sai_model_spec": "1.0.1",
        "architecture": f"{told.looks.family.architecture}/lora",
        "implementation": "diffusers",
        "title": papers.get("modelspec.title", f"picdeed {told.run.id[:16]}"),
        "description": f"Learned from {told.learned or 'the'} pictures of {shown} on "
        f"{told.base.name}.",
        "date": told.made_at,
        "hash_sha256": f"0x{data_sha256}",
        "license": license_of(licenses, told.base.license),
    }
    if told.looks.side is not None:
        said["resolution"] = f"{told.looks.side}x{told.looks.side}"
    if told.looks.prediction is not None:
        said["prediction_type"] = told.looks.prediction
    if phrase := f"{recipe.caption_prefix}{recipe.caption_suffix}".strip(" ,"):
        said["trigger_phrase"] = phrase
    return {f"modelspec.{key}": value for key, value in said.items()}


def _training(told: Told, data_sha256: str) -> dict[str, str]:
    adapter, recipe, run = told.adapter, told.recipe, told.run
    result: Mapping[str, Any] = run.result or {}
    said: dict[str, Any] = {
        "ss_output_name": adapter.id[:_ID],
        "ss_training_started_at": _seconds(run.started_at),
        "ss_training_finished_at": _seconds(told.made_at),
        "ss_network_module": "networks.lora",
        "ss_network_dim": adapter.rank,
        "ss_network_alpha": adapter.alpha,
        "ss_learning_rate": recipe.learning_rate,
        "ss_unet_lr": recipe.learning_rate,
        "ss_lr_scheduler": str(recipe.schedule),
        "ss_lr_warmup_steps": recipe.warmup_steps,
        "ss_optimizer": _optimizer(run.recipe, recipe),
        "ss_max_grad_norm": recipe.clip_norm,
        "ss_caption_dropout_rate": recipe.caption_dropout,
        "ss_min_snr_gamma": recipe.min_snr_gamma,
        "ss_steps": result.get("steps", run.steps),
        "ss_max_train_steps": recipe.steps,
        "ss_seed": run.seed,
        "ss_base_model_version": told.looks.family.version,
        "ss_v2": told.looks.family.is_v2,
        "ss_sd_model_name": told.base.name,
        "ss_num_train_images": told.learned,
        "ss_datasets": json.dumps(_datasets(told), sort_keys=True),
        "sshs_model_hash": data_sha256,
    }
    if any(len(tensor.shape) > 2 for tensor in adapter.tensors.values()):  # noqa: PLR2004 - matrices
        said["ss_network_args"] = json.dumps(
            {"conv_dim": str(adapter.rank), "conv_alpha": str(adapter.alpha)}
        )
    if told.captions:
        tags = {run.snapshot_id[:_ID]: tag_frequency(told.captions)}
        said["ss_tag_frequency"] = json.dumps(tags, ensure_ascii=False)
    return {key: str(value) for key, value in said.items() if value is not None}


def tag_frequency(captions: Iterable[str]) -> dict[str, int]:
    """How many captions hold each tag, between commas and in small letters as sd-scripts counts.

    The most frequent thousand, none longer than 200 characters: a header has to stay readable.
    """
    counted = Counter(
        tag
        for caption in captions
        for tag in (part.strip().lower() for part in caption.split(","))
        if 0 < len(tag) <= LONGEST_TAG
    )
    return dict(sorted(counted.items(), key=lambda one: (-one[1], one[0]))[:MOST_TAGS])


def _papers(told: Told) -> dict[str, str]:
    own = {key: text for key, text in told.adapter.metadata.items() if key.startswith("picdeed.")}
    own |= {
        "picdeed.adapter": told.adapter.id,
        "picdeed.adapter_sha256": told.sha256,
        "picdeed.base_license": told.base.license,
    }
    if told.decision is not None:
        own["picdeed.decision_verdict"] = told.decision.verdict
        own["picdeed.decision_uses"] = json.dumps(sorted(told.decision.uses))
    return own


def _datasets(told: Told) -> list[dict[str, Any]]:
    side = told.looks.side
    return [
        {
            "is_dreambooth": False,
            "batch_size_per_device": told.recipe.batch,
            "num_train_images": told.learned,
            "resolution": None if side is None else [side, side],
            "subsets": [{"img_count": told.learned, "flip_aug": told.recipe.flip}],
        }
    ]


def _optimizer(values: Mapping[str, Any], recipe: Recipe) -> str:
    """As sd-scripts spells it; a recipe that names its optimiser is taken at its word."""
    named = values.get("optimizer")
    if named is not None:
        return str(named)
    betas = f"({recipe.beta1}, {recipe.beta2})"
    return f"torch.optim.adamw.AdamW(betas={betas},weight_decay={recipe.weight_decay})"


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def _config(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
