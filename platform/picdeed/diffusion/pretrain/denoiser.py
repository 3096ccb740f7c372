"""How are latents of a sentence's picture found in noise? A UNet and its text encoder, jointly.

Every step has the same weight (v-prediction, squared error): with min-SNR weights the noisiest
steps, where concept and layout are decided, learned too little. Latents are encoded once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel

from picdeed.core.events import Progress
from picdeed.diffusion.pretrain import compose, loop, optimisers, vocabulary
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
    """Encoded glyphs: values (n, 8, 16, 16), normalised, and each one's picture and colour.

    `mean` and `width` (8,) undo the normalisation. Colour number 0 is white.
    """

    values: Tensor
    picture: Tensor
    colour: Tensor
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


def scheduler() -> DDIMScheduler:
    """Noise that ends at pure noise (arXiv:2305.08891), told as v (arXiv:2202.00512)."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_schedule="squaredcos_cap_v2",
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        rescale_betas_zero_snr=True,
        clip_sample=False,
        steps_offset=1,
    )


@torch.no_grad()
def encode(
    recipe: Recipe,
    pictures: Sequence[TrainingPicture],
    model: AutoencoderKL,
    work: Path,
    progress: Progress,
) -> Path:
    """Encodes every concept picture on every trained colour, moved and mirrored, into `work`."""
    path = work / LATENTS
    if path.is_file():
        return path
    model.eval()
    stack = compose.load(pictures, recipe.side)
    names = list(recipe.colours)
    values, of_picture, of_colour = [], [], []
    for number, picture in enumerate(pictures):
        progress("latents", number, len(pictures))
        if not picture.concept:
            continue
        banned = compose.held_out(picture.concept, names, recipe.denoiser.held_out_colours)
        sheets = []
        for jitter in range(recipe.denoiser.jitters):
            numbers = compose.stream(recipe.seed, compose.LATENTS, number, jitter)
            moved = compose.jittered(stack[number], recipe.denoiser, numbers if jitter else None)
            for colour, rgb in enumerate([(255, 255, 255), *recipe.colours.values()]):
                if colour and names[colour - 1] in banned:
                    continue
                flat = compose.over(moved, rgb)
                sheets += [flat, np.ascontiguousarray(flat[..., ::-1])]
                of_picture += [number] * 2
                of_colour += [colour] * 2
        pixels = torch.from_numpy(np.stack(sheets))
        values += [model.encode(some).latent_dist.mode() for some in torch.split(pixels, 16)]
    found = torch.cat(values)
    mean, width = found.mean((0, 2, 3)), found.std((0, 2, 3))
    found = (found - mean[:, None, None]) / width[:, None, None]
    tensors = {
        "values": found,
        "picture": torch.tensor(of_picture),
        "colour": torch.tensor(of_colour),
        "mean": mean,
        "width": width,
    }
    beside = path.with_suffix(".part")
    save_file(tensors, beside)
    beside.replace(path)
    return path


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
        noisy, times, words, target = samples.batch(step, slots)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            found = model(noisy, times, words)
        off: Tensor = found.float() - target
        return off.square().mean()

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
        self._alphas: Tensor = scheduler().alphas_cumprod
        self._colours = ["white", *recipe.colours]
        # concept -> picture -> white or not -> rows of the cache
        self._rows: dict[str, dict[int, tuple[list[int], list[int]]]] = {}
        pairs = zip(latents.picture.tolist(), latents.colour.tolist(), strict=True)
        for row, (picture, colour) in enumerate(pairs):
            of_concept = self._rows.setdefault(pictures[picture].concept, {})
            of_concept.setdefault(picture, ([], []))[colour != 0].append(row)
        self._concepts = [word for word in recipe.concepts if word in self._rows]

    def batch(self, step: int, slots: Sequence[int]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Noisy latents (n, 8, 16, 16), times (n,), tokens (n, 16) and the v to be found."""
        total = self._recipe.denoiser.schedule.batch
        clean, noise, times, captions = [], [], [], []
        for slot in slots:
            numbers = compose.stream(self._recipe.seed, compose.PAIRS, step, slot)
            row, caption = self._pick(numbers)
            clean.append(self._latents.values[row])
            noise.append(numbers.standard_normal(clean[-1].shape, np.float32))
            # One time in each of `total` even parts: less noise in the loss than free draws.
            times.append(int((slot + numbers.random()) / total * len(self._alphas)))
            captions.append(caption)
        when = torch.tensor(times)
        signal = self._alphas[when].sqrt()[:, None, None, None]
        rest = (1 - self._alphas[when]).sqrt()[:, None, None, None]
        x, e = torch.stack(clean), torch.from_numpy(np.stack(noise))
        words = torch.tensor(vocabulary.encode(self._tokenizer, captions))
        return signal * x + rest * e, when, words, signal * e - rest * x

    def _pick(self, numbers: np.random.Generator) -> tuple[int, str]:
        part = self._recipe.denoiser
        of_concept = self._rows[self._concepts[numbers.integers(len(self._concepts))]]
        number = list(of_concept)[numbers.integers(len(of_concept))]
        white, coloured = of_concept[number]
        rows = white if numbers.random() < part.white or not coloured else coloured
        row = rows[numbers.integers(len(rows))]
        picture = self._pictures[number]
        colour = self._colours[int(self._latents.colour[row])]
        return row, compose.sentence(picture.caption, picture.set, colour, part, numbers)
