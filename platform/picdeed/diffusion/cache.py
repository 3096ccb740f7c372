"""What is computed once and kept: latent moments of pictures and embeddings of captions?

Keys cover content only (the picture's bytes, how it was fitted, the encoder's weights, versions
and threads), never names or times, so that an edited picture or another base cannot be answered
with an old latent. Pictures have folders of their own: erasing one is removing its folder.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import PIL
import torch
import torch.nn.functional as F

from picdeed.core.errors import UsageError
from picdeed.core.ids import hash_json
from picdeed.diffusion.data import (
    FITTING,
    Boxes,
    Frame,
    boxes,
    dataset_of,
    frame,
    masks_of,
    pictures_of,
    square,
)
from picdeed.diffusion.latents import embeddings_of, forget, latents_of
from picdeed.diffusion.models import Base
from picdeed.diffusion.plan import Trainee
from picdeed.diffusion.prompts import Prompt
from picdeed.diffusion.runfolder import write_bytes
from picdeed.diffusion.tensors import Tensors, read_safetensors, safetensors_bytes

__all__ = [
    "embed", "encode", "fitting_of", "forget", "frames", "latent_moments", "loss_masks",
    "prompt_embeddings",
]  # fmt: skip

_VERSION = 1


def fitting_of(base: Base, *, buckets: bool) -> Boxes:
    """What pictures are fitted to: the base's square, or rectangles of its area."""
    size = base.facts.size
    return boxes(size, base.family.grain(base)) if buckets else square(size)


def latent_moments(
    base: Base, trainees: Sequence[Trainee], folder: Path, *, flip: bool, buckets: bool = False
) -> dict[str, torch.Tensor]:
    """Per picture float32 [views, 2, channels, height, width]: mean and deviation, scaled.

    `views` is 2 with `flip` (a flipped latent is not the latent of the flipped picture), else 1.
    Moments, not samples, are kept: a frozen sample would teach its noise. Pictures are encoded
    one at a time, so that a latent does not depend on its neighbours.
    """
    fitting = fitting_of(base, buckets=buckets)
    names = [trainee.picture for trainee in trainees]
    paths = moments_at(base, names, folder, flip=flip, buckets=buckets)
    found = {name: _read(path).get("moments") for name, path in paths.items()}
    missing = [trainee for trainee in trainees if found[trainee.picture] is None]
    for name, picture in pictures_of(dataset_of(missing), fitting):
        views = [picture, picture.flip(-1)] if flip else [picture]
        moments = torch.stack([encode(base, view) for view in views])
        _write(paths[name], {"moments": moments})
        found[name] = moments
    return {name: moments for name, moments in found.items() if moments is not None}


def moments_at(
    base: Base, pictures: Iterable[str], folder: Path, *, flip: bool, buckets: bool
) -> dict[str, Path]:
    """Per picture (an id) the file that keeps its moments, or would."""
    fit = FITTING + fitting_of(base, buckets=buckets).name
    ours = _common(base) | {"vae": base.facts.parts["vae"], "fit": fit, "flip": flip}
    keys = {picture: hash_json(ours | {"picture": picture}) for picture in pictures}
    return {name: latents_of(folder, name) / f"{key}.safetensors" for name, key in keys.items()}


def loss_masks(
    base: Base, trainees: Sequence[Trainee], moments: Mapping[str, torch.Tensor], *, buckets: bool
) -> dict[str, torch.Tensor]:
    """Per picture float32 [1, height, width] of its latent's size: where its loss counts, by how
    opaque it is there. Made anew each time: reading alpha costs less than reading a cache.
    """
    found: dict[str, torch.Tensor] = {}
    for name, alpha in masks_of(dataset_of(trainees), fitting_of(base, buckets=buckets)):
        size = moments[name].shape[-2:]
        found[name] = F.interpolate(alpha[None, None], size=size, mode="area")[0]
    return found


def prompt_embeddings(base: Base, captions: Iterable[str], folder: Path) -> dict[str, Prompt]:
    """Per caption what the network reads instead of it, see `embed`."""
    made: dict[str, Prompt] = {}
    for caption, path in embeddings_at(base, captions, folder).items():
        prompt: Prompt = _read(path)
        if not prompt:
            prompt = embed(base, caption)
            _write(path, dict(prompt))
        made[caption] = prompt
    return made


def embeddings_at(base: Base, captions: Iterable[str], folder: Path) -> dict[str, Path]:
    """Per caption, sorted, the file that keeps its embedding, or would."""
    readers = {part: own for part, own in base.facts.parts.items() if _reads(part)}
    common = _common(base) | {"family": base.family.name, "readers": readers}
    keys = {caption: hash_json(common | {"caption": caption}) for caption in sorted(set(captions))}
    return {one: embeddings_of(folder) / f"{key}.safetensors" for one, key in keys.items()}


def frames(
    base: Base, trainees: Sequence[Trainee], folder: Path, *, buckets: bool = False
) -> dict[str, Prompt]:
    """Per picture what its prompt tells of how it was fitted; nothing where the base is not told.

    Kept beside the latents, so that no picture has to be opened for it again.
    """
    if base.family.framed is None:
        return {trainee.picture: {} for trainee in trainees}
    made: dict[str, Prompt] = {}
    fitting = fitting_of(base, buckets=buckets)
    how = {"fit": FITTING + fitting.name, "size": base.facts.size}
    for trainee in trainees:
        key = hash_json({"picture": trainee.picture, **how})
        path = latents_of(folder, trainee.picture) / f"frame-{key}.safetensors"
        kept = _read(path).get("frame")
        if kept is None:
            seen = frame(Path(trainee.path), fitting)
            kept = torch.tensor(
                [seen.height, seen.width, seen.top, seen.left, seen.high, seen.wide]
            )
            _write(path, {"frame": kept})
        made[trainee.picture] = base.family.framed(Frame(*kept.tolist()))
    return made


@torch.no_grad()
def embed(base: Base, caption: str) -> Prompt:
    """float32 tensors on the CPU: what the network reads instead of the caption. Of no caption:
    what it reads where nothing is asked for."""
    said = base.family.encode(base, caption)
    return {name: tensor.float().cpu().contiguous() for name, tensor in said.items()}


@torch.no_grad()
def encode(base: Base, picture: torch.Tensor) -> torch.Tensor:
    """float32 [2, channels, height, width] on the CPU: mean and deviation of a picture
    [3, high, wide] in [-1, 1], scaled as the UNet knows them."""
    known = base.vae.encode(picture[None].to(base.device)).latent_dist
    shift = base.vae.config.shift_factor or 0.0
    scale = base.vae.config.scaling_factor
    return torch.stack([(known.mean[0] - shift) * scale, known.std[0] * scale]).float().cpu()


def _common(base: Base) -> dict[str, Any]:
    return {
        "version": _VERSION,
        "size": base.facts.size,
        "torch": torch.__version__,
        "pillow": PIL.__version__,
        "device": base.device.type,
        "threads": torch.get_num_threads(),
    }


def _reads(part: str) -> bool:
    """Whether what a caption becomes depends on a part: on encoders and tokenizers, and on the
    pipeline's settings."""
    return part.startswith(("text_encoder", "tokenizer")) or part == "pipeline"


def _read(path: Path) -> Tensors:
    """Kept tensors; none when there are none or they are not readable: they are made again."""
    try:
        return read_safetensors(path)[0]
    except UsageError:
        return {}


def _write(path: Path, tensors: Tensors) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, safetensors_bytes(tensors, {}))
