"""What does a family of bases have to say, so that nobody else needs to know which one it is?

Values and functions in one record: training, evidence and drawing read them, and none asks for a
family's name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from picdeed.core.errors import UsageError
from picdeed.diffusion.samplers import Sampler

if TYPE_CHECKING:
    import torch

    from picdeed.diffusion.data import Frame
    from picdeed.diffusion.models import Base
    from picdeed.diffusion.prompts import Prompt

Config = Mapping[str, Any]
Configs = Mapping[str, Config]
"""By part, `scheduler` among them."""
Misfit = tuple[str, Any, Any]
"""What (`unet/config.json: in_channels`), what it is, and what it would have to be."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part with weights: its class, how its files are called, and names of tensors that these may
    leave out because they are another tensor's."""

    kind: Any
    stem: str
    tied: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """Its class as `model_index.json` names it."""
        return str(self.kind.__name__)


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of base. `network` is the part that learns; it also begins every key of an adapter.

    `in_one_file` says whether people pass whole bases of it around as a single file.
    `told_by_tokenizer` names values of a tokenizer's config that are part of the base's hash.
    `grain` is what the sides of its pictures must be multiples of, in pixels.
    `unpacked` makes [batch, channels, height, width] of the latents in which a pipeline ends.
    `settings` are those of `model_index.json` that change what is computed, with their defaults.
    `sides` is how often a step of drawing asks the network: for guidance with the words and without
    them, or once where it is told how much guidance its answer is to contain.
    `frames` says whether a prompt tells how its picture was framed. `optional` parts, each a name
    of a model and its tokenizer, may be missing. `text` names the encoders that an adapter can be
    put on: those of CLIP. `encode` gives tensors [captions, ...].
    """

    name: str
    pipelines: frozenset[str]
    parts: Mapping[str, Part]
    tokenizers: Mapping[str, str]
    network: str
    targets: frozenset[str]
    sized_by: str
    side: Callable[[Configs], int]
    grain: Callable[[Base], int]
    misfits: Callable[[Configs], Iterator[Misfit]]
    predicts: Callable[[Config], str]
    samplers: Callable[[str], Mapping[Sampler, Any]]
    encode: Callable[[Base, Sequence[str]], Prompt]
    predict: Callable[[Base, torch.Tensor, torch.Tensor, Prompt], torch.Tensor]
    pipeline: Callable[[Base, Any], Any]
    asked: Callable[[Base], Mapping[str, Any]] = lambda _: {}
    unpacked: Callable[[Base, torch.Tensor], torch.Tensor] = lambda _, latents: latents
    shift: Callable[[Base], float] = lambda _: 1.0
    framed: Callable[[Frame], Prompt] | None = None
    text: tuple[str, ...] = ("text_encoder",)
    sides: int = 2
    optional: frozenset[str] = frozenset()
    settings: Mapping[str, Any] = field(default_factory=dict)
    told_by_tokenizer: tuple[str, ...] = ()
    in_one_file: bool = False

    def require_targets(self, targets: Sequence[str], base: str) -> None:
        """Raise UsageError on a layer that no base of this family has: it would be left out."""
        for target in targets:
            if target not in self.targets:
                raise UsageError(
                    f"{base} has no layer {target!r}; nothing was started.",
                    hint=f"Choose targets from {', '.join(sorted(self.targets))}.",
                )
