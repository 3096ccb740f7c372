"""What moves an adapter's weights, and how is its memory kept without pickle?

The rate of every step is the recipe's (`improve` in train.py sets it); each group of weights takes
its multiple of it, `scale`. Libraries that picdeed does not bring are imported when asked for.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from picdeed.core.errors import UsageError
from picdeed.diffusion.lora import TEXT
from picdeed.diffusion.muon import Muon
from picdeed.diffusion.recipe import Optimizer, Recipe
from picdeed.diffusion.tensors import Tensors

# The package, which is also what pip installs, and its class.
_ELSEWHERE: Mapping[Optimizer, tuple[str, str]] = {
    Optimizer.PRODIGY: ("prodigyopt", "Prodigy"),
    Optimizer.SCHEDULE_FREE: ("schedulefree", "AdamWScheduleFree"),
    Optimizer.ADAMW_8BIT: ("bitsandbytes", "optim.AdamW8bit"),
}
_SECOND = ".lora_B."
_STATE, _ABOUT = "optimizer.", "optimizer"
Named = Sequence[tuple[str, torch.nn.Parameter]]


def build(recipe: Recipe, named: Named) -> torch.optim.Optimizer:
    """The recipe's optimiser for these weights (name, parameter).

    Raises UsageError naming the library that is missing.
    """
    made = _alone(recipe, named)
    return made if recipe.ema is None else Averaged(made, recipe.ema)


def _alone(recipe: Recipe, named: Named) -> torch.optim.Optimizer:
    groups = _groups(recipe, named)
    rate, decay = recipe.learning_rate, recipe.weight_decay
    betas = (recipe.beta1, recipe.beta2)
    match recipe.optimizer:
        case Optimizer.ADAMW:
            return torch.optim.AdamW(groups, betas=betas, weight_decay=decay, fused=True)
        case Optimizer.MUON:
            return Muon(groups, lr=rate, momentum=0.95, half=False)
        case Optimizer.ADAFACTOR:
            return torch.optim.Adafactor(groups, lr=rate, weight_decay=decay)
        case _:
            # Prodigy finds its rate; the recipe's is a multiple of it, 1 for its authors.
            kind = _library(recipe.optimizer)
            made: torch.optim.Optimizer = kind(groups, lr=rate, betas=betas, weight_decay=decay)
            return made


def require_library(recipe: Recipe) -> None:
    """Raise UsageError naming the library that the recipe's optimiser needs and that is missing."""
    if recipe.optimizer in _ELSEWHERE:
        _library(recipe.optimizer)


def packages(recipe: Recipe) -> tuple[str, ...]:
    """What pip has to have installed for the recipe's optimiser, beside what picdeed brings."""
    return tuple(_ELSEWHERE[one][0] for one in (recipe.optimizer,) if one in _ELSEWHERE)


def settled(optimizer: torch.optim.Optimizer, *, training: bool) -> None:
    """Where weights are two, those that learn and their mean, which is the result: which are on the
    model. Every other optimiser has one kind.
    """
    switch = getattr(optimizer, "train" if training else "eval", None)
    if switch is not None:
        switch()


def state_tensors(optimizer: torch.optim.Optimizer) -> tuple[Tensors, dict[str, str]]:
    """Everything the optimiser remembers: tensors by name, and what is no tensor as JSON."""
    whole = optimizer.state_dict()
    tensors: Tensors = {}
    rest: dict[str, Any] = {}
    for index, state in whole["state"].items():
        for key, value in _flat(state):
            if isinstance(value, torch.Tensor):
                tensors[f"{_STATE}{index}.{key}"] = value
            else:
                rest[f"{index}.{key}"] = value
    groups = [
        {key: value for key, value in group.items() if key != "params"}
        for group in whole["param_groups"]
    ]
    return tensors, {_ABOUT: json.dumps({"state": rest, "groups": groups}, sort_keys=True)}


def fill(
    optimizer: torch.optim.Optimizer,
    tensors: Mapping[str, torch.Tensor],
    metadata: Mapping[str, str],
) -> None:
    """Put back what `state_tensors` gave. Raises ValueError or KeyError on another optimiser's."""
    about = json.loads(metadata[_ABOUT])
    state: dict[int, dict[str, Any]] = {}
    for name, tensor in tensors.items():
        if name.startswith(_STATE):
            _put(state, name.removeprefix(_STATE), tensor)
    for name, value in about["state"].items():
        _put(state, name, value)
    groups = optimizer.state_dict()["param_groups"]
    for group, kept in zip(groups, about["groups"], strict=True):
        group.update({k: tuple(v) if isinstance(v, list) else v for k, v in kept.items()})
    optimizer.load_state_dict({"state": state, "param_groups": groups})


class Averaged(torch.optim.Optimizer):
    """An optimiser whose result is the moving average of the weights that it moves.

    The average follows more closely in the first steps: min(decay, (1 + n) / (10 + n)) of it stays
    in the n-th. `eval` puts it on the model, `train` the weights that learn, to the bit.
    """

    def __init__(self, inner: torch.optim.Optimizer, decay: float) -> None:
        self._inner, self._decay, self._count = inner, decay, 0
        self._away = [weight.detach().clone() for weight in self._weights()]
        self._shown = False
        super().__init__(inner.param_groups, {})
        # The same groups, not copies: their rate is set from outside.
        self.param_groups = inner.param_groups

    def step(self) -> None:  # type: ignore[override]
        """One step of the optimiser inside, then the average moves after it."""
        self._inner.step()
        self._count += 1
        stays = min(self._decay, (1 + self._count) / (10 + self._count))
        with torch.no_grad():
            for mean, weight in zip(self._away, self._weights(), strict=True):
                mean.lerp_(weight, 1 - stays)

    def train(self) -> None:
        """Puts the weights that learn on the model."""
        self._show(average=False)

    def eval(self) -> None:
        """Puts the average on the model."""
        self._show(average=True)

    def state_dict(self) -> dict[str, Any]:
        """That of the optimiser inside, with `average` beside each weight's own."""
        whole = self._inner.state_dict()
        # Copies: torch hands out what the optimiser itself remembers.
        states = {index: dict(own) for index, own in whole["state"].items()}
        for index, mean in enumerate(self._away):
            states.setdefault(index, {})["average"] = mean
        whole["state"] = states
        whole["param_groups"][0]["averaged"] = self._count
        return whole

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes back what `state_dict` gave. Raises KeyError on that of another optimiser."""
        states = {index: dict(own) for index, own in state_dict["state"].items()}
        found = [states[index].pop("average") for index in range(len(self._away))]
        groups = [dict(group) for group in state_dict["param_groups"]]
        self._count = groups[0].pop("averaged")
        self._inner.load_state_dict(
            {
                "state": {index: own for index, own in states.items() if own},
                "param_groups": groups,
            }
        )
        self.param_groups = self._inner.param_groups
        for mean, kept in zip(self._away, found, strict=True):
            mean.copy_(kept)

    def _weights(self) -> list[torch.nn.Parameter]:
        return [weight for group in self._inner.param_groups for weight in group["params"]]

    @torch.no_grad()
    def _show(self, *, average: bool) -> None:
        if average == self._shown:
            return
        for away, weight in zip(self._away, self._weights(), strict=True):
            held = weight.clone()
            weight.copy_(away)
            away.copy_(held)
        self._shown = average


def _flat(state: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """(key, value) with a mapping inside as `key/inner`: so bitsandbytes keeps its 8-bit parts."""
    for key, value in state.items():
        if isinstance(value, dict):
            yield from ((f"{key}/{inner}", one) for inner, one in value.items())
        else:
            yield key, value


def _put(state: dict[int, dict[str, Any]], name: str, value: Any) -> None:
    index, _, key = name.partition(".")
    key, slash, inner = key.partition("/")
    own = state.setdefault(int(index), {})
    if slash:
        own.setdefault(key, {})[inner] = value
    else:
        own[key] = value


def _groups(recipe: Recipe, named: Named) -> list[dict[str, Any]]:
    """LoRA+ (Hayou et al. 2024, arXiv 2402.12354): the second matrix has a rate of its own. So have
    text encoders."""
    by_scale: dict[float, list[torch.nn.Parameter]] = {1.0: []}
    for name, weight in named:
        scale = recipe.rate_ratio if _SECOND in name else 1.0
        if name.startswith(TEXT):
            scale *= recipe.text_rate
        by_scale.setdefault(scale, []).append(weight)
    return [{"params": some, "scale": scale} for scale, some in by_scale.items() if some]


def _library(which: Optimizer) -> Any:
    package, kind = _ELSEWHERE[which]
    try:
        found: Any = importlib.import_module(package)
    except ImportError as error:
        raise UsageError(
            f"The optimizer {which} needs the package {package}; nothing was trained.",
            hint=f"pip install {package}, or --set optimizer=adamw.",
        ) from error
    for part in kind.split("."):
        found = getattr(found, part)
    return found
