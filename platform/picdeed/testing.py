"""What do tests of picdeed, ours and our users', need? Tiny real things, no mocks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from picdeed.registry.session import Registry, open_registry

CC0 = {"license": "CC0-1.0", "author": "A. Author"}


def tiny_picture(n: int, side: int = 96) -> Image.Image:
    """The n-th of many small drawings, no two of which are near-duplicates of each other."""
    image = Image.new("RGB", (side, side), ((37 * n) % 200 + 40, (91 * n) % 200 + 40, 180))
    draw = ImageDraw.Draw(image)
    state = n * 2654435761 % (1 << 32) or 1
    for _ in range(9):
        corners = []
        for _ in range(4):
            state = (1103515245 * state + 12345) % (1 << 31)
            corners.append(state % side)
        x0, x1 = sorted(corners[:2])
        y0, y1 = sorted(corners[2:])
        fill = (state % 256, (state >> 8) % 256, (state >> 16) % 256)
        if state % 2:
            draw.ellipse((x0, y0, x1 + 6, y1 + 6), fill=fill)
        else:
            draw.rectangle((x0, y0, x1 + 4, y1 + 4), fill=fill)
    return image


def tiny_pictures(
    folder: Path, n: int = 8, row: Mapping[str, Any] | None = None, first: int = 1
) -> Path:
    """A folder of `n` drawings with a `metadata.jsonl` that gives each the fields of `row`."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for i in range(first, first + n):
        name = f"picture-{i:03}.png"
        tiny_picture(i).save(folder / name)
        rows.append({"file_name": name, "caption": f"drawing {i}", **(CC0 if row is None else row)})
    with (folder / "metadata.jsonl").open("a", encoding="utf-8") as table:
        table.writelines(json.dumps(row) + "\n" for row in rows)
    return folder


def tiny_registry(folder: Path) -> Registry:
    """A fresh registry in `folder`, with its development identity and the embedded base."""
    from picdeed.flow import pipeline

    pipeline.init(folder)
    return open_registry(folder)
