"""How does Stable Diffusion 3 read, predict and draw? (Esser et al. 2024, arXiv 2403.03206.)

A transformer reads two CLIP encoders side by side, then T5's words after them, and beside the time
both pooled captions. It walks along a rectified flow. T5 may be missing: zeros take its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import torch
from diffusers import SD3Transformer2DModel
from transformers import CLIPTextModelWithProjection, T5EncoderModel

from picdeed.diffusion.families import rectified, sd
from picdeed.diffusion.families.family import Configs, Family, Misfit, Part
from picdeed.diffusion.prompts import POOLED, WORDS, Prompt
from picdeed.diffusion.recipe import ATTENTION, JOINT

if TYPE_CHECKING:
    from picdeed.diffusion.models import Base

TOKENS = 256
"""Of a caption T5 reads so many, as the pipeline does unless it is told otherwise."""
T5 = Part(T5EncoderModel, "model", tied=frozenset({"encoder.embed_tokens.weight"}))
FEED_FORWARD = ("ff.net.0.proj", "ff.net.2", "ff_context.net.0.proj", "ff_context.net.2")


def _misfits(configs: Configs) -> Iterator[Misfit]:
    network, latents = configs["transformer"], configs["vae"].get("latent_channels")
    first, second = configs["text_encoder"], configs["text_encoder_2"]
    here = "transformer/config.json"
    yield f"{here}: in_channels", network.get("in_channels"), latents
    yield f"{here}: out_channels", network.get("out_channels"), latents
    pooled = first["projection_dim"] + second["projection_dim"]
    yield f"{here}: pooled_projection_dim", network.get("pooled_projection_dim"), pooled
    width = network.get("joint_attention_dim")
    if "text_encoder_3" in configs:
        yield f"{here}: joint_attention_dim", width, configs["text_encoder_3"].get("d_model")
    side_by_side = first["hidden_size"] + second["hidden_size"]
    if not isinstance(width, int) or width < side_by_side:
        yield f"{here}: joint_attention_dim", width, side_by_side
    yield f"{here}: sample_size modulo patch_size", _left_over(configs), 0


def _left_over(configs: Configs) -> Any:
    network = configs["transformer"]
    size, patch = network.get("sample_size"), network.get("patch_size")
    if not isinstance(size, int) or not isinstance(patch, int) or patch < 1:
        return None
    return size % patch


def _side(configs: Configs) -> int:
    return int(configs["transformer"]["sample_size"]) * sd.factor(configs["vae"])


def _grain(base: Base) -> int:
    return int(base.network.config.patch_size * sd.factor(base.vae.config))


def _shift(base: Base) -> float:
    config = base.network.config
    return rectified.shift(
        base.scheduler, (config.sample_size // config.patch_size) ** 2, highest=1.16
    )


def _encode(base: Base, caption: str) -> Prompt:
    words, _, pooled, _ = _pipeline(base, None).encode_prompt(
        caption, None, None, device=base.device, do_classifier_free_guidance=False, **_asked(base)
    )
    return {WORDS: words[0], POOLED: pooled[0]}


def _predict(base: Base, noisy: torch.Tensor, times: torch.Tensor, prompt: Prompt) -> torch.Tensor:
    said: torch.Tensor = base.network(
        hidden_states=noisy,
        timestep=times,
        encoder_hidden_states=prompt[WORDS],
        pooled_projections=prompt[POOLED],
    ).sample
    return said


def _asked(_: Base) -> Mapping[str, Any]:
    return {"max_sequence_length": TOKENS}


def _pipeline(base: Base, scheduler: Any) -> Any:
    from diffusers import StableDiffusion3Pipeline

    missing = {"text_encoder_3": None, "tokenizer_3": None}
    return StableDiffusion3Pipeline(**{**missing, **base.parts}, scheduler=scheduler)


SD3 = Family(
    name="sd3",
    pipelines=frozenset({"StableDiffusion3Pipeline"}),
    parts={
        "vae": sd.VAE,
        "transformer": Part(SD3Transformer2DModel, "diffusion_pytorch_model"),
        "text_encoder": Part(CLIPTextModelWithProjection, "model"),
        "text_encoder_2": Part(CLIPTextModelWithProjection, "model"),
        "text_encoder_3": T5,
    },
    tokenizers={
        "tokenizer": "CLIPTokenizer",
        "tokenizer_2": "CLIPTokenizer",
        "tokenizer_3": "T5Tokenizer",
    },
    network="transformer",
    targets=frozenset((*ATTENTION, *JOINT, *FEED_FORWARD, "proj_out")),
    sized_by="transformer",
    side=_side,
    grain=_grain,
    misfits=_misfits,
    predicts=rectified.predicts,
    samplers=rectified.samplers,
    encode=_encode,
    predict=_predict,
    pipeline=_pipeline,
    asked=_asked,
    shift=_shift,
    optional=frozenset({"text_encoder_3", "tokenizer_3"}),
    told_by_tokenizer=("pad_token", "model_max_length"),
)
