"""Are shares of noise moved as the pipelines' own schedulers move them?"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from diffusers_own import diffusers_own

from picdeed.core.errors import UsageError
from picdeed.diffusion import flows
from picdeed.diffusion.cache import embed
from picdeed.diffusion.families import rectified
from picdeed.diffusion.inside.attention import attention
from picdeed.diffusion.models import check_base, load_base
from picdeed.diffusion.objective import Objective
from picdeed.diffusion.sample import draw
from picdeed.diffusion.samplers import Sampler


@pytest.mark.parametrize("name", ["sd3", "flux"])
def test_a_run_meets_the_noise_that_drawing_meets(folders: Mapping[str, Path], name: str) -> None:
    base = load_base(folders[name])
    pipeline = diffusers_own(folders[name])
    asked = dict(base.family.asked(base))
    pipeline("a", num_inference_steps=4, output_type="latent", **asked)
    shares = torch.tensor([1.0, 0.75, 0.5, 0.25])
    if name == "sd3":  # its scheduler begins and ends a little inside, then moves all once more
        low, high = (flows.shifted(torch.tensor(one), 3.0) for one in (0.001, 1.0))
        shares = torch.linspace(float(high), float(low), 4)
    moved = flows.shifted(shares, base.family.shift(base))
    assert torch.allclose(moved, pipeline.scheduler.sigmas[:4], atol=1e-5)
    assert base.family.shift(base) > 1


def test_a_shift_is_fixed_or_by_the_number_of_tokens() -> None:
    fixed = {"shift": 3.0}
    assert rectified.shift(fixed, 64, highest=1.15) == 3.0
    dynamic = {"use_dynamic_shifting": True, "max_image_seq_len": 4096, "base_image_seq_len": 256}
    assert rectified.shift(dynamic, 4096, highest=1.15) == pytest.approx(3.158, abs=1e-3)
    assert rectified.shift(dynamic, 256, highest=1.15) == pytest.approx(1.6487, abs=1e-3)
    linear = dynamic | {"time_shift_type": "linear"}
    assert rectified.shift(linear, 4096, highest=1.15) == 1.15


def test_the_objective_mixes_at_the_moved_share(folders: Mapping[str, Path]) -> None:
    objective = Objective(load_base(folders["sd3"]), min_snr_gamma=5.0)
    share = flows.shifted(torch.tensor([0.5]), 3.0)
    assert share.item() == 0.75
    expected = flows.min_snr_weight(share, 5.0)
    assert torch.equal(objective.weights(torch.tensor([499])), expected)


def test_other_samplers_are_refused(folders: Mapping[str, Path]) -> None:
    with pytest.raises(UsageError, match="rectified flow") as told:
        draw(load_base(folders["sd3"]), ["a"], [1], steps=2, sampler=Sampler.DDIM)
    assert "euler" in told.value.hint


def test_without_t5_zeros_take_its_place(folders: Mapping[str, Path], tmp_path: Path) -> None:
    own = Path(shutil.copytree(folders["sd3"], tmp_path / "own"))
    index = json.loads((own / "model_index.json").read_text())
    (own / "model_index.json").write_text(json.dumps(index | {"text_encoder_3": [None, None]}))
    with pytest.raises(UsageError, match="only one is there"):
        check_base(own)
    gone = {"text_encoder_3": [None, None], "tokenizer_3": [None, None]}
    (own / "model_index.json").write_text(json.dumps(index | gone))
    for part in gone:
        shutil.rmtree(own / part)
    base = load_base(own)
    assert "text_encoder_3" not in base.parts
    words = embed(base, "a cat")["prompt_embeds"]
    assert words.shape == (16 + 256, 48)
    assert words[:16].any()
    assert not words[16:].any()


def test_an_adapter_knows_how_flux_was_told_guidance(folders: Mapping[str, Path]) -> None:
    base = load_base(folders["flux"])
    heard: list[torch.Tensor] = []
    base.network.register_forward_pre_hook(
        lambda _, __, named: heard.append(named["guidance"]), with_kwargs=True
    )
    prompt = {name: one[None].expand(2, *one.shape) for name, one in embed(base, "a").items()}
    base.family.predict(base, torch.zeros(2, 4, 8, 8), torch.tensor([1.0, 2.0]), prompt)
    assert heard[0].tolist() == [1.0, 1.0]


def test_a_transformer_has_no_cross_attention_to_show(folders: Mapping[str, Path]) -> None:
    with pytest.raises(UsageError, match="no cross-attention"):
        attention(load_base(folders["sd3"]), "a", 1, steps=1, sampler=Sampler.EULER)
