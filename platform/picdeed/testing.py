"""What do tests of picdeed, ours and our users', need? Tiny real things, no mocks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageDraw

from picdeed.registry.session import Registry, open_registry

if TYPE_CHECKING:
    import torch

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

    pipeline.init(folder)
    return open_registry(folder)


def tiny_model(folder: Path, *, seed: int = 0, dtype: torch.dtype | None = None) -> Path:
    """A random base of sprig's classes in diffusers' layout: 32 px pictures, 8x8x4 latents, 100 kB.

    `dtype` None is float32. Needs the `train` extra.
    """
    import torch
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
    from tokenizers import pre_tokenizers
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    from picdeed.diffusion.devices import quiet

    quiet()
    dtype, side = dtype or torch.float32, 32
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        vae = AutoencoderKL(
            block_out_channels=(8, 8, 16),
            down_block_types=("DownEncoderBlock2D",) * 3,
            up_block_types=("UpDecoderBlock2D",) * 3,
            layers_per_block=1,
            latent_channels=4,
            norm_num_groups=4,
            mid_block_add_attention=False,
            sample_size=side,
            scaling_factor=1.0,
        )
        unet = UNet2DConditionModel(
            sample_size=side // 4,
            in_channels=4,
            out_channels=4,
            block_out_channels=(16, 32),
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            layers_per_block=1,
            cross_attention_dim=16,
            attention_head_dim=2,
            norm_num_groups=4,
        )
        text = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=514,
                hidden_size=16,
                intermediate_size=32,
                num_hidden_layers=1,
                num_attention_heads=2,
                max_position_embeddings=16,
                projection_dim=16,
                bos_token_id=0,
                eos_token_id=1,
                pad_token_id=1,
            )
        )
    with torch.no_grad():
        # A random encoder is nearly constant and wide open: spread its means, close its posterior.
        vae.quant_conv.weight[:4] *= 6
        vae.quant_conv.weight[4:] = 0
        vae.quant_conv.bias[4:] = -8
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = ["<|startoftext|>", "<|endoftext|>", *letters, *(x + "</w>" for x in letters)]
    tokenizer = CLIPTokenizer(
        vocab={piece: n for n, piece in enumerate(pieces)}, merges=[], model_max_length=16
    )
    scheduler = DDIMScheduler(
        beta_schedule="squaredcos_cap_v2",
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        rescale_betas_zero_snr=True,
        clip_sample=False,
        steps_offset=1,
    )
    vae.to(dtype).save_pretrained(folder / "vae")
    unet.to(dtype).save_pretrained(folder / "unet")
    text.to(dtype).save_pretrained(folder / "text_encoder")
    tokenizer.save_pretrained(folder / "tokenizer")
    scheduler.save_pretrained(folder / "scheduler")
    index = {
        "_class_name": "StableDiffusionPipeline",
        "vae": ["diffusers", "AutoencoderKL"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "scheduler": ["diffusers", "DDIMScheduler"],
    }
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder
