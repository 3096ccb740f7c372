"""How does Stable Diffusion 1 and 2 read, predict and draw? The embedded base is of this kind.

A UNet reads the last hidden state of one CLIP text encoder (Rombach et al. 2022, arXiv 2112.10752).
The second one's OpenCLIP encoder comes as a CLIPTextModel without its last layer, so nothing here
depends on which of them it is; both say epsilon or v by their scheduler.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    UNet2DConditionModel,
    UniPCMultistepScheduler,
)
from transformers import CLIPTextModel

from picdeed.diffusion.families.family import Config, Configs, Family, Misfit, Part
from picdeed.diffusion.flows import FLOW
from picdeed.diffusion.prompts import WORDS, Prompt
from picdeed.diffusion.recipe import UNET_TARGETS
from picdeed.diffusion.samplers import Sampler

if TYPE_CHECKING:
    from picdeed.diffusion.models import Base

VAE = Part(AutoencoderKL, "diffusion_pytorch_model")
UNET = Part(UNet2DConditionModel, "diffusion_pytorch_model")

_SCHEDULERS: Mapping[Sampler, Any] = {
    Sampler.DDIM: DDIMScheduler,
    Sampler.DPM: DPMSolverMultistepScheduler,
    Sampler.UNIPC: UniPCMultistepScheduler,
    Sampler.EULER: EulerDiscreteScheduler,
    Sampler.EULER_A: EulerAncestralDiscreteScheduler,
}
# The others know no flow. (FlowMatchEulerDiscreteScheduler lacks what the pipeline asks for.)
_ALONG_A_FLOW = (Sampler.DPM, Sampler.UNIPC)


def samplers(prediction: str) -> Mapping[Sampler, Any]:
    """The schedulers that can draw with a UNet that says `prediction`."""
    if prediction == FLOW:
        return {sampler: _SCHEDULERS[sampler] for sampler in _ALONG_A_FLOW}
    return _SCHEDULERS


def predicts(scheduler: Config) -> str:
    """What the network says, as the scheduler's config names it."""
    return str(scheduler.get("prediction_type", "epsilon"))


def side(configs: Configs) -> int:
    """The side in pixels of the pictures that the UNet was made for."""
    return int(configs["unet"]["sample_size"]) * factor(configs["vae"])


def grain(base: Base) -> int:
    """Pixels that a side must be a multiple of: every level of the UNet halves the latents."""
    levels = len(base.network.config.block_out_channels)
    return int(factor(base.vae.config) * 2 ** (levels - 1))


def factor(vae: Config) -> int:
    """Pixels to a latent, along one side."""
    return int(2 ** (len(vae["block_out_channels"]) - 1))


def channels(configs: Configs) -> Iterator[Misfit]:
    """The UNet takes and gives latents as the autoencoder makes them."""
    unet, latents = configs["unet"], configs["vae"].get("latent_channels")
    yield "unet/config.json: in_channels", unet.get("in_channels"), latents
    yield "unet/config.json: out_channels", unet.get("out_channels"), latents


def _misfits(configs: Configs) -> Iterator[Misfit]:
    yield from channels(configs)
    unet, text = configs["unet"], configs["text_encoder"]
    what = "unet/config.json: cross_attention_dim"
    yield what, unet.get("cross_attention_dim"), text.get("hidden_size")


def _encode(base: Base, caption: str) -> Prompt:
    tokenizer = base.parts["tokenizer"]
    tokens = tokenizer(
        caption,
        padding="max_length",
        truncation=True,
        max_length=tokenizer.model_max_length,
        return_tensors="pt",
    )
    hidden = base.parts["text_encoder"](tokens.input_ids.to(base.device))[0]
    return {WORDS: hidden[0]}


def _predict(base: Base, noisy: torch.Tensor, times: torch.Tensor, prompt: Prompt) -> torch.Tensor:
    said: torch.Tensor = base.network(noisy, times, encoder_hidden_states=prompt[WORDS]).sample
    return said


def _pipeline(base: Base, scheduler: Any) -> Any:
    # Its module announces what is not installed; imported only once that is switched off.
    from diffusers import StableDiffusionPipeline

    return StableDiffusionPipeline(
        **base.parts,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


SD = Family(
    name="sd",
    pipelines=frozenset({"StableDiffusionPipeline"}),
    parts={"vae": VAE, "unet": UNET, "text_encoder": Part(CLIPTextModel, "model")},
    tokenizers={"tokenizer": "CLIPTokenizer"},
    network="unet",
    targets=UNET_TARGETS,
    sized_by="unet",
    side=side,
    grain=grain,
    misfits=_misfits,
    predicts=predicts,
    samplers=samplers,
    encode=_encode,
    predict=_predict,
    pipeline=_pipeline,
    in_one_file=True,
)
