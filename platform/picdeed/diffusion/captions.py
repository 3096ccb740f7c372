"""What does the network read of each picture: what was kept, or what its encoders say now?

Encoders that do not learn are asked once a caption, and what they said is kept (cache.py). Those
that learn say something else after every step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch

from picdeed.diffusion.cache import embed
from picdeed.diffusion.draws import Slot
from picdeed.diffusion.models import Base
from picdeed.diffusion.prompts import Prompt, stacked


@dataclass(frozen=True, slots=True)
class Kept(Mapping[str, Prompt]):
    """Each crop's prompt by its name, the middle one's by its picture's id. `wordless` is what it
    is where its caption is dropped, `mirrored` what a prompt tells otherwise in a mirror.
    """

    prompts: Mapping[str, Prompt]
    wordless: Mapping[str, Prompt]
    mirrored: Mapping[str, Prompt] = field(default_factory=dict)

    def __getitem__(self, picture: str) -> Prompt:
        return self.prompts[picture]

    def __iter__(self) -> Iterator[str]:
        return iter(self.prompts)

    def __len__(self) -> int:
        return len(self.prompts)

    def joined(self, other: Kept) -> Kept:
        """Both's pictures."""
        return Kept(
            {**self.prompts, **other.prompts},
            {**self.wordless, **other.wordless},
            {**self.mirrored, **other.mirrored},
        )

    def read(self, slots: Sequence[Slot]) -> Prompt:
        """What the network reads in these slots, a row each."""
        own = [(self.wordless if one.drop_caption else self.prompts)[one.shown] for one in slots]
        seen = [_of_mirror(self.mirrored, one) for one in slots]
        return stacked([{**prompt, **other} for prompt, other in zip(own, seen, strict=True)])


@dataclass(frozen=True, slots=True)
class Spoken(Mapping[str, Prompt]):
    """Each picture's prompt by its id, as the encoders on `base` say it whenever it is asked for:
    with the adapter as it is then, or without it. `frames` tell by each crop's name how it was
    fitted, `mirrored` what is otherwise in a mirror.
    """

    base: Base
    captions: Mapping[str, str]
    frames: Mapping[str, Prompt]
    mirrored: Mapping[str, Prompt] = field(default_factory=dict)

    def __getitem__(self, picture: str) -> Prompt:
        return {**embed(self.base, self.captions[picture]), **self.frames[picture]}

    def __iter__(self) -> Iterator[str]:
        return iter(self.captions)

    def __len__(self) -> int:
        return len(self.captions)

    def joined(self, other: Spoken) -> Spoken:
        """Both's pictures."""
        captions, frames = {**self.captions, **other.captions}, {**self.frames, **other.frames}
        return Spoken(self.base, captions, frames, {**self.mirrored, **other.mirrored})

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
        seen = [{**self.frames[one.shown], **_of_mirror(self.mirrored, one)} for one in slots]
        return {**rows, **stacked(seen)}


def _of_mirror(mirrored: Mapping[str, Prompt], slot: Slot) -> Prompt:
    return mirrored.get(slot.shown, {}) if slot.flip else {}
