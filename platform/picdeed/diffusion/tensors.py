"""How are tensors named by their content, written to the same bytes and read without trust?"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from picdeed.core.errors import UsageError
from picdeed.core.ids import hash_json, sha256

Tensors = dict[str, torch.Tensor]
_ALIGNMENT = 8


def tensors_hash(tensors: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 over every tensor's name, type, shape and bytes, 64 hex digits."""
    return hash_json(
        [
            [name, str(tensor.dtype), list(tensor.shape), sha256(_bytes(tensor))]
            for name, tensor in sorted(tensors.items())
        ]
    )


def safetensors_bytes(tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> bytes:
    """A safetensors file; equal tensors and metadata give equal bytes.

    The library writes metadata in an order that differs from process to process, so its header
    is written again here with sorted keys. Offsets count from the header's end and stay valid.
    """
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in sorted(tensors.items())}
    data: bytes = save(plain, metadata=dict(metadata))
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header["__metadata__"] = dict(sorted(header.get("__metadata__", {}).items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return struct.pack("<Q", len(text)) + text + data[8 + length :]


def read_safetensors(path: Path) -> tuple[Tensors, dict[str, str]]:
    """All tensors and the metadata of a safetensors file.

    Raises UsageError naming the file when it is missing, is no safetensors file, or holds a
    value that is not finite.
    """
    try:
        with safe_open(path, framework="pt") as stream:
            tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118 - not a dict
            metadata = stream.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise UsageError(f"{path} cannot be read as safetensors: {error}.") from error
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise UsageError(f"{path} holds NaN or infinite weights in {name}.")
    return tensors, metadata


def tensors_in_turn(path: Path) -> Iterator[tuple[str, torch.Tensor]]:
    """Name and tensor, each read when it is its turn. Raises UsageError when it cannot be read."""
    try:
        with safe_open(path, framework="pt") as stream:
            for name in stream.keys():  # noqa: SIM118 - not a dict
                yield name, stream.get_tensor(name)
    except (OSError, SafetensorError) as error:
        raise UsageError(f"{path} cannot be read as safetensors: {error}.") from error


def shapes_in(path: Path) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor of a safetensors file, from its header: no weight is read.

    Raises UsageError naming the file like `read_safetensors`.
    """
    try:
        with safe_open(path, framework="pt") as stream:
            return {name: tuple(stream.get_slice(name).get_shape()) for name in stream.keys()}  # noqa: SIM118 - not a dict
    except (OSError, SafetensorError) as error:
        raise UsageError(f"{path} cannot be read as safetensors: {error}.") from error


def _bytes(tensor: torch.Tensor) -> bytes:
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    # numpy knows no bfloat16 and no fp8: their bytes are taken, not their values
    data: bytes = flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""
    return data
