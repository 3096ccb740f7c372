"""How are latents of a sentence's picture found in noise? A UNet and its text encoder, jointly.

Every step draws from the cached pictures (`latents`). What is destroyed how, and what the network
says, is the recipe's (`forward`).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import CLIPTextConfig, CLIPTextModel

from picdeed.core.events import Progress
from picdeed.diffusion.pretrain import compose, latents, loop, optimisers, vocabulary
from picdeed.diffusion.pretrain.forward import Noised, noised
from picdeed.diffusion.pretrain.latents import Latents
from picdeed.diffusion.pretrain.recipe import Recipe, TrainingPicture
from picdeed.diffusion.pretrain.step import Job, Worker

NAME = "denoiser"


class Denoiser(nn.Module):
    """UNet and text encoder under one roof, so that one optimiser trains both."""

    def __init__(self, unet: UNet2DConditionModel, text: CLIPTextModel) -> None:
        super().__init__()
        self.unet = unet
        self.text = text

    def forward(self, noisy: Tensor, times: Tensor, words: Tensor) -> Tensor:
        """v of (n, 8, 16, 16) latents at times (n,), told by tokens (n, 16)."""
        told = self.text(words).last_hidden_state
        found: Tensor = self.unet(noisy, times, encoder_hidden_states=told).sample
        return found


def build(recipe: Recipe) -> Denoiser:
    """The untrained UNet and text encoder, from the recipe's seed."""
    part = recipe.denoiser
    torch.manual_seed(recipe.seed + 1)
    attended = len(part.channels) - 1
    unet = UNet2DConditionModel(
        sample_size=recipe.side // 2 ** (len(recipe.autoencoder.channels) - 1),
        in_channels=recipe.autoencoder.latents,
        out_channels=recipe.autoencoder.latents,
        block_out_channels=part.channels,
        down_block_types=("DownBlock2D", *("CrossAttnDownBlock2D",) * attended),
        up_block_types=(*("CrossAttnUpBlock2D",) * attended, "UpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=part.width,
        # The number of heads, whatever the name says.
        attention_head_dim=part.heads,
        norm_num_groups=part.groups,
    )
    text = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=part.vocabulary,
            hidden_size=part.width,
            intermediate_size=4 * part.width,
            num_hidden_layers=part.text_layers,
            num_attention_heads=part.text_heads,
            max_position_embeddings=part.tokens,
            projection_dim=part.width,
            bos_token_id=0,
            eos_token_id=1,
            pad_token_id=1,
        )
    )
    return Denoiser(unet, text)


def train(
    recipe: Recipe,
    pictures: list[TrainingPicture],
    work: Path,
    *,
    worker: Worker,
    progress: Progress,
) -> None:
    """One worker's part of the training; see `loop.train` for what it leaves in `work`."""
    loop.train(job(recipe, pictures, latents.cached(work), worker), work, worker, progress)


def job(
    recipe: Recipe, pictures: Sequence[TrainingPicture], cached: Latents, worker: Worker
) -> Job:
    """What one worker trains: its samples of a step and their loss."""
    plan = recipe.denoiser.schedule
    model = build(recipe)
    model.train()
    samples = Samples(recipe, pictures, cached)
    share = plan.batch // worker.count
    slots = range(worker.rank * share, (worker.rank + 1) * share)
    half, device = plan.precision == "bf16", worker.device
    values = cached.values.to(device)

    def loss(rows: Tensor, e: Tensor, when: Tensor, words: Tensor) -> Tensor:
        made = noised(recipe.denoiser.noise, values[rows].float(), e, when)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=half), _attention(device):
            found = model(made.noisy, made.times, words)
        off: Tensor = found.float() - made.target
        return (made.weight * off.square().mean((1, 2, 3))).mean()

    return Job(
        name=NAME,
        module=model,
        optimisers=optimisers.for_denoiser(model, plan.rate, half, worker.rank, worker.count),
        draw=lambda step: samples.drawn(step, slots),
        loss=loss,
        schedule=plan,
        checkpoint_seconds=recipe.checkpoint_seconds,
    )


def _attention(device: torch.device) -> AbstractContextManager[None]:
    # Short sequences: on a CPU plain matrix products are 1.2 times as fast as fused attention.
    return sdpa_kernel(SDPBackend.MATH) if device.type == "cpu" else nullcontext()


class Samples:
    """The training samples: slot s of step t is always the same one."""

    def __init__(
        self, recipe: Recipe, pictures: Sequence[TrainingPicture], cached: Latents
    ) -> None:
        self._recipe = recipe
        self._pictures = pictures
        self._cached = cached
        self._tokenizer = vocabulary.learn(
            recipe.words, recipe.denoiser.vocabulary, recipe.denoiser.tokens
        )
        self._tints, self._behind = latents.names_of(recipe)
        # concept -> picture -> rows of the cache
        self._rows: dict[str, dict[int, list[int]]] = {}
        for row, picture in enumerate(cached.picture.tolist()):
            of_concept = self._rows.setdefault(pictures[picture].concept, {})
            of_concept.setdefault(picture, []).append(row)
        self._concepts = [word for word in recipe.concepts if word in self._rows]

    def batch(self, step: int, slots: Sequence[int]) -> tuple[Noised, Tensor]:
        """Noisy latents (n, 8, 16, 16) with what is to be found, and tokens (n, 24)."""
        rows, e, when, words = self.drawn(step, slots)
        clean = self._cached.values[rows].float()
        return noised(self._recipe.denoiser.noise, clean, e, when), words

    def drawn(self, step: int, slots: Sequence[int]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Rows of the cache int64[n], normal noise (n, 8, 16, 16), when float32[n] from 0 (clean)
        to 1, and tokens (n, 24)."""
        rows, noise, within, captions = [], [], [], []
        shape = self._cached.values.shape[1:]
        for slot in slots:
            numbers = compose.stream(self._recipe.seed, compose.PAIRS, step, slot)
            row, caption = self._pick(numbers)
            rows.append(row)
            noise.append(numbers.standard_normal(shape, np.float32))
            within.append(numbers.random())
            captions.append(caption)
        words = torch.tensor(vocabulary.encode(self._tokenizer, captions))
        # One time in each of so many even parts: less noise in the loss than free draws.
        parts = torch.tensor(slots) + torch.tensor(within, dtype=torch.float64)
        when = (parts / self._recipe.denoiser.schedule.batch).float()
        return torch.tensor(rows), torch.from_numpy(np.stack(noise)), when, words

    def _pick(self, numbers: np.random.Generator) -> tuple[int, str]:
        of_concept = self._rows[self._concepts[numbers.integers(len(self._concepts))]]
        number = list(of_concept)[numbers.integers(len(of_concept))]
        row = of_concept[number][numbers.integers(len(of_concept[number]))]
        how = compose.Variant(
            self._tints[int(self._cached.tint[row])], self._behind[int(self._cached.behind[row])]
        )
        return row, compose.sentence(self._pictures[number], how, self._recipe, numbers)
