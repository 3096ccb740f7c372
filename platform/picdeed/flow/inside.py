"""How does the embedded base draw? Looked at from inside: nothing is recorded, nothing is written.

What comes back lives in memory only. Whoever writes a generated picture outside the registry signs
it (`tools/teach.py` does).
"""

from __future__ import annotations

import functools
import importlib.util
import json
import threading
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from picdeed.core.errors import MissingPart
from picdeed.core.events import Progress, silent
from picdeed.core.resources import bundled
from picdeed.diffusion.samplers import parse_sampler
from picdeed.diffusion.suited import Suited, suited
from picdeed.flow.basefiles import folder_of
from picdeed.flow.generate import Wish, require_base
from picdeed.flow.init import EMBEDDED
from picdeed.registry import bases, subjects
from picdeed.registry.session import Registry

if TYPE_CHECKING:
    from PIL import Image

    from picdeed.diffusion.inside.views import (
        Attention,
        Channels,
        Denoised,
        Guided,
        Noised,
        Sampled,
    )
    from picdeed.diffusion.models import Base

_NEEDED = ("torch", "diffusers", "transformers", "datasets", "peft", "safetensors")
# One look at a time: hooks on a UNet would see another session's picture too.
_LOOKING = threading.Lock()


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """An embedded base and the words that it learned.

    `id` is the base's, `size` that of its files in bytes, `prediction` what its network says
    (epsilon, v_prediction or sample), `times` how many its schedule has. `grounds` are colours
    behind a thing, `tints` colours of the thing itself; `suited` is how it draws best.
    """

    id: str
    name: str
    sha256: str
    size: int
    prediction: str
    times: int
    things: tuple[str, ...]
    tints: tuple[str, ...]
    grounds: tuple[str, ...]
    places: tuple[str, ...]
    suited: Suited

    def prompt(self, thing: str, *, tint: str = "", behind: str = "") -> str:
        """A caption as it was trained: `blue cat on a beach`, `cat on a blue background`."""
        words = f"{tint} {thing}".strip()
        if behind in self.grounds:
            return f"{words} on {'an' if behind[:1] in 'aeiou' else 'a'} {behind} background"
        return f"{words} {behind}".strip()


def embedded(registry: Registry) -> Vocabulary:
    """The base that comes with picdeed, as its deed tells it.

    Raises MissingPart when this registry has none, its files are gone, or torch is not installed,
    Denied when it was revoked.
    """
    with registry.read() as session:
        row = bases.find(session, EMBEDDED)
        if row is not None:
            require_base(session, row)
    if row is None:
        raise MissingPart(
            "This registry has no embedded base, so there is nothing to look into.",
            hint="picdeed init adds it.",
        )
    folder = folder_of(registry, row)
    files = [path for path in folder.rglob("*") if path.is_file()]
    if folder / "scheduler" / "scheduler_config.json" not in files:
        raise MissingPart(
            f"The files of the base {row.name} are gone from {folder}; nothing was drawn.",
            hint="Install picdeed again from its wheel.",
        )
    _require_parts()
    recipe = _recipe(row.name)
    scheduler = _scheduler(folder)
    colours = tuple(row.deed.get("colours", recipe.get("colours", ())))
    return Vocabulary(
        id=row.id,
        name=row.name,
        sha256=row.sha256,
        size=sum(path.stat().st_size for path in files),
        prediction=str(scheduler.get("prediction_type", "epsilon")),
        times=int(scheduler.get("num_train_timesteps", 1000)),
        things=tuple(row.deed.get("concepts", ())),
        tints=tuple(row.deed.get("tints", colours if recipe["denoiser"].get("tint") else ())),
        grounds=colours,
        places=tuple(row.deed.get("places", recipe.get("places", ()))),
        suited=suited(folder),
    )


def drawn(registry: Registry, base: str, wish: Wish) -> Image.Image:
    """The wish's picture, exactly as `generate` draws its first one."""
    with _opened(registry, base, wish) as (loaded, how):
        return _first(loaded, wish, how)


def noised(
    registry: Registry,
    base: str,
    wish: Wish,
    times: Sequence[int],
    *,
    progress: Progress = silent,
) -> Noised:
    """The wish's picture, noised along the base's schedule with the noise of the same seed."""
    with _opened(registry, base, wish) as (loaded, how):
        from picdeed.diffusion.inside import noising

        picture = _first(loaded, wish, how)
        return noising.noised(loaded, picture, times, seed=wish.seed, progress=progress)


def denoised(registry: Registry, base: str, wish: Wish, *, progress: Progress = silent) -> Denoised:
    """The wish's picture on its way out of static."""
    with _opened(registry, base, wish) as (loaded, how):
        from picdeed.diffusion.inside import denoising

        return denoising.denoised(loaded, wish.prompt, wish.seed, **how, progress=progress)


def guided(
    registry: Registry,
    base: str,
    wish: Wish,
    guidances: Sequence[float],
    *,
    progress: Progress = silent,
) -> tuple[Guided, ...]:
    """The wish's picture under each guidance instead of its own."""
    with _opened(registry, base, wish) as (loaded, how):
        from picdeed.diffusion.inside import comparing

        del how["guidance"]
        return comparing.guided(loaded, wish.prompt, wish.seed, guidances, **how, progress=progress)


def sampled_by(
    registry: Registry,
    base: str,
    wish: Wish,
    samplers: Sequence[str],
    steps: Sequence[int],
    *,
    progress: Progress = silent,
) -> tuple[Sampled, ...]:
    """The wish's picture by each sampler in each number of steps instead of its own.

    Raises UsageError for a sampler that there is not.
    """
    with _opened(registry, base, wish) as (loaded, how):
        from picdeed.diffusion.inside import comparing

        return comparing.sampled_by(
            loaded,
            wish.prompt,
            wish.seed,
            [parse_sampler(name) for name in samplers],
            steps,
            guidance=how["guidance"],
            interval=how["interval"],
            progress=progress,
        )


def attention(
    registry: Registry, base: str, wish: Wish, *, progress: Progress = silent
) -> Attention:
    """Which places of the wish's picture read which of its words."""
    with _opened(registry, base, wish) as (loaded, how):
        from picdeed.diffusion.inside import attention as reading

        return reading.attention(loaded, wish.prompt, wish.seed, **how, progress=progress)


def channels(
    registry: Registry, base: str, wish: Wish, factor: float = 0.0, *, progress: Progress = silent
) -> Channels:
    """The latents of the wish's picture, channel by channel, each multiplied by `factor` alone."""
    with _opened(registry, base, wish) as (loaded, how):
        from picdeed.diffusion.inside import channels as splitting

        return splitting.channels(
            loaded, _first(loaded, wish, how), factor=factor, progress=progress
        )


def _require_parts() -> None:
    missing = next((name for name in _NEEDED if importlib.util.find_spec(name) is None), None)
    if missing is not None:
        raise MissingPart(
            f"Drawing needs {missing}, which is not installed; nothing was drawn.",
            hint="pip install 'picdeed[train]'",
        )


@contextmanager
def _opened(registry: Registry, base: str, wish: Wish) -> Iterator[tuple[Base, dict[str, Any]]]:
    """The base, loaded once, with its own number of threads, and how it is to draw the wish; Denied
    when it was revoked."""
    with registry.read() as session:
        row = subjects.require(session, bases.Base, base)
        require_base(session, row)
    _require_parts()
    from picdeed.diffusion.devices import repeatable, threads_for

    folder = folder_of(registry, row)
    with _LOOKING:
        loaded = _loaded(folder, row.sha256)
        with repeatable(threads_for(loaded.facts.parameters)):
            yield loaded, _how(wish, folder)


@functools.lru_cache(maxsize=1)
def _loaded(folder: Path, sha256: str) -> Base:
    from picdeed.diffusion.models import load_base

    return load_base(folder, expect=sha256)


def _first(base: Base, wish: Wish, how: Mapping[str, Any]) -> Image.Image:
    from picdeed.diffusion.sample import draw

    (picture,) = draw(base, [wish.prompt], [wish.seed], **how)
    return picture


def _how(wish: Wish, folder: Path) -> dict[str, Any]:
    how = wish.settled(folder)
    return {
        "steps": how.steps,
        "guidance": how.guidance,
        "interval": how.interval,
        "sampler": parse_sampler(how.sampler),
    }


def _scheduler(folder: Path) -> Mapping[str, Any]:
    path = folder / "scheduler" / "scheduler_config.json"
    told: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return told


def _recipe(name: str) -> Mapping[str, Any]:
    """The recipe of a base that ships with picdeed: a deed that tells no colours, tints or places
    leaves them to it."""
    path = bundled("configs") / "pretrain" / f"{name}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))
