"""What does a network read instead of a caption? Tensors by name, whichever its family needs.

A prompt may also tell how its picture was framed (`FRAME`); that is about the picture, so it stays
when other words are put in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

Prompt = Mapping[str, torch.Tensor]
"""Of one picture each tensor is [...]; of a batch [batch, ...]. The names are diffusers' own."""

WORDS = "prompt_embeds"
"""[tokens, width]: what cross-attention reads; every family has it."""
POOLED = "pooled_prompt_embeds"
"""[width]: the caption as one vector."""
FRAME = "time_ids"
"""[6]: height and width before fitting, top and left of the crop, height and width after it."""


def stacked(prompts: Sequence[Prompt]) -> dict[str, torch.Tensor]:
    """Prompts of single pictures as one of a batch, in their order."""
    return {name: torch.stack([prompt[name] for prompt in prompts]) for name in prompts[0]}


def repeated(prompt: Prompt, count: int) -> dict[str, torch.Tensor]:
    """One picture's prompt as that of a batch of `count`; the memory is shared."""
    return {name: tensor.expand(count, *tensor.shape) for name, tensor in prompt.items()}


def reworded(own: Prompt, other: Prompt) -> Prompt | None:
    """A picture's prompt with another's words; None when these are the same."""
    words = {name: tensor for name, tensor in other.items() if name != FRAME}
    if all(torch.equal(tensor, own[name]) for name, tensor in words.items()):
        return None
    return {**own, **words}
