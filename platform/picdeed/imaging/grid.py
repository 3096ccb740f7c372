"""How are several pictures shown as one?"""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from picdeed.imaging.decode import to_rgb


def contact_sheet(
    images: Sequence[Image.Image],
    columns: int,
    gap: int = 4,
    background: tuple[int, int, int] = (255, 255, 255),
) -> Image.Image:
    """RGB: the pictures in rows, each centred in a cell as large as the largest, never scaled.

    Raises ValueError without pictures or columns. A sheet of generated pictures is a generated
    picture too: whoever writes it outside the registry signs it.
    """
    if not images or columns < 1:
        raise ValueError("a contact sheet needs at least one picture and one column")
    width = max(image.width for image in images)
    height = max(image.height for image in images)
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    size = (gap + columns * (width + gap), gap + rows * (height + gap))
    sheet = Image.new("RGB", size, background)
    for place, image in enumerate(images):
        row, column = divmod(place, columns)
        left = gap + column * (width + gap) + (width - image.width) // 2
        top = gap + row * (height + gap) + (height - image.height) // 2
        sheet.paste(to_rgb(image, background), (left, top))
    return sheet
