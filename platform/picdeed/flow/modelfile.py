"""How is a base added that comes as one file of weights? Made a folder, then as any other.

The folder lies in the registry's, named by the file's hash: the same file is converted once.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from picdeed.core.errors import PicdeedError, UsageError
from picdeed.core.ids import sha256_file
from picdeed.flow.basefacts import Person
from picdeed.flow.models import FOLDER, Added, add_model, recording_nothing, require_parts
from picdeed.registry.session import Registry
from picdeed.rights.catalogue import Catalogue

_SHOWN = 12  # characters of a hash in a folder's name
_ELSEWHERE = (
    'python -c "from diffusers import StableDiffusionXLPipeline as P; '
    "P.from_single_file('FILE').save_pretrained('FOLDER')\""
)


def add_file(
    registry: Registry,
    catalogue: Catalogue,
    file: Path,
    *,
    like: Path | None,
    name: str | None = None,
    person: Person | None = None,
) -> Added:
    """Convert a base in one safetensors file, with configs and tokenizers of the folder `like`, and
    add it; the file itself is left alone.

    Raises what `add_model` raises, and UsageError without `like`: a file of weights says neither
    its noise nor its words. Nothing is recorded then, and no folder is left.
    """
    require_parts()
    place = file.expanduser().resolve()
    with recording_nothing():
        if place.suffix != ".safetensors":
            raise UsageError(
                f"{file} is neither a folder nor a safetensors file.",
                hint="Weights are read as safetensors only; other files can run code when loaded.",
            )
        if like is None:
            raise UsageError(
                f"{file} holds weights alone; which noise and which words they know stands in "
                "configs and tokenizers, and picdeed fetches none unasked.",
                hint="picdeed models add FILE --config FOLDER, a folder in diffusers' layout of "
                f"the same family; or, where there is a network, {_ELSEWHERE} (for XL; "
                "StableDiffusionPipeline for 1.x and 2.x), then picdeed models add FOLDER.",
            )
    digest = sha256_file(place)
    out = registry.root / FOLDER / f"{place.stem}-{digest[:_SHOWN]}"
    fresh = not out.is_dir()
    if fresh:
        from picdeed.diffusion.singlefile import convert

        out.parent.mkdir(exist_ok=True)
        with recording_nothing():
            convert(place, like.expanduser().resolve(), out)
    try:
        return add_model(
            registry,
            catalogue,
            out,
            name=name,
            person=person,
            origin={"file": str(place), "sha256": digest},
            called=place.stem,
        )
    except PicdeedError:
        if fresh:
            shutil.rmtree(out)
        raise
