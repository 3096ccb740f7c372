"""Is a base's family told by its index, and what is of none refused by name?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from picdeed.core.errors import UsageError
from picdeed.diffusion.families.known import FAMILIES, family_of, parts_in

WHERE = Path("base/model_index.json")


def index_of(name: str, **changes: Any) -> dict[str, Any]:
    (family,) = (one for one in FAMILIES if one.name == name)
    parts = {part: ["diffusers", one.name] for part, one in family.parts.items()}
    words = {part: ["transformers", f"{kind}Fast"] for part, kind in family.tokenizers.items()}
    return {"_class_name": next(iter(family.pipelines)), **parts, **words, **changes}


@pytest.mark.parametrize("name", [family.name for family in FAMILIES])
def test_a_family_is_known_by_its_pipeline_or_else_by_its_parts(name: str) -> None:
    assert family_of(index_of(name), WHERE).name == name
    assert family_of(index_of(name, _class_name="MyPipeline"), WHERE).name == name
    assert family_of(index_of(name, _class_name=None), WHERE).name == name


def test_what_is_of_no_family_is_refused() -> None:
    with pytest.raises(UsageError, match="PixArtPipeline is no pipeline") as told:
        family_of({"_class_name": "PixArtPipeline"}, WHERE)
    assert "StableDiffusionXLPipeline" in told.value.hint
    with pytest.raises(UsageError, match="vae is None, not a AutoencoderKL"):
        family_of({}, WHERE)
    with pytest.raises(UsageError, match="text_encoder is None"):  # as of XL's refiner
        family_of(index_of("sdxl", text_encoder=[None, None]), WHERE)


def test_optional_parts_may_be_missing_in_pairs() -> None:
    whole = index_of("sd3")
    assert "text_encoder_3" in parts_in(whole, family_of(whole, WHERE))
    bare = index_of("sd3", text_encoder_3=[None, None], tokenizer_3=None)
    assert not {"text_encoder_3", "tokenizer_3"} & set(parts_in(bare, family_of(bare, WHERE)))
