"""What does a pretraining recipe say? One TOML file, read once into frozen values.

The picture part (`packages`, `breadth`, `skip`, each concept's icons) belongs to the source that
draws the pictures; here it is kept only as plain values, so that the recipe's hash covers it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from picdeed.core import ids
from picdeed.core.errors import UsageError
from picdeed.diffusion.suited import SAMPLING, read_sampling

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class TrainingPicture:
    """One registered 128 px RGBA picture. `concept` is empty for autoencoder-only pictures."""

    path: Path
    caption: str
    concept: str
    set: str


@dataclass(frozen=True, slots=True)
class Schedule:
    """Steps and rate of one training. The rate warms up, stays, then falls as a half cosine.

    Only the last `decay` steps depend on `steps`: a longer training has the same beginning. At each
    step in `restarts` the rate begins anew, after it had fallen: a training that was ended, judged
    and taken up again (I. Loshchilov and F. Hutter, arXiv:1608.03983).
    """

    steps: int
    warmup: int
    decay: int
    rate: float
    final: float
    batch: int
    ema: float
    clip: float
    precision: str
    restarts: tuple[int, ...] = ()

    def factor(self, step: int) -> float:
        """Part of `rate` that step `step` (from 0) takes, 0..1."""
        from math import cos, pi

        begun = max((one for one in self.restarts if one <= step), default=0)
        ended = min((one for one in self.restarts if one > step), default=self.steps)
        rising = min(1.0, (step - begun + 1) / max(1, self.warmup))
        gone = max(0.0, (step + 1 - (ended - self.decay)) / max(1, self.decay))
        return rising * (self.final + (1 - self.final) * 0.5 * (1 + cos(pi * min(1.0, gone))))


@dataclass(frozen=True, slots=True)
class AutoencoderPart:
    """The autoencoder: its sizes, its crops and its loss."""

    channels: tuple[int, ...]
    latents: int
    groups: int
    crop: int
    white: float
    palette: float
    flip: float
    permute: float
    ink: float
    gradient: float
    square: float
    kl: float
    noise: float
    schedule: Schedule


@dataclass(frozen=True, slots=True)
class Noise:
    """The forward process and what is predicted, in diffusers' words (`forward.py`).

    `prediction` is epsilon, v_prediction or flow_prediction; `schedule` a beta schedule, which a
    flow has none of; `min_snr` the gamma of the loss weights, 0 for equal weights.
    """

    prediction: str
    schedule: str
    zero_snr: bool
    min_snr: float


@dataclass(frozen=True, slots=True)
class DenoiserPart:
    """UNet and text encoder: sizes, pictures, captions and loss."""

    channels: tuple[int, ...]
    heads: tuple[int, ...]
    groups: int
    width: int
    text_layers: int
    text_heads: int
    tokens: int
    vocabulary: int
    variants: int
    colour: float
    place: float
    tint: float
    turn: float
    shift: float
    smallest: float
    say_white: float
    say_set: float
    say_also: float
    empty: float
    held_out: int
    noise: Noise
    schedule: Schedule


@dataclass(frozen=True, slots=True)
class Recipe:
    """A whole recipe. `digest` is SHA-256 of its canonical JSON; `words` its fixed word list.

    `sampling` says how the base draws best, for its deed. That is found by looking at what was
    trained, so the digest, by which a training knows its recipe, leaves it out.
    """

    name: str
    seed: int
    side: int
    workers: int
    checkpoint_seconds: float
    concepts: tuple[str, ...]
    also: Mapping[str, tuple[str, ...]]
    places: tuple[str, ...]
    sets: tuple[str, ...]
    colours: Mapping[str, tuple[int, int, int]]
    words: tuple[str, ...]
    autoencoder: AutoencoderPart
    denoiser: DenoiserPart
    sampling: Mapping[str, float]
    digest: str
    tables: Mapping[str, Any]


def read(path: Path) -> Recipe:
    """Reads a recipe and its word list. Raises UsageError naming the key that is wrong."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"The recipe {path} cannot be read: {error.strerror}.") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is no TOML: {error}.") from error
    try:
        words = tuple((path.parent / tables["word_list"]).read_text(encoding="utf-8").split())
        return parse(tables, words)
    except KeyError as error:
        raise UsageError(f"{path} lacks the key {error}.") from error
    except OSError as error:
        raise UsageError(f"{path}: its word list cannot be read: {error}.") from error


def parse(tables: Mapping[str, Any], words: tuple[str, ...]) -> Recipe:
    """A recipe from its parsed TOML and its words. Raises KeyError on a missing key."""
    sampling = tables.get(SAMPLING, {})
    read_sampling(sampling)
    trained = {name: table for name, table in tables.items() if name != SAMPLING}
    return Recipe(
        name=tables["name"],
        seed=tables["seed"],
        side=tables["side"],
        workers=tables["workers"],
        checkpoint_seconds=tables["checkpoint_seconds"],
        concepts=tuple(concept["word"] for concept in tables["concepts"]),
        also={c["word"]: tuple(c.get("also", ())) for c in tables["concepts"]},
        places=tuple(tables["places"]),
        sets=tuple(package["set"] for package in tables["packages"]),
        colours={name: _rgb(value) for name, value in tables["colours"].items()},
        words=words,
        autoencoder=_part(AutoencoderPart, tables["autoencoder"]),
        denoiser=_part(DenoiserPart, tables["denoiser"]),
        sampling=sampling,
        digest=ids.hash_json({"recipe": trained, "words": list(words)}),
        tables=tables,
    )


def _part(kind: type[_T], table: Mapping[str, Any]) -> _T:
    known = fields(kind)  # type: ignore[arg-type]
    names = {field.name for field in known}
    optional = {field.name for field in known if field.default is not MISSING}
    unknown = sorted(set(table) - names)
    if unknown:
        raise UsageError(f"The recipe has unknown keys: {', '.join(unknown)}.")
    values: dict[str, Any] = {}
    for name in names - (optional - set(table)):
        value = table[name]
        if isinstance(value, dict):
            value = _part({"schedule": Schedule, "noise": Noise}[name], value)
        values[name] = tuple(value) if isinstance(value, list) else value
    return kind(**values)


def _rgb(value: str) -> tuple[int, int, int]:
    if len(value) != 7 or value[0] != "#":
        raise UsageError(f"{value!r} is no colour such as #ff8800.")
    return int(value[1:3], 16), int(value[3:5], 16), int(value[5:7], 16)
