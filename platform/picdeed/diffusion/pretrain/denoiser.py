"""How are latents of a sentence's picture found in noise? A UNet and its text encoder, jointly.

Many pictures of each glyph are made and encoded once (`compose.variant`), and every step draws from
them. What is destroyed how, and what the network says, is the recipe's (`forward`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel

from picdeed.core.events import Progress
from picdeed.diffusion.pretrain import compose, loop, optimisers, vocabulary
from picdeed.diffusion.pretrain.forward import Noised, noised
from picdeed.diffusion.pretrain.recipe import Recipe, TrainingPicture

NAME = "denoiser"
LATENTS = "latents.safetensors"


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


@dataclass(frozen=True, slots=True)
class Latents:
    """Encoded variants: values (n, 8, 16, 16), normalised, half precision, and each one's picture,
    tint and what is behind it (`names_of`). `mean` and `width` (8,) undo the normalisation.
    """

    values: Tensor
    picture: Tensor
    tint: Tensor
    behind: Tensor
    mean: Tensor
    width: Tensor


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


@torch.no_grad()
def encode(
    recipe: Recipe,
    pictures: Sequence[TrainingPicture],
    model: AutoencoderKL,
    work: Path,
    progress: Progress,
) -> Path:
    """Makes and encodes the variants of every concept's pictures into `work`."""
    path = work / LATENTS
    if path.is_file():
        return path
    model.eval()
    stack = compose.load(pictures, recipe.side)
    tints, behind = names_of(recipe)
    half = recipe.denoiser.schedule.precision == "bf16"
    values, rows = [], []
    for number, picture in enumerate(pictures):
        progress("latents", number, len(pictures))
        if not picture.concept:
            continue
        sheets = []
        for place in range(recipe.denoiser.variants):
            numbers = compose.stream(recipe.seed, compose.LATENTS, number, place)
            how = compose.variant(recipe, picture.concept, numbers) if place else compose.AS_DRAWN
            sheets.append(compose.shown(stack[number], how, recipe, numbers if place else None))
            rows.append((number, tints.index(how.tint), behind.index(how.behind)))
        pixels = torch.from_numpy(np.stack(sheets))
        for some in torch.split(pixels, 16):
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
                moments = model.quant_conv(model.encoder(some))
            values.append(moments.float().chunk(2, dim=1)[0])
    found = torch.cat(values)
    mean, width = found.mean((0, 2, 3)), found.std((0, 2, 3))
    found = (found - mean[:, None, None]) / width[:, None, None]
    picture_of, tint_of, behind_of = (torch.tensor(column) for column in zip(*rows, strict=True))
    tensors = {
        "values": found.half(),
        "picture": picture_of,
        "tint": tint_of,
        "behind": behind_of,
        "mean": mean,
        "width": width,
    }
    beside = path.with_suffix(".part")
    save_file(tensors, beside)
    beside.replace(path)
    return path


def names_of(recipe: Recipe) -> tuple[list[str], list[str]]:
    """What the numbers of `Latents.tint` and `Latents.behind` mean."""
    return ["", *recipe.colours], ["white", *recipe.colours, *recipe.places]


def train(
    recipe: Recipe,
    pictures: list[TrainingPicture],
    work: Path,
    *,
    worker: loop.Worker,
    progress: Progress,
) -> None:
    """One worker's part of the training; see `loop.train` for what it leaves in `work`."""
    plan = recipe.denoiser.schedule
    latents = Latents(**load_file(work / LATENTS))
    model = build(recipe)
    model.train()
    samples = Samples(recipe, pictures, latents)
    share = plan.batch // worker.count
    half = plan.precision == "bf16"

    def loss(step: int) -> Tensor:
        slots = range(worker.rank * share, (worker.rank + 1) * share)
        made, words = samples.batch(step, slots)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            found = model(made.noisy, made.times, words)
        off: Tensor = found.float() - made.target
        return (made.weight * off.square().mean((1, 2, 3))).mean()

    job = loop.Job(
        name=NAME,
        module=model,
        optimisers=optimisers.for_denoiser(model, plan.rate),
        loss=loss,
        schedule=plan,
        checkpoint_seconds=recipe.checkpoint_seconds,
    )
    loop.train(job, work, worker, progress)


class Samples:
    """The training samples: slot s of step t is always the same one."""

    def __init__(
        self, recipe: Recipe, pictures: Sequence[TrainingPicture], latents: Latents
    ) -> None:
        self._recipe = recipe
        self._pictures = pictures
        self._latents = latents
        self._tokenizer = vocabulary.learn(
            recipe.words, recipe.denoiser.vocabulary, recipe.denoiser.tokens
        )
        self._tints, self._behind = names_of(recipe)
        # concept -> picture -> rows of the cache
        self._rows: dict[str, dict[int, list[int]]] = {}
        for row, picture in enumerate(latents.picture.tolist()):
            of_concept = self._rows.setdefault(pictures[picture].concept, {})
            of_concept.setdefault(picture, []).append(row)
        self._concepts = [word for word in recipe.concepts if word in self._rows]

    def batch(self, step: int, slots: Sequence[int]) -> tuple[Noised, Tensor]:
        """Noisy latents (n, 8, 16, 16) with what is to be found, and tokens (n, 24)."""
        total = self._recipe.denoiser.schedule.batch
        clean, noise, when, captions = [], [], [], []
        for slot in slots:
            numbers = compose.stream(self._recipe.seed, compose.PAIRS, step, slot)
            row, caption = self._pick(numbers)
            clean.append(self._latents.values[row].float())
            noise.append(numbers.standard_normal(clean[-1].shape, np.float32))
            # One time in each of `total` even parts: less noise in the loss than free draws.
            when.append((slot + numbers.random()) / total)
            captions.append(caption)
        made = noised(
            self._recipe.denoiser.noise,
            torch.stack(clean),
            torch.from_numpy(np.stack(noise)),
            torch.tensor(when),
        )
        return made, torch.tensor(vocabulary.encode(self._tokenizer, captions))

    def _pick(self, numbers: np.random.Generator) -> tuple[int, str]:
        of_concept = self._rows[self._concepts[numbers.integers(len(self._concepts))]]
        number = list(of_concept)[numbers.integers(len(of_concept))]
        row = of_concept[number][numbers.integers(len(of_concept[number]))]
        how = compose.Variant(
            self._tints[int(self._latents.tint[row])], self._behind[int(self._latents.behind[row])]
        )
        return row, compose.sentence(self._pictures[number], how, self._recipe, numbers)
