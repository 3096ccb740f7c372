"""Which pictures look alike and are not one? Templates, clock faces, prints, drawn from words."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from picdeed.sources.linocut import SUBJECTS, draw


def drawn(where: Path) -> list[Path]:
    """Procedural hard negatives: one template with other texts, clocks, prints of one family."""
    where.mkdir(parents=True, exist_ok=True)
    made: dict[str, Callable[[], Image.Image]] = {}
    for at in range(24):
        made[f"template{at % 2}-{at:02}"] = partial(template, at)
        made[f"clock{at % 2}-{at:02}"] = partial(clock, at)
    for at, word in enumerate(sorted(SUBJECTS)[:40]):
        made[f"lino{at % 2}-{word}"] = partial(draw, word)
    for name, make in made.items():
        if not (path := where / f"{name}.png").exists():
            make().save(path)
    return sorted(where.glob("*.png"))


def template(at: int) -> Image.Image:
    """A poster: the same ground, frame and ornaments, another date and another title."""
    image = Image.new("RGB", (480, 640), (236, 226, 205))
    pen = ImageDraw.Draw(image)
    pen.rectangle((20, 20, 460, 620), outline=(120, 30, 40), width=8)
    for step in range(12):
        pen.arc((40 + 10 * step, 300, 340 + 10 * step, 600), 180, 340, fill=(30, 70, 110), width=3)
    title = ("Concert", "Market", "Lecture", "Regatta", "Harvest", "Theatre")[at % 6]
    pen.text((60, 70), title, fill=(40, 40, 40), font=ImageFont.load_default(60))
    pen.text((60, 160), f"{1 + at} May {1990 + at}", fill=(40, 40, 40),
             font=ImageFont.load_default(40))  # fmt: skip
    return image


def clock(at: int) -> Image.Image:
    """One clock face, another time."""
    image = Image.new("RGB", (512, 512), "white")
    pen = ImageDraw.Draw(image)
    pen.ellipse((16, 16, 496, 496), outline="black", width=10)
    for hour in range(12):
        turn = np.pi * hour / 6
        x, y = 256 + 205 * np.sin(turn), 256 - 205 * np.cos(turn)
        pen.text((x, y), str(hour or 12), fill="black", anchor="mm",
                 font=ImageFont.load_default(36))  # fmt: skip
    for turn, reach, width in ((at * 0.7, 110, 14), (at * 2.1 + 1, 165, 8)):
        end = (256 + reach * np.sin(turn), 256 - reach * np.cos(turn))
        pen.line((256, 256, *end), fill="black", width=width)
    return image
