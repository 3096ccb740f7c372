"""Where do the crops of a picture lie, and what are they called? Numbers and names only.

The middle, both ends, then always halfway between two that are there. So spread, crops overlap as
little as so many can and the whole picture is seen as far as they reach; drawn by chance, some
would nearly coincide, parts would never be seen, and another seed would be encoded anew. And a run
with few crops has those of a run with more: what one encoded serves the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

Cut = tuple[int, int]
"""Left and top in pixels of a crop in the resized picture."""
_APART = 4  # pixels; crops nearer to each other than that show the same


def cuts(slack: tuple[int, int], count: int) -> tuple[Cut, ...]:
    """At most `count` (up to 17) crops of a picture that is `slack` pixels wider and higher than
    its box; the middle one first.

    Of those that would lie nearer than 4 pixels to each other only the earlier ones are there: a
    picture with less than 8 pixels to spare has one crop, with less than 16 three.
    """
    wide, high = slack
    room = max(slack)
    return tuple(
        (_at(wide, part, of), _at(high, part, of))
        for part, of in islice(_shares(), count)
        if room >= _APART * of or part * 2 == of
    )


def crop_name(picture: str, number: int) -> str:
    """What a picture's crop goes by where each crop has something of its own, such as a latent:
    the middle one, whose number is 0, by the picture's id.
    """
    return f"{picture}/{number}" if number else picture


def is_middle(name: str) -> bool:
    """Whether `crop_name` gave this name to a middle crop."""
    return "/" not in name


def _shares() -> Iterator[tuple[int, int]]:
    """Where crops begin, in parts of what there is to spare, from the middle on."""
    yield from ((1, 2), (0, 2), (2, 2))
    for of in (4, 8, 16):
        for part in range(1, of // 2, 2):
            yield from ((part, of), (of - part, of))


def _at(slack: int, part: int, of: int) -> int:
    # Rounded towards the nearer end, so that a mirrored crop is the opposite one to the pixel.
    return slack * part // of if part * 2 <= of else slack - slack * (of - part) // of
