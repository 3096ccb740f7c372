"""Of which family is a base? Told by its `model_index.json`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from picdeed.core.errors import UsageError
from picdeed.diffusion.families.family import Family
from picdeed.diffusion.families.flux import FLUX
from picdeed.diffusion.families.sd import SD
from picdeed.diffusion.families.sd3 import SD3
from picdeed.diffusion.families.sdxl import SDXL

FAMILIES = (SDXL, SD3, FLUX, SD)
"""The last one's parts are among those of the first."""


def family_of(index: Mapping[str, Any], where: Path) -> Family:
    """The family of the pipeline that `index`, read from `where`, names; else the one whose parts
    it lists.

    Raises UsageError naming the first part that is missing or of another class.
    """
    named = index.get("_class_name")
    by_name = [family for family in FAMILIES if named in family.pipelines]
    strays = [list(_strays(index, family)) for family in by_name or FAMILIES]
    for family, astray in zip(by_name or FAMILIES, strays, strict=True):
        if not astray:
            return family
    if by_name:
        raise UsageError(f"{where}: {strays[0][0]}.")
    part = strays[-1][0] if named is None else f"{named} is no pipeline that picdeed knows"
    raise UsageError(
        f"{where}: {part}.",
        hint=f"Known are {', '.join(name for one in FAMILIES for name in one.pipelines)}.",
    )


def parts_in(index: Mapping[str, Any], family: Family) -> tuple[str, ...]:
    """Names of the family's models and tokenizers that a base has."""
    return tuple(
        part
        for part in (*family.parts, *family.tokenizers)
        if part not in family.optional or _class_of(index, part) is not None
    )


def _strays(index: Mapping[str, Any], family: Family) -> Iterator[str]:
    wanted = {**{part: one.name for part, one in family.parts.items()}, **family.tokenizers}
    for part, kind in wanted.items():
        found = _class_of(index, part)
        if part in family.optional and found is None:
            continue
        if str(found).removesuffix("Fast") != kind:
            yield f"{part} is {found}, not a {kind}"
    for part in family.optional & family.parts.keys():
        pair = (part, part.replace("text_encoder", "tokenizer"))
        if len({_class_of(index, one) is None for one in pair}) > 1:
            yield f"of {' and '.join(pair)} only one is there"


def _class_of(index: Mapping[str, Any], part: str) -> Any:
    """diffusers writes [library, class], and [null, null] for a part that is missing."""
    found = index.get(part)
    return found[1] if isinstance(found, list) and len(found) == 2 else found
