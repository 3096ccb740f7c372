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
from picdeed.diffusion.crops import crop_name
from picdeed.diffusion.data import (
    FITTING,
    Boxes,
    Crops,
    Frame,
    boxes,
    cropped,
    dataset_of,
    frame,
    masks_of,
    mirrored,
    pictures_of,
    require_bytes,
    square,
)
from picdeed.diffusion.latents import embeddings_of, forget, latents_of
from picdeed.diffusion.models import Base
from picdeed.diffusion.plan import Trainee
from picdeed.diffusion.prompts import Prompt
from picdeed.diffusion.runfolder import write_bytes
from picdeed.diffusion.tensors import Tensors, read_safetensors, safetensors_bytes

__all__ = [
    "conditions", "crops_of", "embed", "encode", "fitting_of", "forget", "frames", "keep", "kept",
    "latent_moments", "loss_masks", "mirrors", "names_of", "prompt_embeddings",
]  # fmt: skip

_VERSION = 1


def fitting_of(base: Base, *, buckets: bool) -> Boxes:
    """What pictures are fitted to: the base's square, or rectangles of its area."""
    size = base.facts.size
    return boxes(size, base.family.grain(base)) if buckets else square(size)


def crops_of(
    base: Base, trainees: Sequence[Trainee], folder: Path, *, buckets: bool, count: int
) -> Crops:
    """How each picture is cut into at most `count` crops, where it has more than one; what tells
    it is kept, so that no picture has to be opened for it again."""
    if count == 1:
        return {}
    middles = _middles(base, trainees, folder, buckets=buckets)
    found = {name: cropped(middle, count) for name, middle in middles.items()}
    return {name: crops for name, crops in found.items() if len(crops) > 1}


def names_of(picture: str, crops: Crops | None) -> list[str]:
    """The names of a picture's crops, the middle one's first."""
    count = len(crops[picture]) if crops and picture in crops else 1
    return [crop_name(picture, number) for number in range(count)]


def latent_moments(
    base: Base,
    trainees: Sequence[Trainee],
    folder: Path,
    *,
    flip: bool,
    buckets: bool = False,
    crops: Crops | None = None,
) -> dict[str, torch.Tensor]:
    """Per crop (by name) float32 [views, 2, channels, height, width]: mean and deviation, scaled.

    `views` is 2 with `flip` (a flipped latent is not the latent of the flipped picture), else 1.
    Moments, not samples, are kept: a frozen sample would teach its noise. Crops are encoded
    one at a time, so that a latent does not depend on its neighbours.
    """
    fitting = fitting_of(base, buckets=buckets)
    pictures = [trainee.picture for trainee in trainees]
    paths = moments_at(base, pictures, folder, flip=flip, buckets=buckets, crops=crops)
    found = {name: kept(path).get("moments") for name, path in paths.items()}
    missing = [
        trainee
        for trainee in trainees
        if any(found[name] is None for name in names_of(trainee.picture, crops))
    ]
    for name, picture in pictures_of(dataset_of(missing), fitting, crops):
        if found[name] is not None:
            continue
        views = [picture, picture.flip(-1)] if flip else [picture]
        moments = torch.stack([encode(base, view) for view in views])
        keep(paths[name], {"moments": moments})
        found[name] = moments
    return {name: moments for name, moments in found.items() if moments is not None}


def moments_at(
    base: Base,
    pictures: Iterable[str],
    folder: Path,
    *,
    flip: bool,
    buckets: bool,
    crops: Crops | None = None,
) -> dict[str, Path]:
    """Per crop of pictures (ids) the file that keeps its moments, or would. A crop's is the same
    however many there are beside it."""
    fit = FITTING + fitting_of(base, buckets=buckets).name
    ours = conditions(base) | {"vae": base.facts.parts["vae"], "fit": fit, "flip": flip}
    found: dict[str, Path] = {}
    for picture in pictures:
        for number, name in enumerate(names_of(picture, crops)):
            what: dict[str, Any] = {"picture": picture}
            if crops and number:  # the middle one's key is from before there were others
                what["cut"] = [crops[picture][number].left, crops[picture][number].top]
            found[name] = latents_of(folder, picture) / f"{hash_json(ours | what)}.safetensors"
    return found


def loss_masks(
    base: Base,
    trainees: Sequence[Trainee],
    moments: Mapping[str, torch.Tensor],
    *,
    buckets: bool,
    crops: Crops | None = None,
) -> dict[str, torch.Tensor]:
    """Per crop (by name) float32 [1, height, width] of its latent's size: where its loss counts,
    by how opaque it is there. Made anew each time: reading alpha costs less than reading a cache.
    """
    found: dict[str, torch.Tensor] = {}
    for name, alpha in masks_of(dataset_of(trainees), fitting_of(base, buckets=buckets), crops):
        size = moments[name].shape[-2:]
        found[name] = F.interpolate(alpha[None, None], size=size, mode="area")[0]
    return found


def prompt_embeddings(base: Base, captions: Iterable[str], folder: Path) -> dict[str, Prompt]:
    """Per caption what the network reads instead of it, see `embed`."""
    made: dict[str, Prompt] = {}
    for caption, path in embeddings_at(base, captions, folder).items():
        prompt: Prompt = kept(path)
        if not prompt:
            prompt = embed(base, caption)
            keep(path, dict(prompt))
        made[caption] = prompt
    return made


def embeddings_at(base: Base, captions: Iterable[str], folder: Path) -> dict[str, Path]:
    """Per caption, sorted, the file that keeps its embedding, or would."""
    readers = {part: own for part, own in base.facts.parts.items() if _reads(part)}
    common = conditions(base) | {"family": base.family.name, "readers": readers}
    keys = {caption: hash_json(common | {"caption": caption}) for caption in sorted(set(captions))}
    return {one: embeddings_of(folder) / f"{key}.safetensors" for one, key in keys.items()}


def frames(
    base: Base,
    trainees: Sequence[Trainee],
    folder: Path,
    *,
    buckets: bool = False,
    crops: Crops | None = None,
) -> dict[str, Prompt]:
    """Per crop (by name) what its prompt tells of how the picture was fitted and cut; nothing where
    the base is not told.
    """
    framed = base.family.framed
    if framed is None:
        return {name: {} for one in trainees for name in names_of(one.picture, crops)}
    made: dict[str, Prompt] = {}
    for picture, middle in _middles(base, trainees, folder, buckets=buckets).items():
        every = (crops or {}).get(picture, (middle,))
        made |= {crop_name(picture, number): framed(one) for number, one in enumerate(every)}
    return made


def mirrors(base: Base, crops: Crops) -> dict[str, Prompt]:
    """Per crop beside the middle ones what its prompt tells in a mirror, where the base is told."""
    framed = base.family.framed
    return {
        crop_name(picture, number): framed(mirrored(one))
        for picture, every in crops.items()
        for number, one in enumerate(every)
        if number and framed is not None
    }


def _middles(
    base: Base, trainees: Sequence[Trainee], folder: Path, *, buckets: bool
) -> dict[str, Frame]:
    """Per picture how its middle crop is framed. Kept beside the latents, so that no picture has to
    be opened for it again. Raises IntegrityError and UnreadablePicture where one has to."""
    made: dict[str, Frame] = {}
    fitting = fitting_of(base, buckets=buckets)
    how = {"fit": FITTING + fitting.name, "size": base.facts.size}
    for trainee in trainees:
        key = hash_json({"picture": trainee.picture, **how})
        path = latents_of(folder, trainee.picture) / f"frame-{key}.safetensors"
        numbers = kept(path).get("frame")
        if numbers is None:
            require_bytes(trainee)  # what is kept is told of every later run
            seen = frame(Path(trainee.path), fitting)
            numbers = torch.tensor(
                [seen.height, seen.width, seen.top, seen.left, seen.high, seen.wide]
            )
            keep(path, {"frame": numbers})
        made[trainee.picture] = Frame(*numbers.tolist())
    return made


@torch.no_grad()
def embed(base: Base, caption: str) -> Prompt:
    """float32 tensors on the CPU: what the network reads instead of the caption. Of no caption:
    what it reads where nothing is asked for."""
    said = base.family.encode(base, [caption])
    return {name: tensor[0].float().cpu().contiguous() for name, tensor in said.items()}


@torch.no_grad()
def encode(base: Base, picture: torch.Tensor) -> torch.Tensor:
    """float32 [2, channels, height, width] on the CPU: mean and deviation of a picture
    [3, high, wide] in [-1, 1], scaled as the UNet knows them."""
    known = base.vae.encode(picture[None].to(base.device)).latent_dist
    shift = base.vae.config.shift_factor or 0.0
    scale = base.vae.config.scaling_factor
    return torch.stack([(known.mean[0] - shift) * scale, known.std[0] * scale]).float().cpu()


def conditions(base: Base) -> dict[str, Any]:
    """What every key holds: on what, and with what, something was computed."""
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


def kept(path: Path) -> Tensors:
    """Kept tensors; none when there are none or they are not readable: they are made again."""
    try:
        return read_safetensors(path)[0]
    except UsageError:
        return {}


def keep(path: Path, tensors: Tensors) -> None:
    """Write tensors into a cache's file, all or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, safetensors_bytes(tensors, {}))
