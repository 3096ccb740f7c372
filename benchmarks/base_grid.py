"""What does the embedded base paint, every thing once in four ways? One signed picture.

    python benchmarks/base_grid.py --out docs/images/sprig-grid.png

Rows 1-2: plain captions. 3-4: on a colour trained with the thing. 5-6: on a colour that was never
trained with it. 7-8: in the style of one of its sets. Nothing is picked: one seed for all. The
sheet is a generated picture, so it is signed (by a development identity) and read back.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from PIL import Image

from picdeed import __version__
from picdeed.core.ids import content_id, sha256
from picdeed.core.resources import bundled
from picdeed.credentials.manifest import OutputFacts, output_manifest
from picdeed.credentials.sign import sign
from picdeed.diffusion.pretrain import compose
from picdeed.diffusion.pretrain import recipe as recipes
from picdeed.flow import pipeline
from picdeed.imaging.decode import pixels_sha256
from picdeed.imaging.grid import contact_sheet
from picdeed.registry.session import Registry, open_registry

COLUMNS, CELL, GAP, SEED = 16, 48, 4, 11


def prompts() -> list[str]:
    """Four ways for each thing, each way in the order of the recipe."""
    recipe = recipes.read(bundled("configs") / "pretrain" / "sprig.toml")
    things, colours = recipe.concepts, list(recipe.colours)
    count = recipe.denoiser.held_out_colours
    unseen = {thing: compose.held_out(thing, colours, count) for thing in things}
    seen = {thing: next(c for c in colours if c not in unseen[thing]) for thing in things}
    return [
        *things,
        *(f"{thing} on a {seen[thing]} background" for thing in things),
        *(f"{thing} on a {min(unseen[thing])} background" for thing in things),
        *(f"noto style {thing}" for thing in things),
    ]


def drawn(registry: Registry, prompt: str, out: Path) -> Image.Image:
    """One released picture, as small as its cell."""
    wish = pipeline.Wish(prompt, seed=SEED, steps=20, guidance=2.5)
    (one,) = pipeline.publish(registry, "sprig", wish, out).outputs
    return Image.open(one.path).convert("RGB").resize((CELL, CELL), Image.Resampling.LANCZOS)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--out", type=Path, default=Path("sprig-grid.png"))
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / ".picdeed"
        pipeline.init(root)
        registry = open_registry(root)
        asked = prompts()
        pictures = []
        for at, prompt in enumerate(asked, 1):
            pictures.append(drawn(registry, prompt, Path(folder) / "outputs"))
            print(f"\r{at}/{len(asked)} {prompt:50}", end="", flush=True)
        sheet = contact_sheet(pictures, COLUMNS, GAP)
        base = next(one for one in pipeline.bases_of(registry) if one["name"] == "sprig")
        facts = OutputFacts(
            title="What sprig paints",
            output_id=content_id("out", {"sheet": asked, "seed": SEED}),
            pixel_sha256=pixels_sha256(sheet),
            prompt_sha256=sha256("\n".join(asked).encode()),
            seed=SEED,
            base_name="sprig",
            base_id=base["id"],
            base_sha256=base["sha256"],
            when=datetime.now(UTC).isoformat(timespec="seconds"),
            version=__version__,
        )
        data = io.BytesIO()
        sheet.save(data, "PNG", optimize=True)
        identity = pipeline.identity_of(registry)
        signed = sign(data.getvalue(), "image/png", output_manifest(facts), identity)
    given.out.write_bytes(signed.data)
    print(f"\n{given.out}: {len(signed.data)} bytes, signed by {signed.signer}")


if __name__ == "__main__":
    main()
