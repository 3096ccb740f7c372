"""How are a base's frozen weights kept in 8 or 4 bits while an adapter learns on them?

The network's Linear weights inside its blocks: in 4 bits as QLoRA has it (Dettmers et al. 2023,
arXiv 2305.14314: NormalFloat, blocks of 64, their scales in 8 bits), in 8 with a scale for each row
(Dettmers et al. 2022, arXiv 2208.07339). bitsandbytes, which picdeed does not bring, packs and
unpacks them. One layer at a time is made whole to be computed with, forward and back, and torch
multiplies: in fp32 or bf16 as the recipe says, on every device alike. That library's own layers
round what enters them too, or compute in other numbers where no gradient is asked for: training and
evidence would have two bases.

What leads into the blocks and out of them stays as it is: it weighs little, and all hangs on it.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F

from picdeed.core.errors import UsageError
from picdeed.diffusion.families.family import Part
from picdeed.diffusion.modelfiles import each_tensor, read_json
from picdeed.diffusion.recipe import Quantize

if TYPE_CHECKING:
    from picdeed.diffusion.models import Base

_PACKAGE = "bitsandbytes"
_BLOCKS = (
    "down_blocks.", "mid_block.", "up_blocks.", "transformer_blocks.", "single_transformer_blocks.",
)  # fmt: skip
_BLOCK, _SCALES = 64, 256
_FP32 = 4
# A layer that loses more of itself is not the one that was recorded. Usual are 1 % in 8 bits and
# 9 % in 4; kernels that unpack wrongly, as some do, come to 20 % and more.
_MOST_LOST = {Quantize.INT8: 0.05, Quantize.NF4: 0.2}


def packages(how: Quantize) -> tuple[str, ...]:
    """What pip has to have installed for it."""
    return () if how is Quantize.NONE else (_PACKAGE,)


def told(base: Base) -> dict[str, str]:
    """For a document about what was computed with it: nothing of a base that is whole."""
    return {} if base.quantize is Quantize.NONE else {"quantize": str(base.quantize)}


def require(how: Quantize, device: torch.device) -> None:
    """Raise UsageError where the library is missing, or cannot do it on this device.

    It is tried, on a small matrix: which kernels there are depends on machine and version.
    """
    if how is Quantize.NONE:
        return
    _library(how)
    matrix = torch.linspace(-1, 1, 64 * 96, device=device).sin().reshape(64, 96)
    try:
        Quantised(matrix, None, how, "a trial")
    except (RuntimeError, AttributeError, TypeError, ValueError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise UsageError(
            f"{_PACKAGE} {metadata.version(_PACKAGE)} cannot keep weights in {how} on this "
            f"{device.type}: {said}; nothing was trained.",
            hint=f"pip install --upgrade {_PACKAGE}, or --set quantize=none.",
        ) from error


def why_not(how: Quantize, device: torch.device) -> str | None:
    """Why weights cannot be kept so on this device; None where they can."""
    try:
        require(how, device)
    except UsageError as error:
        return error.message
    return None


def is_packed(name: str, shape: Sequence[int]) -> bool:
    """Whether this tensor of a network is kept in fewer bits: a Linear weight inside its blocks
    that comes to whole blocks of 64 numbers, as all do but a toy's."""
    inside = name.startswith(_BLOCKS) and name.endswith(".weight")
    return inside and len(shape) == 2 and math.prod(shape) % _BLOCK == 0


def bytes_of(name: str, shape: Sequence[int], how: Quantize) -> int:
    """What a network's tensor takes in memory, but for tables of 1 kB a layer."""
    count = math.prod(shape)
    if how is Quantize.NONE or not is_packed(name, shape):
        return count * _FP32
    if how is Quantize.INT8:
        return count + shape[0] * _FP32
    blocks = count // _BLOCK
    return count // 2 + blocks + math.ceil(blocks / _SCALES) * _FP32


class Quantised(torch.nn.Linear):
    """A Linear layer with a frozen weight in 8 or 4 bits; `weight` are the packed numbers.

    It stays on the device of the weight [out, in] that it was made of. Peft takes it for the Linear
    that it is: its own matrices beside it are fp32. Raises UsageError naming `name` where too much
    of the weight would be lost.
    """

    def __init__(
        self, weight: torch.Tensor, bias: torch.nn.Parameter | None, how: Quantize, name: str
    ) -> None:
        out, taken = weight.shape
        super().__init__(taken, out, bias=False, device="meta")
        packed, self._scales = _packed(weight.float(), how)
        self.weight = torch.nn.Parameter(packed, requires_grad=False)
        self.register_parameter("bias", bias)
        self._how = how
        lost = float((self.whole() - weight).norm() / weight.norm().clamp(min=1e-12))
        if not lost <= _MOST_LOST[how]:  # also where it is no number
            other = Quantize.INT8 if how is Quantize.NF4 else Quantize.NONE
            raise UsageError(
                f"Kept in {how}, {name} would lose {lost:.0%} of itself; nothing was trained.",
                hint=f"--set quantize={other}, or another version of {_PACKAGE}.",
            )

    def whole(self) -> torch.Tensor:
        """float32 [out, in], made anew each time."""
        flat = _unpacked(self.weight, self._scales, self._how)
        return flat.reshape(self.out_features, self.in_features)

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 - torch's own name for it
        """[..., in] to [..., out], in the numbers in which any Linear would now compute."""
        product: torch.Tensor = _Product.apply(input, self)  # type: ignore[no-untyped-call]
        return product


class _Product(torch.autograd.Function):
    """The layer's product. Kept for the way back is the layer, not its weight made whole."""

    @staticmethod
    def forward(ctx: Any, input: torch.Tensor, layer: Quantised) -> torch.Tensor:  # type: ignore[override]  # noqa: A002
        ctx.layer = layer
        bias = None if layer.bias is None else layer.bias.to(input.dtype)
        return F.linear(input, layer.whole().to(input.dtype), bias)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:  # type: ignore[override]
        return gradient @ ctx.layer.whole().to(gradient.dtype), None


def read_network(folder: Path, part: Part, how: Quantize, device: torch.device) -> Any:
    """The network in `folder`, whose tensors were checked, on `device`.

    Tensor by tensor, so that nothing has to hold it whole. Raises UsageError like `require`, and
    where a layer would lose too much.
    """
    with torch.device("meta"):
        network: Any = part.kind.from_config(read_json(folder / "config.json", "base"))
    for name, tensor in each_tensor(folder, part.stem, "base"):
        path, _, own = name.rpartition(".")
        owner = network.get_submodule(path)
        if is_packed(name, tensor.shape):
            weight = tensor.to(device, torch.float32)
            network.set_submodule(path, Quantised(weight, owner.bias, how, name))
            continue
        # A copy, or one small tensor would hold the whole mapped file.
        value = tensor.to(device, torch.float32, copy=True)
        if isinstance(getattr(owner, own), torch.nn.Parameter):
            setattr(owner, own, torch.nn.Parameter(value, requires_grad=False))
        else:
            setattr(owner, own, value)
    return network


def _packed(weight: torch.Tensor, how: Quantize) -> tuple[torch.Tensor, Any]:
    """The numbers and their scales, as the library keeps them."""
    library = _library(how)
    if how is Quantize.INT8:
        # Rows of fp16 are what it takes; larger values than fp16's are no weights.
        numbers, scales, _ = library.int8_vectorwise_quant(weight.half())
        return numbers, scales
    # As one row: some of its kernels take the scales of other blocks where rows end inside of one.
    flat = weight.reshape(1, -1)
    numbers, scales = library.quantize_4bit(
        flat, blocksize=_BLOCK, compress_statistics=True, quant_type=str(how)
    )
    return numbers, scales


def _unpacked(numbers: torch.Tensor, scales: Any, how: Quantize) -> torch.Tensor:
    library = _library(how)
    whole = library.int8_vectorwise_dequant if how is Quantize.INT8 else library.dequantize_4bit
    found: torch.Tensor = whole(numbers.data, scales)
    return found


def _library(how: Quantize) -> Any:
    """Its functions. Raises UsageError naming the package where it is missing."""
    try:
        return importlib.import_module(f"{_PACKAGE}.functional")
    except ImportError as error:
        raise UsageError(
            f"quantize = {how} needs the package {_PACKAGE}; nothing was trained.",
            hint=f"pip install {_PACKAGE}, or --set quantize=none.",
        ) from error
