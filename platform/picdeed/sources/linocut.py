"""What can the demo draw? Subjects by their word, each a print from one block."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from picdeed.sources import linocut_animals, linocut_garden, linocut_things
from picdeed.sources.linocut_block import SIDE, Block

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["SIDE", "SUBJECTS", "UNSEEN", "caption", "draw"]

_DRAWINGS = {
    **linocut_animals.SUBJECTS,
    **linocut_garden.SUBJECTS,
    **linocut_things.SUBJECTS,
}

SUBJECTS = tuple(_DRAWINGS)
"""Every word that can be drawn."""

UNSEEN = ("lion", "rabbit", "tulip", "moon")
"""Subjects that the base model knows and the demo's pictures never show: for asking whether an
adapter learned the hand and not the subjects."""


def draw(word: str) -> Image.Image:
    """The print of a subject, RGB, SIDE by SIDE; the same pixels at every call."""
    return _printed(word).copy()


@functools.cache
def _printed(word: str) -> Image.Image:
    block = Block(word)
    _DRAWINGS[word](block)
    # Without the field of stray marks: at the base's 128 px they are as large as the carving, and
    # an adapter learns the confetti instead of the hand.
    return block.print(chatter=False)


def caption(word: str) -> str:
    """What a drawing shows, in the base model's words: the word itself.

    The embedded base learned words, not sentences: behind "a linocut print of" it no longer
    heard the subject, and an adapter trained on such captions drew one picture for all of them.
    """
    return word
