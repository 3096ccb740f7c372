"""Which places of the picture read which words of the prompt?

In every cross-attention layer each place of the picture shares its attention out among the prompt's
tokens: `softmax(Q K^T / sqrt(d))`, Q from the picture, K from the words (Vaswani et al. 2017,
arXiv 1706.03762; Rombach et al. 2022, arXiv 2112.10752). The maps are averaged as in Hertz et al.
2022 (arXiv 2208.01626). Hooks compute them beside the layers, from what these are given: the fast
attention that draws keeps no such weights, and nothing of it is replaced.
"""

from __future__ import annotations

import contextlib
import math
import time as clock
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F

from picdeed.core.errors import UsageError
from picdeed.core.events import Progress, silent
from picdeed.diffusion.guidance import ALWAYS, USUAL, Interval
from picdeed.diffusion.inside.views import Attention, Role, Word
from picdeed.diffusion.models import Base
from picdeed.diffusion.sample import draw
from picdeed.diffusion.samplers import Sampler

_WORD_ENDS = "</w>"
# Layer -> its weights [height x width, tokens] at each call, averaged over its heads.
Weights = dict[str, list[torch.Tensor]]


def attention(
    base: Base,
    prompt: str,
    seed: int,
    *,
    steps: int = 20,
    guidance: float = USUAL,
    interval: Interval = ALWAYS,
    sampler: Sampler = Sampler.DDIM,
    progress: Progress = silent,
) -> Attention:
    """The prompt's words with their maps while `sample.draw` draws one picture.

    Layers count alike: a map of fewer places is enlarged to the latents' side. With guidance it is
    the half with the prompt that is recorded.
    """
    began = clock.process_time()
    with recorded(base.network) as weights:
        (picture,) = draw(
            base, [prompt], [seed], steps=steps, guidance=guidance, interval=interval,
            sampler=sampler, progress=progress,
        )  # fmt: skip
    layers = list(weights.values())
    side = int(base.network.config.sample_size)
    calls = zip(*layers, strict=True)
    by_call = torch.stack(
        [torch.stack([_enlarged(one, side) for one in now]).mean(0) for now in calls]
    )
    words = tuple(
        Word(text, role, places, by_call[:, list(places)].sum(1).numpy())
        for text, role, places in words_of(base.tokenizer, prompt)
    )
    sides = tuple(_side(layer[0]) for layer in layers)
    return Attention(words, picture, sides, clock.process_time() - began)


@contextlib.contextmanager
def recorded(unet: Any) -> Iterator[Weights]:
    """The cross-attention weights of every layer while a picture is drawn, in order of calls."""
    weights: Weights = {}
    hooks = []
    for name, layer in unet.named_modules():
        if name.endswith("attn2"):
            weights[name] = []
            look = _looking(weights[name])
            hooks.append(layer.register_forward_pre_hook(look, with_kwargs=True))
    if not weights:
        raise UsageError(
            "In this base words and picture attend to each other in one: it has no cross-attention "
            "that could be shown, and nothing was drawn.",
            hint="Take a base with a UNet, such as sprig.",
        )
    try:
        yield weights
    finally:
        for hook in hooks:
            hook.remove()


def words_of(tokenizer: Any, prompt: str) -> list[tuple[str, Role, tuple[int, ...]]]:
    """Words of the prompt with their places in its row of tokens, in order, marks included.

    What did not fit is not in the row. CLIP's tokenizers pad with the end mark itself, so whatever
    follows the first end mark is padding, told as one.
    """
    row = tokenizer(
        prompt, padding="max_length", truncation=True, max_length=tokenizer.model_max_length
    ).input_ids
    end = row.index(tokenizer.eos_token_id)
    pieces = tokenizer.convert_ids_to_tokens(row[:end])
    found: list[tuple[str, Role, tuple[int, ...]]] = [("start", Role.START, (0,))]
    open_from = 1
    for place in range(1, end):
        if pieces[place].endswith(_WORD_ENDS) or place == end - 1:
            places = tuple(range(open_from, place + 1))
            text = tokenizer.decode([row[one] for one in places]).strip()
            found.append((text, Role.WORD, places))
            open_from = place + 1
    found.append(("end", Role.END, (end,)))
    if end + 1 < len(row):
        found.append(("padding", Role.PADDING, tuple(range(end + 1, len(row)))))
    return found


def _looking(kept: list[torch.Tensor]) -> Any:
    def look(layer: Any, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        # The last of the batch is the half with the prompt.
        queries = layer.head_to_batch_dim(layer.to_q(given[0][-1:]))
        keys = layer.head_to_batch_dim(layer.to_k(named["encoder_hidden_states"][-1:]))
        shares = layer.get_attention_scores(queries, keys)
        kept.append(shares.mean(0).float().cpu())

    return look


def _side(weights: torch.Tensor) -> int:
    return math.isqrt(len(weights))


def _enlarged(weights: torch.Tensor, side: int) -> torch.Tensor:
    """[places, tokens] as [tokens, side, side]."""
    own = _side(weights)
    maps = weights.T.reshape(1, -1, own, own)
    return F.interpolate(maps, size=(side, side), mode="bilinear", align_corners=False)[0]
