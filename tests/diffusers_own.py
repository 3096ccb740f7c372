"""A base as diffusers itself finds, loads and calls it: what every family is held against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline, FluxPipeline

from picdeed.diffusion.devices import quiet
from picdeed.diffusion.models import Base

SIDE, FACTOR = 32, 4


def diffusers_own(folder: Path) -> Any:
    """The pipeline as diffusers finds, loads and calls it, without a line of ours."""
    quiet()
    more = {}
    if "StableDiffusionPipeline" in (folder / "model_index.json").read_text():
        more = {"safety_checker": None, "feature_extractor": None}
    pipeline = DiffusionPipeline.from_pretrained(folder, local_files_only=True, **more)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@dataclass
class Call:
    """What a network was asked once by diffusers' pipeline, in latents, and what it said."""

    noisy: torch.Tensor
    times: torch.Tensor
    said: torch.Tensor


def first_call(pipeline: Any, prompt: str, network: str, **asked: Any) -> Call:
    """The first call of the network while the pipeline draws two steps without guidance."""
    calls: list[Call] = []
    packed = isinstance(pipeline, FluxPipeline)

    def plain(latents: torch.Tensor) -> torch.Tensor:
        if not packed:
            return latents
        unpacked: torch.Tensor = pipeline._unpack_latents(latents, SIDE, SIDE, FACTOR)
        return unpacked

    def note(_: Any, given: tuple[Any, ...], named: Mapping[str, Any], told: Any) -> None:
        noisy = given[0] if given else named["hidden_states"]
        times = torch.as_tensor(given[1] if given else named["timestep"]).float().reshape(-1)
        calls.append(Call(plain(noisy), times * 1000 if packed else times, plain(told[0])))

    hook = getattr(pipeline, network).register_forward_hook(note, with_kwargs=True)
    try:
        pipeline(
            prompt,
            num_inference_steps=2,
            guidance_scale=1.0,
            generator=torch.Generator().manual_seed(4),
            output_type="latent",
            **asked,
        )
    finally:
        hook.remove()
    return calls[0]


def with_network(base: Base, network: Any) -> dict[str, Any]:
    """The base's parts with another network, for `dataclasses.replace`."""
    return {**base.parts, base.family.network: network}
