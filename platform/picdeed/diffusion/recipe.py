"""How shall a fine-tune go? A preset (TOML) plus `--set KEY=VALUE`, checked before anything starts.

No torch in here: the command line refuses a bad key without loading it.
"""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

from picdeed.core.errors import UsageError
from picdeed.core.resources import bundled

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
FEED_FORWARD = ("ff.net.0.proj", "ff.net.2", "proj_in", "proj_out")
CONVOLUTIONS = ("conv1", "conv2", "conv_shortcut")
UNET_TARGETS = frozenset(
    ATTENTION + FEED_FORWARD + CONVOLUTIONS + ("conv_in", "conv_out", "conv", "time_emb_proj")
)
# In transformers in which words and picture attend to each other: the words' side.
JOINT = ("add_q_proj", "add_k_proj", "add_v_proj", "to_add_out")
TARGETS = UNET_TARGETS.union(JOINT, ("ff_context.net.0.proj", "ff_context.net.2", "proj_mlp"))
# Which preset a base gets when nobody names one.
_DEFAULTS = {"sprig": "demo"}


class LrSchedule(StrEnum):
    """How the learning rate moves after the warm-up."""

    COSINE = "cosine"
    CONSTANT = "constant"


class Balance(StrEnum):
    """What is shown equally often: each cluster of copies, or each picture, copies too."""

    CLUSTER = "cluster"
    PICTURE = "picture"


class Keep(StrEnum):
    """Which weights become the adapter: the last step's, or the checkpoint's that did best."""

    LAST = "last"
    BEST = "best"


MOST_SAMPLES = 8
MOST_PRIOR = 16
_Prompt = Annotated[str, Field(min_length=1, max_length=300, pattern=r"\S")]


class Precision(StrEnum):
    """In which numbers the base computes; the adapter's own weights are always fp32."""

    FP32 = "fp32"
    BF16 = "bf16"


class Quantize(StrEnum):
    """In how many bits the network's frozen weights are kept while an adapter learns."""

    NONE = "none"
    INT8 = "int8"
    NF4 = "nf4"


class Compile(StrEnum):
    """Whether torch writes kernels of its own for the blocks that a network repeats."""

    OFF = "off"
    BLOCKS = "blocks"


class Init(StrEnum):
    """How the first of an adapter's two matrices begins; the second is nothing, so that a fresh
    adapter changes nothing. Those of peft that take the base's weights apart stay out: switched
    off, such an adapter does not leave the base as it was."""

    KAIMING = "kaiming"
    GAUSSIAN = "gaussian"


class Optimizer(StrEnum):
    """What moves the weights; `optimisers` builds it and says which need a library more."""

    ADAMW = "adamw"
    MUON = "muon"
    ADAFACTOR = "adafactor"
    PRODIGY = "prodigy"
    SCHEDULE_FREE = "schedule-free"
    ADAMW_8BIT = "adamw-8bit"


# A recipe from before there was one of these keeps the digest that its runs are known by: at its
# default it is left out.
_LATER: Mapping[str, Any] = {
    "balance": Balance.CLUSTER,
    "keep": Keep.LAST,
    "eval_share": 0.05,
    "samples": (),
    "ranks": {},
    "rslora": False,
    "dora": False,
    "init": Init.KAIMING,
    "micro_batch": None,
    "processes": 1,
    "precision": Precision.FP32,
    "optimizer": Optimizer.ADAMW,
    "rate_ratio": 1.0,
    "ema": None,
    "buckets": False,
    "mask_alpha": False,
    "gradient_checkpointing": False,
    "quantize": Quantize.NONE,
    "prior": (),
    "prior_pictures": 16,
    "prior_weight": 1.0,
    "text_rank": 0,
    "text_rate": 1.0,
    "crops": 1,
    "compile": Compile.OFF,
}


class Recipe(BaseModel):
    """Every knob of a fine-tune; equal recipes, seeds, members and threads give equal bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, allow_inf_nan=False)

    rank: int = Field(8, ge=1, le=512)
    alpha: float = Field(8.0, gt=0)
    targets: tuple[str, ...] = Field(ATTENTION, min_length=1)
    ranks: Mapping[str, int] = Field(default_factory=dict)
    rslora: bool = False
    dora: bool = False
    text_rank: int = Field(0, ge=0, le=512)
    init: Init = Init.KAIMING
    steps: int = Field(200, ge=0, le=1_000_000)
    batch: int = Field(4, ge=1, le=4096)
    micro_batch: int | None = Field(None, ge=1, le=4096)
    processes: int = Field(1, ge=1, le=64)
    precision: Precision = Precision.FP32
    gradient_checkpointing: bool = False
    quantize: Quantize = Quantize.NONE
    compile: Compile = Compile.OFF
    optimizer: Optimizer = Optimizer.ADAMW
    learning_rate: float = Field(1e-3, gt=0)
    rate_ratio: float = Field(1.0, gt=0, le=1000)
    text_rate: float = Field(1.0, gt=0, le=1000)
    ema: float | None = Field(None, gt=0, lt=1)
    schedule: LrSchedule = LrSchedule.COSINE
    warmup_steps: int = Field(10, ge=0)
    final_rate: float = Field(0.1, ge=0, le=1)
    beta1: float = Field(0.9, ge=0, lt=1)
    beta2: float = Field(0.99, ge=0, lt=1)
    weight_decay: float = Field(0.0, ge=0)
    clip_norm: float = Field(1.0, gt=0)
    min_snr_gamma: float | None = Field(None, gt=0)
    caption_dropout: float = Field(0.1, ge=0, le=1)
    caption_prefix: str = Field("", max_length=200)
    caption_suffix: str = Field("", max_length=200)
    flip: bool = False
    buckets: bool = False
    crops: int = Field(1, ge=1, le=16)
    mask_alpha: bool = False
    balance: Balance = Balance.CLUSTER
    prior: Annotated[tuple[_Prompt, ...], Field(max_length=MOST_PRIOR)] = ()
    prior_pictures: int = Field(16, ge=1, le=1000)
    prior_weight: float = Field(1.0, gt=0, le=100)
    hold_out: float = Field(0.17, ge=0, le=0.5)
    eval_timesteps: int = Field(8, ge=8, le=100)
    eval_noises: int = Field(2, ge=1, le=16)
    eval_share: float = Field(0.05, ge=0, le=10)
    keep: Keep = Keep.LAST
    samples: (
        Annotated[int, Field(ge=0, le=MOST_SAMPLES)]
        | Annotated[tuple[_Prompt, ...], Field(max_length=MOST_SAMPLES)]
    ) = ()

    @model_serializer(mode="wrap")
    def _dumped(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        value: dict[str, Any] = handler(self)
        for name, default in _LATER.items():
            if getattr(self, name) == default:
                value.pop(name, None)
        return value

    def rate(self, step: int) -> float:
        """Learning rate of `step` (from 0): linear warm-up, then as the schedule says."""
        if step < self.warmup_steps:
            return self.learning_rate * (step + 1) / (self.warmup_steps + 1)
        if self.schedule is LrSchedule.CONSTANT:
            return self.learning_rate
        done = (step - self.warmup_steps) / max(1, self.steps - self.warmup_steps)
        wave = 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
        return self.learning_rate * (self.final_rate + (1 - self.final_rate) * wave)

    def rank_at(self, layer: str) -> int:
        """The rank of the layer of this name (as `down_blocks.1.attentions.0...to_q`): that of the
        first key of `ranks` that it begins with or that its blocks hold, else `rank`."""
        path = f".{layer}."
        return next((n for key, n in self.ranks.items() if f".{key}." in path), self.rank)

    @property
    def text_alpha(self) -> float:
        """Of the text encoders' part: its strength is the network's."""
        return self.alpha * self.text_rank / self.rank

    @property
    def parts_of(self) -> int:
        """How many pictures of a batch are computed at once."""
        return min(self.micro_batch or self.batch, self.batch)

    @property
    def checkpoint_every(self) -> int:
        """Steps between checkpoints: at least every tenth of the run."""
        return max(1, self.steps // 10)


def default_preset(base: str) -> str:
    """The preset for a base by name: its own where there is one, else `style`."""
    return _DEFAULTS.get(base, "style")


def presets() -> tuple[str, ...]:
    """Names of the presets that ship with picdeed."""
    return tuple(sorted(path.stem for path in (bundled("configs") / "train").glob("*.toml")))


def load_recipe(preset: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """A preset by name or file, changed by `KEY=VALUE` overrides.

    Raises UsageError on an unknown preset, key or value, naming it; nothing has started then.
    """
    path = _preset_path(preset)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"The preset {path} cannot be read: {error}.") from error
    for text in overrides:
        key, value = _override(text)
        values[key] = value
    return recipe_from(values, where=str(preset))


def recipe_from(values: dict[str, Any], *, where: str = "recipe") -> Recipe:
    """A checked recipe from plain values, such as the `recipe` of a plan."""
    _refuse_unknown(values, where)
    try:
        recipe = Recipe.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise UsageError(
            f"{where}: {key} = {first['input']!r} is refused: {first['msg']}. Nothing was started."
        ) from error
    for refused, why, hint in _contradictions(recipe):
        if refused:
            raise UsageError(f"{where}: {why}. Nothing was started.", hint=f"Choose {hint}.")
    for target in recipe.targets:
        if target not in TARGETS:
            raise UsageError(
                f"{where}: {target!r} is no layer that can be adapted.",
                hint=f"Choose from {', '.join(sorted(TARGETS))}.",
            )
    return recipe


def _contradictions(recipe: Recipe) -> Iterator[tuple[bool, str, str]]:
    """Whether, why, and what else to choose."""
    best = recipe.keep is Keep.BEST and recipe.hold_out == 0
    what = "keep = 'best' needs pictures that are held out"
    yield best, what, "--set hold_out=0.17, or --set keep=last"
    twice = recipe.ema is not None and recipe.optimizer is Optimizer.SCHEDULE_FREE
    yield twice, "schedule-free averages the weights itself; ema would do so again", "one of them"
    unheard = recipe.text_rate != 1 and not recipe.text_rank
    what = "text_rate is for text encoders that learn, and text_rank = 0 leaves them as they are"
    yield unheard, what, "--set text_rank=8, or no text_rate"
    one = recipe.optimizer is Optimizer.PRODIGY and (recipe.rate_ratio, recipe.text_rate) != (1, 1)
    yield one, "prodigy finds one rate for all weights", "rate_ratio = 1 and text_rate = 1"
    what = "diffusers loses the magnitudes when it loads an encoder's DoRA"
    yield recipe.dora and recipe.text_rank > 0, what, "dora = false, or text_rank = 0"
    what = "dora would take its magnitudes from the quantised weights, and is drawn on others"
    other = recipe.dora and recipe.quantize is not Quantize.NONE
    yield other, what, "dora = false, or quantize = 'none'"
    what = "what unpacks quantised weights is not compiled"
    both = recipe.compile is not Compile.OFF and recipe.quantize is not Quantize.NONE
    yield both, what, "compile = 'off', or quantize = 'none'"
    idle = recipe.processes > recipe.batch
    what = f"{recipe.processes} processes cannot share a batch of {recipe.batch}"
    yield idle, what, "a larger batch or fewer processes"
    twice = len(set(recipe.prior)) < len(recipe.prior)
    what = "prior names a prompt twice"
    yield twice, what, "each once; prior_pictures says how many are drawn of each"
    how = ("prior_pictures", "prior_weight")
    alone = not recipe.prior and any(getattr(recipe, name) != _LATER[name] for name in how)
    what = "prior_pictures and prior_weight say how prior is used, and prior names no prompt"
    yield alone, what, """--set 'prior=["a picture of a cat"]', or neither"""


def _preset_path(preset: str | Path) -> Path:
    text = str(preset)
    if isinstance(preset, Path) or text.endswith(".toml") or "/" in text:
        path = Path(preset)
        if not path.is_file():
            raise UsageError(f"There is no preset file {path}.")
        return path
    if text not in presets():
        raise UsageError(
            f"There is no preset {text!r}.", hint=f"Choose from {', '.join(presets())}."
        )
    return bundled("configs") / "train" / f"{text}.toml"


def _override(text: str) -> tuple[str, Any]:
    key, equals, raw = text.partition("=")
    key = key.strip().replace("-", "_")
    if not equals or not key:
        raise UsageError(f"--set {text!r} is not KEY=VALUE.", hint="For example --set steps=100.")
    try:
        return key, tomllib.loads(f"value = {raw.strip()}")["value"]
    except tomllib.TOMLDecodeError:
        return key, raw.strip()  # a bare word is a string; the model refuses it where it is wrong


def _refuse_unknown(values: dict[str, Any], where: str) -> None:
    known = Recipe.model_fields
    for key in values:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known)}."
            raise UsageError(f"{where}: there is no knob {key!r}. Nothing was started.", hint=hint)
