"""What do tests of picdeed, ours and our users', need? Tiny real things, no mocks."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageDraw

if TYPE_CHECKING:
    import torch

    from picdeed.registry.session import Registry

CC0 = {"license": "CC0-1.0", "author": "A. Author"}


def tiny_picture(n: int, side: int = 96) -> Image.Image:
    """The n-th of many small drawings, no two of which are near-duplicates of each other."""
    image = Image.new("RGB", (side, side), ((37 * n) % 200 + 40, (91 * n) % 200 + 40, 180))
    draw = ImageDraw.Draw(image)
    state = n * 2654435761 % (1 << 32) or 1
    for _ in range(9):
        corners = []
        for _ in range(4):
            state = (1103515245 * state + 12345) % (1 << 31)
            corners.append(state % side)
        x0, x1 = sorted(corners[:2])
        y0, y1 = sorted(corners[2:])
        fill = (state % 256, (state >> 8) % 256, (state >> 16) % 256)
        if state % 2:
            draw.ellipse((x0, y0, x1 + 6, y1 + 6), fill=fill)
        else:
            draw.rectangle((x0, y0, x1 + 4, y1 + 4), fill=fill)
    return image


def tiny_pictures(
    folder: Path, n: int = 8, row: Mapping[str, Any] | None = None, first: int = 1
) -> Path:
    """A folder of `n` drawings with a `metadata.jsonl` that gives each the fields of `row`."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for i in range(first, first + n):
        name = f"picture-{i:03}.png"
        tiny_picture(i).save(folder / name)
        rows.append({"file_name": name, "caption": f"drawing {i}", **(CC0 if row is None else row)})
    with (folder / "metadata.jsonl").open("a", encoding="utf-8") as table:
        table.writelines(json.dumps(row) + "\n" for row in rows)
    return folder


def tiny_registry(folder: Path) -> Registry:
    """A fresh registry in `folder`, with its development identity and the embedded base."""
    from picdeed.flow import pipeline
    from picdeed.registry.session import open_registry

    pipeline.init(folder)
    return open_registry(folder)


def tiny_model(
    folder: Path, *, seed: int = 0, dtype: torch.dtype | None = None, family: str = "sd"
) -> Path:
    """A random base in diffusers' layout, of sprig's classes or of another family's: 32 px
    pictures, 8x8x4 latents, 100 to 300 kB.

    `dtype` None is float32; families are "sd", "sdxl", "sd3" and "flux". Needs the `train` extra.
    """
    import torch

    from picdeed.diffusion.devices import quiet

    quiet()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        # In this order: each takes its weights from the numbers that the one before has left.
        models = {"vae": _tiny_vae(family), **_TINY[family]()}
    tokenizers = {"tokenizer": _tiny_clip_words()}
    for name, model in models.items():
        if name.startswith("text_encoder_"):
            words = _tiny_t5_words if "T5" in type(model).__name__ else _tiny_clip_words
            tokenizers[name.replace("text_encoder", "tokenizer")] = words()
    scheduler = _tiny_scheduler(family)
    for name, model in models.items():
        model.to(dtype or torch.float32).save_pretrained(folder / name)
    for name, tokenizer in tokenizers.items():
        tokenizer.save_pretrained(folder / name)
    scheduler.save_pretrained(folder / "scheduler")
    index: dict[str, Any] = {"_class_name": _PIPELINES[family]}
    parts = {**models, **tokenizers, "scheduler": scheduler}
    for name, part in parts.items():
        index[name] = [type(part).__module__.partition(".")[0], type(part).__name__]
    if family == "sdxl":
        index["force_zeros_for_empty_prompt"] = True
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


_PIPELINES = {
    "sd": "StableDiffusionPipeline",
    "sdxl": "StableDiffusionXLPipeline",
    "sd3": "StableDiffusion3Pipeline",
    "flux": "FluxPipeline",
}


def _tiny_vae(family: str) -> Any:
    import torch
    from diffusers import AutoencoderKL

    flows = family in ("sd3", "flux")
    vae = AutoencoderKL(
        block_out_channels=(8, 8, 16),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
        mid_block_add_attention=False,
        sample_size=32,
        scaling_factor=1.5 if flows else 1.0,
        shift_factor=0.1 if flows else None,
    )
    with torch.no_grad():
        # A random encoder is nearly constant and wide open: spread its means, close its posterior.
        vae.quant_conv.weight[:4] *= 6
        vae.quant_conv.weight[4:] = 0
        vae.quant_conv.bias[4:] = -8
    return vae


def _tiny_unet(**more: Any) -> Any:
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=8,
        in_channels=4,
        out_channels=4,
        block_out_channels=(16, 32),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        attention_head_dim=2,
        norm_num_groups=4,
        **more,
    )


def _tiny_clip(width: int, projection: int, *, layers: int = 2, projects: bool = False) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    kind = CLIPTextModelWithProjection if projects else CLIPTextModel
    return kind(
        CLIPTextConfig(
            vocab_size=514,
            hidden_size=width,
            intermediate_size=32,
            num_hidden_layers=layers,
            num_attention_heads=2,
            max_position_embeddings=16,
            projection_dim=projection,
            bos_token_id=0,
            eos_token_id=1,
            pad_token_id=1,
        )
    )


def _tiny_t5() -> Any:
    from transformers import T5Config, T5EncoderModel

    return T5EncoderModel(
        T5Config(vocab_size=128, d_model=48, d_kv=8, d_ff=32, num_layers=1, num_heads=2)
    )


def _tiny_clip_words() -> Any:
    from tokenizers import pre_tokenizers
    from transformers import CLIPTokenizer

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = ["<|startoftext|>", "<|endoftext|>", *letters, *(x + "</w>" for x in letters)]
    return CLIPTokenizer(
        vocab={piece: n for n, piece in enumerate(pieces)}, merges=[], model_max_length=16
    )


def _tiny_t5_words() -> Any:
    """Letters instead of the pieces that SentencePiece would have learned."""
    from transformers import T5TokenizerFast

    letters = "\u2581abcdefghijklmnopqrstuvwxyz0123456789,.-"
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((one, -2.0) for one in letters)]
    return T5TokenizerFast(vocab=pieces, extra_ids=0, model_max_length=512)


def _tiny_scheduler(family: str) -> Any:
    from diffusers import (
        DDIMScheduler,
        EulerDiscreteScheduler,
        FlowMatchEulerDiscreteScheduler,
    )

    if family == "sd":
        return DDIMScheduler(
            beta_schedule="squaredcos_cap_v2",
            prediction_type="v_prediction",
            timestep_spacing="trailing",
            rescale_betas_zero_snr=True,
            clip_sample=False,
            steps_offset=1,
        )
    if family == "sdxl":
        return EulerDiscreteScheduler(beta_schedule="scaled_linear", timestep_spacing="leading")
    if family == "sd3":
        return FlowMatchEulerDiscreteScheduler(shift=3.0)
    return FlowMatchEulerDiscreteScheduler(
        shift=3.0, use_dynamic_shifting=True, base_image_seq_len=8, max_image_seq_len=64
    )


def _tiny_sd() -> dict[str, Any]:
    return {
        "unet": _tiny_unet(cross_attention_dim=16),
        "text_encoder": _tiny_clip(16, 16, layers=1),
    }


def _tiny_sdxl() -> dict[str, Any]:
    unet = _tiny_unet(
        cross_attention_dim=40,
        transformer_layers_per_block=(1, 2),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=4,
        projection_class_embeddings_input_dim=12 + 6 * 4,
    )
    second = _tiny_clip(24, 12, projects=True)
    return {"unet": unet, "text_encoder": _tiny_clip(16, 16), "text_encoder_2": second}


def _tiny_sd3() -> dict[str, Any]:
    from diffusers import SD3Transformer2DModel

    network = SD3Transformer2DModel(
        sample_size=8,
        patch_size=2,
        in_channels=4,
        out_channels=4,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=48,
        caption_projection_dim=16,
        pooled_projection_dim=12 + 20,
        pos_embed_max_size=8,
    )
    return {
        "transformer": network,
        "text_encoder": _tiny_clip(16, 12, projects=True),
        "text_encoder_2": _tiny_clip(24, 20, projects=True),
        "text_encoder_3": _tiny_t5(),
    }


def _tiny_flux() -> dict[str, Any]:
    from diffusers import FluxTransformer2DModel

    network = FluxTransformer2DModel(
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=48,
        pooled_projection_dim=16,
        guidance_embeds=True,
        axes_dims_rope=(4, 4, 8),
    )
    return {
        "transformer": network,
        "text_encoder": _tiny_clip(16, 16),
        "text_encoder_2": _tiny_t5(),
    }


_TINY: Mapping[str, Callable[[], dict[str, Any]]] = {
    "sd": _tiny_sd,
    "sdxl": _tiny_sdxl,
    "sd3": _tiny_sd3,
    "flux": _tiny_flux,
}
