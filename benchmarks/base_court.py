"""Who says what a picture shows? A small residual network that never saw the base's pictures.

It learns from four other sets (`base_sets`), each glyph bent, coloured and put on colours and into
the recipe's places, so that it knows things wherever they stand. It is asked about things only.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812  (its name everywhere)
from base_sets import TEACHERS, draw, names
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from picdeed.diffusion.pretrain import recipe as recipes
from picdeed.diffusion.pretrain import scenes
from picdeed.diffusion.pretrain.optimisers import for_kernels

SIDE, BATCH, STEPS, RATE = 64, 64, 3600, 3e-3
_PLACED, _TINTED, _EACH = 0.3, 0.3, 40
_LUMA = torch.tensor([0.299, 0.587, 0.114])


class Judge(nn.Module):
    """(n, 3, 64, 64) in -1..1 to (n, classes) logits. 1.3 million weights."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        widths = (32, 64, 128, 256)
        layers: list[nn.Module] = [nn.Conv2d(3, 32, 3, 2, 1), nn.BatchNorm2d(32), nn.ReLU()]
        before = 32
        for number, width in enumerate(widths):
            layers.append(_Block(before, width, 1 if number == 0 else 2))
            before = width
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(before, classes)

    def forward(self, pictures: Tensor) -> Tensor:
        found: Tensor = self.head(self.body(pictures).mean((2, 3)))
        return found


class _Block(nn.Module):
    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.one = nn.Conv2d(before, width, 3, stride, 1, bias=False)
        self.two = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(width), nn.BatchNorm2d(width)])
        self.skip = nn.Conv2d(before, width, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        inner = F.relu(self.norms[0](self.one(x)))
        return F.relu(self.norms[1](self.two(inner)) + self.skip(x))


def train(recipe: recipes.Recipe, work: Path) -> None:
    """Trains the judge; its weights and classes go to `work`."""
    torch.manual_seed(0)
    wanted = names(recipe)
    classes = [*recipe.concepts, *sorted(label for label in wanted.values() if label[0] == "+")]
    number = {label: place for place, label in enumerate(classes)}
    pictures, labels = [], []
    for package in TEACHERS:
        for label, rgba in draw(package, wanted, work).items():
            small = np.asarray(Image.fromarray(rgba).resize((SIDE, SIDE), Image.Resampling.BOX))
            pictures.append(small)
            labels.append(number[label])
    stack = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255
    targets = torch.tensor(labels)
    # The judged concepts three times as often as the others, which only keep it honest.
    weight = torch.where(targets < len(recipe.concepts), 3.0, 1.0)
    model = Judge(len(classes))
    places = _places(recipe)
    # bfloat16 halves the time where the CPU has AMX and doubles it where it has not.
    half = bool(torch.cpu._is_amx_tile_supported())  # noqa: SLF001  (no public name)
    optimisers = for_kernels(model, RATE, half)
    started = time.process_time()
    for step in range(STEPS):
        chosen = torch.multinomial(weight, BATCH, replacement=True)
        seen = _distort(stack[chosen], places)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            logits = model(seen)
        logits = logits.float()
        loss = F.cross_entropy(logits, targets[chosen], label_smoothing=0.1)
        loss.backward()  # type: ignore[no-untyped-call]
        factor = min(1.0, (step + 1) / 50) * (0.5 + 0.5 * np.cos(np.pi * step / STEPS))
        for optimiser in optimisers:
            optimiser.param_groups[0]["lr"] = RATE * factor
            optimiser.step()
            optimiser.zero_grad()
        if step % 50 == 0:
            right = (logits.argmax(1) == targets[chosen]).float().mean()
            cpu = time.process_time() - started
            print(f"{step} loss {loss:.3f} right {right:.2f} cpu-s {cpu:.0f}", flush=True)
    save_file(model.state_dict(), work / "judge.safetensors")
    (work / "classes.json").write_text(json.dumps(classes))


def _places(recipe: recipes.Recipe) -> Tensor:
    """(m, 3, 64, 64) in 0..1: the recipe's places, empty."""
    numbers = np.random.default_rng(0)
    made = [scenes.scene(name, SIDE, numbers) for name in recipe.places for _ in range(_EACH)]
    return torch.from_numpy(np.stack(made)).permute(0, 3, 1, 2).float() / 255


def _distort(glyphs: Tensor, places: Tensor) -> Tensor:
    """RGBA (n, 4, 64, 64) in 0..1 to pictures in -1..1: what an unseen set, a colour or one of the
    `places` (m, 3, 64, 64) may do to it."""
    n = len(glyphs)
    glyphs = _tinted(glyphs)
    glyphs = torch.cat([glyphs[:, :3] * glyphs[:, 3:], glyphs[:, 3:]], 1)
    placed = torch.rand(n) < _PLACED
    turn = (torch.rand(n) * 2 - 1) * 0.45
    # Things in a place are smaller and stand anywhere.
    size = torch.where(placed, 1.1 + 0.9 * torch.rand(n), 0.9 + 0.5 * torch.rand(n))
    aspect = (torch.randn(n) * 0.08).exp()
    flip = torch.where(torch.rand(n) < 0.5, 1.0, -1.0)
    row0 = torch.stack([turn.cos() * size * aspect * flip, -turn.sin() * size], 1)
    row1 = torch.stack([turn.sin() * size * flip, turn.cos() * size / aspect], 1)
    shift = (torch.rand(n, 2, 1) * 2 - 1) * torch.where(placed, 0.7, 0.2)[:, None, None]
    grid = F.affine_grid(
        torch.cat([torch.stack([row0, row1], 1), shift], 2), list(glyphs.shape), False
    )
    bend = F.interpolate(torch.randn(n, 2, 5, 5) * 0.06, size=(SIDE, SIDE), mode="bicubic")
    moved = F.grid_sample(glyphs, grid + bend.permute(0, 2, 3, 1), align_corners=False)
    ground = torch.where(torch.rand(n, 1) < 0.4, torch.ones(n, 3), torch.rand(n, 3))
    behind = torch.where(
        placed[:, None, None, None],
        places[torch.randint(len(places), (n,))],
        ground[:, :, None, None],
    )
    flat = moved[:, :3] + (1 - moved[:, 3:]) * behind
    mixing = torch.eye(3) + torch.randn(n, 3, 3) * 0.12
    mixing = mixing / mixing.sum(2, keepdim=True).clamp_min(0.5)
    flat = torch.einsum("nij,njhw->nihw", mixing, flat)
    grey = flat.mean(1, keepdim=True).expand_as(flat)
    flat = torch.where((torch.rand(n) < 0.15)[:, None, None, None], grey, flat)
    flat = (flat - 0.5) * (1 + 0.3 * torch.randn(n, 1, 1, 1)) + 0.5 + 0.1 * torch.randn(n, 1, 1, 1)
    soft = F.avg_pool2d(flat, 3, 1, 1)
    flat = torch.lerp(flat, soft, torch.rand(n, 1, 1, 1) * (torch.rand(n, 1, 1, 1) < 0.5))
    return (flat + 0.04 * torch.randn_like(flat)).clamp(0, 1) * 2 - 1


def _tinted(glyphs: Tensor) -> Tensor:
    """Some in shades of one colour: lights stay light and darks dark."""
    n = len(glyphs)
    light = torch.einsum("nchw,c->nhw", glyphs[:, :3], _LUMA)[:, None].clamp(0, 1)
    light = light ** (0.6 * torch.randn(n, 1, 1, 1)).exp().clamp(0.25, 4)
    wanted = torch.rand(n, 3, 1, 1)
    middle = torch.einsum("nchw,c->nhw", wanted, _LUMA)[:, None].clamp(0.05, 0.95)
    below = wanted * light / middle
    above = 1 - (1 - wanted) * (1 - light) / (1 - middle)
    toned = torch.where(light < middle, below, above).clamp(0, 1)
    chosen = (torch.rand(n) < _TINTED)[:, None, None, None]
    return torch.cat([torch.where(chosen, toned, glyphs[:, :3]), glyphs[:, 3:]], 1)


class Court:
    """The trained judge, asked only about the base's concepts; mirrored views are averaged."""

    def __init__(self, recipe: recipes.Recipe, work: Path) -> None:
        classes = json.loads((work / "classes.json").read_text())
        self._model = Judge(len(classes))
        self._model.load_state_dict(load_file(work / "judge.safetensors"))
        self._model.eval()
        self.concepts = recipe.concepts

    def names(self, pictures: Tensor) -> list[str]:
        """The concept of each of (n, 3, side, side) pictures in -1..1."""
        return [self.concepts[place] for place in self.scores(pictures).argmax(1)]

    @torch.no_grad()
    def scores(self, pictures: Tensor) -> Tensor:
        """(n, concepts): how likely each picture shows each thing, of these things."""
        small = F.interpolate(pictures, size=(SIDE, SIDE), mode="area")
        logits = self._model(small) + self._model(small.flip(-1))
        return logits[:, : len(self.concepts)].softmax(1)

    @torch.no_grad()
    def features(self, pictures: Tensor) -> Tensor:
        """(n, 256): what the judge sees before it names anything."""
        small = F.interpolate(pictures, size=(SIDE, SIDE), mode="area")
        found: Tensor = self._model.body(small).mean((2, 3))
        return found


def as_values(pictures: npt.NDArray[np.uint8]) -> Tensor:
    """(n, side, side, 3) bytes to (n, 3, side, side) in -1..1."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
