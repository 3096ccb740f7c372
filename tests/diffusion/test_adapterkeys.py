"""Is an adapter the same adapter under other tools' names, and are half-known files refused?"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from diffusers.utils.state_dict_utils import convert_state_dict_to_kohya

from picdeed.core.errors import UsageError
from picdeed.diffusion.adapterkeys import (
    SETTINGS,
    Layer,
    difference,
    kohya_tensors,
    layers_of,
    peft_tensors,
    read_foreign,
)
from picdeed.diffusion.lora import Adapter, Papers, load_adapter
from picdeed.diffusion.models import load_base
from picdeed.diffusion.recipe import TARGETS, Recipe
from picdeed.diffusion.tensors import Tensors, safetensors_bytes
from picdeed.diffusion.worn import attach_recipe, put_on, save_adapter, weights

EVERYWHERE = Recipe(rank=3, alpha=6.5, targets=tuple(sorted(TARGETS)))
LEAF = "mid_block.attentions.0.transformer_blocks.0.attn1"
# What ComfyUI, A1111 and sd-scripts find by name in a UNet of Stable Diffusion 1, of their own
# code read on one day; conv_in and conv_out are unknown to sd-scripts alone.
KNOWN = re.compile(
    r"lora_unet_(conv_in|conv_out"
    r"|(down_blocks_\d|up_blocks_\d|mid_block)_("
    r"resnets_\d_(conv1|conv2|conv_shortcut|time_emb_proj)"
    r"|attentions_\d_(proj_in|proj_out|transformer_blocks_\d_("
    r"attn[12]_to_(q|k|v|out_0)|ff_net_0_proj|ff_net_2))"
    r"|(down|up)samplers_0_conv))"
)


def output(unet) -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    latent = torch.randn(2, 4, 8, 8, generator=generator)
    prompt = torch.randn(2, 16, 16, generator=generator)
    with torch.no_grad():
        return unet(latent, torch.tensor([10, 900]), encoder_hidden_states=prompt).sample


@dataclass(frozen=True)
class Made:
    """An adapter on every layer that can be adapted, and what the UNet says with it."""

    adapter: Adapter
    said: torch.Tensor


@pytest.fixture(scope="module")
def made(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    base = load_base(tiny_base)
    attach_recipe(base, EVERYWHERE, seed=1)
    with torch.no_grad():
        for name, tensor in weights(base).items():
            generator = torch.Generator().manual_seed(len(name))
            torch.nn.init.normal_(tensor, std=0.05, generator=generator)
    path = tmp_path_factory.mktemp("own") / "a.safetensors"
    papers = Papers("tiny", "d" * 64, "snp_1", "1f", "run_1", "dec_1", {"MIT": 1}, "e" * 64)
    save_adapter(path, base, EVERYWHERE, papers)
    return Made(load_adapter(path), output(base.network))


def write(folder: Path, tensors: Tensors, **metadata: str) -> Path:
    path = folder / "foreign.safetensors"
    path.write_bytes(safetensors_bytes(tensors, {"format": "pt", **metadata}))
    return path


def said_after_diffusers_loaded(base_folder: Path, path: Path) -> torch.Tensor:
    base = load_base(base_folder)
    pipeline = StableDiffusionPipeline(
        **base.parts,
        scheduler=None,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.load_lora_weights(path.parent, weight_name=path.name)
    return output(pipeline.unet)


def own_layers(made: Made) -> dict[str, Layer]:
    return layers_of(made.adapter.tensors, made.adapter.metadata)


def one(rank: int = 2, **parts: torch.Tensor) -> dict[str, torch.Tensor]:
    """Kohya's tensors of one layer."""
    flat = "lora_unet_" + LEAF.replace(".", "_") + "_to_q"
    named = {"lora_down.weight": torch.ones(rank, 4), "lora_up.weight": torch.ones(5, rank)}
    return {f"{flat}.{key}": value for key, value in (named | parts).items()}


def test_diffusers_reads_kohyas_names_to_the_same_prediction(made, tiny_base, tmp_path):
    path = write(tmp_path, kohya_tensors(own_layers(made)))
    assert torch.equal(said_after_diffusers_loaded(tiny_base, path), made.said)
    plain = output(load_base(tiny_base).network)
    assert (plain - made.said).abs().max() > 0.1


def test_the_converter_of_diffusers_would_fail_both_checks(made, tiny_base, tmp_path):
    wrong = {
        k: t.contiguous() for k, t in convert_state_dict_to_kohya(made.adapter.tensors).items()
    }
    path = write(tmp_path, wrong)
    assert (said_after_diffusers_loaded(tiny_base, path) - made.said).abs().max() > 0.01
    assert difference(own_layers(made), layers_of(wrong, {})) == "unet.conv_in"
    assert read_foreign(path).alpha == EVERYWHERE.rank != EVERYWHERE.alpha


@pytest.mark.parametrize("names", [kohya_tensors, peft_tensors])
def test_a_round_trip_is_equal_to_the_bit(made, tiny_base, tmp_path, names):
    own = made.adapter
    settings = {} if names is kohya_tensors else {SETTINGS: own.metadata[SETTINGS]}
    path = write(tmp_path, names(own_layers(made)), **settings)
    found = read_foreign(path)
    assert (found.id, found.rank, found.alpha) == (own.id, own.rank, own.alpha)
    assert all(torch.equal(found.tensors[name], tensor) for name, tensor in own.tensors.items())
    base = load_base(tiny_base)
    put_on(base, found)
    assert torch.equal(output(base.network), made.said)


def test_diffusers_older_names_mean_full_strength():
    down, up = torch.ones(2, 4), torch.ones(5, 2)
    older = {
        f"unet.{LEAF}.processor.to_out_lora.down.weight": down,
        f"unet.{LEAF}.processor.to_out_lora.up.weight": up,
        f"unet.{LEAF}.to_q.lora.down.weight": down,
        f"unet.{LEAF}.to_q.lora.up.weight": up,
    }
    found = layers_of(older, {})
    assert set(found) == {f"unet.{LEAF}.to_out.0", f"unet.{LEAF}.to_q"}
    assert {layer.alpha for layer in found.values()} == {2.0}
    bare = {name.removeprefix("unet."): older[name] for name in list(older)[:2]}
    assert set(layers_of(bare, {})) == {f"unet.{LEAF}.to_out.0"}


@pytest.mark.parametrize("blocks", [(32, 64, 128, 128), (32, 64, 128)])
def test_every_layer_that_can_be_adapted_has_a_name_that_others_know(blocks):
    downs = ["CrossAttnDownBlock2D"] * (len(blocks) - 1) + ["DownBlock2D"]
    with torch.device("meta"):
        unet = UNet2DConditionModel(
            block_out_channels=blocks,
            down_block_types=tuple(downs),
            up_block_types=tuple(b.replace("Down", "Up") for b in reversed(downs)),
            cross_attention_dim=64,
        )
    paths = [
        name
        for name, module in unet.named_modules()
        if hasattr(module, "weight") and any(f".{name}".endswith(f".{t}") for t in TARGETS)
    ]
    assert len(paths) > 150
    layers = {f"unet.{path}": Layer(torch.ones(1, 1), torch.ones(1, 1), 1.0) for path in paths}
    named = kohya_tensors(layers)
    assert len(named) == 3 * len(paths)
    assert all(KNOWN.fullmatch(name.split(".")[0]) for name in named)
    assert difference(layers, layers_of(named, {})) is None


def test_without_an_alpha_it_is_the_rank_and_a_header_that_says_one_counts():
    (layer,) = layers_of(one(), {}).values()
    assert (layer.rank, layer.alpha) == (2, 2.0)
    (layer,) = layers_of(one(alpha=torch.tensor(7.0)), {}).values()
    assert layer.alpha == 7.0
    said = {"unet.r": 2, "unet.lora_alpha": 3, "unet.alpha_pattern": {"attn1.to_q": 5}}
    (layer,) = layers_of(one(), {SETTINGS: json.dumps(said)}).values()
    assert layer.alpha == 5.0
    said = {"unet.lora_alpha": 3, "unet.use_rslora": True}
    (layer,) = layers_of(one(rank=4), {SETTINGS: json.dumps(said)}).values()
    assert layer.alpha / layer.rank == 3 / 4**0.5


@pytest.mark.parametrize(
    ("tensors", "metadata", "word"),
    [
        ({}, {}, "holds no adapter"),
        ({"lora_te_text_model_encoder_layers_0_mlp_fc3.alpha": torch.ones(())}, {}, "lora_te_text"),
        ({"lora_te3_encoder_block_0.alpha": torch.ones(())}, {}, "lora_te3"),
        (one() | {"transformer.x.lora_A.weight": torch.ones(2, 4)}, {}, "other tensors are of a UNet"),
        (one() | {"lora_unet_conv_in.hada_w1_a": torch.ones(1)}, {}, "hada_w1_a"),
        (one() | {"lora_unet_conv_in.dora_scale": torch.ones(1)}, {}, "dora_scale"),
        ({"lora_unet_input_blocks_1_1_proj_in.alpha": torch.ones(())}, {}, "input_blocks_1_1"),
        ({"base_model.model.conv_in.lora_A.weight": torch.ones(1, 1)}, {}, "base_model"),
        (one() | {f"unet.{LEAF}.to_q.lora_A.weight": torch.ones(2, 4)}, {}, "says again"),
        (dict(list(one().items())[:1]), {}, "only one of its two matrices"),
        (one(alpha=torch.ones(2)), {}, "no single number"),
        (one(alpha=torch.tensor(0.0)), {}, "no positive number"),
        (one() | one(**{"lora_up.weight": torch.ones(5, 3)}), {}, "clash"),
        (one(), {SETTINGS: "[]"}, "strength is unknown"),
        (one(), {SETTINGS: '{"unet.alpha_pattern": {"(a+)+$": 1}}'}, "strength is unknown"),
        (one(alpha=torch.tensor(4.0)), {SETTINGS: '{"unet.lora_alpha": 8}'}, "which of them"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused_by_name(tensors, metadata, word):
    with pytest.raises(UsageError, match=re.escape(word)):
        layers_of(tensors, metadata)


def test_layers_of_several_strengths_are_no_adapter_of_ours(tmp_path):
    other = {"lora_unet_conv_in.lora_down.weight": torch.ones(4, 3)}
    other |= {"lora_unet_conv_in.lora_up.weight": torch.ones(5, 4)}
    with pytest.raises(UsageError, match="picdeed's adapters have one of each"):
        read_foreign(write(tmp_path, one() | other))


def test_a_layer_whose_name_does_not_lead_back_is_not_written():
    with pytest.raises(UsageError, match="to_q_other has no name"):
        kohya_tensors({"unet.to_q_other": Layer(torch.ones(1, 1), torch.ones(1, 1), 1.0)})


def test_a_difference_is_found_in_any_part():
    layer = Layer(torch.ones(2, 4), torch.ones(5, 2), 0.1)
    same = {"conv_in": Layer(layer.down.clone(), layer.up.clone(), 0.10000000149011612)}
    assert difference({"conv_in": layer}, same) is None
    for changed in (
        Layer(layer.down * 2, layer.up, 0.1),
        Layer(layer.down, layer.up.half(), 0.1),
        Layer(layer.down, layer.up, 0.2),
    ):
        assert difference({"conv_in": layer}, {"conv_in": changed}) == "conv_in"
    assert difference({"conv_in": layer}, {}) == "conv_in"
