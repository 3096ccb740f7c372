"""Of several copies of one picture, which one stands for them? Shared by dedup and snapshot."""

from __future__ import annotations

from picdeed.registry.pictures import Picture

LOSSLESS = frozenset({"image/png", "image/tiff", "image/bmp", "image/gif"})


def rank(picture: Picture) -> tuple[int, bool, int, str]:
    """Lowest is best: most pixels, then unspoilt by compression, then most bytes, then the id.

    A total order of what the files are, not of when they came: copies that arrive in another
    order give the same keeper, and so the same snapshot.
    """
    lossy = picture.media_type not in LOSSLESS
    return (-picture.width * picture.height, lossy, -picture.bytes, picture.id)
