"""Is a base that is broken, hostile or not the recorded one refused by name?"""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from picdeed.core.errors import IntegrityError, UsageError
from picdeed.diffusion.models import check_base, load_base

UNET = "unet/diffusion_pytorch_model.safetensors"


def edit_json(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def edit_weights(path, change):
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)


def test_a_good_base_says_what_it_is(own_base):
    (own_base / "deed.json").write_text('{"name": "twig", "license": "MIT"}')
    facts = check_base(own_base)
    assert (facts.name, facts.license, facts.prediction, facts.size) == (
        "twig",
        "MIT",
        "v_prediction",
        32,
    )
    tensors = [*own_base.glob("*/*.safetensors")]
    assert facts.parameters == sum(t.numel() for f in tensors for t in load_file(f).values())


def test_a_base_without_a_deed_has_no_licence(tiny_base):
    facts = check_base(tiny_base)
    assert facts.license == "NOASSERTION"
    assert facts.name == "tiny"


def test_the_hash_is_about_weights_and_configs_and_not_about_where_they_lie(own_base, tiny_base):
    assert check_base(own_base).sha256 == check_base(tiny_base).sha256
    edit_json(own_base / "scheduler" / "scheduler_config.json", prediction_type="epsilon")
    one = check_base(own_base)
    assert one.sha256 != check_base(tiny_base).sha256
    edit_weights(own_base / UNET, lambda tensors: tensors["conv_in.bias"].add_(1e-3))
    assert check_base(own_base).sha256 != one.sha256


@pytest.mark.parametrize(
    "missing",
    [
        "model_index.json",
        UNET,
        "vae/config.json",
        "vae/diffusion_pytorch_model.safetensors",
        "text_encoder/model.safetensors",
        "tokenizer/tokenizer.json",
        "scheduler/scheduler_config.json",
    ],
)
def test_a_missing_part_is_named(own_base, missing):
    (own_base / missing).unlink()
    with pytest.raises(UsageError, match=missing.rsplit("/", 1)[-1].split(".")[0]):
        check_base(own_base)


@pytest.mark.parametrize(
    "name", ["unet/diffusion_pytorch_model.bin", "vae/x.ckpt", "unet/modeling.py", "deep/er/a.PKL"]
)
def test_a_pickle_or_code_anywhere_refuses_the_base(own_base, name):
    path = own_base / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x80\x04K\x01.")
    with pytest.raises(UsageError, match=path.name):
        load_base(own_base)


def test_a_pickle_with_the_name_of_safetensors_is_refused(own_base):
    torch.save({"conv_in.bias": torch.zeros(1)}, own_base / UNET)
    with pytest.raises(UsageError, match="diffusion_pytorch_model"):
        check_base(own_base)


def test_nan_weights_are_refused_by_file_and_tensor(own_base):
    edit_weights(own_base / UNET, lambda tensors: tensors["conv_in.bias"].fill_(float("nan")))
    with pytest.raises(UsageError, match=r"unet.*conv_in\.bias"):
        check_base(own_base)


def test_wrong_missing_and_surplus_tensors_are_refused_by_name(own_base):
    kept = (own_base / UNET).read_bytes()
    for change in (
        lambda tensors: tensors.update({"conv_in.bias": torch.zeros(3)}),
        lambda tensors: tensors.pop("conv_in.bias"),
        lambda tensors: tensors.update({"surplus": torch.zeros(1)}),
    ):
        (own_base / UNET).write_bytes(kept)
        edit_weights(own_base / UNET, change)
        with pytest.raises(UsageError, match=r"conv_in\.bias|surplus"):
            check_base(own_base)


@pytest.mark.parametrize(
    ("file", "changes", "named"),
    [
        ("model_index.json", {"unet": ["mine", "MyUNet"]}, "MyUNet"),
        ("model_index.json", {"vae": None}, "vae"),
        ("scheduler/scheduler_config.json", {"prediction_type": "flow"}, "flow"),
        ("unet/config.json", {"cross_attention_dim": 8}, "unet"),
        ("unet/config.json", {"sample_size": None}, "sample_size"),
        ("unet/config.json", {"norm_num_groups": 5}, "unet"),
        ("vae/config.json", {"latent_channels": 8}, "vae"),
        ("text_encoder/config.json", {"hidden_size": "wide"}, "text_encoder"),
        ("text_encoder/config.json", {"num_attention_heads": 0}, "text_encoder"),
        ("unet/config.json", {"norm_num_groups": 0}, "unet"),
        ("vae/config.json", {"block_out_channels": []}, "vae"),
        ("vae/config.json", {"scaling_factor": float("inf")}, "vae.config"),
        ("scheduler/scheduler_config.json", {"beta_end": float("nan")}, "scheduler_config"),
        ("scheduler/scheduler_config.json", {"steps_offset": 2**60}, "scheduler_config"),
    ],
)
def test_a_config_that_does_not_fit_is_refused(own_base, file, changes, named):
    edit_json(own_base / file, **changes)
    with pytest.raises(UsageError, match=named):
        check_base(own_base)


@pytest.mark.parametrize("text", ["{", "[]", "\xff"])
def test_a_config_that_is_no_json_object_is_refused(own_base, text):
    (own_base / "vae" / "config.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError, match=r"config\.json"):
        check_base(own_base)


def test_a_tokenizer_that_is_no_json_object_is_refused(own_base):
    (own_base / "tokenizer" / "tokenizer.json").write_text("{")
    with pytest.raises(UsageError, match=r"tokenizer\.json"):
        check_base(own_base)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no base"):
        check_base(tmp_path / "none")


def test_another_base_than_the_recorded_one_is_not_loaded(tiny_base):
    with pytest.raises(IntegrityError, match="not the one that was recorded"):
        load_base(tiny_base, expect="0" * 64)
    assert load_base(tiny_base, expect=check_base(tiny_base).sha256)


def test_fp16_files_are_loaded_as_fp32_and_frozen(make_base, tmp_path):
    base = load_base(make_base(tmp_path / "half", dtype=torch.float16), torch.device("cpu"))
    models = [base.parts[name] for name in base.family.parts]
    parameters = [p for model in models for p in model.parameters()]
    assert {p.dtype for p in parameters} == {torch.float32}
    assert not any(p.requires_grad for p in parameters)
    assert not base.network.training


def test_weights_in_several_files_are_read_whole_and_not_outside_the_folder(own_base):
    path = own_base / UNET
    tensors = load_file(path)
    path.unlink()
    names = sorted(tensors)
    halves = {"a": names[::2], "b": names[1::2]}
    where = {}
    for half, members in halves.items():
        file = f"diffusion_pytorch_model-{half}.safetensors"
        save_file({name: tensors[name] for name in members}, path.with_name(file))
        where |= dict.fromkeys(members, file)
    index = path.with_name(path.name + ".index.json")
    index.write_text(json.dumps({"metadata": {}, "weight_map": where}))
    assert check_base(own_base).parameters > 0
    index.write_text(json.dumps({"weight_map": {"conv_in.bias": "../vae/x.safetensors"}}))
    with pytest.raises(UsageError, match="outside"):
        check_base(own_base)
