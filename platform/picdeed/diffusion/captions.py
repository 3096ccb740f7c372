"""What does the network read of each picture: what was kept, or what its encoders say now?

Encoders that do not learn are asked once a caption, and what they said is kept (cache.py). Those
that learn say something else after every step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from picdeed.diffusion.cache import embed
from picdeed.diffusion.draws import Slot
from picdeed.diffusion.models import Base
from picdeed.diffusion.prompts import Prompt, stacked


@dataclass(frozen=True, slots=True)
class Kept(Mapping[str, Prompt]):
    """Each picture's prompt by its id. `wordless` is what it is where its caption is dropped."""

    prompts: Mapping[str, Prompt]
    wordless: Mapping[str, Prompt]

    def __getitem__(self, picture: str) -> Prompt:
        return self.prompts[picture]

    def __iter__(self) -> Iterator[str]:
        return iter(self.prompts)

    def __len__(self) -> int:
        return len(self.prompts)

    def joined(self, other: Kept) -> Kept:
        """Both's pictures."""
        return Kept({**self.prompts, **other.prompts}, {**self.wordless, **other.wordless})

    def read(self, slots: Sequence[Slot]) -> Prompt:
        """What the network reads in these slots, a row each."""
        return stacked(
            [(self.wordless if one.drop_caption else self.prompts)[one.picture] for one in slots]
        )


@dataclass(frozen=True, slots=True)
class Spoken(Mapping[str, Prompt]):
    """Each picture's prompt by its id, as the encoders on `base` say it whenever it is asked for:
    with the adapter as it is then, or without it. `frames` tell how pictures were fitted.
    """

    base: Base
    captions: Mapping[str, str]
    frames: Mapping[str, Prompt]

    def __getitem__(self, picture: str) -> Prompt:
        return {**embed(self.base, self.captions[picture]), **self.frames[picture]}

    def __iter__(self) -> Iterator[str]:
        return iter(self.captions)

    def __len__(self) -> int:
        return len(self.captions)

    def joined(self, other: Spoken) -> Spoken:
        """Both's pictures."""
        captions, frames = {**self.captions, **other.captions}, {**self.frames, **other.frames}
        return Spoken(self.base, captions, frames)

    def read(self, slots: Sequence[Slot]) -> Prompt:
        """What the network reads in these slots, a row each, differentiable. Each caption is said
        once, an empty one where it is dropped."""
        said = ["" if one.drop_caption else self.captions[one.picture] for one in slots]
        place = {caption: number for number, caption in enumerate(dict.fromkeys(said))}
        told = self.base.family.encode(self.base, tuple(place))
        rows = {
            # float32 as kept ones are; row by row, for the gradient of an index has no fixed order
            name: torch.stack([tensor[place[caption]].float() for caption in said])
            for name, tensor in told.items()
        }
        return {**rows, **stacked([self.frames[one.picture] for one in slots])}
