"""What do two styles look like on things that no adapter saw? One signed picture.

    python benchmarks/style_grid.py --work /tmp/judge --out docs/images/styles.webp

After `base_styles.py` with the same work folder: the base's own pictures of ten things that were
held out, and below them the same seeds with the adapter; linocuts first, then Fluent Emoji high
contrast (MIT). Openmoji is share-alike, so what its adapter paints is shown by figures alone.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from base_grid import SEED, write_signed
from base_styles import held_out, styles
from PIL import Image

from picdeed.core.resources import bundled
from picdeed.diffusion.devices import repeatable
from picdeed.diffusion.lora import load_adapter
from picdeed.diffusion.models import load_base
from picdeed.diffusion.pretrain import recipe as recipes
from picdeed.diffusion.sample import draw
from picdeed.diffusion.suited import suited
from picdeed.diffusion.worn import put_on
from picdeed.flow import pipeline
from picdeed.imaging.grid import contact_sheet
from picdeed.registry.session import open_registry

STYLES, COLUMNS, CELL, GAP = ("linocut", "fluent-emoji-high-contrast"), 9, 96, 4


def painted(work: Path, style: str, words: list[str]) -> list[Image.Image]:
    """The base's pictures of the words, then the adapter's, as small as their cells."""
    folder = bundled("models") / "sprig"
    base, usual = load_base(folder), suited(folder)
    seeds, made = [SEED] * len(words), []
    for adapter in (None, work / "styles" / style / "adapter.safetensors"):
        if adapter is not None:
            put_on(base, load_adapter(adapter))
        made += draw(base, words, seeds, guidance=usual.guidance, interval=usual.interval)
    return [one.resize((CELL, CELL), Image.Resampling.LANCZOS) for one in made]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--work", type=Path, required=True)
    options.add_argument("--out", type=Path, default=Path("styles.webp"))
    given = options.parse_args()
    recipe = recipes.read(bundled("configs") / "pretrain" / "sprig.toml")
    sets = styles(recipe, given.work)
    asked, pictures = [], []
    with repeatable(1):
        for style in STYLES:
            words = held_out(sets[style])[:COLUMNS]
            asked += [f"{style}: {word}" for word in words]
            pictures += painted(given.work, style, words)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / ".picdeed"
        pipeline.init(root)
        sheet = contact_sheet(pictures, COLUMNS, GAP)
        write_signed(given.out, sheet, open_registry(root), "Two styles that sprig learned", asked)


if __name__ == "__main__":
    main()
