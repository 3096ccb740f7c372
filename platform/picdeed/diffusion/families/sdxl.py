"""How does Stable Diffusion XL read, predict and draw? (Podell et al. 2023, arXiv 2307.01952.)

Its UNet reads the last hidden states but one of two CLIP encoders side by side, and beside the time
the second one's pooled words and six numbers: the picture's size before it was fitted, where it was
cropped, and its size now.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from picdeed.diffusion.families import sd
from picdeed.diffusion.families.family import Configs, Family, Misfit, Part
from picdeed.diffusion.prompts import FRAME, POOLED, WORDS, Prompt
from picdeed.diffusion.recipe import UNET_TARGETS

if TYPE_CHECKING:
    from picdeed.diffusion.data import Frame
    from picdeed.diffusion.models import Base

_NUMBERS = 6
_ZEROS = "force_zeros_for_empty_prompt"


def _misfits(configs: Configs) -> Iterator[Misfit]:
    yield from sd.channels(configs)
    unet, first, second = (configs[name] for name in ("unet", "text_encoder", "text_encoder_2"))
    width = first["hidden_size"] + second["hidden_size"]
    yield "unet/config.json: cross_attention_dim", unet.get("cross_attention_dim"), width
    yield "unet/config.json: addition_embed_type", unet.get("addition_embed_type"), "text_time"
    told = second["projection_dim"] + _NUMBERS * int(unet.get("addition_time_embed_dim") or 0)
    what = "unet/config.json: projection_class_embeddings_input_dim"
    yield what, unet.get("projection_class_embeddings_input_dim"), told
    # Both belong to offshoots whose latents or noise are scaled in another way than is done here.
    yield "vae/config.json: latents_mean", configs["vae"].get("latents_mean"), None
    yield "scheduler: sigma_data", configs["scheduler"].get("sigma_data"), None


def _encode(base: Base, caption: str) -> Prompt:
    """As the base's own pipeline does. No caption is what it takes where nothing is asked for,
    zeros in the base as it was published: guidance subtracts exactly that."""
    told = _pipeline(base, None).encode_prompt(
        caption, device=base.device, do_classifier_free_guidance=not caption
    )
    words, nothing, pooled, none_pooled = told
    if not caption:
        words, pooled = nothing, none_pooled
    return {WORDS: words[0], POOLED: pooled[0]}


def _framed(frame: Frame) -> Prompt:
    numbers = (frame.height, frame.width, frame.top, frame.left, frame.high, frame.wide)
    return {FRAME: torch.tensor(numbers, dtype=torch.float32)}


def _predict(base: Base, noisy: torch.Tensor, times: torch.Tensor, prompt: Prompt) -> torch.Tensor:
    said: torch.Tensor = base.network(
        noisy,
        times,
        encoder_hidden_states=prompt[WORDS],
        added_cond_kwargs={"text_embeds": prompt[POOLED], "time_ids": prompt[FRAME]},
    ).sample
    return said


def _pipeline(base: Base, scheduler: Any) -> Any:
    from diffusers import StableDiffusionXLPipeline

    return StableDiffusionXLPipeline(
        **base.parts,
        scheduler=scheduler,
        force_zeros_for_empty_prompt=bool(base.settings[_ZEROS]),
        add_watermarker=False,  # it would change the picture; the credential says what it is
    )


SDXL = Family(
    name="sdxl",
    pipelines=frozenset({"StableDiffusionXLPipeline"}),
    parts={
        "vae": sd.VAE,
        "unet": sd.UNET,
        "text_encoder": Part(CLIPTextModel, "model"),
        "text_encoder_2": Part(CLIPTextModelWithProjection, "model"),
    },
    tokenizers={"tokenizer": "CLIPTokenizer", "tokenizer_2": "CLIPTokenizer"},
    network="unet",
    targets=UNET_TARGETS,
    sized_by="unet",
    side=sd.side,
    misfits=_misfits,
    predicts=sd.predicts,
    samplers=sd.samplers,
    encode=_encode,
    predict=_predict,
    pipeline=_pipeline,
    framed=_framed,
    grain=sd.grain,
    settings={_ZEROS: True},
    told_by_tokenizer=("pad_token", "model_max_length"),
    in_one_file=True,
)
