"""How does FLUX.1 read, predict and draw? As diffusers' FluxPipeline does.

A transformer reads T5's words, and beside the time CLIP's pooled caption. Latents are packed: each
two by two of them become one token, and every token is told its place. -dev is also told how much
guidance its answer is to contain; it learns with 1, which adds none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from diffusers import FluxTransformer2DModel
from transformers import CLIPTextModel

from picdeed.diffusion.families import rectified, sd
from picdeed.diffusion.families.family import Configs, Family, Misfit, Part
from picdeed.diffusion.families.sd3 import FEED_FORWARD, T5
from picdeed.diffusion.prompts import POOLED, WORDS, Prompt
from picdeed.diffusion.recipe import ATTENTION, JOINT

if TYPE_CHECKING:
    from picdeed.diffusion.models import Base

_PACKED = 2
_GUIDANCE = 1.0
# -schnell, which is told no guidance, was made to read half as many words.
_TOKENS = {True: 512, False: 256}
_TIMES = 1000  # the pipeline divides by it, whatever the scheduler counts to


def _misfits(configs: Configs) -> Iterator[Misfit]:
    network, vae = configs["transformer"], configs["vae"]
    here = "transformer/config.json"
    yield f"{here}: in_channels", network.get("in_channels"), _PACKED**2 * vae["latent_channels"]
    yield (
        f"{here}: out_channels",
        network.get("out_channels") or network.get("in_channels"),
        (network.get("in_channels")),
    )
    clip, t5 = configs["text_encoder"], configs["text_encoder_2"]
    pooled = network.get("pooled_projection_dim")
    yield f"{here}: pooled_projection_dim", pooled, clip.get("hidden_size")
    yield f"{here}: joint_attention_dim", network.get("joint_attention_dim"), t5.get("d_model")
    size = vae.get("sample_size")
    left_over = size % (_PACKED * sd.factor(vae)) if isinstance(size, int) else None
    yield "vae/config.json: sample_size modulo a packed latent", left_over, 0


def _side(configs: Configs) -> int:
    return int(configs["vae"]["sample_size"])


def _grain(base: Base) -> int:
    return int(_PACKED * sd.factor(base.vae.config))


def _shift(base: Base) -> float:
    latents = base.facts.size // sd.factor(base.vae.config)
    return rectified.shift(base.scheduler, (latents // _PACKED) ** 2, highest=1.15)


def _longest(base: Base) -> int:
    return _TOKENS[bool(base.network.config.guidance_embeds)]


def _encode(base: Base, captions: Sequence[str]) -> Prompt:
    words, pooled, _ = _pipeline(base, None).encode_prompt(
        list(captions), device=base.device, max_sequence_length=_longest(base)
    )
    return {WORDS: words, POOLED: pooled}


def _predict(base: Base, noisy: torch.Tensor, times: torch.Tensor, prompt: Prompt) -> torch.Tensor:
    batch, _, height, width = noisy.shape
    high, wide = height // _PACKED, width // _PACKED
    words = prompt[WORDS]
    guidance = None
    if base.network.config.guidance_embeds:
        guidance = torch.full((batch,), _GUIDANCE, device=noisy.device)
    said = base.network(
        hidden_states=F.pixel_unshuffle(noisy, _PACKED).flatten(2).transpose(1, 2),
        timestep=times / _TIMES,
        guidance=guidance,
        pooled_projections=prompt[POOLED],
        encoder_hidden_states=words,
        txt_ids=torch.zeros(words.shape[1], 3, device=noisy.device),
        img_ids=places(high, wide).to(noisy.device),
    ).sample
    return _laid_out(said, high, wide)


def _laid_out(tokens: torch.Tensor, high: int, wide: int) -> torch.Tensor:
    """Latents [batch, channels, 2 high, 2 wide] of tokens [batch, high x wide, 4 channels]."""
    return F.pixel_shuffle(tokens.transpose(1, 2).reshape(len(tokens), -1, high, wide), _PACKED)


def _unpacked(base: Base, drawn: torch.Tensor) -> torch.Tensor:
    side = base.facts.size // _grain(base)
    return _laid_out(drawn, side, side)


def places(high: int, wide: int) -> torch.Tensor:
    """float32 [high x wide, 3]: of each token 0, its row and its column."""
    rows, columns = torch.meshgrid(torch.arange(high), torch.arange(wide), indexing="ij")
    return torch.stack([torch.zeros_like(rows), rows, columns], dim=-1).flatten(0, 1).float()


def _asked(base: Base) -> Mapping[str, Any]:
    side = base.facts.size
    return {"height": side, "width": side, "max_sequence_length": _longest(base)}


def _pipeline(base: Base, scheduler: Any) -> Any:
    from diffusers import FluxPipeline

    return FluxPipeline(**base.parts, scheduler=scheduler)


FLUX = Family(
    name="flux",
    pipelines=frozenset({"FluxPipeline"}),
    parts={
        "vae": sd.VAE,
        "transformer": Part(FluxTransformer2DModel, "diffusion_pytorch_model"),
        "text_encoder": Part(CLIPTextModel, "model"),
        "text_encoder_2": T5,
    },
    tokenizers={"tokenizer": "CLIPTokenizer", "tokenizer_2": "T5Tokenizer"},
    network="transformer",
    targets=frozenset((*ATTENTION, *JOINT, *FEED_FORWARD, "proj_mlp", "proj_out")),
    sized_by="vae",
    side=_side,
    grain=_grain,
    misfits=_misfits,
    predicts=rectified.predicts,
    samplers=rectified.samplers,
    encode=_encode,
    predict=_predict,
    pipeline=_pipeline,
    asked=_asked,
    unpacked=_unpacked,
    shift=_shift,
    sides=1,
    told_by_tokenizer=("pad_token", "model_max_length"),
)
