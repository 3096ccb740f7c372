"""What does the embedded base paint, every thing once in five ways? One signed picture.

    python benchmarks/base_grid.py --out docs/images/sprig-grid.webp

Plain captions; on a colour and in a place that were trained with the thing; in a tint on a colour
and in a place that never were. Nothing is picked: one seed for all. The sheet is a generated
picture, so it is signed (by a development identity) and read back.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from base_judge import asked_for
from PIL import Image

from picdeed import __version__
from picdeed.core.errors import IntegrityError
from picdeed.core.ids import content_id, sha256
from picdeed.core.resources import bundled
from picdeed.credentials.manifest import OutputFacts, output_manifest
from picdeed.credentials.sign import sign
from picdeed.diffusion.pretrain import compose
from picdeed.diffusion.pretrain import recipe as recipes
from picdeed.flow import pipeline
from picdeed.imaging.decode import decode, pixels_sha256
from picdeed.imaging.grid import contact_sheet
from picdeed.registry.session import Registry, open_registry

COLUMNS, CELL, GAP, SEED = 24, 48, 4, 11
QUALITY = 88  # of WebP; as PNG these sheets take five times as much


def prompts() -> list[str]:
    """Five ways for each thing, each way in the order of the recipe."""
    recipe = recipes.read(bundled("configs") / "pretrain" / "sprig.toml")
    rows = asked_for(recipe)
    ways = ("plain", "trained colour", "trained place", "new tint on a colour", "new place")
    return [compose.prompt(*pair, recipe) for way in ways for pair in rows[way]]


def drawn(registry: Registry, prompt: str, out: Path) -> Image.Image:
    """One released picture, as small as its cell."""
    wish = pipeline.Wish(prompt, seed=SEED, steps=20)
    (one,) = pipeline.publish(registry, "sprig", wish, out).outputs
    return Image.open(one.path).convert("RGB").resize((CELL, CELL), Image.Resampling.LANCZOS)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--out", type=Path, default=Path("sprig-grid.webp"))
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
        write_signed(given.out, sheet, registry, "What sprig paints", asked)


def write_signed(
    out: Path, sheet: Image.Image, registry: Registry, title: str, asked: Sequence[str]
) -> None:
    """Writes a sheet of what the embedded base painted as WebP, signed by the registry's identity,
    and reads it back from its file; raises IntegrityError, leaving none.
    """
    base = next(one for one in pipeline.bases_of(registry) if one["name"] == "sprig")
    data = io.BytesIO()
    sheet.save(data, "WEBP", quality=QUALITY, method=6)
    pixels = pixels_sha256(decode(data.getvalue()).image)  # as the file has them: WebP rounds
    facts = OutputFacts(
        title=title,
        output_id=content_id("out", {"sheet": list(asked), "seed": SEED, "pixels": pixels}),
        pixel_sha256=pixels,
        prompt_sha256=sha256("\n".join(asked).encode()),
        seed=SEED,
        base_name="sprig",
        base_id=base["id"],
        base_sha256=base["sha256"],
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        version=__version__,
    )
    identity = pipeline.identity_of(registry)
    signed = sign(data.getvalue(), "image/webp", output_manifest(facts), identity)
    out.write_bytes(signed.data)
    (seen,) = pipeline.verify([out], pipeline.trust_of(registry), registry).files
    if seen.integrity != "intact":
        out.unlink()
        raise IntegrityError(f"{out} reads back as {seen.integrity}; it was removed.")
    print(f"\n{out}: {len(signed.data)} bytes, {seen.integrity}, signer {seen.trust}")


if __name__ == "__main__":
    main()
