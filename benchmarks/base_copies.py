"""Does the embedded base copy? Its pictures beside everything it was shown of the same thing.

    python benchmarks/base_copies.py --pictures FOLDER --work /tmp/judge --base models/sprig

Two pictures are near when picdeed's own search would propose them: 49 bits of 256 or fewer between
their codes, in any turn, with or without borders. A painted picture is compared with every training
picture of its thing: each glyph as drawn, in each of the recipe's 47 other ways, and over the very
colour that was asked for, in case it was copied there. The yardstick is the same question between
two real sets of that thing. Of what is near, picdeed's pixels say whether it is one picture.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from base_judge import JUDGEABLE_FILE
from base_painting import Bytes, asked_for, painted
from PIL import Image

from picdeed.core.resources import bundled
from picdeed.diffusion.pretrain import compose
from picdeed.diffusion.pretrain import recipe as recipes
from picdeed.diffusion.pretrain.run import from_folder
from picdeed.imaging.coded import Coded
from picdeed.imaging.codes import Code, code_of
from picdeed.imaging.near import RADIUS
from picdeed.imaging.verify import PairKind, compare, look

_ONE = (PairKind.NEAR, PairKind.CROP_OF, PairKind.CONTAINS)
_CHECKED = 3  # nearest training pictures whose pixels are compared
_BOOTSTRAPS = 2000

Floats = npt.NDArray[np.float64]


class Known:
    """Everything of one thing that was trained on: pictures with their codes and glyphs."""

    def __init__(self, pictures: Sequence[Image.Image], glyphs: Sequence[int]) -> None:
        self.pictures = list(pictures)
        self.glyphs = np.array(glyphs)
        self.codes = [code_of(picture) for picture in pictures]
        self._coded = Coded.of(self.codes)

    def apart(self, code: Code) -> npt.NDArray[np.int64]:
        """Bits between a code and each known picture: the least of all turns and borders."""
        asked = Coded.of([code])
        best = np.full(self._coded.n, 256)
        for upright in asked.upright:
            bits = np.bitwise_count(self._coded.turned ^ upright).sum(-1).min(1)
            np.minimum.at(best, self._coded.owner, bits.astype(np.int64))
        return best


def shown_of(
    recipe: recipes.Recipe, members: Sequence[recipes.TrainingPicture]
) -> dict[str, Known]:
    """By concept, the pictures that training saw, made again from the recipe's seed."""
    stack = compose.load(members, recipe.side)
    made: dict[str, tuple[list[Image.Image], list[int]]] = {}
    for number, member in enumerate(members):
        if not member.concept:
            continue
        pictures, glyphs = made.setdefault(member.concept, ([], []))
        for place in range(recipe.denoiser.variants):
            numbers = compose.stream(recipe.seed, compose.LATENTS, number, place)
            how = compose.variant(recipe, member.concept, numbers) if place else compose.AS_DRAWN
            flat = compose.shown(stack[number], how, recipe, numbers if place else None)
            pictures.append(_image(flat))
            glyphs.append(number)
        print(f"\rmade {number + 1}/{len(members)}", end="", file=sys.stderr, flush=True)
    return {word: Known(*both) for word, both in made.items()}


def nearest(picture: Image.Image, known: Known, others: Sequence[Known]) -> tuple[int, bool]:
    """Bits to the nearest known picture, and whether picdeed takes the two for one picture."""
    code = code_of(picture)
    found = [
        (bits, pool, at) for pool in (known, *others) for at, bits in enumerate(pool.apart(code))
    ]
    found.sort(key=lambda row: row[0])
    within = [row for row in found[:_CHECKED] if row[0] <= RADIUS]
    seen = look(picture)
    one = any(compare(seen, look(pool.pictures[at])).kind in _ONE for _, pool, at in within)
    return int(found[0][0]), one


def evaluate(recipe: recipes.Recipe, folder: Path, work: Path, base: Path) -> dict[str, Any]:
    members = compose.trained_set(from_folder(folder))
    stack = compose.load(members, recipe.side)
    known = shown_of(recipe, members)
    report: dict[str, Any] = {"radius": RADIUS, "between real sets": _between(known, members)}
    composed = json.loads((work / JUDGEABLE_FILE).read_text())
    for row, pairs in asked_for(recipe, composed).items():
        prompts = [compose.prompt(*pair, recipe) for pair in pairs]
        found: dict[str, list[tuple[int, bool]]] = {word: [] for word, _ in pairs}
        seeds = painted(base, prompts, work)
        for k, (word, how) in enumerate(pairs):
            others = []
            if how.behind in recipe.colours:
                glyphs = [n for n, member in enumerate(members) if member.concept == word]
                tint = compose.Variant(how.tint, how.behind)
                flats = [compose.shown(stack[n], tint, recipe, None) for n in glyphs]
                others = [Known([_image(flat) for flat in flats], glyphs)]
            for pictures in seeds:
                found[word].append(nearest(Image.fromarray(pictures[k]), known[word], others))
        report[row] = _told(found) | {"variety": _variety(seeds)}
        print(f"\r{row}: {report[row]}", file=sys.stderr, flush=True)
    return report


def _between(known: dict[str, Known], members: Sequence[recipes.TrainingPicture]) -> dict[str, Any]:
    """The same two questions of each glyph as drawn and the nearest of the other sets' glyphs."""
    found: dict[str, list[tuple[int, bool]]] = {}
    bits = []
    for word, pool in known.items():
        firsts = np.unique(pool.glyphs, return_index=True)[1]
        for at in firsts:
            others = [
                n for n in firsts if members[pool.glyphs[n]].set != members[pool.glyphs[at]].set
            ]
            if not others:
                continue
            rest = Known([pool.pictures[n] for n in others], [pool.glyphs[n] for n in others])
            found.setdefault(word, []).append(nearest(pool.pictures[at], rest, ()))
            bits += rest.apart(pool.codes[at]).tolist()
    return _told(found) | {"variety": round(float(np.mean(bits)), 1)}


def _told(found: dict[str, list[tuple[int, bool]]]) -> dict[str, Any]:
    """Shares over concepts, each counting alike, with 95 % of a bootstrap over concepts."""
    some = {word: rows for word, rows in found.items() if rows}
    near = np.array([np.mean([bits <= RADIUS for bits, _ in rows]) for rows in some.values()])
    one = np.array([np.mean([same for _, same in rows]) for rows in some.values()])
    every = np.array([bits for rows in some.values() for bits, _ in rows])
    worst = sorted(zip(near.round(2).tolist(), some, strict=True), reverse=True)[:5]
    return {
        "near": _with_interval(near),
        "one picture": _with_interval(one),
        "bits": [int(value) for value in np.quantile(every, (0, 0.05, 0.5))],
        "nearest concepts": [(word, share) for share, word in worst if share],
        "n": len(every),
    }


def _with_interval(shares: Floats) -> list[float]:
    numbers = np.random.default_rng(0)
    draws = numbers.choice(shares, (_BOOTSTRAPS, len(shares))).mean(1)
    return [round(float(v), 4) for v in (shares.mean(), *np.quantile(draws, (0.025, 0.975)))]


def _variety(seeds: Sequence[Bytes]) -> float:
    """Mean bits between pictures of one prompt and two seeds, the nearest turn."""
    bits = []
    for pictures in zip(*seeds, strict=True):
        pool = Known([Image.fromarray(picture) for picture in pictures], range(len(pictures)))
        for at, code in enumerate(pool.codes):
            bits += np.delete(pool.apart(code), at).tolist()
    return round(float(np.mean(bits)), 1)


def _image(flat: npt.NDArray[np.float32]) -> Image.Image:
    return Image.fromarray(np.rint((flat.transpose(1, 2, 0) + 1) * 127.5).astype(np.uint8))


def main(arguments: Sequence[str]) -> int:
    """Parses, runs, prints JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--base", type=Path, default=Path("models/sprig"))
    given = parser.parse_args(arguments)
    recipe = recipes.read(bundled("configs") / "pretrain" / "sprig.toml")
    print(json.dumps(evaluate(recipe, given.pictures, given.work, given.base), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
