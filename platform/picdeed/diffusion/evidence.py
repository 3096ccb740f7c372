"""Did the adapter learn what its pictures have in common? Asked on pictures it never saw.

Fixed pictures, timesteps and noise: repeated, the same numbers; between two runs, comparable.
Low timesteps are easy and would rule a single mean, so every timestep is reported too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from picdeed.diffusion.draws import fixed_seed
from picdeed.diffusion.holding_out import FEWEST_HELD_OUT
from picdeed.diffusion.lora import ADAPTER
from picdeed.diffusion.models import Base
from picdeed.diffusion.objective import Objective
from picdeed.diffusion.prompts import Prompt, repeated, reworded, stacked

# An adapter that helps by less than this, or on fewer held-out pictures than this share, has
# not shown that it learned: random adapters stay within half a percent of the base.
LEAST_GAIN = 0.03
LEAST_IMPROVED = 0.75
# A base that loses this share of its loss to a wrong caption hears captions; an adapter that
# keeps less than half of that was taught pictures that do not belong to their captions.
LEAST_HEARING = 0.02
LEAST_KEPT = 0.5


@dataclass(frozen=True, slots=True)
class LossAt:
    """Mean loss over the held-out pictures at one timestep, without and with the adapter."""

    timestep: int
    base: float
    adapter: float


@dataclass(frozen=True, slots=True)
class Hearing:
    """How much a picture's loss grows when it gets another picture's caption."""

    base: float
    adapter: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """Held-out denoising loss; `improved` counts the pictures on which the adapter is better.

    `hearing` is None when all held-out pictures have one caption.
    """

    base: float
    adapter: float
    pictures: int
    improved: int
    per_t: tuple[LossAt, ...]
    hearing: Hearing | None = None

    @property
    def ratio(self) -> float:
        """Adapter over base: below 1 the adapter is better."""
        return self.adapter / self.base

    @property
    def deaf(self) -> bool:
        """Whether the base hears captions and the adapter has made it stop."""
        if self.hearing is None or self.hearing.base < LEAST_HEARING * self.base:
            return False
        return self.hearing.adapter < LEAST_KEPT * self.hearing.base

    @property
    def learned(self) -> bool:
        """Whether the gain is larger than chance, shared by most pictures, and hears captions."""
        shared = self.improved >= LEAST_IMPROVED * self.pictures
        return self.ratio <= 1 - LEAST_GAIN and shared and not self.deaf

    def document(self) -> dict[str, Any]:
        """JSON values, with `ratio` and `learned`."""
        return {
            **asdict(self),
            "per_t": [asdict(loss) for loss in self.per_t],
            "ratio": self.ratio,
            "learned": self.learned,
        }


def measure(
    base: Base,
    moments: Mapping[str, torch.Tensor],
    prompts: Mapping[str, Prompt],
    *,
    timesteps: int = 8,
    noises: int = 2,
) -> Evidence:
    """The evidence for the adapter that is on `base.unet`, over the pictures in `moments`.

    `moments` and `prompts` are keyed by picture. The adapter is left switched on.
    """
    if len(moments) < FEWEST_HELD_OUT or timesteps < 8:
        raise ValueError("evidence needs at least 2 pictures and 8 timesteps")
    at = levels(base, timesteps)
    swapped = _swapped(prompts)
    with_it = _losses(base, moments, prompts, at, noises)
    heard_with = _losses(base, moments, swapped, at, noises).mean() - with_it.mean()
    with bare(base):
        without = _losses(base, moments, prompts, at, noises)
        heard_without = _losses(base, moments, swapped, at, noises).mean() - without.mean()
    return Evidence(
        base=float(without.mean()),
        adapter=float(with_it.mean()),
        pictures=len(moments),
        improved=int((with_it.mean(1) < without.mean(1)).sum()),
        per_t=tuple(
            LossAt(t, float(without[:, k].mean()), float(with_it[:, k].mean()))
            for k, t in enumerate(at)
        ),
        hearing=Hearing(float(heard_without), float(heard_with)) if swapped else None,
    )


def _swapped(prompts: Mapping[str, Prompt]) -> dict[str, Prompt]:
    """Every picture with the caption of the next one that has another; empty if none has."""
    names = sorted(prompts)
    found = {}
    for place, name in enumerate(names):
        for other in names[place + 1 :] + names[:place]:
            changed = reworded(prompts[name], prompts[other])
            if changed is not None:
                found[name] = changed
                break
    return found


def levels(base: Base, timesteps: int) -> tuple[int, ...]:
    """So many timesteps at which evidence is taken, the middles of equal parts of the range."""
    return tuple(int((k + 0.5) / timesteps * Objective(base).timesteps) for k in range(timesteps))


@contextlib.contextmanager
def bare(base: Base) -> Iterator[None]:
    """The base as it is without its adapter, which is switched on again after."""
    base.unet.disable_adapters()
    try:
        yield
    finally:
        base.unet.enable_adapters()
        base.unet.set_adapter(ADAPTER)


@torch.no_grad()
def looked(
    base: Base,
    moments: Mapping[str, torch.Tensor],
    prompts: Mapping[str, Prompt],
    at: Sequence[int],
    looks: Mapping[str, Sequence[int]],
    *,
    batch: int = 0,
) -> dict[str, torch.Tensor]:
    """Per picture of `looks` the losses, float64 [looks], of the base as it is now.

    Look k of a picture is at the timestep `at[k % len(at)]`, under the k-th noise of its own: the
    same look is the same exercise whenever it is taken. Pictures are computed together as long as
    they have at most `batch` looks, else one by one: other company rounds otherwise.
    """
    objective = Objective(base)
    found: dict[str, torch.Tensor] = {}
    for names in _companies(moments, looks, batch):
        rows = [(name, k) for name in names for k in looks[name]]
        # The unflipped view's mean: evidence does not draw latents.
        latents = [moments[name][0, 0] for name, _ in rows]
        losses = objective.losses(
            torch.stack(latents),
            torch.stack([_noise(moments[name][0, 0], name, k) for name, k in rows]),
            torch.tensor([at[k % len(at)] for _, k in rows]),
            repeated(prompts[names[0]], len(rows))
            if len(names) == 1
            else stacked([prompts[name] for name, _ in rows]),
        )
        told = iter(losses.double().cpu())
        found |= {name: torch.stack([next(told) for _ in looks[name]]) for name in names}
    return found


def _companies(
    moments: Mapping[str, torch.Tensor], looks: Mapping[str, Sequence[int]], batch: int
) -> Iterator[list[str]]:
    """Neighbours of one size with at most `batch` looks together; a single one may have more."""
    names: list[str] = []
    for name in looks:
        count = sum(len(looks[one]) for one in (*names, name))
        if names and (count > batch or moments[name].shape != moments[names[0]].shape):
            yield names
            names = []
        names.append(name)
    if names:
        yield names


def _losses(
    base: Base,
    moments: Mapping[str, torch.Tensor],
    prompts: Mapping[str, Prompt],
    at: Sequence[int],
    noises: int,
) -> torch.Tensor:
    """float64 [pictures with a prompt, timesteps], averaged over `noises`."""
    looks = dict.fromkeys(sorted(prompts), range(len(at) * noises))
    found = looked(base, moments, prompts, at, looks).values()
    rows = [losses.reshape(1, noises, len(at)).mean(1) for losses in found]
    return torch.cat([torch.zeros(0, len(at), dtype=torch.float64), *rows])


def _noise(latent: torch.Tensor, name: str, index: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(fixed_seed("held-out", name, index))
    return torch.randn(latent.shape, generator=generator)
