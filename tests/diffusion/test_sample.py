"""Does a seed alone decide its picture, and is the base untouched when the adapter is off?"""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from picdeed.core.errors import IntegrityError, RunFailed, UsageError
from picdeed.diffusion.lora import load_adapter
from picdeed.diffusion.models import load_base
from picdeed.diffusion.sample import draw, generate
from picdeed.diffusion.samplers import Sampler
from picdeed.diffusion.worn import put_on

FEW = {"steps": 3, "threads": 1}


def data(images):
    return [image.tobytes() for image in images]


def test_a_seed_gives_the_same_picture_in_any_company(tiny_base, a_finished_run):
    adapter = a_finished_run / "adapter.safetensors"
    together = generate(tiny_base, adapter, ["a", "b", "a"], [1, 2, 3], **FEW)
    alone = [generate(tiny_base, adapter, [p], [s], **FEW)[0] for p, s in (("a", 1), ("a", 3))]
    assert data(alone) == [together[0].tobytes(), together[2].tobytes()]
    assert len(set(data(together))) == 3
    assert together[0].mode == "RGB"
    assert together[0].size == (32, 32)


def test_the_prompt_and_the_guidance_matter(tiny_base):
    def first(prompt, **more):
        return generate(tiny_base, None, [prompt], [1], **FEW, **more)[0].tobytes()

    assert len({first("a"), first("b"), first("a", guidance=1.0), first("a", guidance=6.0)}) == 4


@pytest.mark.parametrize("sampler", list(Sampler))
def test_an_adapter_changes_pictures_and_switched_off_leaves_the_base(
    tiny_base, a_finished_run, sampler
):
    plain = generate(tiny_base, None, ["a"], [1], sampler=sampler, **FEW)
    loaded = load_base(tiny_base)
    put_on(loaded, load_adapter(a_finished_run / "adapter.safetensors"))
    on = draw(loaded, ["a"], [1], steps=3, sampler=sampler)
    loaded.network.disable_adapters()
    off = draw(loaded, ["a"], [1], steps=3, sampler=sampler)
    assert data(off) == data(plain) != data(on)


def test_samplers_agree_about_the_picture(taught_base):
    """But for the one that throws new noise in at every step."""
    drawn = [
        np.asarray(generate(taught_base, None, ["a"], [4], steps=50, threads=1, sampler=s)[0])
        for s in Sampler
        if s is not Sampler.EULER_A
    ]
    other = np.asarray(generate(taught_base, None, ["a"], [5], steps=50, threads=1)[0])
    apart = np.abs(drawn[0].astype(int) - other).mean()
    for one in drawn[1:]:
        assert np.abs(drawn[0].astype(int) - one).mean() < apart / 2


def test_a_base_in_fp16_is_drawn_in_fp32(make_base, tmp_path):
    half = make_base(tmp_path / "half", dtype=torch.float16)
    (image,) = generate(half, None, ["a"], [1], **FEW)
    whole = tmp_path / "half" / "unet" / "diffusion_pytorch_model.safetensors"
    save_file({name: t.float() for name, t in load_file(whole).items()}, whole)
    assert generate(half, None, ["a"], [1], **FEW)[0].tobytes() == image.tobytes()


def test_an_adapter_of_another_base_is_refused(make_base, tmp_path, a_finished_run):
    other = make_base(tmp_path / "other", seed=9)
    with pytest.raises(UsageError, match="another base"):
        generate(other, a_finished_run / "adapter.safetensors", ["a"], [1], **FEW)


def test_a_base_that_is_not_the_recorded_one_draws_nothing(tiny_base):
    with pytest.raises(IntegrityError):
        generate(tiny_base, None, ["a"], [1], base_sha256="0" * 64, **FEW)


def test_pictures_that_are_not_finite_are_never_returned(tiny_base):
    loaded = load_base(tiny_base)
    with torch.no_grad():
        loaded.vae.decoder.conv_out.bias.fill_(float("nan"))
    with pytest.raises(RunFailed, match="not finite"):
        draw(loaded, ["a"], [1], steps=2)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seeds": [1, 2]}, "pair up"),
        ({"seeds": [-1]}, "Seed"),
        ({"seeds": [1 << 63]}, "Seed"),
        ({"steps": 0}, "0 steps"),
        ({"guidance": -1.0}, "Guidance"),
        ({"guidance": float("nan")}, "Guidance"),
        ({"sampler": "magic"}, "magic"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(tiny_base, change, named):
    request = {"prompts": ["a"], "seeds": [1], "threads": 1} | change
    with pytest.raises(UsageError, match=named):
        generate(tiny_base, None, **request)


def test_progress_is_told_and_torchs_threads_are_given_back(tiny_base):
    told = []
    before = torch.get_num_threads()
    generate(
        tiny_base, None, ["a", "b"], [1, 2], steps=1, threads=before + 1,
        progress=lambda *what: told.append(what),
    )  # fmt: skip
    assert told == [("generate", 0, 2), ("generate", 1, 2), ("generate", 2, 2)]
    assert torch.get_num_threads() == before
