# ruff: noqa: INP001, T201 -- a script that make runs; it prints.
"""Which pictures does docs/how-diffusion-works.md show? All drawn anew, signed and read back.

    make teach

One seed and one prompt for all of them: the first thing of the base's deed. Sheets of generated
pictures are generated pictures, so each carries a credential (of a development identity, as every
registry makes one) that names the base, and its file is verified after it was written. Nothing is
picked. A base that was taught anew asks for all of them anew; tests/test_teaching.py says so.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from picdeed import __version__
from picdeed.core.errors import IntegrityError
from picdeed.core.ids import content_id, sha256
from picdeed.credentials.manifest import OutputFacts, output_manifest
from picdeed.credentials.sign import sign
from picdeed.diffusion.inside.heat import laid_over
from picdeed.diffusion.inside.views import Role
from picdeed.diffusion.samplers import LABELS
from picdeed.flow import inside, pipeline
from picdeed.imaging.decode import decode, pixels_sha256
from picdeed.imaging.grid import contact_sheet
from picdeed.registry.session import Registry, open_registry

OUT = Path(__file__).resolve().parent.parent / "docs" / "images" / "how"
SEED, GROUND = 11, "blue"
GUIDANCES = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0)
SAMPLERS = {str(sampler): label for sampler, label in LABELS.items()}
STEPS = (4, 8, 20, 50)
NOISED = 12
LABEL, GAP, QUALITY = 18, 6, 82
INK = (29, 26, 22)


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is looked into: a base (an id) of a registry, and one wish."""

    registry: Registry
    base: inside.Vocabulary
    wish: pipeline.Wish


@dataclass(frozen=True, slots=True)
class Sheet:
    """Labelled pictures in rows, and the CPU seconds that they took."""

    title: str
    cells: Sequence[tuple[Image.Image, str]]
    columns: int
    seconds: float


def noise(lesson: Lesson) -> Sheet:
    last = lesson.base.times - 1
    times = [round(last * n / (NOISED - 1)) for n in range(NOISED)]
    seen = inside.noised(lesson.registry, lesson.base.id, lesson.wish, times)
    cells = [(one.picture, f"{one.time}: {one.signal:.2f}, {one.noise:.2f}") for one in seen.mixed]
    return Sheet("A picture becomes noise", cells, 6, seen.seconds)


def denoise(lesson: Lesson) -> Sheet:
    seen = inside.denoised(lesson.registry, lesson.base.id, lesson.wish)
    steps = [*seen.steps[::3], seen.steps[-1]]
    cells = [(one.noisy, f"time {one.time:g}") for one in steps]
    cells += [(one.expected, "expected") for one in steps]
    return Sheet("Noise becomes a picture", cells, len(steps), seen.seconds)


def guidance(lesson: Lesson) -> Sheet:
    seen = inside.guided(lesson.registry, lesson.base.id, lesson.wish, GUIDANCES)
    cells = [(one.picture, f"w = {one.guidance:g}") for one in seen]
    return Sheet("The same seed under guidance", cells, 8, sum(one.seconds for one in seen))


def samplers(lesson: Lesson) -> Sheet:
    seen = inside.sampled_by(lesson.registry, lesson.base.id, lesson.wish, list(SAMPLERS), STEPS)
    ranked = sorted(seen, key=lambda one: one.steps)
    cells = [
        (
            one.picture,
            f"{SAMPLERS[one.sampler]}, {one.steps}" if at < len(SAMPLERS) else f"{one.steps}",
        )
        for at, one in enumerate(ranked)
    ]
    print("\n  sampler          steps  seconds  apart")
    for one in seen:
        print(f"  {one.sampler:16} {one.steps:5} {one.seconds:8.2f} {one.apart:6.1f}")
    return Sheet("Samplers and steps", cells, len(SAMPLERS), sum(one.seconds for one in seen))


def words(lesson: Lesson) -> Sheet:
    seen = inside.attention(lesson.registry, lesson.base.id, lesson.wish)
    ranked = sorted(seen.words, key=lambda word: word.role is not Role.WORD)
    cells = [(seen.picture, "the picture")]
    for word in ranked:
        text = word.text if word.role is Role.WORD else f"({word.text})"
        cells.append((laid_over(seen.picture, word.map), f"{text}, {100 * word.share:.0f} %"))
    return Sheet("Where each word was read", cells, -(-len(cells) // 2), seen.seconds)


def latents(lesson: Lesson) -> Sheet:
    seen = inside.channels(lesson.registry, lesson.base.id, lesson.wish, 0.0)
    cells = [(one.map, f"channel {one.number + 1}") for one in seen.channels]
    cells += [(one.without, f"without: {one.apart:.0f}") for one in seen.channels]
    return Sheet("The channels of the latents", cells, len(seen.channels), seen.seconds)


SHEETS: Mapping[str, Callable[[Lesson], Sheet]] = {
    "noise": noise,
    "denoise": denoise,
    "guidance": guidance,
    "samplers": samplers,
    "words": words,
    "latents": latents,
}


def labelled(picture: Image.Image, label: str) -> Image.Image:
    """The picture with its label below it."""
    cell = Image.new("RGB", (picture.width, picture.height + LABEL), "white")
    cell.paste(picture)
    ImageDraw.Draw(cell).text(
        (picture.width / 2, picture.height + 3), label, INK, ImageFont.load_default(12), anchor="ma"
    )
    return cell


def credentialed(lesson: Lesson, name: str, sheet: Sheet) -> bytes:
    """The sheet as WebP, signed; its lineage names the base and the hash of its pixels."""
    cells = [labelled(picture, label) for picture, label in sheet.cells]
    data = io.BytesIO()
    contact_sheet(cells, sheet.columns, GAP).save(data, "WEBP", quality=QUALITY, method=6)
    pixels = pixels_sha256(decode(data.getvalue()).image)  # as the file has them: WebP rounds
    facts = OutputFacts(
        title=sheet.title,
        output_id=content_id("out", {"sheet": name, "pixels": pixels, "base": lesson.base.sha256}),
        pixel_sha256=pixels,
        prompt_sha256=sha256(lesson.wish.prompt.encode()),
        seed=lesson.wish.seed,
        base_name=lesson.base.name,
        base_id=lesson.base.id,
        base_sha256=lesson.base.sha256,
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        version=__version__,
    )
    identity = pipeline.identity_of(lesson.registry)
    return sign(data.getvalue(), "image/webp", output_manifest(facts), identity).data


def written(lesson: Lesson, path: Path, data: bytes) -> None:
    """Writes a sheet and reads it back from its file; raises IntegrityError, leaving none."""
    path.write_bytes(data)
    trust = pipeline.trust_of(lesson.registry)
    (seen,) = pipeline.verify([path], trust, lesson.registry).files
    if seen.integrity != "intact":
        path.unlink()
        raise IntegrityError(f"{path} reads back as {seen.integrity}; it was removed.")
    print(f"  {path.name:16} {len(data):7,} bytes, {seen.integrity}, signer {seen.trust}")


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--out", type=Path, default=OUT)
    out = options.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / ".picdeed"
        pipeline.init(root)
        registry = open_registry(root)
        base = inside.embedded(registry)
        prompt = base.prompt(base.things[0], behind=GROUND if GROUND in base.grounds else "")
        lesson = Lesson(registry, base, pipeline.Wish(prompt, seed=SEED))
        print(f"{base.name} {base.sha256[:12]}: {prompt!r}, seed {SEED}")
        for name, draw in SHEETS.items():
            sheet = draw(lesson)
            print(f"  {sheet.title}: {sheet.seconds:.1f} s of CPU time")
            written(lesson, out / f"{name}.webp", credentialed(lesson, name, sheet))


if __name__ == "__main__":
    main()
