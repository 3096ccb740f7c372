"""Does the embedded base paint what it is told? A judge that never saw the base's pictures says.

    python benchmarks/base_judge.py train      --work /tmp/judge
    python benchmarks/base_judge.py evaluate   --work /tmp/judge --base models/sprig
    python benchmarks/base_judge.py decoder    --work /tmp/judge --base models/sprig

The judge, a small residual network, learns from three other sets (twemoji, emojione, openmoji;
CC-BY and CC-BY-SA: they only judge, nothing of them ships). It is then asked about real pictures
of sets it never saw: the five that the base learned from, and emojione-v1, which neither saw.
Only then about painted ones: plain, with colours, places and tints that were trained with the
thing, and with those that never were. The rule: painted ones are recognised at least 0.9 times as
often as real ones, new combinations 0.8 times, over the concepts where the judge gets at least 3 of
4 real pictures right.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812  (its name everywhere)
from base_painting import asked_for, painted
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from picdeed.core.errors import SourceError
from picdeed.core.resources import bundled
from picdeed.diffusion.pretrain import compose
from picdeed.diffusion.pretrain import recipe as recipes
from picdeed.diffusion.pretrain.autoencoder import psnr
from picdeed.diffusion.pretrain.optimisers import for_kernels
from picdeed.sources import iconify

SIDE, BATCH, STEPS, RATE = 64, 64, 3000, 3e-3
JUDGEABLE, BAR, BAR_NEW = 0.75, 0.90, 0.80


def _pin(name: str, version: str, integrity: str, licence: str) -> iconify.Package:
    full = f"@iconify-json/{name}"
    return iconify.Package(full, version, f"sha512-{integrity}", licence, "", "", name)


TEACHERS = (
    _pin(
        "twemoji",
        "1.2.5",
        "uKpuIEV0v6K5BW3Mjdyl+XKFVAbbcPxAgifKvEMtZoUZB5+YiY5zaMm2uNNCxyXzAWU9yNLlj41WU6/mvgALsw==",
        "CC-BY-4.0",
    ),
    _pin(
        "emojione",
        "1.2.3",
        "T9+T3HIbJNLKKsmxYKlaYhvnHYkz/HNYTV7SHCXVZPfeUi4FqskY70YeN8yYAZT8cCv7w5vJxS4Q1m8zb9CMMg==",
        "CC-BY-4.0",
    ),
    _pin(
        "openmoji",
        "1.2.29",
        "vXdhkqcXVSO6suy+m9LbcUM3OdVyuNOtpV8/als/WqfkQIRxevL5Geb/g+6GH/Qwnq1OqksEmaDGTCmZ5nFKJQ==",
        "CC-BY-SA-4.0",
    ),
)
STRANGER = _pin(
    "emojione-v1",
    "1.2.3",
    "UjI2VQEXVtGlPBvQuxEizro7QCgBcJDOYwKUupquvvZ8UV4xOlvm45IU82JYWegiAWLerY79gFLMZ26U6Ms+ww==",
    "CC-BY-SA-4.0",
)
OTHER_NAMES = {"panda": "panda-face", "lion": "lion-face", "frog": "frog-face"}


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


def draw(
    package: iconify.Package, wanted: Mapping[str, str], work: Path
) -> dict[str, npt.NDArray[np.uint8]]:
    """RGBA pictures by class: `wanted` maps icon names to classes; names a set lacks are left."""
    import resvg_py

    path = iconify.fetch([package], work / "cache")[package.name]
    icons = iconify.read_set(package, path)
    found = {}
    for icon, label in wanted.items():
        try:
            svg = iconify.svg_of(icons, icon)
        except SourceError:
            continue
        png = resvg_py.svg_to_bytes(svg_string=svg, width=128, height=128, skip_system_fonts=True)
        found.setdefault(label, np.asarray(Image.open(BytesIO(bytes(png))).convert("RGBA")))
    return found


def names(recipe: recipes.Recipe) -> dict[str, str]:
    """Icon name -> class, for the sets with the common names: concepts first, then others."""
    table = {concept["icon"]: concept["word"] for concept in recipe.tables["concepts"]}
    table |= {OTHER_NAMES[word]: word for word in OTHER_NAMES}
    return table | {icon: f"+{icon}" for icon in recipe.tables["breadth"]["icons"]}


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
    stack[:, :3] *= stack[:, 3:]
    targets = torch.tensor(labels)
    # The judged concepts three times as often as the others, which only keep it honest.
    weight = torch.where(targets < len(recipe.concepts), 3.0, 1.0)
    model = Judge(len(classes))
    # bfloat16 halves the time where the CPU has AMX and doubles it where it has not.
    half = bool(torch.cpu._is_amx_tile_supported())  # noqa: SLF001  (no public name)
    optimisers = for_kernels(model, RATE, half)
    started = time.process_time()
    for step in range(STEPS):
        chosen = torch.multinomial(weight, BATCH, replacement=True)
        seen = _distort(stack[chosen])
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


def _distort(glyphs: Tensor) -> Tensor:
    """Premultiplied RGBA (n, 4, 64, 64) to pictures in -1..1: what an unseen set may do to it."""
    n = len(glyphs)
    turn = (torch.rand(n) * 2 - 1) * 0.45
    size = 0.9 + 0.5 * torch.rand(n)
    aspect = (torch.randn(n) * 0.08).exp()
    flip = torch.where(torch.rand(n) < 0.5, 1.0, -1.0)
    row0 = torch.stack([turn.cos() * size * aspect * flip, -turn.sin() * size], 1)
    row1 = torch.stack([turn.sin() * size * flip, turn.cos() * size / aspect], 1)
    shift = (torch.rand(n, 2, 1) * 2 - 1) * 0.2
    grid = F.affine_grid(
        torch.cat([torch.stack([row0, row1], 1), shift], 2), list(glyphs.shape), False
    )
    bend = F.interpolate(torch.randn(n, 2, 5, 5) * 0.06, size=(SIDE, SIDE), mode="bicubic")
    moved = F.grid_sample(glyphs, grid + bend.permute(0, 2, 3, 1), align_corners=False)
    ground = torch.where(torch.rand(n, 1) < 0.4, torch.ones(n, 3), torch.rand(n, 3))
    flat = moved[:, :3] + (1 - moved[:, 3:]) * ground[:, :, None, None]
    mixing = torch.eye(3) + torch.randn(n, 3, 3) * 0.12
    mixing = mixing / mixing.sum(2, keepdim=True).clamp_min(0.5)
    flat = torch.einsum("nij,njhw->nihw", mixing, flat)
    grey = flat.mean(1, keepdim=True).expand_as(flat)
    flat = torch.where((torch.rand(n) < 0.15)[:, None, None, None], grey, flat)
    flat = (flat - 0.5) * (1 + 0.3 * torch.randn(n, 1, 1, 1)) + 0.5 + 0.1 * torch.randn(n, 1, 1, 1)
    soft = F.avg_pool2d(flat, 3, 1, 1)
    flat = torch.lerp(flat, soft, torch.rand(n, 1, 1, 1) * (torch.rand(n, 1, 1, 1) < 0.5))
    return (flat + 0.04 * torch.randn_like(flat)).clamp(0, 1) * 2 - 1


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


def real(recipe: recipes.Recipe, work: Path) -> dict[str, dict[str, npt.NDArray[np.uint8]]]:
    """Set -> concept -> RGBA of real pictures that the judge never saw."""
    found = {}
    for table in recipe.tables["packages"]:
        package = iconify.Package(**table)
        wanted = {}
        for concept in recipe.tables["concepts"]:
            wanted[concept.get("icons", {}).get(package.set, concept["icon"])] = concept["word"]
        found[package.set] = draw(package, wanted, work)
    known = {icon: word for icon, word in names(recipe).items() if word[0] != "+"}
    found["emojione-v1 (seen by neither)"] = draw(STRANGER, known, work)
    return found


def evaluate(recipe: recipes.Recipe, work: Path, base: Path) -> dict[str, Any]:
    """Asks the judge about real and painted pictures; returns and prints the tables."""
    court = Court(recipe, work)
    hits: dict[str, list[bool]] = {word: [] for word in recipe.concepts}
    report: dict[str, Any] = {"real": {}, "painted": {}}
    sets = real(recipe, work)
    for style, pictures in sets.items():
        flat = np.stack([compose.over(rgba, (255, 255, 255)) for rgba in pictures.values()])
        right = [
            said == word
            for said, word in zip(court.names(torch.from_numpy(flat)), pictures, strict=True)
        ]
        for word, hit in zip(pictures, right, strict=True):
            hits[word].append(hit)
        report["real"][style] = _share(right)
    judgeable = [word for word, some in hits.items() if np.mean(some) >= JUDGEABLE]
    report["judgeable"] = judgeable
    report["real_all"] = _share([hit for word in hits for hit in hits[word]])
    report["real_judgeable"] = _share([hit for word in judgeable for hit in hits[word]])
    # Frozen above, before a picture is painted: the choice cannot follow the results.
    per_concept: dict[str, list[bool]] = {word: [] for word in recipe.concepts}
    for row, pairs in asked_for(recipe).items():
        every, fair, ground = [], [], []
        prompts = [compose.prompt(*pair, recipe) for pair in pairs]
        for pictures in painted(base, prompts, work):
            seen = as_values(pictures)
            right = [said == word for said, (word, _) in zip(court.names(seen), pairs, strict=True)]
            every.append(right)
            fair.append([h for h, (word, _) in zip(right, pairs, strict=True) if word in judgeable])
            for hit, (word, _) in zip(right, pairs, strict=True):
                per_concept[word].append(hit)
            ground += [
                _ground(picture, recipe) == how.behind
                for picture, (_, how) in zip(seen, pairs, strict=True)
                if how.behind not in recipe.places
            ]
        share = _share([hit for some in fair for hit in some])
        report["painted"][row] = {
            "prompts": prompts[:2],
            "by_seed": [_share(some) for some in every],
            "judgeable_by_seed": [_share(some) for some in fair],
            "judgeable": share,
            "ratio": round(share / report["real_judgeable"], 3),
            "real_shown_so": _share(_shown_so(court, sets, pairs, recipe, judgeable)),
            "colours_right": _share(ground) if ground else None,
        }
    ratios = {row: told["ratio"] for row, told in report["painted"].items()}
    report["passed"] = all(
        ratio >= (BAR_NEW if row.startswith("new") else BAR) for row, ratio in ratios.items()
    )
    report["per_concept"] = {
        word: {"real": _share(hits[word]), "painted": _share(per_concept[word])}
        for word in recipe.concepts
    }
    return report


def _shown_so(
    court: Court,
    sets: Mapping[str, Mapping[str, npt.NDArray[np.uint8]]],
    pairs: Sequence[tuple[str, compose.Variant]],
    recipe: recipes.Recipe,
    judgeable: Sequence[str],
) -> list[bool]:
    """Whether real glyphs are recognised in the very colours and places that were asked for."""
    hits = []
    for number, pictures in enumerate(sets.values()):
        some = [(w, how) for w, how in pairs if w in judgeable and w in pictures]
        flat = [
            compose.shown(pictures[word], how, recipe, compose.stream(recipe.seed, 9, number, k))
            for k, (word, how) in enumerate(some)
        ]
        said = court.names(torch.from_numpy(np.stack(flat)))
        hits += [name == word for name, (word, _) in zip(said, some, strict=True)]
    return hits


def _ground(picture: Tensor, recipe: recipes.Recipe) -> str:
    """The palette's colour nearest to the median of the outermost four pixels' frame."""
    frame = torch.cat([picture[:, :4].flatten(1), picture[:, -4:].flatten(1)], 1).median(1).values
    table = {"white": (255, 255, 255), **recipe.colours}
    away = {
        name: sum((float(frame[k]) - (rgb[k] / 127.5 - 1)) ** 2 for k in range(3))
        for name, rgb in table.items()
    }
    return min(away, key=lambda name: away[name])


def decoder(recipe: recipes.Recipe, work: Path, base: Path) -> dict[str, float]:
    """PSNR in dB of the shipped autoencoder on pictures it never saw, half on white."""
    from diffusers import AutoencoderKL

    model = AutoencoderKL.from_pretrained(base / "vae").float().eval()
    seen = {*recipe.tables["breadth"]["icons"], *(c["icon"] for c in recipe.tables["concepts"])}
    groups: dict[str, list[npt.NDArray[np.float32]]] = {}
    packages = [iconify.Package(**table) for table in recipe.tables["packages"]]
    for package in [*packages[:4], *TEACHERS]:
        path = iconify.fetch([package], work / "cache")[package.name]
        icons = sorted(set(iconify.read_set(package, path)["icons"]) - seen)
        every = [icon for icon in icons if "skin" not in icon and "flag" not in icon]
        chosen = {icon: icon for icon in every[:: len(every) // 40][:40]}
        trained = package in packages[:4]
        group = "its sets, other concepts" if trained else f"{package.set} (other set)"
        ground = list(recipe.colours.values())
        for place, rgba in enumerate(draw(package, chosen, work).values()):
            colour = (255, 255, 255) if place % 2 else ground[place // 2 % len(ground)]
            groups.setdefault(group, []).append(compose.over(rgba, colour))
    return {
        group: round(psnr(model, torch.from_numpy(np.stack(some))), 2)
        for group, some in groups.items()
    }


def _share(hits: Sequence[bool]) -> float:
    return round(float(np.mean(hits)), 3)


def main(arguments: Sequence[str]) -> int:
    """Parses, runs, prints JSON. Exit code 1 when the rule is not met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["train", "evaluate", "decoder"])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--base", type=Path, default=Path("models/sprig"))
    parser.add_argument("--recipe", type=Path, default=None)
    given = parser.parse_args(arguments)
    recipe = recipes.read(given.recipe or bundled("configs") / "pretrain" / "sprig.toml")
    given.work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    if given.what == "train":
        train(recipe, given.work)
        return 0
    if given.what == "decoder":
        print(json.dumps(decoder(recipe, given.work, given.base), indent=1))
        return 0
    report = evaluate(recipe, given.work, given.base)
    print(json.dumps(report, indent=1))
    return 0 if report["passed"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
